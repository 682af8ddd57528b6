#pragma once
// HeldValue: a value as a client sent it, for your own classes that a manager hosts (tandem/hosted.hpp).

#include <compare>
#include <string>

#include "tandem/codec/container.hpp"
#include "tandem/codec/time.hpp"
#include "tandem/hosted/type.hpp"
#include "tandem/text.hpp"

namespace tandem {

/// A value of any kind, kept as received and returned unchanged, whichever language wrote it. References to
/// hosted objects in it (proxies, on the wire) count as long as it lives, so that it keeps these objects
/// alive as a hosted list or dict would. It is the only way for a hosted class to keep a proxy from a client,
/// and may be used wherever a codec takes a value: std::vector<HeldValue>, std::map<std::string, HeldValue>.
///
/// It and its copies belong to the manager's thread, on which handlers run. It may outlive the manager, and
/// then keeps nothing alive.
class HeldValue {
 public:
  /// Nil.
  HeldValue() = default;
  /// `value` as encoded. ValueError: it contains a reference; only arguments from a client may.
  template <class T>
  requires(!std::same_as<T, HeldValue>) && client::Encodable<T> explicit HeldValue(const T& value)
      : HeldValue(encoded(value), nullptr) {}

  HeldValue(const HeldValue& other);
  HeldValue(HeldValue&& other) noexcept;
  HeldValue& operator=(HeldValue other) noexcept;
  ~HeldValue();

  /// Returns the value as a T. TypeError: it has another type, or contains references that a T does not keep.
  template <client::Decodable T>
  T as() const;
  /// Whether it is a reference to a hosted object, and no other value.
  bool is_reference() const { return client::reference_type(wire::Reader(bytes())) != 0; }
  /// Returns the value as human-readable text (tandem/text.hpp).
  std::string to_text() const { return tandem::to_text(bytes()); }
  /// Returns its MessagePack.
  wire::Bytes bytes() const { return wire::as_bytes(bytes_); }
  /// Memory held, including this object.
  std::uint64_t memory_bytes() const;

  /// Compared by their bytes: 1 and 1.0 differ.
  friend bool operator==(const HeldValue& a, const HeldValue& b) { return a.bytes_ == b.bytes_; }
  friend auto operator<=>(const HeldValue& a, const HeldValue& b) { return a.bytes_ <=> b.bytes_; }

  /// For the library's own use. `references` null: references in `bytes` are refused (ValueError).
  HeldValue(std::string bytes, std::shared_ptr<hosting::References> references);

 private:
  template <class T>
  static std::string encoded(const T& value) {
    wire::Buffer buffer;
    Encoder to{wire::Writer(buffer), nullptr};
    Codec<T>::encode(to, value);
    return std::string(wire::as_text(buffer.view()));
  }

  std::string bytes_{'\xc0'};
  std::shared_ptr<hosting::References> references_;  // null: it holds none
};

namespace hosting {

/// Number of references in one or more values.
std::uint64_t count_references(wire::Bytes values);
[[noreturn]] void throw_not_kept(std::string_view type);

/// Reads `bytes` by `decode(Decoder&)`. Throws TypeError for references that the result does not hold.
template <class F>
auto decode_held(wire::Bytes bytes, const std::shared_ptr<References>& references, F&& decode) {
  ReferenceHolder holder{references};
  Decoder from{.reader = wire::Reader(bytes), .session = nullptr, .holder = &holder};
  auto value = decode(from);
  if (const std::uint64_t present = count_references(bytes); present != holder.held)
    throw_not_kept(client::name_of_type<decltype(value)>());
  return value;
}

}  // namespace hosting

template <client::Decodable T>
T HeldValue::as() const {
  return hosting::decode_held(bytes(), references_, [](Decoder& from) { return Codec<T>::decode(from); });
}

/// Written as the value that it holds. Reading one with references is for handlers only.
template <>
struct Codec<HeldValue> {
  static void encode(Encoder& to, const HeldValue& value) { to.writer.raw(value.bytes()); }
  static HeldValue decode(Decoder& from);
  static std::string name() { return "any value"; }
};

}  // namespace tandem
