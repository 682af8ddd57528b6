#pragma once
// Value<T>: one cell in a manager, with the operations of std::atomic. T is any type with a codec; Value<>
// holds a value of any kind, as nlohmann::json.
//
//   Python (multiprocessing)    std::atomic                 here
//   v.value                     v.load(), T x = v           v.load(), T x = v
//   v.value = x                 v.store(x), v = x           v.store(x), v = x
//   -                           v.exchange(x)               v.exchange(x)
//   -                           v.compare_exchange_…(e, x)  v.compare_exchange(e, x)
//   with v.get_lock():          v += x, v.fetch_add(x)      v += x, v.fetch_add(x), ++v, v++ …
//     v.value += x
//   -                           v.fetch_and(x) …            v.fetch_and(x), fetch_or, fetch_xor, &=, |=, ^=
//
// For arithmetic T, integers wrap in T's width, as in std::atomic, and float adds in its own precision;
// durations wrap in 64 bits of nanoseconds. Other types add as in Python (texts are concatenated):
// OverflowError beyond 64 bits, TypeError for operands that cannot be added. All operations are sequentially consistent: the manager executes one at a time.

#include <utility>

#include "tandem/ops/value.hpp"
#include "tandem/proxy/container.hpp"
#include "tandem/proxy/typecode.hpp"

namespace tandem {

template <class T = nlohmann::json>
class Value : public Container {
 public:
  using Operations = ops::Value;
  static constexpr std::uint8_t type_number = Operations::number;
  using value_type = T;
  /// For internal use.
  static constexpr std::string_view sum_typecode = [] {
    if constexpr (client::Arithmetic<T>) return client::typecode_of<T>();
    else return client::sum_typecode_of<T>();
  }();

  Value() = default;
  using Container::Container;

  template <class R = T>
  R load() const {
    return call<Operations::Load, R>();
  }
  operator T() const { return load(); }
  void store(client::In<T> value) const { call<Operations::Store>(value); }
  /// Assigning a proxy (`v = other_value`) makes this one refer to the other's cell, as for all proxies.
  const Value& operator=(client::In<T> value) const {
    store(value);
    return *this;
  }
  T exchange(client::In<T> value) const { return call<Operations::Exchange, T>(value); }
  /// Stores `desired` if the cell equals `expected` (Python's ==); if not, sets `expected` to the cell's
  /// value. Returns whether it stored.
  bool compare_exchange(T& expected, const T& desired) const {
    auto [exchanged, found] = call<Operations::CompareExchange, std::pair<bool, T>>(expected, desired);
    if (!exchanged) expected = std::move(found);
    return exchanged;
  }

  /// These return the old value, as in std::atomic.
  T fetch_add(client::In<T> operand) const {
    client::check_addable<T>();
    if constexpr (sum_typecode.empty()) return call<Operations::FetchAdd, T>(operand);
    else return call<Operations::FetchAdd, T>(operand, sum_typecode);
  }
  T fetch_sub(client::In<T> operand) const {
    client::check_addable<T>();
    if constexpr (sum_typecode.empty()) return call<Operations::FetchSub, T>(operand);
    else return call<Operations::FetchSub, T>(operand, sum_typecode);
  }
  T fetch_and(client::In<T> operand) const requires std::integral<T> || client::Untyped<T> {
    return call<Operations::FetchAnd, T>(operand);
  }
  T fetch_or(client::In<T> operand) const requires std::integral<T> || client::Untyped<T> {
    return call<Operations::FetchOr, T>(operand);
  }
  T fetch_xor(client::In<T> operand) const requires std::integral<T> || client::Untyped<T> {
    return call<Operations::FetchXor, T>(operand);
  }

  /// For arithmetic T these return the new value; one atomic round trip each.
  T operator+=(client::In<T> operand) const requires client::Arithmetic<T> {
    return client::wrapping_sum(fetch_add(operand), operand);
  }
  T operator-=(client::In<T> operand) const requires client::Arithmetic<T> {
    return client::wrapping_difference(fetch_sub(operand), operand);
  }
  /// For other T the new value is not known here.
  void operator+=(client::In<T> operand) const requires(!client::Arithmetic<T>) { fetch_add(operand); }
  void operator-=(client::In<T> operand) const requires(!client::Arithmetic<T>) { fetch_sub(operand); }
  T operator++() const requires client::Arithmetic<T> { return *this += T(1); }
  T operator--() const requires client::Arithmetic<T> { return *this -= T(1); }
  T operator++(int) const requires client::Arithmetic<T> { return fetch_add(T(1)); }
  T operator--(int) const requires client::Arithmetic<T> { return fetch_sub(T(1)); }
  T operator&=(client::In<T> operand) const requires std::integral<T> {
    return static_cast<T>(fetch_and(operand) & operand);
  }
  T operator|=(client::In<T> operand) const requires std::integral<T> {
    return static_cast<T>(fetch_or(operand) | operand);
  }
  T operator^=(client::In<T> operand) const requires std::integral<T> {
    return static_cast<T>(fetch_xor(operand) ^ operand);
  }

  // Only for Value itself: for iterators over Values, evaluating the constraint would recurse without end.
  template <std::same_as<Value> Self, class U>
  requires(!std::derived_from<U, Proxy>) && requires(const T& v, const U& u) { v == u; }
  friend bool operator==(const Self& value, const U& other) {
    return client::is_same_value(value.load(), other);  // the manager's equality (key_order.hpp)
  }
  /// Prints as the value itself does; JSON and types without operator<< are printed by to_text().
  friend std::ostream& operator<<(std::ostream& out, const Value& value) {
    if constexpr (!client::Untyped<T> && requires(const T& v) { out << v; }) return out << value.load();
    else return out << value.template call<Operations::Load, client::Rendering>().text;
  }
};

}  // namespace tandem
