#pragma once
// Semaphore: a number of permits that threads of any process share.
//
//   Python (threading, multiprocessing)   std::counting_semaphore     here
//   Semaphore(3), BoundedSemaphore(3)     counting_semaphore s(3)     m.semaphore(3)
//   Semaphore(3), without owners          -                           m.semaphore(3, tandem::ownerless)
//   BoundedSemaphore(3), the same         -                           m.bounded_semaphore(3, ownerless)
//   s.acquire()                           s.acquire()                 s.acquire(), s.acquire(n)
//   s.acquire(blocking=False)             s.try_acquire()             s.try_acquire(), s.try_acquire(n)
//   s.acquire(timeout=t)                  s.try_acquire_for(t)        s.try_acquire_for(t), …_until(time)
//   s.release(), s.release(n)             s.release(), s.release(n)   s.release(), s.release(n)
//   with s:                               -                           auto held = s.guard();  guard(n), try_…
//   -                                     -                           s.acquire(n, stop_token) → bool
//   s.get_value()  (multiprocessing)      -                           s.value(), s.held()

#include <exception>
#include <utility>

#include "tandem/call/wait.hpp"
#include "tandem/ops/semaphore.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

class SemaphoreGuard;

/// Selects a semaphore without owners: m.semaphore(3, tandem::ownerless).
struct Ownerless {};
inline constexpr Ownerless ownerless{};

/// Permits are held by the process that acquired them, and any of its threads may release them, also when the one
/// that acquired them has ended. When the process ends or loses its session, they are released. A forked child holds none. There are never more
/// permits than initially.
///
/// An ownerless semaphore is as Python's: any process may release, so it can serve as a signal, and the
/// permits of a process that ends are lost. There may be more permits than initially; a bounded one refuses
/// that (ValueError).
///
/// Waiters are served in the order of arrival: requests for few permits do not overtake one for many.
class Semaphore : public Proxy {
 public:
  using Operations = ops::Semaphore;
  static constexpr std::uint8_t type_number = Operations::number;

  Semaphore() = default;
  using Proxy::Proxy;

  /// Acquires `permits`, all at once. Throws ValueError if less than 1, or more than there can ever be.
  void acquire(client::AnyInteger permits = 1) const { acquire_within(permits, client::no_limit); }
  /// These return whether they were acquired within the limit and before a stop was requested.
  bool acquire(client::AnyInteger permits, const std::stop_token& stop) const {
    return acquire_within(permits, client::no_limit, stop);
  }
  bool acquire(const std::stop_token& stop) const { return acquire(1, stop); }
  bool try_acquire(client::AnyInteger permits = 1) const { return acquire_within(permits, client::at_once); }
  bool try_acquire_for(For limit, client::AnyInteger permits = 1, const std::stop_token& stop = {}) const {
    return acquire_within(permits, limit, stop);
  }
  bool try_acquire_until(Until end, client::AnyInteger permits = 1, const std::stop_token& stop = {}) const {
    return acquire_within(permits, end, stop);
  }
  /// Throws NotOwner if this process does not hold as many. An ownerless one throws ValueError if it is
  /// bounded and there would be more than initially.
  void release(client::AnyInteger permits = 1) const { call<Operations::Release>(permits); }

  /// The same for a scope. The guard is empty if the permits were not acquired.
  SemaphoreGuard guard(client::AnyInteger permits = 1) const;
  SemaphoreGuard guard(client::AnyInteger permits, const std::stop_token& stop) const;
  SemaphoreGuard try_guard(client::AnyInteger permits = 1) const;
  SemaphoreGuard try_guard_for(For limit, client::AnyInteger permits = 1,
                               const std::stop_token& stop = {}) const;
  SemaphoreGuard try_guard_until(Until end, client::AnyInteger permits = 1,
                                 const std::stop_token& stop = {}) const;

  /// Returns the number of permits that can be acquired at this moment.
  std::int64_t value() const { return call<Operations::Value, std::int64_t>(); }
  /// Returns the number of permits that this process holds; 0 if ownerless.
  std::int64_t held() const { return call<Operations::Held, std::int64_t>(); }

 private:
  bool acquire_within(client::AnyInteger permits, client::WaitLimit limit,
                      const std::stop_token& stop = {}) const {
    return call_and_wait<Operations::Acquire, bool>(limit, stop, permits);
  }
};

/// Every semaphore with owners is bounded.
using BoundedSemaphore = Semaphore;

/// Holds permits until it is destroyed. Movable; used by one thread at a time. The destructor never throws:
/// if permits cannot be released, the manager or this process's session has ended, and the permits with it.
class [[nodiscard]] SemaphoreGuard {
 public:
  /// Holds nothing.
  SemaphoreGuard() noexcept = default;
  /// Takes over permits that this process holds; 0: none.
  SemaphoreGuard(Semaphore semaphore, std::int64_t permits) noexcept
      : semaphore_(std::move(semaphore)), permits_(permits) {}
  SemaphoreGuard(SemaphoreGuard&& other) noexcept { swap(other); }
  SemaphoreGuard& operator=(SemaphoreGuard&& other) noexcept {
    SemaphoreGuard(std::move(other)).swap(*this);
    return *this;
  }
  ~SemaphoreGuard() {
    try {
      release();
    } catch (const std::exception&) {
      // A destructor cannot throw; see the class comment.
    }
  }

  std::int64_t permits() const noexcept { return permits_; }
  /// Returns whether it holds any: false after release(), and if a try_guard did not acquire them.
  explicit operator bool() const noexcept { return permits_ != 0; }
  /// Releases them now; throws what the semaphore's release() throws. A second call has no effect.
  void release() {
    if (const std::int64_t permits = std::exchange(permits_, 0); permits != 0) semaphore_.release(permits);
  }
  void swap(SemaphoreGuard& other) noexcept {
    std::swap(semaphore_, other.semaphore_);
    std::swap(permits_, other.permits_);
  }

 private:
  Semaphore semaphore_;
  std::int64_t permits_ = 0;
};

inline SemaphoreGuard Semaphore::guard(client::AnyInteger permits) const {
  acquire(permits);
  return {*this, permits};
}
inline SemaphoreGuard Semaphore::guard(client::AnyInteger permits, const std::stop_token& stop) const {
  return {*this, acquire(permits, stop) ? permits : client::AnyInteger(0)};
}
inline SemaphoreGuard Semaphore::try_guard(client::AnyInteger permits) const {
  return {*this, try_acquire(permits) ? permits : client::AnyInteger(0)};
}
inline SemaphoreGuard Semaphore::try_guard_for(For limit, client::AnyInteger permits,
                                               const std::stop_token& stop) const {
  return {*this, try_acquire_for(limit, permits, stop) ? permits : client::AnyInteger(0)};
}
inline SemaphoreGuard Semaphore::try_guard_until(Until end, client::AnyInteger permits,
                                                 const std::stop_token& stop) const {
  return {*this, try_acquire_until(end, permits, stop) ? permits : client::AnyInteger(0)};
}

}  // namespace tandem
