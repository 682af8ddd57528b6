#include "server/objects/lock.hpp"

#include "server/objects/condition.hpp"

namespace tandem::server {

// ---- operations -------------------------------------------------------------------------------------------

Result<Written> OwnedLock::acquire(CallContext& context, std::optional<std::int64_t> limit_us) {
  if (reentrant_ && ownership_.held_by(context.owner())) {
    ownership_.reenter();
    ownership_.write_grant(context.out());
  } else if (!ownership_.held() && wait_queue_.empty()) {
    ownership_.grant(context, *this, context.owner());
    ownership_.write_grant(context.out());
  } else if (context.may_wait(limit_us)) {
    context.park(wait_queue_, *this, limit_us);
  } else {
    write_no_grant(context.out());
  }
  return Written{};
}

Result<void> OwnedLock::release(CallContext& context) {
  if (Result<void> owned = check_owner(context, "released"); !owned) return owned;
  if (ownership_.release(context, *this) && !wait_queue_.empty()) context.schedule_serve(*this);
  return {};
}

Result<Written> OwnedLock::grant(CallContext& context) const {
  if (Result<void> owned = check_owner(context, "asked for its grant"); !owned)
    return std::move(owned.failure());
  ownership_.write_grant(context.out());
  return Written{};
}

Result<void> OwnedLock::check_owner(const CallContext& context, std::string_view what) const {
  if (ownership_.held_by(context.owner())) return {};
  return ownership_.not_owner(context, "a " + std::string(type().name), what);
}

// ---- waiting ----------------------------------------------------------------------------------------------

void OwnedLock::serve(CallContext& context) {
  if (ownership_.held() || wait_queue_.empty()) return;
  Waiter& first = *wait_queue_.front();
  const bool returns = first.origin != 0;
  ownership_.grant(context, *this, first.owner, returns ? first.amount : 1);
  context.answer(first, [&](CallContext& reply) {
    if (returns) write_reacquired(reply.out(), static_cast<Reacquire>(first.kind));
    else ownership_.write_grant(reply.out());
  });
}

void OwnedLock::on_wait_ended(CallContext& context, Waiter& waiter, WaitEnd why) {
  const bool gives_up = why == WaitEnd::timed_out || why == WaitEnd::cancelled;
  if (waiter.origin == 0) {
    if (gives_up) context.answer(waiter, [](CallContext& reply) { write_no_grant(reply.out()); });
  } else if (!gives_up && waiter.kind == notified) {
    // It can no longer act on the notification: another waiter gets it.
    if (Condition* condition = Condition::find(context, waiter.origin)) condition->pass_on(context);
  }
}

void OwnedLock::owners_ended(CallContext& context, const EndedOwners& owners) {
  if (ownership_.held_by_any(owners)) ownership_.orphan(context);
}

void OwnedLock::on_destroy(CallContext& context) {
  if (ownership_.held()) ownership_.end(context, *this);
  for (ObjectId id : conditions_)
    if (Condition* condition = Condition::find(context, id)) condition->on_lock_destroyed(context);
}

// ---- for conditions ---------------------------------------------------------------------------------------

void OwnedLock::add(const Condition& condition) {
  conditions_.push_back(condition.id());
}

void OwnedLock::forget(const Condition& condition) {
  std::erase(conditions_, condition.id());
}

std::uint64_t OwnedLock::release_wholly(CallContext& context) {
  const std::uint64_t depth = ownership_.depth();
  ownership_.end(context, *this);
  context.schedule_serve(*this);
  return depth;
}

void OwnedLock::park_for_reacquire(CallContext& context, ObjectId condition, std::uint64_t depth) {
  Waiter& waiter = context.park(wait_queue_, *this, std::nullopt);
  waiter.origin = condition;
  waiter.kind = wait_over;
  waiter.amount = depth;
}

void OwnedLock::move_to_reacquire(CallContext& context, Waiter& waiter, Reacquire reason) {
  waiter.kind = reason;
  context.set_no_deadline(waiter);
  context.move(waiter, wait_queue_, *this);
  if (!ownership_.held()) context.schedule_serve(*this);
}

void OwnedLock::write_reacquired(wire::Writer& out, Reacquire reason) const {
  out.array(3);
  out.boolean(reason != wait_over);
  out.unsigned_integer(ownership_.token());
  out.boolean(ownership_.previous_owner_died());
}

void OwnedLock::each_blocker(const Waiter&, const std::function<void(const Blocker&)>& visit) const {
  if (ownership_.held()) visit({ownership_.owner()});
}

// ---- state ------------------------------------------------------------------------------------------------

void OwnedLock::save(StateWriter& out) const {
  ownership_.save(out);
  out.number(conditions_.size());
  for (ObjectId id : conditions_) out.number(id);
}

void OwnedLock::load(StateReader& in) {
  ownership_.load(in);
  in.repeat([&] { conditions_.push_back(in.number()); });
}

// ---- inspection -------------------------------------------------------------------------------------------

std::optional<HoldingCursor> OwnedLock::visit_holdings(HoldingCursor cursor,
                                                       const HoldingVisitor& visit) const {
  if (cursor == HoldingCursor{} && ownership_.held()) (void)visit(ownership_.holding());
  return std::nullopt;
}

std::optional<std::uint64_t> OwnedLock::visit_elements(std::uint64_t cursor,
                                                       const ElementVisitor& visit) const {
  wire::Buffer state;
  wire::Writer(state).boolean(ownership_.held());
  if (cursor == 0) (void)visit({}, {state.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
