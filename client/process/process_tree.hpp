#pragma once
// This process among its own: what it is called, who started it, and the children that it started as Process.
//
// A daemon's lifeline is a pipe: its parent has the one end and never writes, the daemon has the other and has asked the
// system for SIGKILL when something happens to it (F_SETSIG). Nothing does but that the parent's end closes, which no
// death prevents. (PR_SET_PDEATHSIG would kill it at the end of the thread that started it.)

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client/os/fork.hpp"
#include "client/process/process_state.hpp"

namespace tandem::client {

using ProcessStatePtr = std::shared_ptr<ProcessState>;

class ProcessTree final : private os::ForkListener {
 public:
  /// The one of this process. At its end (exit()) its children end, or are waited for.
  static ProcessTree& of_this_process();

  ProcessStatePtr self() const;
  ProcessStatePtr parent() const;  // null: none that is known
  /// The children that have not ended; those that have are waited for.
  std::vector<ProcessStatePtr> children();
  /// One that has ended, and that nobody asks for any more.
  void forget(const ProcessStatePtr& child);

  /// Gives it its number, and a name if it has none.
  void name(ProcessState& child);

  /// A child about to be started by this thread: it is in the list, a daemon with its lifeline. Taken back when this goes
  /// without started().
  class Starting {
   public:
    /// Throws ValueError when this process may have no children, std::system_error.
    Starting(ProcessTree& tree, ProcessStatePtr child);
    ~Starting();
    Starting(const Starting&) = delete;
    Starting& operator=(const Starting&) = delete;
    /// In the parent. Throws std::system_error when the child cannot be watched; it is killed then.
    void started(pid_t pid);

   private:
    ProcessTree& tree_;
    ProcessStatePtr child_;
    bool started_ = false;
  };

  /// In a forked child: `child` is what this process is now.
  void adopt_identity(ProcessStatePtr child) noexcept;
  /// In a spawned process. The descriptors are taken over; lifeline -1: no daemon.
  void adopt_identity(const std::string& name, const std::string& parent_name, pid_t parent_pid,
                      int parent_pidfd, int lifeline);

  /// Sends daemons SIGTERM, and a second later SIGKILL; then waits for all others.
  void end_children() noexcept;

 private:
  ProcessTree();

  void set_parent(const std::string& name, pid_t pid, int pidfd);
  static void hold_lifeline(int descriptor) noexcept;

  void before_fork() noexcept override { mutex_.lock(); }
  void after_fork_in_parent() noexcept override { mutex_.unlock(); }
  void after_fork_in_child() noexcept override;

  mutable std::mutex mutex_;
  ProcessStatePtr self_;
  ProcessStatePtr parent_;
  std::vector<ProcessStatePtr> children_;  // some may have ended
  unsigned children_count_ = 0;            // started so far, for their names
};

}  // namespace tandem::client
