#include "server/event_loop.hpp"

#include <sched.h>

#include "client/os/spin.hpp"

namespace tandem::server {
namespace {

using Clock = os::BusyPoll::Clock;

// Rounds over the hot channels after which sockets and timers are looked at: with work in them, and without.
constexpr unsigned busy_rounds_max = 32;
constexpr unsigned idle_rounds_max = 64;

/// Gives others the processor between looks; true when something was ready and has been run.
bool poll_busily(asio::io_context& io, Clock::time_point until) {
  do {
    ::sched_yield();
    if (io.poll() != 0 || io.stopped()) return true;
  } while (Clock::now() < until);
  return false;
}

/// Until no channel is hot any more. Where there are as many as processors, each idle round gives way to their clients.
void serve_hot(asio::io_context& io, PolledChannels& polled) {
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
    serve_hot(io, polled);
    if (io.poll() != 0) continue;
    if (io.stopped()) return;
    if (!polled.empty()) continue;
    const Clock::time_point idle_since = Clock::now();
    if (!advice.worthwhile() || !poll_busily(io, idle_since + advice.limit())) {
      // The wait ends when run_one() begins to run what came, which takes no time worth counting.
      io.run_one();
    }
    advice.waited(Clock::now() - idle_since);
  }
}

}  // namespace tandem::server
