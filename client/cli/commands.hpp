#pragma once
// The commands of the command line, after parsing. Results are written to standard output; failures are
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

/// Prints a line for each object, or an array of {"id", "name", "type", "size", "references",
/// "memory_bytes"}.
void list_objects(const Manager& manager, const ListRequest& request, bool json);
/// Prints lines of KEY: VALUE or of VALUE, as to_text() formats them, or {"type", "entries": [[key, value],
/// …]}, {"type", "items": […]}, {"type", "value"}. With a key, prints only its value.
void get(const Manager& manager, const GetRequest& request, bool json);
/// Prints a line for each waiting request, each holding and each deadlock, or {"waiters": […], "holdings":
/// […], "deadlocks": […]}.
void show_waits(const Manager& manager, bool json);
/// Prints the manager's information about itself.
void show_information(const Manager& manager, bool json);
/// Measures and prints the time of one round trip.
void ping(const Manager& manager, bool json);

}  // namespace tandem::client
