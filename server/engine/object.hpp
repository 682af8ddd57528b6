#pragma once
// A hosted object, and the run-time description of its type.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/engine/waits.hpp"
#include "server/values/result.hpp"
#include "server/values/value.hpp"
#include "tandem/ops/op.hpp"

namespace tandem::server {

class Object;
class CallContext;
class StateReader;
class StateWriter;
struct Type;

/// Decodes the arguments, runs the handler and encodes the result into the context's reply.
using Invoke = Result<void> (*)(Object& object, CallContext& context, wire::Reader& arguments,
                                std::uint32_t argument_count);

/// One operation of a hosted type, as the engine calls it. Both pointers are null for an unused operation
/// number.
struct OpRow {
  const ops::OpDescription* op = nullptr;
  Invoke invoke = nullptr;
};

/// A hosted type at run time. Made by type_of<T>() in dispatch.hpp.
struct Type {
  std::string_view name;
  std::uint8_t number = 0;
  std::span<const OpRow> rows;                                  // by operation number
  bool can_undo = false;                                        // may take part in transactions
  std::unique_ptr<Object> (*make)(const Type& type) = nullptr;  // operation 0 initializes it
};

/// A part of an object that one thread of a session owns: a lock, permits, leased items.
struct Holding {
  Owner owner;
  std::string_view mode;    // "exclusive", "shared", "permits", "leased"
  ValueView key;            // of a keyed lock; empty: none
  std::uint64_t count = 1;  // depth of a re-entrant lock, permits, items
  std::uint64_t token = 0;  // 0: none
  std::uint64_t since_ns = 0;
};

/// A place among the holdings of one object; {} is before the first. What the numbers mean is up to the type.
struct HoldingCursor {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  friend bool operator==(const HoldingCursor&, const HoldingCursor&) = default;
};
/// For types that keep their holdings by owner.
inline HoldingCursor cursor_of(Owner owner) {
  return {owner.session, owner.actor};
}
inline Owner owner_at(HoldingCursor cursor) {
  return {cursor.first, static_cast<std::uint32_t>(cursor.second)};
}
/// Visits one holding. Returns whether to continue.
using HoldingVisitor = std::function<bool(const Holding&)>;

/// A thread that blocks a waiter.
struct Blocker {
  Owner owner;
  bool holds = true;  // false: it waits itself, ahead of the waiter
};

/// Visits one element of an object, with its key if the object is keyed(); both are valid during the call
/// only. Returns whether to continue.
using ElementVisitor = std::function<bool(ValueView key, ValueView element)>;

class Object {
 public:
  virtual ~Object() = default;

  /// Number of elements; 1 for a single value.
  virtual std::uint64_t size() const = 0;
  /// Memory held, without the Object itself; constant time.
  virtual std::uint64_t memory_bytes() const = 0;
  /// Writes the whole contents without the waiters, the same bytes for the same contents.
  virtual void save(StateWriter& out) const = 0;
  /// Reads what save() wrote, into an object that was just made. Other objects are there, but may not have their
  /// contents yet.
  virtual void load(StateReader& in) = 0;
  /// Visits the wait queues of the type's own, always in the same order.
  virtual void visit_queues(const std::function<void(WaitQueue&)>&) {}
  /// `waiter`, in one of these queues, was loaded.
  virtual void waiter_loaded(const Waiter&) {}
  /// Calls `visit` for the elements after `cursor` (0: from the start) until it returns false. Returns the
  /// cursor to continue from, none at the end. Nothing is copied, so the visitor decides how much is read.
  virtual std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                                      const ElementVisitor& visit) const = 0;
  /// The cursor after the first `offset` elements, if it is known without visiting them.
  virtual std::optional<std::uint64_t> cursor_at(std::uint64_t /*offset*/) const { return std::nullopt; }
  /// Whether elements have keys.
  virtual bool keyed() const { return false; }

  /// For use as an operand of another operation: appends the elements (of a dict: its keys) and sets their
  /// number. Returns false if the type has no items.
  virtual bool append_items(wire::Writer&, std::uint64_t& /*count*/) const { return false; }
  /// The same for keys and values.
  virtual bool append_entries(wire::Writer&, std::uint64_t& /*count*/) const { return false; }

  // For objects that requests wait for.

  /// Answers the waiters that can be served, oldest first (CallContext::answer). Called at the end of every
  /// step that scheduled it or ended one of its waits.
  virtual void serve(CallContext&) {}
  /// `waiter`, in one of the object's queues, stops waiting. On timed_out and cancelled: answer it with the
  /// operation's timeout result, or keep it waiting without a limit. Otherwise send no reply and undo partial
  /// grants; the caller removes it.
  virtual void on_wait_ended(CallContext&, Waiter& /*waiter*/, WaitEnd) {}
  /// The object is being destroyed. Its owners lose what they own; its waiters are then refused.
  virtual void on_destroy(CallContext&) {}
  /// Threads that owned a part of this (CallContext::own), or their session, have ended; their waits have already
  /// been removed.
  virtual void owners_ended(CallContext&, const EndedOwners&) {}

  // For objects that threads own: deadlock detection (deadlocks.hpp).

  /// Whether each_blocker() may visit anything. A thread visited with Blocker::holds owns a part of the object
  /// (CallContext::own).
  virtual bool has_blockers() const { return false; }
  /// Visits the threads that block `waiter`, which is in a queue of the type's own: every owner that must
  /// release first, and of the waiters ahead of it only as many as are needed to reach those owners in the
  /// wait-for graph.
  virtual void each_blocker(const Waiter&, const std::function<void(const Blocker&)>&) const {}
  /// Whether the wait must not be refused: it reacquires a lock that an earlier wait gave up.
  virtual bool must_be_served(const Waiter&) const { return false; }
  /// What it waits for, as text for display.
  virtual std::string describe_wait(const Waiter&) const;

  /// Visits what threads and sessions own of it, after `cursor`, until the visitor returns false or a few thousand elements
  /// were examined. Returns the cursor to continue from, none at the end.
  virtual std::optional<HoldingCursor> visit_holdings(HoldingCursor /*cursor*/, const HoldingVisitor&) const {
    return std::nullopt;
  }
  /// Visits all of them.
  template <class F>
  void each_holding(F&& f) const {
    std::optional<HoldingCursor> cursor = HoldingCursor{};
    while (cursor)
      cursor = visit_holdings(*cursor, [&](const Holding& holding) {
        f(holding);
        return true;
      });
  }

  const Type& type() const { return *type_; }
  ObjectId id() const { return id_; }
  const std::string& name() const { return name_; }
  bool named() const { return named_; }
  /// References held by sessions and containers.
  std::uint64_t references() const { return references_; }
  /// Whether `waiter` waits for a new version, not in a queue of the type's own.
  bool is_watched_by(const Waiter& waiter) const { return WaitQueue::of(waiter) == &watchers_; }
  /// Number of requests that wait for it.
  std::uint64_t waiters() const { return waiters_; }
  /// How often its contents have changed (CallContext::changed).
  std::uint64_t version() const { return version_; }

 private:
  friend class Engine;
  friend class Registry;
  friend class CallContext;
  friend class Waits;
  const Type* type_ = nullptr;
  ObjectId id_ = 0;
  std::string name_;
  bool named_ = false;
  std::uint64_t references_ = 0;
  std::uint64_t waiters_ = 0;
  std::uint64_t version_ = 0;
  WaitQueue watchers_;                 // requests that wait for a new version
  Waiter* first_waiter_ = nullptr;     // of all requests that wait for it, in no order
  std::uint64_t accounted_bytes_ = 0;  // its share of the registry's total
};

}  // namespace tandem::server
