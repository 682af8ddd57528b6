#include "server/objects/condition.hpp"

namespace tandem::server {
namespace {

OwnedLock* lock_in(Turn& turn, wire::Reference reference) {
  Object* found = turn.registry().find(reference.id);
  const bool is_lock = found != nullptr && (found->type().number == ops::Lock::number ||
                                            found->type().number == ops::RLock::number);
  return is_lock ? static_cast<OwnedLock*>(found) : nullptr;
}

Failure lock_gone() {
  return {Code::object_gone, "the condition's lock was removed"};
}

}  // namespace

Condition* Condition::find(Turn& turn, ObjectId id) {
  Object* found = turn.registry().find(id);
  return found != nullptr && found->type().number == Ops::number ? static_cast<Condition*>(found) : nullptr;
}

Result<OwnedLock*> Condition::lock(Turn& turn) const {
  Object* found = turn.registry().find(lock_id_);
  if (found == nullptr) return lock_gone();
  return static_cast<OwnedLock*>(found);
}

Result<void> Condition::on(Ops::Create, Turn& turn, std::optional<ValueView> given) {
  wire::Reference reference;
  OwnedLock* lock = nullptr;
  if (given) {
    if (given->reader().reference(reference)) lock = lock_in(turn, reference);
    if (lock == nullptr)
      return Failure{Code::type_error, "a condition is on a lock or an rlock, not on " + describe(*given)};
  } else {
    if (turn.registry().size() >= turn.limits().objects_max)
      return Failure{Code::resource_exhausted, "objects_max (" + std::to_string(turn.limits().objects_max) +
                                                   "): there is no room for the condition's lock"};
    lock = static_cast<OwnedLock*>(&turn.registry().adopt(std::make_unique<RLock>()));
    reference = {lock->type().number, lock->id()};
  }
  wire::Buffer encoded;
  wire::Writer(encoded).reference(reference);
  lock_ = turn.keep({encoded.view(), true});
  lock_id_ = lock->id();
  lock->add(*this);
  return {};
}

// ---- the lock's operations --------------------------------------------------------------------------------------------

Result<Written> Condition::on(Ops::Acquire, Turn& turn, std::optional<std::int64_t> limit_us) {
  Result<OwnedLock*> its = lock(turn);
  if (!its) return std::move(its.failure());
  return (*its)->acquire(turn, limit_us);
}

Result<void> Condition::on(Ops::Release, Turn& turn) {
  Result<OwnedLock*> its = lock(turn);
  if (!its) return std::move(its.failure());
  return (*its)->release(turn);
}

Result<bool> Condition::on(Ops::Locked, Turn& turn) {
  Result<OwnedLock*> its = lock(turn);
  if (!its) return std::move(its.failure());
  return (*its)->locked();
}

Result<Written> Condition::on(Ops::Grant, Turn& turn) {
  Result<OwnedLock*> its = lock(turn);
  if (!its) return std::move(its.failure());
  return (*its)->grant(turn);
}

Result<Written> Condition::on(Ops::Owners, Turn& turn) {
  Result<OwnedLock*> its = lock(turn);
  if (!its) return std::move(its.failure());
  write_owners(turn, **its);
  return Written{};
}

// ---- its own ----------------------------------------------------------------------------------------------------------

Result<Written> Condition::on(Ops::Wait, Turn& turn, std::optional<std::int64_t> limit_us) {
  Result<OwnedLock*> its = lock(turn);
  if (!its) return std::move(its.failure());
  OwnedLock& lock = **its;
  if (Result<void> owned = lock.check_owner(turn, "waited with"); !owned) return std::move(owned.failure());
  if (turn.may_wait(limit_us)) {
    const std::uint64_t depth = lock.release_wholly(turn);
    Waiter& waiter = turn.park(line_, *this, limit_us);
    waiter.origin = id();
    waiter.amount = depth;
  } else if (lock.has_waiters() && turn.may_wait(std::nullopt)) {
    // Who polls lets others in between, as if it had waited.
    const std::uint64_t depth = lock.release_wholly(turn);
    lock.park_to_return(turn, id(), depth);
  } else {
    lock.write_returned(turn.out(), OwnedLock::gave_up);
  }
  return Written{};
}

Result<std::int64_t> Condition::on(Ops::Notify, Turn& turn, std::optional<std::int64_t> n) {
  Result<OwnedLock*> its = lock(turn);
  if (!its) return std::move(its.failure());
  if (Result<void> owned = (*its)->check_owner(turn, "notified with"); !owned)
    return std::move(owned.failure());
  const std::int64_t most = n.value_or(1);
  if (most < 0)
    return Failure{Code::value_error, "notify: n is " + std::to_string(most) + ", and at least 0"};
  return notify(turn, **its, static_cast<std::uint64_t>(most), OwnedLock::notified);
}

Result<std::int64_t> Condition::on(Ops::NotifyAll, Turn& turn) {
  Result<OwnedLock*> its = lock(turn);
  if (!its) return std::move(its.failure());
  if (Result<void> owned = (*its)->check_owner(turn, "notified with"); !owned)
    return std::move(owned.failure());
  return notify(turn, **its, line_.size(), OwnedLock::notified_with_all);
}

std::int64_t Condition::notify(Turn& turn, OwnedLock& lock, std::uint64_t n, OwnedLock::Return how) {
  std::int64_t count = 0;
  for (; n != 0 && !line_.empty(); --n, ++count) lock.move_to_return(turn, *line_.front(), how);
  return count;
}

void Condition::pass_on(Turn& turn) {
  if (Result<OwnedLock*> its = lock(turn)) notify(turn, **its, 1, OwnedLock::notified);
}

void Condition::leave(Turn& turn, Waiter& waiter, Leaving why) {
  if (why != Leaving::timed_out && why != Leaving::cancelled) return;
  if (Result<OwnedLock*> its = lock(turn)) (*its)->move_to_return(turn, waiter, OwnedLock::gave_up);
  else turn.refuse(waiter, its.failure());
}

void Condition::lock_is_going(Turn& turn) {
  while (!line_.empty()) turn.refuse(*line_.front(), lock_gone());
}

void Condition::going(Turn& turn) {
  if (Result<OwnedLock*> its = lock(turn)) (*its)->forget(*this);
}

std::optional<std::uint64_t> Condition::show(std::uint64_t cursor, const LookAt& look) const {
  if (cursor == 0) (void)look({}, lock_);
  return std::nullopt;
}

}  // namespace tandem::server
