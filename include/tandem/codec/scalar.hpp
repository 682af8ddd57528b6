#pragma once
// Codecs of single values.
//
//   C++                                       on the wire     read from
//   nullptr_t, monostate                      nil             nil
//   bool                                      boolean         boolean
//   integers (char types too)                 integer         integer that fits; else TypeError
//   float, double                             float           float or integer, as Python takes 1 for 1.0;
//                                                             TypeError if too large for `float`
//   std::string                               text (UTF-8)    text
//   string_view, const char*, "literal"       text            (cannot be read into)
//   tandem::Bytes = vector<std::byte>,        bytes           bytes
//   array<std::byte, N>, span<const byte>
//   enum                                      integer, or     the same; TypeError beyond the underlying type.
//                                             its JSON        NLOHMANN_JSON_SERIALIZE_ENUM selects JSON
//
// Text must be UTF-8: any other is refused with ValueError, by the manager as by pipes, spawn and pools. Only
// the texts of exceptions may be otherwise; they arrive with U+FFFD in the place of what is not.

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/codec/codec.hpp"

namespace tandem {

/// Binary data. A vector of std::uint8_t is written as a list of numbers; both can be read from bytes.
using Bytes = std::vector<std::byte>;

namespace client {

template <class T>
concept Integral = std::integral<T> && !std::same_as<T, bool>;

template <Integral T>
constexpr std::string integral_name() {
  return (std::is_signed_v<T> ? "int" : "uint") + std::to_string(sizeof(T) * 8);
}

inline wire::Bytes as_wire(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

}  // namespace client

template <>
struct Codec<std::nullptr_t> {
  static void encode(Encoder& to, std::nullptr_t) { to.writer.nil(); }
  static std::nullptr_t decode(Decoder& from) {
    if (!from.reader.nil()) client::throw_mismatch(from.reader, name());
    return nullptr;
  }
  static std::string name() { return "null"; }
};

template <>
struct Codec<std::monostate> {
  static void encode(Encoder& to, std::monostate) { to.writer.nil(); }
  static std::monostate decode(Decoder& from) {
    return Codec<std::nullptr_t>::decode(from), std::monostate();
  }
  static std::string name() { return "null"; }
};

template <>
struct Codec<bool> {
  static void encode(Encoder& to, bool value) { to.writer.boolean(value); }
  static bool decode(Decoder& from) {
    bool value = false;
    if (!from.reader.boolean(value)) client::throw_mismatch(from.reader, name());
    return value;
  }
  static std::string name() { return "bool"; }
};

template <client::Integral T>
struct Codec<T> {
  static void encode(Encoder& to, T value) {
    if constexpr (std::is_signed_v<T>) to.writer.integer(static_cast<std::int64_t>(value));
    else to.writer.unsigned_integer(value);
  }
  static T decode(Decoder& from) {
    const wire::Reader before = from.reader;
    wire::Integer wide;
    if (!from.reader.integer(wide) || !fits(wide)) client::throw_mismatch(before, name());
    return static_cast<T>(wide.bits);
  }
  static std::string name() { return client::integral_name<T>(); }
  static constexpr bool fits(wire::Integer wide) {
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    if (!wide.negative) return wide.bits <= most;
    return wide.as_int64() >= static_cast<std::int64_t>(std::numeric_limits<T>::min()) && std::is_signed_v<T>;
  }
};

template <>
struct Codec<wire::Integer> {
  static void encode(Encoder& to, wire::Integer value) { to.writer.integer(value); }
};

template <std::floating_point T>
struct Codec<T> {
  static void encode(Encoder& to, T value) {
    if constexpr (sizeof(T) == sizeof(float)) to.writer.floating32(value);
    else to.writer.floating(static_cast<double>(value));
  }
  static T decode(Decoder& from) {
    const wire::Reader before = from.reader;
    double wide = 0;
    wire::Integer integer;
    if (from.reader.integer(integer))
      return integer.negative ? static_cast<T>(integer.as_int64()) : static_cast<T>(integer.bits);
    if (!from.reader.floating(wide)) client::throw_mismatch(before, name());
    const T value = static_cast<T>(wide);
    if (std::isinf(value) && !std::isinf(wide)) client::throw_mismatch(before, name());
    return value;
  }
  static std::string name() { return sizeof(T) == sizeof(float) ? "float" : "double"; }
};

template <>
struct Codec<std::string> {
  static void encode(Encoder& to, const std::string& value) { to.writer.text(value); }
  static std::string decode(Decoder& from) {
    std::string_view text;
    if (!from.reader.text(text)) client::throw_mismatch(from.reader, name());
    return std::string(text);
  }
  static std::string name() { return "text"; }
};

template <>
struct Codec<std::string_view> {
  static void encode(Encoder& to, std::string_view value) { to.writer.text(value); }
};
template <>
struct Codec<const char*> {
  static void encode(Encoder& to, const char* value) { to.writer.text(value); }
};
template <>
struct Codec<char*> : Codec<const char*> {};

template <>
struct Codec<Bytes> {
  static void encode(Encoder& to, const Bytes& value) { to.writer.bytes(client::as_wire(value)); }
  static Bytes decode(Decoder& from) {
    wire::Bytes found;
    if (!from.reader.bytes(found)) client::throw_mismatch(from.reader, name());
    const auto* begin = reinterpret_cast<const std::byte*>(found.data());
    return Bytes(begin, begin + found.size());
  }
  static std::string name() { return "bytes"; }
};

template <class B, std::size_t Extent>
requires std::same_as<std::remove_const_t<B>, std::byte>
struct Codec<std::span<B, Extent>> {
  static void encode(Encoder& to, std::span<const std::byte> value) {
    to.writer.bytes(client::as_wire(value));
  }
};

template <std::size_t N>
struct Codec<std::array<std::byte, N>> {
  static void encode(Encoder& to, const std::array<std::byte, N>& value) {
    to.writer.bytes(client::as_wire(value));
  }
  static std::array<std::byte, N> decode(Decoder& from) {
    const wire::Reader before = from.reader;
    wire::Bytes found;
    if (!from.reader.bytes(found) || found.size() != N) client::throw_mismatch(before, name());
    std::array<std::byte, N> value;
    if constexpr (N != 0) std::memcpy(value.data(), found.data(), N);
    return value;
  }
  static std::string name() { return std::to_string(N) + " bytes"; }
};

template <class E>
requires std::is_enum_v<E> &&(!std::same_as<E, std::byte>)struct Codec<E> {
  using Underlying = std::underlying_type_t<E>;
  static void encode(Encoder& to, E value) { write_json(to.writer, nlohmann::json(value)); }
  static E decode(Decoder& from) {
    if (travels_as_integer()) return static_cast<E>(Codec<Underlying>::decode(from));
    return client::decode_by_json<E>(from);
  }
  static std::string name() { return class_name(typeid(E)); }

 private:
  // An enum's own JSON form is detected from the JSON of a value: without one, nlohmann::json writes the
  // underlying integer.
  static bool travels_as_integer() { return nlohmann::json(E{}).is_number_integer(); }
};

template <>
struct Codec<std::byte> {
  static void encode(Encoder& to, std::byte value) {
    to.writer.unsigned_integer(std::to_integer<std::uint8_t>(value));
  }
  static std::byte decode(Decoder& from) { return std::byte{Codec<std::uint8_t>::decode(from)}; }
  static std::string name() { return "byte"; }
};

}  // namespace tandem
