#pragma once
// The steady clock as a number.

#include <chrono>
#include <cstdint>

namespace tandem::os {

/// Nanoseconds of the steady clock.
inline std::uint64_t clock_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace tandem::os
