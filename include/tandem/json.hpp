#pragma once
// JSON for MessagePack values and back, without loss or ambiguity. No connection to a manager is needed.
//
//   MessagePack value                 JSON (plain)                       JSON (display), where it differs
//   nil, boolean, integer, text       null, true, 1, "text"
//   float                             0.25, also NaN and infinities      {"$float": "nan" | "inf" | "-inf"}
//   array                             [1, 2]
//   map, text keys only               {"a": 1}
//   map, other keys                   {"$map": [[1, "one"], [2, "two"]]}
//   bytes                             binary value of nlohmann::json     {"$bytes": "AAEC"} base64 (RFC 4648)
//   extension tuple                   {"$tuple": [1, 2]}
//   extension set                     {"$set": [1, 2]}
//   extension integer                 {"$int": "18446744073709551616"}   decimal; hex "-0x1f…" if long
//   extension reference               {"$ref": 7, "$type": "list"}       $type: a number if unknown here
//   extension foreign                 {"$foreign": "p", "$bytes": …}     language tag; bytes as above
//   extension timestamp               {"$timestamp": "2024-02-29T12:00:00.5Z"}, or [seconds, nanoseconds]
//                                     since 1970 for years outside 0000…9999
//   any other extension               {"$extension": 17, "$bytes": …}
//
// A map whose JSON object could be mistaken for one of these tagged objects is escaped as {"$map": …}. In
// display JSON every map with a key that begins with "$" is escaped, so that a reader may take each "$" for a
// tag. Maps with duplicate keys are escaped too.
//
// write_json() reads both columns, so what was read can be written back; objects without a tag are maps. JSON
// objects do not keep the order of a map's entries, and a length-padded encoding becomes the shortest one.

#include <nlohmann/json.hpp>

#include "tandem/wire/msgpack.hpp"

namespace tandem {

/// Returns the plain JSON of one MessagePack value, as untyped proxies return it. Throws ProtocolError if
/// `value` is not one well-formed value or is nested deeper than any manager allows (1000).
nlohmann::json to_plain_json(wire::Bytes value);

/// Returns the display JSON of one MessagePack value, which any JSON tool can read. Errors as above.
nlohmann::json to_display_json(wire::Bytes value);

/// Appends the MessagePack value of `json`. Throws ValueError for an object that has a tag but not its shape
/// (the text says what was expected), ResourceExhausted if nested deeper than 1000.
void write_json(wire::Writer& writer, const nlohmann::json& json);

}  // namespace tandem
