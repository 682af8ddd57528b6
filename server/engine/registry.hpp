#pragma once
// Every hosted object, by id and by name, and its holders: sessions and containers. An unnamed object is
// destroyed when it has no holder left, a named one when it is removed. Ids come from a counter and are never
// reused.

#include <deque>
#include <map>
#include <unordered_map>
#include <vector>

#include "server/engine/object.hpp"
#include "server/structures/id_table.hpp"
#include "server/structures/reclaim_queue.hpp"
#include "server/values/validate.hpp"
#include "tandem/hosted/type.hpp"
#include "tandem/limits.hpp"

namespace tandem::server {

class Registry final : public ReferenceCounter, public ReferenceCheck {
 public:
  Registry(const Limits& limits, std::span<const Type* const> types);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  const Type* type_named(std::string_view name) const;
  std::span<const Type* const> types() const { return types_; }

  [[gnu::always_inline]] Object* find(ObjectId id) {
    Object** found = by_id_.find(id);
    return found == nullptr ? nullptr : *found;
  }
  const Object* find(ObjectId id) const { return const_cast<Registry*>(this)->find(id); }
  Object* find(std::string_view name);
  const Object* find(std::string_view name) const { return const_cast<Registry*>(this)->find(name); }

  /// Makes a new object, which has no holder yet: if unnamed, it is destroyed at the end of the step unless held
  /// by then.
  Object& make(const Type& type);
  // For loading.
  /// Makes an object with this id, above all others, to be held later. The next one's id will be above it.
  Object& restore(const Type& type, ObjectId id);
  /// The next object gets this id, which is above all others.
  void continue_from(ObjectId next) { next_id_ = next; }
  /// The open session holds `count` references to an object, which may have been removed.
  void restore_held(SessionId session, ObjectId id, std::uint64_t count);

  /// `name` must be free.
  void give_name(Object& object, std::string_view name);
  /// Makes it an unnamed object, if it has a name, which is free from now on.
  void take_name(Object& object);
  /// Removes and destroys a named object, even while it is held. Returns whether there was one.
  bool remove(std::string_view name);

  /// Calls `f(const Object&)` in id order, for ids above `after`, until it returns false.
  template <class F>
  void each(ObjectId after, F&& f) const {
    for (auto at = objects_.upper_bound(after); at != objects_.end(); ++at)
      if (!f(*at->second)) return;
  }
  /// Number of objects, without the manager.
  std::uint64_t size() const { return objects_.size() - 1; }
  ObjectId next_id() const { return next_id_; }

  // Holders.
  void open(SessionId session, SessionId inherits_from);
  /// The session's references are released by clean_up().
  void close(SessionId session);
  bool has(SessionId session) const {
    if (session == found_session_) return true;
    if (sessions_.find(session) == sessions_.end()) return false;
    found_session_ = session;
    return true;
  }
  /// Counts every reference in `reply`, which is about to be sent, for `session`. Returns whether there was one to an
  /// object that exists.
  bool hold(SessionId session, wire::Bytes reply);
  bool hold(SessionId session, ObjectId id);
  /// Releases `count` references. More than are held, or references to a destroyed object, are not an error.
  void give_back(SessionId session, ObjectId id, std::uint64_t count);
  std::uint64_t references_of(SessionId session) const;
  std::size_t sessions_count() const { return sessions_.size(); }
  template <class F>
  void each_session(F&& f) const {  // f(SessionId, const IdTable<std::uint64_t>&), in id order
    for (const auto& [id, held] : sessions_) f(id, held.counts);
  }
  std::size_t unreleased() const { return unreleased_.size(); }
  /// Calls `f(ObjectId, count)` for the references of closed sessions that are not released yet.
  template <class F>
  void each_unreleased(F&& f) const {
    for (const auto& [id, count] : unreleased_) f(id, count);
  }

  void retain(ObjectId id) override;
  void release(ObjectId id) override;
  /// A counter for values that may outlive this registry; calls after its end are ignored.
  std::shared_ptr<hosting::References> weak_references() const { return weak_references_; }
  Result<void> check(wire::Reference reference) const override;
  /// Upper bound of what clean_up() frees in one step, in elements. An object counts as several.
  static constexpr std::int64_t cleaning_per_step_max = 4'096;
  /// Releases the references of closed sessions, destroys the objects without a holder, and those that only these held, and frees deferred contents, as
  /// long as `elements_left` is positive, which it reduces.
  void clean_up(std::int64_t& elements_left);
  /// Whether clean_up() has nothing to do.
  bool is_clean() const { return unreleased_.empty() && unheld_.empty() && reclaim_queue_.empty(); }
  /// Objects defer the reclamation of large contents to it.
  ReclaimQueue& reclaim_queue() { return reclaim_queue_; }

  /// Updates the memory total after `object` changed.
  void account(Object& object) {
    std::uint64_t now = object.memory_bytes();
    memory_bytes_ += now - object.accounted_bytes_;
    object.accounted_bytes_ = now;
  }
  /// Updates the memory total after requests were parked or answered.
  void account_waits(std::size_t count) { waits_bytes_ = count * Waits::waiter_bytes; }
  std::uint64_t waits_bytes() const { return waits_bytes_; }
  /// Memory of all objects, of deferred contents not freed yet, of waits, and of what sessions hold.
  std::uint64_t memory_bytes() const { return memory_bytes_ + waits_bytes_ + reclaim_queue_.memory_bytes(); }
  /// Called with each object just before it is destroyed.
  std::function<void(Object&)> before_destroyed;
  const Limits& limits() const { return limits_; }
  void set_limits(const Limits& limits) { limits_ = limits; }

  /// Memory of a session's references to one object.
  static constexpr std::uint64_t reference_bytes = 32;
  /// Memory of the name, which two tables have.
  static std::uint64_t name_bytes(const Object& object) { return 2 * object.name_.size(); }

 private:
  // An object without contents: the object itself and its table entries.
  static constexpr std::uint64_t object_overhead_bytes = 256;
  static constexpr std::int64_t elements_per_object = 8;  // the cost of destroying one

  struct WeakReferences final : hosting::References {
    explicit WeakReferences(Registry* counting) : registry(counting) {}
    void retain(std::uint64_t id) override;
    void release(std::uint64_t id) override;
    Registry* registry;  // null once it is destroyed
  };

  Object& add(const Type& type, ObjectId id);
  void destroy(Object& object);
  void drop(ObjectId id, std::uint64_t count);

  const std::shared_ptr<WeakReferences> weak_references_ = std::make_shared<WeakReferences>(this);
  Limits limits_;
  std::span<const Type* const> types_;

  IdTable<Object*> by_id_;  // fast lookup; objects_ owns them
  std::map<ObjectId, std::unique_ptr<Object>> objects_;
  std::map<std::string, Object*, std::less<>> by_name_;
  ObjectId next_id_ = 1;
  std::vector<ObjectId> unheld_;  // candidates: may be held again or destroyed when checked

  struct Held {
    IdTable<std::uint64_t> counts;  // by object
    std::uint64_t sum = 0;
  };
  std::map<SessionId, Held> sessions_;                         // references held
  mutable SessionId found_session_ = 0;                        // the last one that has() found; 0: none
  std::deque<std::pair<ObjectId, std::uint64_t>> unreleased_;  // references that closed sessions held

  std::uint64_t memory_bytes_ = 0;
  std::uint64_t waits_bytes_ = 0;
  ReclaimQueue reclaim_queue_;
};

}  // namespace tandem::server
