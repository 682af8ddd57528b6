#pragma once
// Lock and RLock: mutual exclusion between threads of any process.
//
//   Python (multiprocessing.Lock, RLock)   here
//   lock.acquire(), lock.release()         lock.lock(), lock.unlock()
//   lock.acquire(timeout=t)                lock.try_lock_for(t), lock.try_lock_until(time) → bool
//   lock.acquire(block=False)              lock.try_lock() → bool
//   with lock:                             std::lock_guard held(lock);  or  auto held = lock.guard();
//   -                                      lock.lock(stop_token) → bool     as std::condition_variable_any has it
//   -                                      held.previous_owner_died(), held.token()
//
// They are Lockable and TimedLockable: std::lock_guard, unique_lock and scoped_lock take them.

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

/// A lock that a thread of a process owns: it alone may unlock it. Who waits is served in the order of arrival, by the
/// manager, at the unlock: nobody can push in between.
///
/// When the owner's process ends, or loses its session, the next in line has the lock at once, and is told that the
/// previous owner died; so is whoever comes next, if nobody waits. A forked child owns nothing: what its parent holds
/// stays its parent's. A copy of a proxy is the same lock.
///
/// A wait without a time limit that could never end is refused with DeadlockError, which names the cycle of owners who
/// wait for each other. Waiting again for a Lock that one holds oneself is the smallest cycle; an RLock is given to its
/// owner again, who has to unlock it as often.
template <class TheOperations>
class BasicLock : public Proxy {
 public:
  using Operations = TheOperations;
  static constexpr std::uint8_t type_number = Operations::number;
  using GuardType = Guard<BasicLock>;

  BasicLock() = default;
  using Proxy::Proxy;

  void lock() const { (void)acquire(client::no_limit); }
  /// Gives whether it was locked; false: a stop was requested first.
  bool lock(const std::stop_token& stop) const { return acquire(client::no_limit, stop).token != 0; }
  bool try_lock() const { return acquire(client::at_once).token != 0; }
  /// Gives whether it was locked within the limit, and before a stop was requested.
  bool try_lock_for(For limit, const std::stop_token& stop = {}) const {
    return acquire(limit, stop).token != 0;
  }
  bool try_lock_until(Until end, const std::stop_token& stop = {}) const {
    return acquire(end, stop).token != 0;
  }
  /// NotOwner: this thread does not hold it.
  void unlock() const { call<typename Operations::Release>(); }

  /// The same as the above, for a scope. Where the lock was not got, the guard is empty.
  GuardType guard() const { return {*this, acquire(client::no_limit)}; }
  GuardType guard(const std::stop_token& stop) const { return {*this, acquire(client::no_limit, stop)}; }
  GuardType try_guard() const { return {*this, acquire(client::at_once)}; }
  GuardType try_guard_for(For limit, const std::stop_token& stop = {}) const {
    return {*this, acquire(limit, stop)};
  }
  GuardType try_guard_until(Until end, const std::stop_token& stop = {}) const {
    return {*this, acquire(end, stop)};
  }

  /// What this thread was told when it got the lock, asked for again: for who uses std::unique_lock. NotOwner.
  Grant grant() const { return client::grant_of(call<typename Operations::Grant, client::GrantFacts>()); }
  /// Whether anybody holds it, at this moment.
  bool locked() const { return call<typename Operations::Locked, bool>(); }
  /// Who holds it, at this moment.
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
