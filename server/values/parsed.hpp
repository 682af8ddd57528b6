#pragma once
// The head of a value, taken apart: for semantics.cpp and comparison.cpp.

#include <utility>

#include "server/values/number.hpp"
#include "server/values/value.hpp"

namespace tandem::server {

// The types that Python distinguishes; several MessagePack kinds may form one class.
enum class TypeClass : std::uint8_t {
  none,
  number,
  text,
  bytes,
  list,
  tuple,
  set,
  dict,
  reference,
  timestamp,
  foreign
};

struct Parsed {
  TypeClass type_class = TypeClass::none;
  Number number;
  wire::Bytes body;         // text, bytes, extensions
  std::uint32_t count = 0;  // list, dict
  wire::Reader inside;      // positioned at the first element
};

/// Takes a value from `reader`, of a list or dict only the head: `reader` is then at the first element.
Parsed parse_head(wire::Reader& reader);

/// Of a list or dict, `inside` ends with it.
inline Parsed parse(ValueView view) {
  wire::Reader reader = view.reader();
  return parse_head(reader);
}

/// All bits of hash_key().
Result<std::uint64_t> hash_parsed(const Parsed& p, ValueView whole, std::uint64_t seed);

/// MessagePack timestamps have three lengths; the same instant may be encoded in any.
std::pair<std::int64_t, std::uint32_t> instant(wire::Bytes body);

}  // namespace tandem::server
