#include "server/values/semantics.hpp"

#define XXH_INLINE_ALL  // the length of most keys is known where they are hashed
#include <xxhash.h>

#include "server/values/parsed.hpp"

namespace tandem::server {
namespace {

using wire::Bytes;
using wire::Extension;
using wire::Kind;
using wire::Reader;

std::uint64_t hash_bytes(Bytes bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Failure bad_operands(const char* sign, ValueView a, ValueView b) {
  return {Code::type_error, "unsupported operand types for " + std::string(sign) + ": '" + type_name(a) +
                                "' and '" + type_name(b) + "'"};
}

Result<void> concatenate(const Parsed& a, const Parsed& b, wire::Buffer& out) {
  wire::Writer writer(out);
  auto join_into = [&] {
    out.append(a.body);
    out.append(b.body);
  };
  switch (a.type_class) {
    case TypeClass::text: {
      std::string joined(wire::as_text(a.body));
      writer.text(joined += wire::as_text(b.body));
      break;
    }
    case TypeClass::bytes: {
      std::string joined(wire::as_text(a.body));
      writer.bytes(wire::as_bytes(joined += wire::as_text(b.body)));
      break;
    }
    case TypeClass::tuple:
      writer.extension_header(Extension::tuple, a.body.size() + b.body.size());
      join_into();
      break;
    default:
      writer.array(std::size_t{a.count} + b.count);
      writer.raw(a.inside.rest());
      writer.raw(b.inside.rest());
  }
  return {};
}

}  // namespace

Parsed parse_head(Reader& reader) {
  Parsed p;
  std::int8_t type = 0;
  switch (reader.peek()) {
    case Kind::nil: (void)reader.nil(); break;
    case Kind::boolean:
    case Kind::integer:
    case Kind::floating:
      p.type_class = TypeClass::number;
      p.number = Number::read(reader);
      break;
    case Kind::text: {
      std::string_view text;
      (void)reader.text(text);
      p.type_class = TypeClass::text;
      p.body = wire::as_bytes(text);
      break;
    }
    case Kind::bytes:
      (void)reader.bytes(p.body);
      p.type_class = TypeClass::bytes;
      break;
    case Kind::array:
      (void)reader.array(p.count);
      p.type_class = TypeClass::list;
      p.inside = reader;
      break;
    case Kind::map:
      (void)reader.map(p.count);
      p.type_class = TypeClass::dict;
      p.inside = reader;
      break;
    case Kind::extension: {
      Reader before = reader;
      (void)reader.extension(type, p.body);
      p.inside = Reader(p.body);
      switch (static_cast<Extension>(type)) {
        case Extension::reference: p.type_class = TypeClass::reference; break;
        case Extension::tuple: p.type_class = TypeClass::tuple; break;
        case Extension::set: p.type_class = TypeClass::set; break;
        case Extension::foreign: p.type_class = TypeClass::foreign; break;
        case Extension::timestamp: p.type_class = TypeClass::timestamp; break;
        case Extension::integer:
          p.type_class = TypeClass::number;
          p.number = Number::read(before);
          break;
      }
      break;
    }
    case Kind::invalid: TANDEM_ASSERT(false);
  }
  return p;
}

std::pair<std::int64_t, std::uint32_t> instant(Bytes body) {
  if (body.size() == 4) return {wire::load_big<std::uint32_t>(body.data()), 0};
  if (body.size() == 8) {
    auto both = wire::load_big<std::uint64_t>(body.data());
    return {static_cast<std::int64_t>(both & 0x3ffffffff), static_cast<std::uint32_t>(both >> 34)};
  }
  return {static_cast<std::int64_t>(wire::load_big<std::uint64_t>(body.data() + 4)),
          wire::load_big<std::uint32_t>(body.data())};
}

Result<std::uint64_t> hash_parsed(const Parsed& p, ValueView whole, std::uint64_t seed) {
  switch (p.type_class) {
    case TypeClass::none: return std::uint64_t{0x9e3779b97f4a7c15} ^ seed;
    case TypeClass::number: {
      // Longer than every double's canonical form: it equals no number of another form.
      if (p.number.form == Number::Form::big && p.number.big.size() >= Number::canonical_bytes_max)
        return hash_bytes(p.number.big, seed + 7);
      std::uint8_t space[Number::canonical_bytes_max];
      return hash_bytes({space, p.number.canonical(space)}, seed);
    }
    case TypeClass::text: return hash_bytes(p.body, seed + 1);
    case TypeClass::bytes: return hash_bytes(p.body, seed + 2);
    case TypeClass::reference: return hash_bytes(p.body, seed + 3);
    case TypeClass::foreign: return hash_bytes(p.body, seed + 4);
    case TypeClass::timestamp: {
      auto [seconds, nanoseconds] = instant(p.body);
      std::uint64_t both[2] = {static_cast<std::uint64_t>(seconds), nanoseconds};
      return hash_bytes({reinterpret_cast<const std::uint8_t*>(both), sizeof both}, seed + 5);
    }
    case TypeClass::tuple: {
      std::uint64_t sum = seed + 6;
      Reader elements = p.inside;
      for (ValueView v; elements.value(v.bytes);) {
        auto one = hash_key(v, seed);
        if (!one) return std::move(one.failure());
        std::uint64_t pair[2] = {sum, *one};
        sum = hash_bytes({reinterpret_cast<const std::uint8_t*>(pair), sizeof pair}, seed);
      }
      return sum;
    }
    case TypeClass::list:
    case TypeClass::set:
    case TypeClass::dict: break;
  }
  return unhashable(type_name(whole));
}

Result<std::uint32_t> hash_key(ValueView key, std::uint64_t seed) {
  // Short texts and small integers are the most common keys: they need no general parsing.
  if (!key.bytes.empty() && (key.bytes[0] & 0xe0) == 0xa0)
    return static_cast<std::uint32_t>(hash_bytes(key.bytes.subspan(1), seed + 1));
  wire::Reader reader = key.reader();
  if (wire::Integer word; reader.integer(word) && Number::is_small(word)) {
    const std::int64_t small = word.as_int64();
    return static_cast<std::uint32_t>(
        hash_bytes({reinterpret_cast<const std::uint8_t*>(&small), sizeof small}, seed));
  }
  Result<std::uint64_t> wide = hash_parsed(parse(key), key, seed);
  if (!wide) return std::move(wide.failure());
  return static_cast<std::uint32_t>(*wide);
}

Result<void> add(ValueView a, ValueView b, wire::Buffer& out) {
  Parsed left = parse(a);
  Parsed right = parse(b);
  bool joinable = left.type_class == TypeClass::text || left.type_class == TypeClass::bytes ||
                  left.type_class == TypeClass::list || left.type_class == TypeClass::tuple;
  if (left.type_class != right.type_class || (!joinable && left.type_class != TypeClass::number))
    return bad_operands("+", a, b);
  if (joinable) return concatenate(left, right, out);
  return add(left.number, right.number, out);
}

Result<void> subtract(ValueView a, ValueView b, wire::Buffer& out) {
  Parsed left = parse(a);
  Parsed right = parse(b);
  if (left.type_class != TypeClass::number || right.type_class != TypeClass::number)
    return bad_operands("-", a, b);
  return subtract(left.number, right.number, out);
}

Result<void> combine_bits(Bitwise how, ValueView a, ValueView b, wire::Buffer& out) {
  const char* sign = how == Bitwise::conjunction ? "&" : how == Bitwise::disjunction ? "|" : "^";
  Parsed left = parse(a);
  Parsed right = parse(b);
  if (left.type_class != TypeClass::number || right.type_class != TypeClass::number ||
      !left.number.is_word() || !right.number.is_word())
    return bad_operands(sign, a, b);
  std::uint64_t x = left.number.word.bits;
  std::uint64_t y = right.number.word.bits;
  bool m = left.number.word.negative;
  bool n = right.number.word.negative;
  std::uint64_t bits = how == Bitwise::conjunction ? x & y : how == Bitwise::disjunction ? x | y : x ^ y;
  bool negative = how == Bitwise::conjunction ? m && n : how == Bitwise::disjunction ? m || n : m != n;
  // A negative int64 and an integer beyond int64 may have no 64-bit result: the sign bit is above bit 63.
  if (negative && (bits >> 63) == 0) return Failure{Code::overflow, "the result does not fit 64 bits"};
  wire::Writer writer(out);
  if (a.kind() == Kind::boolean && b.kind() == Kind::boolean) writer.boolean(bits != 0);
  else writer.integer(wire::Integer{negative, bits});
  return {};
}

std::optional<Number> number_of(ValueView value) {
  Parsed p = parse(value);
  return p.type_class == TypeClass::number ? std::optional(p.number) : std::nullopt;
}

Failure unhashable(std::string_view type_name) {
  return {Code::type_error,
          "unhashable type: '" + std::string(type_name) +
              "' (keys and set elements are numbers, text, bytes, nil, references or tuples of these)"};
}

std::string type_name(ValueView value) {
  switch (value.kind()) {
    case Kind::nil: return "NoneType";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::floating: return "float";
    case Kind::text: return "str";
    case Kind::bytes: return "bytes";
    case Kind::array: return "list";
    case Kind::map: return "dict";
    default: break;
  }
  switch (parse(value).type_class) {
    case TypeClass::number: return "int";
    case TypeClass::tuple: return "tuple";
    case TypeClass::set: return "set";
    case TypeClass::timestamp: return "timestamp";
    case TypeClass::reference: return "reference";
    default: return "foreign";
  }
}

std::string quote(std::string_view text) {
  constexpr std::size_t text_bytes_max = 60;
  if (text.size() <= text_bytes_max) return '"' + std::string(text) + '"';
  std::size_t cut = text_bytes_max;
  while ((static_cast<std::uint8_t>(text[cut]) & 0xc0) == 0x80) --cut;
  return '"' + std::string(text.substr(0, cut)) + "…\"";
}

std::string describe(ValueView value) {
  Parsed p = parse(value);
  switch (value.kind()) {
    case Kind::nil: return "nil";
    case Kind::boolean: return p.number.word.bits != 0 ? "true" : "false";
    default: break;
  }
  switch (p.type_class) {
    case TypeClass::number: return p.number.to_string();
    case TypeClass::text: return quote(wire::as_text(p.body));
    case TypeClass::bytes: return "bytes of length " + std::to_string(p.body.size());
    case TypeClass::list: return "a list of " + std::to_string(p.count);
    case TypeClass::dict: return "a dict of " + std::to_string(p.count);
    case TypeClass::reference: {
      std::uint64_t id;
      std::memcpy(&id, p.body.data() + 1, sizeof id);
      return "a reference to object " + std::to_string(id);
    }
    default: return "a " + type_name(value);
  }
}

}  // namespace tandem::server
