#pragma once
// A hosted object, and what the engine knows of its type.

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
struct Type;

/// Decodes the arguments, runs the handler, encodes the result into the turn's reply.
using Invoke = Result<void> (*)(Object& object, CallContext& context, wire::Reader& arguments,
                                std::uint32_t argument_count);

/// One operation of a hosted type, as the engine calls it. `invoke` is null for a number nobody has.
struct OpRow {
  const ops::OpDescription* op = nullptr;
  Invoke invoke = nullptr;
};

/// A hosted type at run time. Made by type_of<T>() in dispatch.hpp.
struct Type {
  std::string_view name;
  std::uint8_t number = 0;
  std::span<const OpRow> rows;                                  // by operation number
  bool can_undo = false;                                        // it takes part in transactions
  std::unique_ptr<Object> (*make)(const Type& type) = nullptr;  // operation 0 fills it
};

/// A part of an object that one thread of a session owns: a lock, permits, leased items.
struct Holding {
  Owner who;
  std::string_view how;     // "exclusive", "shared", "permits", "leased"
  ValueView key;            // of a keyed lock; empty: none
  std::uint64_t count = 1;  // depth of a re-entrant lock, permits, items
  std::uint64_t token = 0;  // 0: none
  std::uint64_t since_ns = 0;
};

/// Whom a waiter waits for.
struct Blocker {
  Owner who;
  bool holds = true;  // false: waits too, and comes first
};

/// Looks at one element of an object, at the key of a keyed() one too; both are good during the call only. Gives whether
/// to go on.
using ElementVisitor = std::function<bool(ValueView key, ValueView element)>;

class Object {
 public:
  virtual ~Object() = default;

  virtual const Type& type() const = 0;
  /// Elements held; 1 for a single value.
  virtual std::uint64_t size() const = 0;
  /// Memory held, without the Object itself; constant time.
  virtual std::uint64_t memory_bytes() const = 0;
  /// Appends the whole contents, the same bytes for the same contents: one MessagePack value.
  virtual void save(wire::Writer& out) const = 0;
  /// Shows `look` the elements behind `cursor` (0: from the start) until it gives false; gives the cursor to go on from,
  /// none at the end. Nothing is copied, so that whoever looks decides how much that is to be.
  virtual std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                                      const ElementVisitor& visit) const = 0;
  /// The cursor behind the first `offset` elements where it is known without counting them.
  virtual std::optional<std::uint64_t> cursor_at(std::uint64_t /*offset*/) const { return std::nullopt; }
  /// Whether elements have keys.
  virtual bool keyed() const { return false; }

  /// For use as an operand of another object's operation: appends the elements (of a dict: its keys) and gives their
  /// number; false where that has no meaning.
  virtual bool append_items(wire::Writer&, std::uint64_t& /*count*/) const { return false; }
  /// The same for keys and values.
  virtual bool append_entries(wire::Writer&, std::uint64_t& /*count*/) const { return false; }

  // Of objects that requests wait for.

  /// Answers whom it can, oldest first (CallContext::answer). Called after every step in which it was marked, or a waiter left.
  virtual void serve(CallContext&) {}
  /// `waiter`, in one of its lines, gives up. On `timed_out` and `cancelled` it is answered as the operation has it for
  /// a time limit that ran out, or else goes on waiting, then without a limit. On the others nobody is answered, and
  /// it is removed afterwards; what it had got so far is taken back.
  virtual void on_wait_ended(CallContext&, Waiter& /*waiter*/, WaitEnd) {}
  /// It was removed, or nobody holds it any more: who owns a part of it does no longer. Requests that wait for it are
  /// refused afterwards.
  virtual void on_destroy(CallContext&) {}
  /// A session that owned a part of this (CallContext::own) ended; its waiters have left already.
  virtual void session_ended(CallContext&, SessionId) {}

  // Of objects that threads own: for finding cycles of those who wait for each other (cycles.hpp).

  /// Shows whom `waiter`, in a line of the type's own, waits for: whoever has to give something back before it can be served. Of
  /// those who merely wait before it, only as many as lead on to all of these.
  virtual void each_blocker(const Waiter&, const std::function<void(const Blocker&)>&) const {}
  /// Whether its wait must not be refused: it comes from a wait that has given up something, and is to have it again.
  virtual bool must_be_served(const Waiter&) const { return false; }
  /// What it waits for, for people.
  virtual std::string describe_wait(const Waiter&) const;

  /// Shows what sessions own of it.
  virtual void each_holding(const std::function<void(const Holding&)>&) const {}

  ObjectId id() const { return id_; }
  const std::string& name() const { return name_; }
  bool named() const { return named_; }
  /// Held by sessions and by containers, together.
  std::uint64_t references() const { return references_; }
  /// Whether it waits for a change of the object, and not in a line of its type's own.
  bool is_watched_by(const Waiter& waiter) const { return WaitQueue::of(waiter) == &watchers_; }
  /// Requests that wait for it.
  std::uint64_t waiters() const { return waiters_; }
  /// How often its contents have changed (CallContext::changed).
  std::uint64_t version() const { return version_; }

 private:
  friend class Engine;
  friend class Registry;
  friend class CallContext;
  friend class Waits;
  ObjectId id_ = 0;
  std::string name_;
  bool named_ = false;
  std::uint64_t references_ = 0;
  std::uint64_t waiters_ = 0;
  std::uint64_t version_ = 0;
  WaitQueue watchers_;                 // who waits for the version to be another than it is
  std::uint64_t accounted_bytes_ = 0;  // what the registry's total has for this object
};

}  // namespace tandem::server
