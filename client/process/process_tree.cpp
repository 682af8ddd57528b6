#include "client/process/process_tree.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "client/os/standard_descriptors.hpp"
#include "tandem/error.hpp"

namespace tandem::client {
namespace {

constexpr std::string_view main_name = "MainProcess";
constexpr std::chrono::milliseconds daemon_end_wait{1000};

/// The child that this thread is starting: its lifeline stays open in the child after the fork.
thread_local const ProcessState* starting_child = nullptr;

int open_pidfd(pid_t pid) {
  return os::above_standard(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

[[noreturn]] void throw_cannot_start(const ProcessState& child) {
  throw std::system_error(errno, std::generic_category(), "cannot start process " + child.name);
}

}  // namespace

// Never destroyed: processes may be static variables.
ProcessTree& ProcessTree::of_this_process() {
  static ProcessTree& the_tree = *new ProcessTree;
  return the_tree;
}

ProcessTree::ProcessTree() : self_(std::make_shared<ProcessState>()) {
  self_->relation = ProcessState::Relation::self;
  self_->name = main_name;
  os::listen_to_forks(*this);
  std::atexit([] { of_this_process().end_children(); });
}

ProcessStatePtr ProcessTree::self() const {
  std::lock_guard lock(mutex_);
  return self_;
}

ProcessStatePtr ProcessTree::parent() const {
  std::lock_guard lock(mutex_);
  return parent_ && parent_->owner == getpid() ? parent_ : nullptr;
}

std::vector<ProcessStatePtr> ProcessTree::children() {
  std::vector<ProcessStatePtr> running;
  std::vector<ProcessStatePtr> all;
  {
    std::lock_guard lock(mutex_);
    all = children_;
  }
  for (const ProcessStatePtr& child : all) {
    if (child->pid == 0) continue;  // another thread is starting it
    if (!child->wait(std::chrono::milliseconds{0})) {
      running.push_back(child);
      continue;
    }
    forget(child);
  }
  return running;
}

void ProcessTree::forget(const ProcessStatePtr& child) {
  std::lock_guard lock(mutex_);
  std::erase(children_, child);
}

void ProcessTree::name(ProcessState& child) {
  std::lock_guard lock(mutex_);
  if (!child.counted) {
    child.counted = true;
    const std::string number = std::to_string(++children_count_);
    if (child.name.empty())
      child.name = self_->name == main_name ? "Process-" + number : self_->name + ":" + number;
  }
}

// ---- starting ---------------------------------------------------------------------------------------------

ProcessTree::Starting::Starting(ProcessTree& tree, ProcessStatePtr child)
    : tree_(tree), child_(std::move(child)) {
  if (tree_.self()->daemon)
    throw ValueError("a daemon cannot have children: nobody would wait for them or end them");
  tree_.children();  // collects the exit status of those that have ended
  std::lock_guard lock(tree_.mutex_);
  child_->owner = getpid();
  tree_.children_.push_back(child_);
  if (child_->daemon) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0 || !os::above_standard(ends)) {
      tree_.children_.pop_back();
      throw_cannot_start(*child_);
    }
    child_->lifeline_in_child = ends[0];
    child_->lifeline = ends[1];
  }
  starting_child = child_.get();
}

ProcessTree::Starting::~Starting() {
  starting_child = nullptr;
  close_once(child_->lifeline_in_child);
  if (started_) return;
  std::lock_guard lock(tree_.mutex_);
  std::erase(tree_.children_, child_);
  close_once(child_->lifeline);
}

void ProcessTree::Starting::started(pid_t pid) {
  const int pidfd = open_pidfd(pid);
  if (pidfd < 0 && errno != ESRCH) {  // ESRCH: SIGCHLD is ignored, and it has already ended
    const int error = errno;
    ::kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    errno = error;
    throw_cannot_start(*child_);
  }
  std::lock_guard lock(tree_.mutex_);
  child_->started(pid, pidfd);
  started_ = true;
}

// ---- the child's side -------------------------------------------------------------------------------------

// What fork() copied of the parent's children is not ours. If a lifeline remained open here, a daemon would
// outlive the parent.
void ProcessTree::after_fork_in_child() noexcept {
  for (const ProcessStatePtr& child : children_) {
    const int kept = child.get() == starting_child ? child->lifeline_in_child.exchange(-1) : -1;
    child->disown();
    child->lifeline_in_child = kept;
  }
  children_.clear();
  if (parent_) parent_->disown();
  mutex_.unlock();
}

void ProcessTree::adopt_identity(ProcessStatePtr child) noexcept {
  const std::string parent_name = self_->name;
  const pid_t parent_pid = child->owner;
  starting_child = nullptr;
  child->relation = ProcessState::Relation::self;
  self_ = std::move(child);
  children_count_ = 0;
  // A pid is not reused while its process lives; so if this is still our parent, the descriptor is the
  // parent's.
  int pidfd = open_pidfd(parent_pid);
  if (getppid() != parent_pid && pidfd >= 0) close(std::exchange(pidfd, -1));
  set_parent(parent_name, parent_pid, pidfd);
  if (self_->daemon) hold_lifeline(self_->lifeline_in_child.exchange(-1));
}

void ProcessTree::adopt_identity(const std::string& name, const std::string& parent_name, pid_t parent_pid,
                                 int parent_pidfd, int lifeline) {
  self_->name = name;
  self_->daemon = lifeline >= 0;
  set_parent(parent_name, parent_pid, parent_pidfd);
  if (lifeline >= 0) hold_lifeline(lifeline);
}

void ProcessTree::set_parent(const std::string& name, pid_t pid, int pidfd) {
  parent_ = std::make_shared<ProcessState>();
  parent_->relation = ProcessState::Relation::parent;
  parent_->name = name;
  parent_->started(pid, pidfd);
}

/// Makes the kernel kill this process when the parent ends. The descriptor stays open for that.
void ProcessTree::hold_lifeline(int descriptor) noexcept {
  fcntl(descriptor, F_SETOWN, getpid());
  fcntl(descriptor, F_SETSIG, SIGKILL);
  fcntl(descriptor, F_SETFL, O_ASYNC);
  pollfd ended{descriptor, POLLIN, 0};
  if (poll(&ended, 1, 0) != 0) ::kill(getpid(), SIGKILL);  // the parent ended before that
}

// ---- the end ----------------------------------------------------------------------------------------------

void ProcessTree::end_children() noexcept {
  const auto running = children();
  for (const ProcessStatePtr& child : running)
    if (child->daemon) child->signal(SIGTERM);
  const auto end = std::chrono::steady_clock::now() + daemon_end_wait;
  for (const ProcessStatePtr& child : running) {
    if (!child->daemon) continue;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (child->wait(std::max(left, std::chrono::milliseconds{0}))) continue;
    child->signal(SIGKILL);
    child->wait(std::nullopt);
  }
  for (const ProcessStatePtr& child : running) child->wait(std::nullopt);
}

}  // namespace tandem::client
