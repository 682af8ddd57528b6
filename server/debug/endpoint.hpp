#pragma once
// The debug endpoint of one manager: read-only HTTP and JSON. Runs on its own threads, which query the
// engine's thread (engine_query.hpp) and access none of its data themselves.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "server/debug/access.hpp"
#include "server/debug/engine_query.hpp"
#include "server/debug/http.hpp"
#include "server/debug/pages.hpp"

namespace tandem::server {

struct DebugOptions {
  /// "host:port", e.g. "127.0.0.1:7071", "[::1]:0"; port 0 asks the system for a free one.
  std::string address;
  /// Token that every request must carry as `Authorization: Bearer TOKEN`; required on addresses that other
  /// machines can reach.
  std::string token;
  HttpLimits http;
  /// How long a request waits for the engine before it is answered with 503.
  std::chrono::milliseconds query_ms_max{2000};
};

class DebugEndpoint {
 public:
  /// Listens, but answers no request before start(). Throws ValueError (malformed address; no token where one
  /// is required), ConnectionError (cannot listen on the address). `view` outlives the endpoint.
  DebugEndpoint(DebugOptions options, EngineQuery::Post post, const View& view);
  /// Calls stop().
  ~DebugEndpoint();
  DebugEndpoint(const DebugEndpoint&) = delete;
  DebugEndpoint& operator=(const DebugEndpoint&) = delete;

  /// Answers requests from now on: with 503 until ready(), so that who watches the manager sees that it is starting.
  void start();
  /// How far the journal is recovered, for these answers. On any thread.
  void recovering(unsigned percent) { recovered_percent_ = static_cast<int>(percent); }
  /// Answers in full from now on; `post` is not called before. To be called once.
  void ready(StartupInfo startup_info);
  /// Returns when the threads have ended: `post` is not called afterwards. May be called again, and from the
  /// engine's thread.
  void stop();

  /// "host:port" with the actual port.
  const std::string& address() const { return address_; }

 private:
  Answer answer(const Request& request);

  static constexpr int not_recovering = -1;

  StartupInfo startup_info_;  // once ready
  std::atomic<bool> is_ready_{false};
  std::atomic<int> recovered_percent_{not_recovering};
  std::string address_;
  EngineQuery query_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace tandem::server
