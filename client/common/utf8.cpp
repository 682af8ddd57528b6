#include "client/common/utf8.hpp"

#include "tandem/error.hpp"
#include "tandem/wire/utf8.hpp"

namespace tandem::client {
namespace {

/// `reader` is positioned at a value or at the end; false where it is neither, which its reader finds too.
bool check_value(wire::Reader& reader) {
  std::string_view text;
  std::uint32_t count = 0;
  std::int8_t type = 0;
  wire::Bytes body;
  switch (reader.peek()) {
    case wire::Kind::text:
      if (!reader.text(text)) return false;
      if (!wire::is_utf8(wire::as_bytes(text))) throw ValueError(std::string(wire::not_utf8_text));
      return true;
    case wire::Kind::array: return reader.array(count);  // its elements follow
    case wire::Kind::map: return reader.map(count);
    case wire::Kind::extension:
      if (!reader.extension(type, body)) return false;
      if (type == static_cast<std::int8_t>(wire::Extension::tuple) ||
          type == static_cast<std::int8_t>(wire::Extension::set))
        check_texts(body);
      return true;
    default: return reader.skip();
  }
}

}  // namespace

void check_texts(wire::Bytes values) {
  wire::Reader reader(values);
  while (!reader.at_end() && check_value(reader)) {
  }
}

}  // namespace tandem::client
