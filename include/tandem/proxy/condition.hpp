#pragma once
// Condition: threads of any process wait for a change that other threads notify them of.
//
//   Python (threading.Condition)        here
//   with c:                             std::lock_guard held(c);  or  auto held = c.guard();
//   c.wait(), c.wait(timeout)           c.wait(), c.wait_for(limit), c.wait_until(time)
//   c.wait_for(predicate, timeout)      c.wait(predicate), c.wait_for(limit, predicate), …
//   c.notify(n)                         c.notify_one(), c.notify(n)
//   c.notify_all()                      c.notify_all()
//   -                                   c.wait(stop_token), …              as std::condition_variable_any

#include <concepts>

#include "tandem/ops/condition.hpp"
#include "tandem/proxy/lock.hpp"

namespace tandem {

/// How a wait ended. The thread holds the lock again in any case, by a new grant; guards keep the old token.
struct WaitResult {
  bool notified = false;  // false: the limit expired or a stop was requested
  Grant grant;
  operator bool() const noexcept { return notified; }
};

/// A condition on a Lock or an RLock. The lock's methods are also its own: lock(), unlock(), …
///
/// A thread must hold the lock to wait or to notify (NotOwner). A wait releases the lock, an RLock at any
/// depth, and begins in one step, so no notification is missed. However it ends, the thread queues for the
/// lock like any other and holds it again, at the same depth, when the wait returns. There are no spurious
/// wakeups, but other threads may have held the lock in between: check again, or wait with a predicate.
///
/// The longest waiter is notified first. If a client ends after its thread was notified by notify_one() or
/// notify(n), but before that thread holds the lock again, the next waiter is notified instead. A wait throws
/// ObjectGone if the condition or the lock is removed; only then does it end without the lock.
class Condition : public BasicLock<ops::Condition> {
 public:
  Condition() = default;
  using BasicLock::BasicLock;

  WaitResult wait() const { return wait_within(client::no_limit); }
  WaitResult wait(const std::stop_token& stop) const { return wait_within(client::no_limit, stop); }
  WaitResult wait_for(For limit, const std::stop_token& stop = {}) const { return wait_within(limit, stop); }
  WaitResult wait_until(Until end, const std::stop_token& stop = {}) const { return wait_within(end, stop); }

  // These wait until the predicate, called with the lock held, is true. Those with a limit or a stop token
  // return its last result.

  template <std::predicate P>
  void wait(P predicate) const {
    while (!predicate()) (void)wait();
  }
  template <std::predicate P>
  bool wait(const std::stop_token& stop, P predicate) const {
    while (!predicate())
      if (stop.stop_requested() || !wait(stop)) return predicate();
    return true;
  }
  template <std::predicate P>
  bool wait_for(For limit, P predicate, const std::stop_token& stop = {}) const {
    return wait_until(Until(limit), predicate, stop);
  }
  template <std::predicate P>
  bool wait_until(Until end, P predicate, const std::stop_token& stop = {}) const {
    while (!predicate())
      if (!wait_until(end, stop)) return predicate();
    return true;
  }

  /// These return the number of threads notified.
  std::uint64_t notify_one() const { return notify(1); }
  std::uint64_t notify(std::uint64_t n) const {
    return call<Operations::Notify, std::uint64_t>(std::min<std::uint64_t>(n, INT64_MAX));
  }
  std::uint64_t notify_all() const { return call<Operations::NotifyAll, std::uint64_t>(); }

 private:
  WaitResult wait_within(client::WaitLimit limit, const std::stop_token& stop = {}) const {
    const auto [notified, token, previous_owner_died] =
        call_and_wait<Operations::Wait, std::tuple<bool, std::uint64_t, bool>>(limit, stop);
    return {notified, {token, previous_owner_died}};
  }
};

}  // namespace tandem
