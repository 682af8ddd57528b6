#pragma once
// What an engine or an object saves, as bytes to compare and to load.

#include <gtest/gtest.h>

#include "server/engine/engine.hpp"
#include "tests/server/engine/pack.hpp"

namespace tandem::test {

template <class T>
Packed saved(const T& one) {
  wire::Buffer buffer;
  server::StateWriter writer(buffer);
  one.save(writer);
  EXPECT_EQ(writer.failure(), "");
  return {std::string(wire::as_text(buffer.view()))};
}

/// Hands out `bytes` in pieces of at most `piece_bytes`. They must outlive it.
inline server::StateReader::Source pieces_of(std::string_view bytes, std::size_t piece_bytes = 1 << 20) {
  return [bytes, piece_bytes]() mutable {
    const std::string_view piece = bytes.substr(0, piece_bytes);
    bytes.remove_prefix(piece.size());
    return wire::as_bytes(piece);
  };
}

}  // namespace tandem::test
