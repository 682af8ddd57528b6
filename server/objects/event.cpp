#include "server/objects/event.hpp"

namespace tandem::server {

Result<void> Event::on(Ops::Set, CallContext& context) {
  if (set_) context.unchanged();
  set_ = true;
  context.schedule_serve(*this);
  return {};
}

Result<void> Event::on(Ops::Clear, CallContext& context) {
  if (!set_) context.unchanged();
  set_ = false;
  return {};
}

Result<Written> Event::on(Ops::Wait, CallContext& context, std::optional<std::int64_t> limit_us) {
  if (!set_ && context.may_wait(limit_us)) context.park(wait_queue_, *this, limit_us);
  else context.out().boolean(set_);
  return Written{};
}

void Event::serve(CallContext& context) {
  while (set_ && !wait_queue_.empty())
    context.answer(*wait_queue_.front(), [](CallContext& reply) { reply.out().boolean(true); });
}

void Event::on_wait_ended(CallContext& context, Waiter& waiter, WaitEnd why) {
  if (why == WaitEnd::timed_out || why == WaitEnd::cancelled)
    context.answer(waiter, [](CallContext& reply) { reply.out().boolean(false); });
}

std::optional<std::uint64_t> Event::visit_elements(std::uint64_t cursor, const ElementVisitor& visit) const {
  wire::Buffer state;
  wire::Writer(state).boolean(set_);
  if (cursor == 0) (void)visit({}, {state.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
