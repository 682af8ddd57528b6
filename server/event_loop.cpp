#include "server/event_loop.hpp"

#include <sched.h>

#include "client/os/spin.hpp"

namespace tandem::server {
namespace {

using Clock = os::BusyPoll::Clock;

// Rounds over the polled channels after which sockets and timers are checked: rounds that found work, and
// idle ones.
constexpr unsigned busy_rounds_max = 32;
constexpr unsigned idle_rounds_max = 64;

/// Yields the processor between polls. Returns true if handlers have run.
bool poll_busily(asio::io_context& io, Clock::time_point until) {
  do {
    ::sched_yield();
    if (io.poll() != 0 || io.stopped()) return true;
  } while (Clock::now() < until);
  return false;
}

/// Runs until no channel is polled any more. Idle rounds regularly yield the processor, which the clients may
/// need.
void serve_polled(asio::io_context& io, PolledChannels& polled) {
  unsigned busy_rounds = 0;
  unsigned idle_rounds = 0;
  while (!polled.empty() && !io.stopped()) {
    if (polled.look()) {
      idle_rounds = 0;
      if (++busy_rounds < busy_rounds_max) continue;
    } else {
      os::relax();
      if (++idle_rounds % idle_rounds_max != 0) continue;
      ::sched_yield();
    }
    busy_rounds = 0;
    io.poll();
    polled.stop_idle(Clock::now());
  }
}

}  // namespace

void run_event_loop(asio::io_context& io, PolledChannels& polled, std::chrono::microseconds busy_poll) {
  os::BusyPoll advice(busy_poll);
  while (!io.stopped()) {
    serve_polled(io, polled);
    if (io.poll() != 0) continue;
    if (io.stopped()) return;
    if (!polled.empty()) continue;
    const Clock::time_point idle_since = Clock::now();
    if (!advice.worthwhile() || !poll_busily(io, idle_since + advice.limit())) {
      // The wait measured here includes the handler that run_one() runs, which takes negligible time.
      io.run_one();
    }
    advice.waited(Clock::now() - idle_since);
  }
}

}  // namespace tandem::server
