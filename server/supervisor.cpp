#include "server/supervisor.hpp"

#include <systemd/sd-daemon.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "client/os/signals.hpp"

namespace tandem::server {
namespace {

// A recovery that says nothing for so long has failed.
constexpr std::chrono::seconds recovery_silence_max{60};
// Several in each interval of the watchdog, so that one that is late does no harm.
constexpr int signs_per_interval = 3;

void tell(const std::string& state) {
  (void)sd_notify(0, state.c_str());
}

}  // namespace

class Supervisor::Watch {
 public:
  Watch(std::chrono::microseconds pause, std::function<void()> ask)
      : thread_(os::thread_without_signals([this, pause, ask = std::move(ask)] { run(pause, ask); })) {}
  ~Watch() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  void run(std::chrono::microseconds pause, const std::function<void()>& ask) {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      lock.unlock();
      try {
        ask();
        tell("WATCHDOG=1");
      } catch (const std::exception&) {
        // It is stopping; or else the supervisor notices that nothing is told any more.
      }
      lock.lock();
      changed_.wait_for(lock, pause, [this] { return stopped_; });
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;  // the last member: it uses the others
};

Supervisor::Supervisor() = default;
Supervisor::~Supervisor() = default;

void Supervisor::recovering(unsigned percent) const {
  tell("STATUS=recovering, " + std::to_string(percent) +
       " %\nEXTEND_TIMEOUT_USEC=" + std::to_string(std::chrono::microseconds(recovery_silence_max).count()));
}

void Supervisor::ready(const std::string& status) const {
  tell("READY=1\nSTATUS=" + status);
}

void Supervisor::stopping() const {
  tell("STOPPING=1\nSTATUS=stopping");
}

std::chrono::microseconds Supervisor::watchdog_interval() {
  std::uint64_t interval_us = 0;
  if (sd_watchdog_enabled(0, &interval_us) <= 0) return {};
  return std::chrono::microseconds(interval_us);
}

void Supervisor::watch(std::chrono::microseconds interval, std::function<void()> ask) {
  watch_ = std::make_unique<Watch>(interval / signs_per_interval, std::move(ask));
}

}  // namespace tandem::server
