#pragma once
// A thread that keeps a session alive whose manager ends it after a silence: it pings in time.

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "tandem/proxy/remote.hpp"

namespace tandem::client {

class KeepAlive {
 public:
  /// Pings three times in every `lease`, until the connection goes, the session is lost, or this is destroyed.
  KeepAlive(std::weak_ptr<Connection> connection, std::chrono::milliseconds lease);
  /// Also on its own thread, which then ends by itself.
  ~KeepAlive();
  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;

 private:
  struct Stop;
  static void run(const std::shared_ptr<Stop>& stop, const std::weak_ptr<Connection>& connection,
                  std::chrono::milliseconds pause);

  std::shared_ptr<Stop> stop_;
  std::thread thread_;
};

}  // namespace tandem::client
