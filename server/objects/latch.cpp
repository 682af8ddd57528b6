#include "server/objects/latch.hpp"

namespace tandem::server {

Result<void> Latch::on(Ops::Create, Turn&, std::int64_t expected) {
  if (expected < 0) return Failure{Code::value_error, "a latch counts down from at least 0"};
  count_ = expected;
  return {};
}

Result<void> Latch::on(Ops::CountDown, Turn& turn, Number count) {
  const std::int64_t down = count.value_or(1);
  if (down < 0 || down > count_)
    return Failure{Code::value_error,
                   "count_down: by " + std::to_string(down) + ", from " + std::to_string(count_)};
  count_ -= down;
  if (count_ == 0) turn.serve_later(*this);
  return {};
}

Result<Written> Latch::on(Ops::Wait, Turn& turn, Number limit_us) {
  if (count_ != 0 && turn.may_wait(limit_us)) turn.park(line_, *this, limit_us);
  else turn.out().boolean(count_ == 0);
  return Written{};
}

Result<Written> Latch::on(Ops::ArriveAndWait, Turn& turn, Number count, Number limit_us) {
  if (Result<void> counted = on(Ops::CountDown{}, turn, count); !counted) return std::move(counted.failure());
  return on(Ops::Wait{}, turn, limit_us);
}

void Latch::serve(Turn& turn) {
  while (count_ == 0 && !line_.empty())
    turn.answer(*line_.front(), [](Turn& its) { its.out().boolean(true); });
}

void Latch::leave(Turn& turn, Waiter& waiter, Leaving why) {
  if (why == Leaving::timed_out || why == Leaving::cancelled)
    turn.answer(waiter, [](Turn& its) { its.out().boolean(false); });
}

std::optional<std::uint64_t> Latch::show(std::uint64_t cursor, const LookAt& look) const {
  wire::Buffer count;
  wire::Writer(count).integer(count_);
  if (cursor == 0) (void)look({}, {count.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
