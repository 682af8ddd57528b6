#include "client/cli/contents.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <iterator>

#include "tandem/ops/all.hpp"
#include "tandem/text.hpp"

namespace tandem::client {
namespace {

using Page = std::pair<std::int64_t, std::vector<RawValue>>;
using EntriesPage = std::pair<std::int64_t, std::vector<std::pair<RawValue, RawValue>>>;

constexpr std::int64_t array_page_elements = 10'000;

RemoteObject manager_object(const Manager& manager) {
  return RemoteObject(manager.session(), {ops::Manager::number, ops::Manager::id}, false);
}

template <class F>
RawValue written(F&& write) {
  wire::Buffer buffer;
  wire::Writer writer(buffer);
  write(writer);
  return {std::string(wire::as_text(buffer.view()))};
}

// ---- elements by key --------------------------------------------------------------------------------------

RawValue key_value(const ElementKey& key) {
  return written([&](wire::Writer& out) {
    if (key.json) write_json(out, nlohmann::json::parse(key.text));
    else out.text(key.text);
  });
}

std::string attribute_name(const ElementKey& key) {
  RawValue value = key_value(key);
  std::string_view name;
  if (!wire::Reader(value.view()).text(name))
    throw ValueError("names in a namespace are texts, unlike " + key.text);
  return std::string(name);
}

std::int64_t index_of(const ElementKey& key) {
  std::int64_t index = 0;
  auto [end, error] = std::from_chars(key.text.data(), key.text.data() + key.text.size(), index);
  if (error != std::errc() || end != key.text.data() + key.text.size())
    throw ValueError("an index is an integer, unlike '" + key.text + "'");
  return index;
}

// ---- elements of one type ---------------------------------------------------------------------------------

template <class Ops>
void each_item(const RemoteObject& object, const OnElement& f) {
  for (std::int64_t cursor = 0; cursor >= 0;) {
    Page page = invoke<typename Ops::Page, Page>(object, cursor, page_items_max);
    for (const RawValue& item : page.second) f(nullptr, item);
    cursor = page.first;
  }
}

void each_entry(const RemoteObject& object, const OnElement& f) {
  for (std::int64_t cursor = 0; cursor >= 0;) {
    EntriesPage page = invoke<ops::Dict::Page, EntriesPage>(object, cursor, page_items_max);
    for (const auto& [key, value] : page.second) f(&key, value);
    cursor = page.first;
  }
}

/// Decodes one element of an array from its little-endian bytes.
template <class T>
RawValue array_element(const std::uint8_t* at) {
  T element;
  std::memcpy(&element, at, sizeof element);
  return written([&](wire::Writer& out) {
    if constexpr (std::is_same_v<T, float>) out.floating32(element);
    else if constexpr (std::is_same_v<T, double>) out.floating(element);
    else if constexpr (std::is_signed_v<T>) out.integer(std::int64_t{element});
    else out.unsigned_integer(std::uint64_t{element});
  });
}

struct ArrayType {
  char code;
  std::size_t bytes;
  RawValue (*element)(const std::uint8_t* at);
};
// The type codes of ops/array.hpp.
constexpr ArrayType array_types[] = {
    {'b', 1, array_element<std::int8_t>},  {'B', 1, array_element<std::uint8_t>},
    {'h', 2, array_element<std::int16_t>}, {'H', 2, array_element<std::uint16_t>},
    {'i', 4, array_element<std::int32_t>}, {'I', 4, array_element<std::uint32_t>},
    {'q', 8, array_element<std::int64_t>}, {'Q', 8, array_element<std::uint64_t>},
    {'f', 4, array_element<float>},        {'d', 8, array_element<double>},
};

void each_array_element(const RemoteObject& object, const OnElement& f) {
  const std::string code = invoke<ops::Array::TypeCode, std::string>(object);
  for (const ArrayType& type : array_types) {
    if (code != std::string_view(&type.code, 1)) continue;
    for (std::int64_t begin = 0;; begin += array_page_elements) {
      auto bytes =
          invoke<ops::Array::Slice, std::vector<std::uint8_t>>(object, begin, begin + array_page_elements);
      for (std::size_t at = 0; at + type.bytes <= bytes.size(); at += type.bytes)
        f(nullptr, type.element(&bytes[at]));
      if (bytes.size() < array_page_elements * type.bytes) return;
    }
  }
  throw TypeError("an array of elements '" + code + "' is not known here");
}

// ---- unknown types ---------------------------------------------------------------------------------------

using AnyPage = std::tuple<std::int64_t, bool, std::vector<RawValue>>;

AnyPage page_of_any(const RemoteObject& object, std::int64_t cursor, std::int64_t limit) {
  const RemoteObject manager(object.session(), {ops::Manager::number, ops::Manager::id}, false);
  return invoke<ops::Manager::Contents, AnyPage>(manager, object.reference().id, cursor, limit);
}

void each_element_of_any(const RemoteObject& object, const OnElement& f) {
  for (std::int64_t cursor = 0; cursor >= 0;) {
    auto [next, keyed, elements] = page_of_any(object, cursor, page_items_max);
    for (const RawValue& element : elements) {
      if (!keyed) {
        f(nullptr, element);
        continue;
      }
      Decoder pair{wire::Reader(element.view()), nullptr};
      const auto [key, value] = Codec<std::pair<RawValue, RawValue>>::decode(pair);
      f(&key, value);
    }
    cursor = next;
  }
}

/// Visits a pool's counts of tasks; the tasks themselves are only for workers.
void each_count(const RemoteObject& object, const OnElement& f) {
  constexpr const char* names[] = {"queued", "running", "done", "failed", "retried", "workers"};
  auto encoded = [](auto value) {
    wire::Buffer bytes;
    Encoder to{wire::Writer(bytes), nullptr};
    Codec<decltype(value)>::encode(to, value);
    return RawValue{std::string(wire::as_text(bytes.view()))};
  };
  const auto counts = invoke<ops::Pool::Progress, std::array<std::int64_t, std::size(names)>>(object);
  for (std::size_t i = 0; i < std::size(names); ++i) {
    const RawValue name = encoded(std::string(names[i]));
    f(&name, encoded(counts[i]));
  }
}

std::optional<nlohmann::json> description_of(const Manager& manager, std::uint64_t id) {
  using Descriptions = std::pair<std::int64_t, std::vector<nlohmann::json>>;
  if (id <= ops::Manager::id || id > std::uint64_t{1} << 62) return std::nullopt;
  auto [next, found] = invoke<ops::Manager::Objects, Descriptions>(manager_object(manager),
                                                                   static_cast<std::int64_t>(id - 1), 1);
  if (found.empty() || found[0].at("id") != id) return std::nullopt;
  return std::move(found[0]);
}

}  // namespace

FoundObject find_object(const Manager& manager, const std::string& name) {
  auto remote = invoke<ops::Manager::Get, std::shared_ptr<RemoteObject>>(manager_object(manager), name);
  std::string type(hosted_type_name(remote->reference().type));
  if (type.empty())
    if (std::optional<nlohmann::json> description = description_of(manager, remote->reference().id))
      type = description->at("type");
  return {std::move(remote), std::move(type)};
}

FoundObject find_object(const Manager& manager, std::uint64_t id) {
  std::optional<nlohmann::json> description = description_of(manager, id);
  if (!description) throw NotFound("there is no object with the id " + std::to_string(id));
  std::string type = description->at("type");
  std::uint8_t number = 255;  // 0 at the end: a type unknown to this program
  while (number != 0 && hosted_type_name(number) != type) --number;
  return {std::make_shared<RemoteObject>(manager.session(), wire::Reference{number, id}, false),
          std::move(type)};
}

RawValue read_element(const FoundObject& found, const ElementKey& key) {
  const RemoteObject& object = *found.remote;
  switch (object.reference().type) {
    case ops::Dict::number: return invoke<ops::Dict::At, RawValue>(object, key_value(key));
    case ops::Namespace::number: return invoke<ops::Namespace::Get, RawValue>(object, attribute_name(key));
    case ops::List::number: return invoke<ops::List::At, RawValue>(object, index_of(key));
    case ops::Array::number: return invoke<ops::Array::At, RawValue>(object, index_of(key));
    default: break;
  }
  throw TypeError("the elements of a " + found.type + " have no keys to ask for them by");
}

bool has_keys(const FoundObject& object) {
  switch (object.remote->reference().type) {
    case ops::Dict::number:
    case ops::Namespace::number:
    case ops::Pool::number: return true;
    case ops::List::number:
    case ops::Set::number:
    case ops::Array::number:
    case ops::Value::number: return false;
    default: return std::get<1>(page_of_any(*object.remote, 0, 1));
  }
}

void each_element(const FoundObject& found, const OnElement& f) {
  using Entries = std::vector<std::pair<RawValue, RawValue>>;
  const RemoteObject& object = *found.remote;
  switch (object.reference().type) {
    case ops::Dict::number: return each_entry(object, f);
    case ops::List::number: return each_item<ops::List>(object, f);
    case ops::Set::number: return each_item<ops::Set>(object, f);
    case ops::Array::number: return each_array_element(object, f);
    case ops::Queue::number:
    case ops::LifoQueue::number:
    case ops::PriorityQueue::number: return each_item<ops::QueueOperations>(object, f);
    case ops::Value::number: return f(nullptr, invoke<ops::Value::Load, RawValue>(object));
    case ops::Semaphore::number: return f(nullptr, invoke<ops::Semaphore::Value, RawValue>(object));
    case ops::Latch::number: return f(nullptr, invoke<ops::Latch::Count, RawValue>(object));
    case ops::Barrier::number: return f(nullptr, invoke<ops::Barrier::Waiting, RawValue>(object));
    case ops::Pool::number: return each_count(object, f);
    case ops::Namespace::number:
      for (const auto& [name, value] : invoke<ops::Namespace::Snapshot, Entries>(object)) f(&name, value);
      return;
    default: return each_element_of_any(object, f);
  }
}

void each_object(const Manager& manager, std::optional<std::string> type,
                 const std::function<void(const nlohmann::json& description)>& f) {
  constexpr std::int64_t page_objects = 1000;
  RemoteObject object = manager_object(manager);
  std::int64_t after = 0;
  do {
    auto [next, found] = invoke<ops::Manager::Objects, std::pair<std::int64_t, std::vector<nlohmann::json>>>(
        object, after, page_objects, type);
    for (const nlohmann::json& description : found) f(description);
    after = next;
  } while (after != 0);
}

}  // namespace tandem::client
