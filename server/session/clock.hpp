#pragma once
// The time that the session layer passes to the engine.

#include <chrono>
#include <cstdint>

namespace tandem::server {

/// Nanoseconds of the steady clock.
inline std::uint64_t clock_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace tandem::server
