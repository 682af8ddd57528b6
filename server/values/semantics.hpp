#pragma once
// Semantics of hosted values: keys, equality, order and arithmetic, all as in Python (its reference, sections
// "Comparisons", "Numeric types" and "Hashing of numeric types"). One deviation: a NaN equals a NaN of the
// same bits. Python's containers treat the same object so, and here a value is its bytes.
//
// All views must have passed validate().

#include <cstring>
#include <optional>
#include <string>

#include "server/values/number.hpp"
#include "server/values/value.hpp"

namespace tandem::server {

/// Hash of a key; keys that are_equal have equal hashes. type_error for types that Python cannot hash: list,
/// dict, set.
Result<std::uint32_t> hash_key(ValueView key, std::uint64_t seed);

/// are_equal() of values that are not the same bytes.
bool are_equal_otherwise(ValueView a, ValueView b);

/// Python's `==`: 1 == 1.0 == True, sequences element by element, maps and sets in any order. Never fails.
inline bool are_equal(ValueView a, ValueView b) {
  const bool same_bytes =
      a.bytes.size() == b.bytes.size() &&
      (a.bytes.empty() || std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0);
  return same_bytes || are_equal_otherwise(a, b);
}

/// Python's `<`; type_error where Python raises TypeError.
Result<bool> is_less(ValueView a, ValueView b);

/// Appends the MessagePack value of Python's `a + b` to `out`: numbers, text, bytes, lists, tuples.
/// type_error for other operands, overflow for integers beyond 64 bits.
Result<void> add(ValueView a, ValueView b, wire::Buffer& out);
/// The same for `a - b`, numbers only.
Result<void> subtract(ValueView a, ValueView b, wire::Buffer& out);

enum class Bitwise : std::uint8_t { conjunction, disjunction, exclusive };
/// `a & b`, `a | b`, `a ^ b` of 64-bit integers and booleans. type_error for other operands, overflow if the
/// result does not fit 64 bits.
Result<void> combine_bits(Bitwise how, ValueView a, ValueView b, wire::Buffer& out);

/// The number that `value` is, if it is one. It may refer to the value's bytes.
std::optional<Number> number_of(ValueView value);

/// The type_error for a key or a set's element that cannot be hashed, by its type_name().
Failure unhashable(std::string_view type_name);

/// Python's name for the value's type: "int", "str", "list", …
std::string type_name(ValueView value);
/// A short rendering for error texts, at most about 80 bytes.
std::string describe(ValueView value);
/// A text in quotes, shortened likewise.
std::string quote(std::string_view text);

}  // namespace tandem::server
