#pragma once
// The number of requests that a session may have under way. The manager refuses more than its
// requests_under_way_max, so pipelines and Asyncs, which send without waiting for replies, share a budget
// below it and leave room for other calls. Requests that wait in the manager may not use all of it: the
// requests that end those waits must get through.

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace tandem::client {

/// Thread-safe.
class RequestBudget {
 public:
  /// `limit`: the manager's requests_under_way_max.
  explicit RequestBudget(std::uint64_t limit) {
    const std::uint64_t reserve = std::max<std::uint64_t>(1, limit / 8);
    waits_most_ = limit > 2 * reserve ? limit - 2 * reserve : 1;
    most_ = limit > reserve ? limit - reserve : 1;
  }
  /// Returns whether one more may be sent. A sender with none of that kind outstanding may always send one,
  /// so senders never wait for each other.
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
