#include "server/event_loop.hpp"

#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "client/os/signals.hpp"
#include "client/os/spin.hpp"
#include "server/transport/watched_descriptor.hpp"

namespace tandem::server {
namespace {

using Clock = os::BusyPoll::Clock;

// Rounds over the polled channels after which sockets and timers are checked: rounds that found work, and
// idle ones.
constexpr unsigned busy_rounds_max = 32;
constexpr unsigned idle_rounds_max = 64;
// Idle rounds after which the processor is yielded although no client seems to need it.
constexpr unsigned yield_rounds_max = 16 * idle_rounds_max;

/// Lets other threads have the processor, and notes if they took it for long.
void yield(PolledChannels& polled) {
  const Clock::time_point since = Clock::now();
  ::sched_yield();
  polled.contention().yielded(since, Clock::now());
}

/// Yields the processor between polls. Returns true if handlers have run.
bool poll_busily(asio::io_context& io, PolledChannels& polled, Clock::time_point until) {
  do {
    yield(polled);
    if (io.poll() != 0 || io.stopped()) return true;
  } while (!polled.contended() && Clock::now() < until);
  return false;
}

/// Runs until no channel is polled any more. Idle rounds yield the processor to clients that ran on it and may go on;
/// with contention the first one ends the polling.
void serve_polled(asio::io_context& io, PolledChannels& polled, const std::function<void()>& end_round) {
  unsigned busy_rounds = 0;
  unsigned idle_rounds = 0;
  while (!polled.empty() && !io.stopped()) {
    if (polled.look()) {
      if (end_round) [[unlikely]]
        end_round();
      idle_rounds = 0;
      if (++busy_rounds < busy_rounds_max) continue;
    } else {
      os::relax();
      if (!polled.contended()) {
        const bool hand_over = polled.take_answered_wait();
        if (++idle_rounds % idle_rounds_max != 0 && !hand_over) continue;
        if (hand_over || idle_rounds % yield_rounds_max == 0 || polled.client_needs_processor())
          yield(polled);
      }
    }
    busy_rounds = 0;
    const Clock::time_point now = Clock::now();
    polled.look_at_processors(now);
    polled.stop_idle(now);
    if (!polled.empty() && io.poll() != 0 && end_round) [[unlikely]]
      end_round();
  }
}

/// What /proc says of an epoll set: the numbers of the descriptors that it watches.
struct EpollSet {
  std::vector<int> watched;
  bool has_probe = false;
};

/// Reads lines of the form "tfd: 5 events: 19 data: 5 pos:0 ino:1c2a sdev:8", in which the inode is hexadecimal.
EpollSet read_epoll_set(const std::filesystem::path& path, int probe, ino_t probe_inode) {
  EpollSet found;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    int number = -1;
    if (std::sscanf(line.c_str(), "tfd: %d", &number) != 1) continue;
    unsigned long long inode = 0;
    const std::size_t at = line.find("ino:");
    if (at != line.npos) (void)std::sscanf(line.c_str() + at, "ino:%llx", &inode);
    if (number == probe && inode == probe_inode) found.has_probe = true;
    else found.watched.push_back(number);
  }
  return found;
}

}  // namespace

std::vector<os::ClosedInChildren> close_in_children(asio::io_context& io) {
  os::UnsharedDescriptor socket =
      os::UnsharedDescriptor::open([] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); });
  if (!socket) throw std::system_error(errno, std::system_category(), "socket");
  const WatchedDescriptor probe(io, std::move(socket));
  struct stat status {};
  ::fstat(probe.get(), &status);

  std::vector<os::ClosedInChildren> closed;
  std::error_code none_left;
  for (std::filesystem::directory_iterator each("/proc/self/fdinfo", none_left), end;
       !none_left && each != end; each.increment(none_left)) {
    const EpollSet set = read_epoll_set(each->path(), probe.get(), status.st_ino);
    if (!set.has_probe) continue;
    closed.emplace_back(std::stoi(each->path().filename()));
    for (int number : set.watched) closed.emplace_back(number);
    break;
  }
  return closed;
}

void run_event_loop(asio::io_context& io, PolledChannels& polled, std::chrono::microseconds busy_poll,
                    const std::function<void()>& end_round) {
  os::BusyPoll advice(busy_poll);
  while (!io.stopped()) {
    if (end_round) end_round();
    serve_polled(io, polled, end_round);
    if (!polled.contended() && io.poll() != 0) continue;
    if (io.stopped()) return;
    if (!polled.empty()) continue;
    const Clock::time_point idle_since = Clock::now();
    polled.look_at_processors(idle_since);
    if (polled.contended() || !advice.worthwhile() || !poll_busily(io, polled, idle_since + advice.limit())) {
      // The wait measured here includes the handler that run_one() runs, which takes negligible time.
      io.run_one();
      // With a journal, all that is ready is to share a commit.
      if (end_round) io.poll();
    }
    if (!polled.contended()) advice.waited(Clock::now() - idle_since);
  }
}

}  // namespace tandem::server
