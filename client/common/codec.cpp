#include "tandem/codec.hpp"

#include "client/common/fenced_reference.hpp"
#include "tandem/codec/argument.hpp"
#include "tandem/proxy/element.hpp"
#include "tandem/text.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::client {
namespace {

/// The length limit of a value in an error text.
constexpr std::size_t shown_bytes_max = 60;

constexpr std::uint64_t int64_min_magnitude = std::uint64_t{1} << 63;

std::string_view kind_name(const wire::Reader& reader) {
  wire::Reader ahead = reader;
  std::int8_t type = 0;
  wire::Bytes body;
  switch (reader.peek()) {
    case wire::Kind::nil: return "";
    case wire::Kind::boolean: return "boolean ";
    case wire::Kind::integer: return "integer ";
    case wire::Kind::floating: return "float ";
    case wire::Kind::text: return "text ";
    case wire::Kind::bytes: return "bytes ";
    case wire::Kind::array: return "array ";
    case wire::Kind::map: return "map ";
    case wire::Kind::extension: (void)ahead.extension(type, body); break;
    case wire::Kind::invalid: return "";
  }
  switch (static_cast<wire::Extension>(type)) {
    case wire::Extension::tuple: return "tuple ";
    case wire::Extension::set: return "set ";
    case wire::Extension::integer: return "integer ";
    case wire::Extension::timestamp: return "timestamp ";
    default: return "";
  }
}

}  // namespace

// ---- references -----------------------------------------------------------------------------------------

bool read_reference(wire::Reader& from, wire::Reference& reference, std::uint64_t& token) {
  token = 0;
  if (from.reference(reference)) return true;
  wire::Bytes body;
  wire::Reader ahead = from;
  if (!ahead.extension(fenced_reference, body)) return false;
  wire::Reader parts(body);
  if (!parts.reference(reference) || parts.rest().size() != wire::token_bytes) return false;
  token = wire::load_little<std::uint64_t>(parts.rest().data());
  from = ahead;
  return true;
}

std::uint8_t reference_type(const wire::Reader& reader) {
  wire::Reader ahead = reader;
  wire::Reference reference;
  std::uint64_t token = 0;
  return read_reference(ahead, reference, token) ? reference.type : 0;
}

// ---- error texts ----------------------------------------------------------------------------------------

std::string describe(const wire::Reader& reader) {
  const std::string_view type = hosted_type_name(reference_type(reader));
  if (!type.empty()) return (type.starts_with('a') ? "an " : "a ") + std::string(type);
  return std::string(kind_name(reader)) + to_text(reader.rest(), shown_bytes_max);
}

void throw_mismatch(const wire::Reader& found, const std::string& asked) {
  if (!wire::Reader(found).skip()) throw ProtocolError("asked for " + asked + ", found no well-formed value");
  throw TypeError("asked for " + asked + ", found " + describe(found));
}
void throw_mismatch(const wire::Reader& found, const std::string& asked, const std::string& why) {
  throw TypeError("asked for " + asked + ", found " + describe(found) + " (" + why + ")");
}

// ---- sequences ------------------------------------------------------------------------------------------

bool Sequence::open(Decoder& from) {
  if (from.reader.array(remaining_)) return true;
  wire::Reader ahead = from.reader;
  std::int8_t type = 0;
  wire::Bytes body;
  if (!ahead.extension(type, body)) return false;
  if (type != static_cast<std::int8_t>(wire::Extension::tuple) &&
      type != static_cast<std::int8_t>(wire::Extension::set))
    return false;
  end_ = body.data() + body.size();
  from.reader = wire::Reader({body.data(), body.size() + ahead.rest().size()});
  return true;
}

bool Sequence::next(const Decoder& from) {
  if (end_ == nullptr) return remaining_ != 0 && remaining_-- != 0;
  if (from.reader.position() > end_) throw ProtocolError("a tuple or set is cut short");
  return from.reader.position() != end_;
}

std::size_t Sequence::expected(const Decoder& from) const {
  return end_ != nullptr ? 0 : std::min<std::size_t>(remaining_, from.reader.rest().size());
}

// ---- times ----------------------------------------------------------------------------------------------

void write_timestamp(wire::Writer& to, Timestamp value) {
  std::uint8_t body[12];
  const auto seconds = static_cast<std::uint64_t>(value.seconds);
  if (seconds >> 34 == 0 && value.nanoseconds < (std::uint32_t{1} << 30)) {
    if (value.nanoseconds == 0 && seconds >> 32 == 0) {
      wire::store_big(body, static_cast<std::uint32_t>(seconds));
      return to.extension(wire::Extension::timestamp, {body, 4});
    }
    wire::store_big(body, std::uint64_t{value.nanoseconds} << 34 | seconds);
    return to.extension(wire::Extension::timestamp, {body, 8});
  }
  wire::store_big(body, value.nanoseconds);
  wire::store_big(body + 4, seconds);
  to.extension(wire::Extension::timestamp, {body, 12});
}

bool read_timestamp(wire::Reader& reader, Timestamp& value) {
  const wire::Reader before = reader;
  wire::Bytes body;
  if (!reader.extension(wire::Extension::timestamp, body)) return false;
  if (body.size() == 4) {
    value = {wire::load_big<std::uint32_t>(body.data()), 0};
  } else if (body.size() == 8) {
    const auto both = wire::load_big<std::uint64_t>(body.data());
    value = {static_cast<std::int64_t>(both & 0x3ffffffff), static_cast<std::uint32_t>(both >> 34)};
  } else if (body.size() == 12) {
    value = {static_cast<std::int64_t>(wire::load_big<std::uint64_t>(body.data() + 4)),
             wire::load_big<std::uint32_t>(body.data())};
  } else {
    reader = before;
    return false;
  }
  return true;
}

// ---- numbers --------------------------------------------------------------------------------------------

void encode_negated(Encoder& to, wire::Integer value) {
  if (value.negative) {
    const std::uint64_t magnitude = ~value.bits + 1;
    return to.writer.unsigned_integer(magnitude);
  }
  const std::uint64_t bits = ~value.bits + 1;
  if (value.bits <= int64_min_magnitude) return to.writer.integer(static_cast<std::int64_t>(bits));
  std::uint8_t body[1 + sizeof bits] = {0xff};
  wire::store_big(body + 1, bits);
  to.writer.extension(wire::Extension::integer, body);
}

void encode_negated(Encoder& to, const nlohmann::json& value) {
  if (value.is_number_float()) return to.writer.floating(-value.get<double>());
  if (value.is_number_unsigned())
    return encode_negated(to, wire::Integer::of_unsigned(value.get<std::uint64_t>()));
  if (value.is_number_integer()) return encode_negated(to, wire::Integer::of(value.get<std::int64_t>()));
  throw TypeError(std::string("-= takes a number, found ") + value.type_name());
}

}  // namespace tandem::client
