#include "server/debug/http.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>

#include "client/os/signals.hpp"
#include "tandem/error.hpp"

namespace tandem::server {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t linger_ms_max = 500;
constexpr std::size_t linger_bytes_max = 1024 * 1024;
constexpr int accept_retry_ms = 100;

/// Waits for `events` on a socket. Returns false at the deadline or on an error.
bool wait_for(int socket, short events, Clock::time_point deadline) {
  for (;;) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd watched{socket, events, 0};
    int ready = ::poll(&watched, 1, static_cast<int>(left < 0 ? 0 : left));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return false;
  }
}

enum class Head : std::uint8_t { complete, late, too_long, gone };

/// Reads until the empty line after the headers. After the deadline it still takes what has already arrived.
Head read_head(int socket, std::size_t bytes_max, Clock::time_point deadline, std::string& head) {
  char part[4096];
  while (head.size() <= bytes_max) {
    ssize_t count = ::recv(socket, part, sizeof part, MSG_DONTWAIT);
    if (count > 0) {
      std::size_t from = head.size() < 3 ? 0 : head.size() - 3;
      head.append(part, static_cast<std::size_t>(count));
      std::size_t end = head.find("\r\n\r\n", from);
      if (end != head.npos) return head.resize(end + 4), Head::complete;
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      return Head::gone;
    } else if (errno == EAGAIN && !wait_for(socket, POLLIN, deadline)) {
      return Head::late;
    }
  }
  return Head::too_long;
}

void send_all(int socket, std::string_view bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    ssize_t count = ::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) bytes.remove_prefix(static_cast<std::size_t>(count));
    else if (errno == EAGAIN && wait_for(socket, POLLOUT, deadline)) continue;
    else if (errno != EINTR) return;
  }
}

/// Closing a socket with unread input would discard the response: reads the input, within limits.
void linger(int socket) {
  ::shutdown(socket, SHUT_WR);
  const auto deadline = Clock::now() + std::chrono::milliseconds(linger_ms_max);
  char part[4096];
  for (std::size_t bytes = 0; bytes < linger_bytes_max;) {
    ssize_t count = ::recv(socket, part, sizeof part, MSG_DONTWAIT);
    if (count > 0) bytes += static_cast<std::size_t>(count);
    else if (count == 0 || (errno != EAGAIN && errno != EINTR)) return;
    else if (errno == EAGAIN && !wait_for(socket, POLLIN, deadline)) return;
  }
}

}  // namespace

struct HttpServer::Connection {
  os::UnsharedDescriptor socket;
  Clock::time_point accepted;
};

HttpServer::HttpServer(os::UnsharedDescriptor listening, HttpLimits limits, HttpFormat::Handle handle)
    : listening_(std::move(listening)),
      limits_(limits),
      format_(std::move(handle)),
      wake_(os::UnsharedDescriptor::open([] { return ::eventfd(0, EFD_CLOEXEC); })) {
  if (!wake_) throw ResourceExhausted("the debug endpoint gets no event descriptor from the system");
}

HttpServer::~HttpServer() {
  stop();
}

void HttpServer::start() {
  const os::SignalsBlocked blocked;  // they are handled by the program's own threads
  threads_.emplace_back([this] { accept_connections(); });
  for (std::size_t i = 0; i < limits_.threads; ++i) threads_.emplace_back([this] { serve_connections(); });
}

void HttpServer::stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    waiting_.clear();
    for (int socket : served_) ::shutdown(socket, SHUT_RDWR);
    arrived_.notify_all();
  }
  std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  listening_.close();  // and with it connections not accepted yet
}

void HttpServer::accept_connections() {
  for (;;) {
    pollfd watched[2] = {{wake_.get(), POLLIN, 0}, {listening_.get(), POLLIN, 0}};
    if (::poll(watched, 2, -1) < 0) continue;
    if (watched[0].revents != 0) return;
    accept_one();
  }
}

void HttpServer::accept_one() {
  os::UnsharedDescriptor socket = os::UnsharedDescriptor::open(
      [this] { return ::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
  if (!socket) {
    // Descriptors may be used up: the connection stays in the backlog, to be tried again.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      (void)wait_for(wake_.get(), POLLIN, Clock::now() + std::chrono::milliseconds(accept_retry_ms));
    return;
  }
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (waiting_.size() < limits_.connections_waiting_max) {
      waiting_.push_back({std::move(socket), Clock::now()});
      arrived_.notify_one();
      return;
    }
  }
  send_all(socket.get(), HttpFormat::respond_error(503, "too many connections wait for an answer"),
           Clock::now());
  ::shutdown(socket.get(), SHUT_WR);
}

void HttpServer::serve_connections() {
  for (;;) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const Connection connection = std::move(waiting_.front());
    waiting_.pop_front();
    served_.insert(connection.socket.get());
    lock.unlock();
    serve(connection);
    lock.lock();
    served_.erase(connection.socket.get());
  }
}

void HttpServer::serve(const Connection& connection) {
  std::string head;
  std::string response;
  bool more_may_come = false;
  const auto deadline = connection.accepted + std::chrono::milliseconds(limits_.head_ms_max);
  switch (read_head(connection.socket.get(), limits_.head_bytes_max, deadline, head)) {
    case Head::complete:
      response = format_.respond(head);
      more_may_come = !head.starts_with("GET ") && !head.starts_with("HEAD ");
      break;
    case Head::late: response = HttpFormat::respond_error(408, "the request did not arrive in time"); break;
    case Head::too_long:
      response = HttpFormat::respond_error(431, "the request's headers are too long");
      more_may_come = true;
      break;
    case Head::gone: return;
  }
  send_all(connection.socket.get(), response,
           Clock::now() + std::chrono::milliseconds(limits_.response_ms_max));
  if (more_may_come) linger(connection.socket.get());
}

}  // namespace tandem::server
