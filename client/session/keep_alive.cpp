#include "client/session/keep_alive.hpp"

#include <algorithm>

#include "client/os/signals.hpp"

namespace tandem::client {

struct KeepAlive::Stop {
  std::mutex mutex;
  std::condition_variable changed;
  bool requested = false;
};

KeepAlive::KeepAlive(std::function<bool()> ping, std::chrono::milliseconds lease)
    : stop_(std::make_shared<Stop>()) {
  const auto pause = std::max<std::chrono::milliseconds>(lease / 3, std::chrono::milliseconds{1});
  thread_ =
      os::thread_without_signals([stop = stop_, ping = std::move(ping), pause] { run(*stop, ping, pause); });
}

KeepAlive::~KeepAlive() {
  {
    std::lock_guard lock(stop_->mutex);
    stop_->requested = true;
  }
  stop_->changed.notify_all();
  if (thread_.get_id() == std::this_thread::get_id()) thread_.detach();
  else thread_.join();
}

void KeepAlive::run(Stop& stop, const std::function<bool()>& ping, std::chrono::milliseconds pause) {
  do {
    std::unique_lock lock(stop.mutex);
    if (stop.changed.wait_for(lock, pause, [&] { return stop.requested; })) return;
  } while (ping());
}

}  // namespace tandem::client
