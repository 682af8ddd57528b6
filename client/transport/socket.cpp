#include "client/transport/socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "client/os/contention.hpp"
#include "client/os/signals.hpp"
#include "client/os/standard_descriptors.hpp"
#include "tandem/error.hpp"

namespace tandem::client {
namespace {

constexpr long long poll_ms_max = 1'000'000;  // poll() takes an int

[[noreturn]] void throw_closed(int error) {
  if (error == EPIPE || error == ECONNRESET) throw StreamClosed("the manager closed the connection");
  throw StreamClosed("the connection broke (" + os::errno_text(error) + ")");
}

void set_timeout(int descriptor, int option, std::chrono::milliseconds timeout) {
  timeval value{};
  value.tv_sec = static_cast<time_t>(timeout.count() / 1000);
  value.tv_usec = static_cast<suseconds_t>(timeout.count() % 1000 * 1000);
  setsockopt(descriptor, SOL_SOCKET, option, &value, sizeof value);
}

}  // namespace

SocketStream::~SocketStream() {
  if (descriptor_ >= 0) close(descriptor_);
}

void SocketStream::shut_down() noexcept {
  if (descriptor_ >= 0) shutdown(descriptor_, SHUT_RDWR);
}

// The parent's socket stays open: close() in a child drops only the child's descriptor, without a shutdown.
void SocketStream::abandon() noexcept {
  if (descriptor_ >= 0) close(descriptor_);
  descriptor_ = -1;
}

void SocketStream::limit_sends(std::chrono::milliseconds timeout) {
  if (send_timeout_ == timeout) return;
  set_timeout(descriptor_, SO_SNDTIMEO, timeout);
  send_timeout_ = timeout;
}

std::size_t SocketStream::send(wire::Bytes bytes, std::chrono::milliseconds timeout) {
  os::Deadline deadline(timeout);
  limit_sends(timeout);
  while (true) {
    ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) return static_cast<std::size_t>(sent);
    if (errno == EAGAIN) throw os::TimedOut();
    if (errno != EINTR) throw_closed(errno);
    limit_sends(deadline.remaining());
  }
}

std::size_t SocketStream::send_now(wire::Bytes bytes) {
  while (true) {
    ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) throw_closed(errno);
  }
}

/// What all threads of this process have found; over sockets the manager does not tell.
os::Contention& contention() {
  static constinit os::Contention found;
  return found;
}

/// Polls recv() and returns its result; -1 with EAGAIN if nothing arrived within the limit.
ssize_t SocketStream::receive_busily(std::uint8_t* at, std::size_t room,
                                     os::BusyPoll::Clock::time_point since) {
  constexpr int asked_between_yields = 4;
  while (true) {
    for (int asked = 0; asked < asked_between_yields; ++asked) {
      ssize_t received = ::recv(descriptor_, at, room, MSG_DONTWAIT);
      if (received >= 0 || (errno != EAGAIN && errno != EINTR)) return received;
    }
    const os::BusyPoll::Clock::time_point now = os::BusyPoll::Clock::now();
    if (now - since > busy_poll_.limit() || contention().found()) return errno = EAGAIN, -1;
    sched_yield();  // the manager may have only this processor to run on
    contention().yielded(now, os::BusyPoll::Clock::now());
  }
}

/// Sleeps until there is something to receive. Uses poll(), since a thread in recv() on a unix socket is also
/// woken whenever the manager reads what it sent.
void SocketStream::sleep_until_readable(const os::Deadline& deadline) {
  pollfd wanted{descriptor_, POLLIN, 0};
  while (true) {
    const auto left = deadline.remaining().count();
    const int ready =
        ::poll(&wanted, 1, left == 0 ? -1 : static_cast<int>(std::min<long long>(left, poll_ms_max)));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) throw_closed(errno);
  }
}

std::size_t SocketStream::receive(std::uint8_t* at, std::size_t room, std::chrono::milliseconds timeout) {
  os::Deadline deadline(timeout);
  const os::BusyPoll::Clock::time_point since = os::BusyPoll::Clock::now();
  bool busily = busy_poll_.worthwhile();
  if (busily) {
    contention().look(since, 2);
    busily = !contention().found();
  }
  while (true) {
    if (!busily) sleep_until_readable(deadline);
    ssize_t received = busily ? receive_busily(at, room, since) : ::recv(descriptor_, at, room, MSG_DONTWAIT);
    if (received > 0) {
      busy_poll_.waited(os::BusyPoll::Clock::now() - since);
      return static_cast<std::size_t>(received);
    }
    if (received == 0) throw StreamClosed("the manager closed the connection");
    if (errno != EAGAIN && errno != EINTR) throw_closed(errno);
    busily = false;
  }
}

// ---- connecting -----------------------------------------------------------------------------------------

namespace {

/// Waits for a connect() that a signal interrupted and that continues by itself. Returns 0 or an errno.
int wait_connected(int descriptor, const os::Deadline& deadline) {
  pollfd wanted{descriptor, POLLOUT, 0};
  while (true) {
    auto left = deadline.remaining().count();
    int ready = poll(&wanted, 1, left == 0 ? -1 : static_cast<int>(std::min<long long>(left, poll_ms_max)));
    if (ready < 0 && errno != EINTR) return errno;
    if (ready > 0) break;
  }
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

/// Returns 0 or an errno. The wait is limited by SO_SNDTIMEO, which connect() obeys for both families; this
/// covers a unix listener whose backlog is full, where a non-blocking connect would fail at once.
int connect_one(int descriptor, const sockaddr* to, socklen_t size, const os::Deadline& deadline) {
  while (true) {
    set_timeout(descriptor, SO_SNDTIMEO, deadline.remaining());
    if (connect(descriptor, to, size) == 0) break;
    if (errno == EAGAIN || errno == EINPROGRESS) throw os::TimedOut();
    if (errno != EINTR) return errno;
    if (to->sa_family != AF_UNIX) {
      if (int error = wait_connected(descriptor, deadline); error != 0) return error;
      break;
    }
  }
  set_timeout(descriptor, SO_SNDTIMEO, std::chrono::milliseconds{0});
  return 0;
}

/// Requests are small and waited for (TCP_NODELAY); a vanished host should be detected within half a minute.
void tune_tcp(int descriptor) {
  auto set = [descriptor](int level, int option, int value) {
    setsockopt(descriptor, level, option, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
}

/// Returns the stream, or null with the errno in `error`.
std::unique_ptr<SocketStream> try_connect(int family, const sockaddr* to, socklen_t size,
                                          const os::Deadline& deadline, int& error) {
  int descriptor = os::above_standard(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (descriptor < 0) {
    error = errno;
    return nullptr;
  }
  auto stream = std::make_unique<SocketStream>(descriptor);
  error = connect_one(descriptor, to, size, deadline);
  if (error != 0) return nullptr;
  if (family != AF_UNIX) tune_tcp(descriptor);
  return stream;
}

std::unique_ptr<SocketStream> connect_unix(const Address& address, const os::Deadline& deadline, int& error) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  bool abstract = address.kind() == Address::Kind::unix_abstract;
  std::memcpy(to.sun_path + (abstract ? 1 : 0), address.host().data(), address.host().size());
  // An abstract name has a length, and no terminating zero.
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.host().size() + 1);
  return try_connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&to), size, deadline, error);
}

std::unique_ptr<SocketStream> connect_tcp(const Address& address, const os::Deadline& deadline, int& error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  std::string port = std::to_string(address.port());
  int failure = getaddrinfo(address.host().c_str(), port.c_str(), &hints, &found);
  if (failure != 0)
    throw ConnectionError(address.to_string() + ": the host's address cannot be looked up (" +
                          (failure == EAI_SYSTEM ? os::errno_text(errno) : gai_strerror(failure)) + ")");
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next)
    if (auto stream = try_connect(at->ai_family, at->ai_addr, at->ai_addrlen, deadline, error)) return stream;
  return nullptr;
}

}  // namespace

std::unique_ptr<SocketStream> connect_socket(const Address& address, const os::Deadline& deadline) {
  int error = 0;
  try {
    auto stream =
        address.is_unix() ? connect_unix(address, deadline, error) : connect_tcp(address, deadline, error);
    if (stream) return stream;
  } catch (const os::TimedOut&) {
    throw Timeout(address.to_string() + ": no connection within " + std::to_string(deadline.limit().count()) +
                  " ms (connect_timeout)");
  }
  const std::string text = address.to_string() + ": cannot connect (" + os::errno_text(error) + ")";
  if (error == ECONNREFUSED || error == ENOENT) throw NobodyListens(text + "; is a manager listening there?");
  throw ConnectionError(text);
}

}  // namespace tandem::client
