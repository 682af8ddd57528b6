#pragma once
// The hosted condition: a queue of waiters. A waiter that is notified, times out or is cancelled moves to the
// wait queue of the condition's lock.

#include "server/objects/lock.hpp"
#include "tandem/ops/condition.hpp"

namespace tandem::server {

class Condition final : public Object {
 public:
  using Ops = ops::Condition;

  /// Returns null if the condition no longer exists.
  static Condition* find(CallContext& context, ObjectId id);

  Result<void> on(Ops::Create, CallContext&, std::optional<ValueView> lock);
  Result<Written> on(Ops::Acquire, CallContext&, std::optional<std::int64_t> limit_us);
  Result<void> on(Ops::Release, CallContext&);
  Result<bool> on(Ops::Locked, CallContext&);
  Result<Written> on(Ops::Grant, CallContext&);
  Result<Written> on(Ops::Owners, CallContext&);
  Result<Written> on(Ops::Wait, CallContext&, std::optional<std::int64_t> limit_us);
  Result<std::int64_t> on(Ops::Notify, CallContext&, std::optional<std::int64_t> n);
  Result<std::int64_t> on(Ops::NotifyAll, CallContext&);

  /// Notifies the next waiter: a notified one ended before it reacquired the lock.
  void pass_on(CallContext& context);
  void on_lock_destroyed(CallContext& context);

  void on_wait_ended(CallContext&, Waiter&, WaitEnd) override;
  void on_destroy(CallContext&) override;

  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return lock_.heap_bytes(); }
  void save(StateWriter& out) const override { out.value(lock_); }
  void load(StateReader& in) override;
  void visit_queues(const std::function<void(WaitQueue&)>& visit) override { visit(wait_queue_); }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;

 private:
  Result<OwnedLock*> lock(CallContext& context) const;
  std::int64_t notify(CallContext& context, OwnedLock& lock, std::uint64_t n, OwnedLock::Reacquire reason);

  Value lock_;  // a reference
  ObjectId lock_id_ = 0;
  WaitQueue wait_queue_;
};

}  // namespace tandem::server
