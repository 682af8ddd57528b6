#include "server/objects/barrier.hpp"

namespace tandem::server {

Result<void> Barrier::on(Ops::Create, CallContext&, std::int64_t parties, Limit limit_us) {
  if (parties < 1) return Failure{Code::value_error, "a barrier has at least 1 party"};
  parties_ = static_cast<std::uint64_t>(parties);
  limit_us_ = limit_us;
  return {};
}

Result<Written> Barrier::on(Ops::Wait, CallContext& context, Limit limit_us) {
  if (is_broken()) return Failure{Code::broken_barrier, "the barrier is broken: " + broken_};
  const Limit limit = limit_us ? limit_us : limit_us_;
  if (wait_queue_.size() + 1 == parties_) {
    context.out().unsigned_integer(wait_queue_.size());
    for (std::uint64_t index = 0; !wait_queue_.empty(); ++index)
      context.answer(*wait_queue_.front(), [&](CallContext& reply) { reply.out().unsigned_integer(index); });
    return Written{};
  }
  if (context.may_wait(limit)) {
    context.park(wait_queue_, *this, limit);
    return Written{};
  }
  if (!limit || *limit > 0)  // the caller would wait, but must not here
    return Failure{Code::value_error, "a barrier cannot be waited for where nothing may wait"};
  break_down(context, "the time limit of one who waited ran out");
  return Failure{Code::broken_barrier, "the barrier is broken: " + broken_};
}

void Barrier::refuse_all(CallContext& context, const std::string& why) {
  while (!wait_queue_.empty()) context.refuse(*wait_queue_.front(), {Code::broken_barrier, why});
}

void Barrier::break_down(CallContext& context, const std::string& why) {
  if (!is_broken()) broken_ = why;
  refuse_all(context, "the barrier is broken: " + broken_);
}

Result<void> Barrier::on(Ops::Reset, CallContext& context) {
  broken_.clear();
  refuse_all(context, "the barrier was reset while it was waited at");
  return {};
}

Result<void> Barrier::on(Ops::Abort, CallContext& context) {
  break_down(context, "it was aborted");
  return {};
}

void Barrier::on_wait_ended(CallContext& context, Waiter& waiter, WaitEnd why) {
  switch (why) {
    case WaitEnd::timed_out: return break_down(context, "the time limit of one who waited ran out");
    case WaitEnd::cancelled: return break_down(context, "one who waited gave up");
    default: break;
  }
  const SessionId session = waiter.owner.session;
  std::string owner = "session " + std::to_string(session);
  if (std::uint32_t pid = context.pid_of(session); pid != 0)
    owner += ", process " + std::to_string(pid) + ",";
  WaitQueue::remove(waiter);  // it gets no reply
  break_down(context, owner + " ended while it waited");
}

void Barrier::save(StateWriter& out) const {
  out.number(parties_);
  out.maybe(limit_us_);
  out.text(broken_);
}

void Barrier::load(StateReader& in) {
  parties_ = in.number();
  limit_us_ = in.maybe_integer();
  broken_ = in.text();
}

std::optional<std::uint64_t> Barrier::visit_elements(std::uint64_t cursor,
                                                     const ElementVisitor& visit) const {
  wire::Buffer state;
  wire::Writer out(state);
  out.map(3);
  out.text("parties");
  out.unsigned_integer(parties_);
  out.text("waiting");
  out.unsigned_integer(wait_queue_.size());
  out.text("broken");
  out.text(broken_);
  if (cursor == 0) (void)visit({}, {state.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
