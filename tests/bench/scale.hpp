#pragma once
// The parts of bench_scale.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

struct ScaleOptions {
  std::string address;
  std::string authkey_file;
  std::string redis;   // path; empty: none
  bool quick = false;  // sizes that take seconds, not minutes

  std::uint64_t at_most(std::uint64_t full, std::uint64_t quickly) const { return quick ? quickly : full; }
};

ScaleOptions parse_scale_options(int argc, char** argv);

void measure_memory(const ScaleOptions& options);
void measure_pauses(const ScaleOptions& options);
void measure_growth(const ScaleOptions& options);
void measure_channels(const ScaleOptions& options);

std::int64_t scale_now_ns();
/// What this thread has used of a CPU.
std::int64_t scale_used_ns();

/// Times of single operations.
class Samples {
 public:
  template <class F>
  void time(F&& operation) {
    const std::int64_t begin = scale_now_ns();
    operation();
    times_ns_.push_back(scale_now_ns() - begin);
  }
  /// Without the time in which others had the CPU: for the longest of millions. Asking costs a quarter of a microsecond.
  template <class F>
  void time_used(F&& operation) {
    const std::int64_t begin = scale_used_ns();
    operation();
    times_ns_.push_back(scale_used_ns() - begin);
  }
  void add(const Samples& other) {
    times_ns_.insert(times_ns_.end(), other.times_ns_.begin(), other.times_ns_.end());
  }
  std::size_t count() const { return times_ns_.size(); }
  double percentile_us(double share) {
    if (times_ns_.empty()) return 0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(times_ns_.size() - 1));
    std::nth_element(times_ns_.begin(), times_ns_.begin() + static_cast<std::ptrdiff_t>(at), times_ns_.end());
    return static_cast<double>(times_ns_[at]) / 1e3;
  }
  double sum_s() const {
    double sum = 0;
    for (const std::int64_t one : times_ns_) sum += static_cast<double>(one) / 1e9;
    return sum;
  }

 private:
  std::vector<std::int64_t> times_ns_;
};

/// One point of a curve. `ops_per_s` 0: as the samples have it, one after the other.
inline void print_point(std::string_view workload, std::string_view system, std::string_view axis,
                        std::uint64_t at, Samples& samples, double ops_per_s = 0,
                        std::uint64_t value_bytes = 0) {
  if (ops_per_s == 0) ops_per_s = static_cast<double>(samples.count()) / samples.sum_s();
  std::printf(
      "{\"workload\": \"%.*s\", \"system\": \"%.*s\", \"axis\": \"%.*s\", \"at\": %llu, \"ops_per_s\": %.1f, "
      "\"p50_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f, \"max_us\": %.1f",
      static_cast<int>(workload.size()), workload.data(), static_cast<int>(system.size()), system.data(),
      static_cast<int>(axis.size()), axis.data(), static_cast<unsigned long long>(at), ops_per_s,
      samples.percentile_us(0.5), samples.percentile_us(0.99), samples.percentile_us(0.999),
      samples.percentile_us(1));
  if (value_bytes != 0) std::printf(", \"bytes_per_s\": %.0f", ops_per_s * static_cast<double>(value_bytes));
  std::printf("}\n");
  std::fflush(stdout);
}

}  // namespace bench
