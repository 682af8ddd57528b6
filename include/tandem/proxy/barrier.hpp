#pragma once
// Barrier: a fixed number of threads, of any processes, that wait for each other.
//
//   Python (threading.Barrier)   here
//   Barrier(3), timeout=t        m.barrier(3), m.barrier(3, t)
//   b.wait()                     b.wait() → 0 … parties-1, the order of arrival     BrokenBarrierError
//   b.wait(timeout=t)            b.wait_for(t), b.wait_until(time)                  BrokenBarrierError
//   -                            b.wait(stop_token)
//   b.reset(), b.abort()         b.reset(), b.abort()
//   b.parties, b.n_waiting       b.parties(), b.n_waiting()
//   b.broken                     b.broken()
//   Barrier(3, action=f)         if (b.wait() == 0) f(); b.wait();

#include "tandem/call/wait.hpp"
#include "tandem/ops/barrier.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

/// When `parties` threads wait, all are released at once, and the barrier can be used again.
///
/// A waiter that gives up breaks the barrier, since the others would wait for ever: its time limit
/// expires, a stop is requested, or its process ends. abort() breaks it too. All waiters, including the one
/// that gave up, then get BrokenBarrierError, whose text states the reason; so do later callers, until
/// reset().
class Barrier : public Proxy {
 public:
  using Operations = ops::Barrier;
  static constexpr std::uint8_t type_number = Operations::number;

  Barrier() = default;
  using Proxy::Proxy;

  /// Returns the arrival index, from 0. The barrier's own time limit applies, if it has one.
  std::size_t wait(const std::stop_token& stop = {}) const { return wait_within(client::no_limit, stop); }
  std::size_t wait_for(For limit, const std::stop_token& stop = {}) const { return wait_within(limit, stop); }
  std::size_t wait_until(Until end, const std::stop_token& stop = {}) const { return wait_within(end, stop); }
  /// Restores the initial state. Present waiters get BrokenBarrierError.
  void reset() const { call<Operations::Reset>(); }
  void abort() const { call<Operations::Abort>(); }

  std::size_t parties() const { return call<Operations::Parties, std::size_t>(); }
  std::size_t n_waiting() const { return call<Operations::Waiting, std::size_t>(); }
  bool broken() const { return call<Operations::IsBroken, bool>(); }

 private:
  std::size_t wait_within(client::WaitLimit limit, const std::stop_token& stop) const {
    return call_and_wait<Operations::Wait, std::size_t>(limit, stop);
  }
};

}  // namespace tandem
