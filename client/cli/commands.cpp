#include "client/cli/commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <utility>

#include "client/cli/print.hpp"
#include "client/common/printable.hpp"
#include "tandem/ops/all.hpp"

namespace tandem::client {
namespace {

std::string shown(const RawValue& value, bool json) {
  return json ? dump(to_display_json(value.view())) : to_text(value.view());
}

/// Returns a name as it is, or quoted if it would be ambiguous.
std::string shown_name(const nlohmann::json& name) {
  if (name.is_null()) return "-";
  const auto& text = name.get_ref<const std::string&>();
  bool plain = text != "-" && std::none_of(text.begin(), text.end(), [](char c) {
                 return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == 0x7f;
               });
  if (plain) return printable(text);
  wire::Buffer buffer;
  wire::Writer(buffer).text(text);
  return to_text(buffer.view());
}

FoundObject find(const Manager& manager, const GetRequest& request) {
  if (!request.by_id) return find_object(manager, request.name);
  std::uint64_t id = 0;
  const char* begin = request.name.data();
  auto [end, error] = std::from_chars(begin, begin + request.name.size(), id);
  if (error != std::errc() || end != begin + request.name.size())
    throw ValueError("an id is a number, unlike '" + request.name + "'");
  return find_object(manager, id);
}

void print_contents(const FoundObject& object) {
  each_element(object, [](const RawValue* key, const RawValue& value) {
    print(key == nullptr ? shown(value, false) + "\n"
                         : shown(*key, false) + ": " + shown(value, false) + "\n");
  });
}

/// Prints while it reads, so that the contents may be larger than memory.
void print_json_contents(const FoundObject& object) {
  const bool single = object.remote->reference().type == ops::Value::number;
  const std::string_view field = single ? "value\":" : has_keys(object) ? "entries\":[" : "items\":[";
  std::string before = fmt::format("{{\"type\":{},\"{}", dump(object.type), field);
  each_element(object, [&](const RawValue* key, const RawValue& value) {
    print(std::exchange(before, ",\n "));
    print(key == nullptr ? shown(value, true) : "[" + shown(*key, true) + "," + shown(value, true) + "]");
  });
  if (before.front() == '{') print(before);
  print(single ? "}\n" : "]}\n");
}

std::string shown_scalar(const nlohmann::json& json) {
  return printable(json.is_string() ? json.get<std::string>() : dump(json));
}

}  // namespace

void list_objects(const Manager& manager, const ListRequest& request, bool json) {
  constexpr std::string_view line = "{:>10} {:<10} {:>10} {:>10} {:>14} {}\n";
  std::string before =
      json ? "[" : fmt::format(line, "ID", "TYPE", "SIZE", "REFERENCES", "MEMORY_BYTES", "NAME");
  bool none = true;
  each_object(manager, request.type, [&](const nlohmann::json& object) {
    print(std::exchange(before, json ? ",\n " : ""));
    none = false;
    if (json) {
      Json ordered;
      for (const char* field : {"id", "name", "type", "size", "references", "memory_bytes"})
        ordered[field] = object.at(field);
      return print(dump(ordered));
    }
    auto number = [&](const char* field) { return object.at(field).get<std::uint64_t>(); };
    print(fmt::format(line, number("id"), printable(object.at("type").get<std::string>()), number("size"),
                      number("references"), number("memory_bytes"), shown_name(object.at("name"))));
  });
  if (none) print(before);
  if (json) print("]\n");
}

void get(const Manager& manager, const GetRequest& request, bool json) {
  const FoundObject object = find(manager, request);
  if (request.key) return print(shown(read_element(object, *request.key), json) + "\n");
  if (json) print_json_contents(object);
  else print_contents(object);
}

namespace {

std::string shown_object(const std::string& type, const std::string& name, std::uint64_t id) {
  return printable(type) + ' ' + (name.empty() ? std::to_string(id) : shown_name(name));
}
double seconds(std::chrono::microseconds time) {
  return std::chrono::duration<double>(time).count();
}

Json json_of(const WaitInfo& wait) {
  return {{"ticket", wait.ticket},
          {"object", wait.object},
          {"type", wait.type},
          {"name", wait.name.empty() ? Json(nullptr) : Json(wait.name)},
          {"operation", wait.operation},
          {"session", wait.session},
          {"pid", wait.pid},
          {"actor", wait.actor},
          {"waited_us", wait.waited.count()},
          {"left_us", wait.left ? Json(wait.left->count()) : Json(nullptr)}};
}
Json json_of(const HoldingInfo& holding) {
  return {{"object", holding.object},
          {"type", holding.type},
          {"name", holding.name.empty() ? Json(nullptr) : Json(holding.name)},
          {"mode", holding.mode},
          {"key", holding.key.empty() ? Json(nullptr) : Json(holding.key)},
          {"session", holding.session},
          {"pid", holding.pid},
          {"actor", holding.actor},
          {"count", holding.count},
          {"token", holding.token == 0 ? Json(nullptr) : Json(holding.token)},
          {"held_us", holding.held.count()}};
}

void print_line(const WaitInfo& wait) {
  print(fmt::format("pid {} thread {} waits for {} ({}) since {:.3f} s{}\n", wait.pid, wait.actor,
                    shown_object(wait.type, wait.name, wait.object), wait.operation, seconds(wait.waited),
                    wait.left ? fmt::format(", {:.3f} s left", seconds(*wait.left)) : ""));
}
void print_line(const HoldingInfo& holding) {
  print(fmt::format("pid {} thread {} owns {}{}{} ({}){} for {:.3f} s\n", holding.pid, holding.actor,
                    holding.key.empty() ? "" : "key " + holding.key + " of ",
                    holding.count == 1 ? "" : fmt::format("{} × ", holding.count),
                    shown_object(holding.type, holding.name, holding.object), holding.mode,
                    holding.token == 0 ? "" : fmt::format(", token {},", holding.token),
                    seconds(holding.held)));
}

}  // namespace

void show_waits(const Manager& manager, bool json) {
  const std::vector<WaitInfo> waits = manager.waits();
  const std::vector<HoldingInfo> holdings = manager.holdings();
  if (json) {
    Json waiters = Json::array(), owned = Json::array();
    for (const WaitInfo& wait : waits) waiters.push_back(json_of(wait));
    for (const HoldingInfo& holding : holdings) owned.push_back(json_of(holding));
    return print(dump({{"waiters", std::move(waiters)},
                       {"holdings", std::move(owned)},
                       {"deadlocks", manager.deadlocks()}},
                      2) +
                 "\n");
  }
  for (const WaitInfo& wait : waits) print_line(wait);
  for (const HoldingInfo& holding : holdings) print_line(holding);
  for (const std::string& cycle : manager.deadlocks()) print("cycle: " + printable(cycle) + "\n");
}

void show_information(const Manager& manager, bool json) {
  Json information = manager.information();
  information["address"] = manager.address();
  if (json) return print(dump(information, 1) + "\n");
  std::size_t width = 0;
  for (const auto& [name, value] : information.items()) width = std::max(width, name.size());
  for (const auto& [name, value] : information.items()) {
    if (!value.is_object()) {
      print(fmt::format("{:<{}}  {}\n", name, width, shown_scalar(value)));
      continue;
    }
    for (const auto& [inner, inner_value] : value.items())
      print(fmt::format("{}.{}  {}\n", name, inner, shown_scalar(inner_value)));
  }
}

void ping(const Manager& manager, bool json) {
  manager.ping();  // not measured: includes setup costs
  const auto before = std::chrono::steady_clock::now();
  manager.ping();
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - before;
  if (json) print(dump({{"address", manager.address()}, {"round_trip_us", took.count()}}) + "\n");
  else print(fmt::format("{} answers in {:.1f} us\n", manager.address(), took.count()));
}

}  // namespace tandem::client
