#include "server/journal/checksum.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tandem::server {

std::uint64_t checksum(wire::Bytes bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace tandem::server
