#include "tandem/process.hpp"

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <typeinfo>

#include "client/os/signals.hpp"
#include "client/process/child.hpp"
#include "client/process/pipe_end.hpp"
#include "client/process/process_tree.hpp"
#include "client/process/spawn.hpp"
#include "tandem/error.hpp"

namespace tandem {

using client::ProcessState;
using client::ProcessTree;
using Relation = ProcessState::Relation;

// ---- handles ----------------------------------------------------------------------------------------------

ProcessState& ProcessHandle::state() const {
  if (!state_) throw ValueError("this Process was closed or moved from");
  return *state_;
}

const std::string& ProcessHandle::name() const {
  ProcessState& process = state();
  if (process.name.empty()) ProcessTree::of_this_process().name(process);
  return process.name;
}

bool ProcessHandle::is_daemon() const {
  return state().daemon;
}

pid_t ProcessHandle::pid() const {
  if (state().relation == Relation::self) return getpid();
  if (state().pid == 0) throw ValueError("a process has no pid before it is started");
  return state().pid;
}

namespace {

/// Returns `process` if it can be waited for.
ProcessState& other(ProcessState& process) {
  if (process.relation == Relation::self) throw ValueError("a process cannot wait for itself");
  if (process.pid == 0) throw ValueError("the process is not started");
  process.check_ours();
  return process;
}

ProcessState& child(ProcessState& process) {
  if (process.relation != Relation::child)
    throw ValueError("process " + process.name + " is not this one's child");
  return other(process);
}

}  // namespace

bool ProcessHandle::is_alive() const {
  if (state().relation == Relation::self) return true;
  if (state().pid == 0) return false;
  return !other(state()).wait(std::chrono::milliseconds{0});
}

void ProcessHandle::join() const {
  other(state()).wait(std::nullopt);
}

bool ProcessHandle::join_for(std::chrono::milliseconds limit) const {
  return other(state()).wait(limit);
}

std::optional<int> ProcessHandle::exit_code() const {
  if (state().relation == Relation::child && state().pid == 0) return std::nullopt;
  return child(state()).exit_code();
}

void ProcessHandle::terminate() const {
  child(state()).signal(SIGTERM);
}

void ProcessHandle::kill() const {
  child(state()).signal(SIGKILL);
}

int ProcessHandle::sentinel() const {
  const int pidfd = other(state()).pidfd();
  if (pidfd < 0) throw ValueError("process " + name() + " ended before it could be watched");
  return pidfd;
}

// ---- Process ---------------------------------------------------------------------------------------------

Process::Process() : Process(Options{}) {}

Process::Process(const Options& options) : ProcessHandle(std::make_shared<ProcessState>()) {
  state_->name = options.name;
  state_->daemon = options.daemon;
}

Process::Process(const Options& options, std::unique_ptr<client::Task> task) : Process(options) {
  task_ = std::move(task);
  if (!options.deferred) start();
}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  leave();
  task_ = std::move(other.task_);
  ProcessHandle::operator=(std::move(other));
  return *this;
}

Process::~Process() {
  leave();
}

/// Called when this Process is destroyed or replaced: waits for its child unless that is a daemon.
void Process::leave() noexcept {
  if (!state_ || state_->relation != Relation::child || state_->pid == 0 || state_->owner != getpid()) return;
  std::optional<std::chrono::milliseconds> limit;
  if (state_->daemon) limit = std::chrono::milliseconds{0};
  if (state_->wait(limit)) ProcessTree::of_this_process().forget(state_);
}

void Process::set_name(std::string name) {
  if (state().pid != 0) throw ValueError("a process gets its name before it is started");
  if (name.empty()) throw ValueError("a name is not empty");
  state_->name = std::move(name);
}

void Process::set_daemon(bool daemon) {
  if (state().pid != 0) throw ValueError("a process becomes a daemon before it is started");
  state_->daemon = daemon;
}

void Process::close() {
  if (state().relation == Relation::child && state_->pid != 0 && is_alive())
    throw ValueError("process " + name() + " still runs; join it first");
  state_.reset();
  task_.reset();
}

void Process::run() {
  if (task_) task_->run();
}

void Process::start() {
  if (state().relation != Relation::child || state().pid != 0)
    throw ValueError("process " + name() + " was started before");
  if (!task_ && typeid(*this) == typeid(Process))
    throw ValueError("a Process without a callable has nothing to run");
  ProcessTree::of_this_process().name(*state_);
  if (task_ && task_->function()) client::spawn(state_, *task_);
  else fork_child();
  task_.reset();
}

void Process::fork_child() {
  client::flush_output();
  const os::SignalsBlocked signals;
  ProcessTree::Starting starting(ProcessTree::of_this_process(), state_);
  const pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "cannot start process " + name());
  if (pid != 0) return starting.started(pid);
  ProcessTree::of_this_process().adopt_identity(state_);
  signals.release_in_child();
  run_in_child();
}

void Process::run_in_child() noexcept {
  if (task_)
    if (const std::vector<int> ends = task_->pipe_ends(); !ends.empty()) client::keep_pipe_ends(ends);
  // Destroying the task at the end releases the references of its proxies.
  std::_Exit(client::run_body([this] { run(); }, [this] { task_.reset(); }));
}

// ---- this process, its parent and its children -----------------------------------------------------------

ProcessHandle current_process() {
  return ProcessHandle(ProcessTree::of_this_process().self());
}

std::optional<ProcessHandle> parent_process() {
  client::ProcessStatePtr parent = ProcessTree::of_this_process().parent();
  if (!parent) return std::nullopt;
  return ProcessHandle(std::move(parent));
}

std::vector<ProcessHandle> active_children() {
  std::vector<ProcessHandle> handles;
  for (client::ProcessStatePtr& each : ProcessTree::of_this_process().children())
    handles.push_back(ProcessHandle(std::move(each)));
  return handles;
}

unsigned cpu_count() {
  for (int cpus = 1024;; cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(cpus));
    const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
    const int result = sched_getaffinity(0, size, set);
    const int count = result == 0 ? CPU_COUNT_S(size, set) : 1;
    CPU_FREE(set);
    if (result == 0 || errno != EINVAL) return static_cast<unsigned>(count);
  }
}

}  // namespace tandem
