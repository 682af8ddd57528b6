#pragma once
// SharedLock: held by many readers or one writer, threads of any process.
//
//   std::shared_timed_mutex                here
//   lock(), unlock(), try_lock…()          the same
//   lock_shared(), unlock_shared(), …      the same
//   std::shared_lock reads(lock);          the same, or  auto reads = lock.shared_guard();

#include "tandem/ops/shared_lock.hpp"
#include "tandem/proxy/lock.hpp"

namespace tandem {

/// As Lock: the same holds for owners, their deaths and deadlocks. Waiters are served in the order of
/// arrival, adjacent readers together: a reader that arrives while a writer waits queues behind it. So a
/// reader must not lock again: with a writer waiting in between, that is a deadlock. (Without one, it holds
/// the lock twice and unlocks it twice.) Nor can a reader become a writer without unlocking first.
///
/// `previous_owner_died` refers to writers: a reader that died has changed nothing. It is reported to readers
/// and writers until a writer unlocks.
class SharedLock : public BasicLock<ops::SharedLock> {
 public:
  using SharedGuard = Guard<SharedLock, client::Shared>;

  SharedLock() = default;
  using BasicLock::BasicLock;

  void lock_shared() const { (void)acquire_shared(client::no_limit); }
  /// Returns false if a stop was requested first.
  bool lock_shared(const std::stop_token& stop) const {
    return acquire_shared(client::no_limit, stop).token != 0;
  }
  bool try_lock_shared() const { return acquire_shared(client::at_once).token != 0; }
  /// Returns whether it was locked within the limit and before a stop was requested.
  bool try_lock_shared_for(For limit, const std::stop_token& stop = {}) const {
    return acquire_shared(limit, stop).token != 0;
  }
  bool try_lock_shared_until(Until end, const std::stop_token& stop = {}) const {
    return acquire_shared(end, stop).token != 0;
  }
  /// Throws NotOwner if this thread is not a reader.
  void unlock_shared() const { call<Operations::ReleaseShared>(); }

  /// The same for a scope. The guard is empty if the lock was not acquired.
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
