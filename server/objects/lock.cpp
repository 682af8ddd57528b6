#include "server/objects/lock.hpp"

#include "server/objects/condition.hpp"

namespace tandem::server {

// ---- its own operations -----------------------------------------------------------------------------------------------

Result<Written> OwnedLock::acquire(Turn& turn, std::optional<std::int64_t> limit_us) {
  if (reentrant_ && ownership_.held_by(turn.who())) {
    ownership_.deepen();
    ownership_.write_grant(turn.out());
  } else if (!ownership_.held() && line_.empty()) {
    ownership_.grant(turn, *this, turn.who());
    ownership_.write_grant(turn.out());
  } else if (turn.may_wait(limit_us)) {
    turn.park(line_, *this, limit_us);
  } else {
    write_no_grant(turn.out());
  }
  return Written{};
}

Result<void> OwnedLock::release(Turn& turn) {
  if (Result<void> owned = check_owner(turn, "released"); !owned) return owned;
  if (ownership_.release(turn, *this) && !line_.empty()) turn.serve_later(*this);
  return {};
}

Result<Written> OwnedLock::grant(Turn& turn) const {
  if (Result<void> owned = check_owner(turn, "asked for its grant"); !owned)
    return std::move(owned.failure());
  ownership_.write_grant(turn.out());
  return Written{};
}

Result<void> OwnedLock::check_owner(const Turn& turn, std::string_view what) const {
  if (ownership_.held_by(turn.who())) return {};
  return ownership_.not_owner(turn, "a " + std::string(type().name), what);
}

// ---- waiting ----------------------------------------------------------------------------------------------------------

void OwnedLock::serve(Turn& turn) {
  if (ownership_.held() || line_.empty()) return;
  Waiter& first = *line_.front();
  const bool returns = first.origin != 0;
  ownership_.grant(turn, *this, first.who, returns ? first.amount : 1);
  turn.answer(first, [&](Turn& its) {
    if (returns) write_returned(its.out(), static_cast<Return>(first.kind));
    else ownership_.write_grant(its.out());
  });
}

void OwnedLock::leave(Turn& turn, Waiter& waiter, Leaving why) {
  const bool gives_up = why == Leaving::timed_out || why == Leaving::cancelled;
  if (waiter.origin == 0) {
    if (gives_up) turn.answer(waiter, [](Turn& its) { write_no_grant(its.out()); });
  } else if (!gives_up && waiter.kind == notified) {
    // It can no longer do what it was notified for.
    if (Condition* condition = Condition::find(turn, waiter.origin)) condition->pass_on(turn);
  }
}

void OwnedLock::session_ended(Turn& turn, SessionId session) {
  if (ownership_.held_by_session(session)) ownership_.orphan(turn);
}

void OwnedLock::going(Turn& turn) {
  if (ownership_.held()) ownership_.end(turn, *this);
  for (ObjectId id : conditions_)
    if (Condition* condition = Condition::find(turn, id)) condition->lock_is_going(turn);
}

// ---- for conditions ---------------------------------------------------------------------------------------------------

void OwnedLock::add(const Condition& condition) {
  conditions_.push_back(condition.id());
}

void OwnedLock::forget(const Condition& condition) {
  std::erase(conditions_, condition.id());
}

std::uint64_t OwnedLock::release_wholly(Turn& turn) {
  const std::uint64_t depth = ownership_.depth();
  ownership_.end(turn, *this);
  turn.serve_later(*this);
  return depth;
}

void OwnedLock::park_to_return(Turn& turn, ObjectId condition, std::uint64_t depth) {
  Waiter& waiter = turn.park(line_, *this, std::nullopt);
  waiter.origin = condition;
  waiter.kind = gave_up;
  waiter.amount = depth;
}

void OwnedLock::move_to_return(Turn& turn, Waiter& waiter, Return how) {
  waiter.kind = how;
  turn.set_no_deadline(waiter);
  turn.move(waiter, line_, *this);
  if (!ownership_.held()) turn.serve_later(*this);
}

void OwnedLock::write_returned(wire::Writer& out, Return how) const {
  out.array(3);
  out.boolean(how != gave_up);
  out.unsigned_integer(ownership_.token());
  out.boolean(ownership_.previous_owner_died());
}

void OwnedLock::each_blocker(const Waiter&, const std::function<void(const Blocker&)>& show) const {
  if (ownership_.held()) show({ownership_.owner()});
}

// ---- for people -------------------------------------------------------------------------------------------------------

void OwnedLock::each_holding(const std::function<void(const Holding&)>& show) const {
  if (ownership_.held()) show(ownership_.holding());
}

std::optional<std::uint64_t> OwnedLock::show(std::uint64_t cursor, const LookAt& look) const {
  wire::Buffer state;
  wire::Writer(state).boolean(ownership_.held());
  if (cursor == 0) (void)look({}, {state.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
