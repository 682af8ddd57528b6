#include "tandem/codec.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

#include "client/connection.hpp"
#include "client/handover.hpp"
#include "tandem/codec/argument.hpp"
#include "tandem/proxy/element.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::client {
namespace {

/// How much of a value an error text shows.
constexpr std::size_t shown_bytes_max = 60;

/// A reference with a fencing token behind it, 8 bytes, little-endian. Only among what a process that is spawned is given:
/// managers refuse it.
constexpr auto fenced_reference = static_cast<wire::Extension>(16);

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

std::string class_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : type.name();
}

// ---- references -----------------------------------------------------------------------------------------

void release_references(const ConnectionPtr& connection, wire::Bytes values) noexcept {
  if (!connection) return;
  wire::Reader reader(values);
  while (!reader.at_end()) {
    std::uint32_t count = 0;
    std::int8_t type = 0;
    wire::Bytes body;
    wire::Reference reference;
    std::uint64_t token = 0;
    switch (reader.peek()) {
      case wire::Kind::array:
        if (!reader.array(count)) return;
        break;
      case wire::Kind::map:
        if (!reader.map(count)) return;
        break;
      case wire::Kind::extension:
        if (read_reference(reader, reference, token)) {
          const RemoteObject taken_over(connection, reference, true);
          break;
        }
        if (!reader.extension(type, body)) return;
        if (type == static_cast<std::int8_t>(wire::Extension::tuple) ||
            type == static_cast<std::int8_t>(wire::Extension::set))
          reader = wire::Reader({body.data(), body.size() + reader.rest().size()});  // go on inside
        break;
      default:
        if (!reader.skip()) return;
    }
  }
}

bool belongs_to(const RemoteObject& object, const Connection* connection) {
  const Connection* own = object.connection().get();
  if (own == connection) return true;
  return own != nullptr && connection != nullptr && own->incarnation() == connection->incarnation();
}

void encode_reference(Encoder& to, const RemoteObject* object) {
  if (object == nullptr) throw ValueError("an empty proxy cannot be stored");
  if (to.handover != nullptr) to.handover->note_reference(*object, to.connection);
  if (to.connection == nullptr)
    throw ValueError("a proxy can only be stored in its own manager, or be an argument of a process");
  if (!belongs_to(*object, to.connection))
    throw ValueError("a proxy can only be stored in its own manager, and this one's " +
                     std::string(hosted_type_name(object->reference().type)) + " lives in another");
  if (to.kept != nullptr) to.kept->push_back(object->holder());
  // What a manager keeps is the object. A process that is spawned goes on with the token, as a forked one does.
  if (to.handover == nullptr || object->token() == 0) return to.writer.reference(object->reference());
  wire::Buffer body;
  wire::Writer(body).reference(object->reference());
  wire::store_little(body.extend(wire::token_bytes), object->token());
  to.writer.extension(fenced_reference, body.view());
}

std::shared_ptr<RemoteObject> decode_reference(Decoder& from) {
  if (!from.connection) throw TypeError("a proxy is for clients of a manager; handlers take HeldValue");
  wire::Reference reference;
  std::uint64_t token = 0;
  if (!read_reference(from.reader, reference, token)) throw_mismatch(from.reader, "a reference");
  auto object = std::make_shared<RemoteObject>(from.connection, reference, true);
  return token == 0 ? object : std::make_shared<RemoteObject>(object, token);
}

std::uint8_t reference_type(const wire::Reader& reader) {
  wire::Reader ahead = reader;
  wire::Reference reference;
  std::uint64_t token = 0;
  return read_reference(ahead, reference, token) ? reference.type : 0;
}

TakenValue::TakenValue(Decoder& from) : connection_(from.connection) {
  if (!from.reader.value(bytes_)) throw ProtocolError("a result is not well-formed MessagePack");
}

EncodedValue::EncodedValue(const AnyValue& value, const RemoteObject* object) {
  wire::Buffer buffer;
  Encoder to{wire::Writer(buffer), object == nullptr ? nullptr : object->connection().get()};
  value.encode(to);
  bytes = wire::as_text(buffer.view());
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
  if (value.bits > int64_min_magnitude)
    throw OverflowError("-" + std::to_string(value.bits) + " does not fit 64 bits");
  to.writer.integer(static_cast<std::int64_t>(~value.bits + 1));
}

void encode_negated(Encoder& to, const nlohmann::json& value) {
  if (value.is_number_float()) return to.writer.floating(-value.get<double>());
  if (value.is_number_unsigned())
    return encode_negated(to, wire::Integer::of_unsigned(value.get<std::uint64_t>()));
  if (value.is_number_integer()) return encode_negated(to, wire::Integer::of(value.get<std::int64_t>()));
  throw TypeError(std::string("-= takes a number, found ") + value.type_name());
}

}  // namespace tandem::client
