#pragma once
// What the handshake (wire/handshake.hpp) needs of cryptography, for the client and for the server. OpenSSL stays
// behind this header. All functions may be called from any thread.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "tandem/wire/handshake.hpp"

namespace tandem::client {

/// HMAC-SHA256 (RFC 2104) over the parts, joined in order. The key may be empty. Throws Error when OpenSSL fails.
wire::Proof hmac_sha256(std::string_view key, std::initializer_list<wire::Bytes> parts);

/// Fills `out` with bytes from the system's random source. Throws Error when it has none to give.
void random_bytes(std::span<std::uint8_t> out);

/// Whether both are the same, in a time that depends only on their lengths.
bool equal_constant_time(wire::Bytes a, wire::Bytes b);

}  // namespace tandem::client
