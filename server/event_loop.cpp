#include "server/event_loop.hpp"

#include <sched.h>

#include "client/busy_poll.hpp"

namespace tandem::server {
namespace {

/// Gives others the processor between looks; true when something was ready and has been run.
bool poll_busily(asio::io_context& io, client::BusyPoll::Clock::time_point until) {
  do {
    ::sched_yield();
    if (io.poll() != 0 || io.stopped()) return true;
  } while (client::BusyPoll::Clock::now() < until);
  return false;
}

}  // namespace

void run_event_loop(asio::io_context& io, std::chrono::microseconds busy_poll) {
  using Clock = client::BusyPoll::Clock;
  client::BusyPoll advice(busy_poll);
  while (!io.stopped()) {
    if (io.poll() != 0) continue;
    if (io.stopped()) return;
    const Clock::time_point idle_since = Clock::now();
    if (!advice.worthwhile() || !poll_busily(io, idle_since + advice.limit())) {
      // The wait ends when run_one() begins to run what came, which takes no time worth counting.
      io.run_one();
    }
    advice.waited(Clock::now() - idle_since);
  }
}

}  // namespace tandem::server
