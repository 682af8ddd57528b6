#include "client/transport/ring_stream.hpp"

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string>
#include <system_error>

#include "client/os/contention.hpp"
#include "client/os/signals.hpp"
#include "client/os/spin.hpp"

namespace tandem::client {
namespace {

// Polls, a few tens of nanoseconds each, before a waiter first yields its processor.
constexpr int looks_alone = 256;
// The same if other clients need the processor: long enough for a reply that the manager is working on.
constexpr int looks_crowded = 64;
// So many replies take the manager longer than another client takes to get the processor.
constexpr std::size_t burst_replies = 8;
// Polls between two readings of the clock.
constexpr int looks_per_reading = 16;
// Consecutive requests without a noticeable wait, after which this thread yields.
constexpr int sent_in_turn_max = 64;
// The most that is charged to our wait per yield: the cost of the yield itself.
constexpr std::chrono::microseconds turn_counted_max{1};
// How often a writer that waits for room checks on the manager: no bell signals the manager's end.
constexpr std::chrono::milliseconds room_look{100};

timespec to_timespec(std::chrono::milliseconds time) {
  return {static_cast<time_t>(time.count() / 1000), static_cast<long>(time.count() % 1000 * 1'000'000)};
}

[[noreturn]] void throw_broken() {
  throw StreamClosed("the manager broke the shared memory: its counts of bytes cannot be");
}

/// Waits until the socket is readable. Throws TimedOut after the deadline, StreamClosed if poll() fails.
void poll_readable(int socket, const os::Deadline& deadline) {
  pollfd wanted{socket, POLLIN, 0};
  while (true) {
    const auto left = deadline.remaining().count();
    const int ready =
        ::poll(&wanted, 1, left == 0 ? -1 : static_cast<int>(std::min<long long>(left, INT_MAX)));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) throw StreamClosed("the connection broke (" + os::errno_text() + ")");
  }
}

}  // namespace

std::unique_ptr<RingStream> RingStream::receive_from(SocketStream& socket, std::size_t ring_bytes,
                                                     std::chrono::microseconds busy_poll,
                                                     const os::Deadline& deadline) {
  std::uint8_t byte = 0;
  int descriptor = -1;
  while (!os::receive_descriptor(socket.descriptor(), byte, descriptor)) {
    if (errno == 0) throw StreamClosed("the manager closed the connection");
    if (errno != EAGAIN && errno != EINTR)
      throw StreamClosed("the connection broke (" + os::errno_text() + ")");
    poll_readable(socket.descriptor(), deadline);
  }
  if (byte != wire::ring_passed) throw StreamClosed("the manager sent something else than its shared memory");
  if (descriptor < 0) return nullptr;  // the kernel delivered none: we have reached our limit
  std::string unused;
  auto memory = os::SharedMemory::map(descriptor, wire::ring_file_bytes(ring_bytes), unused);
  if (!memory) return nullptr;
  return std::unique_ptr<RingStream>(
      new RingStream(socket.detach(), *std::move(memory), ring_bytes, busy_poll));
}

RingStream::RingStream(int socket, os::SharedMemory memory, std::size_t ring_bytes,
                       std::chrono::microseconds busy_poll)
    : socket_(socket),
      memory_(std::move(memory)),
      directions_(*reinterpret_cast<wire::RingDirections*>(memory_.data())),
      out_(directions_.to_server, memory_.data() + wire::ring_header_bytes, ring_bytes),
      in_(directions_.to_client, memory_.data() + wire::ring_header_bytes + ring_bytes, ring_bytes),
      busy_poll_(busy_poll) {}

RingStream::~RingStream() {
  if (socket_ >= 0) ::close(socket_);
}

void RingStream::shut_down() noexcept {
  shut_down_.store(true, std::memory_order_relaxed);
  if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
}

// The parent's socket and memory remain; the child's mapping is removed with this object.
void RingStream::abandon() noexcept {
  shut_down_.store(true, std::memory_order_relaxed);
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void RingStream::check_open() const {
  if (shut_down_.load(std::memory_order_relaxed)) [[unlikely]]
    throw StreamClosed("the connection is closed");
}

// If the manager has ended, the bell is lost; the thread that awaits a reply finds the stream closed.
void RingStream::ring_bell() noexcept {
  const std::uint8_t byte = 0;
  while (::send(socket_, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

// ---- busy waits ------------------------------------------------------------------------------------------

/// Whether others want the processors, as the manager has found.
bool RingStream::contended() const {
  return directions_.to_client.busy_channel_count.load(std::memory_order_relaxed) == 0;
}

/// Whether the manager polls at least as many channels as there are processors: other clients need this one.
bool RingStream::crowded() const {
  return directions_.to_client.busy_channel_count.load(std::memory_order_relaxed) >= os::processors_count();
}

/// Whether a request waits until something else happens.
bool RingStream::parked() const {
  return directions_.to_client.parked_count.load(std::memory_order_relaxed) != 0;
}

void RingStream::show_processor() const {
  directions_.to_server.writer_processor.store(static_cast<std::uint32_t>(::sched_getcpu() + 1),
                                               std::memory_order_relaxed);
}

/// Polls a few times without yielding: most replies arrive meanwhile.
template <class Ready>
bool RingStream::poll_briefly(const Ready& ready) const {
  const int crowded_looks = expected_replies_ < burst_replies ? looks_crowded : 1;
  for (int looks = crowded() ? crowded_looks : looks_alone; looks > 0; --looks) {
    if (ready()) return true;
    if (parked()) return false;
    os::relax();
  }
  return false;
}

/// Busy-waits up to the limit and yields between polls, to the manager or to other clients. Time used by
/// others is not charged; `waited` accumulates ours. Ends after a late yield: that was no client's turn.
template <class Ready>
bool RingStream::poll_on(const Ready& ready, os::BusyPoll::Clock::duration& waited) const {
  using Clock = os::BusyPoll::Clock;
  for (Clock::time_point since = Clock::now(); waited < busy_poll_.limit();) {
    ::sched_yield();
    show_processor();
    const Clock::time_point back = Clock::now();
    if (back - since >= os::late_yield) return ready();
    waited += std::min<Clock::duration>(back - since, turn_counted_max);
    for (int looks = crowded() ? 1 : looks_per_reading; looks > 0; --looks) {
      if (ready()) return true;
      os::relax();
    }
    since = Clock::now();
    waited += since - back;
  }
  return false;
}

// ---- sending ---------------------------------------------------------------------------------------------

std::size_t RingStream::send_now(wire::Bytes bytes) {
  check_open();
  show_processor();
  const std::size_t count = out_.write(bytes);
  if (count == wire::ring_broken) [[unlikely]]
    throw_broken();
  if (count != 0 && wire::sleeps(out_.shared().reader_sleeps)) ring_bell();
  const int sent = sent_in_turn_.load(std::memory_order_relaxed) + 1;
  sent_in_turn_.store(sent, std::memory_order_relaxed);
  if (sent >= sent_in_turn_max) yield();
  return count;
}

std::size_t RingStream::send(wire::Bytes bytes, std::chrono::milliseconds timeout) {
  std::size_t count = send_now(bytes);
  if (count != 0) [[likely]]
    return count;
  const os::Deadline deadline(timeout);
  while (true) {
    const auto ready = [this] { return out_.room() != 0; };
    os::BusyPoll::Clock::duration waited{0};
    if (contended() || (!poll_briefly(ready) && !poll_on(ready, waited))) sleep_for_room(deadline);
    count = send_now(bytes);
    if (count != 0) return count;
  }
}

void RingStream::sleep_for_room(const os::Deadline& deadline) {
  std::atomic<std::uint32_t>& word = out_.shared().writer_sleeps;
  word.store(1, std::memory_order_seq_cst);
  if (out_.room() != 0) return word.store(0, std::memory_order_relaxed);
  const auto left = deadline.remaining();
  const timespec time = to_timespec(left.count() == 0 ? room_look : std::min(left, room_look));
  ::syscall(SYS_futex, &word, FUTEX_WAIT, 1, &time, nullptr, 0);
  if (manager_is_gone()) throw StreamClosed("the manager closed the connection");
}

bool RingStream::manager_is_gone() const noexcept {
  pollfd wanted{socket_, POLLRDHUP, 0};
  return shut_down_.load(std::memory_order_relaxed) || ::poll(&wanted, 1, 0) > 0;
}

// ---- receiving -------------------------------------------------------------------------------------------

/// Yields to other clients that need this processor, which would get it only after a full time slice
/// otherwise.
void RingStream::yield() {
  sent_in_turn_.store(0, std::memory_order_relaxed);
  if (crowded()) ::sched_yield();
}

std::size_t RingStream::receive(std::uint8_t* at, std::size_t room, std::chrono::milliseconds timeout) {
  return receive_by([&] { return in_.read({at, room}); }, timeout);
}

std::size_t RingStream::receive_to(wire::ByteSink& to, std::size_t most, std::chrono::milliseconds timeout) {
  return receive_by([&] { return in_.take(most, [&to](wire::Bytes bytes) { to.append(bytes); }); }, timeout);
}

template <class Take>
std::size_t RingStream::receive_by(const Take& take, std::chrono::milliseconds timeout) {
  check_open();
  std::size_t count = take();
  if (count == 0) {
    await_bytes(timeout);
    count = take();
  }
  if (count == wire::ring_broken) [[unlikely]]
    throw_broken();
  if (wire::sleeps(in_.shared().writer_sleeps)) [[unlikely]]
    ring_bell();
  return count;
}

void RingStream::await_bytes(std::chrono::milliseconds timeout) {
  const auto ready = [this] { return in_.available() != 0; };
  const bool busily = busy_poll_.worthwhile() && !contended();
  if (busily && poll_briefly(ready)) return busy_poll_.waited(os::BusyPoll::Clock::duration{0});
  sent_in_turn_.store(0, std::memory_order_relaxed);
  os::BusyPoll::Clock::duration waited{0};
  bool is_there = false;
  if (busily) {
    in_.shared().reader_polls.store(1, std::memory_order_relaxed);
    is_there = poll_on(ready, waited);
    in_.shared().reader_polls.store(0, std::memory_order_relaxed);
  }
  if (!is_there) {
    const os::BusyPoll::Clock::time_point since = os::BusyPoll::Clock::now();
    const os::Deadline deadline(timeout);
    while (!ready()) sleep_for_bytes(deadline);
    if (contended()) return;  // says nothing about busy waits
    waited += os::BusyPoll::Clock::now() - since;
  }
  busy_poll_.waited(waited);
}

/// Sleeps until there may be bytes.
void RingStream::sleep_for_bytes(const os::Deadline& deadline) {
  if (ended_) throw StreamClosed("the manager closed the connection");
  std::atomic<std::uint32_t>& word = in_.shared().reader_sleeps;
  word.store(1, std::memory_order_seq_cst);
  if (in_.available() != 0) return word.store(0, std::memory_order_relaxed);
  poll_readable(socket_, deadline);
  std::uint8_t bells[64];
  const ssize_t heard = ::recv(socket_, bells, sizeof bells, MSG_DONTWAIT);
  // Bytes written before the socket was closed are still to be read.
  if (heard == 0 || (heard < 0 && errno != EAGAIN && errno != EINTR)) ended_ = true;
}

}  // namespace tandem::client
