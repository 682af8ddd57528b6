#pragma once
// The debug endpoint of one manager: HTTP and JSON, for reading only. Runs on threads of its own, which ask
// the engine's thread (ask.hpp) and touch nothing of it themselves.

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
  /// What every request then needs as `Authorization: Bearer TOKEN`; needed on addresses that other machines
  /// can reach.
  std::string token;
  StartupInfo background;
  HttpLimits http;
  /// How long a request waits for the engine before it is answered with 503.
  std::chrono::milliseconds ask_ms_max{2000};
};

class DebugEndpoint {
 public:
  /// Listens, but answers nobody before start(). Throws ValueError (the address; no token where one is
  /// needed), ConnectionError (the address cannot be listened on). `view` outlives the endpoint.
  DebugEndpoint(DebugOptions options, EngineQuery::Post post, const View& view);
  /// stop().
  ~DebugEndpoint();
  DebugEndpoint(const DebugEndpoint&) = delete;
  DebugEndpoint& operator=(const DebugEndpoint&) = delete;

  void start();
  /// Returns when its threads are gone: from then on `post` is not called any more. May be called again, and
  /// from the engine's thread too.
  void stop();

  /// "host:port" with the real port.
  const std::string& address() const { return address_; }

 private:
  Answer answer(const Request& request);

  const StartupInfo background_;
  std::string address_;
  EngineQuery ask_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace tandem::server
