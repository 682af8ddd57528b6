#pragma once
// Semaphore: a number of permits that threads of any process share.
//
//   Python (threading, multiprocessing)   std::counting_semaphore          here
//   Semaphore(3), BoundedSemaphore(3)     counting_semaphore s(3)          m.semaphore(3)
//   -                                     -                                m.semaphore(3, tandem::ownerless)  as Python's
//   -                                     -                                m.bounded_semaphore(3, tandem::ownerless)
//   s.acquire()                           s.acquire()                      s.acquire(), s.acquire(n)
//   s.acquire(blocking=False)             s.try_acquire()                  s.try_acquire(), s.try_acquire(n)
//   s.acquire(timeout=t)                  s.try_acquire_for(t)             s.try_acquire_for(t), s.try_acquire_until(time)
//   s.release(), s.release(n)             s.release(), s.release(n)        s.release(), s.release(n)
//   with s:                               -                                auto held = s.guard();  s.guard(n), try_guard…
//   -                                     -                                s.acquire(n, stop_token) → bool
//   s.get_value()  (multiprocessing)      -                                s.value(), s.held()

#include <exception>
#include <utility>

#include "tandem/call/wait.hpp"
#include "tandem/ops/semaphore.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

class SemaphoreGuard;

/// Of a semaphore without owners: m.semaphore(3, tandem::ownerless).
struct Ownerless {};
inline constexpr Ownerless ownerless{};

/// Permits are held by the process that acquired them, any thread of which may release them; when it ends, or loses its
/// session, they are free again. A forked child holds none. There are never more than at first.
///
/// An ownerless one is as Python's: anybody may release, so that it can serve as a signal, and what a process holds that
/// ends is lost. There may come to be more permits than at first; if it is bounded, that is refused (ValueError).
///
/// Who waits is served in the order of arrival: who wants many is not overtaken by those who want few.
class Semaphore : public Proxy {
 public:
  using Operations = ops::Semaphore;
  static constexpr std::uint8_t type_number = Operations::number;

  Semaphore() = default;
  using Proxy::Proxy;

  /// So many permits, all at once. ValueError: less than 1, or more than there can ever be.
  void acquire(std::int64_t permits = 1) const { acquire_within(permits, client::no_limit); }
  /// These give whether they were acquired: within the limit, and before a stop was requested.
  bool acquire(std::int64_t permits, const std::stop_token& stop) const {
    return acquire_within(permits, client::no_limit, stop);
  }
  bool acquire(const std::stop_token& stop) const { return acquire(1, stop); }
  bool try_acquire(std::int64_t permits = 1) const { return acquire_within(permits, client::at_once); }
  bool try_acquire_for(For limit, std::int64_t permits = 1, const std::stop_token& stop = {}) const {
    return acquire_within(permits, limit, stop);
  }
  bool try_acquire_until(Until end, std::int64_t permits = 1, const std::stop_token& stop = {}) const {
    return acquire_within(permits, end, stop);
  }
  /// NotOwner: this process does not hold so many. Ownerless: ValueError, more than at first if it is bounded.
  void release(std::int64_t permits = 1) const { call<Operations::Release>(permits); }

  /// The same as acquire and its kin, for a scope. Where the permits were not got, the guard is empty.
  SemaphoreGuard guard(std::int64_t permits = 1) const;
  SemaphoreGuard guard(std::int64_t permits, const std::stop_token& stop) const;
  SemaphoreGuard try_guard(std::int64_t permits = 1) const;
  SemaphoreGuard try_guard_for(For limit, std::int64_t permits = 1, const std::stop_token& stop = {}) const;
  SemaphoreGuard try_guard_until(Until end, std::int64_t permits = 1, const std::stop_token& stop = {}) const;

  /// Permits that can be acquired, at this moment.
  std::int64_t value() const { return call<Operations::Value, std::int64_t>(); }
  /// Permits that this process holds; 0 if it is ownerless.
  std::int64_t held() const { return call<Operations::Held, std::int64_t>(); }

 private:
  bool acquire_within(std::int64_t permits, client::WaitLimit limit, const std::stop_token& stop = {}) const {
    return call_and_wait<Operations::Acquire, bool>(limit, stop, permits);
  }
};

/// Bounded is what they all are that have owners.
using BoundedSemaphore = Semaphore;

/// Holds permits until it goes. Movable; used by one thread at a time. Its destructor never throws: when permits cannot
/// be given back, the manager or this process's session is gone, and what it held with it.
class [[nodiscard]] SemaphoreGuard {
 public:
  /// Holds nothing.
  SemaphoreGuard() noexcept = default;
  /// Takes over permits that this process has; 0: none.
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
      // Said above.
    }
  }

  std::int64_t permits() const noexcept { return permits_; }
  /// Whether it holds any: false after release(), and for one made by a try_guard that was not served.
  explicit operator bool() const noexcept { return permits_ != 0; }
  /// Gives them back now; may throw what the semaphore's release() throws. Does nothing the second time.
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

inline SemaphoreGuard Semaphore::guard(std::int64_t permits) const {
  acquire(permits);
  return {*this, permits};
}
inline SemaphoreGuard Semaphore::guard(std::int64_t permits, const std::stop_token& stop) const {
  return {*this, acquire(permits, stop) ? permits : 0};
}
inline SemaphoreGuard Semaphore::try_guard(std::int64_t permits) const {
  return {*this, try_acquire(permits) ? permits : 0};
}
inline SemaphoreGuard Semaphore::try_guard_for(For limit, std::int64_t permits,
                                               const std::stop_token& stop) const {
  return {*this, try_acquire_for(limit, permits, stop) ? permits : 0};
}
inline SemaphoreGuard Semaphore::try_guard_until(Until end, std::int64_t permits,
                                                 const std::stop_token& stop) const {
  return {*this, try_acquire_until(end, permits, stop) ? permits : 0};
}

}  // namespace tandem
