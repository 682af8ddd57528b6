#pragma once
// The hosted lock, re-entrant or not: an owner and a wait queue. The queue also holds waiters of conditions
// on the lock that have to reacquire it.

#include "server/engine/dispatch.hpp"
#include "server/objects/ownership.hpp"
#include "tandem/ops/lock.hpp"
#include "tandem/ops/rlock.hpp"

namespace tandem::server {

class Condition;

/// The common part of both kinds.
class OwnedLock : public Object {
 public:
  // Operations of the lock, and of conditions on it.
  Result<Written> acquire(CallContext& context, std::optional<std::int64_t> limit_us);
  Result<void> release(CallContext& context);
  bool locked() const { return ownership_.held(); }
  Result<Written> grant(CallContext& context) const;
  /// Fails with not_owner unless the caller holds the lock.
  Result<void> check_owner(const CallContext& context, std::string_view what) const;

  // For conditions on the lock. In its wait queue their waiters have the condition as `origin`, the Reacquire
  // reason as `kind` and the depth to restore as `amount`.
  enum Reacquire : std::uint32_t { wait_over, notified, notified_with_all };
  void add(const Condition& condition);
  void forget(const Condition& condition);
  bool has_waiters() const { return !wait_queue_.empty(); }
  /// Releases all levels of the caller, which must own the lock; returns the depth.
  std::uint64_t release_wholly(CallContext& context);
  /// Parks the caller, which has just called release_wholly(), until it has the lock again.
  void park_for_reacquire(CallContext& context, ObjectId condition, std::uint64_t depth);
  void move_to_reacquire(CallContext& context, Waiter& waiter, Reacquire reason);
  void write_reacquired(wire::Writer& out, Reacquire reason) const;

  void serve(CallContext&) override;
  void on_wait_ended(CallContext&, Waiter&, WaitEnd) override;
  void owners_ended(CallContext&, const EndedOwners&) override;
  void on_destroy(CallContext&) override;
  bool has_blockers() const override { return true; }
  void each_blocker(const Waiter&, const std::function<void(const Blocker&)>&) const override;
  bool must_be_served(const Waiter& waiter) const override { return waiter.origin != 0; }
  std::optional<HoldingCursor> visit_holdings(HoldingCursor cursor,
                                              const HoldingVisitor& visit) const override;

  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return 0; }
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void visit_queues(const std::function<void(WaitQueue&)>& visit) override { visit(wait_queue_); }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;

 protected:
  explicit OwnedLock(bool reentrant) : reentrant_(reentrant) {}

 private:
  const bool reentrant_;
  Ownership ownership_;
  WaitQueue wait_queue_;
  std::vector<ObjectId> conditions_;
};

template <class Operations, bool reentrant>
class LockOf final : public OwnedLock {
 public:
  using Ops = Operations;

  LockOf() : OwnedLock(reentrant) {}

  Result<void> on(typename Ops::Create, CallContext&) { return {}; }
  Result<Written> on(typename Ops::Acquire, CallContext& context, std::optional<std::int64_t> limit_us) {
    return acquire(context, limit_us);
  }
  Result<void> on(typename Ops::Release, CallContext& context) { return release(context); }
  Result<bool> on(typename Ops::Locked, CallContext&) { return locked(); }
  Result<Written> on(typename Ops::Grant, CallContext& context) { return grant(context); }
  Result<Written> on(typename Ops::Owners, CallContext& context) {
    write_owners(context, *this);
    return Written{};
  }
};

using Lock = LockOf<ops::Lock, false>;
using RLock = LockOf<ops::RLock, true>;

}  // namespace tandem::server
