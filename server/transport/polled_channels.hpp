#pragma once
// Shared-memory channels that are polled: while a channel was used recently, the engine's thread checks its
// rings in a loop, so that neither side needs the kernel. A channel that is idle for a while is no longer
// polled: its client then has to ring the bell. Used on the engine's thread only.

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "client/os/busy_poll.hpp"

namespace tandem::server {

class RingChannel;

class PolledChannels {
 public:
  using Clock = os::BusyPoll::Clock;

  /// `limit`: how long an idle channel is still polled.
  explicit PolledChannels(std::chrono::microseconds limit) : limit_(limit) {}

  /// Starts polling `channel`.
  void add(std::shared_ptr<RingChannel> channel);
  bool empty() const { return channels_.empty(); }
  std::size_t size() const { return channels_.size(); }
  std::chrono::nanoseconds limit() const { return limit_; }
  /// Checks each channel once and does its pending work. Returns whether there was any.
  bool look();
  /// Stops polling channels that were idle for the limit. When channels outnumber processors, the limit is
  /// multiplied by their number (at most 64): their clients take turns.
  void stop_idle(Clock::time_point now);

 private:
  std::chrono::nanoseconds limit_;
  std::vector<std::shared_ptr<RingChannel>> channels_;
};

}  // namespace tandem::server
