// Repeats one operation with client and manager in one thread, for callgrind to count: see instructions.py.
//
//   bench_instructions            prints the operations' names
//   bench_instructions NAME N     runs it some times to get into the steady state, then N times in measured()

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/support/direct_connector.hpp"
#include "tests/support/steady_operations.hpp"

namespace {

constexpr int before = 2000;

/// callgrind counts from its beginning to its end.
[[gnu::noinline]] void measured(const std::function<void()>& run, long times) {
  for (long i = 0; i < times; ++i) run();
}

}  // namespace

int main(int argc, char** argv) {
  tandem::test::DirectManager direct;
  const auto operations = tandem::test::steady_operations(direct.connect());
  for (const auto& operation : operations) {
    if (argc < 3) std::printf("%s\n", operation.name.c_str());
    else if (operation.name == argv[1]) {
      for (int i = 0; i < before; ++i) operation.run();
      measured(operation.run, std::atol(argv[2]));
      return 0;
    }
  }
  return argc < 3 ? 0 : 2;
}
