#pragma once
// The context that a handler runs in: the calling thread, the other objects, the reply. Also the views of
// operands that consist of several values.

#include <array>
#include <forward_list>
#include <memory>
#include <optional>

#include "server/engine/kept_replies.hpp"
#include "server/engine/registry.hpp"
#include "server/structures/undo.hpp"
#include "server/values/semantics.hpp"

namespace tandem::server {

/// Facts about the server, passed in as data: the engine reads no clock and makes no system call.
struct ServerInfo {
  std::string version;
  std::string incarnation_hex;
  std::uint32_t pid = 0;
  std::int64_t started_ms = 0;     // Unix time
  std::uint64_t hash_seed = 0;     // secret, against crafted keys
  bool refuse_deadlocks = true;    // refuse waits that would never end; else only report them
  bool survives_bad_alloc = true;  // else a handler of a hosted type that gets no memory ends the process
  std::string boot_id{};           // of the machine's run; empty: not known
};

/// What is known of a session's client: of its process, and of how to recognise it when it connects again.
struct SessionClient {
  std::uint32_t pid = 0;  // as the client reports it; 0: not known
  std::array<std::uint8_t, 32> secret_hash{};
  std::string address;               // where it connected from, for people
  std::optional<std::uint32_t> uid;  // of a client on the manager's machine
  std::string process;               // os::process_identity(); empty: not known
};

/// Iterates over the elements of an Items operand.
class ItemsView {
 public:
  ItemsView(wire::Reader at, std::uint64_t count, bool references)
      : at_(at), left_(count), references_(references) {}
  std::uint64_t count() const { return left_; }
  std::size_t bytes() const { return at_.rest().size(); }
  /// A reader positioned at the next element.
  wire::Reader rest() const { return at_; }
  bool next(ValueView& item) {
    if (left_ == 0) return false;
    --left_;
    item.references = references_;
    return at_.value(item.bytes);
  }

 private:
  wire::Reader at_;
  std::uint64_t left_;
  bool references_;
};

/// Iterates over the keys and values of an Entries operand.
class EntriesView {
 public:
  EntriesView(wire::Reader at, std::uint64_t count, bool references) : flat_(at, count * 2, references) {}
  std::uint64_t count() const { return flat_.count() / 2; }
  std::size_t bytes() const { return flat_.bytes(); }
  bool next(ValueView& key, ValueView& value) { return flat_.next(key) && flat_.next(value); }

 private:
  ItemsView flat_;
};

/// One operation of one hosted type, for statistics and descriptions.
struct Operation {
  const Type* type;
  const ops::OpDescription* op;
};

/// The state that all call contexts of one engine share.
struct EngineState {
  EngineState(const Limits& limits, ServerInfo info, std::span<const Type* const> types)
      : server_info(std::move(info)), registry(limits, types) {}

  /// 0: not known.
  std::uint32_t pid_of(SessionId session) const {
    auto found = clients.find(session);
    return found == clients.end() ? 0 : found->second.pid;
  }
  /// A part of memory_bytes_max is for the replies that are kept, in addition to it.
  KeptLimits kept_limits() const {
    constexpr std::uint64_t part_for_replies = 16;
    const std::uint64_t most = registry.limits().memory_bytes_max;
    return {registry.limits().replies_kept_bytes_max,
            most == 0 ? ~std::uint64_t{0} : most / part_for_replies};
  }
  /// Keeps the reply to a request that waited.
  void keep(const Waiter& waiter, Code code, wire::Bytes payload);

  ServerInfo server_info;
  Registry registry;
  Waits waits;
  Holdings holdings;
  Tokens tokens;
  Deliveries deliveries;
  KeptReplies kept;
  std::map<SessionId, SessionClient> clients;
  SessionId next_session = 1;                // above all that were ever opened
  std::vector<Operation> operations;         // of all types
  std::vector<ObjectId> ready_objects;       // to be served at the end of the step
  std::vector<Ticket> new_waits;             // waits begun or moved in this step, to be checked for cycles
  std::vector<std::string> deadlocks_found;  // since they were last taken, for display
  wire::Buffer* arguments_memory =
      nullptr;                  // of this step's call, which a long value may take over; null: it may not
  LaneRequest sent_as;          // this step's call
  SharedBytes lent;             // that memory once a value has it: the arguments are used until the step ends
  wire::Buffer scratch;         // see CallContext::scratch()
  std::uint64_t now_ns = 0;     // as of the last input that carried the time
  bool uses_others = false;     // whether a step has had to do with another object than that of its call
  std::uint64_t looked_at = 0;  // elements in this step, those worked on multiplied by their cost
};

class CallContext {
 public:
  /// For a call; `operation` is its index in Engine::operations().
  CallContext(EngineState& state, Owner owner, std::uint16_t operation, wire::Buffer& reply)
      : state_(state), owner_(owner), operation_(operation), out_(reply) {}
  /// Nested in `outer`, with a reply of its own. Its request cannot be parked.
  CallContext(CallContext& outer, wire::Buffer& reply)
      : CallContext(outer.state_, outer.owner_, outer.operation_, reply) {
    may_park_ = false;
  }

  /// For one of several steps that run within `outer`. The step's result is appended to the outer reply,
  /// which has `reply_bytes` so far; the inverses of its changes are added to `undo` unless that is null. Its
  /// request cannot be parked.
  CallContext(CallContext& outer, Undo* undo, std::uint64_t reply_bytes)
      : CallContext(outer.state_, outer.owner_, outer.operation_, outer.out_.buffer()) {
    may_park_ = false;
    is_step_ = true;
    undo_ = undo;
    reply_bytes_before_ = reply_bytes;
  }

  [[gnu::always_inline]] ~CallContext() {}  // part of every step
  CallContext(const CallContext&) = delete;
  CallContext& operator=(const CallContext&) = delete;

  Registry& registry() { return state_.registry; }
  /// An object other than that of the call, which the outcome may depend on. Null: there is none.
  Object* find_other(ObjectId id) const {
    state_.uses_others = true;
    return state_.registry.find(id);
  }
  const Limits& limits() const { return state_.registry.limits(); }
  const ServerInfo& server_info() const { return state_.server_info; }
  Owner owner() const { return owner_; }
  SessionId session() const { return owner_.session; }
  std::uint32_t actor() const { return owner_.actor; }
  std::uint64_t now_ns() const { return state_.now_ns; }

  /// The reply. Values are written with write(), so that references in them are counted for the caller.
  wire::Writer& out() { return out_; }
  void write(ValueView value) {
    references_written_ |= value.references;
    out_.raw(value.bytes);
  }
  void write(wire::Reference reference) {
    references_written_ = true;
    out_.reference(reference);
  }
  /// The same for the last value of the reply: if it is long, it may be sent without being copied.
  [[gnu::always_inline]] void write_last(ValueView value) {
    if (value.shared != nullptr && may_share_) [[unlikely]]
      tail_ = SharedBytes(*value.shared);
    else write(value);
  }
  SharedBytes::Block* take_tail() { return tail_.detach(); }
  std::size_t tail_bytes() const { return tail_ ? tail_.bytes().size() : 0; }
  void may_share() { may_share_ = true; }
  bool references_written() const { return references_written_; }
  /// The reply holds references that were not written with write().
  void note_references() { references_written_ = true; }

  /// An empty buffer for a value in the making, the same each time.
  wire::Buffer& scratch() {
    state_.scratch.clear();
    state_.scratch.shrink(wire::Buffer::kept_bytes_max);
    return state_.scratch;
  }
  /// Returns a copy of `value` to keep in an object.
  Value keep(ValueView value) {
    if (value.bytes.size() >= shared_bytes_min) [[unlikely]]
      return keep_long(value);
    return Value(value, state_.registry);
  }
  Result<std::uint32_t> hash(ValueView key) const { return hash_key(key, server_info().hash_seed); }

  /// Checks that `bytes` more may be held; else resource_exhausted. For operations that grow by more than
  /// their arguments, which the engine itself checks for operations with Effect::writes.
  Result<void> room_for(std::uint64_t bytes) const {
    const std::uint64_t most = limits().memory_bytes_max;
    const std::uint64_t held = held_bytes();
    if (most == 0 || (bytes <= most && held <= most - bytes)) [[likely]]
      return {};
    return make_room_for(bytes);
  }
  /// Checks the length of a reply. The engine checks every reply; a handler that checks first never builds a
  /// reply too large, and an operation that would lose what it cannot send leaves everything unchanged.
  Result<void> reply_fits(std::uint64_t bytes) const {
    if (bytes + reply_bytes_before_ <= limits().outbox_bytes_max) [[likely]]
      return {};
    return reply_too_long(bytes + reply_bytes_before_);
  }
  /// Accounts for elements that this step is about to insert, copy or sort. resource_exhausted if these would be
  /// more than step_elements_max, together with those of the step before: then nothing may be changed.
  Result<void> work_on(std::uint64_t elements) { return account(elements, looks_per_work); }
  /// The same for elements that are only compared, read or moved, which takes about a 16th of the time.
  Result<void> look_at(std::uint64_t elements) { return account(elements, 1); }
  /// The same for values whose bytes are read: one look for every 64 of them, but at least one.
  static std::uint64_t looks_for(std::uint64_t bytes) { return 1 + bytes / 64; }
  /// semantics' add(), but resource_exhausted if the result would be longer than a value can be.
  Result<void> add(ValueView a, ValueView b, wire::Buffer& out) const;

  // Waiting. An operation with Effect::waits that cannot be carried out yet parks its request if it may; the
  // reply follows from answer() or refuse(). Time limits are in microseconds; none: no limit.

  /// Whether a request with this time limit may wait: not with limit 0, nor within a batch or a transaction.
  /// Nor if there is no room: then the handler's result is replaced by the error. A handler that changes
  /// something before it asks must call room_to_wait() first.
  bool may_wait(std::optional<std::int64_t> limit_us) {
    if (!would_wait(limit_us)) return false;
    no_room_to_wait_ = !room_to_wait(limit_us);
    return !no_room_to_wait_;
  }
  /// Checks that there is memory for one more wait, if a request with this time limit may wait at all; else
  /// resource_exhausted. A part of memory_bytes_max is kept for waits: stored values do not keep others from
  /// waiting.
  Result<void> room_to_wait(std::optional<std::int64_t> limit_us) const;
  /// Whether may_wait() has refused a request that would have waited.
  bool no_room_to_wait() const { return no_room_to_wait_; }
  /// Parks this request at the end of `queue`, a wait queue of `object`. The handler's own result is
  /// discarded.
  Waiter& park(WaitQueue& queue, Object& object, std::optional<std::int64_t> limit_us);
  /// The waiter that park() made; null before.
  Waiter* parked() { return parked_; }
  /// Answers a parked request: `write(CallContext&)` writes its result, as a handler would. Destroys the
  /// waiter.
  template <class F>
  void answer(Waiter& waiter, F&& write) {
    wire::Buffer& buffer = state_.deliveries.buffer();
    const std::size_t begin = buffer.size();
    CallContext reply(state_, waiter.owner, waiter.operation, buffer);
    write(reply);
    end_answer(waiter, reply, begin);
  }
  void refuse(Waiter& waiter, const Failure& failure);
  /// Moves a waiter to the end of another wait queue, where it continues to wait.
  void move(Waiter& waiter, WaitQueue& queue, Object& object) {
    state_.waits.move(waiter, queue, object);
    state_.new_waits.push_back(waiter.ticket);
  }
  /// `waiter` stops waiting, for this reason. It may go on to wait for something else (a condition's lock).
  void end_wait(Waiter& waiter, WaitEnd why);
  void set_no_deadline(Waiter& waiter) { state_.waits.set_deadline(waiter, never_ns); }
  /// Schedules object.serve() for the end of the step.
  void schedule_serve(const Object& object) { state_.ready_objects.push_back(object.id()); }
  Waits& waits() { return state_.waits; }

  // Versions. The engine itself calls changed() for the object of every `writes` or `frees` operation that
  // succeeds.

  /// The contents of `object` have changed: increments its version and has its watchers answered at the end
  /// of the step. To be called by operations with Effect::waits and by serve(), on_wait_ended() and
  /// owners_ended().
  void changed(Object& object) {
    ++object.version_;
    if (!object.watchers_.empty()) schedule_serve(object);
  }
  /// This operation has changed nothing.
  void unchanged() { unchanged_ = true; }
  bool is_unchanged() const { return unchanged_; }
  /// Parks this request until the version of `object` changes. The result is the new version, or the
  /// unchanged one on timeout or cancellation.
  void watch(Object& object, std::optional<std::int64_t> limit_us) {
    park(object.watchers_, object, limit_us).amount = object.version_;
  }

  // Undo. Types with `can_undo` add the inverse of each of their changes to undo().

  /// Null if the changes of this operation are never rolled back.
  Undo* undo() const { return undo_; }
  /// Makes a rollback restore the version and the accounted memory of an object that is about to be changed.
  void remember(Object& object, Undo& undo) {
    undo.add(0, [&object, &registry = state_.registry, version = object.version_] {
      object.version_ = version;
      registry.account(object);
    });
  }
  /// Whether this is one of several steps.
  bool is_step() const { return is_step_; }
  std::size_t ready_count() const { return state_.ready_objects.size(); }
  /// Keeps only the first `count` ready objects.
  void truncate_ready(std::size_t count) { state_.ready_objects.resize(count); }

  // Ownership, by a thread or by a session (Holdings). When an owner ends, every object of which it owns a part is
  // notified (Object::owners_ended).
  template <class OwnerOrSession>
  void own(const Object& object, const OwnerOrSession& owner, std::uint64_t count = 1) {
    state_.holdings.add(owner, object.id(), count);
  }
  template <class OwnerOrSession>
  void disown(const Object& object, const OwnerOrSession& owner, std::uint64_t count = 1) {
    state_.holdings.remove(owner, object.id(), count);
  }
  /// Ends the waits of these threads and releases what they own.
  void end_owners(const EndedOwners& owners);
  Tokens& tokens() { return state_.tokens; }
  /// Read access to the whole state.
  const EngineState& state() const { return state_; }
  /// 0: not known.
  std::uint32_t pid_of(SessionId session) const { return state_.pid_of(session); }

  Result<ItemsView> items_of(ValueView operand);
  Result<EntriesView> entries_of(ValueView operand);

 private:
  bool would_wait(std::optional<std::int64_t> limit_us) const {
    return may_park_ && (!limit_us || *limit_us > 0);
  }
  static constexpr std::uint64_t looks_per_work = 16;
  Result<void> account(std::uint64_t elements, std::uint64_t looks_each);
  std::uint64_t held_bytes() const {
    return state_.registry.memory_bytes() + (undo_ == nullptr ? 0 : undo_->bytes());
  }
  Result<void> make_room_for(std::uint64_t bytes) const;
  Result<void> reply_too_long(std::uint64_t bytes) const;
  wire::Buffer& new_copy();
  Result<const Object*> operand_object(ValueView operand) const;

  void end_answer(Waiter& waiter, const CallContext& reply, std::size_t begin);
  Value keep_long(ValueView value);

  EngineState& state_;
  const Owner owner_;
  const std::uint16_t operation_;
  wire::Writer out_;
  bool references_written_ = false;
  bool may_park_ = true;
  bool unchanged_ = false;
  bool is_step_ = false;
  bool no_room_to_wait_ = false;
  bool may_share_ = false;
  SharedBytes tail_;
  Undo* undo_ = nullptr;
  std::uint64_t reply_bytes_before_ = 0;
  Waiter* parked_ = nullptr;
  // Contents of operand objects: an object may be its own operand. Null: none yet.
  std::unique_ptr<std::forward_list<wire::Buffer>> copies_;
};

/// The failure of an operation on `object`; its text begins with the object's type and name, if it has one. That
/// of a deadlock names all objects itself.
Failure failure_on(const Object& object, Failure failure);

}  // namespace tandem::server
