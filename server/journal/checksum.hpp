#pragma once
// The checksum of everything that a journal keeps.

#include <cstdint>

#include "tandem/wire/buffer.hpp"

namespace tandem::server {

/// XXH3, 64 bits.
std::uint64_t checksum(wire::Bytes bytes, std::uint64_t seed = 0);

}  // namespace tandem::server
