#pragma once
// What all channels of one manager share: the engine, the sessions, the limits, the counters. Used on the
// engine's thread only.

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "server/engine/engine.hpp"
#include "server/journal/journal.hpp"
#include "server/session/repeat_limit.hpp"
#include "server/session/sessions.hpp"
#include "server/session/statistics.hpp"
#include "tandem/limits.hpp"
#include "tandem/server_options.hpp"

namespace spdlog {
class logger;
}

namespace tandem::server {

class Channel;

class Service {
 public:
  /// `limits.memory_bytes_max` is resolved, not 0. The engine and the logger outlive the service, and so does the journal,
  /// which has started; null: there is none.
  Service(Engine& engine, const Limits& limits, Credentials credentials, spdlog::logger& log,
          Journal* journal = nullptr);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  const Engine& engine() const { return engine_; }
  Journal* journal() { return journal_; }
  const Journal* journal() const { return journal_; }
  const Limits& limits() const { return limits_; }
  const Credentials& credentials() const { return credentials_; }
  const Sessions& sessions() const { return sessions_; }
  const Statistics& statistics() const { return statistics_; }
  /// Counts a protocol error found by a transport.
  void count_protocol_error() { ++statistics_.protocol_errors; }
  /// For what happens rarely, or below the level of warnings. See also log_event().
  spdlog::logger& log() { return log_; }
  /// Logs what clients can cause as often as they like: limited for each `reason` and host of `peer`. Lines
  /// left out are counted, and their number is logged within a minute.
  void log_event(LogLevel level, std::string_view reason, const Peer& peer, std::string_view line);
  const std::unordered_set<Channel*>& channels() const { return channels_; }

  /// What a proven client's channel is part of.
  struct Admission {
    Session* session = nullptr;
    wire::Secret secret{};  // of the session
    LaneId lane = 0;
  };
  /// Returns no session, and fills in `refusal`, if the client is refused.
  Admission admit(Channel& channel, const wire::Answer& answer, Refusal& refusal);
  /// The last fields of a Welcome for this channel.
  void describe_resumption(LaneId lane, wire::Welcome& welcome) const;
  /// Closes the oldest of the channels that have not proven themselves, so that its descriptor can serve another.
  /// Returns false if there is none.
  bool close_unproven(std::string_view why);
  /// The channel has ended. The session ends with its last channel, unless that can be resumed. `for_good`: the client has
  /// said that its lane is not.
  void leave(Channel& channel, Session& session, bool for_good);

  // Requests parked in the engine. Their replies are produced by the steps of other requests.

  /// The reply of `ticket` is to be sent as the reply to `request` of `channel`.
  void park(Ticket ticket, Channel& channel, std::uint32_t request);
  /// Ends the wait now, as if its time limit had run out.
  void cancel(Ticket ticket);
  /// The channel of the request is ending. The wait ends now, or with the session if this was its last channel; one of a
  /// lane, when that ends.
  void forget(Ticket ticket, const Session& session, LaneId lane);
  // Every input of the engine goes through here, in the order in which it was read.
  Outcome step(const Call& call, wire::Buffer& reply) {
    if (journal_ != nullptr) [[unlikely]]
      return journal_->step(call, reply);
    return engine_.step(call, reply);
  }
  template <class Input>
  void step(const Input& input) {
    if (journal_ != nullptr) journal_->step(input);
    else (void)engine_.step(input);
  }
  /// Delivers replies of parked requests to their channels, logs deadlocks and updates the timer. Call after
  /// every step.
  void after_step() {
    if (!engine_.deliveries().empty()) deliver();
    if (!engine_.deadlocks_found().empty()) [[unlikely]]
      log_deadlocks();
    if (engine_deadline_ns() < timer_ns_) set_timer();
  }
  /// Updates the timer. Call after any other change of when something is due.
  void check_timer() {
    if (next_timer_ns() < timer_ns_) set_timer();
  }
  /// The timer has expired.
  void tick(std::uint64_t now_ns);
  /// Schedules tick() for this time of the steady clock, in place of the time set before.
  std::function<void(std::uint64_t at_ns)> on_deadline_changed;

  /// Commits what was recorded as far as it can be, and wakes the channels that waited for what is safe now.
  void journal_progressed();
  /// Whether so much is recorded and not written yet that channels read no more. Then all are woken once it is less.
  bool journal_is_behind() {
    if (!journal_->is_behind()) return false;
    return channels_wait_for_journal_ = true;
  }
  /// A channel's turn ends, and has recorded something. Where others are likely to do so in the same round, that is
  /// committed together, at its end.
  void commit_turn() {
    if (++recorders_ == 1 && recorders_before_ <= 1) journal_->hand_over();
  }
  /// What was ready is done, so what was recorded is committed.
  void commit_round() {
    if (recorders_ != 0) recorders_before_ = std::exchange(recorders_, 0);
    journal_progressed();
  }
  /// The engine's time at this time of the steady clock.
  std::uint64_t engine_ns(std::uint64_t steady_ns) const {
    return journal_ == nullptr ? steady_ns : journal_->to_engine_ns(steady_ns);
  }

  /// Counts and logs a channel that ends in its handshake.
  void handshake_failed(const Peer& peer, HandshakeFailure reason, std::string_view text);

  /// Bytes held by unfinished requests and unsent replies.
  std::uint64_t messages_bytes() const { return messages_bytes_; }
  void messages_bytes_changed(std::uint64_t before, std::uint64_t now) { messages_bytes_ += now - before; }
  /// Shared memory of channels was taken or freed.
  void shared_bytes_changed(std::uint64_t before, std::uint64_t now) { shared_bytes_ += now - before; }
  /// Whether `more` bytes would take objects and messages over memory_bytes_max.
  bool memory_exceeded_by(std::uint64_t more) const {
    return engine_.registry().memory_bytes() + messages_bytes_ + more > limits_.memory_bytes_max;
  }
  /// Whether there is room for a channel to get so much shared memory. Objects and messages may use that room
  /// later all the same: a reply must not fail because of it.
  bool has_room_for_shared(std::uint64_t bytes) const { return !memory_exceeded_by(shared_bytes_ + bytes); }
  /// Shared buffer for a read whose bytes no channel has to keep (see Channel::input_space).
  std::span<std::uint8_t> scratch() { return {scratch_.get(), scratch_bytes}; }

  /// Admits no further channel, and wakes all channels, which answer what they have received and end.
  void shut_down();
  /// Closes all channels at once.
  void close_all();
  bool shutting_down() const { return shutting_down_; }
  /// Called when a channel is destroyed, after its session ended (if it did).
  std::function<void()> on_channel_gone;

 private:
  friend class Channel;
  static constexpr std::size_t scratch_bytes = 64 * 1024;

  struct Parked {
    Channel* channel = nullptr;
    std::uint32_t request = 0;
  };

  std::uint64_t engine_deadline_ns() const {
    const std::uint64_t deadline_ns = engine_.next_deadline_ns();
    return journal_ == nullptr ? deadline_ns : journal_->to_steady_ns(deadline_ns);
  }
  std::uint64_t next_timer_ns() const {
    return std::min({engine_deadline_ns(), lease_check_ns_, lane_check_ns_, repeats_.next_ns()});
  }
  void restore_sessions();
  std::string what_may_be_lost() const;
  std::string why_not_restored(SessionId id, const SessionClient& client) const;
  bool can_have_lanes(const wire::Answer& answer, const Peer& peer) const;
  LaneId open_lane(Session& session, const wire::Answer& answer);
  LaneId resume_lane(Session& session, const wire::Answer& answer, Refusal& refusal);
  std::string identity_of(std::uint32_t pid, const Channel& channel) const;
  void leave_lane(Session& session, LaneId lane, std::uint64_t ends_ns);
  void end_lane(Session& session, LaneId lane);
  void end_session(Session& session, std::string why);
  void check_left_lanes(std::uint64_t now_ns);
  std::uint64_t resume_ms() const;
  /// Ends what was recorded outside of the turns of channels.
  void hand_over() {
    if (journal_ != nullptr) journal_->hand_over();
  }
  /// Whether what clients own stays as it is although they lose their connections: until the next start.
  bool suspends() const { return journal_ != nullptr && shutting_down_; }
  std::uint64_t lease_ns() const { return limits_.session_lease_ms * 1'000'000; }
  void check_leases(std::uint64_t now_ns);
  void end_silent(Session& session);
  std::string what_is_lost(const Session& session, std::string why) const;
  void deliver();
  void log_deadlocks();
  void log_repeated(std::uint64_t now_ns, bool all = false);
  void set_timer();
  Session* open_session(const wire::Answer& answer, const Channel& channel, Admission& admission,
                        Refusal& refusal);

  Engine& engine_;
  Journal* const journal_;
  const Limits limits_;
  const Credentials credentials_;
  spdlog::logger& log_;
  Sessions sessions_;
  Statistics statistics_;
  std::unordered_set<Channel*> channels_;
  std::unordered_set<Channel*> held_;           // have replies that wait until they are safe
  std::map<std::uint64_t, Channel*> unproven_;  // channels without a session yet, oldest first
  std::unordered_map<Ticket, Parked> parked_;
  Deliveries spare_;                         // kept for its memory
  std::uint64_t timer_ns_ = never_ns;        // the time last passed to on_deadline_changed
  std::uint64_t lease_check_ns_ = never_ns;  // when the leases of remote sessions are checked next
  std::uint64_t lane_check_ns_ = never_ns;   // when the first of the left lanes ends
  RepeatLimit repeats_;
  std::uint64_t channels_admitted_ = 0;
  std::uint64_t messages_bytes_ = 0;
  std::uint64_t shared_bytes_ = 0;
  std::unique_ptr<std::uint8_t[]> scratch_{new std::uint8_t[scratch_bytes]};
  bool shutting_down_ = false;
  // Channels that have recorded something in this round, and in the last one in which any did.
  std::size_t recorders_ = 0;
  std::size_t recorders_before_ = 0;
  std::uint64_t released_index_ = 0;  // inputs up to this one are safe, and what waited for them was woken
  bool channels_wait_for_journal_ = false;
};

/// "WHAT: over NAME (VALUE)", the text of a ResourceExhausted error.
std::string over_limit(std::string_view what, std::string_view limit_name, std::uint64_t limit);

}  // namespace tandem::server
