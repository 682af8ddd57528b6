#pragma once
// Arguments of proxies other than plain values: ranges written as items or entries, any value for untyped
// proxies, raw elements. Users see them only as types that their own values convert to.

#include <ranges>
#include <span>
#include <string>
#include <type_traits>

#include "tandem/codec/container.hpp"

namespace tandem::client {

template <class T>
concept Untyped = std::same_as<T, nlohmann::json>;

/// A range whose elements can be written as T. Text and JSON are excluded: their elements are not what is
/// meant.
template <class R, class T>
concept MutableItemRange =
    std::ranges::input_range<R> && !is_proxy<std::remove_cvref_t<R>> &&
    !std::convertible_to<R&, std::string_view> && !std::same_as<std::remove_cvref_t<R>, nlohmann::json> &&
    (Untyped<T> || std::convertible_to<std::ranges::range_reference_t<R>, T>);
template <class R, class T>
concept ItemRange = MutableItemRange<const R, T>;
/// A range of pairs that can be written as keys and values.
template <class R, class K, class V>
concept MutableEntryRange =
    std::ranges::input_range<R> && !is_proxy<std::remove_cvref_t<R>> && requires(R & range) {
  (*std::ranges::begin(range)).first;
  (*std::ranges::begin(range)).second;
};
template <class R, class K, class V>
concept EntryRange = MutableEntryRange<const R, K, V>;

/// Base of types that write themselves, in the form that the parameter requires.
struct Argument {};

/// An integer of any type, as the argument of a proxy. One beyond 64 bits, SIZE_MAX say, is the largest that they
/// express: it must not arrive as -1.
class AnyInteger : public Argument {
 public:
  template <std::convertible_to<std::int64_t> I>
  requires(!std::derived_from<I, AnyInteger>) constexpr AnyInteger(const I& value)
      : value_(static_cast<std::int64_t>(value)) {
    if constexpr (std::unsigned_integral<I>)
      if (value > static_cast<std::uint64_t>(INT64_MAX)) value_ = INT64_MAX;
  }
  constexpr operator std::int64_t() const { return value_; }
  void encode(Encoder& to) const { to.writer.integer(value_); }

 private:
  std::int64_t value_;
};

/// A class that is no value, which encode_value() says; taken only so that it can.
template <class A>
concept NoValue = std::is_class_v<A> && !Encodable<A> && !std::derived_from<A, Argument> &&
                  !std::derived_from<A, ElementTag> && !std::same_as<A, std::nullopt_t> &&
                  !std::convertible_to<const A&, nlohmann::json::initializer_list_t>;

/// Any value that can be written, for the duration of a call. Untyped proxies take it, so that
/// `d["k"] = account` and `l.push_back({1, "a"})` write each C++ value in its own form. Refers to the value
/// it was made from.
class AnyValue : public Argument {
 public:
  AnyValue() = default;  // null, as nlohmann::json()
  template <class A>
  requires(Encodable<ValueOf<A>> || NoValue<ValueOf<A>>) &&
      (!std::derived_from<A, AnyValue>)AnyValue(const A& value) : value_(&value),
  encode_(&encode_as<A>) {}
  /// Braces have the same meaning as for nlohmann::json.
  AnyValue(nlohmann::json::initializer_list_t braced) : owned_(braced) {}
  /// The value of an element reference (element.hpp), which is read here.
  template <std::derived_from<ElementTag> E>
  AnyValue(const E& element) : owned_(element.get()) {}

  void encode(Encoder& to) const {
    if (encode_ != nullptr) encode_(to, value_);
    else write_json(to.writer, owned_);
  }

 private:
  template <class A>
  static void encode_as(Encoder& to, const void* value) {
    encode_value<ValueOf<A>>(to, *static_cast<const A*>(value));
  }

  const void* value_ = nullptr;
  void (*encode_)(Encoder&, const void*) = nullptr;
  nlohmann::json owned_;
};

/// The parameter type with which a proxy of V takes a V.
template <class V>
using In = std::conditional_t<Untyped<V>, AnyValue, const V&>;

/// A present argument declared as Maybe.
template <class A>
struct PresentArgument : Argument {
  explicit PresentArgument(const A& from) : value(from) {}
  const A& value;
  void encode(Encoder& to) const {
    to.writer.array(1);
    if constexpr (std::derived_from<A, Argument>) value.encode(to);
    else encode_value<ValueOf<A>>(to, value);
  }
};

/// An untyped key that outlives its call, as the bytes it is encoded to.
struct EncodedValue : Argument {
  EncodedValue(const AnyValue& value, const RemoteObject* object);
  std::string bytes;
  void encode(Encoder& to) const { to.writer.raw(wire::as_bytes(bytes)); }
};

/// Writes `value` as V. An untyped V takes any value that can be written, in its own form.
template <class V, class A>
void encode_as(Encoder& to, const A& value) {
  if constexpr (Untyped<V> && Encodable<ValueOf<A>>) Codec<ValueOf<A>>::encode(to, value);
  else encode_value<V>(to, value);
}

/// A range without an end: an endless view, or a view of one that leaves it so.
template <class R>
inline constexpr bool endless_range = false;
template <class R>
requires std::same_as<std::ranges::sentinel_t<R>, std::unreachable_sentinel_t>
inline constexpr bool endless_range<R> = true;
template <class V>
inline constexpr bool endless_range<std::ranges::ref_view<V>> = endless_range<std::remove_cv_t<V>>;
template <class V, class F>
inline constexpr bool endless_range<std::ranges::transform_view<V, F>> = endless_range<V>;
template <class V, class P>
inline constexpr bool endless_range<std::ranges::filter_view<V, P>> = endless_range<V>;
template <class V>
inline constexpr bool endless_range<std::ranges::drop_view<V>> = endless_range<V>;
template <class V, class P>
inline constexpr bool endless_range<std::ranges::drop_while_view<V, P>> = endless_range<V>;
template <class V, std::size_t N>
inline constexpr bool endless_range<std::ranges::elements_view<V, N>> = endless_range<V>;
template <class R>
concept Endless = endless_range<std::remove_cvref_t<R>>;

/// Calls `f(elements, how many they are)`. A single pass over `range` is enough.
template <class R, class F>
void with_size(R& range, F&& f) {
  static_assert(!Endless<R>, "all elements of a range are sent, and this one has no end");
  if constexpr (std::ranges::sized_range<R>) {
    const auto size = static_cast<std::size_t>(std::ranges::size(range));
    f(range, size);
  } else if constexpr (std::ranges::forward_range<R>) {
    const auto size = static_cast<std::size_t>(std::ranges::distance(range));
    f(range, size);
  } else {
    std::vector<std::ranges::range_value_t<R>> copied;
    for (auto&& element : range) copied.push_back(std::forward<decltype(element)>(element));
    f(copied, copied.size());
  }
}

template <class T, class R>
struct ItemsOf : Argument {
  explicit ItemsOf(R& from) : range(from) {}
  R& range;
  void encode(Encoder& to) const {
    using Range = std::remove_const_t<R>;
    if constexpr (is_proxy<Range>) {
      Codec<Range>::encode(to, range);
    } else if constexpr (std::same_as<Range, nlohmann::json>) {
      if (!range.is_array())
        throw TypeError(std::string("asked for an array of items, found ") + range.type_name());
      write_json(to.writer, range);
    } else {
      with_size(range, [&](auto& elements, std::size_t size) {
        to.writer.array(size);
        for (const auto& element : elements) encode_as<T>(to, element);
      });
    }
  }
};
/// The elements of `range`, each written as a T; or a proxy, whose contents the manager takes.
template <class T, class R>
ItemsOf<T, R> items_of(R& range) {
  return ItemsOf<T, R>(range);
}

template <class K, class V, class R>
struct EntriesOf : Argument {
  explicit EntriesOf(R& from) : range(from) {}
  R& range;
  void encode(Encoder& to) const {
    using Range = std::remove_const_t<R>;
    if constexpr (is_proxy<Range>) {
      Codec<Range>::encode(to, range);
    } else if constexpr (std::same_as<Range, nlohmann::json>) {
      if (!range.is_object()) throw TypeError(std::string("asked for an object, found ") + range.type_name());
      to.writer.map(range.size());
      for (const auto& [key, value] : range.items()) {
        to.writer.text(key);
        write_json(to.writer, value);
      }
    } else {
      with_size(range, [&](auto& entries, std::size_t size) {
        to.writer.map(size);
        for (const auto& entry : entries) {
          encode_as<K>(to, entry.first);
          encode_as<V>(to, entry.second);
        }
      });
    }
  }
};
template <class K, class V, class R>
EntriesOf<K, V, R> entries_of(R& range) {
  return EntriesOf<K, V, R>(range);
}

/// The argument of an operation on items, for the duration of a call: a range of elements that convert to T,
/// a braced list, a JSON array, or a list, set or dict (its keys) of the same manager. Refers to what it was
/// made from.
template <class T>
class ItemsIn : public Argument {
 public:
  template <class R>
  requires(!std::same_as<std::remove_cvref_t<R>, ItemsIn>) &&
      (MutableItemRange<R, T> || is_proxy<std::remove_cvref_t<R>> ||
       Untyped<std::remove_cvref_t<R>>)ItemsIn(R&& range)
      : range_(std::addressof(range)),
  encode_(&encode_as<std::remove_reference_t<R>>) {}
  ItemsIn(std::initializer_list<T> braced) : braced_(braced) {}

  void encode(Encoder& to) const {
    if (encode_ != nullptr) encode_(to, range_);
    else items_of<T>(braced_).encode(to);
  }

 private:
  template <class R>
  static void encode_as(Encoder& to, const void* range) {
    items_of<T>(*const_cast<R*>(static_cast<const R*>(range))).encode(to);
  }

  const void* range_ = nullptr;
  void (*encode_)(Encoder&, const void*) = nullptr;
  std::initializer_list<T> braced_;
};

/// The same for entries: a map or another range of pairs, a braced list, a JSON object, or a dict or
/// namespace of the same manager.
template <class K, class V>
class EntriesIn : public Argument {
 public:
  template <class R>
  requires(!std::same_as<std::remove_cvref_t<R>, EntriesIn>) &&
      (MutableEntryRange<R, K, V> || is_proxy<std::remove_cvref_t<R>> ||
       Untyped<std::remove_cvref_t<R>>)EntriesIn(R&& range)
      : range_(std::addressof(range)),
  encode_(&encode_as<std::remove_reference_t<R>>) {}
  EntriesIn(std::initializer_list<std::pair<K, V>> braced) : braced_(braced) {}

  void encode(Encoder& to) const {
    if (encode_ != nullptr) encode_(to, range_);
    else entries_of<K, V>(braced_).encode(to);
  }

 private:
  template <class R>
  static void encode_as(Encoder& to, const void* range) {
    entries_of<K, V>(*const_cast<R*>(static_cast<const R*>(range))).encode(to);
  }

  const void* range_ = nullptr;
  void (*encode_)(Encoder&, const void*) = nullptr;
  std::initializer_list<std::pair<K, V>> braced_;
};

/// The raw bytes of the elements, little-endian as on all machines that tandem runs on.
template <class T>
struct RawElements : Argument {
  explicit RawElements(std::span<const T> from) : elements(from) {}
  std::span<const T> elements;
  void encode(Encoder& to) const {
    to.writer.bytes({reinterpret_cast<const std::uint8_t*>(elements.data()), elements.size_bytes()});
  }
};

/// The argument of an operation on an array's elements, for the duration of a call: a range of elements that
/// convert to T, or a braced list.
template <class T>
class ElementsIn : public Argument {
 public:
  template <class R>
  requires(!std::same_as<std::remove_cvref_t<R>, ElementsIn>) && MutableItemRange<R, T> ElementsIn(
                                                                     R&& range) {
    static_assert(!Endless<R>, "all elements of a range are sent, and this one has no end");
    if constexpr (std::ranges::contiguous_range<R> && std::same_as<std::ranges::range_value_t<R>, T>) {
      elements_ = range;
    } else {
      for (const auto& element : range) copied_.push_back(static_cast<T>(element));
      elements_ = copied_;
    }
  }
  ElementsIn(std::initializer_list<T> braced) : elements_(braced) {}
  ElementsIn(const ElementsIn&) = delete;
  ElementsIn& operator=(const ElementsIn&) = delete;

  void encode(Encoder& to) const { RawElements<T>(elements_).encode(to); }

 private:
  std::vector<T> copied_;
  std::span<const T> elements_;
};

}  // namespace tandem::client
