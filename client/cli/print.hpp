#pragma once
// Output of the command line.

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "client/common/printable.hpp"

namespace tandem::client {

using Json = nlohmann::ordered_json;

/// What others chose must not reach a terminal as it is: names and values may have any control characters.
/// Within JSON only strings have any that are escaped here.
inline void print(std::string_view text) {
  const std::string safe = printable_lines(text);
  std::fwrite(safe.data(), 1, safe.size(), stdout);
}
inline void print_as_line(std::string_view text) {
  print(text);
  print("\n");
}

/// Names, paths and addresses may be invalid UTF-8, which is shown as U+FFFD.
inline std::string dump(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tandem::client
