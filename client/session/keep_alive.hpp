#pragma once
// A thread that keeps a session alive whose manager ends it after a silence: it pings in time.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace tandem::client {

class KeepAlive {
 public:
  /// Calls `ping` on a thread of its own three times in every `lease`, until that returns false or this is destroyed.
  KeepAlive(std::function<bool()> ping, std::chrono::milliseconds lease);
  /// Also on its own thread, which then ends by itself.
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
