#pragma once
// Any hosted object, whatever its type: its elements as the MessagePack values they are, read page by page.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tandem/manager.hpp"

namespace tandem::client {

/// One value, not looked into. References in it keep nothing alive.
struct RawValue {
  std::string bytes;
  wire::Bytes view() const { return wire::as_bytes(bytes); }
};

/// Calls an operation that no proxy has or that a proxy would decode.
template <class Op, class R = void, class... A>
R invoke(const RemoteObject& object, const A&... arguments);

/// An object, maybe of a type that is not known here.
struct FoundObject {
  std::shared_ptr<RemoteObject> remote;
  std::string type;
};
/// The object of this name. NotFound.
FoundObject find_object(const Manager& manager, const std::string& name);
/// The object of this id. NotFound.
FoundObject find_object(const Manager& manager, std::uint64_t id);

/// A key or index as it stands on the command line.
struct ElementKey {
  std::string text;
  bool json = false;  // `text` is the JSON (json.hpp) of a key, and well-formed; else it is the key
};

/// One element: of a dict or namespace by key, of a list or array by index. KeyError, IndexError; ValueError
/// for a key that cannot be one; TypeError for an object whose elements have none.
RawValue read_element(const FoundObject& object, const ElementKey& key);

/// Whether elements have keys, as those of a dict or namespace do.
bool has_keys(const FoundObject& object);
/// Calls `f` for each element in its order; `key` is null where elements have none. Of a type that is not known here,
/// what its objects show of themselves. Each page is consistent, the whole need not be.
using OnElement = std::function<void(const RawValue* key, const RawValue& value)>;
void each_element(const FoundObject& object, const OnElement& f);

/// Calls `f` for each object of the manager, or each of one type, in the order of ids. TypeError: no such
/// type.
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
