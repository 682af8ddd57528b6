#pragma once
// Whether other threads want the processors that busy waits would use. A busy wait is then worse than sleep: it
// takes the time that the other side needs for its answer, and a thread that has used up its time slice waits
// for the next one, milliseconds later, while one that slept is woken at once. sched_yield() does not help:
// Linux moves a thread that yields in a loop ever further back, up to seconds.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace tandem::os {

/// Returns how many threads run or want to on this machine now; nullopt where that is unknown, or says nothing
/// about the processors that this process may use, since they are not all.
std::optional<unsigned> runnable_threads();

/// A yield of the processor to threads that wait for each other in turn takes less. One that takes as much lost a time
/// slice to a thread that computes.
inline constexpr std::chrono::microseconds late_yield{500};

/// Watches the machine's run queues, at most once a millisecond. Thread-safe.
class Contention {
 public:
  using Clock = std::chrono::steady_clock;
  using Runnable = std::optional<unsigned> (*)();

  explicit constexpr Contention(Runnable runnable = runnable_threads) : runnable_(runnable) {}

  /// Whether processors are contended.
  bool found() const { return weight_.load(std::memory_order_relaxed) >= weight_found; }
  /// Whether look() would look again.
  bool is_due(Clock::time_point now) const {
    return now.time_since_epoch().count() >= next_look_.load(std::memory_order_relaxed);
  }
  /// Looks, if it is due. `own`: the number of running threads that take turns waiting for each other, and so do not
  /// compete; at least the caller and the one that it waits for.
  void look(Clock::time_point now, unsigned own);
  /// A yield of the processor lasted from `since` to `now`; a late one shows contention.
  void yielded(Clock::time_point since, Clock::time_point now);

 private:
  // Contention is found by the first look that sees it; where it lasted, it is over after five that do not.
  static constexpr unsigned weight_max = 1024;
  static constexpr unsigned weight_found = weight_max / 4;

  Runnable runnable_;
  std::atomic<Clock::rep> next_look_{0};
  std::atomic<unsigned> weight_{0};
};

}  // namespace tandem::os
