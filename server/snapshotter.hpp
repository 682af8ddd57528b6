#pragma once
// Makes snapshots while the manager runs: a forked child writes the state as it was at the fork, and the engine goes on.
// Where the system refuses a fork, which needs as much memory again by the strictest account, the engine stands still and
// writes it, once a start would else take too long.

#include <asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <string>

#include "server/journal/journal.hpp"
#include "server/journal/snapshots.hpp"
#include "server/journal/sqlite_log.hpp"
#include "server/transport/watched_descriptor.hpp"

namespace spdlog {
class logger;
}

namespace tandem::server {

/// Used on the engine's thread.
class Snapshotter {
 public:
  /// All of these outlive it.
  Snapshotter(Engine& engine, Journal& journal, SqliteLog& log, const Snapshots& snapshots,
              const Limits& limits, asio::io_context& io, spdlog::logger& logger);
  /// Ends a child that is at work.
  ~Snapshotter() { end_child(); }
  Snapshotter(const Snapshotter&) = delete;
  Snapshotter& operator=(const Snapshotter&) = delete;

  /// Begins one if it is time. Cheap if it is not.
  void consider() {
    if (child_ == 0) {
      if (is_due()) [[unlikely]]
        begin();
    } else if (child_end_ == nullptr) {
      look_for_child();
    }
  }
  /// Writes one here and now, unless the last one is of the same state. Nothing else may be recorded meanwhile. Gives up
  /// after `limit` if the disk is full. What it makes superfluous is removed by trim(), once the journal has stopped.
  void write_last(std::chrono::milliseconds limit);
  void trim();

 private:
  using Clock = std::chrono::steady_clock;

  SnapshotHeader describe_state() const;
  std::uint64_t recovery_us() const;
  bool is_behind(std::uint64_t log_times, std::uint64_t recovery_us_most) const;
  bool is_due() const;
  bool is_overdue() const;
  void begin();
  void fork_refused(const std::string& why);
  void write_here(const std::string& why);
  void note_pause(Clock::time_point since);
  void wait_for_child();
  void look_for_child();
  void child_ended();
  void end_child();
  void keep(bool is_complete);
  void failed(const std::string& why);

  Engine& engine_;
  Journal& journal_;
  SqliteLog& log_;
  const Snapshots& snapshots_;
  const std::uint64_t recovery_us_max_;
  asio::io_context& io_;
  spdlog::logger& logger_;

  std::uint64_t last_bytes_;  // of the last snapshot
  // How fast a start loads and replays here, as the last one showed if it had enough to do.
  double loaded_bytes_per_us_ = 50;
  double replay_per_engine_us_ = 2;
  Clock::time_point not_before_;
  bool fork_is_refused_ = false;  // the last one was
  pid_t child_ = 0;               // 0: there is none
  std::unique_ptr<WatchedDescriptor> child_end_;
  SnapshotHeader header_;           // of the one that is being written
  std::uint64_t first_needed_ = 1;  // batch of the log, once write_last() has written one
};

}  // namespace tandem::server
