#pragma once
// Type codes of arithmetic types, by their width: those of Python's array module, with q and Q for all 64-bit
// integers.

#include <string_view>
#include <type_traits>

#include "tandem/proxy/element.hpp"

namespace tandem::client {

template <Arithmetic T>
constexpr std::string_view typecode_of() {
  if constexpr (std::floating_point<T>) {
    static_assert(sizeof(T) <= 8, "float and double, not long double");
    return sizeof(T) == 4 ? "f" : "d";
  } else {
    constexpr std::string_view codes = std::is_signed_v<T> ? "bhiq" : "BHIQ";
    return codes.substr(sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3, 1);
  }
}

/// Returns `a + b` as std::atomic<T> adds: integers wrap.
template <Arithmetic T>
constexpr T wrapping_sum(T a, T b) {
  if constexpr (std::floating_point<T>) return a + b;
  else return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
template <Arithmetic T>
constexpr T wrapping_difference(T a, T b) {
  if constexpr (std::floating_point<T>) return a - b;
  else return static_cast<T>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

}  // namespace tandem::client
