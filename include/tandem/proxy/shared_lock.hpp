#pragma once
// SharedLock: many readers or one writer, threads of any process.
//
//   std::shared_timed_mutex                here
//   lock(), unlock(), try_lock…()          the same
//   lock_shared(), unlock_shared(), …      the same; std::shared_lock reads(lock);  or  auto reads = lock.shared_guard();

#include "tandem/ops/shared_lock.hpp"
#include "tandem/proxy/lock.hpp"

namespace tandem {

/// As Lock, which says of owners, their deaths and cycles what holds here too. Whoever came first is served first,
/// readers next to each other together: a reader that comes while a writer waits stands behind it. So a thread that
/// reads must not read again: with a writer waiting in between, that is a cycle. (With none it has it twice, and
/// unlocks it twice.) Nor can a reader become a writer without unlocking first.
///
/// `previous_owner_died` is of writers: a reader that died has changed nothing. It is told to readers and writers until a
/// writer unlocks.
class SharedLock : public BasicLock<ops::SharedLock> {
 public:
  using SharedGuard = Guard<SharedLock, client::Shared>;

  SharedLock() = default;
  using BasicLock::BasicLock;

  void lock_shared() const { (void)acquire_shared(client::no_limit); }
  /// Gives whether it was locked; false: a stop was requested first.
  bool lock_shared(const std::stop_token& stop) const {
    return acquire_shared(client::no_limit, stop).token != 0;
  }
  bool try_lock_shared() const { return acquire_shared(client::at_once).token != 0; }
  /// Gives whether it was locked within the limit, and before a stop was requested.
  bool try_lock_shared_for(For limit, const std::stop_token& stop = {}) const {
    return acquire_shared(limit, stop).token != 0;
  }
  bool try_lock_shared_until(Until end, const std::stop_token& stop = {}) const {
    return acquire_shared(end, stop).token != 0;
  }
  /// NotOwner: this thread does not read.
  void unlock_shared() const { call<Operations::ReleaseShared>(); }

  /// The same as the above, for a scope. Where the lock was not got, the guard is empty.
  SharedGuard shared_guard() const { return {*this, acquire_shared(client::no_limit)}; }
  SharedGuard shared_guard(const std::stop_token& stop) const {
    return {*this, acquire_shared(client::no_limit, stop)};
  }
  SharedGuard try_shared_guard() const { return {*this, acquire_shared(client::at_once)}; }
  SharedGuard try_shared_guard_for(For limit, const std::stop_token& stop = {}) const {
    return {*this, acquire_shared(limit, stop)};
  }
  SharedGuard try_shared_guard_until(Until end, const std::stop_token& stop = {}) const {
    return {*this, acquire_shared(end, stop)};
  }

 private:
  Grant acquire_shared(client::WaitLimit limit, const std::stop_token& stop = {}) const {
    return client::grant_of(call_and_wait<Operations::AcquireShared, client::GrantFacts>(limit, stop));
  }
};

}  // namespace tandem
