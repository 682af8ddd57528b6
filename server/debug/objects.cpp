#include "server/debug/objects.hpp"

#include <chrono>

#include "server/debug/content.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem::server {
namespace {

using Json = nlohmann::ordered_json;

// ---- the list of objects ------------------------------------------------------------------------------

struct ObjectInfo {
  ObjectId id = 0;
  std::optional<std::string> name;
  std::string_view type;
  std::uint64_t size = 0;
  std::uint64_t references = 0;
  std::uint64_t memory_bytes = 0;
};

ObjectInfo info_of(const Object& object) {
  ObjectInfo info;
  info.id = object.id();
  if (object.named()) info.name = object.name();
  info.type = object.type().name;
  info.size = object.size();
  info.references = object.references();
  info.memory_bytes = object.memory_bytes();
  return info;
}

Json json_of(const ObjectInfo& info) {
  return {{"id", info.id},
          {"name", info.name ? Json(*info.name) : Json(nullptr)},
          {"type", info.type},
          {"size", info.size},
          {"references", info.references},
          {"memory_bytes", info.memory_bytes}};
}

struct ObjectFilter {
  std::optional<std::string> type;
  std::optional<std::string> name;  // a glob
  bool accepts(const ObjectInfo& info) const {
    return (!type || info.type == *type) && (!name || (info.name && matches_glob(*name, *info.name)));
  }
};

/// Some objects in the order of ids, and the id to continue after; 0 at the end.
struct Batch {
  std::vector<ObjectInfo> objects;
  ObjectId next = 0;
};

Batch copy_batch(const Registry& registry, ObjectId after) {
  Batch batch;
  std::uint64_t name_bytes = 0;
  registry.each(after, [&](const Object& object) {
    if (batch.objects.size() == objects_per_question_max || name_bytes > page_bytes_max) {
      batch.next = batch.objects.back().id;
      return false;
    }
    batch.objects.push_back(info_of(object));
    name_bytes += object.name().size();
    return true;
  });
  return batch;
}

void check_type(EngineQuery& ask, const std::optional<std::string>& type) {
  if (!type) return;
  std::string there;
  bool known = false;
  query_or_refuse(ask, [&](const View& view) {
    for (const Type* one : view.engine().registry().types()) {
      if (one->number == ops::Manager::number) continue;
      known |= one->name == *type;
      there.append(there.empty() ? "" : ", ").append(one->name);
    }
  });
  if (!known) throw Refused{400, "there is no hosted type '" + *type + "'; there are: " + there};
}

/// Fills `found` with up to `limit` objects. Returns the cursor to continue from, 0 at the end.
ObjectId search(EngineQuery& ask, const ObjectFilter& filter, ObjectId after, std::size_t limit,
                std::vector<ObjectInfo>& found) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(search_ms_max);
  for (;;) {
    Batch batch;
    query_or_refuse(ask, [&](const View& view) { batch = copy_batch(view.engine().registry(), after); });
    for (std::size_t i = 0; i < batch.objects.size(); ++i) {
      ObjectInfo& info = batch.objects[i];
      after = info.id;
      if (filter.accepts(info)) found.push_back(std::move(info));
      if (found.size() == limit) return batch.next == 0 && i + 1 == batch.objects.size() ? 0 : after;
    }
    if (batch.next == 0 || std::chrono::steady_clock::now() > deadline) return batch.next;
  }
}

/// Finds an object by a name without wildcards, which needs no search.
void look_up(EngineQuery& ask, const std::string& name, const ObjectFilter& filter, ObjectId after,
             std::vector<ObjectInfo>& found) {
  query_or_refuse(ask, [&](const View& view) {
    const Object* object = view.engine().registry().find(name);
    if (object != nullptr && object->id() > after) found.push_back(info_of(*object));
  });
  if (!found.empty() && !filter.accepts(found[0])) found.clear();
}

// ---- one object ---------------------------------------------------------------------------------------

struct ObjectKey {
  std::optional<ObjectId> id;
  std::string name;

  static ObjectKey parse(const Target& target) {
    constexpr std::string_view prefix = "/objects/";
    std::string key = target.path().substr(prefix.size());
    std::optional<std::string> by = target.text("by");
    if (by && *by != "name" && *by != "id") throw Refused{400, "the parameter 'by' is name or id"};
    if (by == "name") return {std::nullopt, key};
    bool marked = key.starts_with("id:");
    std::optional<std::uint64_t> id = parse_number(std::string_view(key).substr(marked && !by ? 3 : 0));
    if (by == "id" && !id) throw Refused{400, "'" + key + "' is no id: an id is a number"};
    if (id && (marked || by)) return {id, {}};
    return {std::nullopt, key};
  }

  const Object* find(const Registry& registry) const {
    if (id) return *id == 0 ? nullptr : registry.find(*id);
    return registry.find(name);
  }
  std::string not_found() const {
    if (id) return "there is no object with the id " + std::to_string(*id);
    std::string text = "no object is named '" + name + "'";
    if (parse_number(name)) text += "; the object with that id would be /objects/id:" + name;
    return text;
  }
};

}  // namespace

void query_or_refuse(EngineQuery& ask, EngineQuery::Question question) {
  if (!ask(std::move(question))) throw Refused{503, "the manager did not answer in time"};
}

Answer answer_objects(const Target& target, EngineQuery& ask) {
  target.allow_only({"type", "name", "limit", "cursor"});
  ObjectFilter filter{target.text("type"), target.text("name")};
  auto limit = static_cast<std::size_t>(target.number("limit", page_limit_default, 1, page_limit_max));
  // The manager itself is object 1 and is not listed.
  ObjectId after = std::max(ops::Manager::id, target.number("cursor", 0, 0, ~std::uint64_t{0}));
  check_type(ask, filter.type);

  std::vector<ObjectInfo> found;
  ObjectId next = 0;
  std::string literal;
  if (filter.name && is_literal_glob(*filter.name, literal)) look_up(ask, literal, filter, after, found);
  else next = search(ask, filter, after, limit, found);

  Json objects = Json::array();
  for (const ObjectInfo& info : found) {
    Json one = json_of(info);
    one["path"] = "/objects/id:" + std::to_string(info.id);
    objects.push_back(std::move(one));
  }
  Json next_cursor = next == 0 ? Json(nullptr) : Json(next);
  return {.body = dump({{"objects", std::move(objects)}, {"next_cursor", std::move(next_cursor)}})};
}

Answer answer_object(const Target& target, EngineQuery& ask) {
  target.allow_only({"offset", "cursor", "limit", "by"});
  ObjectKey key = ObjectKey::parse(target);
  const bool by_cursor = target.text("cursor").has_value();
  if (by_cursor && target.text("offset"))
    throw Refused{400, "a page begins at an offset or at a cursor, not both"};
  const std::uint64_t offset = target.number("offset", 0, 0, ~std::uint64_t{0});
  std::optional<std::uint64_t> cursor = target.number("cursor", 0, 0, ~std::uint64_t{0});
  Content content(target.number("limit", page_limit_default, 1, page_limit_max), page_bytes_max);

  std::optional<ObjectInfo> info;
  std::uint64_t skip = offset;
  do {  // once, or several times if a large offset is skipped element by element
    bool found = false;
    query_or_refuse(ask, [&](const View& view) {
      const Object* object = key.find(view.engine().registry());
      if (object == nullptr) return;
      found = true;
      info = info_of(*object);
      key.id = info->id;
      cursor = content.copy(*object, *cursor, skip);
    });
    if (!found) throw Refused{404, key.not_found()};
  } while (cursor && content.count() == 0);

  Json json = json_of(*info);
  json["offset"] = by_cursor ? Json(nullptr) : Json(offset);
  json["count"] = content.count();
  json["next_offset"] = by_cursor || !cursor ? Json(nullptr) : Json(offset + content.count());
  json["next_cursor"] = cursor ? Json(*cursor) : Json(nullptr);
  json[content.keyed() ? "entries" : "items"] = content.json();
  return {.body = dump(json)};
}

}  // namespace tandem::server
