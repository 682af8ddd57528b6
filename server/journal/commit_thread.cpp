#include "server/journal/commit_thread.hpp"

#include <iterator>

#include "client/os/signals.hpp"
#include "client/os/spin.hpp"
#include "server/journal/effects.hpp"
#include "server/journal/record.hpp"

namespace tandem::server {
namespace {

constexpr std::chrono::milliseconds retry_interval{250};  // while there is no room
constexpr std::chrono::milliseconds rest_interval{5};     // between batches that nobody waits for
constexpr std::chrono::milliseconds look_interval{100};   // at the free space, while there is enough
constexpr std::size_t body_bytes_kept = std::size_t{1} << 20;
// Of the batches in a file. SQLite finds a page of a long write-ahead log more and more slowly.
constexpr std::uint64_t file_bytes_max = std::uint64_t{32} << 20;

}  // namespace

CommitThread::CommitThread(Log& log, const Options& options, Callbacks callbacks)
    : log_(log),
      options_(options),
      callbacks_(std::move(callbacks)),
      written_index_(log.tail().index),
      synced_index_(log.tail().index),
      free_bytes_(log.free_bytes()),
      log_bytes_(log.bytes()),
      advice_(options.busy_poll),
      thread_(os::thread_without_signals([this] { run(); })) {}

CommitThread::~CommitThread() {
  stop(std::chrono::milliseconds(0));
}

// ---- on the engine's thread -------------------------------------------------------------------------------

void CommitThread::commit(wire::Buffer& body, std::uint64_t first, std::uint64_t last,
                          std::uint64_t engine_us) {
  std::swap(body_, body);
  batch_ = {0, first, last, engine_us, body_.view()};
  handed_over_at_ = Clock::now();
  busy_.store(true, std::memory_order_seq_cst);
  // Both sides write their own word before they read the other's, so one of them sees the other.
  if (!sleeping_.load(std::memory_order_seq_cst)) return;
  const std::lock_guard lock(mutex_);
  changed_.notify_one();
}

bool CommitThread::stop(std::chrono::milliseconds limit) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_limit_ = Clock::now() + limit;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  return !is_broken_ && is_idle() && !unsynced_since_;
}

bool CommitThread::commit_here(wire::Buffer& body, std::uint64_t first, std::uint64_t last,
                               std::uint64_t engine_us) {
  const std::unique_lock lock(log_mutex_, std::try_to_lock);
  if (!lock) return false;
  const Clock::time_point since = Clock::now();
  const Batch batch{log_.tail().batch + 1, first, last, engine_us, body.view()};
  const AppendStatus status = append(batch, syncs());
  if (status == AppendStatus::broken) callbacks_.on_broken(log_.failure());
  if (status != AppendStatus::ok) return false;
  note_done(batch, syncs(), since);
  body.clear();
  body.shrink(body_bytes_kept);
  return true;
}

void CommitThread::run_when_synced(Task task) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

/// If there is no room for the file, that is tried again when as much was appended once more.
void CommitThread::rotate_when_synced() {
  run_when_synced([this] {
    (void)log_.rotate();
    return false;
  });
}

bool CommitThread::wait_until_idle(Clock::time_point end) {
  std::unique_lock lock(mutex_);
  const auto is_full = [this] { return !statistics_.full_because.empty(); };
  for (;;) {
    changed_.wait(lock, [&] { return is_idle() || ended_ || is_full(); });
    if (is_idle() || ended_) return is_idle();
    if (!changed_.wait_until(lock, end, [&] { return ended_ || !is_full(); })) return false;
  }
}

CommitStatistics CommitThread::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

// ---- on the thread ----------------------------------------------------------------------------------------

void CommitThread::run() {
  while (wait_for_work() && !is_broken_) {
    run_task_step();
    if (is_broken_) break;
    if (is_idle()) {
      if (sync_is_due()) sync_all();
      if (look_at_free_space()) callbacks_.on_progress();
      continue;
    }
    if (options_.level == JournalLevel::relaxed) rest();
    if (!append_until_room(batch_, syncs(), handed_over_at_)) continue;
    body_.clear();
    body_.shrink(body_bytes_kept);
    {
      const std::lock_guard lock(mutex_);
      busy_.store(false, std::memory_order_release);
      changed_.notify_all();
    }
    callbacks_.on_progress();
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

/// Returns false when everything is done and the thread is to end. May return without work.
bool CommitThread::wait_for_work() {
  if (!is_idle() || !begun_.empty() || poll_busily()) return true;
  std::unique_lock lock(mutex_);
  sleeping_.store(true, std::memory_order_seq_cst);
  changed_.notify_all();  // for run_while_it_sleeps()
  const Clock::time_point since = Clock::now();
  const auto ready = [this] { return stopping_ || !is_idle() || !tasks_.empty(); };
  if (unsynced_since_) changed_.wait_until(lock, *unsynced_since_ + options_.sync_interval, ready);
  else if (is_short_of_room()) changed_.wait_for(lock, retry_interval, ready);
  else changed_.wait(lock, [&] { return ready() || unsynced_since_ || is_short_of_room(); });
  sleeping_.store(false, std::memory_order_relaxed);
  advice_.waited(Clock::now() - since);
  // At the end everything that is written is also to be safe.
  return !is_idle() || !stopping_ || unsynced_since_ || !tasks_.empty();
}

bool CommitThread::poll_busily() {
  if (!advice_.worthwhile()) return false;
  const Clock::time_point since = Clock::now();
  do {
    for (int looks = 0; looks < 64 && is_idle(); ++looks) os::relax();
    if (!is_idle()) {
      advice_.waited(Clock::now() - since);
      return true;
    }
  } while (Clock::now() - since < advice_.limit());
  return false;
}

/// One, so that a batch need not wait for all of them.
void CommitThread::run_task_step() {
  begin_tasks();
  if (begun_.empty() || is_broken_) return;
  is_at_work_ = true;
  bool again = false;
  {
    const std::lock_guard lock(log_mutex_);
    again = begun_.front()();
  }
  if (!again) begun_.pop_front();
  is_at_work_ = false;
}

void CommitThread::begin_tasks() {
  std::vector<Task> tasks;
  bool is_unsynced = false;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
    is_unsynced = unsynced_since_.has_value();
  }
  if (tasks.empty()) return;
  if (is_unsynced) sync_all();
  std::move(tasks.begin(), tasks.end(), std::back_inserter(begun_));
}

/// So that there are few batches and much in each.
void CommitThread::rest() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, rest_interval, [this] { return stopping_; });
}

bool CommitThread::sync_is_due() const {
  const std::lock_guard lock(mutex_);
  return unsynced_since_ && (stopping_ || Clock::now() - *unsynced_since_ >= options_.sync_interval);
}

/// Returns false if that failed for ever.
bool CommitThread::append_until_room(Batch batch, bool sync, Clock::time_point since) {
  for (;;) {
    std::unique_lock lock(log_mutex_);
    batch.number = log_.tail().batch + 1;
    if (batch.last < batch.first) batch.first = (batch.last = log_.tail().index) + 1;
    const AppendStatus status = append(batch, sync);
    if (status == AppendStatus::ok) return note_done(batch, sync, since), true;
    const std::string why = log_.failure();
    lock.unlock();
    if (status == AppendStatus::broken) {
      is_broken_ = true;
      callbacks_.on_broken(why);
      return false;
    }
    look_at_free_space();
    if (!wait_for_room(why)) return false;
  }
}

/// Returns false if the thread is to end first.
bool CommitThread::wait_for_room(const std::string& why) {
  std::unique_lock lock(mutex_);
  ++statistics_.times_full;
  statistics_.full_because = why;
  changed_.notify_all();
  const Clock::time_point retry_at = Clock::now() + retry_interval;
  changed_.wait_until(lock, retry_at, [&] { return stopping_ && Clock::now() >= stop_limit_; });
  if (!stopping_ || Clock::now() < stop_limit_) return true;
  is_broken_ = true;
  return false;
}

/// All that is written when it begins.
void CommitThread::sync_all() {
  is_at_work_ = true;
  if (!sync_apart()) append_sync_batch();
  is_at_work_ = false;
}

/// The engine's thread may commit meanwhile. Returns false if that cannot be.
bool CommitThread::sync_apart() {
  std::optional<SyncApart> sync;
  {
    const std::lock_guard lock(log_mutex_);
    sync = log_.begin_sync();
  }
  if (!sync) return false;
  const Clock::time_point since = Clock::now();
  const bool succeeded = sync->run();
  std::unique_lock log_lock(log_mutex_);
  log_.end_sync(*sync, succeeded);
  if (!succeeded) {
    const std::string why = log_.failure();
    log_lock.unlock();
    is_broken_ = true;
    callbacks_.on_broken(why);
    return true;
  }
  synced_index_.store(std::max(synced_index(), sync->position.index), std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    unsynced_since_.reset();
    if (written_index() != sync->position.index) unsynced_since_ = since;
    ++statistics_.syncs;
  }
  log_lock.unlock();
  callbacks_.on_progress();
  return true;
}

/// A batch without inputs, with which all that was written before becomes safe.
void CommitThread::append_sync_batch() {
  wire::Buffer body;
  RecordWriter().write(body, CheckRecord{EffectsHash().value()});
  if (append_until_room({0, 1, 0, 0, body.view()}, true, Clock::now())) callbacks_.on_progress();
}

// ---- on either thread -------------------------------------------------------------------------------------

/// With the log's mutex.
AppendStatus CommitThread::append(const Batch& batch, bool sync) {
  const Clock::time_point since = Clock::now();
  const AppendStatus status = log_.append(batch, sync);
  if (sync) {
    const auto took_ns = static_cast<std::uint64_t>((Clock::now() - since).count());
    recent_sync_ns_.store((recent_sync_ns_.load(std::memory_order_relaxed) * 7 + took_ns) / 8,
                          std::memory_order_relaxed);
  }
  return status;
}

/// With the log's mutex.
void CommitThread::note_done(const Batch& batch, bool sync, Clock::time_point since) {
  const Clock::time_point now = Clock::now();
  written_index_.store(batch.last, std::memory_order_release);
  if (sync) synced_index_.store(batch.last, std::memory_order_release);
  appended_since_look_ += batch.body.size();
  appended_since_rotation_ += batch.body.size();
  if (appended_since_rotation_ > file_bytes_max) {
    appended_since_rotation_ = 0;
    rotate_when_synced();
  }
  const bool was_short = is_short_of_room();
  if (was_short || now - looked_at_ > look_interval || may_be_short_of_room()) note_free_space();
  const std::lock_guard lock(mutex_);
  const bool was_synced = !unsynced_since_;
  if (sync) unsynced_since_.reset();
  else if (was_synced) unsynced_since_ = now;
  // What the thread has to do by itself later; this may be another one.
  if ((was_synced && unsynced_since_) || (!was_short && is_short_of_room())) changed_.notify_all();
  ++statistics_.commits;
  statistics_.syncs += sync ? 1 : 0;
  statistics_.body_bytes += batch.body.size();
  statistics_.commit_time.add(static_cast<std::uint64_t>((now - since).count()));
  statistics_.full_because.clear();
}

/// Returns whether it has changed from little to enough, or back.
bool CommitThread::look_at_free_space() {
  const std::lock_guard lock(log_mutex_);
  const bool was_short = is_short_of_room();
  note_free_space();
  return was_short != is_short_of_room();
}

void CommitThread::note_free_space() {
  looked_at_ = Clock::now();
  appended_since_look_ = 0;
  try {
    free_bytes_.store(log_.free_bytes(), std::memory_order_relaxed);
    log_bytes_.store(log_.bytes(), std::memory_order_relaxed);
  } catch (const JournalError&) {
    // The folder is read by a descriptor, and none may be left. It is looked at again soon.
  }
}

}  // namespace tandem::server
