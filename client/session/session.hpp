#pragma once
// One session of this process with one manager: its channels, which thread has which, and what becomes of them at a
// fork. Every proxy holds its connection; the session ends with the last of them.
//
// Channels: a thread gets one at its first call and keeps it until it ends; then the channel waits for the next
// thread. The session lives as long as one of its channels, so some are always kept. A call made while another call
// of the same thread is being put together (by a user's to_json, say) borrows a channel for its time.
//
// When a channel breaks, the call on it fails and is not run again, since nobody knows whether it was done. The next
// one opens another channel, which fails too if the session has ended, for good: what it held is gone.

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
#include "client/session/request_budget.hpp"
#include "client/session/thread_channels.hpp"
#include "client/transport/connector.hpp"
#include "tandem/codec/encoder.hpp"
#include "tandem/options.hpp"

namespace tandem::client {

/// A session that was opened for another process, and all that it needs to go on with it, but the channel's descriptor.
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
  /// Opens the session. Of the options, it is the time limits that matter here. Throws what Connector::open throws.
  static SessionPtr open(std::unique_ptr<Connector> connector, const Options& options);
  /// Goes on with a session that another process offered. `descriptor`: its channel's socket, which this takes over.
  static SessionPtr adopt(const OfferedSession& offered, int descriptor);
  ~Session();

  /// A channel for one call of this thread, to be given to release(). Throws ConnectionError when none can be opened.
  Channel& acquire();
  void release(Channel& channel) noexcept;
  /// From a thread that ends.
  void take_back(const ThreadChannel& channel) noexcept override;

  /// A channel for whoever has many requests under way, from any thread, to be given to release() once all its replies
  /// are read. Throws as acquire() does.
  Channel& take_channel();
  /// Of this session, which is opened if it is not yet (in a forked child); throws as acquire() does.
  std::shared_ptr<RequestBudget> budget();

  /// Counts the references that this process holds, so that a fork knows whether there is anything to inherit.
  void count_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  /// Uncounts one and tells the manager. Never waits for an answer.
  void give_back_reference(std::uint64_t object) noexcept;

  /// Opens a session for another process that holds `references`. `descriptor` gets its channel's socket before a fork
  /// can copy it. Throws what Connector::open throws, what the manager answers, and ConnectionError when the manager
  /// cannot be reached from another process.
  OfferedSession offer_session(std::span<const wire::Reference> references, std::atomic<int>& descriptor);
  /// The session has ended under us; `lost` says what it owned. Tells the callback, once, on this thread.
  void session_lost(const SessionLost& lost);
  /// Who is to be told of it; takes the place of the one before. Called at once if the session is lost already.
  void on_session_lost(std::function<void(const SessionLost&)> callback);
  /// Nobody knows what became of a request that waits: it may have been granted a lock. The session ends, and whatever
  /// it owns goes on to others; calls under way on other threads fail, and the next call is told.
  void give_up_session() noexcept;

  std::string address() const { return connector_->address(); }
  std::chrono::milliseconds call_timeout() const { return options_.call_timeout; }

  std::uint64_t session() const;
  /// Tells the manager that this client is there. False: the session is lost.
  bool ping();

  /// Which manager this is, the same for all connections to it; zero before the session is opened.
  wire::Incarnation incarnation() const;
  std::size_t channels_count() const;

 private:
  Session(std::unique_ptr<Connector> connector, const Options& options);

  Channel& acquire_slowly();
  Channel& check_out(std::chrono::milliseconds timeout);
  Channel& open_channel(std::chrono::milliseconds timeout);
  Channel& best_channel();
  Opened open_session(std::chrono::milliseconds timeout);
  Opened join_session(std::chrono::milliseconds timeout);
  void check_same_manager(const Opened& opened) const;
  void enter(const wire::Welcome& welcome);
  void keep_alive();
  void retire(Channel& channel) noexcept;
  void put_aside(Channel& channel) noexcept;
  bool give_back_by_idle_channel(std::uint64_t object) noexcept;
  void give_back_by_new_channel(std::uint64_t object) noexcept;
  void send_postponed(Channel& channel) noexcept;

  void inherit() noexcept;
  void before_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override;

  // Never changed, but by a forked child's one thread.
  const std::unique_ptr<Connector> connector_;
  const Options options_;
  std::uint64_t number_;  // see ThreadChannel

  // Any thread's.
  std::atomic<std::int64_t> references_{0};
  std::atomic<bool> has_postponed_{false};
  // Passed while a channel is being opened: a fork must not copy one that is in no list yet.
  Gate opening_channels_;
  // So that there is only one session; only within the gate, and before mutex_.
  std::mutex opening_session_;

  // Guarded by mutex_.
  mutable std::mutex mutex_;
  wire::Incarnation incarnation_{};
  wire::Welcome welcome_;  // session 0: not opened yet
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<Channel*> idle_;             // of channels_, last used last
  std::vector<std::uint64_t> postponed_;   // objects of references that no channel could give back yet
  std::unique_ptr<KeepAlive> keep_alive_;  // while the session has a lease
  std::function<void(const SessionLost&)> callback_;
  std::optional<SessionLost> lost_;
  std::shared_ptr<RequestBudget> budget_;  // of welcome_
  std::vector<std::unique_ptr<Channel>>
      abandoned_;  // the parent's, which calls begun before a fork still point to

  // Between before_fork and what follows it: the child's first channel.
  std::unique_ptr<Channel> inheritance_;
  wire::Welcome inherited_welcome_;
};

/// Whether both lead to the same manager, be it by two sessions.
bool same_manager(const Session* a, const Session* b);

}  // namespace tandem::client
