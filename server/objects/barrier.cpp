#include "server/objects/barrier.hpp"

namespace tandem::server {

Result<void> Barrier::on(Ops::Create, Turn&, std::int64_t parties, Limit limit_us) {
  if (parties < 1) return Failure{Code::value_error, "a barrier has at least 1 party"};
  parties_ = static_cast<std::uint64_t>(parties);
  limit_us_ = limit_us;
  return {};
}

Result<Written> Barrier::on(Ops::Wait, Turn& turn, Limit limit_us) {
  if (is_broken()) return Failure{Code::broken_barrier, "the barrier is broken: " + broken_};
  const Limit limit = limit_us ? limit_us : limit_us_;
  if (line_.size() + 1 == parties_) {
    turn.out().unsigned_integer(line_.size());
    for (std::uint64_t index = 0; !line_.empty(); ++index)
      turn.answer(*line_.front(), [&](Turn& its) { its.out().unsigned_integer(index); });
    return Written{};
  }
  if (turn.may_wait(limit)) {
    turn.park(line_, *this, limit);
    return Written{};
  }
  if (!limit || *limit > 0)  // it would be willing, but must not
    return Failure{Code::value_error, "a barrier cannot be waited for where nothing may wait"};
  break_down(turn, "the time limit of one who waited ran out");
  return Failure{Code::broken_barrier, "the barrier is broken: " + broken_};
}

void Barrier::refuse_all(Turn& turn, const std::string& why) {
  while (!line_.empty()) turn.refuse(*line_.front(), {Code::broken_barrier, why});
}

void Barrier::break_down(Turn& turn, const std::string& why) {
  if (!is_broken()) broken_ = why;
  refuse_all(turn, "the barrier is broken: " + broken_);
}

Result<void> Barrier::on(Ops::Reset, Turn& turn) {
  broken_.clear();
  refuse_all(turn, "the barrier was reset while it was waited at");
  return {};
}

Result<void> Barrier::on(Ops::Abort, Turn& turn) {
  break_down(turn, "it was aborted");
  return {};
}

void Barrier::leave(Turn& turn, Waiter& waiter, Leaving why) {
  switch (why) {
    case Leaving::timed_out: return break_down(turn, "the time limit of one who waited ran out");
    case Leaving::cancelled: return break_down(turn, "one who waited gave up");
    default: break;
  }
  const SessionId session = waiter.who.session;
  std::string who = "session " + std::to_string(session);
  if (std::uint32_t pid = turn.pid_of(session); pid != 0) who += ", process " + std::to_string(pid) + ",";
  Line::remove(waiter);  // nobody is there to be told
  break_down(turn, who + " ended while it waited");
}

void Barrier::save(wire::Writer& out) const {
  out.array(3);
  out.unsigned_integer(parties_);
  if (limit_us_) out.integer(*limit_us_);
  else out.nil();
  out.text(broken_);
}

std::optional<std::uint64_t> Barrier::show(std::uint64_t cursor, const LookAt& look) const {
  wire::Buffer state;
  wire::Writer out(state);
  out.map(3);
  out.text("parties");
  out.unsigned_integer(parties_);
  out.text("waiting");
  out.unsigned_integer(line_.size());
  out.text("broken");
  out.text(broken_);
  if (cursor == 0) (void)look({}, {state.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
