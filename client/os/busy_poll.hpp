#pragma once
// When to busy-wait. Waking a sleeping processor takes the kernel tens of microseconds, often longer than the
// reply itself, so a short busy wait is several times faster while replies arrive soon. If they do not,
// because the other side is slow, idle or has no free processor, polling only takes processor time from
// others; then the thread should sleep at once.

#include <algorithm>
#include <chrono>

namespace tandem::os {

/// Records how long recent waits were, busy or asleep, and advises on the next. Used by one thread at a time.
class BusyPoll {
 public:
  using Clock = std::chrono::steady_clock;

  /// `limit`: how long one busy wait may last; zero: never wait busily.
  explicit BusyPoll(std::chrono::nanoseconds limit) : limit_(limit) {}

  std::chrono::nanoseconds limit() const { return limit_; }
  /// Whether to wait busily now. If that did not pay lately, it is tried again once in a while: waits asleep may be
  /// long only because of the sleep.
  bool worthwhile() {
    if (limit_.count() == 0) return false;
    return recent_ <= limit_ || ++declined_ % declined_in_turn == 0;
  }
  /// Records a finished wait. It counts as at most four times the limit, so a few short waits outweigh one
  /// long.
  void waited(std::chrono::nanoseconds duration) {
    recent_ = (recent_ * 3 + std::min(duration, limit_ * 4)) / 4;
  }

 private:
  static constexpr unsigned declined_in_turn = 32;

  std::chrono::nanoseconds limit_;
  std::chrono::nanoseconds recent_{0};  // weighted mean
  unsigned declined_ = 0;
};

}  // namespace tandem::os
