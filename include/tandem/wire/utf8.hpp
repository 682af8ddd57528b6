#pragma once
// What is text: UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF).

#include <cstring>
#include <string>
#include <string_view>

#include "tandem/wire/msgpack.hpp"

namespace tandem::wire {

/// The error for values that contain other text.
inline constexpr std::string_view not_utf8_text =
    "a text is not valid UTF-8; send binary data as bytes (tandem::Bytes)";

/// Returns the length of the UTF-8 character that `text`, which is not empty, begins with; 0 if it is none.
inline std::size_t length_of_character(Bytes text) {
  const std::uint8_t lead = text[0];
  if (lead < 0x80) return 1;
  const std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (lead < 0xc2 || lead > 0xf4 || text.size() <= more) return 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xbf;
  if (lead == 0xe0) low = 0xa0;        // overlong
  else if (lead == 0xed) high = 0x9f;  // surrogates
  else if (lead == 0xf0) low = 0x90;   // overlong
  else if (lead == 0xf4) high = 0x8f;  // beyond U+10FFFF
  if (text[1] < low || text[1] > high) return 0;
  for (std::size_t i = 2; i <= more; ++i)
    if ((text[i] & 0xc0) != 0x80) return 0;
  return more + 1;
}

/// Whether `text` is well-formed UTF-8.
inline bool is_utf8(Bytes text) {
  while (!text.empty()) {
    if (text.size() >= 8) {  // most text is ASCII: eight bytes at a time
      std::uint64_t word;
      std::memcpy(&word, text.data(), sizeof word);
      if ((word & 0x8080808080808080) == 0) {
        text = text.subspan(8);
        continue;
      }
    }
    const std::size_t length = length_of_character(text);
    if (length == 0) return false;
    text = text.subspan(length);
  }
  return true;
}

/// Returns `text` with each byte that is not part of a UTF-8 character replaced by U+FFFD: for texts of
/// errors, which nothing may refuse.
inline std::string as_utf8(std::string text) {
  Bytes rest = as_bytes(text);
  if (is_utf8(rest)) return text;
  std::string out;
  while (!rest.empty()) {
    const std::size_t length = length_of_character(rest);
    if (length == 0) out += "\xef\xbf\xbd";
    else out += as_text(rest.first(length));
    rest = rest.subspan(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace tandem::wire
