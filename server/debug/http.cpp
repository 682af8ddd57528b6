#include "server/debug/http.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
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

enum class Head : std::uint8_t { complete, incomplete, too_long, gone };

/// Takes what has arrived, up to the empty line after the headers.
Head read_head(int socket, std::size_t bytes_max, std::string& head) {
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
    } else if (errno == EAGAIN) {
      return Head::incomplete;
    }
  }
  return Head::too_long;
}

bool is_for_health(std::string_view head) {
  for (std::string_view method : {"GET ", "HEAD "})
    if (head.starts_with(method)) head.remove_prefix(method.size());
  return head.starts_with("/healthz ") || head.starts_with("/healthz?");
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
  Clock::time_point deadline;  // for its head
  std::string head{};
  bool too_long = false;
};

namespace {

/// Sends a short response to a connection that is not to be served, as far as there is room.
void dismiss(int socket, int status, std::string_view message) {
  send_all(socket, HttpFormat::respond_error(status, message), Clock::now());
  ::shutdown(socket, SHUT_WR);
}

}  // namespace

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
  for (std::size_t i = 0; i < limits_.threads; ++i)
    threads_.emplace_back([this] { answer_requests(requests_, limits_.response_ms_max); });
  for (std::size_t i = 0; i < limits_.health_threads; ++i)
    threads_.emplace_back([this] { answer_requests(health_requests_, 0); });
}

void HttpServer::stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    for (Queue* queue : {&requests_, &health_requests_}) {
      queue->waiting.clear();
      queue->arrived.notify_all();
    }
    for (int socket : served_) ::shutdown(socket, SHUT_RDWR);
  }
  std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  reading_.clear();
  listening_.close();  // and with it connections not accepted yet
}

// ---- accepting, and reading heads -------------------------------------------------------------------------

void HttpServer::accept_connections() {
  Clock::time_point accept_again{};  // after descriptors were used up
  std::vector<pollfd> watched;
  std::vector<bool> readable;
  for (;;) {
    const bool accepts = Clock::now() >= accept_again;
    watched.assign({{wake_.get(), POLLIN, 0}, {accepts ? listening_.get() : -1, POLLIN, 0}});
    Clock::time_point next = accepts ? Clock::time_point::max() : accept_again;
    for (const Connection& connection : reading_) {
      watched.push_back({connection.socket.get(), POLLIN, 0});
      next = std::min(next, connection.deadline);
    }
    int timeout_ms = -1;
    if (next != Clock::time_point::max())
      timeout_ms = static_cast<int>(std::max<std::int64_t>(
          0, std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count()));
    if (::poll(watched.data(), watched.size(), timeout_ms) < 0) continue;
    if (watched[0].revents != 0) return;
    readable.clear();
    for (std::size_t i = 2; i < watched.size(); ++i) readable.push_back(watched[i].revents != 0);
    read_heads(readable);
    if (watched[1].revents != 0 && !accept_one())
      accept_again = Clock::now() + std::chrono::milliseconds(accept_retry_ms);
  }
}

/// Returns false if descriptors are used up: the connection stays in the backlog, to be tried again.
bool HttpServer::accept_one() {
  os::UnsharedDescriptor socket = os::UnsharedDescriptor::open(
      [this] { return ::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
  if (!socket) return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
  if (reading_.size() == limits_.connections_reading_max) {
    dismiss(reading_.front().socket.get(), 503,
            "too many connections, of which this was the slowest to send its request");
    reading_.pop_front();
  }
  reading_.push_back({std::move(socket), Clock::now() + std::chrono::milliseconds(limits_.head_ms_max)});
  return true;
}

void HttpServer::read_heads(const std::vector<bool>& readable) {
  const Clock::time_point now = Clock::now();
  std::deque<Connection> left;
  for (std::size_t i = 0; i < reading_.size(); ++i) {
    Connection& connection = reading_[i];
    const Head head = readable[i]
                          ? read_head(connection.socket.get(), limits_.head_bytes_max, connection.head)
                          : Head::incomplete;
    if (head == Head::gone) continue;
    if (head != Head::incomplete) {
      connection.too_long = head == Head::too_long;
      pass_on(std::move(connection));
    } else if (now >= connection.deadline) {
      dismiss(connection.socket.get(), 408, "the request did not arrive in time");
    } else {
      left.push_back(std::move(connection));
    }
  }
  reading_.swap(left);
}

void HttpServer::pass_on(Connection connection) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    Queue& queue = is_for_health(connection.head) ? health_requests_ : requests_;
    if (queue.waiting.size() < limits_.connections_waiting_max) {
      queue.waiting.push_back(std::move(connection));
      queue.arrived.notify_one();
      return;
    }
  }
  dismiss(connection.socket.get(), 503, "too many requests wait for an answer");
}

// ---- answering --------------------------------------------------------------------------------------------

void HttpServer::answer_requests(Queue& queue, std::uint64_t response_ms_max) {
  for (;;) {
    std::unique_lock lock(mutex_);
    queue.arrived.wait(lock, [&] { return stopping_ || !queue.waiting.empty(); });
    if (stopping_) return;
    const Connection connection = std::move(queue.waiting.front());
    queue.waiting.pop_front();
    served_.insert(connection.socket.get());
    lock.unlock();
    answer(connection, response_ms_max);
    lock.lock();
    served_.erase(connection.socket.get());
  }
}

void HttpServer::answer(const Connection& connection, std::uint64_t response_ms_max) {
  const std::string& head = connection.head;
  const bool more_may_come = connection.too_long || (!head.starts_with("GET ") && !head.starts_with("HEAD "));
  const std::string response = connection.too_long
                                   ? HttpFormat::respond_error(431, "the request's headers are too long")
                                   : format_.respond(head);
  send_all(connection.socket.get(), response, Clock::now() + std::chrono::milliseconds(response_ms_max));
  if (more_may_come) linger(connection.socket.get());
}

}  // namespace tandem::server
