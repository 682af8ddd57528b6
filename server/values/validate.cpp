#include "server/values/validate.hpp"

#include "server/values/semantics.hpp"

namespace tandem::server {
namespace {

class Validator {
 public:
  Validator(std::uint64_t depth_max, const ReferenceCheck& check) : depth_max_(depth_max), check_(check) {}

  /// `key`: the value is a map's key or a set's element and must be hashable.
  bool one(wire::Reader& reader, std::uint64_t depth, bool key = false) {
    std::uint32_t count = 0;
    switch (reader.peek()) {
      case wire::Kind::nil:
      case wire::Kind::boolean:
      case wire::Kind::integer:
      case wire::Kind::floating:
      case wire::Kind::bytes: return reader.skip() || malformed();
      case wire::Kind::text: {
        std::string_view text;
        if (!reader.text(text)) return malformed();
        return is_utf8(wire::as_bytes(text)) || fail(Code::value_error, std::string(wire::not_utf8_text));
      }
      case wire::Kind::array:
        if (key) return cannot_be_key("list");
        if (!reader.array(count)) return malformed();
        return many(reader, count, depth, false);
      case wire::Kind::map:
        if (key) return cannot_be_key("dict");
        if (!reader.map(count)) return malformed();
        return many(reader, count, depth, true);
      case wire::Kind::extension: return extension(reader, depth, key);
      case wire::Kind::invalid: break;
    }
    return malformed();
  }

  Failure take_failure() { return std::move(failure_); }
  bool references() const { return references_; }

 private:
  bool many(wire::Reader& reader, std::uint64_t count, std::uint64_t depth, bool keyed) {
    if (depth >= depth_max_) return too_deep();
    for (std::uint64_t i = 0; i < count; ++i)
      if ((keyed && !one(reader, depth + 1, true)) || !one(reader, depth + 1)) return false;
    return true;
  }

  bool extension(wire::Reader& reader, std::uint64_t depth, bool key) {
    wire::Reader at = reader;
    std::int8_t type = 0;
    wire::Bytes body;
    if (!reader.extension(type, body)) return malformed();
    switch (static_cast<wire::Extension>(type)) {
      case wire::Extension::reference: return reference(at);
      case wire::Extension::tuple: return elements(body, depth, key);
      case wire::Extension::set: return key ? cannot_be_key("set") : elements(body, depth, true);
      case wire::Extension::integer:
        return !body.empty() || fail(Code::value_error, "a big integer (extension 4) has no bytes");
      case wire::Extension::foreign:
        return !body.empty() || fail(Code::value_error, "a foreign value (extension 5) has no language tag");
      case wire::Extension::timestamp:
        return body.size() == 4 || body.size() == 8 || body.size() == 12 ||
               fail(Code::value_error,
                    "a timestamp has 4, 8 or 12 bytes, not " + std::to_string(body.size()));
    }
    return fail(Code::value_error, "extension type " + std::to_string(type) + " is none of tandem's");
  }

  bool elements(wire::Bytes body, std::uint64_t depth, bool keys) {
    if (depth >= depth_max_) return too_deep();
    wire::Reader inside(body);
    while (!inside.at_end())
      if (!one(inside, depth + 1, keys)) return false;
    return true;
  }

  bool reference(wire::Reader at) {
    wire::Reference found;
    if (!at.reference(found)) return fail(Code::protocol_error, "a reference (extension 1) has 9 bytes");
    references_ = true;
    Result<void> good = check_.check(found);
    if (good) return true;
    failure_ = std::move(good.failure());
    return false;
  }

  bool too_deep() {
    return fail(Code::resource_exhausted,
                "a value is nested deeper than value_depth_max (" + std::to_string(depth_max_) + ")");
  }
  bool cannot_be_key(std::string_view type) {
    failure_ = unhashable(type);
    return false;
  }
  bool malformed() { return fail(Code::protocol_error, "an argument is not well-formed MessagePack"); }
  bool fail(Code code, std::string text) {
    failure_ = {code, std::move(text)};
    return false;
  }

  std::uint64_t depth_max_;
  const ReferenceCheck& check_;
  Failure failure_{Code::ok, {}};
  bool references_ = false;
};

}  // namespace

Result<ValueView> validate_any(wire::Reader& reader, std::uint64_t value_depth_max,
                               const ReferenceCheck& references) {
  Validator validator(value_depth_max, references);
  const std::uint8_t* begin = reader.position();
  if (!validator.one(reader, 0)) return validator.take_failure();
  return ValueView{{begin, static_cast<std::size_t>(reader.position() - begin)}, validator.references()};
}

}  // namespace tandem::server
