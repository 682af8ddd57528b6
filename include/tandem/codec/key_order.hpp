#pragma once
// The manager's equality, which is Python's, among C++ values: 1 == 1.0 == true, integers and floats of every
// width are compared exactly (-1 is not 2^64-1, 2^53+1 is not 2.0^53), and a NaN equals a NaN of the same
// bits. `==` and `<` of floats, of mixed integers and of nlohmann::json differ from it.

#include <chrono>
#include <cmath>
#include <compare>
#include <ranges>

#include "tandem/codec/parameter.hpp"

namespace tandem {
namespace client {

/// Total orders whose equivalence is the manager's equality. NaNs come after all other numbers.
std::weak_ordering order_numbers(wire::Integer a, wire::Integer b);
std::weak_ordering order_numbers(wire::Integer a, double b);
std::weak_ordering order_numbers(double a, double b);
inline std::weak_ordering order_numbers(double a, wire::Integer b) {
  return 0 <=> order_numbers(b, a);
}
/// Of plain JSON (json.hpp).
std::weak_ordering order_json(const nlohmann::json& a, const nlohmann::json& b);

/// The plain JSON of `value` as a manager holds it. Throws ValueError as write_json() does.
template <class T>
nlohmann::json plain_json_of(const T& value) {
  if constexpr (std::is_arithmetic_v<T> || std::convertible_to<const T&, std::string_view>) {
    return value;
  } else {
    wire::Buffer bytes;
    Encoder to{wire::Writer(bytes), nullptr};
    encode_value<ValueOf<T>>(to, value);
    return to_plain_json(bytes.view());
  }
}

/// Whether T holds floats or JSON, or alternatives that may be equal numbers.
template <class T>
inline constexpr bool needs_key_order = std::floating_point<T> || Untyped<T>;
template <class T>
inline constexpr bool needs_key_order<const T> = needs_key_order<T>;
template <class T>
inline constexpr bool needs_key_order<std::optional<T>> = needs_key_order<T>;
template <class... T>
inline constexpr bool needs_key_order<std::variant<T...>> = (needs_key_order<T> || ...) ||
                                                            (int{std::is_arithmetic_v<T>} + ... + 0) > 1;
template <class A, class B>
inline constexpr bool needs_key_order<std::pair<A, B>> = needs_key_order<A> || needs_key_order<B>;
template <class... T>
inline constexpr bool needs_key_order<std::tuple<T...>> = (needs_key_order<T> || ...);
template <class T, std::size_t N>
inline constexpr bool needs_key_order<std::array<T, N>> = needs_key_order<T>;
template <class T, class A>
inline constexpr bool needs_key_order<std::vector<T, A>> = needs_key_order<T>;
template <class T, class A>
inline constexpr bool needs_key_order<std::deque<T, A>> = needs_key_order<T>;
template <class T, class A>
inline constexpr bool needs_key_order<std::list<T, A>> = needs_key_order<T>;
template <class T, class C, class A>
inline constexpr bool needs_key_order<std::set<T, C, A>> = needs_key_order<T>;
template <class K, class V, class C, class A>
inline constexpr bool needs_key_order<std::map<K, V, C, A>> = needs_key_order<K> || needs_key_order<V>;
template <class Rep, class Period>
inline constexpr bool needs_key_order<std::chrono::duration<Rep, Period>> = std::floating_point<Rep>;

template <class T>
inline constexpr bool is_std_variant = false;
template <class... T>
inline constexpr bool is_std_variant<std::variant<T...>> = true;
template <class T>
inline constexpr bool is_std_duration = false;
template <class Rep, class Period>
inline constexpr bool is_std_duration<std::chrono::duration<Rep, Period>> = true;

template <class T>
requires std::is_arithmetic_v<T>
auto wide_number(T value) {
  if constexpr (std::floating_point<T>) return static_cast<double>(value);
  else if constexpr (std::is_signed_v<T>) return wire::Integer::of(value);
  else return wire::Integer::of_unsigned(value);
}

/// A total order of T. Where T needs it, its equivalence is the manager's equality. With `Equality` only that
/// matters, and parts of other types are compared by `==`.
template <bool Equality, class T>
std::weak_ordering compare(const T& a, const T& b) {
  if constexpr (!needs_key_order<T> && Equality) {
    return a == b ? std::weak_ordering::equivalent : std::weak_ordering::less;
  } else if constexpr (!needs_key_order<T>) {
    return a < b   ? std::weak_ordering::less
           : b < a ? std::weak_ordering::greater
                   : std::weak_ordering::equivalent;
  } else if constexpr (Untyped<T>) {
    return order_json(a, b);
  } else if constexpr (std::floating_point<T>) {
    return order_numbers(wide_number(a), wide_number(b));
  } else if constexpr (is_std_duration<T>) {
    return compare<Equality>(a.count(), b.count());
  } else if constexpr (is_std_optional<T>) {
    return a && b ? compare<Equality>(*a, *b) : a.has_value() <=> b.has_value();
  } else if constexpr (is_std_variant<T>) {
    if (a.valueless_by_exception() || b.valueless_by_exception()) return a.index() <=> b.index();
    return std::visit(
        [&]<class A, class B>(const A& x, const B& y) -> std::weak_ordering {
          constexpr bool number = std::is_arithmetic_v<A>;
          if constexpr (number && std::is_arithmetic_v<B>) {
            return order_numbers(wide_number(x), wide_number(y));
          } else if constexpr (number != std::is_arithmetic_v<B>) {  // numbers first
            return number ? std::weak_ordering::less : std::weak_ordering::greater;
          } else {
            if constexpr (std::same_as<A, B>)
              if (a.index() == b.index()) return compare<Equality>(x, y);
            return a.index() <=> b.index();
          }
        },
        a, b);
  } else if constexpr (std::ranges::range<const T>) {
    auto x = a.begin();
    auto y = b.begin();
    for (; x != a.end() && y != b.end(); ++x, ++y)
      if (const std::weak_ordering order = compare<Equality>(*x, *y); order != 0) return order;
    return (x != a.end()) <=> (y != b.end());
  } else {
    std::weak_ordering order = std::weak_ordering::equivalent;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (void)((order = compare<Equality>(std::get<I>(a), std::get<I>(b)), order != 0) || ...);
    }
    (std::make_index_sequence<std::tuple_size_v<T>>());
    return order;
  }
}

/// Whether the manager would find `found`, which it held, equal to `other`.
template <class A, class B>
bool is_same_value(const A& found, const B& other) {
  if constexpr (Untyped<A>) return order_json(found, plain_json_of(other)) == 0;
  else if constexpr (Untyped<B>) return order_json(plain_json_of(found), plain_json_of(other)) == 0;
  else if constexpr (std::is_arithmetic_v<A> && std::is_arithmetic_v<B>)
    return order_numbers(wide_number(found), wide_number(other)) == 0;
  else if constexpr (std::same_as<A, B> && needs_key_order<A>) return compare<true>(found, other) == 0;
  else return found == other;
}

/// The order of `found` and `other`; unordered with a NaN.
template <class B>
std::partial_ordering partial_order_of(const nlohmann::json& found, const B& other) {
  const nlohmann::json right = plain_json_of(other);
  auto is_nan = [](const nlohmann::json& v) { return v.is_number_float() && std::isnan(v.get<double>()); };
  if (is_nan(found) || is_nan(right)) return std::partial_ordering::unordered;
  return order_json(found, right);
}

/// Whether the items of `found`, which the manager held, are equal to those of the range `others` in turn.
template <class T, class R>
bool are_same_values(const std::vector<T>& found, const R& others) {
  auto at = found.begin();
  auto other = std::ranges::begin(others);
  for (; at != found.end() && other != std::ranges::end(others); ++at, ++other)
    if (!is_same_value<T, std::ranges::range_value_t<const R>>(*at, *other)) return false;
  return at == found.end() && other == std::ranges::end(others);
}

/// Converts `value`, nullopt if there is no equal T.
template <class T, class U>
std::optional<T> equal_key(const U& value) {
  if constexpr (Untyped<T>) {
    return plain_json_of(value);
  } else if constexpr (std::is_arithmetic_v<T> && std::is_arithmetic_v<U>) {
    const auto wide = wide_number(value);
    using Range = std::numeric_limits<T>;
    if constexpr (std::integral<T>)
      if (order_numbers(wide, wide_number(Range::min())) < 0 ||
          order_numbers(wide, wide_number(Range::max())) > 0)
        return std::nullopt;
    const T converted = static_cast<T>(value);
    if (order_numbers(wide, wide_number(converted)) != 0) return std::nullopt;
    return converted;
  } else {
    return std::optional<T>(std::in_place, value);
  }
}

/// Orders keys so that those are equivalent which the manager takes for one.
template <class K>
struct KeyLess {
  bool operator()(const K& a, const K& b) const { return compare<false>(a, b) < 0; }
};

}  // namespace client

/// The order of the std::map and std::set into which a Dict or Set is read: std::less, unless K holds floats
/// or JSON, whose `<` is not total or takes different keys for one (-1 and 2^64-1, for JSON).
template <class K>
using KeyOrder = std::conditional_t<client::needs_key_order<K>, client::KeyLess<K>, std::less<K>>;

}  // namespace tandem
