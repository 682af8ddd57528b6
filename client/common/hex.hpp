#pragma once
// Bytes as hexadecimal digits, in lower case.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tandem::client {

inline constexpr std::string_view hex_digits = "0123456789abcdef";

inline void append_hex(std::string& text, std::uint8_t byte) {
  text += hex_digits[byte >> 4];
  text += hex_digits[byte & 15];
}

inline std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (std::uint8_t byte : bytes) append_hex(text, byte);
  return text;
}

}  // namespace tandem::client
