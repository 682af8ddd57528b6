#pragma once
// Time limits of operations that wait.

#include "tandem/cxx20.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>

namespace tandem {

namespace client {

/// nullopt: without limit.
using WaitLimit = std::optional<std::chrono::microseconds>;

inline constexpr WaitLimit no_limit = std::nullopt;
inline constexpr WaitLimit at_once = std::chrono::microseconds{0};

/// Converts from any unit and number, rounded up so that no wait ends too early. More than half of 64-bit
/// microseconds is no limit; negative numbers and NaN do not wait at all.
using ExactMicroseconds = std::chrono::duration<long double, std::micro>;
inline WaitLimit limit_of(ExactMicroseconds limit) {
  using Microseconds = std::chrono::microseconds;
  if (limit >= ExactMicroseconds(Microseconds::max() / 2)) return no_limit;
  if (!(limit.count() > 0)) return at_once;
  return std::chrono::ceil<Microseconds>(limit);
}

}  // namespace client

/// How long to wait: converts from every duration of std::chrono, from min() to max(). Zero or less: no wait;
/// more than 146,000 years: no limit.
class For {
 public:
  template <class Rep, class Period>
  For(std::chrono::duration<Rep, Period> limit) : limit_(client::limit_of(limit)) {}
  operator client::WaitLimit() const { return limit_; }

 private:
  client::WaitLimit limit_;
};

/// When to stop waiting: converts from every time point of a clock that has now(), from min() to max(). The
/// remaining time is measured by the steady clock. More than a hundred years from now: no limit.
class Until {
 public:
  template <class Clock, class Duration>
  Until(std::chrono::time_point<Clock, Duration> end)
      : Until(For(client::ExactMicroseconds(end.time_since_epoch()) -
                  client::ExactMicroseconds(Clock::now().time_since_epoch()))) {}
  /// At `limit` from now.
  explicit Until(For limit) {
    constexpr std::chrono::hours farthest{24 * 365 * 100};
    if (const client::WaitLimit left = limit; left && *left < farthest) end_ = Steady::now() + *left;
  }
  operator client::WaitLimit() const {
    return end_ ? client::limit_of(*end_ - Steady::now()) : client::no_limit;
  }

 private:
  using Steady = std::chrono::steady_clock;
  std::optional<Steady::time_point> end_;
};

}  // namespace tandem
