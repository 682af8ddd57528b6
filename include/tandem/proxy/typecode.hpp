#pragma once
// Type codes of arithmetic types, by their width: those of Python's array module, with q and Q for all 64-bit
// integers.

#include <chrono>
#include <string_view>
#include <type_traits>

#include "tandem/codec/key_order.hpp"

namespace tandem::client {

template <class T>
concept Arithmetic = std::is_arithmetic_v<T> && !std::same_as<T, bool>;

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

/// The type code that operations which add to a V send, so that the sum is a V or an error. Empty where every
/// sum that Python's `+` makes of two is one.
template <class V>
constexpr std::string_view sum_typecode_of() {
  if constexpr (is_std_duration<V>) return "q";
  else if constexpr (Integral<V> || std::same_as<V, float>) return typecode_of<V>();
  else return {};
}

template <class V>
inline constexpr bool is_time_point = false;
template <class Clock, class Duration>
inline constexpr bool is_time_point<std::chrono::time_point<Clock, Duration>> = true;

/// Whether the sum of two V, as Python's `+`, is a V. Types of the user's own may have one.
template <class V>
inline constexpr bool is_addable =
    Untyped<V> || !(
                      std::same_as<V, bool> || std::is_enum_v<V> || is_null<V> || is_proxy<V> ||
                      is_time_point<V> || is_std_optional<V> || is_std_variant<V> ||
                      requires { std::tuple_size<V>::value; } || requires { typename V::key_type; });

template <class V>
constexpr void check_addable() {
  static_assert(
      is_addable<V>,
      "numbers, durations, texts, bytes and lists are added in the manager; of this type there is no "
      "sum that is of this type too");
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
