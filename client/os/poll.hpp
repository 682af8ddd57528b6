#pragma once
// poll() with a time limit that signals do not prolong.

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <span>
#include <system_error>

namespace tandem::os {

/// Waits until a descriptor is ready, at most for `limit` (nullopt: no limit). Returns how many are ready.
/// Throws std::system_error.
inline int poll_until(std::span<pollfd> wanted, std::optional<std::chrono::milliseconds> limit) {
  using Clock = std::chrono::steady_clock;
  constexpr long long wait_ms_max = 1'000'000;             // poll() takes an int
  constexpr std::chrono::hours limit_max{24 * 365 * 100};  // longer limits do not fit a clock
  if (limit) limit = std::min<std::chrono::milliseconds>(*limit, limit_max);
  const Clock::time_point begin = Clock::now();
  while (true) {
    long long left = wait_ms_max;
    if (limit) {
      const auto passed = Clock::now() - begin;
      left = passed >= *limit ? 0 : std::chrono::ceil<std::chrono::milliseconds>(*limit - passed).count();
    }
    const int timeout = static_cast<int>(std::min(left, wait_ms_max));
    const int ready = ::poll(wanted.data(), wanted.size(), timeout);
    if (ready > 0) return ready;
    if (ready == 0 && limit && left <= wait_ms_max) return 0;
    if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
  }
}

}  // namespace tandem::os
