#include "client/common/printable.hpp"

#include <algorithm>
#include <cstdint>

#include "client/common/hex.hpp"

namespace tandem::client {
namespace {

/// Returns the length of the UTF-8 character that `text` begins with, and the character; 0 if it is none.
std::size_t read_character(std::string_view text, char32_t& character) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  const std::uint8_t lead = byte(0);
  character = lead;
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  character = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    character = character << 6 | (byte(i) & 0x3fU);
  }
  constexpr char32_t least[] = {0x80, 0x800, 0x10000};
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  return character < least[length - 2] || surrogate || character > 0x10ffff ? 0 : length;
}

bool is_plain_ascii(char c) {
  return c >= 0x20 && c < 0x7f;
}

bool is_unsafe(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f)            // control characters
         || c == 0x61c || c == 0x200e || c == 0x200f     // marks of direction
         || (c >= 0x2028 && c <= 0x202e)                 // separators, embedding and override
         || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff  // isolates; zero-width
      ;
}

void append_escaped(std::string& out, char32_t c) {
  switch (c) {
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  out += "\\u";
  append_hex(out, static_cast<std::uint8_t>(c >> 8));
  append_hex(out, static_cast<std::uint8_t>(c));
}

std::string escaped(std::string_view text, bool keep_line_feeds) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto plain = std::find_if_not(text.begin(), text.end(), is_plain_ascii);
    const auto count = static_cast<std::size_t>(plain - text.begin());
    out += text.substr(0, count);
    text.remove_prefix(count);
    if (text.empty()) break;
    char32_t c = 0;
    std::size_t length = read_character(text, c);
    if (length == 0) {
      out += "\\x";
      append_hex(out, static_cast<std::uint8_t>(text.front()));
      length = 1;
    } else if (is_unsafe(c) && !(keep_line_feeds && c == '\n')) {
      append_escaped(out, c);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) {
  return escaped(text, false);
}

std::string printable_lines(std::string_view text) {
  return escaped(text, true);
}

}  // namespace tandem::client
