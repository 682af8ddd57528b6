#pragma once
// What fork() means for the client library.
//
// A child must not use its parent's channels: two processes reading one socket would take each other's replies. So
// whatever holds something that a fork copies is told of the fork (pthread_atfork), and gives the child its own.
// vfork() and posix_spawn() tell nobody; nothing is lost by that, since a program is executed next and descriptors of
// this library are closed by it.

namespace tandem::os {

/// Something that a fork concerns. Each of the three is called with the registry locked, on the thread that forks.
class ForkListener {
 public:
  /// In the parent, before. Whatever locks the other two need, or a child would find locked, are taken here.
  virtual void before_fork() noexcept = 0;
  /// In the parent, afterwards; also when the fork failed.
  virtual void after_fork_in_parent() noexcept = 0;
  /// In the child, where this thread is the only one.
  virtual void after_fork_in_child() noexcept = 0;

 protected:
  ~ForkListener() = default;
};

/// From now on `listener` is told. Never call these two with a lock held that before_fork() takes.
void listen_to_forks(ForkListener& listener);
/// Waits for a fork under way. Does nothing to a listener that was not there.
void ignore_forks(ForkListener& listener) noexcept;

}  // namespace tandem::os
