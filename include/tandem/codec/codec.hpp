#pragma once
// Conversion of C++ values to MessagePack values and back: the one customisation point, and its helpers.
//
// Your own type becomes a value in one of two ways:
//   - to_json/from_json of nlohmann::json (or its macros): it travels as that JSON's MessagePack value; or
//   - a specialisation of tandem::Codec, for an encoding of its own:
//
//       template <>
//       struct tandem::Codec<Celsius> {
//         static void encode(tandem::Encoder& to, const Celsius& v) {
//           tandem::Codec<double>::encode(to, v.degrees);
//         }
//         static Celsius decode(tandem::Decoder& from) { return {tandem::Codec<double>::decode(from)}; }
//       };
//
//     encode() writes exactly one value. decode() reads exactly one, or throws TypeError (throw_mismatch).
//
// The encodings of the types of the language and the standard library are listed in scalar.hpp, container.hpp
// and time.hpp.

#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>

#include <nlohmann/json.hpp>

#include "tandem/codec/encoder.hpp"
#include "tandem/error.hpp"
#include "tandem/json.hpp"
#include "tandem/text.hpp"

namespace tandem {

using client::Decoder;
using client::Encoder;

namespace client {

/// Throws TypeError "asked for ASKED, found …", or ProtocolError if there is no well-formed value.
[[noreturn]] void throw_mismatch(const wire::Reader& found, const std::string& asked);
[[noreturn]] void throw_mismatch(const wire::Reader& found, const std::string& asked, const std::string& why);
/// Returns kind and short rendering of the value at `reader`: `integer 300`, `text "abc"`, `a dict` for a
/// reference.
std::string describe(const wire::Reader& reader);

void release_encoded_references(Session& session, wire::Bytes values) noexcept;
/// Releases the references in `values`, zero or more MessagePack values one after the other, which the
/// manager counted for this process and which were not taken over. Never throws.
inline void release_references(Session* session, wire::Bytes values) noexcept {
  if (session != nullptr && values.size() >= wire::reference_bytes)
    release_encoded_references(*session, values);
}

/// Whether `object` lives in the manager of `session`, also if reached by another session.
bool belongs_to(const RemoteObject& object, const Session* session);
void encode_reference(Encoder& to, const RemoteObject* object);
/// Takes over the reference at the reader. TypeError: there is none.
std::shared_ptr<RemoteObject> decode_reference(Decoder& from);

/// Base of element references (d[k], l[i]), so that they are never taken for values themselves.
struct ElementTag {};

/// Reads one value without taking over its references, which the destructor releases.
class TakenValue {
 public:
  explicit TakenValue(Decoder& from);
  ~TakenValue() { release_references(session_, bytes_); }
  TakenValue(const TakenValue&) = delete;
  TakenValue& operator=(const TakenValue&) = delete;
  wire::Bytes bytes() const { return bytes_; }

 private:
  Session* session_;
  wire::Bytes bytes_;
};

template <class T>
concept JsonWritable = !std::derived_from<T, ElementTag> && requires(nlohmann::json & json, const T& value) {
  nlohmann::adl_serializer<T>::to_json(json, value);
};
template <class T>
concept JsonReadable = !std::derived_from<T, ElementTag> && requires(const nlohmann::json& json) {
  { json.template get<T>() } -> std::same_as<T>;
};

/// Reads one value as the JSON that T's from_json understands.
template <class T>
T decode_by_json(Decoder& from) {
  const wire::Reader before = from.reader;
  const TakenValue taken(from);
  try {
    return to_plain_json(taken.bytes()).template get<T>();
  } catch (const nlohmann::json::exception& e) {
    throw_mismatch(before, class_name(typeid(T)), e.what());
  }
}

}  // namespace client

/// Types without a specialisation are encoded as their JSON.
template <class T>
struct Codec {
  static void encode(Encoder& to, const T& value) requires client::JsonWritable<T> {
    write_json(to.writer, nlohmann::json(value));
  }
  static T decode(Decoder& from) requires client::JsonReadable<T> { return client::decode_by_json<T>(from); }
  static std::string name() { return class_name(typeid(T)); }
};

template <>
struct Codec<nlohmann::json> {
  static void encode(Encoder& to, const nlohmann::json& value) { write_json(to.writer, value); }
  static nlohmann::json decode(Decoder& from) { return to_plain_json(client::TakenValue(from).bytes()); }
  static std::string name() { return "any value"; }
};

namespace client {

/// A type that can be written as a value.
template <class T>
concept Encodable = !std::derived_from<T, ElementTag> && requires(Encoder & to, const T& value) {
  Codec<T>::encode(to, value);
};
/// A type that a value can be read into.
template <class T>
concept Decodable = requires(Decoder& from) {
  { Codec<T>::decode(from) } -> std::same_as<T>;
};

template <class>
inline constexpr bool never = false;

/// Writes `value`; for a type that is no value the compiler says what is missing.
template <class T>
void encode_value(Encoder& to, const T& value) {
  static_assert(
      Encodable<T>,
      "this type is not a value yet, or has a part that is not: give it to_json and from_json, for instance "
      "by NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE beside it, or a tandem::Codec");
  if constexpr (Encodable<T>) Codec<T>::encode(to, value);
}
/// The same for reading.
template <class T>
T decode_value(Decoder& from) {
  static_assert(
      Decodable<T>,
      "this type cannot be read from a value, or has a part that cannot: give it to_json and from_json, for "
      "instance by NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE beside it, and a default constructor, or a "
      "tandem::Codec");
  if constexpr (Decodable<T>) return Codec<T>::decode(from);
  else std::terminate();
}

template <class T>
std::string name_of_type() {
  if constexpr (requires { Codec<T>::name(); }) return Codec<T>::name();
  else return class_name(typeid(T));
}

/// The type as which a value of type A is written: arrays of characters are text.
template <class A>
using ValueOf = std::remove_cv_t<std::decay_t<const A&>>;

}  // namespace client
}  // namespace tandem
