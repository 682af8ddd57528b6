#pragma once
// What all channels of one manager share: the engine, the sessions, the limits, the counters. Everything here happens
// on the engine's thread.

#include <algorithm>
#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "server/engine/engine.hpp"
#include "server/session/sessions.hpp"
#include "server/session/statistics.hpp"
#include "tandem/limits.hpp"

namespace spdlog {
class logger;
}

namespace tandem::server {

class Channel;

class Service {
 public:
  /// `limits.memory_bytes_max` is a number of bytes, no longer 0. Engine and logger outlive the service.
  Service(Engine& engine, const Limits& limits, Credentials credentials, spdlog::logger& log);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  const Engine& engine() const { return engine_; }
  const Limits& limits() const { return limits_; }
  const Credentials& credentials() const { return credentials_; }
  const Sessions& sessions() const { return sessions_; }
  const Statistics& statistics() const { return statistics_; }
  /// Of a client whose transport found it.
  void count_protocol_error() { ++statistics_.protocol_errors; }
  spdlog::logger& log() { return log_; }
  const std::unordered_set<Channel*>& channels() const { return channels_; }

  /// Gives the channel of a proven client its session, or null and a refusal.
  Session* admit(Channel& channel, const wire::Answer& answer, Refusal& refusal);
  /// The channel has ended; with its last one the session ends.
  void leave(Channel& channel, Session& session);

  // Requests that wait in the engine. Their replies come out of the steps of others.

  /// The reply to this one is `request` of `channel`.
  void park(Ticket ticket, Channel& channel, std::uint32_t request);
  /// Ends the wait now, as if its time limit had run out.
  void cancel(Ticket ticket);
  /// The channel of the request is going. Its wait ends, now or with the session.
  void forget(Ticket ticket, const Session& session);
  /// Takes the replies to requests that have waited to their channels, and sees to the alarm. After every step.
  void after_step() {
    if (!engine_.deliveries().empty()) deliver();
    if (!engine_.deadlocks_found().empty()) [[unlikely]]
      log_deadlocks();
    if (next_alarm_ns() < alarm_ns_) set_timer();
  }
  /// The alarm rings.
  void tick(std::uint64_t now_ns);
  /// Has tick() called at this time of the steady clock; takes the place of what was asked for before.
  std::function<void(std::uint64_t at_ns)> on_deadline_changed;

  /// Counts and logs a channel that ends in its handshake.
  void handshake_failed(const Peer& peer, HandshakeFailure reason, std::string_view text);

  /// Bytes held by unfinished requests and unsent replies.
  std::uint64_t messages_bytes() const { return messages_bytes_; }
  void messages_bytes_changed(std::uint64_t before, std::uint64_t now) { messages_bytes_ += now - before; }
  /// Whether `more` bytes would take objects and messages over memory_bytes_max.
  bool memory_exceeded_by(std::uint64_t more) const {
    return engine_.registry().memory_bytes() + messages_bytes_ + more > limits_.memory_bytes_max;
  }
  /// Where a read goes that no channel has to keep (see Channel::input_space).
  std::span<std::uint8_t> scratch() { return {scratch_.get(), scratch_bytes}; }

  /// No channel is admitted from now on, and every channel is woken: it answers what it has received and ends.
  void shut_down();
  /// Ends all channels at once.
  void close_all();
  bool shutting_down() const { return shutting_down_; }
  /// Called when a channel is gone, after its session ended (if it did).
  std::function<void()> on_channel_gone;

 private:
  friend class Channel;
  static constexpr std::size_t scratch_bytes = 64 * 1024;

  struct Parked {
    Channel* channel = nullptr;
    std::uint32_t request = 0;
  };

  std::uint64_t next_alarm_ns() const { return std::min(engine_.next_deadline_ns(), lease_check_ns_); }
  std::uint64_t lease_ns() const { return limits_.session_lease_ms * 1'000'000; }
  void check_leases(std::uint64_t now_ns);
  void end_silent(Session& session);
  std::string what_is_lost(const Session& session, std::string why) const;
  void deliver();
  void log_deadlocks();
  void set_timer();
  Session* open_session(const wire::Answer& answer, const Peer& peer, Refusal& refusal);

  Engine& engine_;
  const Limits limits_;
  const Credentials credentials_;
  spdlog::logger& log_;
  Sessions sessions_;
  Statistics statistics_;
  std::unordered_set<Channel*> channels_;
  std::unordered_map<Ticket, Parked> parked_;
  Deliveries spare_;                         // for its memory
  std::uint64_t alarm_ns_ = never_ns;        // what on_alarm was last asked for
  std::uint64_t lease_check_ns_ = never_ns;  // when remote sessions are looked at next
  std::uint64_t channels_admitted_ = 0;
  std::uint64_t messages_bytes_ = 0;
  std::unique_ptr<std::uint8_t[]> scratch_{new std::uint8_t[scratch_bytes]};
  bool shutting_down_ = false;
};

/// "WHAT: over NAME (VALUE)", which is what a ResourceExhausted says.
std::string over_limit(std::string_view what, std::string_view limit_name, std::uint64_t limit);

}  // namespace tandem::server
