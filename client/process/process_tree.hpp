#pragma once
// This process in the process tree: its name, its parent, and the children that it started as Process.
//
// A daemon's lifeline is a pipe: the parent holds one end and never writes; the daemon holds the other and
// has requested SIGKILL for any event on it (F_SETSIG). The only event is that the parent's end closes, which
// happens however the parent dies. (PR_SET_PDEATHSIG would kill the daemon when the thread that started it
// ends.)

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
  /// Returns the tree of this process. On exit(), daemons are ended and other children waited for.
  static ProcessTree& of_this_process();

  ProcessStatePtr self() const;
  ProcessStatePtr parent() const;  // null: none is known
  /// Returns the children that have not ended, and collects the exit status of those that have.
  std::vector<ProcessStatePtr> children();
  /// Removes a child that has ended and has no Process any more.
  void forget(const ProcessStatePtr& child);

  /// Assigns the child its number, and a name if it has none.
  void name(ProcessState& child);

  /// A child that this thread is about to start: adds it to the list, and creates a daemon's lifeline. Undone
  /// on destruction unless started() was called.
  class Starting {
   public:
    /// Throws ValueError if this process may have no children; std::system_error.
    Starting(ProcessTree& tree, ProcessStatePtr child);
    ~Starting();
    Starting(const Starting&) = delete;
    Starting& operator=(const Starting&) = delete;
    /// In the parent. Throws std::system_error if the child cannot be watched, after killing it.
    void started(pid_t pid);

   private:
    ProcessTree& tree_;
    ProcessStatePtr child_;
    bool started_ = false;
  };

  /// In a forked child: this process is `child` from now on.
  void adopt_identity(ProcessStatePtr child) noexcept;
  /// In a spawned process. Takes ownership of the descriptors; lifeline -1: not a daemon.
  void adopt_identity(const std::string& name, const std::string& parent_name, pid_t parent_pid,
                      int parent_pidfd, int lifeline);

  /// Sends SIGTERM to daemons, and SIGKILL one second later; then waits for all other children.
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
