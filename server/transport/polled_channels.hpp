#pragma once
// Channels through shared memory that are served without sleep: while one has been in use lately, the engine's thread
// looks at its rings again and again, so that neither side needs the kernel. A channel with nothing to do for a while
// gets cold: from then on its client has to ring the bell. The engine's thread only.

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

  /// `limit`: how long a channel stays hot without use.
  explicit PolledChannels(std::chrono::microseconds limit) : limit_(limit) {}

  /// Looked at from now on.
  void add(std::shared_ptr<RingChannel> channel);
  bool empty() const { return channels_.empty(); }
  std::size_t size() const { return channels_.size(); }
  std::chrono::nanoseconds limit() const { return limit_; }
  /// Looks once at each and lets it do what there is to be done. Gives whether there was anything.
  bool look();
  /// Lets those get cold that have not been of use for the limit: that of one, as often as there are channels more than
  /// processors, since their clients then take turns.
  void stop_idle(Clock::time_point now);

 private:
  std::chrono::nanoseconds limit_;
  std::vector<std::shared_ptr<RingChannel>> channels_;
};

}  // namespace tandem::server
