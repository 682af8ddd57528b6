#pragma once
// The hosted condition: the line of those who wait to be notified. Once they are, or give up, they move to the line of
// the condition's lock.

#include "server/objects/lock.hpp"
#include "tandem/ops/condition.hpp"

namespace tandem::server {

class Condition final : public Object {
 public:
  using Ops = ops::Condition;

  /// Null when it is gone.
  static Condition* find(Turn& turn, ObjectId id);

  Result<void> on(Ops::Create, Turn&, std::optional<ValueView> lock);
  Result<Written> on(Ops::Acquire, Turn&, std::optional<std::int64_t> limit_us);
  Result<void> on(Ops::Release, Turn&);
  Result<bool> on(Ops::Locked, Turn&);
  Result<Written> on(Ops::Grant, Turn&);
  Result<Written> on(Ops::Owners, Turn&);
  Result<Written> on(Ops::Wait, Turn&, std::optional<std::int64_t> limit_us);
  Result<std::int64_t> on(Ops::Notify, Turn&, std::optional<std::int64_t> n);
  Result<std::int64_t> on(Ops::NotifyAll, Turn&);

  /// Somebody was notified and did not live to see it.
  void pass_on(Turn& turn);
  void lock_is_going(Turn& turn);

  void leave(Turn&, Waiter&, Leaving) override;
  void going(Turn&) override;

  const Type& type() const override { return type_of<Condition>(); }
  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return lock_.heap_bytes(); }
  void save(wire::Writer& out) const override { out.raw(lock_.view().bytes); }
  std::optional<std::uint64_t> show(std::uint64_t cursor, const LookAt& look) const override;

 private:
  Result<OwnedLock*> lock(Turn& turn) const;
  std::int64_t notify(Turn& turn, OwnedLock& lock, std::uint64_t n, OwnedLock::Return how);

  Value lock_;  // a reference
  ObjectId lock_id_ = 0;
  Line line_;
};

}  // namespace tandem::server
