#include "server/objects/latch.hpp"

namespace tandem::server {

Result<void> Latch::on(Ops::Create, CallContext&, std::int64_t expected) {
  if (expected < 0) return Failure{Code::value_error, "a latch counts down from at least 0"};
  count_ = expected;
  return {};
}

Result<void> Latch::on(Ops::CountDown, CallContext& context, Number count) {
  const std::int64_t down = count.value_or(1);
  if (down < 0 || down > count_)
    return Failure{Code::value_error,
                   "count_down: by " + std::to_string(down) + ", from " + std::to_string(count_)};
  count_ -= down;
  if (count_ == 0) context.schedule_serve(*this);
  return {};
}

Result<Written> Latch::on(Ops::Wait, CallContext& context, Number limit_us) {
  if (count_ != 0 && context.may_wait(limit_us)) context.park(wait_queue_, *this, limit_us);
  else context.out().boolean(count_ == 0);
  return Written{};
}

Result<Written> Latch::on(Ops::ArriveAndWait, CallContext& context, Number count, Number limit_us) {
  if (Result<void> counted = on(Ops::CountDown{}, context, count); !counted)
    return std::move(counted.failure());
  return on(Ops::Wait{}, context, limit_us);
}

void Latch::serve(CallContext& context) {
  while (count_ == 0 && !wait_queue_.empty())
    context.answer(*wait_queue_.front(), [](CallContext& reply) { reply.out().boolean(true); });
}

void Latch::on_wait_ended(CallContext& context, Waiter& waiter, WaitEnd why) {
  if (why == WaitEnd::timed_out || why == WaitEnd::cancelled)
    context.answer(waiter, [](CallContext& reply) { reply.out().boolean(false); });
}

std::optional<std::uint64_t> Latch::visit_elements(std::uint64_t cursor, const ElementVisitor& visit) const {
  wire::Buffer count;
  wire::Writer(count).integer(count_);
  if (cursor == 0) (void)visit({}, {count.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
