// What a session does when connections break: it connects again, and channels with a lane go on.

#include <algorithm>
#include <random>
#include <string>
#include <thread>

#include "client/os/clock.hpp"
#include "client/session/session.hpp"

namespace tandem::client {
namespace {

// Pauses between attempts to connect again.
constexpr std::chrono::milliseconds reconnect_pause_least{5};
constexpr std::chrono::milliseconds reconnect_pause_most{250};

}  // namespace

/// Calls `attempt(timeout)` until that reaches the manager. Throws StreamClosed when that takes longer than the outage may;
/// TimedOut after `deadline`; what else `attempt` throws at once.
template <class F>
void Session::until_reached(Outage& outage, const os::Deadline& deadline, F&& attempt) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  for (std::chrono::milliseconds pause = reconnect_pause_least;;
       pause = std::min(pause * 2, reconnect_pause_most)) {
    try {
      std::chrono::milliseconds timeout = outage.left();
      for (const std::chrono::milliseconds limit : {options_.connect_timeout, deadline.remaining()})
        if (limit.count() > 0) timeout = std::min(timeout, limit);
      return attempt(timeout);
    } catch (const NobodyListens& error) {
      outage.no_process(error);
    } catch (const ConnectionError& error) {
      outage.failed(error);
    } catch (const Timeout& error) {
      outage.failed(error);
    } catch (const ShuttingDown& error) {
      outage.failed(error);
    } catch (const ResourceExhausted& error) {
      outage.failed(error);
    }
    // Many clients have lost the same manager.
    const std::chrono::milliseconds jittered = pause / 2 + pause * static_cast<int>(random() % 1024) / 2048;
    std::this_thread::sleep_for(std::min(jittered, outage.left()));
  }
}

void Session::note_break(std::shared_ptr<Outage>& outage, const StreamClosed& why) const {
  if (outage != nullptr) return outage->again(why);
  std::lock_guard lock(mutex_);
  // A manager without a journal has ended for good, if it was not the connection alone.
  std::chrono::milliseconds limit = options_.reconnect;
  if (welcome_.start == 0 && welcome_.resume_ms < static_cast<std::uint64_t>(limit.count()))
    limit = std::chrono::milliseconds(welcome_.resume_ms);
  outage = std::make_shared<Outage>(why, limit, welcome_.start != 0);
}

bool Session::may_resume(const Channel& channel, const StreamClosed& closed) const {
  if (channel.lane() == 0 || closed.is_final || closed.code == Code::session_lost) return false;
  std::lock_guard lock(mutex_);
  if (closed.code == Code::shutting_down && welcome_.start == 0) return false;
  return !lost_ && !given_up_;
}

Reply Session::exchange_again(Channel& channel, const StreamClosed& closed, const RequestTarget& target,
                              const os::Deadline& deadline, const std::stop_token& stop,
                              LongResult* long_result) {
  std::shared_ptr<Outage> outage;
  StreamClosed why = closed;
  while (true) {
    note_break(outage, why);
    resume(channel, *outage, deadline, channel.first_sent_ns());
    try {
      return channel.exchange_again(target, deadline, stop, long_result);
    } catch (const StreamClosed& again) {
      if (!may_resume(channel, again)) throw;
      why = again;
    }
  }
}

void Session::resume(Channel& channel, Outage& outage, const os::Deadline& deadline,
                     std::optional<std::uint64_t> in_doubt_since_ns) {
  bool is_news = false;
  bool restarted = false;
  try {
    until_reached(outage, deadline, [&](std::chrono::milliseconds timeout) {
      InsideGate inside(opening_channels_);
      Opened opened = open_on_lane(channel, timeout, in_doubt_since_ns);
      std::lock_guard lock(mutex_);
      if (lost_) throw SessionLost(*lost_);
      restarted = opened.welcome.start != channel.start();
      is_news = !restarted || opened.welcome.start != welcome_.start;
      welcome_ = opened.welcome;
      channel.resume(std::move(opened.stream), opened.welcome);
    });
  } catch (const SessionLost& lost) {
    throw StreamClosed(lost.what(), Code::session_lost);
  } catch (const Error& error) {
    throw StreamClosed(error.what(), Code::connection_error, true);
  }
  outage.resumed();
  if (is_news) reconnected({restarted, outage.duration()});
}

/// Calls the callback.
void Session::reconnected(const Reconnection& reconnection) {
  std::function<void(const Reconnection&)> callback;
  {
    std::lock_guard lock(mutex_);
    callback = reconnected_;
  }
  if (callback) callback(reconnection);
}

/// A lane that has ended carries out nothing more. It ended when no connection had it for resume_ms, so what was sent later
/// than that ago was not carried out, and is sent on a new one.
Opened Session::open_on_lane(const Channel& channel, std::chrono::milliseconds timeout,
                             std::optional<std::uint64_t> in_doubt_since_ns) {
  OpenRequest request = request_for(wire::Purpose::resume);
  request.lane = channel.lane();
  try {
    return connector_->open(request, timeout);
  } catch (const NotFound& ended) {
    std::uint64_t resume_ms = 0;
    {
      std::lock_guard lock(mutex_);
      resume_ms = welcome_.resume_ms;
    }
    if (in_doubt_since_ns && (os::boot_clock_ns() - *in_doubt_since_ns) / 1'000'000 >= resume_ms)
      throw StreamClosed(std::string(ended.what()) + "; what was asked for may have been done",
                         Code::connection_error, true);
    return join_session(timeout);
  } catch (const SessionLost& refused) {
    const SessionLost lost(std::string(refused.what()) + "; make a new Manager");
    session_lost(lost);
    throw SessionLost(lost);
  }
}

void Session::on_reconnect(std::function<void(const Reconnection&)> callback) {
  std::lock_guard lock(mutex_);
  reconnected_ = std::move(callback);
}

bool Session::can_be_resumed() const {
  std::lock_guard lock(mutex_);
  return welcome_.lane != 0 && !lost_ && !given_up_;
}

Channel& Session::open_channel_later(const Error& error, const os::Deadline& deadline) {
  std::shared_ptr<Outage> outage;
  note_break(outage, StreamClosed(error.what()));
  Channel* channel = nullptr;
  bool restarted = false;
  try {
    until_reached(*outage, deadline, [&](std::chrono::milliseconds timeout) {
      channel = &open_channel_at_once(timeout, restarted);
    });
  } catch (const StreamClosed& closed) {
    throw ConnectionError(closed.what());
  } catch (const os::TimedOut&) {
    throw Timeout(std::string(error.what()) + "; not reached again within " +
                  std::to_string(deadline.limit().count()) + " ms");
  }
  if (restarted) reconnected({true, outage->duration()});
  return *channel;
}

}  // namespace tandem::client
