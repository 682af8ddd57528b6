#pragma once
// Latch: a count that reaches 0 once; threads of any process wait for that.
//
//   std::latch                   here
//   latch l(3)                   m.latch(3)
//   l.count_down(), (n)          l.count_down(), l.count_down(n)    ValueError: below 0
//   l.try_wait()                 l.try_wait() → bool
//   l.wait()                     l.wait()
//   l.arrive_and_wait(), (n)     l.arrive_and_wait(), l.arrive_and_wait(n)
//   -                            l.wait_for(limit), l.wait_until(time), l.wait(stop_token) → bool
//   -                            l.count()

#include "tandem/call/wait.hpp"
#include "tandem/ops/latch.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

/// At 0 it stays open. It has no owners: if a process ends before it counts down, the others keep waiting, so
/// use a time limit, or a Barrier, where that can happen.
class Latch : public Proxy {
 public:
  using Operations = ops::Latch;
  static constexpr std::uint8_t type_number = Operations::number;

  Latch() = default;
  using Proxy::Proxy;

  /// Throws ValueError, and counts nothing, if the count would fall below 0.
  void count_down(client::AnyInteger count = 1) const { call<Operations::CountDown>(count); }
  bool try_wait() const { return wait_within(client::at_once); }
  void wait() const { wait_within(client::no_limit); }
  /// These return whether the count reached 0 within the limit and before a stop was requested.
  bool wait(const std::stop_token& stop) const { return wait_within(client::no_limit, stop); }
  bool wait_for(For limit, const std::stop_token& stop = {}) const { return wait_within(limit, stop); }
  bool wait_until(Until end, const std::stop_token& stop = {}) const { return wait_within(end, stop); }
  /// count_down(count), then wait; one round trip.
  void arrive_and_wait(client::AnyInteger count = 1) const { arrive_within(count, client::no_limit); }
  /// The same within a limit. The count stays reduced if the limit expires.
  bool arrive_and_wait_for(For limit, client::AnyInteger count = 1, const std::stop_token& stop = {}) const {
    return arrive_within(count, limit, stop);
  }
  std::int64_t count() const { return call<Operations::Count, std::int64_t>(); }

 private:
  bool wait_within(client::WaitLimit limit, const std::stop_token& stop = {}) const {
    return call_and_wait<Operations::Wait, bool>(limit, stop);
  }
  bool arrive_within(client::AnyInteger count, client::WaitLimit limit,
                     const std::stop_token& stop = {}) const {
    return call_and_wait<Operations::ArriveAndWait, bool>(limit, stop, count);
  }
};

}  // namespace tandem
