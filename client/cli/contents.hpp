#pragma once
// Reading any hosted object, whatever its type: its elements as raw MessagePack values, page by page.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tandem/manager.hpp"

namespace tandem::client {

/// One MessagePack value, not decoded. References in it keep nothing alive.
struct RawValue {
  std::string bytes;
  wire::Bytes view() const { return wire::as_bytes(bytes); }
};

/// Calls an operation that no proxy has, or whose result a proxy would decode.
template <class Op, class R = void, class... A>
R invoke(const RemoteObject& object, const A&... arguments);

/// An object, possibly of a type unknown to this program.
struct FoundObject {
  std::shared_ptr<RemoteObject> remote;
  std::string type;
};
/// Returns the object with this name. Throws NotFound.
FoundObject find_object(const Manager& manager, const std::string& name);
/// Returns the object with this id. Throws NotFound.
FoundObject find_object(const Manager& manager, std::uint64_t id);

/// A key or index as given on the command line.
struct ElementKey {
  std::string text;
  bool json = false;  // `text` is well-formed JSON (json.hpp) of the key; else it is the key itself
};

/// Returns one element: of a dict or namespace by key, of a list or array by index. Throws KeyError,
/// IndexError; ValueError for an invalid key; TypeError for an object whose elements have neither.
RawValue read_element(const FoundObject& object, const ElementKey& key);

/// Returns whether the elements have keys, as those of a dict or namespace do.
bool has_keys(const FoundObject& object);
/// Calls `f` for each element in order; `key` is null for elements without keys. For a type unknown to this
/// program, the elements are those that the type shows of itself. Each page is consistent, the whole need not
/// be.
using OnElement = std::function<void(const RawValue* key, const RawValue& value)>;
void each_element(const FoundObject& object, const OnElement& f);

/// Calls `f` for each object of the manager, or each of one type, in the order of ids. Throws TypeError for
/// an unknown type.
void each_object(const Manager& manager, std::optional<std::string> type,
                 const std::function<void(const nlohmann::json& description)>& f);

// ---- implementation ---------------------------------------------------------------------------------------

template <class Op, class R, class... A>
R invoke(const RemoteObject& object, const A&... arguments) {
  Call call(object, Op::description, sizeof...(A));
  encode_arguments<Op>(call.arguments(), arguments...);
  return decode_result<typename Op::Result, R>(call.send());
}

}  // namespace tandem::client

template <>
struct tandem::Codec<tandem::client::RawValue> {
  static void encode(Encoder& to, const client::RawValue& value) { to.writer.raw(value.view()); }
  static client::RawValue decode(Decoder& from) {
    return {std::string(wire::as_text(client::TakenValue(from).bytes()))};
  }
};
