#pragma once
// Fork handling of the client library.
//
// A child must not use its parent's channels: two processes that read one socket would take each other's
// replies. So every object with state that a fork copies is notified of the fork (pthread_atfork) and
// replaces that state in the child. vfork() and posix_spawn() do not notify, which is harmless: the child
// only executes a program, and that closes this library's descriptors.

#include <sys/types.h>

#include <chrono>

namespace tandem::os {

/// Is notified of forks. All three functions are called with the registry locked, on the thread that forks.
class ForkListener {
 public:
  /// In the parent, before the fork. Takes the locks that the other two need or that a child must not find
  /// locked.
  virtual void before_fork() noexcept = 0;
  /// In the parent, after the fork, also if it failed.
  virtual void after_fork_in_parent() noexcept = 0;
  /// In the child, where this thread is the only one.
  virtual void after_fork_in_child() noexcept = 0;

 protected:
  ~ForkListener() = default;
};

/// Registers `listener`. Neither function may be called with a lock held that before_fork() takes.
void listen_to_forks(ForkListener& listener);
/// Unregisters `listener`, if registered. Waits for a fork under way.
void ignore_forks(ForkListener& listener) noexcept;

/// fork() for a child that uses nothing of this library's but memory, and ends with _exit(): no listener is notified, so that a
/// fork waits for no other thread. Unshared descriptors are closed in the child.
pid_t fork_without_listeners() noexcept;

/// For before_fork(): when the fork under way began.
std::chrono::steady_clock::time_point fork_began();

}  // namespace tandem::os
