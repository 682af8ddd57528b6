#pragma once
// Text forms of values that JSON does not have: bytes, big integers, timestamps.

#include <optional>
#include <string>
#include <string_view>

#include "tandem/codec/time.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::client {

/// Base64, RFC 4648 §4, padded.
std::string to_base64(wire::Bytes bytes);
/// Returns nullopt if `text` is not padded base64.
std::optional<std::string> from_base64(std::string_view text);

/// Longer integers are written in hexadecimal, since decimal conversion takes quadratic time.
inline constexpr std::size_t decimal_bytes_max = 1024;

/// Returns the text of a big-endian two's complement integer: "-18446744073709551616", "0x1f…" if long.
std::string integer_text(wire::Bytes twos_complement);
/// Returns the shortest two's complement of such a text; nullopt if it is not one, or is decimal and too long
/// for decimal_bytes_max.
std::optional<std::string> integer_bytes(std::string_view text);

/// Returns e.g. "2024-02-29T12:00:00.5Z"; nullopt outside the years 0000…9999 and for nanoseconds beyond a
/// second.
std::optional<std::string> timestamp_text(Timestamp value);
std::optional<Timestamp> parse_timestamp(std::string_view text);

}  // namespace tandem::client
