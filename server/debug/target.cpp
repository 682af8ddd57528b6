#include "server/debug/target.hpp"

#include <algorithm>
#include <charconv>

#include "server/debug/answer.hpp"
#include "server/values/validate.hpp"

namespace tandem::server {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode(std::string_view encoded, bool plus_is_space) {
  std::string decoded;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (encoded[i] != '%') {
      decoded += encoded[i];
    } else {
      int high = i + 2 < encoded.size() ? hex_digit(encoded[i + 1]) : -1;
      int low = i + 2 < encoded.size() ? hex_digit(encoded[i + 2]) : -1;
      if (high < 0 || low < 0)
        throw Refused{400, "a '%' in the request's target needs two hexadecimal digits behind it"};
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  if (!is_utf8(wire::as_bytes(decoded))) throw Refused{400, "the request's target is not UTF-8"};
  return decoded;
}

/// Bytes of the first UTF-8 character of `text`.
std::size_t character_bytes(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) ++length;
  return length;
}

}  // namespace

Target Target::parse(std::string_view target) {
  Target parsed;
  std::size_t mark = target.find('?');
  std::string_view path = target.substr(0, mark);
  if (path.empty() || path[0] != '/') throw Refused{400, "the request's target is no path"};
  parsed.path_ = decode(path, false);
  std::string_view query = mark == target.npos ? std::string_view() : target.substr(mark + 1);
  while (!query.empty()) {
    std::string_view one = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(one.size() + 1, query.size()));
    if (one.empty()) continue;
    std::size_t equals = one.find('=');
    std::string name = decode(one.substr(0, equals), true);
    std::string value = equals == one.npos ? std::string() : decode(one.substr(equals + 1), true);
    if (parsed.text(name)) throw Refused{400, "the parameter '" + name + "' is given twice"};
    parsed.parameters_.emplace_back(std::move(name), std::move(value));
  }
  return parsed;
}

void Target::allow_only(std::initializer_list<std::string_view> known) const {
  for (const auto& [name, value] : parameters_) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string there;
    for (std::string_view one : known) there.append(there.empty() ? "" : ", ").append(one);
    throw Refused{400, path_ + " knows no parameter '" + name + "'; " +
                           (there.empty() ? "there are none" : "there are: " + there)};
  }
}

std::optional<std::string> Target::text(std::string_view name) const {
  for (const auto& [there, value] : parameters_)
    if (there == name) return value;
  return std::nullopt;
}

std::uint64_t Target::number(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                             std::uint64_t most) const {
  std::optional<std::string> given = text(name);
  if (!given) return otherwise;
  std::optional<std::uint64_t> number = parse_number(*given);
  if (!number || *number < least || *number > most)
    throw Refused{400, "the parameter '" + std::string(name) + "' is a number from " + std::to_string(least) +
                           " to " + std::to_string(most)};
  return *number;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool matches_glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = pattern.npos;  // the last '*'; `resume`: where the text after its run begins
  std::size_t resume = 0;
  while (t < text.size()) {
    bool escaped = p + 1 < pattern.size() && pattern[p] == '\\';
    if (p < pattern.size() && !escaped && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && !escaped && pattern[p] == '?') {
      ++p;
      t += character_bytes(text.substr(t));
    } else if (p < pattern.size() && pattern[p + escaped] == text[t]) {
      p += 1 + escaped;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = resume += character_bytes(text.substr(resume));
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_literal_glob(std::string_view pattern, std::string& literal) {
  literal.clear();
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '*' || pattern[i] == '?') return false;
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    literal += pattern[i];
  }
  return true;
}

}  // namespace tandem::server
