#pragma once
// What the command line does once it knows what is wanted. Results go to standard output; failures are
// exceptions.

#include <optional>
#include <string>

#include "client/cli/contents.hpp"

namespace tandem::client {

struct ListRequest {
  std::optional<std::string> type;
};

struct GetRequest {
  std::string name;
  bool by_id = false;  // `name` is an id
  std::optional<ElementKey> key;
};

// With `json` the output is one JSON document, values in display form (json.hpp).

/// A line for each object; or an array of {"id", "name", "type", "size", "references", "memory_bytes"}.
void list_objects(const Manager& manager, const ListRequest& request, bool json);
/// Lines of KEY: VALUE or of VALUE, as to_text() has them; or {"type", "entries": [[key, value], …]},
/// {"type", "items": […]}, {"type", "value"}. With a key its value alone.
void get(const Manager& manager, const GetRequest& request, bool json);
/// A line for each request that waits, each thing owned and each cycle; or {"waiters": […], "holdings": […],
/// "deadlocks": […]}.
void show_waits(const Manager& manager, bool json);
/// What the manager says of itself.
void show_information(const Manager& manager, bool json);
/// How long one round trip takes.
void ping(const Manager& manager, bool json);

}  // namespace tandem::client
