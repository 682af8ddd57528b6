#include "server/objects/condition.hpp"

namespace tandem::server {
namespace {

OwnedLock* lock_in(CallContext& context, wire::Reference reference) {
  Object* found = context.find_other(reference.id);
  const bool is_lock = found != nullptr && (found->type().number == ops::Lock::number ||
                                            found->type().number == ops::RLock::number);
  return is_lock ? static_cast<OwnedLock*>(found) : nullptr;
}

Failure lock_gone() {
  return {Code::object_gone, "the condition's lock was removed"};
}

}  // namespace

Condition* Condition::find(CallContext& context, ObjectId id) {
  Object* found = context.find_other(id);
  return found != nullptr && found->type().number == Ops::number ? static_cast<Condition*>(found) : nullptr;
}

Result<OwnedLock*> Condition::lock(CallContext& context) const {
  Object* found = context.find_other(lock_id_);
  if (found == nullptr) return lock_gone();
  return static_cast<OwnedLock*>(found);
}

void Condition::load(StateReader& in) {
  lock_ = in.value();
  wire::Reference reference;
  if (in.failed()) return;
  if (!lock_.view().reader().reference(reference)) return in.fail("a condition's lock is no reference");
  lock_id_ = reference.id;
}

Result<void> Condition::on(Ops::Create, CallContext& context, std::optional<ValueView> given) {
  wire::Reference reference;
  OwnedLock* lock = nullptr;
  if (given) {
    if (given->reader().reference(reference)) lock = lock_in(context, reference);
    if (lock == nullptr)
      return Failure{Code::type_error, "a condition is on a lock or an rlock, not on " + describe(*given)};
  } else {
    if (context.registry().size() >= context.limits().objects_max)
      return Failure{Code::resource_exhausted, "objects_max (" +
                                                   std::to_string(context.limits().objects_max) +
                                                   "): there is no room for the condition's lock"};
    lock = static_cast<OwnedLock*>(&context.registry().make(type_of<RLock>()));
    reference = {lock->type().number, lock->id()};
  }
  wire::Buffer encoded;
  wire::Writer(encoded).reference(reference);
  lock_ = context.keep({encoded.view(), true});
  lock_id_ = lock->id();
  lock->add(*this);
  return {};
}

// ---- the lock's operations --------------------------------------------------------------------------------

Result<Written> Condition::on(Ops::Acquire, CallContext& context, std::optional<std::int64_t> limit_us) {
  Result<OwnedLock*> found = lock(context);
  if (!found) return std::move(found.failure());
  return (*found)->acquire(context, limit_us);
}

Result<void> Condition::on(Ops::Release, CallContext& context) {
  Result<OwnedLock*> found = lock(context);
  if (!found) return std::move(found.failure());
  return (*found)->release(context);
}

Result<bool> Condition::on(Ops::Locked, CallContext& context) {
  Result<OwnedLock*> found = lock(context);
  if (!found) return std::move(found.failure());
  return (*found)->locked();
}

Result<Written> Condition::on(Ops::Grant, CallContext& context) {
  Result<OwnedLock*> found = lock(context);
  if (!found) return std::move(found.failure());
  return (*found)->grant(context);
}

Result<Written> Condition::on(Ops::Owners, CallContext& context) {
  Result<OwnedLock*> found = lock(context);
  if (!found) return std::move(found.failure());
  write_owners(context, **found);
  return Written{};
}

// ---- the condition's operations ---------------------------------------------------------------------------

Result<Written> Condition::on(Ops::Wait, CallContext& context, std::optional<std::int64_t> limit_us) {
  Result<OwnedLock*> found = lock(context);
  if (!found) return std::move(found.failure());
  OwnedLock& lock = **found;
  if (Result<void> owned = lock.check_owner(context, "waited with"); !owned)
    return std::move(owned.failure());
  if (context.may_wait(limit_us)) {
    const std::uint64_t depth = lock.release_wholly(context);
    Waiter& waiter = context.park(wait_queue_, *this, limit_us);
    waiter.origin = id();
    waiter.amount = depth;
  } else if (lock.has_waiters() && context.may_wait(std::nullopt)) {
    // A zero limit still yields the lock to the queued waiters, as a wait would.
    const std::uint64_t depth = lock.release_wholly(context);
    lock.park_for_reacquire(context, id(), depth);
  } else {
    lock.write_reacquired(context.out(), OwnedLock::wait_over);
  }
  return Written{};
}

Result<std::int64_t> Condition::on(Ops::Notify, CallContext& context, std::optional<std::int64_t> n) {
  Result<OwnedLock*> found = lock(context);
  if (!found) return std::move(found.failure());
  if (Result<void> owned = (*found)->check_owner(context, "notified with"); !owned)
    return std::move(owned.failure());
  const std::int64_t most = n.value_or(1);
  if (most < 0)
    return Failure{Code::value_error, "notify: n is " + std::to_string(most) + ", and at least 0"};
  return notify(context, **found, static_cast<std::uint64_t>(most), OwnedLock::notified);
}

Result<std::int64_t> Condition::on(Ops::NotifyAll, CallContext& context) {
  Result<OwnedLock*> found = lock(context);
  if (!found) return std::move(found.failure());
  if (Result<void> owned = (*found)->check_owner(context, "notified with"); !owned)
    return std::move(owned.failure());
  return notify(context, **found, wait_queue_.size(), OwnedLock::notified_with_all);
}

std::int64_t Condition::notify(CallContext& context, OwnedLock& lock, std::uint64_t n,
                               OwnedLock::Reacquire reason) {
  std::int64_t count = 0;
  for (; n != 0 && !wait_queue_.empty(); --n, ++count)
    lock.move_to_reacquire(context, *wait_queue_.front(), reason);
  return count;
}

void Condition::pass_on(CallContext& context) {
  if (Result<OwnedLock*> found = lock(context)) notify(context, **found, 1, OwnedLock::notified);
}

void Condition::on_wait_ended(CallContext& context, Waiter& waiter, WaitEnd why) {
  if (why != WaitEnd::timed_out && why != WaitEnd::cancelled) return;
  if (Result<OwnedLock*> found = lock(context))
    (*found)->move_to_reacquire(context, waiter, OwnedLock::wait_over);
  else context.refuse(waiter, found.failure());
}

void Condition::on_lock_destroyed(CallContext& context) {
  while (!wait_queue_.empty()) context.refuse(*wait_queue_.front(), lock_gone());
}

void Condition::on_destroy(CallContext& context) {
  if (Result<OwnedLock*> found = lock(context)) (*found)->forget(*this);
}

std::optional<std::uint64_t> Condition::visit_elements(std::uint64_t cursor,
                                                       const ElementVisitor& visit) const {
  if (cursor == 0) (void)visit({}, lock_);
  return std::nullopt;
}

}  // namespace tandem::server
