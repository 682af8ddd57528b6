#pragma once
// HTTP for the debug endpoint: one thread accepts connections, a fixed number of threads serve them; none of
// these is the engine's. cpp-httplib parses requests and formats responses; sockets and time limits are
// handled here, so that a client that sends or reads slowly occupies a thread for a limited time only:
//
//   one request per connection, without a body; its head has at most head_bytes_max bytes and arrives within
//     head_ms_max of being accepted
//   the response is sent within response_ms_max
//   connections_waiting_max connections wait for a thread; any more get 503 at once

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

  void accept_connections();
  void accept_one();
  void serve_connections();
  void serve(const Connection& connection);

  os::UnsharedDescriptor listening_;  // open until stop()
  const HttpLimits limits_;
  const HttpFormat format_;
  os::UnsharedDescriptor wake_;  // an eventfd that ends accept_connections()
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  // Guarded by mutex_:
  std::condition_variable arrived_;
  std::deque<Connection> waiting_;
  std::set<int> served_;  // sockets of connections being served
  bool stopping_ = false;
};

}  // namespace tandem::server
