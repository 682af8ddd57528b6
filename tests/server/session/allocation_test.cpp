// In the steady state an operation allocates nothing, on neither side.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "tests/support/direct_connector.hpp"
#include "tests/support/steady_operations.hpp"

namespace {
long allocations = 0;
}

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* at = std::malloc(bytes)) return at;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* at) noexcept {
  std::free(at);
}
[[gnu::noinline]] void operator delete(void* at, std::size_t) noexcept {
  std::free(at);
}

namespace tandem {
namespace {

/// What an operation allocates for what it gives or keeps.
long expected_of(const std::string& name) {
  if (name == "dict_get_text") return 1;     // the caller's string
  if (name == "pipelined_get") return 16;    // the futures
  if (name == "pipelined_bound") return 16;  // where the bound proxy's calls are put together
  if (name == "semaphore") return 1;         // who has permits
  return 0;
}

TEST(Allocation, NothingIsAllocatedForAnOperationInTheSteadyState) {
  test::DirectManager direct;
  constexpr int times = 100;
  for (const test::SteadyOperation& operation : test::steady_operations(direct.connect())) {
    for (int i = 0; i < 2000; ++i) operation.run();
    const long before = allocations;
    for (int i = 0; i < times; ++i) operation.run();
    const long allocated = allocations - before - times * expected_of(operation.name);
    EXPECT_LE(allocated, times / 10) << operation.name;  // a queue takes memory by blocks of items
    EXPECT_GE(allocated, 0) << operation.name;
  }
}

}  // namespace
}  // namespace tandem
