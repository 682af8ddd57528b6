#pragma once
// Time limits and stop tokens, as all operations that wait take them.

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <stop_token>

namespace tandem::client {

/// None: for ever.
using WaitLimit = std::optional<std::chrono::microseconds>;

/// A limit in any unit; rounded up, so that nobody gives up too early. What lies beyond 64 bits of microseconds is none.
template <class Rep, class Period>
WaitLimit limit_of(std::chrono::duration<Rep, Period> limit) {
  using Microseconds = std::chrono::microseconds;
  constexpr auto most = std::chrono::duration<long double, std::micro>(Microseconds::max() / 2);
  const std::chrono::duration<long double, std::micro> exact = limit;
  if (exact >= most) return std::nullopt;
  if (exact.count() <= 0) return Microseconds{0};
  return std::chrono::ceil<Microseconds>(limit);
}
template <class Clock, class Duration>
WaitLimit limit_until(std::chrono::time_point<Clock, Duration> end) {
  return limit_of(end - Clock::now());
}

inline constexpr WaitLimit no_limit = std::nullopt;
inline constexpr WaitLimit at_once = std::chrono::microseconds{0};

}  // namespace tandem::client
