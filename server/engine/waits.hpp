#pragma once
// Requests that wait: for a lock, an item, an event. A handler that cannot answer parks its request in a wait
// queue of its object (CallContext::park). Operations that change the object schedule it
// (CallContext::schedule_serve), and at the end of the step it answers the waiters that it can, oldest first
// (Object::serve). A wait that times out or is cancelled, or whose session ends, is passed to
// Object::on_wait_ended.

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "server/structures/id_table.hpp"
#include "server/values/value.hpp"
#include "tandem/error.hpp"

namespace tandem::server {

class Object;
class WaitQueue;

using SessionId = std::uint64_t;
using Ticket = std::uint64_t;  // of a waiting request: from a counter that starts at 1, never reused
/// Number of a lane within its session, from 1; 0: none (kept_replies.hpp).
using LaneId = std::uint32_t;

/// A time in nanoseconds of the engine's clock that is never reached.
inline constexpr std::uint64_t never_ns = std::numeric_limits<std::uint64_t>::max();

/// One thread of a session.
struct Owner {
  SessionId session = 0;
  std::uint32_t actor = 0;
  friend auto operator<=>(const Owner&, const Owner&) = default;
};

/// A request of a lane.
struct LaneRequest {
  LaneId lane = 0;
  std::uint32_t request = 0;
  friend auto operator<=>(const LaneRequest&, const LaneRequest&) = default;
};

/// Owners that end together: one thread, or all of a session.
struct EndedOwners {
  SessionId session = 0;
  std::optional<std::uint32_t> actor;  // none: the whole session

  bool is_whole_session() const { return !actor; }
  bool includes(Owner owner) const {
    return owner.session == session && actor.value_or(owner.actor) == owner.actor;
  }
  /// The first that may be among them, in the order of owners; the others follow it.
  Owner first() const { return {session, actor.value_or(0)}; }
};

/// Why a wait ends without having been served.
enum class WaitEnd : std::uint8_t {
  timed_out,
  cancelled,    // by its client
  owner_ended,  // what it waits for could not be used; if a reply can be delivered, the engine answers it
  deadlock,     // the wait would never end; the engine answers it
};

struct Waiter {
  Ticket ticket = 0;
  Owner owner;
  Object* object = nullptr;     // whose wait queue it is in
  std::uint16_t operation = 0;  // index into Engine::operations()
  LaneRequest sent_as;          // see Waits::set_sent_as()
  std::uint64_t since_ns = 0;
  std::uint64_t deadline_ns = never_ns;

  // For the object's own use.
  std::uint32_t kind = 0;
  std::uint64_t amount = 0;
  ObjectId origin = 0;        // another object involved
  std::vector<Value> values;  // to be put, or keys
  std::size_t position = 0;   // index in `values` of the next one needed

 private:
  friend class WaitQueue;
  friend class Waits;
  WaitQueue* wait_queue_ = nullptr;
  Waiter* before_ = nullptr;
  Waiter* behind_ = nullptr;
  // Links to the object's other waiters, whatever their queue.
  Waiter* previous_of_object_ = nullptr;
  Waiter* next_of_object_ = nullptr;
  bool may_be_blocked_ = false;  // by a thread, as Object::each_blocker has it
};

/// A queue of waiters, oldest first. It owns none of them.
class WaitQueue {
 public:
  WaitQueue() = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  bool empty() const { return front_ == nullptr; }
  std::size_t size() const { return size_; }
  /// Null if empty.
  Waiter* front() const { return front_; }
  /// Null after the last.
  static Waiter* next(const Waiter& waiter) { return waiter.behind_; }
  void push_back(Waiter& waiter);
  /// The queue it is in; null: none.
  static WaitQueue* of(const Waiter& waiter) { return waiter.wait_queue_; }
  /// Removes it from its queue, if it is in one.
  static void remove(Waiter& waiter);

 private:
  Waiter* front_ = nullptr;
  Waiter* back_ = nullptr;
  std::size_t size_ = 0;
};

/// Every waiter of the engine: by ticket, by deadline, by owner.
class Waits {
 public:
  Waits() = default;
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;

  Waiter& park(WaitQueue& queue, Object& object, Owner owner, std::uint16_t operation, std::uint64_t now_ns,
               std::uint64_t deadline_ns);
  /// Moves it to the end of another wait queue, of the same or another object.
  void move(Waiter& waiter, WaitQueue& queue, Object& object);
  void set_deadline(Waiter& waiter, std::uint64_t deadline_ns);
  /// The request came on a lane. To be called once, if at all.
  void set_sent_as(Waiter& waiter, LaneRequest sent_as);
  /// Removes it from its queue and destroys it.
  void remove(Waiter& waiter);

  std::size_t size() const { return by_ticket_.size(); }
  /// Memory of a waiter without its values, including the tables here and in the session layer.
  static constexpr std::uint64_t waiter_bytes = 640;
  static_assert(sizeof(Waiter) + 464 <= waiter_bytes);
  Waiter* find(Ticket ticket);
  const Waiter* find(Ticket ticket) const { return const_cast<Waits*>(this)->find(ticket); }
  /// The waiter with the earliest deadline, if that is not after `now_ns`; else null.
  Waiter* first_due(std::uint64_t now_ns);
  std::uint64_t next_deadline_ns() const { return deadlines_.empty() ? never_ns : deadlines_.begin()->first; }
  /// The first waiter of these threads; null if they have none.
  Waiter* first_of(const EndedOwners& owners);
  /// Calls f(const Waiter&) for the waiters of one thread that other threads may block, oldest first, until it
  /// returns false.
  template <class F>
  void each_blockable_of(Owner owner, F&& f) const {
    for (auto at = by_owner_.lower_bound({owner, false, 0});
         at != by_owner_.end() && at->owner == owner && !at->unblocked; ++at)
      if (!f(std::as_const(*by_ticket_.at(at->ticket)))) return;
  }
  /// The tickets of a session's waiters on one lane, oldest first.
  std::vector<Ticket> tickets_of(SessionId session, LaneId lane) const;
  /// Null if no waiter of the session was sent so.
  const Waiter* find(SessionId session, LaneRequest sent_as) const;
  /// The waiters for one object, oldest first.
  std::vector<Ticket> tickets_of(const Object& object) const;
  /// Calls f(const Waiter&) for all, oldest first.
  template <class F>
  void each(F&& f) const {
    for (const auto& [ticket, waiter] : by_ticket_) f(*waiter);
  }
  /// Calls f(const Waiter&) for the waiters with tickets above `after`, oldest first, until it returns false.
  template <class F>
  void each_behind(Ticket after, F&& f) const {
    for (auto at = by_ticket_.upper_bound(after); at != by_ticket_.end(); ++at)
      if (!f(*at->second)) return;
  }
  Ticket next_ticket() const { return next_ticket_; }
  // For loading.
  /// Puts a waiter with its ticket and deadline, which no other has, at the end of the queue.
  Waiter& restore(std::unique_ptr<Waiter> made, WaitQueue& queue, Object& object);
  void continue_from(Ticket next) { next_ticket_ = next; }

 private:
  struct OfOwner {
    Owner owner;
    bool unblocked = false;  // not Waiter::may_be_blocked_
    Ticket ticket = 0;
    friend auto operator<=>(const OfOwner&, const OfOwner&) = default;
  };
  static OfOwner key_of(const Waiter& waiter) {
    return {waiter.owner, !waiter.may_be_blocked_, waiter.ticket};
  }
  void enter(Waiter& waiter, WaitQueue& queue, Object& object);
  void leave(Waiter& waiter);

  std::map<Ticket, std::unique_ptr<Waiter>> by_ticket_;
  std::set<std::pair<std::uint64_t, Ticket>> deadlines_;  // those that have one
  std::set<OfOwner> by_owner_;
  std::map<std::pair<SessionId, LaneRequest>, Ticket> by_request_;  // those that came on a lane
  Ticket next_ticket_ = 1;
};

/// Replies to parked requests, for the session layer to deliver.
class Deliveries {
 public:
  struct Delivery {
    Ticket ticket = 0;
    Code code = Code::ok;
    std::uint16_t operation = 0;
    std::size_t begin = 0;  // of its payload in the buffer
    std::size_t end = 0;
  };

  bool empty() const { return all_.empty(); }
  const std::vector<Delivery>& all() const { return all_; }
  wire::Bytes payload(const Delivery& d) const { return payloads_.view_from(d.begin).first(d.end - d.begin); }
  /// The payload of the next reply is appended here.
  wire::Buffer& buffer() { return payloads_; }
  void add(const Waiter& waiter, Code code, std::size_t begin) {
    all_.push_back({waiter.ticket, code, waiter.operation, begin, payloads_.size()});
  }
  void clear() {
    all_.clear();
    payloads_.clear();
    payloads_.shrink(bytes_kept);
  }

 private:
  static constexpr std::size_t bytes_kept = 64 * 1024;
  std::vector<Delivery> all_;
  wire::Buffer payloads_;
};

/// The objects of which threads and sessions own a part. They are notified when the owner ends. A lock belongs
/// to a thread; permits and leased items belong to the session, since any of its threads may give them back.
class Holdings {
 public:
  void add(Owner owner, ObjectId object, std::uint64_t count = 1) {
    add(owner.session, part_of(owner), object, count);
  }
  void add(SessionId session, ObjectId object, std::uint64_t count = 1) {
    add(session, whole_session, object, count);
  }
  /// These have no effect for an owner that was forgotten.
  void remove(Owner owner, ObjectId object, std::uint64_t count = 1) {
    remove(owner.session, part_of(owner), object, count);
  }
  void remove(SessionId session, ObjectId object, std::uint64_t count = 1) {
    remove(session, whole_session, object, count);
  }
  /// In id order, each once; some may have been destroyed meanwhile.
  std::vector<ObjectId> of(const EndedOwners& owners) const;
  /// Calls f(ObjectId) for each object of which the thread itself owns a part, in no order.
  template <class F>
  void each_of(Owner owner, F&& f) const {
    if (const Held* held = find(owner.session, part_of(owner)))
      held->each([&](ObjectId object, std::uint64_t) { f(object); });
  }
  /// The number of these objects.
  std::size_t count_of(Owner owner) const {
    const Held* held = find(owner.session, part_of(owner));
    return held == nullptr ? 0 : held->size();
  }
  void forget(const EndedOwners& owners);

  // For saving and loading.
  struct Holding {
    SessionId session = 0;
    std::uint64_t part = 0;  // a thread of the session, or the session as a whole
    ObjectId object = 0;
    std::uint64_t count = 0;  // 0: there is none
    friend auto operator<=>(const Holding&, const Holding&) = default;
  };
  /// In their order.
  std::vector<Holding> all() const;
  void restore(const Holding& holding) {
    by_session_[holding.session][holding.part][holding.object] = holding.count;
  }

 private:
  using Held = IdTable<std::uint64_t>;  // counts by object

  // Keys of the inner table, which are not 0.
  static constexpr std::uint64_t whole_session = std::uint64_t{1} << 33;
  static std::uint64_t part_of(Owner owner) { return std::uint64_t{owner.actor} + 1; }
  void add(SessionId session, std::uint64_t part, ObjectId object, std::uint64_t count) {
    if (newest_.count != 0) [[unlikely]]
      enter_newest();
    newest_ = {session, part, object, count};
  }
  void remove(SessionId session, std::uint64_t part, ObjectId object, std::uint64_t count) {
    if (newest_.object == object && newest_.session == session && newest_.part == part &&
        newest_.count >= count) [[likely]]
      newest_.count -= count;
    else remove_entered(session, part, object, count);
  }
  void enter_newest() const;
  void remove_entered(SessionId session, std::uint64_t part, ObjectId object, std::uint64_t count);
  const Held* find(SessionId session, std::uint64_t part) const {
    enter_newest();
    IdTable<Held>* parts = by_session_.find(session);
    return parts == nullptr ? nullptr : parts->find(part);
  }

  // A session with at most so many parts keeps empty ones, so that a thread which locks and unlocks one lock does
  // not allocate.
  static constexpr std::size_t empty_kept_max = 8;

  mutable IdTable<IdTable<Held>> by_session_;
  // The one added last, not entered in the tables until they are read or another is added: most locks are released
  // before the next one is acquired.
  mutable Holding newest_;
};

/// Fencing tokens: one for each grant of a lock, from a counter, so that a later grant has a higher one. A
/// token is live as long as its grant. (Kleppmann, "How to do distributed locking", 2016.)
class Tokens {
 public:
  std::uint64_t grant() {
    if (newest_ != 0) (void)live_[newest_];
    return newest_ = next_++;
  }
  void end(std::uint64_t token) {
    if (token == newest_) newest_ = 0;
    else live_.erase(token);
  }
  bool lives(std::uint64_t token) const {
    return token != 0 && (token == newest_ || live_.find(token) != nullptr);
  }
  std::size_t living() const { return live_.size() + (newest_ != 0 ? 1 : 0); }
  std::uint64_t next() const { return next_; }

  // For saving and loading.
  /// Oldest first.
  std::vector<std::uint64_t> all() const;
  void restore(std::uint64_t token) { (void)live_[token]; }
  void continue_from(std::uint64_t next) { next_ = next; }

 private:
  struct Nothing {};
  IdTable<Nothing> live_;  // all but the newest
  // 0: it is over. Most locks are released before the next one is acquired.
  std::uint64_t newest_ = 0;
  std::uint64_t next_ = 1;
};

}  // namespace tandem::server
