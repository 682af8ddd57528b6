#include "server/objects/semaphore.hpp"

#include <algorithm>
#include <limits>

namespace tandem::server {

Result<void> Semaphore::on(Ops::Create, CallContext&, Number permits, std::optional<bool> bounded,
                           std::optional<bool> ownerless) {
  initial_ = free_ = permits.value_or(1);
  if (initial_ < 0) return Failure{Code::value_error, "a semaphore has at least 0 permits"};
  bounded_ = bounded.value_or(false);
  ownerless_ = ownerless.value_or(false);
  return {};
}

Result<Written> Semaphore::on(Ops::Acquire, CallContext& context, Number permits, Number limit_us) {
  const std::int64_t wanted = permits.value_or(1);
  if (wanted < 1) return Failure{Code::value_error, "acquire: at least 1 permit"};
  if (wanted > initial_ && !can_grow())
    return Failure{Code::value_error, "acquire: " + std::to_string(wanted) +
                                          " permits, of a semaphore with " + std::to_string(initial_) +
                                          ", would never be there"};
  const bool there = wanted <= free_ && wait_queue_.empty();
  if (there) {
    take(context, context.owner(), wanted);
    context.out().boolean(true);
  } else if (context.may_wait(limit_us)) {
    context.park(wait_queue_, *this, limit_us).amount = static_cast<std::uint64_t>(wanted);
  } else {
    context.out().boolean(false);
  }
  return Written{};
}

void Semaphore::take(CallContext& context, Owner owner, std::int64_t permits) {
  free_ -= permits;
  if (ownerless_) return;
  auto [at, fresh] = held_.try_emplace(owner, Permits{0, context.now_ns()});
  at->second.count += permits;
  context.own(*this, owner.session, static_cast<std::uint64_t>(permits));
}

std::int64_t Semaphore::held_by(SessionId session) const {
  std::int64_t sum = 0;
  for (auto at = held_.lower_bound({session, 0}); at != held_.end() && at->first.session == session; ++at)
    sum += at->second.count;
  return sum;
}

Result<void> Semaphore::on(Ops::Release, CallContext& context, Number permits) {
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
    const std::int64_t held = held_by(context.session());
    if (count > held)
      return Failure{Code::not_owner, "release: " + std::to_string(count) +
                                          " permits, of which this session holds " + std::to_string(held) +
                                          "; anybody may release those of an ownerless one"};
    give_back(context, count);
  }
  if (!wait_queue_.empty()) context.schedule_serve(*this);
  return {};
}

/// Releases permits of the calling thread first, then those of the session's other threads.
void Semaphore::give_back(CallContext& context, std::int64_t permits) {
  free_ += permits;
  context.disown(*this, context.session(), static_cast<std::uint64_t>(permits));
  auto own = held_.find(context.owner());
  while (permits != 0) {
    auto from = own != held_.end() ? own : held_.lower_bound({context.session(), 0});
    const std::int64_t here = std::min(permits, from->second.count);
    permits -= here;
    from->second.count -= here;
    if (from->second.count == 0) held_.erase(from);
    own = held_.end();
  }
}

void Semaphore::serve(CallContext& context) {
  while (!wait_queue_.empty()) {
    Waiter& first = *wait_queue_.front();
    if (first.amount > static_cast<std::uint64_t>(free_)) return;  // FIFO: large requests are not overtaken
    take(context, first.owner, static_cast<std::int64_t>(first.amount));
    context.answer(first, [](CallContext& reply) { reply.out().boolean(true); });
  }
}

void Semaphore::on_wait_ended(CallContext& context, Waiter& waiter, WaitEnd why) {
  if (why == WaitEnd::timed_out || why == WaitEnd::cancelled)
    context.answer(waiter, [](CallContext& reply) { reply.out().boolean(false); });
}

/// Permits are the session's: another of its threads may release those that an ended one acquired.
void Semaphore::owners_ended(CallContext&, const EndedOwners& owners) {
  if (!owners.is_whole_session()) return;
  for (auto at = held_.lower_bound(owners.first()); at != held_.end() && owners.includes(at->first);
       at = held_.erase(at))
    free_ += at->second.count;
}

void Semaphore::on_destroy(CallContext& context) {
  for (const auto& [owner, permits] : held_)
    context.disown(*this, owner.session, static_cast<std::uint64_t>(permits.count));
}

std::optional<HoldingCursor> Semaphore::visit_holdings(HoldingCursor cursor,
                                                       const HoldingVisitor& visit) const {
  for (auto at = held_.upper_bound(owner_at(cursor)); at != held_.end(); ++at) {
    const auto& [owner, permits] = *at;
    if (!visit({owner, "permits", {}, static_cast<std::uint64_t>(permits.count), 0, permits.since_ns}))
      return cursor_of(owner);
  }
  return std::nullopt;
}

void Semaphore::save(StateWriter& out) const {
  out.integer(initial_);
  out.integer(free_);
  out.boolean(bounded_);
  out.boolean(ownerless_);
  out.number(held_.size());
  for (const auto& [owner, permits] : held_) {
    out.owner(owner);
    out.integer(permits.count);
    out.number(permits.since_ns);
  }
}

void Semaphore::load(StateReader& in) {
  initial_ = in.integer();
  free_ = in.integer();
  bounded_ = in.boolean();
  ownerless_ = in.boolean();
  in.repeat([&] {
    Permits& permits = held_[in.owner()];
    permits.count = in.integer();
    permits.since_ns = in.number();
  });
}

std::optional<std::uint64_t> Semaphore::visit_elements(std::uint64_t cursor,
                                                       const ElementVisitor& visit) const {
  wire::Buffer free;
  wire::Writer(free).integer(free_);
  if (cursor == 0) (void)visit({}, {free.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
