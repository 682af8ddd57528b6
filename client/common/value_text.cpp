#include "client/common/value_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <vector>

#include "client/common/hex.hpp"

namespace tandem::client {
namespace {

constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint32_t billion = 1'000'000'000;  // decimal digits are converted nine at a time
constexpr std::int64_t seconds_per_day = 86'400;
constexpr std::size_t fraction_digits = 9;

/// Returns the magnitude of a big-endian two's complement.
std::vector<std::uint8_t> magnitude_of(wire::Bytes twos, bool negative) {
  std::vector<std::uint8_t> magnitude(twos.begin(), twos.end());
  if (!negative) return magnitude;
  bool carry = true;
  for (auto at = magnitude.rbegin(); at != magnitude.rend(); ++at) {
    const unsigned sum = static_cast<std::uint8_t>(~*at) + (carry ? 1U : 0U);
    *at = static_cast<std::uint8_t>(sum);
    carry = sum > 0xff;
  }
  return magnitude;  // the minimum of a length is its own magnitude as unsigned
}

/// Returns the shortest two's complement of a big-endian magnitude.
std::string twos_complement_of(std::vector<std::uint8_t> magnitude, bool negative) {
  magnitude.insert(magnitude.begin(), 0);  // room for the sign
  if (negative) magnitude = magnitude_of(wire::Bytes(magnitude), true);
  std::size_t first = 0;
  while (first + 1 < magnitude.size()) {
    const bool next_high = (magnitude[first + 1] & 0x80) != 0;
    if (magnitude[first] != (next_high ? 0xff : 0x00)) break;
    ++first;
  }
  return {magnitude.begin() + static_cast<std::ptrdiff_t>(first), magnitude.end()};
}

/// Divides in place and returns the remainder.
std::uint32_t divide(std::vector<std::uint8_t>& number, std::uint32_t by) {
  std::uint64_t rest = 0;
  for (std::uint8_t& digit : number) {
    rest = rest << 8 | digit;
    digit = static_cast<std::uint8_t>(rest / by);
    rest %= by;
  }
  return static_cast<std::uint32_t>(rest);
}

std::string decimal_digits(std::vector<std::uint8_t> magnitude) {
  std::string digits;
  while (std::any_of(magnitude.begin(), magnitude.end(), [](std::uint8_t b) { return b != 0; })) {
    std::uint32_t nine = divide(magnitude, billion);
    for (std::size_t i = 0; i < fraction_digits; ++i, nine /= 10)
      digits += static_cast<char>('0' + nine % 10);
  }
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  if (digits.empty()) digits = "0";
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::optional<std::vector<std::uint8_t>> parse_decimal(std::string_view digits) {
  constexpr std::size_t digits_max = decimal_bytes_max * 5 / 2;  // 2.41 decimal digits per byte
  if (digits.empty() || digits.size() > digits_max) return std::nullopt;
  std::vector<std::uint8_t> number;  // little-endian while it grows
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return std::nullopt;
    unsigned carry = static_cast<unsigned>(digit - '0');
    for (std::uint8_t& byte : number) {
      carry += byte * 10U;
      byte = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    if (carry != 0) number.push_back(static_cast<std::uint8_t>(carry));
  }
  std::reverse(number.begin(), number.end());
  return number;
}

std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  std::vector<std::uint8_t> number((digits.size() + 1) / 2);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const std::size_t value = hex_digits.find(digits[digits.size() - 1 - i]);
    if (value == hex_digits.npos) return std::nullopt;
    number[number.size() - 1 - i / 2] |= static_cast<std::uint8_t>(value << (i % 2 * 4));
  }
  return number;
}

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() && text[0] != '-';
}

}  // namespace

std::string to_base64(wire::Bytes bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      text += j <= count ? base64_alphabet[group >> (18 - 6 * j) & 0x3f] : '=';
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::string_view four = text.substr(i, 4);
    const bool last = i + 4 == text.size();
    const std::size_t padding = !last ? 0 : four.ends_with("==") ? 2 : four.ends_with('=') ? 1 : 0;
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const std::size_t value = j >= 4 - padding ? 0 : base64_alphabet.find(four[j]);
      if (value == base64_alphabet.npos) return std::nullopt;
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    if ((group & ((1U << (8 * padding)) - 1)) != 0) return std::nullopt;  // non-zero padding bits
    for (std::size_t j = 0; j < 3 - padding; ++j) bytes += static_cast<char>(group >> (16 - 8 * j));
  }
  return bytes;
}

std::string integer_text(wire::Bytes twos_complement) {
  const bool negative = !twos_complement.empty() && (twos_complement[0] & 0x80) != 0;
  std::vector<std::uint8_t> magnitude = magnitude_of(twos_complement, negative);
  std::string text = negative ? "-" : "";
  if (magnitude.size() <= decimal_bytes_max) return text + decimal_digits(std::move(magnitude));
  text += "0x";
  return text + to_hex(magnitude);
}

std::optional<std::string> integer_bytes(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  std::optional<std::vector<std::uint8_t>> magnitude =
      text.starts_with("0x") ? parse_hex(text.substr(2)) : parse_decimal(text);
  if (!magnitude) return std::nullopt;
  return twos_complement_of(std::move(*magnitude), negative);
}

std::optional<std::string> timestamp_text(Timestamp value) {
  constexpr Timestamp first{-62'167'219'200, 0};  // 0000-01-01
  constexpr Timestamp last{253'402'300'799, 0};   // 9999-12-31T23:59:59
  if (value.seconds < first.seconds || value.seconds > last.seconds || value.nanoseconds >= billion)
    return std::nullopt;
  std::int64_t second = value.seconds % seconds_per_day;
  if (second < 0) second += seconds_per_day;
  const std::chrono::sys_days day{std::chrono::days{(value.seconds - second) / seconds_per_day}};
  const std::chrono::year_month_day date{day};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(second / 3600), static_cast<int>(second / 60 % 60),
                static_cast<int>(second % 60));
  std::string result = text.data();
  if (value.nanoseconds != 0) {
    std::string fraction = std::to_string(billion + value.nanoseconds).substr(1);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    result += '.' + fraction;
  }
  return result + 'Z';
}

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  constexpr std::string_view shape = "0000-00-00T00:00:00Z";
  if (text.size() < shape.size() || text.back() != 'Z') return std::nullopt;
  for (const std::size_t at : {4U, 7U, 10U, 13U, 16U})
    if (text[at] != shape[at]) return std::nullopt;
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!parse_number(text.substr(0, 4), year) || !parse_number(text.substr(5, 2), month) ||
      !parse_number(text.substr(8, 2), day) || !parse_number(text.substr(11, 2), hour) ||
      !parse_number(text.substr(14, 2), minute) || !parse_number(text.substr(17, 2), second))
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  std::uint32_t nanoseconds = 0;
  std::string_view fraction = text.substr(19, text.size() - 20);
  if (!fraction.empty()) {
    if (fraction[0] != '.' || fraction.size() < 2 || fraction.size() > 1 + fraction_digits)
      return std::nullopt;
    std::string digits(fraction.substr(1));
    digits.resize(fraction_digits, '0');
    if (!parse_number(digits, nanoseconds)) return std::nullopt;
  }
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  return Timestamp{days * seconds_per_day + hour * 3600 + minute * 60 + second, nanoseconds};
}

}  // namespace tandem::client
