#pragma once
// When to wait by asking again and again. Waking a sleeping processor takes the kernel tens of microseconds, often more
// than the answer itself takes, so a short busy wait is several times quicker while answers come soon. Where they do
// not, because the other side is slow, idle, or has no processor free to run on, asking only takes processor time
// from others: then one sleeps at once.

#include <algorithm>
#include <chrono>

namespace tandem::os {

/// Remembers how long recent waits were, asleep or not, and advises for the next. Used by one thread at a time.
class BusyPoll {
 public:
  using Clock = std::chrono::steady_clock;

  /// `limit`: how long one busy wait may last; zero: never wait busily.
  explicit BusyPoll(std::chrono::nanoseconds limit) : limit_(limit) {}

  std::chrono::nanoseconds limit() const { return limit_; }
  bool worthwhile() const { return limit_.count() > 0 && recent_ <= limit_; }
  /// A wait is over. One long wait among short ones changes nothing; several do.
  void waited(std::chrono::nanoseconds duration) {
    recent_ = (recent_ * 3 + std::min(duration, limit_ * 4)) / 4;
  }

 private:
  std::chrono::nanoseconds limit_;
  std::chrono::nanoseconds recent_{0};  // weighted mean
};

}  // namespace tandem::os
