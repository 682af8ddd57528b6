#pragma once
// Shared-memory channels that are polled: while a channel was used recently, the engine's thread checks its
// rings in a loop, so that neither side needs the kernel. A channel that is idle for a while is no longer
// polled: its client then has to ring the bell. Used on the engine's thread only.

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "client/os/busy_poll.hpp"
#include "client/os/contention.hpp"

namespace tandem::server {

class RingChannel;

class PolledChannels {
 public:
  using Clock = os::BusyPoll::Clock;

  /// `limit`: how long an idle channel is still polled.
  explicit PolledChannels(std::chrono::microseconds limit) : limit_(limit) {}

  /// Starts polling `channel`.
  void add(std::shared_ptr<RingChannel> channel);
  /// Looks from time to time whether others want the processors.
  void look_at_processors(Clock::time_point now);
  os::Contention& contention() { return contention_; }
  /// Returns whether the processors are contended: nothing is polled then that is idle.
  bool contended() const { return contention_.found(); }
  /// The client of `channel` waited and has its answer now.
  void note_answered_wait(const RingChannel& channel);
  /// Whether such a client was noted since the last call that may need the processor on which this thread runs.
  bool take_answered_wait() { return std::exchange(answered_wait_, false); }
  /// Whether a client may need it: one that does not wait may be on it, or none waits.
  bool client_needs_processor() const;
  bool empty() const { return channels_.empty(); }
  std::size_t size() const { return channels_.size(); }
  std::chrono::nanoseconds limit() const { return limit_; }
  /// Checks each channel once and does its pending work. Returns whether there was any.
  bool look();
  /// Stops polling channels that were idle for the limit, with contention at once. When channels outnumber
  /// processors, the limit is multiplied by their number (at most 64): their clients take turns.
  void stop_idle(Clock::time_point now);

 private:
  std::chrono::nanoseconds limit_;
  std::vector<std::shared_ptr<RingChannel>> channels_;
  os::Contention contention_;
  std::vector<std::weak_ptr<RingChannel>> recent_;  // are polled, or were lately and may be awake
  bool answered_wait_ = false;
  std::uint64_t looks_count_ = 0;  // at the processors
};

}  // namespace tandem::server
