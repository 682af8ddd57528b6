#pragma once
// The arithmetic types of arrays and of atomic values, by their type codes (ops/array.hpp). An element is its
// bytes, little-endian, as in C++'s memory.

#include <array>
#include <string_view>

#include "server/values/result.hpp"
#include "server/values/value.hpp"

namespace tandem::server {

class ElementType {
 public:
  static constexpr std::size_t bytes_max = 8;
  using Space = std::array<std::uint8_t, bytes_max>;  // for one element of any type

  ElementType() = default;
  /// value_error for an unknown code.
  static Result<ElementType> of(std::string_view typecode);

  std::string_view code() const { return {&code_, 1}; }
  /// Size of one element.
  std::size_t bytes() const { return bytes_; }

  /// Appends the element as a value.
  void read(const std::uint8_t* element, wire::Writer& out) const;
  /// Stores `value` as the element: type_error if it is of another kind, overflow if out of range. A value
  /// for type code f is rounded to a 32-bit float, possibly to infinity, as in Python's array.
  Result<void> write(ValueView value, std::uint8_t* element) const;
  /// Appends `value` as one of this type: errors as for write(), and overflow for what would become infinite.
  Result<void> convert(ValueView value, wire::Writer& out) const;
  /// Adds or subtracts as std::atomic does: integers wrap around, the operand included. type_error as for
  /// write(); overflow for an operand beyond 64 bits.
  Result<void> add(ValueView operand, std::uint8_t* element) const;
  Result<void> subtract(ValueView operand, std::uint8_t* element) const;

 private:
  ElementType(char code, std::size_t bytes) : code_(code), bytes_(bytes) {}
  Result<void> accumulate(ValueView operand, bool minus, std::uint8_t* element) const;

  char code_ = 'b';
  std::size_t bytes_ = 1;
};

}  // namespace tandem::server
