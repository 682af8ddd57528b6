#pragma once
// Time limits that cover several steps.

#include <chrono>
#include <stdexcept>

namespace tandem::os {

/// Thrown when a time limit has expired.
struct TimedOut : std::runtime_error {
  TimedOut() : std::runtime_error("no answer in time") {}
};

/// The end of a time limit that covers several steps.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  /// Zero, or more than a hundred years: no limit.
  explicit Deadline(std::chrono::milliseconds limit)
      : limit_(limit < std::chrono::hours(24 * 365 * 100) ? limit : std::chrono::milliseconds{0}),
        end_(limit_.count() > 0 ? Clock::now() + limit_ : Clock::time_point{}) {}

  std::chrono::milliseconds limit() const { return limit_; }
  /// Returns the remaining time, at least 1 ms; zero if there is no limit. Throws TimedOut if none is left.
  std::chrono::milliseconds remaining() const {
    if (limit_.count() <= 0) return std::chrono::milliseconds{0};
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now());
    if (left.count() <= 0) throw TimedOut();
    return left;
  }

 private:
  std::chrono::milliseconds limit_;
  Clock::time_point end_;
};

}  // namespace tandem::os
