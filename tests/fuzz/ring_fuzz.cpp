// The rings of a shared-memory channel, whose other side writes what it likes where it can, and between any two steps.

#include "tandem/wire/ring.hpp"

#include <memory>
#include <vector>

#include "tandem/wire/frame.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace tandem::wire;

namespace {

std::uint64_t number(tandem::fuzz::Input& input) {
  std::uint8_t bytes[8]{};
  const Bytes taken = input.take(1 + input.below(8));
  std::copy(taken.begin(), taken.end(), bytes);
  return load_little<std::uint64_t>(bytes);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tandem::fuzz::Input input(data, size);
  const std::size_t ring_bytes = std::size_t{1} << (3 + input.below(8));
  // Of exactly this size, so that a step beyond either end is found.
  std::vector<std::uint8_t> in_bytes(ring_bytes), out_bytes(ring_bytes);
  auto in_shared = std::make_unique<RingDirection>();
  auto out_shared = std::make_unique<RingDirection>();
  RingReader in(*in_shared, in_bytes.data(), ring_bytes);
  RingWriter out(*out_shared, out_bytes.data(), ring_bytes);
  while (!input.empty()) {
    switch (input.below(8)) {
      case 0: in_shared->written.store(number(input)); break;
      case 1: out_shared->taken.store(number(input)); break;
      case 2: in_shared->written.fetch_add(input.below(2 * ring_bytes)); break;
      case 3: out_shared->taken.fetch_add(input.below(2 * ring_bytes)); break;
      case 4: {
        const Bytes rubbish = input.take(input.below(ring_bytes));
        std::copy(rubbish.begin(), rubbish.end(), in_bytes.begin());
        std::copy(rubbish.begin(), rubbish.end(), out_bytes.begin());
        break;
      }
      case 5: {
        std::vector<std::uint8_t> space(1 + input.below(2 * ring_bytes));
        const std::size_t there = in.available();
        const std::size_t count = in.read(space);
        REQUIRE(there == ring_broken || there <= ring_bytes);
        REQUIRE(count == (there == ring_broken ? ring_broken : std::min(there, space.size())));
        break;
      }
      case 6: {
        const std::vector<std::uint8_t> what(1 + input.below(2 * ring_bytes), 'w');
        const std::size_t count = out.write(what);
        REQUIRE(count == ring_broken || count <= std::min(what.size(), ring_bytes));
        break;
      }
      case 7: {
        in_shared->writer_sleeps.store(input.byte());
        const bool slept = in_shared->writer_sleeps.load() != 0;
        REQUIRE(sleeps(in_shared->writer_sleeps) == slept);
        REQUIRE(!sleeps(in_shared->writer_sleeps));
        break;
      }
    }
  }
  return 0;
}
