#pragma once
// Lock and RLock: mutual exclusion between threads of any process.
//
//   Python (multiprocessing.Lock, RLock)   here
//   lock.acquire(), lock.release()         lock.lock(), lock.unlock()
//   lock.acquire(timeout=t)                lock.try_lock_for(t), lock.try_lock_until(time) → bool
//   lock.acquire(block=False)              lock.try_lock() → bool
//   with lock:                             std::lock_guard held(lock);  or  auto held = lock.guard();
//   -                                      lock.lock(stop_token) → bool     as std::condition_variable_any
//   -                                      held.previous_owner_died(), held.token()
//
// They are Lockable and TimedLockable: std::lock_guard, unique_lock and scoped_lock accept them.

#include <tuple>
#include <vector>

#include "tandem/call/wait.hpp"
#include "tandem/ops/lock.hpp"
#include "tandem/ops/rlock.hpp"
#include "tandem/proxy/grant.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

namespace client {

using GrantFacts = std::pair<std::uint64_t, bool>;
inline Grant grant_of(const GrantFacts& facts) {
  return {facts.first, facts.second};
}

using OwnerFacts =
    std::tuple<std::uint64_t, std::uint32_t, std::uint32_t, bool, std::uint64_t, std::uint64_t, std::int64_t>;

inline std::vector<LockOwner> owners_of(const std::vector<OwnerFacts>& facts) {
  std::vector<LockOwner> owners;
  owners.reserve(facts.size());
  for (const auto& [session, pid, thread, shared, depth, token, held_us] : facts)
    owners.push_back({session, pid, thread, shared, depth, token, std::chrono::microseconds(held_us)});
  return owners;
}

}  // namespace client

/// A lock owned by one thread of one process, which alone may unlock it. At the unlock the manager grants the
/// lock to the next waiter, in the order of arrival; no other thread can overtake.
///
/// When the owner ends (the thread, its process, or its process's session), the next waiter gets the lock at once
/// and is notified that the previous owner died; without a waiter, the next thread to lock it is. A thread's end
/// comes after the destructors of its thread_local variables, which may still unlock. A forked child owns
/// nothing: its parent's locks stay its parent's. A copy of a proxy is the same lock.
///
/// A wait without a time limit that could never end is refused with DeadlockError, which names the cycle of
/// owners that wait for each other. A thread that waits for a Lock it holds itself is the smallest cycle; an
/// RLock is granted to its owner again, which must unlock it as often.
template <class TheOperations>
class BasicLock : public Proxy {
 public:
  using Operations = TheOperations;
  static constexpr std::uint8_t type_number = Operations::number;
  using GuardType = Guard<BasicLock>;

  BasicLock() = default;
  using Proxy::Proxy;

  void lock() const { (void)acquire(client::no_limit); }
  /// Returns false if a stop was requested first.
  bool lock(const std::stop_token& stop) const { return acquire(client::no_limit, stop).token != 0; }
  bool try_lock() const { return acquire(client::at_once).token != 0; }
  /// Returns whether it was locked within the limit and before a stop was requested.
  bool try_lock_for(For limit, const std::stop_token& stop = {}) const {
    return acquire(limit, stop).token != 0;
  }
  bool try_lock_until(Until end, const std::stop_token& stop = {}) const {
    return acquire(end, stop).token != 0;
  }
  /// Throws NotOwner if this thread does not hold it.
  void unlock() const { call<typename Operations::Release>(); }

  /// The same for a scope. The guard is empty if the lock was not acquired.
  GuardType guard() const { return {*this, acquire(client::no_limit)}; }
  GuardType guard(const std::stop_token& stop) const { return {*this, acquire(client::no_limit, stop)}; }
  GuardType try_guard() const { return {*this, acquire(client::at_once)}; }
  GuardType try_guard_for(For limit, const std::stop_token& stop = {}) const {
    return {*this, acquire(limit, stop)};
  }
  GuardType try_guard_until(Until end, const std::stop_token& stop = {}) const {
    return {*this, acquire(end, stop)};
  }

  /// Returns this thread's grant, for users of std::unique_lock. Throws NotOwner.
  Grant grant() const { return client::grant_of(call<typename Operations::Grant, client::GrantFacts>()); }
  /// Returns whether it is held at this moment.
  bool locked() const { return call<typename Operations::Locked, bool>(); }
  /// Returns its owners at this moment.
  std::vector<LockOwner> owners() const {
    return client::owners_of(call<typename Operations::Owners, std::vector<client::OwnerFacts>>());
  }

 private:
  Grant acquire(client::WaitLimit limit, const std::stop_token& stop = {}) const {
    return client::grant_of(call_and_wait<typename Operations::Acquire, client::GrantFacts>(limit, stop));
  }
};

using Lock = BasicLock<ops::Lock>;
using RLock = BasicLock<ops::RLock>;

}  // namespace tandem
