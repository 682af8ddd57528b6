#pragma once
// What this process knows of another, or of itself, for as long as a handle of it or the system remembers it.

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

  /// Throws ValueError when this is not the process to which it is child, parent or self.
  void check_ours() const;
  /// Waits until it has ended, at most so long; gives whether it has. For a child its exit status is taken with that.
  bool wait(Limit limit);
  /// Signals a child that has not ended.
  void signal(int number);
  /// A pid of it will be a stranger's some day; this is good for ever. -1 when it ended before there was one.
  int pidfd() const { return pidfd_; }

  /// In the process to which it is child or parent. pidfd -1: it has ended already.
  void started(pid_t pid, int pidfd) noexcept;
  /// Forgets what fork() copied of somebody else's child or parent.
  void disown() noexcept;

  // Set before it is started; `owner` then.
  Relation relation = Relation::child;
  std::string name;
  bool counted = false;  // has its number among its parent's children
  bool daemon = false;

  std::atomic<pid_t> pid{0};    // 0: not started
  std::atomic<pid_t> owner{0};  // the process to which it is what `relation` says
  // A daemon's. Whoever closes one puts -1 here first, so that a fork in that moment closes nothing in its child.
  std::atomic<int> lifeline{-1};  // its parent's end: when this closes, the system kills it
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
