#pragma once
// What fuzz targets share. A target reads arbitrary bytes and requires what must hold for all of them.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tandem/wire/buffer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace tandem::fuzz {

/// Ends the run as a finding unless `holds`.
#define REQUIRE(holds)                                                                \
  do {                                                                                \
    if (!(holds)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #holds); \
      std::abort();                                                                   \
    }                                                                                 \
  } while (false)

/// Takes numbers off the front of an input, so that the rest may be shaped by them; zero when it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}

  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    std::uint8_t value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value;
  }
  /// A number below `bound`, which is at least 1.
  std::size_t below(std::size_t bound) { return (byte() * std::size_t{256} + byte()) % bound; }
  wire::Bytes take(std::size_t count) {
    wire::Bytes taken = bytes_.first(count < bytes_.size() ? count : bytes_.size());
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }
  wire::Bytes rest() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }

 private:
  wire::Bytes bytes_;
};

}  // namespace tandem::fuzz
