#pragma once
// The clocks as numbers.

#include <time.h>

#include <chrono>
#include <cstdint>

namespace tandem::os {

/// Nanoseconds of the steady clock.
inline std::uint64_t clock_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

/// Nanoseconds since the start of the machine, those included in which it was suspended.
inline std::uint64_t boot_clock_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace tandem::os
