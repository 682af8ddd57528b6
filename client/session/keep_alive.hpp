#pragma once
// A thread that keeps a session with a lease alive: it pings before the lease expires.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace tandem::client {

class KeepAlive {
 public:
  /// Calls `ping` three times per `lease` on a separate thread, until it returns false or this is destroyed.
  KeepAlive(std::function<bool()> ping, std::chrono::milliseconds lease);
  /// May run on that thread too, which then ends by itself.
  ~KeepAlive();
  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;

 private:
  struct Stop;
  static void run(Stop& stop, const std::function<bool()>& ping, std::chrono::milliseconds pause);

  std::shared_ptr<Stop> stop_;
  std::thread thread_;
};

}  // namespace tandem::client
