#include "server/objects/event.hpp"

namespace tandem::server {

Result<void> Event::on(Ops::Set, Turn& turn) {
  if (set_) turn.unchanged();
  set_ = true;
  turn.serve_later(*this);
  return {};
}

Result<void> Event::on(Ops::Clear, Turn& turn) {
  if (!set_) turn.unchanged();
  set_ = false;
  return {};
}

Result<Written> Event::on(Ops::Wait, Turn& turn, std::optional<std::int64_t> limit_us) {
  if (!set_ && turn.may_wait(limit_us)) turn.park(line_, *this, limit_us);
  else turn.out().boolean(set_);
  return Written{};
}

void Event::serve(Turn& turn) {
  while (set_ && !line_.empty()) turn.answer(*line_.front(), [](Turn& its) { its.out().boolean(true); });
}

void Event::leave(Turn& turn, Waiter& waiter, Leaving why) {
  if (why == Leaving::timed_out || why == Leaving::cancelled)
    turn.answer(waiter, [](Turn& its) { its.out().boolean(false); });
}

std::optional<std::uint64_t> Event::show(std::uint64_t cursor, const LookAt& look) const {
  wire::Buffer state;
  wire::Writer(state).boolean(set_);
  if (cursor == 0) (void)look({}, {state.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
