#pragma once
// How many requests of one session may be under way. The manager refuses more than its requests_under_way_max, so those
// who send without waiting, pipelines and Asyncs, stay below it together and leave room for calls that wait for their
// replies. Of that, some is kept from requests that wait: what would end the waits has to get through.

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace tandem::client {

/// For all threads.
class RequestBudget {
 public:
  /// `limit`: the manager's requests_under_way_max.
  explicit RequestBudget(std::uint64_t limit) {
    const std::uint64_t reserve = std::max<std::uint64_t>(1, limit / 8);
    waits_most_ = limit > 2 * reserve ? limit - 2 * reserve : 1;
    most_ = limit > reserve ? limit - reserve : 1;
  }
  /// Whether there is room for one more. Who has none of the kind under way goes on all the same, so that nobody ever
  /// waits for others.
  bool has_room(bool waits) const {
    return under_way_.load(std::memory_order_relaxed) < most_ &&
           (!waits || waiting_.load(std::memory_order_relaxed) < waits_most_);
  }
  void acquire(bool waits) {
    under_way_.fetch_add(1, std::memory_order_relaxed);
    if (waits) waiting_.fetch_add(1, std::memory_order_relaxed);
  }
  void release(bool waits) {
    under_way_.fetch_sub(1, std::memory_order_relaxed);
    if (waits) waiting_.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  std::uint64_t most_;
  std::uint64_t waits_most_;
  std::atomic<std::uint64_t> under_way_{0};
  std::atomic<std::uint64_t> waiting_{0};  // of under_way_
};

}  // namespace tandem::client
