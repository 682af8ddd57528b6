#pragma once
// References among the arguments of a spawned process.

#include "tandem/wire/msgpack.hpp"

namespace tandem::client {

/// A reference with a fencing token behind it, 8 bytes, little-endian. Only among what a process that is spawned is given:
/// managers refuse it.
inline constexpr auto fenced_reference = static_cast<wire::Extension>(16);

/// Takes a reference of either kind; `token` is 0 for one without a token. False: none is next.
bool read_reference(wire::Reader& from, wire::Reference& reference, std::uint64_t& token);

}  // namespace tandem::client
