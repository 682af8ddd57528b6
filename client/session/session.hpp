#pragma once
// One session of this process with a manager: its channels, which thread has which, and what happens to them
// at a fork. Every proxy holds its session; the session ends with the last of them.
//
// Channels: a thread gets one at its first call and keeps it until the thread ends; then the channel is idle
// until another thread needs one. The session lives as long as one of its channels, so some are always kept.
// A call made while another call of the same thread is being composed (e.g. by a user's to_json) borrows
// another channel.
//
// When a channel breaks that has a lane, it is resumed over another connection, and the call goes on; the manager does
// not carry out twice what it has carried out before. Without a lane the call on it fails and is not repeated, since it
// may have been executed. The next call opens another channel. If the session has ended, that fails, for good: what the
// session held is lost.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/os/fork.hpp"
#include "client/session/channel.hpp"
#include "client/session/gate.hpp"
#include "client/session/keep_alive.hpp"
#include "client/session/outage.hpp"
#include "client/session/request_budget.hpp"
#include "client/session/thread_channels.hpp"
#include "client/transport/connector.hpp"
#include "tandem/codec/encoder.hpp"
#include "tandem/options.hpp"
#include "tandem/reconnection.hpp"

namespace tandem::client {

/// A session opened for another process: all that it needs to continue the session, except the channel's
/// descriptor.
struct OfferedSession {
  Reach reach;
  Options options;
  wire::Incarnation incarnation{};
  wire::Welcome welcome;
};

class Session final : public std::enable_shared_from_this<Session>,
                      public ThreadChannelOwner,
                      private os::ForkListener {
 public:
  /// Opens the session. Of the options, only the time limits matter here. Throws what Connector::open throws.
  static SessionPtr open(std::unique_ptr<Connector> connector, const Options& options);
  /// Continues a session that another process offered. Takes ownership of `descriptor`, its channel's socket.
  static SessionPtr adopt(const OfferedSession& offered, int descriptor);
  ~Session();

  /// Returns a channel for one call of this thread; return it with release(). Throws what Connector::open
  /// throws.
  Channel& acquire();
  void release(Channel& channel) noexcept;
  /// Channel::exchange, on a channel that was acquired, which is resumed if it breaks. Throws StreamClosed and TimedOut.
  Reply exchange(Channel& channel, const RequestTarget& target, std::chrono::milliseconds timeout,
                 const std::stop_token& stop = {}, LongResult* long_result = nullptr) {
    const os::Deadline deadline(timeout);
    try {
      return channel.exchange(target, deadline, stop, long_result);
    } catch (const StreamClosed& closed) {
      if (!may_resume(channel, closed)) throw;
      return exchange_again(channel, closed, target, deadline, stop, long_result);
    }
  }
  /// Whether a channel that broke so may be resumed.
  bool may_resume(const Channel& channel, const StreamClosed& closed) const;
  /// A connection has broken: `outage` begins, if it is null, or goes on.
  void note_break(std::shared_ptr<Outage>& outage, const StreamClosed& why) const;
  /// Resumes the channel, on its lane. `in_doubt_since_ns`: when the first of its requests without a reply was sent, by os::boot_clock_ns(); none: there
  /// are no such. Throws StreamClosed when that takes longer than the outage may, or cannot succeed; TimedOut after `deadline`.
  void resume(Channel& channel, Outage& outage, const os::Deadline& deadline,
              std::optional<std::uint64_t> in_doubt_since_ns);
  // Called by a thread that ends, and at the end of an actor. They do not wait for a reply.
  void take_back(const ThreadChannel& channel, std::uint32_t ended) noexcept override;
  void actor_ended(std::uint64_t session, std::uint32_t actor) noexcept override;
  /// Has the manager notified when this actor, which is used by the calling thread only, has ended.
  void use_actor(Actor& actor) { actor.used_in(number_, weak_from_this()); }
  void end_actor(std::uint32_t actor) noexcept { notify({Notice::Of::ended_thread, actor}); }

  /// Returns a channel for a caller with many requests under way, on any thread; return it with release()
  /// once all its replies are read. Throws as acquire() does.
  Channel& take_channel();
  /// Returns the session's budget; opens the session if necessary (in a forked child). Throws as acquire()
  /// does.
  std::shared_ptr<RequestBudget> budget();

  /// Counts the references of this process, so that a fork knows whether there is anything to inherit.
  void count_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  /// Decrements that count and sends a release to the manager. Does not wait for a reply.
  void give_back_reference(std::uint64_t object) noexcept;

  /// Opens a session for another process that holds `references`, and stores its channel's socket in
  /// `descriptor` before a fork can copy it. Throws what Connector::open throws, the manager's errors, and
  /// ConnectionError if the manager cannot be reached from another process.
  OfferedSession offer_session(std::span<const wire::Reference> references, std::atomic<int>& descriptor);
  /// Called when the manager has ended the session; `lost` lists what it owned. Calls the callback, once, on
  /// this thread.
  void session_lost(const SessionLost& lost);
  /// Returns why a channel is closed: `closed`, unless it was closed because the session is lost.
  StreamClosed reason_of(const StreamClosed& closed) const;
  /// Sets the callback for a lost session, in place of an earlier one. Calls it at once if the session is
  /// already lost.
  void on_session_lost(std::function<void(const SessionLost&)> callback);
  /// Sets the callback for connections that were made anew, in place of an earlier one.
  void on_reconnect(std::function<void(const Reconnection&)> callback);
  /// Called when the outcome of a waiting request is unknown: it may have been granted a lock. Closes all
  /// channels, which ends the session and releases what it owns; calls under way on other threads fail, and
  /// so does the next call.
  void give_up_session() noexcept;
  /// The same where `lost` is the reason that those calls, and later ones, throw. Calls the callback, once, on this
  /// thread.
  void give_up_session(const SessionLost& lost);

  std::string address() const { return connector_->address(); }
  std::chrono::milliseconds call_timeout() const { return options_.call_timeout; }

  std::uint64_t id() const;

  /// Identifies the manager, the same for all sessions with it; zero before the session is opened.
  wire::Incarnation incarnation() const;
  std::size_t channels_count() const;

 private:
  Session(std::unique_ptr<Connector> connector, const Options& options);

  Channel& acquire_slowly();
  Channel& check_out(std::chrono::milliseconds timeout);
  Channel& open_channel(std::chrono::milliseconds timeout);
  Reply exchange_again(Channel& channel, const StreamClosed& closed, const RequestTarget& target,
                       const os::Deadline& deadline, const std::stop_token& stop, LongResult* long_result);
  Channel& open_channel_at_once(std::chrono::milliseconds timeout, bool& restarted);
  Channel& open_channel_later(const Error& error, const os::Deadline& deadline);
  bool can_be_resumed() const;
  template <class F>
  void until_reached(Outage& outage, const os::Deadline& deadline, F&& attempt);
  void reconnected(const Reconnection& reconnection);
  Opened open_on_lane(const Channel& channel, std::chrono::milliseconds timeout,
                      std::optional<std::uint64_t> in_doubt_since_ns);
  OpenRequest request_for(wire::Purpose purpose) const;
  void confirm_notices(Channel& channel) noexcept;
  void confirm_idle_notices() noexcept;
  Channel& best_channel();
  Opened open_session(std::chrono::milliseconds timeout);
  Opened join_session(std::chrono::milliseconds timeout);
  void check_same_manager(const Opened& opened) const;
  void enter(const wire::Welcome& welcome);
  void keep_alive();
  Heard ping(std::chrono::milliseconds timeout);
  void answered_ping(std::chrono::milliseconds timeout);
  void cut_off();
  std::function<void(const SessionLost&)> note_loss(const SessionLost& lost);
  void retire(Channel& channel) noexcept;
  void put_aside(Channel& channel) noexcept;
  void notify(const Notice& notice) noexcept;
  bool notify_by_idle_channel(const Notice& notice) noexcept;
  void notify_by_new_channel(const Notice& notice) noexcept;
  void send_postponed(Channel& channel) noexcept;

  void inherit() noexcept;
  std::chrono::milliseconds inherit_timeout() const;
  void before_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override;

  // Constant, except that a forked child's only thread changes number_.
  const std::unique_ptr<Connector> connector_;
  const Options options_;
  std::uint64_t number_;  // see ThreadChannel

  // Used by any thread without mutex_.
  std::atomic<std::int64_t> references_{0};
  std::atomic<bool> has_postponed_{false};
  // Entered while a channel is being opened: a fork must not copy one that is in no list yet.
  Gate opening_channels_;
  // Ensures that only one session is opened. Locked only inside the gate, and before mutex_.
  std::mutex opening_session_;

  // Guarded by mutex_.
  mutable std::mutex mutex_;
  wire::Incarnation incarnation_{};
  wire::Welcome welcome_;  // session 0: not opened yet
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<Channel*> idle_;             // of channels_, the last used last
  std::vector<Notice> postponed_;          // those that no channel could send yet
  std::unique_ptr<KeepAlive> keep_alive_;  // while the session has a lease
  std::function<void(const SessionLost&)> callback_;
  std::function<void(const Reconnection&)> reconnected_;
  bool given_up_ = false;
  std::optional<SessionLost> lost_;
  std::shared_ptr<RequestBudget> budget_;            // from welcome_
  std::vector<std::unique_ptr<Channel>> abandoned_;  // the parent's, in use by calls begun before a fork

  // Between before_fork() and the function called after the fork: the child's first channel.
  std::unique_ptr<Channel> inheritance_;
  wire::Welcome inherited_welcome_;
  bool silent_ = false;  // used by before_fork() only: the manager did not answer at the last fork
  bool is_ping_unanswered_ = false;  // used by the thread of keep_alive_ only: the last one, on its channel
};

/// Returns whether both are sessions with the same manager.
bool same_manager(const Session* a, const Session* b);

}  // namespace tandem::client
