#pragma once
// The journal of a running manager: every input that changes the engine goes through here, is recorded, and is safe once its
// batch is in the log. What was computed from a state is to be sent to nobody before the last input of that state is
// safe (see Outbox::hold). Used on the engine's thread.

#include <functional>
#include <memory>

#include "server/journal/commit_thread.hpp"
#include "server/journal/effects.hpp"
#include "server/journal/record.hpp"
#include "server/journal/recovery.hpp"
#include "server/journal/snapshot.hpp"
#include "server/structures/id_table.hpp"

namespace tandem::server {

/// Of the snapshots that were begun while the manager runs.
struct SnapshotStatistics {
  std::uint64_t made = 0;
  std::uint64_t failed = 0;
  std::uint64_t bytes = 0;         // of the last one
  std::uint64_t pause_us = 0;      // for which the last one stopped the engine
  std::uint64_t pause_us_max = 0;  // for which any did
};

class Journal {
 public:
  struct Options {
    std::string folder;  // for people
    JournalLevel level = JournalLevel::disk;
    std::chrono::microseconds busy_poll{0};
    /// Whether short batches are committed on the engine's thread where that takes less time than another one does.
    bool commits_here = true;
    /// Called on another thread: more inputs are safe, or the room on the disk has changed.
    std::function<void()> on_progress;
    /// The journal can no longer be written, or the engine's state is no longer that of its inputs. Called on any thread; does
    /// not return.
    std::function<void(const std::string& why)> on_fatal;
  };

  /// `log` leads to the state that `engine` is in. Both outlive the journal.
  Journal(Engine& engine, Log& log, const Recovered& recovered, Options options);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Records a start with these facts and limits, and waits until it is safe. To be called once, first. `wall_ns`: the
  /// time since 1970, to which the engine's clock is set unless it is ahead; `now_ns`: the clock's that inputs have.
  /// `types`: names of the program's own hosted types. Throws JournalError.
  void start(const ServerInfo& info, const Limits& limits, std::vector<std::string> types,
             std::uint64_t wall_ns, std::uint64_t now_ns);
  /// Waits until everything is safe, and says so in the journal; at most for `limit` if the disk is full. Returns whether
  /// that succeeded.
  bool stop(std::chrono::milliseconds limit);

  // Inputs: their times are those of the steady clock.
  Outcome step(const Call& input, wire::Buffer& reply);
  void step(const Cancel& input) { record(input); }
  void step(const Tick& input) { record(input); }
  void step(const SessionOpened& input) { record(input); }
  void step(const SessionIdentified& input) { record(input); }
  void step(const SessionClosed& input) { record(input); }
  void step(const LaneOpened& input) { record(input); }
  void step(const LaneEnded& input) { record(input); }
  void step(const Acknowledged& input) { record(input); }

  /// Of the last input, and of the last one that is safe at the journal's level.
  std::uint64_t index() const { return index_; }
  std::uint64_t safe_index() const;
  /// Commits what was recorded, or has it committed by the thread; not if a batch is still on its way there: then
  /// on_progress follows. To be called when there is no more to record for now.
  void hand_over() {
    if (!open_.empty() && !is_settling_ && thread_->is_idle()) close_batch(is_faster_here());
  }
  bool has_open_batch() const { return !open_.empty(); }
  /// Commits what was recorded, here if the disk is not full, so that the log leads to the engine's state. Returns whether it
  /// does. While a batch is on its way it does not: then nothing more is handed over, or with many clients there would always
  /// be one, and this is to be called again until it succeeds.
  bool settle();
  /// Describes the engine's state, once the log leads to it, but for its store.
  SnapshotHeader describe_state() const;
  /// A snapshot of the state that the log leads to now is being made.
  void begin_snapshot() { before_snapshot_ = std::exchange(since_snapshot_, {}); }
  /// It could not be made.
  void give_up_snapshot() {
    since_snapshot_.inputs += before_snapshot_.inputs;
    since_snapshot_.log_bytes += before_snapshot_.log_bytes;
    since_snapshot_.engine_us += before_snapshot_.engine_us;
  }
  /// What a replay would have to do from there on.
  struct SinceSnapshot {
    std::uint64_t inputs = 0;
    std::uint64_t log_bytes = 0;
    std::uint64_t engine_us = 0;
  };
  const SinceSnapshot& since_snapshot() const { return since_snapshot_; }
  /// Counted by whoever makes them.
  SnapshotStatistics snapshot_statistics;
  CommitThread& thread() { return *thread_; }
  /// The last input on which the reply to the last call depends: before that is safe, nobody may see it.
  std::uint64_t reply_depends_on() const { return reply_depends_on_; }
  /// Whether no batch is on its way.
  bool is_idle() const { return thread_->is_idle(); }
  /// Whether so much is recorded and not written yet that clients are to wait with further requests.
  bool is_behind() const { return open_.size() > pending_bytes_max_; }

  /// The engine's time, and back.
  std::uint64_t to_engine_ns(std::uint64_t steady_ns) const { return steady_ns + clock_offset_ns_; }
  std::uint64_t to_steady_ns(std::uint64_t engine_ns) const;

  /// Whether something may be missing that clients of the last start were told of.
  bool may_have_lost() const { return may_have_lost_; }

  // For people.
  const std::string& folder() const { return options_.folder; }
  JournalLevel level() const { return options_.level; }
  const Recovered& recovered() const { return recovered_; }
  std::uint64_t start_number() const { return recovered_.start + 1; }
  std::uint64_t written_index() const { return thread_->written_index(); }
  std::uint64_t synced_index() const { return thread_->synced_index(); }
  std::uint64_t free_bytes() const { return thread_->free_bytes(); }
  std::uint64_t log_bytes() const { return thread_->log_bytes(); }
  std::uint64_t pending_bytes() const { return open_.size(); }
  CommitStatistics statistics() const { return thread_->statistics(); }

 private:
  template <class Input>
  void record(Input input);
  template <class Step>
  auto without_bad_alloc(Step&& step);
  bool refuses(const Call& input, Failure& failure) const;
  std::uint64_t dependence_of_read(const Call& call, const Outcome& outcome) const;
  void recorded(ObjectId only_changed);
  void forget_safe_changes();
  void close_batch(bool wants_here);
  bool is_faster_here() const;
  void commit_start(const StartRecord& record);

  Engine& engine_;
  Log& log_;
  const Recovered recovered_;
  const Options options_;
  std::uint64_t pending_bytes_max_ = 0;
  std::uint64_t free_bytes_min_ = 0;
  std::uint64_t clock_offset_ns_ = 0;

  // The batch that is being collected.
  wire::Buffer open_;
  RecordWriter writer_;
  EffectsHash effects_;
  std::uint64_t first_ = 1;  // index of its first input
  std::uint64_t engine_ns_ = 0;
  bool is_settling_ = false;
  std::uint64_t index_ = 0;

  SinceSnapshot since_snapshot_;
  SinceSnapshot before_snapshot_;  // since the one before the one that is being made

  // Which inputs changed what, as far as they may be unsafe: those that changed one object alone, and the last of the others.
  IdTable<std::uint64_t> changed_at_;
  std::uint64_t others_changed_at_ = 0;
  std::uint64_t reply_depends_on_ = 0;

  bool may_have_lost_ = false;

  std::unique_ptr<CommitThread> thread_;  // once it has started
};

}  // namespace tandem::server
