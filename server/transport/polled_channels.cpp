#include "server/transport/polled_channels.hpp"

#include "client/os/spin.hpp"
#include "server/transport/ring_channel.hpp"

namespace tandem::server {
namespace {

constexpr std::size_t turns_max = 64;

}  // namespace

void PolledChannels::add(std::shared_ptr<RingChannel> channel) {
  channels_.push_back(std::move(channel));
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
  const bool contended = channels_.size() > os::processors_count();
  const auto limit = contended ? limit_ * static_cast<int>(std::min(channels_.size(), turns_max)) : limit_;
  for (std::size_t i = channels_.size(); i-- > 0;) {
    if (!channels_[i]->may_stop_polling(now, limit, contended)) continue;
    channels_[i]->polled = false;
    if (i + 1 != channels_.size()) std::swap(channels_[i], channels_.back());
    // Destroyed only after its removal: its destructor may end a session, and code run then may call size().
    const std::shared_ptr<RingChannel> gone = std::move(channels_.back());
    channels_.pop_back();
  }
}

}  // namespace tandem::server
