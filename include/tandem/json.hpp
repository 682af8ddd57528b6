#pragma once
// JSON for MessagePack values and back, without loss and without ambiguity. Needs no connection to a manager.
//
//   MessagePack value                 JSON (plain)                       JSON (display), where it differs
//   nil, boolean, integer, text       null, true, 1, "text"
//   float                             0.25, also NaN and infinities      {"$float": "nan" | "inf" | "-inf"}
//   array                             [1, 2]
//   map, text keys only               {"a": 1}
//   map, other keys                   {"$map": [[1, "one"], [2, "two"]]}
//   bytes                             a binary value of nlohmann::json   {"$bytes": "AAEC"} (base64, RFC 4648 §4)
//   extension tuple                   {"$tuple": [1, 2]}
//   extension set                     {"$set": [1, 2]}
//   extension integer                 {"$int": "18446744073709551616"}   decimal; hexadecimal "-0x1f…" when long
//   extension reference               {"$ref": 7, "$type": "list"}       $type is a number for a type not known here
//   extension foreign                 {"$foreign": "p", "$bytes": …}     language tag; bytes as above
//   extension timestamp               {"$timestamp": "2024-02-29T12:00:00.5Z"}, or [seconds, nanoseconds] since 1970
//                                     where the text cannot say it (years outside 0000…9999)
//   any other extension               {"$extension": 17, "$bytes": …}
//
// A map whose JSON object could be taken for one of these forms is escaped: it becomes {"$map": …}. In
// display JSON every map with a key that begins with "$" is escaped, so that a reader may take each "$" for a
// form. The same holds for maps with a key that stands twice.
//
// write_json() reads every form of both columns, so what was read can be written back; objects that are no
// form are maps. JSON objects do not keep the order of a map's entries, and a length-padded encoding becomes
// the shortest one.

#include <nlohmann/json.hpp>

#include "tandem/wire/msgpack.hpp"

namespace tandem {

/// The plain JSON of one MessagePack value: what untyped proxies give. Throws ProtocolError where `value` is
/// not one well-formed value or is nested deeper than any manager allows (1000).
nlohmann::json to_plain_json(wire::Bytes value);

/// The display JSON of one MessagePack value: text that any JSON tool can read. Errors as above.
nlohmann::json to_display_json(wire::Bytes value);

/// Appends the MessagePack value of `json`. Throws ValueError for an object that has the name of a form but
/// not its shape, saying what was expected; ResourceExhausted when nested deeper than 1000.
void write_json(wire::Writer& writer, const nlohmann::json& json);

}  // namespace tandem
