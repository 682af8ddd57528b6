#pragma once
// References with fencing tokens, in the arguments of a spawned process.

#include "tandem/wire/msgpack.hpp"

namespace tandem::client {

/// A reference followed by a fencing token (8 bytes, little-endian). Used only in the arguments of a spawned
/// process; managers refuse it.
inline constexpr auto fenced_reference = static_cast<wire::Extension>(16);

/// Reads a reference of either kind; `token` is 0 for one without a token. Returns false if none is next.
bool read_reference(wire::Reader& from, wire::Reference& reference, std::uint64_t& token);

}  // namespace tandem::client
