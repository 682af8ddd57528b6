#pragma once
// Numbers as Python compares them: booleans, 64-bit integers, floats and big integers are comparable with
// each other.

#include <cmath>
#include <compare>
#include <limits>
#include <string>
#include <vector>

#include "server/values/result.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::server {

struct Number {
  enum class Form : std::uint8_t { word, floating, big };
  Form form = Form::word;
  wire::Integer word;
  double floating = 0;
  wire::Bytes big;  // two's complement, big-endian, minimal length; only beyond the range of `word`

  /// Takes a boolean, integer, float or big integer from `reader`, which must be positioned at one.
  static Number read(wire::Reader& reader);

  bool is_word() const { return form == Form::word; }
  /// Whether the canonical form of `word` is the eight bytes of an int64.
  static bool is_small(wire::Integer word) {
    constexpr std::int64_t limit = std::int64_t{1} << 62;
    return word.fits_int64() && word.as_int64() < limit && word.as_int64() > -limit;
  }
  /// The nearest double; overflow for integers beyond the largest.
  Result<double> to_double() const;

  /// Enough for the canonical form, sign and magnitude, of every double; only big integers may be longer.
  static constexpr std::size_t canonical_bytes_max = 160;
  /// Writes bytes that are the same for equal numbers, and for no others, and returns how many. `big` must be
  /// shorter than canonical_bytes_max.
  std::size_t canonical(std::uint8_t* out) const;
  std::string to_string() const;
};

/// `v`, but every NaN is the same: processors differ in the sign of one that they make.
template <class T>
T with_one_nan(T v) {
  return std::isnan(v) ? std::numeric_limits<T>::quiet_NaN() : v;
}

/// Exact, whatever the two representations; unordered with a NaN.
std::partial_ordering compare(const Number& a, const Number& b);

Result<void> add(const Number& a, const Number& b, wire::Buffer& out);
Result<void> subtract(const Number& a, const Number& b, wire::Buffer& out);

}  // namespace tandem::server
