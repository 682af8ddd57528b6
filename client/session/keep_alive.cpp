#include "client/session/keep_alive.hpp"

#include <algorithm>

#include "client/os/signals.hpp"

namespace tandem::client {

namespace {

constexpr std::chrono::milliseconds late_wait{1000};

}  // namespace

struct KeepAlive::Stop {
  std::mutex mutex;
  std::condition_variable changed;
  bool requested = false;
};

KeepAlive::KeepAlive(Ping ping, std::function<void()> cut_off, std::chrono::milliseconds period,
                     std::chrono::milliseconds lease)
    : stop_(std::make_shared<Stop>()) {
  thread_ = os::thread_without_signals([stop = stop_, ping = std::move(ping), cut_off = std::move(cut_off),
                                        period, lease] { run(*stop, ping, cut_off, period, lease); });
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

void KeepAlive::run(Stop& stop, const Ping& ping, const std::function<void()>& cut_off,
                    std::chrono::milliseconds period, std::chrono::milliseconds lease) {
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;
  const Milliseconds pause = std::max(period / 3, Milliseconds{1});
  if (lease.count() == 0) lease = std::chrono::hours(24 * 365 * 100);
  Clock::time_point heard_at = Clock::now();
  Clock::time_point next = heard_at + pause;
  while (true) {
    {
      std::unique_lock lock(stop.mutex);
      if (stop.changed.wait_until(lock, next, [&] { return stop.requested; })) return;
    }
    const Clock::time_point began = Clock::now();
    const auto left = std::chrono::ceil<Milliseconds>(heard_at + lease - began);
    // A ping that begins late is that of a process which was stopped: if the manager is there, it says what was lost.
    const Milliseconds timeout = left > pause / 2 ? std::min(left, pause) : std::max(pause, late_wait);
    const Heard heard = ping(timeout);
    if (heard == Heard::end) return;
    if (heard == Heard::answer) heard_at = began;
    const Clock::time_point now = Clock::now();
    const bool was_stopped = now - began > timeout + pause;  // the answer may have arrived meanwhile
    if (now >= heard_at + lease && !was_stopped && heard == Heard::nothing) return cut_off();
    next = std::min(began + pause, heard_at + lease);
  }
}

}  // namespace tandem::client
