#pragma once
// Tests whose course a seed decides.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace tandem::test {

/// Calls `run(seed)` for each seed from 1 to `last`, or for the one in $TANDEM_SEED alone. Stops at the first failure,
/// which names its seed.
template <class F>
void for_each_seed(std::uint64_t last, F run) {
  const char* only = std::getenv("TANDEM_SEED");
  std::uint64_t seed = 1;
  if (only != nullptr) seed = last = std::strtoull(only, nullptr, 10);
  for (; seed <= last && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("TANDEM_SEED=" + std::to_string(seed));
    run(seed);
  }
}

}  // namespace tandem::test
