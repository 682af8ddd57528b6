#pragma once
// Values for tests, written as they are thought of: list(1, "two", tuple(3.0)).

#include <concepts>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "tandem/ops/list.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::test {

/// One value's MessagePack.
struct Packed {
  std::string encoded;
  wire::Bytes bytes() const { return wire::as_bytes(encoded); }
  bool operator==(const Packed&) const = default;
};

inline void PrintTo(const Packed& value, std::ostream* out) {
  const auto json = nlohmann::json::from_msgpack(value.encoded, true, false);
  if (!json.is_discarded()) *out << json.dump() << ' ';
  for (char c : value.encoded) {
    static constexpr char digits[] = "0123456789abcdef";
    *out << digits[static_cast<unsigned char>(c) >> 4] << digits[c & 15];
  }
}

/// Bytes that are put in as they stand, malformed ones too.
inline Packed raw(std::string_view encoded) {
  return {std::string(encoded)};
}

template <class F>
Packed packed_by(F&& write) {
  wire::Buffer buffer;
  wire::Writer writer(buffer);
  write(writer);
  return {std::string(wire::as_text(buffer.view()))};
}

inline const Packed& pack(const Packed& value) {
  return value;
}
inline Packed pack(std::nullptr_t) {
  return packed_by([](wire::Writer& to) { to.nil(); });
}
inline Packed pack(bool value) {
  return packed_by([&](wire::Writer& to) { to.boolean(value); });
}
template <std::integral T>
requires(!std::same_as<T, bool>) Packed pack(T value) {
  return packed_by([&](wire::Writer& to) {
    if constexpr (std::is_signed_v<T>) to.integer(std::int64_t{value});
    else to.unsigned_integer(value);
  });
}
inline Packed pack(double value) {
  return packed_by([&](wire::Writer& to) { to.floating(value); });
}
inline Packed pack(float value) {
  return packed_by([&](wire::Writer& to) { to.floating32(value); });
}
inline Packed pack(std::string_view value) {
  return packed_by([&](wire::Writer& to) { to.text(value); });
}
inline Packed pack(const char* value) {
  return pack(std::string_view(value));
}
inline Packed pack(const std::string& value) {
  return pack(std::string_view(value));
}

inline Packed bytes(std::string_view value) {
  return packed_by([&](wire::Writer& to) { to.bytes(wire::as_bytes(value)); });
}
inline Packed extension(wire::Extension type, std::string_view body) {
  return packed_by([&](wire::Writer& to) { to.extension(type, wire::as_bytes(body)); });
}
inline Packed reference(std::uint8_t type, std::uint64_t id) {
  return packed_by([&](wire::Writer& to) { to.reference({type, id}); });
}
inline Packed list_reference(std::uint64_t id) {
  return reference(ops::List::number, id);
}
/// A big integer from its two's complement, big-endian.
inline Packed big(std::string_view body) {
  return extension(wire::Extension::integer, body);
}

template <class... T>
std::string joined(const T&... elements) {
  std::string all;
  ((all += pack(elements).encoded), ...);
  return all;
}
template <class... T>
Packed list(const T&... elements) {
  Packed all = packed_by([](wire::Writer& to) { to.array(sizeof...(T)); });
  all.encoded += joined(elements...);
  return all;
}
template <class... T>
Packed dict(const T&... keys_and_values) {
  static_assert(sizeof...(T) % 2 == 0);
  Packed all = packed_by([](wire::Writer& to) { to.map(sizeof...(T) / 2); });
  all.encoded += joined(keys_and_values...);
  return all;
}
template <class... T>
Packed tuple(const T&... elements) {
  return extension(wire::Extension::tuple, joined(elements...));
}
template <class... T>
Packed set(const T&... elements) {
  return extension(wire::Extension::set, joined(elements...));
}
/// list() of as many elements as there turn out to be.
template <class Range>
Packed list_of(const Range& elements) {
  Packed all = packed_by([&](wire::Writer& to) { to.array(std::size(elements)); });
  for (const auto& element : elements) all.encoded += pack(element).encoded;
  return all;
}

}  // namespace tandem::test
