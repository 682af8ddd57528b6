#pragma once
// Counts durations by their order of magnitude.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tandem::server {

/// Bucket i counts those below 2^i ns that the lower buckets do not count; the last
/// one counts all the rest.
class LatencyHistogram {
 public:
  static constexpr std::size_t bucket_count = 40;  // 2^39 ns are nine minutes

  void add(std::uint64_t nanoseconds) {
    std::size_t bucket = static_cast<std::size_t>(std::bit_width(nanoseconds));
    ++counts_[bucket < bucket_count ? bucket : bucket_count - 1];
    sum_ns_ += nanoseconds;
  }
  const std::array<std::uint64_t, bucket_count>& counts() const { return counts_; }
  std::uint64_t sum_ns() const { return sum_ns_; }

 private:
  std::array<std::uint64_t, bucket_count> counts_{};
  std::uint64_t sum_ns_ = 0;
};

}  // namespace tandem::server
