#pragma once
// HTTP for the debug endpoint: one thread accepts connections and collects the heads of their requests, a fixed
// number of threads answers them; none of these is the engine's. cpp-httplib parses requests and formats
// responses; sockets and time limits are handled here, so that a client that sends slowly occupies no thread,
// and one that reads slowly occupies it for a limited time only:
//
//   one request per connection, without a body; its head has at most head_bytes_max bytes and arrives within
//     head_ms_max of being accepted
//   connections_reading_max connections may be sending their heads; for one more the oldest gets 503
//   the response is sent within response_ms_max
//   connections_waiting_max requests wait for a thread; any more get 503 at once
//
// Requests for /healthz have a queue and threads of their own, and their responses, which fit every socket's
// buffer, are not waited for. So no number of slow clients keeps others from it.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "client/os/unshared_descriptor.hpp"
#include "server/debug/answer.hpp"

namespace tandem::server {

struct HttpLimits {
  std::size_t threads = 8;
  std::size_t health_threads = 2;
  std::size_t connections_reading_max = 64;
  std::size_t connections_waiting_max = 64;
  std::size_t head_bytes_max = 32 * 1024;
  std::uint64_t head_ms_max = 5'000;
  std::uint64_t response_ms_max = 10'000;
};

/// Requests and responses as bytes, without sockets. May be used by several threads at once.
class HttpFormat {
 public:
  using Handle = std::function<Answer(const Request&)>;

  explicit HttpFormat(Handle handle);
  ~HttpFormat();

  /// Returns the response to a request with this head: request line and header lines, including the empty
  /// line after them.
  std::string respond(std::string_view head) const;
  /// Returns an error response when there is no parsed request.
  static std::string respond_error(int status, std::string_view message);

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

class HttpServer {
 public:
  /// Accepts nothing on `listening` before start().
  HttpServer(os::UnsharedDescriptor listening, HttpLimits limits, HttpFormat::Handle handle);
  /// Calls stop().
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void start();
  /// Closes every connection, including those being answered, and joins the threads. May be called again.
  void stop();

 private:
  struct Connection;
  /// Requests that wait for a thread, guarded by mutex_.
  struct Queue {
    std::deque<Connection> waiting;
    std::condition_variable arrived;
  };

  void accept_connections();
  bool accept_one();
  void read_heads(const std::vector<bool>& readable);
  void pass_on(Connection connection);
  void answer_requests(Queue& queue, std::uint64_t response_ms_max);
  void answer(const Connection& connection, std::uint64_t response_ms_max);

  os::UnsharedDescriptor listening_;  // open until stop()
  const HttpLimits limits_;
  const HttpFormat format_;
  os::UnsharedDescriptor wake_;  // an eventfd that ends accept_connections()
  std::vector<std::thread> threads_;
  std::deque<Connection> reading_;  // oldest first; of the thread that accepts

  std::mutex mutex_;
  // Guarded by mutex_:
  Queue requests_;
  Queue health_requests_;
  std::set<int> served_;  // sockets of connections being served
  bool stopping_ = false;
};

}  // namespace tandem::server
