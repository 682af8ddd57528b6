#pragma once
// Element handles, returned by d[k], l[i], ns["x"] and a[i]: each reads and writes one element of an object.

#include <any>
#include <compare>
#include <initializer_list>
#include <ostream>
#include <string>
#include <string_view>

#include "tandem/codec/key_order.hpp"
#include "tandem/proxy/container.hpp"
#include "tandem/proxy/typecode.hpp"

namespace tandem {
namespace client {

/// Writes `-value`. Throws TypeError if it is not a number. Beyond 64 bits it is a big integer: the sum may
/// fit.
void encode_negated(Encoder& to, wire::Integer value);
void encode_negated(Encoder& to, const nlohmann::json& value);

/// `-value`, for `-=`. Integers of every type are negated as 64-bit integers.
template <class D>
struct Negated : Argument {
  explicit Negated(const D& from) : value(from) {}
  const D& value;
  void encode(Encoder& to) const {
    if constexpr (std::floating_point<D>) Codec<D>::encode(to, -value);
    else if constexpr (std::unsigned_integral<D>) encode_negated(to, wire::Integer::of_unsigned(value));
    else if constexpr (std::integral<D>) encode_negated(to, wire::Integer::of(value));
    else encode_negated(to, value);
  }
};

/// Types that an untyped element converts to implicitly. Those that would make such conversions ambiguous are
/// left out (get<T>() reads them).
template <class T>
concept ConversionTarget =
    Decodable<T> && !Untyped<T> && !std::is_pointer_v<T> && !std::same_as<T, char> &&
    !std::same_as<T, std::nullptr_t> && !std::same_as<T, std::any> && !std::same_as<T, std::string_view>;

}  // namespace client

/// A handle of an element of type V. `Derived` has
///     R read<R>() const;   V add(const D&) const
/// each one round trip, and assigns by operator=. A handle refers to its object and stores no value: every
/// access reads anew, so `auto x = d["k"];` is a handle, `V x = d["k"];` a value.
template <class Derived, class V>
class Element : public client::ElementTag {
 public:
  using value_type = V;

  V get() const { return self().template read<V>(); }
  /// Returns the value as a type other than V: a proxy stored in an untyped dict, say.
  template <class T>
  T get() const {
    return self().template read<T>();
  }
  operator V() const { return get(); }
  template <client::ConversionTarget T>
  requires client::Untyped<V> &&(!std::same_as<T, V>)operator T() const { return get<T>(); }

  /// Adds as Python's `+=` does, in one atomic round trip; returns the new value. Throws KeyError,
  /// IndexError, TypeError, and OverflowError for a sum that is not a V (of JSON: beyond 64 bits); nothing
  /// has changed then.
  V operator+=(client::In<V> delta) const {
    client::check_addable<V>();
    return self().add(delta);
  }
  V operator-=(const V& delta) const requires client::Arithmetic<V> || client::Untyped<V> {
    return self().add(client::Negated<V>(delta));
  }
  V operator++() const requires client::Arithmetic<V> || client::Untyped<V> { return *this += V(1); }
  V operator--() const requires client::Arithmetic<V> || client::Untyped<V> { return *this -= V(1); }
  void operator++(int) const requires client::Arithmetic<V> || client::Untyped<V> { *this += V(1); }
  void operator--(int) const requires client::Arithmetic<V> || client::Untyped<V> { *this -= V(1); }

  // Comparisons are the manager's (key_order.hpp).
  template <class U>
  requires(!std::derived_from<U, client::ElementTag>) && requires(const V& v, const U& u) { v == u; }
  friend bool operator==(const Derived& element, const U& value) {
    return client::is_same_value(element.get(), value);
  }
  template <class U>
  requires(!std::derived_from<U, client::ElementTag>) && requires(const V& v, const U& u) { v <=> u; }
  friend auto operator<=>(const Derived& element, const U& value) {
    if constexpr (client::Untyped<V>) return client::partial_order_of(element.get(), value);
    else return element.get() <=> value;
  }
  friend bool operator==(const Derived& a, const Derived& b) {
    return client::is_same_value(a.get(), b.get());
  }

  /// Prints as the value itself does; JSON and types without operator<< are printed by to_text().
  friend std::ostream& operator<<(std::ostream& out, const Derived& element) {
    if constexpr (!client::Untyped<V> && requires(const V& v) { out << v; }) return out << element.get();
    else return out << element.template get<client::Rendering>().text;
  }
  friend void to_json(nlohmann::json& json, const Derived& element) { json = nlohmann::json(element.get()); }

 protected:
  Element() = default;
  Element(const Element&) = default;
  Element& operator=(const Element&) = default;

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};

}  // namespace tandem
