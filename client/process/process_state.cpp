#include "client/process/process_state.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "client/os/poll.hpp"
#include "tandem/error.hpp"

namespace tandem::client {

void close_once(std::atomic<int>& descriptor) noexcept {
  if (int open = descriptor.exchange(-1); open >= 0) close(open);
}

ProcessState::~ProcessState() {
  disown();
}

void ProcessState::disown() noexcept {
  close_once(lifeline);
  close_once(lifeline_in_child);
  if (pidfd_ >= 0) close(pidfd_);
  pidfd_ = -1;
}

void ProcessState::started(pid_t its_pid, int its_pidfd) noexcept {
  pidfd_ = its_pidfd;
  ended_ = its_pidfd < 0;
  owner = getpid();
  pid = its_pid;
}

void ProcessState::check_ours() const {
  if (owner != getpid()) throw ValueError("process " + name + " is another process's child, not this one's");
}

bool ProcessState::wait(Limit limit) {
  {
    std::lock_guard lock(mutex_);
    if (ended_) return true;
  }
  pollfd wanted{pidfd_, POLLIN, 0};
  if (os::poll_until({&wanted, 1}, limit) == 0) return false;
  if (relation == Relation::child) return take_status();
  std::lock_guard lock(mutex_);
  return ended_ = true;
}

/// For a child that has ended: collects its exit status. A wait for all children elsewhere may have done so
/// before.
bool ProcessState::take_status() {
  std::lock_guard lock(mutex_);
  if (ended_) return true;
  siginfo_t status{};
  int result = 0;
  do result = waitid(P_PIDFD, static_cast<id_t>(pidfd_), &status, WEXITED | WNOHANG);
  while (result != 0 && errno == EINTR);
  if (result == 0 && status.si_pid == 0) return false;
  if (result == 0) exit_code_ = status.si_code == CLD_EXITED ? status.si_status : -status.si_status;
  ended_ = true;
  close_once(lifeline);
  return true;
}

std::optional<int> ProcessState::exit_code() {
  wait(std::chrono::milliseconds{0});
  std::lock_guard lock(mutex_);
  return exit_code_;
}

void ProcessState::signal(int number) {
  if (!wait(std::chrono::milliseconds{0})) syscall(SYS_pidfd_send_signal, pidfd_, number, nullptr, 0);
}

}  // namespace tandem::client
