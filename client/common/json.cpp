#include "tandem/json.hpp"

#include <array>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "client/common/value_text.hpp"
#include "tandem/codec/container.hpp"
#include "tandem/error.hpp"
#include "tandem/limits.hpp"
#include "tandem/ops/all.hpp"
#include "tandem/text.hpp"

namespace tandem {
namespace {

using nlohmann::json;
using wire::Extension;
using wire::Kind;

constexpr std::uint64_t depth_max() {
  for (const LimitDescription& limit : limit_descriptions)
    if (limit.name == "value_depth_max") return limit.most;
  return 0;
}

[[noreturn]] void malformed() {
  throw ProtocolError("a value is not well-formed MessagePack");
}
void require(bool well_formed) {
  if (!well_formed) malformed();
}

// ---- tagged JSON objects ---------------------------------------------------------------------------------

/// The keys of a tagged JSON object: the tag, and the second key if it has one.
struct TagKeys {
  std::string_view first;
  std::string_view second;
};
constexpr std::array<TagKeys, 9> tags{{{"$map", ""},
                                       {"$tuple", ""},
                                       {"$set", ""},
                                       {"$int", ""},
                                       {"$float", ""},
                                       {"$bytes", ""},
                                       {"$timestamp", ""},
                                       {"$ref", "$type"},
                                       {"$foreign", "$bytes"}}};
constexpr TagKeys extension_tag{"$extension", "$bytes"};

bool has_keys(const json& object, TagKeys keys) {
  const std::size_t count = keys.second.empty() ? 1 : 2;
  return object.size() == count && object.contains(keys.first) &&
         (count == 1 || object.contains(keys.second));
}

/// Returns the tag of a tagged JSON object; empty if `object` is not one.
std::string_view tag_of(const json& object) {
  if (object.empty() || object.size() > 2) return {};
  for (const TagKeys& keys : tags)
    if (has_keys(object, keys)) return keys.first;
  return has_keys(object, extension_tag) ? extension_tag.first : std::string_view();
}

/// Returns a non-negative integer, however JSON stores it.
std::optional<std::uint64_t> natural(const json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (!value.is_number_integer() || value.get<std::int64_t>() < 0) return std::nullopt;
  return static_cast<std::uint64_t>(value.get<std::int64_t>());
}

std::optional<std::uint8_t> type_number_of(const json& type) {
  if (auto number = natural(type); number && *number <= 0xff) return static_cast<std::uint8_t>(*number);
  if (!type.is_string()) return std::nullopt;
  for (unsigned number = 0; number <= 0xff; ++number)
    if (hosted_type_name(static_cast<std::uint8_t>(number)) == type.get_ref<const std::string&>() &&
        type != "")
      return static_cast<std::uint8_t>(number);
  return std::nullopt;
}

// ---- MessagePack to JSON --------------------------------------------------------------------------------

class FromValue {
 public:
  explicit FromValue(bool display) : display_(display) {}

  json one(wire::Reader& reader, std::uint64_t depth) const {
    bool boolean = false;
    wire::Integer integer;
    double floating = 0;
    std::string_view text;
    wire::Bytes bytes;
    switch (reader.peek()) {
      case Kind::nil: return require(reader.nil()), json(nullptr);
      case Kind::boolean: return require(reader.boolean(boolean)), json(boolean);
      case Kind::integer:
        require(reader.integer(integer));
        return integer.negative ? json(integer.as_int64()) : json(integer.bits);
      case Kind::floating: return require(reader.floating(floating)), number(floating);
      case Kind::text: return require(reader.text(text)), json(std::string(text));
      case Kind::bytes: return require(reader.bytes(bytes)), binary(bytes);
      case Kind::array: return array(reader, depth);
      case Kind::map: return map(reader, depth);
      case Kind::extension: return extension(reader, depth);
      case Kind::invalid: break;
    }
    malformed();
  }

 private:
  static void check_depth(std::uint64_t depth) {
    if (depth >= depth_max()) throw ProtocolError("a value is nested deeper than any manager allows");
  }

  json number(double value) const {
    if (!display_ || std::isfinite(value)) return value;
    return {{"$float", std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf"}};
  }

  json binary(wire::Bytes bytes) const {
    if (display_) return {{"$bytes", client::to_base64(bytes)}};
    return json::binary({bytes.begin(), bytes.end()});
  }
  /// The value of a `$bytes` key next to another key, without an object of its own.
  json bare_binary(wire::Bytes bytes) const {
    return display_ ? json(client::to_base64(bytes)) : json::binary({bytes.begin(), bytes.end()});
  }

  json array(wire::Reader& reader, std::uint64_t depth) const {
    check_depth(depth);
    std::uint32_t count = 0;
    require(reader.array(count));
    json result = json::array();
    for (; count != 0; --count) result.push_back(one(reader, depth + 1));
    return result;
  }

  json map(wire::Reader& reader, std::uint64_t depth) const {
    check_depth(depth);
    std::uint32_t count = 0;
    require(reader.map(count));
    json pairs = json::array();
    json object = json::object();  // keys first: they decide whether it can be an object
    bool plain = true;
    for (; count != 0; --count) {
      json key = one(reader, depth + 1);
      plain = plain && key.is_string() && object.emplace(key.get_ref<const std::string&>(), nullptr).second;
      json value = one(reader, depth + 1);
      pairs.push_back(json::array({std::move(key), std::move(value)}));
    }
    if (!plain || needs_escape(object)) return {{"$map", std::move(pairs)}};
    for (json& pair : pairs) object[pair[0].get_ref<const std::string&>()] = std::move(pair[1]);
    return object;
  }

  /// Checks only the keys.
  bool needs_escape(const json& object) const {
    if (!display_) return !tag_of(object).empty();
    for (const auto& [key, value] : object.items())
      if (key.starts_with('$')) return true;
    return false;
  }

  json extension(wire::Reader& reader, std::uint64_t depth) const {
    wire::Reader before = reader;
    std::int8_t type = 0;
    wire::Bytes body;
    require(reader.extension(type, body));
    switch (static_cast<Extension>(type)) {
      case Extension::tuple: return {{"$tuple", elements(body, depth)}};
      case Extension::set: return {{"$set", elements(body, depth)}};
      case Extension::integer:
        if (body.empty()) break;
        return {{"$int", client::integer_text(body)}};
      case Extension::reference: {
        wire::Reference reference;
        if (!before.reference(reference)) break;
        const std::string_view name = hosted_type_name(reference.type);
        return {{"$ref", reference.id}, {"$type", name.empty() ? json(reference.type) : json(name)}};
      }
      case Extension::foreign:
        if (body.empty() || body[0] >= 0x80) break;
        return {{"$foreign", std::string(1, static_cast<char>(body[0]))},
                {"$bytes", bare_binary(body.subspan(1))}};
      case Extension::timestamp: {
        client::Timestamp instant;
        if (!client::read_timestamp(before, instant)) break;
        if (auto text = client::timestamp_text(instant)) return {{"$timestamp", *text}};
        return {{"$timestamp", json::array({instant.seconds, instant.nanoseconds})}};
      }
    }
    return {{"$extension", type}, {"$bytes", bare_binary(body)}};
  }

  json elements(wire::Bytes body, std::uint64_t depth) const {
    check_depth(depth);
    wire::Reader inside(body);
    json result = json::array();
    while (!inside.at_end()) result.push_back(one(inside, depth + 1));
    return result;
  }

  bool display_;
};

json whole(wire::Bytes value, bool display) {
  wire::Reader reader(value);
  json result = FromValue(display).one(reader, 0);
  require(reader.at_end());
  return result;
}

// ---- JSON to MessagePack --------------------------------------------------------------------------------

[[noreturn]] void bad_tag(std::string_view tag, std::string_view wanted) {
  throw ValueError("a JSON object with the key " + std::string(tag) +
                   " stands for a value that JSON does not have, and " + std::string(tag) + " must be " +
                   std::string(wanted) + "; write an object with this key as {\"$map\": [[key, value], …]}");
}

class ToValue {
 public:
  explicit ToValue(wire::Writer& writer) : writer_(writer) {}

  void one(const json& value, std::uint64_t depth) {
    if (value.is_structured() && depth >= depth_max())
      throw ResourceExhausted("a value is nested deeper than value_depth_max can be (" +
                              std::to_string(depth_max()) + ")");
    switch (value.type()) {
      case json::value_t::null:
      case json::value_t::discarded: return writer_.nil();
      case json::value_t::boolean: return writer_.boolean(value.get<bool>());
      case json::value_t::number_integer: return writer_.integer(value.get<std::int64_t>());
      case json::value_t::number_unsigned: return writer_.unsigned_integer(value.get<std::uint64_t>());
      case json::value_t::number_float: return writer_.floating(value.get<double>());
      case json::value_t::string: return writer_.text(value.get_ref<const std::string&>());
      case json::value_t::binary: return writer_.bytes(value.get_binary());
      case json::value_t::array: writer_.array(value.size()); return elements(value, depth);
      case json::value_t::object: return object(value, depth);
    }
  }

 private:
  void elements(const json& array, std::uint64_t depth) {
    for (const json& element : array) one(element, depth + 1);
  }

  void object(const json& object, std::uint64_t depth) {
    const std::string_view tag = tag_of(object);
    if (!tag.empty()) return special(tag, object, depth);
    writer_.map(object.size());
    for (const auto& [key, value] : object.items()) {
      writer_.text(key);
      one(value, depth + 1);
    }
  }

  void special(std::string_view tag, const json& object, std::uint64_t depth) {
    const json& content = object.find(tag).value();
    if (tag == "$map") return map(content, depth);
    if (tag == "$tuple") return extension_of(Extension::tuple, tag, content, depth);
    if (tag == "$set") return extension_of(Extension::set, tag, content, depth);
    if (tag == "$int") return integer(content);
    if (tag == "$float") return floating(content);
    if (tag == "$bytes") return writer_.bytes(wire::as_bytes(binary(content)));
    if (tag == "$timestamp") return timestamp(content);
    if (tag == "$ref") return reference(content, object["$type"]);
    if (tag == "$foreign") return foreign(content, object["$bytes"]);
    other_extension(content, object["$bytes"]);
  }

  void map(const json& pairs, std::uint64_t depth) {
    constexpr std::string_view wanted = "an array of [key, value] arrays";
    if (!pairs.is_array()) bad_tag("$map", wanted);
    writer_.map(pairs.size());
    for (const json& pair : pairs) {
      if (!pair.is_array() || pair.size() != 2) bad_tag("$map", wanted);
      elements(pair, depth);
    }
  }

  void extension_of(Extension type, std::string_view tag, const json& content, std::uint64_t depth) {
    if (!content.is_array()) bad_tag(tag, "an array of its elements");
    client::Encoder to{writer_, nullptr};
    client::write_extension(to, type, [&] { elements(content, depth); });
  }

  void integer(const json& content) {
    if (content.is_number_integer()) return one(content, 0);
    std::optional<std::string> bytes;
    if (content.is_string()) bytes = client::integer_bytes(content.get_ref<const std::string&>());
    if (!bytes) bad_tag("$int", "an integer as text, decimal or, when it is long, hexadecimal after 0x");
    const wire::Bytes body = wire::as_bytes(*bytes);
    const bool negative = (body[0] & 0x80) != 0;
    const bool fits = body.size() <= 8 || (body.size() == 9 && body[0] == 0);
    if (!fits) return writer_.extension(Extension::integer, body);
    std::uint64_t bits = negative ? ~std::uint64_t{0} : 0;
    for (const std::uint8_t byte : body) bits = bits << 8 | byte;
    writer_.integer(wire::Integer{negative, bits});
  }

  void floating(const json& content) {
    if (content.is_number()) return writer_.floating(content.get<double>());
    if (content == "nan") return writer_.floating(std::numeric_limits<double>::quiet_NaN());
    if (content == "inf") return writer_.floating(std::numeric_limits<double>::infinity());
    if (content == "-inf") return writer_.floating(-std::numeric_limits<double>::infinity());
    bad_tag("$float", "\"nan\", \"inf\", \"-inf\" or a number");
  }

  static std::string binary(const json& content) {
    if (content.is_binary()) return {content.get_binary().begin(), content.get_binary().end()};
    std::optional<std::string> bytes;
    if (content.is_string()) bytes = client::from_base64(content.get_ref<const std::string&>());
    if (!bytes) bad_tag("$bytes", "base64 text, or binary");
    return std::move(*bytes);
  }

  void timestamp(const json& content) {
    std::optional<client::Timestamp> instant;
    if (content.is_string()) instant = client::parse_timestamp(content.get_ref<const std::string&>());
    if (content.is_array() && content.size() == 2 && content[0].is_number_integer()) {
      const std::optional<std::uint64_t> nanoseconds = natural(content[1]);
      if (nanoseconds && *nanoseconds <= 0xffffffff)
        instant = {content[0].get<std::int64_t>(), static_cast<std::uint32_t>(*nanoseconds)};
    }
    if (!instant) bad_tag("$timestamp", "a text such as 2024-02-29T12:00:00Z, or [seconds, nanoseconds]");
    client::write_timestamp(writer_, *instant);
  }

  void reference(const json& id, const json& type) {
    const std::optional<std::uint8_t> number = type_number_of(type);
    const std::optional<std::uint64_t> object = natural(id);
    if (!object || !number) bad_tag("$ref", "an object's id, and $type a hosted type");
    writer_.reference({*number, *object});
  }

  void foreign(const json& language, const json& content) {
    const bool tag = language.is_string() && language.get_ref<const std::string&>().size() == 1;
    if (!tag) bad_tag("$foreign", "a language tag of one ASCII character");
    const std::string body = language.get_ref<const std::string&>() + binary(content);
    writer_.extension(Extension::foreign, wire::as_bytes(body));
  }

  void other_extension(const json& type, const json& content) {
    const bool number =
        type.is_number_integer() && type.get<std::int64_t>() >= -128 && type.get<std::int64_t>() <= 127;
    if (!number) bad_tag("$extension", "a number from -128 to 127");
    const std::string body = binary(content);
    writer_.extension(static_cast<Extension>(type.get<std::int8_t>()), wire::as_bytes(body));
  }

  wire::Writer& writer_;
};

}  // namespace

json to_plain_json(wire::Bytes value) {
  return whole(value, false);
}

json to_display_json(wire::Bytes value) {
  return whole(value, true);
}

void write_json(wire::Writer& writer, const json& value) {
  ToValue(writer).one(value, 0);
}

}  // namespace tandem
