#pragma once
// Codecs of values that contain values.
//
//   C++                                 on the wire          read from
//   optional<T>                         nil or T             nil or T
//   vector, deque, list, array<T, N>,   array                array, tuple or set (array<T, N>: of N elements)
//   span, and vector<uint8_t>                                vector<uint8_t> also from bytes
//   set, unordered_set                  extension set        array, tuple or set
//   map, unordered_map                  map                  map
//   pair, tuple                         extension tuple, so  array or tuple of that length
//                                       that it can be a key
//   variant<T…>                         the alternative      first alternative that accepts the kind found
//
// A vector, like Python's list, cannot be a key; a tuple can. A map or set of the manager with keys that are
// different there and equal in C++ (2^53+1 and 2.0^53, read as double) throws TypeError: no entry is lost.

#include <algorithm>
#include <array>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/codec/scalar.hpp"

namespace tandem {
namespace client {

/// The elements of an array, a tuple or a set, in order.
class Sequence {
 public:
  /// Skips the header at `from`. Returns false without moving if the value is of another kind.
  bool open(Decoder& from);
  /// Whether one more element follows at `from`. Call before each.
  bool next(const Decoder& from);
  /// Number of elements to reserve; never more than there are bytes, 0 for tuples and sets.
  std::size_t expected(const Decoder& from) const;

 private:
  std::uint32_t remaining_ = 0;
  const std::uint8_t* end_ = nullptr;  // of a tuple or set, whose elements are not counted
};

/// Writes an extension whose body is the elements that `write` writes.
template <class F>
void write_extension(Encoder& to, wire::Extension type, F&& write) {
  wire::Buffer& out = to.writer.buffer();
  const std::size_t begin = out.size();
  write();
  const std::size_t end = out.size();
  // The header's length depends on the body's, so it is written after the body and moved to the front.
  to.writer.extension_header(type, end - begin);
  std::rotate(out.data() + begin, out.data() + end, out.data() + out.size());
}

template <class C>
void encode_array(Encoder& to, const C& values) {
  to.writer.array(values.size());
  for (const auto& value : values) Codec<typename C::value_type>::encode(to, value);
}

template <class C, class Insert>
C decode_sequence(Decoder& from, const std::string& asked, Insert&& insert) {
  C values;
  Sequence elements;
  if (!elements.open(from)) throw_mismatch(from.reader, asked);
  if constexpr (requires { values.reserve(1); }) values.reserve(elements.expected(from));
  while (elements.next(from)) insert(values, Codec<typename C::value_type>::decode(from));
  return values;
}

template <class C>
struct ArrayCodec {
  using T = typename C::value_type;
  static void encode(Encoder& to, const C& values) requires Encodable<T> { encode_array(to, values); }
  static C decode(Decoder& from) requires Decodable<T> {
    return decode_sequence<C>(from, "array of " + name_of_type<T>(),
                              [](C& values, T&& value) { values.push_back(std::move(value)); });
  }
  static std::string name() { return "array of " + name_of_type<T>(); }
};

/// Whether there is an extension set at `reader`.
inline bool is_set(wire::Reader reader) {
  std::int8_t type = 0;
  wire::Bytes body;
  return reader.extension(type, body) && type == static_cast<std::int8_t>(wire::Extension::set);
}

/// Throws the TypeError for the key or element at `again`, which is equal in C++ to an earlier one, by
/// `is_same`. From `first` to it there are keys, or keys with their values.
template <class K, class Same>
[[noreturn]] void throw_collision(const std::string& asked, wire::Reader first, const wire::Reader& again,
                                  bool entries, Same&& is_same) {
  std::string earlier = "another key";
  for (wire::Reader at = first; at.position() != again.position();) {
    Decoder key{at, nullptr};
    try {
      if (is_same(Codec<K>::decode(key))) {
        earlier = describe(at);
        break;
      }
    } catch (const TypeError&) {  // a proxy
    }
    if (!at.skip() || (entries && !at.skip())) break;
  }
  throw TypeError("asked for " + asked + ", found " + earlier + " and " + describe(again) +
                  ", which differ in the manager and are equal there");
}

template <class C>
struct SetCodec {
  using T = typename C::value_type;
  static void encode(Encoder& to, const C& values) requires Encodable<T> {
    write_extension(to, wire::Extension::set, [&] {
      for (const auto& value : values) Codec<T>::encode(to, value);
    });
  }
  static C decode(Decoder& from) requires Decodable<T> {
    if (is_set(from.reader)) return decode_elements(from);
    return decode_sequence<C>(from, name(), [](C& values, T&& value) { values.insert(std::move(value)); });
  }
  /// Of which no two are equal in the manager.
  static C decode_elements(Decoder& from) {
    C values;
    Sequence elements;
    if (!elements.open(from)) throw_mismatch(from.reader, name());
    if constexpr (requires { values.reserve(1); }) values.reserve(elements.expected(from));
    const wire::Reader first = from.reader;
    while (elements.next(from)) {
      const wire::Reader before = from.reader;
      const auto put = values.insert(Codec<T>::decode(from));
      if (!put.second)
        throw_collision<T>(name(), first, before, false,
                           [&](const T& value) { return values.find(value) == put.first; });
    }
    return values;
  }
  static std::string name() { return "set of " + name_of_type<T>(); }
};

template <class C>
struct MapCodec {
  using K = typename C::key_type;
  using V = typename C::mapped_type;
  static void encode(Encoder& to, const C& entries) requires Encodable<K> && Encodable<V> {
    to.writer.map(entries.size());
    for (const auto& [key, value] : entries) {
      Codec<K>::encode(to, key);
      Codec<V>::encode(to, value);
    }
  }
  static C decode(Decoder& from) requires Decodable<K> && Decodable<V> {
    std::uint32_t count = 0;
    if (!from.reader.map(count)) throw_mismatch(from.reader, name());
    C entries;
    if constexpr (requires { entries.reserve(1); })
      entries.reserve(std::min<std::size_t>(count, from.reader.rest().size()));
    const wire::Reader first = from.reader;
    for (; count != 0; --count) {
      const wire::Reader before = from.reader;
      K key = Codec<K>::decode(from);
      const auto put = entries.try_emplace(std::move(key), Codec<V>::decode(from));
      if (!put.second)
        throw_collision<K>(name(), first, before, true,
                           [&](const K& earlier) { return entries.find(earlier) == put.first; });
    }
    return entries;
  }
  static std::string name() { return "map of " + name_of_type<K>() + " to " + name_of_type<V>(); }
};

template <class Tuple, class... T>
struct TupleCodec {
  static void encode(Encoder& to, const Tuple& values) requires(Encodable<T>&&...) {
    write_extension(to, wire::Extension::tuple, [&] {
      std::apply([&](const T&... value) { (Codec<T>::encode(to, value), ...); }, values);
    });
  }
  static Tuple decode(Decoder& from) requires(Decodable<T>&&...) {
    const wire::Reader before = from.reader;
    Sequence elements;
    if (!elements.open(from)) throw_mismatch(before, name());
    Tuple values{take<T>(from, elements, before)...};  // braces: evaluated in order
    if (elements.next(from)) throw_mismatch(before, name());
    return values;
  }
  static std::string name() {
    std::string names;
    ((names += (names.empty() ? "" : ", ") + name_of_type<T>()), ...);
    return "tuple (" + names + ")";
  }

 private:
  template <class U>
  static U take(Decoder& from, Sequence& elements, const wire::Reader& before) {
    if (!elements.next(from)) throw_mismatch(before, name());
    return Codec<U>::decode(from);
  }
};

/// Whether the value at `reader` can be meant as a T, judged by its kind alone (and the range of integers).
template <class T>
bool takes(const wire::Reader& reader);

}  // namespace client

template <class T>
struct Codec<std::optional<T>> {
  static void encode(Encoder& to, const std::optional<T>& value) requires client::Encodable<T> {
    if (value) Codec<T>::encode(to, *value);
    else to.writer.nil();
  }
  static std::optional<T> decode(Decoder& from) requires client::Decodable<T> {
    if (from.reader.nil()) return std::nullopt;
    return Codec<T>::decode(from);
  }
  static std::string name() { return "null or " + client::name_of_type<T>(); }
};

template <class T, class A>
struct Codec<std::vector<T, A>> : client::ArrayCodec<std::vector<T, A>> {};
template <class T, class A>
struct Codec<std::deque<T, A>> : client::ArrayCodec<std::deque<T, A>> {};
template <class T, class A>
struct Codec<std::list<T, A>> : client::ArrayCodec<std::list<T, A>> {};

template <>
struct Codec<std::vector<std::uint8_t>> : client::ArrayCodec<std::vector<std::uint8_t>> {
  static std::vector<std::uint8_t> decode(Decoder& from) {
    wire::Bytes found;
    if (from.reader.bytes(found)) return {found.begin(), found.end()};
    return ArrayCodec::decode(from);
  }
};

template <class T, std::size_t Extent>
requires(!std::same_as<std::remove_const_t<T>, std::byte>) struct Codec<std::span<T, Extent>> {
  static void encode(Encoder& to,
                     std::span<const T> values) requires client::Encodable<std::remove_const_t<T>> {
    client::encode_array(to, values);
  }
};

template <class T, std::size_t N>
struct Codec<std::array<T, N>> {
  static void encode(Encoder& to, const std::array<T, N>& values) requires client::Encodable<T> {
    client::encode_array(to, values);
  }
  static std::array<T, N> decode(Decoder& from) requires client::Decodable<T> {
    const wire::Reader before = from.reader;
    std::array<T, N> values{};
    client::Sequence elements;
    if (!elements.open(from)) client::throw_mismatch(before, name());
    for (T& value : values) {
      if (!elements.next(from)) client::throw_mismatch(before, name());
      value = Codec<T>::decode(from);
    }
    if (elements.next(from)) client::throw_mismatch(before, name());
    return values;
  }
  static std::string name() {
    return "array of " + std::to_string(N) + " times " + client::name_of_type<T>();
  }
};

template <class T, class C, class A>
struct Codec<std::set<T, C, A>> : client::SetCodec<std::set<T, C, A>> {};
template <class T, class H, class E, class A>
struct Codec<std::unordered_set<T, H, E, A>> : client::SetCodec<std::unordered_set<T, H, E, A>> {};
template <class K, class V, class C, class A>
struct Codec<std::map<K, V, C, A>> : client::MapCodec<std::map<K, V, C, A>> {};
template <class K, class V, class H, class E, class A>
struct Codec<std::unordered_map<K, V, H, E, A>> : client::MapCodec<std::unordered_map<K, V, H, E, A>> {};
template <class A, class B>
struct Codec<std::pair<A, B>> : client::TupleCodec<std::pair<A, B>, A, B> {};
template <class... T>
struct Codec<std::tuple<T...>> : client::TupleCodec<std::tuple<T...>, T...> {};

template <class... T>
struct Codec<std::variant<T...>> {
  using Variant = std::variant<T...>;
  static void encode(Encoder& to, const Variant& value) requires(client::Encodable<T>&&...) {
    std::visit([&]<class A>(const A& alternative) { Codec<A>::encode(to, alternative); }, value);
  }
  static Variant decode(Decoder& from) requires(client::Decodable<T>&&...) {
    std::optional<Variant> found;
    ((found || !client::takes<T>(from.reader) || (found.emplace(Codec<T>::decode(from)), true)), ...);
    if (!found) client::throw_mismatch(from.reader, name());
    return std::move(*found);
  }
  static std::string name() {
    std::string names;
    ((names += (names.empty() ? "" : " or ") + client::name_of_type<T>()), ...);
    return names;
  }
};

namespace client {

template <class T>
inline constexpr bool is_proxy = requires {
  T::type_number;
};
template <class T>
inline constexpr bool is_map = requires {
  typename T::mapped_type;
};
template <class T>
inline constexpr bool is_bytes = requires {
  requires std::same_as<typename T::value_type, std::byte>;
};
template <class T>
inline constexpr bool is_sequence = requires(T t) {
  t.push_back(*t.begin());
}
|| requires(T t) {
  t.insert(*t.begin());
}
|| requires {
  std::tuple_size<T>::value;
};
template <class T>
inline constexpr bool is_null = std::same_as<T, std::nullptr_t> || std::same_as<T, std::monostate>;

/// Returns the type number of the reference at `reader`; 0 if there is none.
std::uint8_t reference_type(const wire::Reader& reader);

template <class T>
bool takes(const wire::Reader& reader) {
  const wire::Kind kind = reader.peek();
  wire::Reader ahead = reader;
  if constexpr (is_null<T>) {
    return kind == wire::Kind::nil;
  } else if constexpr (std::same_as<T, bool>) {
    return kind == wire::Kind::boolean;
  } else if constexpr (Integral<T>) {
    wire::Integer wide;
    return ahead.integer(wide) && Codec<T>::fits(wide);
  } else if constexpr (std::floating_point<T>) {
    return kind == wire::Kind::floating || kind == wire::Kind::integer;
  } else if constexpr (std::same_as<T, std::string>) {
    return kind == wire::Kind::text;
  } else if constexpr (is_bytes<T>) {
    return kind == wire::Kind::bytes;
  } else if constexpr (is_proxy<T>) {
    return reference_type(reader) == T::type_number;
  } else if constexpr (is_map<T>) {
    return kind == wire::Kind::map;
  } else if constexpr (is_sequence<T> && !std::same_as<T, nlohmann::json>) {
    Decoder probe{ahead, nullptr};
    return Sequence().open(probe);
  } else {
    return kind != wire::Kind::invalid;
  }
}

}  // namespace client
}  // namespace tandem
