#pragma once
// What a handler works with: who calls, the other objects, the reply. And the operands that come as several values.

#include <list>
#include <optional>

#include "server/engine/registry.hpp"
#include "server/structures/undo.hpp"

namespace tandem::server {

/// What the engine is told of its surroundings, as data: it reads no clock and asks no system.
struct ServerInfo {
  std::string version;
  std::string incarnation_hex;
  std::uint32_t pid = 0;
  std::int64_t started_ms = 0;   // Unix time
  std::uint64_t hash_seed = 0;   // secret, against crafted keys
  bool refuse_deadlocks = true;  // refuses waits that would never end; else only reports them
};

/// The elements of an Items operand, one after the other.
class ItemsView {
 public:
  ItemsView(wire::Reader at, std::uint64_t count, bool references)
      : at_(at), left_(count), references_(references) {}
  std::uint64_t count() const { return left_; }
  std::size_t bytes() const { return at_.rest().size(); }
  /// Stands before the elements that are left.
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

/// The keys and values of an Entries operand.
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

/// What all turns of one engine share.
struct EngineState {
  EngineState(const Limits& limits, ServerInfo info, std::span<const Type* const> types)
      : server_info(std::move(info)), registry(limits, types) {}

  /// 0: not known.
  std::uint32_t pid_of(SessionId session) const {
    auto found = pids.find(session);
    return found == pids.end() ? 0 : found->second;
  }

  ServerInfo server_info;
  Registry registry;
  Waits waits;
  Holdings holdings;
  Tokens tokens;
  Deliveries deliveries;
  std::map<SessionId, std::uint32_t> pids;   // of the clients, for people to read
  std::vector<Operation> operations;         // of all types
  std::vector<ObjectId> ready_objects;       // to be served at the end of the step
  std::vector<Ticket> moved;                 // who wait for something since then, to be looked at for cycles
  std::vector<std::string> deadlocks_found;  // since they were last taken, for people to read
  std::uint64_t now_ns = 0;                  // as of the last input that told the time
};

class CallContext {
 public:
  /// Of a call; `operation` is its index in Engine::operations().
  CallContext(EngineState& state, Owner who, std::uint16_t operation, wire::Buffer& reply)
      : world_(state), who_(who), operation_(operation), out_(reply) {}
  /// Within another one, with a reply of its own. Nothing waits in it.
  CallContext(CallContext& outer, wire::Buffer& reply)
      : CallContext(outer.world_, outer.who_, outer.operation_, reply) {
    may_park_ = false;
  }

  /// Of one step among several, within the turn of them all. Its result is appended to that one's reply, which has
  /// `reply_bytes` so far; what it changes goes to `undo`, if there is one. Nothing waits in it.
  CallContext(CallContext& outer, Undo* undo, std::uint64_t reply_bytes)
      : CallContext(outer.world_, outer.who_, outer.operation_, outer.out_.buffer()) {
    may_park_ = false;
    is_step_ = true;
    undo_ = undo;
    reply_bytes_before_ = reply_bytes;
  }

  Registry& registry() { return world_.registry; }
  const Limits& limits() const { return world_.registry.limits(); }
  const ServerInfo& server_info() const { return world_.server_info; }
  Owner who() const { return who_; }
  SessionId session() const { return who_.session; }
  std::uint32_t actor() const { return who_.actor; }
  std::uint64_t now_ns() const { return world_.now_ns; }

  /// The reply. Values go through write(), so that references in them are counted for the caller.
  wire::Writer& out() { return out_; }
  void write(ValueView value) {
    references_written_ |= value.references;
    out_.raw(value.bytes);
  }
  void write(wire::Reference reference) {
    references_written_ = true;
    out_.reference(reference);
  }
  bool references_written() const { return references_written_; }
  /// The reply holds references that went past write().
  void note_references() { references_written_ = true; }

  /// A copy of `value` to keep in an object.
  Value keep(ValueView value) { return Value(value, world_.registry); }
  Result<std::uint32_t> hash(ValueView key) const { return hash_of(key); }

  /// Whether `bytes` more may be held; resource_exhausted otherwise. For operations that grow by more than their
  /// arguments: the engine has already checked those.
  Result<void> room_for(std::uint64_t bytes) const;
  /// Whether a reply may be this long. The engine checks every reply; asked before, a large one is never built, and an
  /// operation that would lose what it cannot send leaves everything as it was.
  Result<void> reply_fits(std::uint64_t bytes) const;
  /// semantics' add(), refused where the result would be longer than a value can be.
  Result<void> add(ValueView a, ValueView b, wire::Buffer& out) const;

  // Waiting. An operation with Effect::waits that cannot be carried out now parks its request, if it may: the reply is
  // given later, by answer() or refuse(). Time limits are in microseconds; none: for ever.

  /// Whether a request with this time limit may wait at all: not with 0, nor within a batch or a transaction.
  bool may_wait(std::optional<std::int64_t> limit_us) const {
    return may_park_ && (!limit_us || *limit_us > 0);
  }
  /// Parks this request at the end of `line`, which is the object's. What the handler gives afterwards is not looked at.
  Waiter& park(WaitQueue& line, Object& object, std::optional<std::int64_t> limit_us);
  /// What became of park(), null before it.
  Waiter* parked() { return parked_; }
  /// Answers a request that has waited: `write(CallContext&)` writes its result, as a handler would. The waiter is gone.
  template <class F>
  void answer(Waiter& waiter, F&& write) {
    wire::Buffer& buffer = world_.deliveries.buffer();
    const std::size_t begin = buffer.size();
    CallContext its(world_, waiter.who, waiter.operation, buffer);
    write(its);
    end_answer(waiter, its, begin);
  }
  void refuse(Waiter& waiter, const Failure& failure);
  /// Moves a waiter to the end of another line, where it goes on waiting.
  void move(Waiter& waiter, WaitQueue& line, Object& object) {
    world_.waits.move(waiter, line, object);
    world_.moved.push_back(waiter.ticket);
  }
  void set_no_deadline(Waiter& waiter) { world_.waits.set_deadline(waiter, never_ns); }
  /// Has object.serve() called once this handler is through.
  void schedule_serve(const Object& object) { world_.ready_objects.push_back(object.id()); }
  Waits& waits() { return world_.waits; }

  // Versions. The engine itself calls changed() for the object of every `writes` or `frees` operation that succeeds.

  /// The contents of `object` have changed: its version is another, and who watches it is told once the step is through.
  /// For operations that wait, and for serve(), leave() and session_ended().
  void changed(Object& object) {
    ++object.version_;
    if (!object.watchers_.empty()) schedule_serve(object);
  }
  /// This operation found nothing to change.
  void unchanged() { unchanged_ = true; }
  bool is_unchanged() const { return unchanged_; }
  /// Parks this request until the version of `object` is another than now. Its result is the version then; the same one
  /// as now when it gives up.
  void watch(Object& object, std::optional<std::int64_t> limit_us) {
    park(object.watchers_, object, limit_us).amount = object.version_;
  }

  // Undoing. Types that say `can_undo` put the inverse of every change of theirs into undo().

  /// Null: nothing that is changed now will be undone.
  Undo* undo() const { return undo_; }
  /// Version and memory of an object that is about to be changed.
  void remember(Object& object, Undo& undo) {
    undo.add(0, [&object, &registry = world_.registry, version = object.version_] {
      object.version_ = version;
      registry.account(object);
    });
  }
  /// Whether this is one of several steps.
  bool is_step() const { return is_step_; }
  std::size_t marked_count() const { return world_.ready_objects.size(); }
  /// Forgets to serve those that were marked later.
  void unmark(std::size_t count) { world_.ready_objects.resize(count); }

  // Owning. A session's end is told to every object of which it owns something.
  void own(const Object& object, SessionId session, std::uint64_t count = 1) {
    world_.holdings.add(session, object.id(), count);
  }
  void disown(const Object& object, SessionId session, std::uint64_t count = 1) {
    world_.holdings.remove(session, object.id(), count);
  }
  Tokens& tokens() { return world_.tokens; }
  /// For looking at the whole.
  const EngineState& state() const { return world_; }
  /// 0: not known.
  std::uint32_t pid_of(SessionId session) const { return world_.pid_of(session); }

  Result<ItemsView> items_of(ValueView operand);
  Result<EntriesView> entries_of(ValueView operand);

 private:
  Result<std::uint32_t> hash_of(ValueView key) const;
  Result<const Object*> operand_object(ValueView operand) const;

  void end_answer(Waiter& waiter, const CallContext& its, std::size_t begin);

  EngineState& world_;
  const Owner who_;
  const std::uint16_t operation_;
  wire::Writer out_;
  bool references_written_ = false;
  bool may_park_ = true;
  bool unchanged_ = false;
  bool is_step_ = false;
  Undo* undo_ = nullptr;
  std::uint64_t reply_bytes_before_ = 0;
  Waiter* parked_ = nullptr;
  std::list<wire::Buffer> copies_;  // contents of objects used as operands: an object may be its own operand
};

}  // namespace tandem::server
