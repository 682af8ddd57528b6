#pragma once
// A thread that keeps a session with a lease alive: it pings before the lease expires. It also acts on the lease when
// the manager cannot be reached: once nothing was heard for so long, the manager has ended the session, and what
// the session owned may be others' already.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace tandem::client {

/// What came of a ping.
enum class Heard : std::uint8_t {
  answer,   // the manager heard it, after it was begun
  nothing,  // within the time limit, or the manager could not be reached
  end,      // the session has ended
};

class KeepAlive {
 public:
  using Ping = std::function<Heard(std::chrono::milliseconds timeout)>;

  /// Calls `ping` three times per `period` on a separate thread, until it returns Heard::end or this is destroyed.
  /// Calls `cut_off`, and no more, when no ping that was begun during the last `lease` was answered; never if that is zero.
  KeepAlive(Ping ping, std::function<void()> cut_off, std::chrono::milliseconds period,
            std::chrono::milliseconds lease);
  /// May run on that thread too, which then ends by itself.
  ~KeepAlive();
  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;

 private:
  struct Stop;
  static void run(Stop& stop, const Ping& ping, const std::function<void()>& cut_off,
                  std::chrono::milliseconds period, std::chrono::milliseconds lease);

  std::shared_ptr<Stop> stop_;
  std::thread thread_;
};

}  // namespace tandem::client
