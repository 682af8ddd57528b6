#pragma once
// HTTP for the debug endpoint: connections are accepted by one thread and served by a fixed few, none of
// which is the engine's. cpp-httplib reads the requests and writes the responses; sockets and time limits are
// ours, so that a client that sends or reads slowly costs a thread for a limited time only:
//
//   one request per connection, its head in head_bytes_max and within head_ms_max of being accepted, no body
//   the response taken within response_ms_max
//   connections_waiting_max connections wait for a thread, and any more get 503 at once

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

#include "server/debug/answer.hpp"

namespace tandem::server {

struct HttpLimits {
  std::size_t threads = 8;
  std::size_t connections_waiting_max = 64;
  std::size_t head_bytes_max = 32 * 1024;
  std::uint64_t head_ms_max = 5'000;
  std::uint64_t response_ms_max = 10'000;
};

/// Requests and responses as bytes: it has never heard of a socket. Safe to use from many threads at once.
class HttpFormat {
 public:
  using Handle = std::function<Answer(const Request&)>;

  explicit HttpFormat(Handle handle);
  ~HttpFormat();

  /// The response to a request with this head: request line and header lines, with the empty line behind
  /// them.
  std::string respond(std::string_view head) const;
  /// A response to no request in particular.
  static std::string respond_error(int status, std::string_view message);

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

class HttpServer {
 public:
  /// Takes over `listening`, a socket. Nothing is accepted before start().
  HttpServer(int listening, HttpLimits limits, HttpFormat::Handle handle);
  /// stop().
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void start();
  /// Closes every connection, also those that are being answered, and waits for the threads. May be called
  /// again.
  void stop();

 private:
  struct Connection;

  void accept_connections();
  void accept_one();
  void serve_connections();
  void serve(const Connection& connection);

  const int listening_;  // open until stop()
  const HttpLimits limits_;
  const HttpFormat format_;
  int wake_ = -1;  // an eventfd that ends accept_connections()
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  // Guarded by it:
  std::condition_variable arrived_;
  std::deque<Connection> waiting_;
  std::set<int> served_;  // sockets of connections that threads are busy with
  bool stopping_ = false;
};

}  // namespace tandem::server
