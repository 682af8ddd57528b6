#pragma once
// The thread that appends batches to the log, so that the engine never waits for the disk. It has one batch at a time:
// what comes meanwhile is collected for the next one (group commit).

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/os/busy_poll.hpp"
#include "server/journal/log.hpp"
#include "server/structures/latency_histogram.hpp"
#include "tandem/server_options.hpp"

namespace tandem::server {

/// What the thread has done so far.
struct CommitStatistics {
  std::uint64_t commits = 0;
  std::uint64_t syncs = 0;       // commits that waited for the disk
  std::uint64_t times_full = 0;  // attempts that found no room
  std::uint64_t body_bytes = 0;  // of batches
  LatencyHistogram commit_time;  // from the hand-over until it is done
  std::string full_because;      // not empty: the batch that waits finds no room
};

class CommitThread {
 public:
  struct Options {
    JournalLevel level = JournalLevel::disk;
    std::chrono::milliseconds sync_interval{
        1000};                               // after which what is written is synced, whatever the level
    std::uint64_t free_bytes_watched = 0;    // below it, the free space is looked at again and again
    std::chrono::microseconds busy_poll{0};  // how long it looks for the next batch without sleeping
  };
  /// Called on the thread: after every commit and change of the free space; and when nothing more can be appended.
  struct Callbacks {
    std::function<void()> on_progress;
    std::function<void(const std::string& why)> on_broken;
  };

  /// Nobody else uses the log until stop().
  CommitThread(Log& log, const Options& options, Callbacks callbacks);
  /// Calls stop() with no time.
  ~CommitThread();
  CommitThread(const CommitThread&) = delete;
  CommitThread& operator=(const CommitThread&) = delete;

  // On the engine's thread.
  /// Whether commit() may be called.
  bool is_idle() const { return !busy_.load(std::memory_order_acquire); }
  /// Takes over the contents of `body`, which gets an empty buffer for them.
  void commit(wire::Buffer& body, std::uint64_t first, std::uint64_t last, std::uint64_t engine_us);
  /// Appends it on this thread. Returns false if the log is in use or there is no room: then commit() is to be called.
  bool commit_here(wire::Buffer& body, std::uint64_t first, std::uint64_t last, std::uint64_t engine_us);
  /// Whether a sync is likely to take less than a millisecond.
  bool sync_is_fast() const { return recent_sync_ns_.load(std::memory_order_relaxed) < fast_sync_ns; }
  /// Uses the log. Returns whether it is to be called again: in between, what others have is committed.
  using Task = std::function<bool()>;
  /// Runs `task` on the thread as soon as everything that is written is synced.
  void run_when_synced(Task task);
  /// Runs `f` while the thread sleeps: a fork then finds it in the middle of nothing. Not every allocator can be used in the
  /// child of a process whose other threads were using it. Returns false, and has not run it, if the thread has something to
  /// do.
  template <class F>
  bool run_while_it_sleeps(F&& f) {
    if (!is_idle() || is_at_work_) return false;
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, options_.busy_poll + falls_asleep_within,
                           [this] { return sleeping_.load(); }))
      return false;
    f();
    return true;
  }
  /// Has further batches go into a new file, as soon as that can be.
  void rotate_when_synced();
  /// Waits for that, but not longer than until `end` if the file system is full. Returns whether it is idle.
  bool wait_until_idle(std::chrono::steady_clock::time_point end);
  /// Waits until the batch that it has is committed and everything is synced, and ends the thread. Gives up after `limit`
  /// if the file system is full. Returns whether everything is safe.
  bool stop(std::chrono::milliseconds limit);

  // On any thread.
  /// The index of the last input that survives the end of this process, and a power failure.
  std::uint64_t written_index() const { return written_index_.load(std::memory_order_acquire); }
  std::uint64_t synced_index() const { return synced_index_.load(std::memory_order_acquire); }
  /// Of the file system, and that the log occupies; looked at from time to time.
  std::uint64_t free_bytes() const { return free_bytes_.load(std::memory_order_relaxed); }
  /// Of the log.
  LogPosition tail() {
    const std::lock_guard lock(log_mutex_);
    return log_.tail();
  }
  std::uint64_t log_bytes() const { return log_bytes_.load(std::memory_order_relaxed); }
  CommitStatistics statistics() const;

 private:
  using Clock = os::BusyPoll::Clock;
  static constexpr std::uint64_t fast_sync_ns = 1'000'000;
  // After it has looked for work busily.
  static constexpr std::chrono::milliseconds falls_asleep_within{1};

  void run();
  bool wait_for_work();
  bool poll_busily();
  void rest();
  bool sync_is_due() const;
  bool append_until_room(Batch batch, bool sync, Clock::time_point since);
  bool wait_for_room(const std::string& why);
  void run_task_step();
  void begin_tasks();
  void sync_all();
  bool sync_apart();
  void append_sync_batch();
  bool syncs() const { return options_.level == JournalLevel::disk; }
  AppendStatus append(const Batch& batch, bool sync);
  void note_done(const Batch& batch, bool sync, Clock::time_point since);
  bool look_at_free_space();
  void note_free_space();
  /// Whether what was appended since may have taken much of the room beyond.
  bool may_be_short_of_room() const {
    return appended_since_look_ > (free_bytes() - std::min(free_bytes(), options_.free_bytes_watched)) / 4;
  }
  bool is_short_of_room() const { return free_bytes() < options_.free_bytes_watched; }

  Log& log_;
  const Options options_;
  const Callbacks callbacks_;

  // The batch that was handed over; the engine's thread uses these while the other is idle.
  wire::Buffer body_;
  Batch batch_;
  Clock::time_point handed_over_at_;
  std::atomic<bool> busy_{false};

  std::atomic<std::uint64_t> written_index_;
  std::atomic<std::uint64_t> synced_index_;
  std::atomic<std::uint64_t> recent_sync_ns_{fast_sync_ns};  // a weighted mean
  std::atomic<std::uint64_t> free_bytes_;
  std::atomic<std::uint64_t> log_bytes_;

  // The thread's own.
  os::BusyPoll advice_;
  bool is_broken_ = false;
  std::deque<Task> begun_;  // tasks for which everything is synced

  std::mutex log_mutex_;                       // held while the log is in use; guards what follows
  Clock::time_point looked_at_;                // when the free space was
  std::uint64_t appended_since_look_ = 0;      // bytes of batches
  std::uint64_t appended_since_rotation_ = 0;  // likewise

  mutable std::mutex mutex_;  // guards what follows; may be locked while the other one is
  std::optional<Clock::time_point> unsynced_since_;
  std::condition_variable changed_;
  std::vector<Task> tasks_;
  bool stopping_ = false;
  bool ended_ = false;
  Clock::time_point stop_limit_;
  CommitStatistics statistics_;
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> is_at_work_{false};  // on a task or a sync, which may take long

  std::thread thread_;
};

}  // namespace tandem::server
