#pragma once
// The cryptography of the handshake (wire/handshake.hpp), for the client and the server. OpenSSL is hidden
// behind this header. All functions may be called from any thread.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "tandem/wire/handshake.hpp"

namespace tandem::client {

/// Returns the HMAC-SHA256 (RFC 2104) of the concatenated parts. The key may be empty. Throws Error if
/// OpenSSL fails.
wire::Proof hmac_sha256(std::string_view key, std::initializer_list<wire::Bytes> parts);

/// Fills `out` with bytes from the system's random source. Throws Error if that fails.
void random_bytes(std::span<std::uint8_t> out);

/// Returns whether both are equal, in a time that depends only on their lengths.
bool equal_constant_time(wire::Bytes a, wire::Bytes b);

}  // namespace tandem::client
