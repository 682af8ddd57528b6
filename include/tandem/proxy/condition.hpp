#pragma once
// Condition: threads of any process wait for a change that others tell them of.
//
//   Python (threading.Condition)        here
//   with c:                             std::lock_guard held(c);  or  auto held = c.guard();
//   c.wait(), c.wait(timeout)           c.wait(), c.wait_for(limit), c.wait_until(time)
//   c.wait_for(predicate, timeout)      c.wait(predicate), c.wait_for(limit, predicate), …
//   c.notify(n)                         c.notify_one(), c.notify(n)
//   c.notify_all()                      c.notify_all()
//   -                                   c.wait(stop_token), …                     as std::condition_variable_any has it

#include <concepts>

#include "tandem/ops/condition.hpp"
#include "tandem/proxy/lock.hpp"

namespace tandem {

/// How a wait ended. The thread has the lock again in any case, by a new grant: a guard's token is that of before.
struct WaitResult {
  bool notified = false;  // else the limit ran out, or a stop was requested
  Grant grant;
  operator bool() const noexcept { return notified; }
};

/// A condition on a Lock or an RLock, whose methods are also its own: lock(), unlock(), …
///
/// To wait or to notify, a thread has to hold the lock (NotOwner). A wait releases the lock, an RLock however deep, and
/// begins in one step, so that no notification is missed; when it ends, by whatever, the thread stands in line for the
/// lock like everybody else, and has it again, as deep, when the wait returns. Nobody is woken without being notified,
/// but others may have had the lock in between: look again, or wait with a predicate.
///
/// Who has waited longest is notified first. A thread that was notified by notify_one() or notify(n) and whose client ends
/// before it has the lock again is replaced by the next. ObjectGone: condition or lock was removed; only then a wait
/// ends without the lock.
class Condition : public BasicLock<ops::Condition> {
 public:
  Condition() = default;
  using BasicLock::BasicLock;

  WaitResult wait() const { return wait_within(client::no_limit); }
  WaitResult wait(const std::stop_token& stop) const { return wait_within(client::no_limit, stop); }
  WaitResult wait_for(For limit, const std::stop_token& stop = {}) const { return wait_within(limit, stop); }
  WaitResult wait_until(Until end, const std::stop_token& stop = {}) const { return wait_within(end, stop); }

  // Wait until the predicate, which is called with the lock held, is true. The others give what it said last.

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

  /// Give how many threads were waiting and are notified now.
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
