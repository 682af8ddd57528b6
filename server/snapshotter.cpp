#include "server/snapshotter.hpp"

#include <signal.h>
#include <spdlog/logger.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "client/os/clock.hpp"
#include "client/os/fork.hpp"
#include "client/os/signals.hpp"

namespace tandem::server {
namespace {

// A log that is shorter is replayed soon, and not worth a snapshot.
constexpr std::uint64_t log_bytes_min = std::uint64_t{64} << 20;
// What took less is no measure of how fast a start is.
constexpr std::uint64_t measured_us_min = 100'000;
constexpr std::chrono::seconds retry_after{60};
constexpr int child_niceness = 10;
constexpr int no_room_status = 2;

std::uint64_t size_of(const std::string& path) {
  std::error_code none;
  const auto size = std::filesystem::file_size(path, none);
  return none ? 0 : size;
}

/// In the child: returns its exit status.
int write_in_child(const std::string& path, const SnapshotHeader& header, const Engine& engine) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpriority(PRIO_PROCESS, 0, child_niceness);
  try {
    write_snapshot(path, header, engine);
    (void)SnapshotReader(path);  // what cannot be read again must not take the place of another one
    return 0;
  } catch (const StorageError& error) {
    return error.kind() == StorageError::Kind::full ? no_room_status : 1;
  } catch (...) {
    return 1;
  }
}

}  // namespace

Snapshotter::Snapshotter(Engine& engine, Journal& journal, SqliteLog& log, const Snapshots& snapshots,
                         const Limits& limits, asio::io_context& io, spdlog::logger& logger)
    : engine_(engine),
      journal_(journal),
      log_(log),
      snapshots_(snapshots),
      recovery_us_max_(limits.recovery_ms_max * 1'000),
      io_(io),
      logger_(logger),
      last_bytes_(journal.recovered().snapshot_bytes) {
  const Recovered& recovered = journal.recovered();
  const std::uint64_t replay_us =
      recovered.took_ms * 1'000 - std::min(recovered.took_ms * 1'000, recovered.load_us);
  if (recovered.load_us > measured_us_min)
    loaded_bytes_per_us_ =
        static_cast<double>(recovered.snapshot_bytes) / static_cast<double>(recovered.load_us);
  if (recovered.engine_us > measured_us_min)
    replay_per_engine_us_ = static_cast<double>(replay_us) / static_cast<double>(recovered.engine_us);
}

SnapshotHeader Snapshotter::describe_state() const {
  SnapshotHeader header = journal_.describe_state();
  header.store = log_.store();
  return header;
}

/// How long a start would take.
std::uint64_t Snapshotter::recovery_us() const {
  const auto engine_us = static_cast<double>(journal_.since_snapshot().engine_us);
  return static_cast<std::uint64_t>(static_cast<double>(last_bytes_) / loaded_bytes_per_us_ +
                                    engine_us * replay_per_engine_us_);
}

/// Whether the log is longer than the last snapshot so many times, or a start would take longer than this; and in both cases
/// not too little was done since the last one.
bool Snapshotter::is_behind(std::uint64_t log_times, std::uint64_t recovery_us_most) const {
  const Journal::SinceSnapshot& since = journal_.since_snapshot();
  return since.log_bytes / log_times > std::max(log_bytes_min, last_bytes_) ||
         (recovery_us() > recovery_us_most && since.engine_us > recovery_us_max_ / 20);
}

bool Snapshotter::is_due() const {
  if (journal_.since_snapshot().inputs == 0 || !is_behind(1, recovery_us_max_ / 2)) return false;
  return Clock::now() >= not_before_ || (fork_is_refused_ && is_overdue());
}

bool Snapshotter::is_overdue() const {
  return is_behind(4, recovery_us_max_);
}

void Snapshotter::begin() {
  if (!journal_.settle() || !engine_.registry().is_clean()) return;
  header_ = describe_state();
  const std::string path = snapshots_.part_path(header_.position.batch);
  pid_t pid = 0;
  std::string why_refused;
  const bool is_begun = journal_.thread().run_while_it_sleeps([&] {
    const Clock::time_point since = Clock::now();
    pid = os::fork_without_listeners();
    if (pid == 0) ::_exit(write_in_child(path, header_, engine_));
    if (pid < 0) why_refused = "no process can be made for it: " + os::errno_text();
    else note_pause(since);
  });
  if (!is_begun) return;
  fork_is_refused_ = pid < 0;
  if (fork_is_refused_) return fork_refused(why_refused);
  journal_.begin_snapshot();
  child_ = pid;
  // What follows goes into a file of its own, so that those before can be removed one day.
  journal_.thread().rotate_when_synced();
  wait_for_child();
}

void Snapshotter::fork_refused(const std::string& why) {
  if (is_overdue()) return write_here(why);
  journal_.begin_snapshot();
  failed(why);
}

void Snapshotter::write_here(const std::string& why) {
  const Clock::time_point since = Clock::now();
  journal_.begin_snapshot();
  try {
    write_snapshot(snapshots_.part_path(header_.position.batch), header_, engine_);
  } catch (const StorageError& error) {
    note_pause(since);
    fork_is_refused_ = false;  // it is not what is in the way
    return failed(error.what());
  }
  note_pause(since);
  logger_.warn("journal: the manager stood still for {} ms to write a snapshot: {}",
               journal_.snapshot_statistics.pause_us / 1'000, why);
  journal_.thread().rotate_when_synced();
  keep(true);
}

/// The engine did nothing else since then.
void Snapshotter::note_pause(Clock::time_point since) {
  SnapshotStatistics& counted = journal_.snapshot_statistics;
  counted.pause_us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - since).count());
  counted.pause_us_max = std::max(counted.pause_us_max, counted.pause_us);
}

void Snapshotter::wait_for_child() {
  const auto open = [this] { return static_cast<int>(::syscall(SYS_pidfd_open, child_, 0)); };
  os::UnsharedDescriptor end = os::UnsharedDescriptor::open(open);
  if (!end) return;  // no descriptor is left: consider() looks for its end
  child_end_ = std::make_unique<WatchedDescriptor>(io_, std::move(end));
  child_end_->wait_readable([this](asio::error_code error) {
    if (!error) child_ended();
  });
}

/// Without being told.
void Snapshotter::look_for_child() {
  siginfo_t ended{};
  const int result = ::waitid(P_PID, static_cast<id_t>(child_), &ended, WEXITED | WNOHANG | WNOWAIT);
  if ((result == 0 && ended.si_pid == child_) || (result < 0 && errno == ECHILD)) child_ended();
}

void Snapshotter::child_ended() {
  const pid_t child = std::exchange(child_, 0);
  child_end_.reset();
  int status = 0;
  pid_t ended = 0;
  while ((ended = ::waitpid(child, &status, 0)) < 0 && errno == EINTR) continue;
  if (ended == child && WIFEXITED(status) && WEXITSTATUS(status) == no_room_status)
    return failed("there is no room for it");
  if (ended == child && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
    return failed("its process ended with status " + std::to_string(status));
  keep(ended == child);
}

/// On the commit thread, since it waits for the disk. A program may have taken the child's status for itself: the file then
/// says whether it is complete.
void Snapshotter::keep(bool is_complete) {
  last_bytes_ = size_of(snapshots_.part_path(header_.position.batch));
  ++journal_.snapshot_statistics.made;
  journal_.snapshot_statistics.bytes = last_bytes_;
  journal_.thread().run_when_synced([this, is_complete, batch = header_.position.batch,
                                     first_needed = std::optional<std::uint64_t>()]() mutable {
    try {
      if (first_needed) return log_.trim_one(*first_needed) || snapshots_.remove_some_old();
      if (!is_complete) (void)SnapshotReader(snapshots_.part_path(batch));
      first_needed = snapshots_.keep(batch);
      logger_.info("journal: a snapshot was made after batch {}", batch);
      return true;
    } catch (const std::exception& error) {
      logger_.error("journal: a snapshot cannot be kept: {}", error.what());
      return false;
    }
  });
}

void Snapshotter::failed(const std::string& why) {
  journal_.give_up_snapshot();
  ++journal_.snapshot_statistics.failed;
  not_before_ = Clock::now() + retry_after;
  logger_.error("journal: a snapshot cannot be made, so the journal grows: {}; trying again in {} s", why,
                retry_after.count());
}

void Snapshotter::end_child() {
  if (child_ == 0) return;
  ::kill(child_, SIGKILL);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) continue;
  child_ = 0;
  child_end_.reset();
}

// ---- the last one -----------------------------------------------------------------------------------------

void Snapshotter::write_last(std::chrono::milliseconds limit) {
  end_child();
  if (journal_.since_snapshot().inputs == 0 && !journal_.has_open_batch()) return;
  while (!engine_.registry().is_clean()) journal_.step(Tick{os::clock_ns()});
  while (!journal_.settle())
    if (!journal_.thread().wait_until_idle(Clock::now() + limit)) return;
  const SnapshotHeader header = describe_state();
  try {
    write_snapshot(snapshots_.part_path(header.position.batch), header, engine_);
    first_needed_ = snapshots_.keep(header.position.batch);
  } catch (const StorageError& error) {
    logger_.error("journal: the last snapshot could not be made: {}", error.what());
  }
}

void Snapshotter::trim() {
  try {
    if (log_.rotate() != AppendStatus::ok) return;
    while (log_.trim_one(first_needed_)) continue;
    while (snapshots_.remove_some_old()) continue;
  } catch (const std::exception& error) {
    logger_.error("journal: {}", error.what());
  }
}

}  // namespace tandem::server
