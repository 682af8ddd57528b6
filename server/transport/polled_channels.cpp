#include "server/transport/polled_channels.hpp"

#include <algorithm>

#include "client/os/spin.hpp"
#include "server/transport/ring_channel.hpp"

namespace tandem::server {
namespace {

constexpr std::size_t turns_max = 64;
// For how many looks at the processors a client that is awake counts as one that takes turns, after its last use.
constexpr std::uint64_t looks_recent = 2;

}  // namespace

void PolledChannels::add(std::shared_ptr<RingChannel> channel) {
  channel->used_in_look = looks_count_;
  if (!std::exchange(channel->recent, true)) recent_.push_back(channel);
  channels_.push_back(std::move(channel));
}

void PolledChannels::note_answered_wait(const RingChannel& channel) {
  if (channel.client_is_on(static_cast<std::uint32_t>(::sched_getcpu() + 1))) answered_wait_ = true;
}

bool PolledChannels::client_needs_processor() const {
  const auto processor = static_cast<std::uint32_t>(::sched_getcpu() + 1);
  bool any_waits = false;
  for (const std::shared_ptr<RingChannel>& channel : channels_) {
    if (channel->client_waits()) any_waits = true;
    else if (channel->client_is_on(processor)) return true;
  }
  return !any_waits;
}

// Clients that wait busily, or that used their channel a moment ago and are awake, take turns with this thread. One
// that computes for longer competes with it.
void PolledChannels::look_at_processors(Clock::time_point now) {
  if (limit_.count() == 0 || !contention_.is_due(now)) return;
  unsigned taking_turns = 0;
  std::erase_if(recent_, [&](const std::weak_ptr<RingChannel>& each) {
    const std::shared_ptr<RingChannel> channel = each.lock();
    if (!channel) return true;
    if (channel->polled) channel->used_in_look = looks_count_;
    const bool was_used = looks_count_ - channel->used_in_look < looks_recent;
    const bool takes_turns = channel->client_is_awake() && (was_used || channel->client_polls());
    if (takes_turns) ++taking_turns;
    // A polled one is not added again when its client wakes up.
    channel->recent = channel->polled || takes_turns;
    return !channel->recent;
  });
  ++looks_count_;
  contention_.look(now, 1 + std::max(taking_turns, 1U));
}

// By index: channels that are added meanwhile are checked too, and adding may reallocate.
bool PolledChannels::look() {
  bool any = false;
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    RingChannel* channel = channels_[i].get();
    any = channel->look() || any;
  }
  return any;
}

void PolledChannels::stop_idle(Clock::time_point now) {
  const bool crowded = !contended() && channels_.size() > os::processors_count();
  auto limit = contended() ? std::chrono::nanoseconds{0} : limit_;
  if (crowded) limit *= static_cast<int>(std::min(channels_.size(), turns_max));
  for (std::size_t i = channels_.size(); i-- > 0;) {
    if (!channels_[i]->may_stop_polling(now, limit, crowded)) continue;
    channels_[i]->polled = false;
    if (i + 1 != channels_.size()) std::swap(channels_[i], channels_.back());
    // Destroyed only after its removal: its destructor may end a session, and code run then may call size().
    const std::shared_ptr<RingChannel> gone = std::move(channels_.back());
    channels_.pop_back();
  }
}

}  // namespace tandem::server
