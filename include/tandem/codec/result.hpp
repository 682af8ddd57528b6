#pragma once
// Maps the result type of an operation's declaration (ops/op.hpp) to C++ types. For the proxies and the
// manager, not for users.
//
//   declared          a result may be read as
//   Any               any Decodable
//   Bool, Int, Text   bool; an integer; std::string
//   Bytes             Bytes, or a vector of arithmetic T: raw bytes
//   Reference         a proxy, or shared_ptr<RemoteObject>
//   Items, Elements   a container of values; Elements as a set throw TypeError if two would become one
//   Entries           a map, or a vector of pairs in their order
//   Map               nlohmann::json, a map
//   Maybe             optional<T>
//   Tuple<T…>         a pair or tuple of results
//   any of them       void (not read), Rendering (as text)

#include <algorithm>
#include <tuple>

#include "tandem/codec/container.hpp"
#include "tandem/ops/op.hpp"
#include "tandem/text.hpp"

namespace tandem::client {

/// Any result as human-readable text (to_text).
struct Rendering {
  std::string text;
};

/// Reads a result declared as Tag into an R. A `void` result is not read; release_references releases its
/// references.
template <class Tag, class R>
struct ResultOf {
  static R decode(Decoder& from) { return decode_value<R>(from); }
};
template <class T>
struct ResultOf<ops::Bytes, std::vector<T>> {
  static std::vector<T> decode(Decoder& from) {
    const wire::Reader before = from.reader;
    wire::Bytes found;
    if (!from.reader.bytes(found) || found.size() % sizeof(T) != 0)
      throw_mismatch(before, "bytes of whole elements, " + std::to_string(sizeof(T)) + " bytes each");
    std::vector<T> elements(found.size() / sizeof(T));
    if (!found.empty()) std::memcpy(elements.data(), found.data(), found.size());
    return elements;
  }
};
template <>
struct ResultOf<ops::Reference, std::shared_ptr<RemoteObject>> {
  static std::shared_ptr<RemoteObject> decode(Decoder& from) { return decode_reference(from); }
};
template <class K, class V>
struct ResultOf<ops::Entries, std::vector<std::pair<K, V>>> {
  static std::vector<std::pair<K, V>> decode(Decoder& from) {
    std::uint32_t count = 0;
    if (!from.reader.map(count)) throw_mismatch(from.reader, "a map");
    std::vector<std::pair<K, V>> entries;
    entries.reserve(std::min<std::size_t>(count, from.reader.rest().size()));
    for (; count != 0; --count) {
      K key = decode_value<K>(from);
      entries.emplace_back(std::move(key), decode_value<V>(from));
    }
    return entries;
  }
};
template <class R>
requires requires(Decoder& from) {
  Codec<R>::decode_elements(from);
}
struct ResultOf<ops::Elements, R> {
  static R decode(Decoder& from) { return Codec<R>::decode_elements(from); }
};
template <class T>
struct ResultOf<ops::Maybe, std::optional<T>> {
  static std::optional<T> decode(Decoder& from) {
    const wire::Reader before = from.reader;
    std::uint32_t count = 0;
    if (!from.reader.array(count) || count > 1) throw_mismatch(before, "an array of at most one element");
    if (count == 0) return std::nullopt;
    return decode_value<T>(from);
  }
};
template <class... Tag, class R>
struct ResultOf<ops::Tuple<Tag...>, R> {
  static R decode(Decoder& from) {
    const wire::Reader before = from.reader;
    std::uint32_t count = 0;
    if (!from.reader.array(count) || count != sizeof...(Tag))
      throw_mismatch(before, "an array of " + std::to_string(sizeof...(Tag)));
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return R{ResultOf<Tag, std::tuple_element_t<I, R>>::decode(from)...};
    }
    (std::index_sequence_for<Tag...>());
  }
};

/// Throws `error` again, its text preceded by the call whose result `from` reads.
[[noreturn]] void throw_named(const Decoder& from, const TypeError& error);

template <class Tag, class R>
R decode_named(Decoder& from) {
  try {
    return ResultOf<Tag, R>::decode(from);
  } catch (const TypeError& error) {
    throw_named(from, error);
  }
}

/// Reads the result of an operation. References that were not taken over are released, also if reading fails.
template <class Tag, class R>
R decode_result(Decoder& from) {
  struct Rest {
    Decoder& from;
    ~Rest() {
      if (!from.reader.at_end()) release_references(from.session, from.reader.rest());
    }
  } rest{from};
  if constexpr (std::is_void_v<R>) return;
  else if constexpr (std::same_as<R, Rendering>) return {to_text(TakenValue(from).bytes())};
  else return decode_named<Tag, R>(from);
}

}  // namespace tandem::client
