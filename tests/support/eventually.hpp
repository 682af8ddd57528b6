#pragma once
// Waiting in tests: for a condition, never for a time.

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace tandem::test {

/// Waits until `condition()` is true, asking again every 200 µs. `what` says what is waited for. A machine may be as slow
/// as it likes: only after ten minutes does this throw std::runtime_error with `what`, so that a hang has a name. From
/// half a minute on it says on stderr what it is still waiting for.
template <class F>
void eventually(F&& condition, std::string_view what) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  std::chrono::seconds told{30};
  while (!condition()) {
    const auto waited = Clock::now() - begin;
    if (waited > std::chrono::minutes(10))
      throw std::runtime_error("waited ten minutes for: " + std::string(what));
    if (waited > told) {
      std::cerr << "still waiting after " << told.count() << " s for: " << what << std::endl;
      told *= 2;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

}  // namespace tandem::test
