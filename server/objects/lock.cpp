#include "server/objects/lock.hpp"

namespace tandem::server {

Result<Written> OwnedLock::acquire(Turn& turn, std::optional<std::int64_t> limit_us) {
  if (reentrant_ && ownership_.held_by(turn.who())) {
    ownership_.deepen();
    ownership_.write_grant(turn.out());
  } else if (!ownership_.held()) {
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
  if (!ownership_.held_by(turn.who())) return not_owner(turn, "released");
  if (ownership_.release(turn, *this) && !line_.empty()) turn.serve_later(*this);
  return {};
}

Result<Written> OwnedLock::grant(Turn& turn) const {
  if (!ownership_.held_by(turn.who())) return not_owner(turn, "asked about");
  ownership_.write_grant(turn.out());
  return Written{};
}

Failure OwnedLock::not_owner(const Turn& turn, std::string_view what) const {
  std::string text = "a " + std::string(type().name) + " can be " + std::string(what) + " by its owner only: ";
  if (!ownership_.held()) return {Code::not_owner, text + "it is not held"};
  const Owner owner = ownership_.owner();
  text += "it is held by thread " + std::to_string(owner.actor) + " of ";
  text += owner.session == turn.session() ? "the same session" : "session " + std::to_string(owner.session);
  return {Code::not_owner, text};
}

void OwnedLock::serve(Turn& turn) {
  if (ownership_.held() || line_.empty()) return;
  Waiter& first = *line_.front();
  ownership_.grant(turn, *this, first.who);
  turn.answer(first, [this](Turn& its) { ownership_.write_grant(its.out()); });
}

void OwnedLock::leave(Turn& turn, Waiter& waiter, Leaving why) {
  if (why == Leaving::timed_out || why == Leaving::cancelled)
    turn.answer(waiter, [](Turn& its) { write_no_grant(its.out()); });
}

void OwnedLock::session_ended(Turn& turn, SessionId session) {
  if (ownership_.held_by_session(session)) ownership_.orphan(turn);
}

void OwnedLock::each_holding(const std::function<void(const Holding&)>& show) const {
  if (ownership_.held()) show(ownership_.holding("exclusive"));
}

std::optional<std::uint64_t> OwnedLock::show(std::uint64_t cursor, const LookAt& look) const {
  wire::Buffer state;
  wire::Writer(state).boolean(ownership_.held());
  if (cursor == 0) (void)look({}, {state.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
