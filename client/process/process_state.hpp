#pragma once
// The state of another process or of this one, shared by its handles and the ProcessTree.

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

namespace tandem::client {

struct ProcessState {
  enum class Relation { child, parent, self };
  using Limit = std::optional<std::chrono::milliseconds>;

  ProcessState() = default;
  /// Closes the descriptors.
  ~ProcessState();
  ProcessState(const ProcessState&) = delete;
  ProcessState& operator=(const ProcessState&) = delete;

  /// Throws ValueError unless this is the process to which it is child, parent or self.
  void check_ours() const;
  /// Waits until it has ended, at most for `limit` (nullopt: no limit). Returns whether it has ended; for a
  /// child, also collects the exit status.
  bool wait(Limit limit);
  /// Sends a signal to a child unless it has ended.
  void signal(int number);
  /// Unlike the pid, it never refers to another process later. -1 if the process ended before it was opened.
  int pidfd() const { return pidfd_; }

  /// Called in the process to which it is child or parent. pidfd -1: it has already ended.
  void started(pid_t pid, int pidfd) noexcept;
  /// Closes the descriptors, e.g. the copies that fork() made of the parent's.
  void disown() noexcept;

  // Set before the start; `owner` at the start.
  Relation relation = Relation::child;
  std::string name;
  bool counted = false;  // its number among its parent's children is assigned
  bool daemon = false;

  std::atomic<pid_t> pid{0};    // 0: not started
  std::atomic<pid_t> owner{0};  // the process for which `relation` holds
  // For a daemon. Before one is closed, it is set to -1, so that a child forked at that moment closes
  // nothing.
  std::atomic<int> lifeline{-1};  // the parent's end: when it closes, the kernel kills the daemon
  std::atomic<int> lifeline_in_child{-1};

  std::optional<int> exit_code();

 private:
  bool take_status();

  int pidfd_ = -1;
  std::mutex mutex_;  // never locked in a forked child before check_ours() has passed
  bool ended_ = false;
  std::optional<int> exit_code_;
};

void close_once(std::atomic<int>& descriptor) noexcept;

}  // namespace tandem::client
