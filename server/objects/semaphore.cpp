#include "server/objects/semaphore.hpp"

#include <algorithm>
#include <limits>

namespace tandem::server {

Result<void> Semaphore::on(Ops::Create, Turn&, Number permits, std::optional<bool> bounded,
                           std::optional<bool> ownerless) {
  initial_ = free_ = permits.value_or(1);
  if (initial_ < 0) return Failure{Code::value_error, "a semaphore has at least 0 permits"};
  bounded_ = bounded.value_or(false);
  ownerless_ = ownerless.value_or(false);
  return {};
}

Result<Written> Semaphore::on(Ops::Acquire, Turn& turn, Number permits, Number limit_us) {
  const std::int64_t wanted = permits.value_or(1);
  if (wanted < 1) return Failure{Code::value_error, "acquire: at least 1 permit"};
  if (wanted > initial_ && !can_grow())
    return Failure{Code::value_error, "acquire: " + std::to_string(wanted) +
                                          " permits, of a semaphore with " + std::to_string(initial_) +
                                          ", would never be there"};
  const bool there = wanted <= free_ && line_.empty();
  if (there) {
    take(turn, turn.who(), wanted);
    turn.out().boolean(true);
  } else if (turn.may_wait(limit_us)) {
    turn.park(line_, *this, limit_us).amount = static_cast<std::uint64_t>(wanted);
  } else {
    turn.out().boolean(false);
  }
  return Written{};
}

void Semaphore::take(Turn& turn, Owner who, std::int64_t permits) {
  free_ -= permits;
  if (ownerless_) return;
  auto [at, fresh] = held_.try_emplace(who, Permits{0, turn.now_ns()});
  at->second.count += permits;
  turn.own(*this, who.session, static_cast<std::uint64_t>(permits));
}

std::int64_t Semaphore::held_by(SessionId session) const {
  std::int64_t sum = 0;
  for (auto at = held_.lower_bound({session, 0}); at != held_.end() && at->first.session == session; ++at)
    sum += at->second.count;
  return sum;
}

Result<void> Semaphore::on(Ops::Release, Turn& turn, Number permits) {
  const std::int64_t count = permits.value_or(1);
  if (count < 1) return Failure{Code::value_error, "release: at least 1 permit"};
  if (ownerless_) {
    const std::int64_t most = bounded_ ? initial_ : std::numeric_limits<std::int64_t>::max();
    if (count > most - free_)
      return Failure{bounded_ ? Code::value_error : Code::overflow,
                     "release: " + std::to_string(free_) + " permits and " + std::to_string(count) +
                         " more are over " + std::to_string(most)};
    free_ += count;
  } else {
    const std::int64_t held = held_by(turn.session());
    if (count > held)
      return Failure{Code::not_owner, "release: " + std::to_string(count) +
                                          " permits, of which this session holds " + std::to_string(held) +
                                          "; anybody may release those of an ownerless one"};
    give_back(turn, count);
  }
  if (!line_.empty()) turn.serve_later(*this);
  return {};
}

/// The calling thread's own first, then those of the session's other threads.
void Semaphore::give_back(Turn& turn, std::int64_t permits) {
  free_ += permits;
  turn.disown(*this, turn.session(), static_cast<std::uint64_t>(permits));
  auto own = held_.find(turn.who());
  while (permits != 0) {
    auto from = own != held_.end() ? own : held_.lower_bound({turn.session(), 0});
    const std::int64_t here = std::min(permits, from->second.count);
    permits -= here;
    from->second.count -= here;
    if (from->second.count == 0) held_.erase(from);
    own = held_.end();
  }
}

void Semaphore::serve(Turn& turn) {
  while (!line_.empty()) {
    Waiter& first = *line_.front();
    if (first.amount > static_cast<std::uint64_t>(free_)) return;  // nobody overtakes one who wants many
    take(turn, first.who, static_cast<std::int64_t>(first.amount));
    turn.answer(first, [](Turn& its) { its.out().boolean(true); });
  }
}

void Semaphore::leave(Turn& turn, Waiter& waiter, Leaving why) {
  if (why == Leaving::timed_out || why == Leaving::cancelled)
    turn.answer(waiter, [](Turn& its) { its.out().boolean(false); });
}

void Semaphore::session_ended(Turn&, SessionId session) {
  for (auto at = held_.lower_bound({session, 0}); at != held_.end() && at->first.session == session;
       at = held_.erase(at))
    free_ += at->second.count;
}

void Semaphore::going(Turn& turn) {
  for (const auto& [who, permits] : held_)
    turn.disown(*this, who.session, static_cast<std::uint64_t>(permits.count));
}

void Semaphore::each_holding(const std::function<void(const Holding&)>& look) const {
  for (const auto& [who, permits] : held_)
    look({who, "permits", {}, static_cast<std::uint64_t>(permits.count), 0, permits.since_ns});
}

void Semaphore::save(wire::Writer& out) const {
  out.array(5);
  out.integer(initial_);
  out.integer(free_);
  out.boolean(bounded_);
  out.boolean(ownerless_);
  out.array(held_.size());
  for (const auto& [who, permits] : held_) {
    out.array(3);
    out.unsigned_integer(who.session);
    out.unsigned_integer(who.actor);
    out.integer(permits.count);
  }
}

std::optional<std::uint64_t> Semaphore::show(std::uint64_t cursor, const LookAt& look) const {
  wire::Buffer free;
  wire::Writer(free).integer(free_);
  if (cursor == 0) (void)look({}, {free.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
