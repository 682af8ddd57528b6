#include "server/engine/registry.hpp"

#include <algorithm>

namespace tandem::server {

Registry::Registry(const Limits& limits, std::span<const Type* const> types)
    : limits_(limits), types_(types) {}

Registry::~Registry() {
  // Destroyed values release their references here, which has no effect once by_id_ is empty.
  by_id_ = {};
  objects_.clear();
  while (reclaim_queue_.release(~std::uint64_t{0}) != 0) {
  }
  weak_references_->registry = nullptr;
}

const Type* Registry::type_named(std::string_view name) const {
  auto found = std::find_if(types_.begin(), types_.end(), [&](const Type* t) { return t->name == name; });
  return found == types_.end() ? nullptr : *found;
}

Object* Registry::find(std::string_view name) {
  auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

Object& Registry::add(const Type& type, ObjectId id) {
  std::unique_ptr<Object> object = type.make(type);
  Object& made = *object;
  made.type_ = &type;
  made.id_ = id;
  by_id_[id] = &made;
  objects_.emplace_hint(objects_.end(), id, std::move(object));
  memory_bytes_ += object_overhead_bytes;
  account(made);
  return made;
}

Object& Registry::make(const Type& type) {
  Object& made = add(type, next_id_++);
  unheld_.push_back(made.id_);
  return made;
}

Object& Registry::restore(const Type& type, ObjectId id) {
  TANDEM_ASSERT(id >= next_id_);
  next_id_ = id + 1;
  return add(type, id);
}

void Registry::restore_held(SessionId session, ObjectId id, std::uint64_t count) {
  Held& held = sessions_.at(session);
  held.counts[id] = count;
  held.sum += count;
  memory_bytes_ += reference_bytes;
  if (Object* object = find(id)) object->references_ += count;
}

void Registry::give_name(Object& object, std::string_view name) {
  TANDEM_ASSERT(!object.named_ && find(name) == nullptr);
  object.name_ = name;
  object.named_ = true;
  by_name_.emplace(object.name_, &object);
  memory_bytes_ += name_bytes(object);
}

void Registry::take_name(Object& object) {
  if (!object.named_) return;
  memory_bytes_ -= name_bytes(object);
  by_name_.erase(object.name_);
  object.name_.clear();
  object.named_ = false;
  if (object.references_ == 0) unheld_.push_back(object.id_);
}

bool Registry::remove(std::string_view name) {
  Object* found = find(name);
  if (found == nullptr) return false;
  destroy(*found);
  return true;
}

void Registry::destroy(Object& object) {
  if (before_destroyed) before_destroyed(object);
  memory_bytes_ -= object.accounted_bytes_ + object_overhead_bytes + name_bytes(object);
  if (object.named_) by_name_.erase(object.name_);
  by_id_.erase(object.id_);
  // Extracted from the table first: its values release their references here when they are destroyed.
  auto node = objects_.extract(object.id_);
}

void Registry::clean_up(std::int64_t& elements_left) {
  for (; !unreleased_.empty() && elements_left > 0; --elements_left) {
    const auto [id, count] = unreleased_.front();
    unreleased_.pop_front();
    memory_bytes_ -= reference_bytes;
    drop(id, count);
  }
  do {
    while (!unheld_.empty() && elements_left > 0) {
      ObjectId id = unheld_.back();
      unheld_.pop_back();
      Object* object = find(id);
      if (object == nullptr || object->references_ != 0 || object->named_) continue;
      destroy(*object);
      elements_left -= elements_per_object;
    }
    if (reclaim_queue_.empty() || elements_left <= 0) return;
    elements_left -=
        static_cast<std::int64_t>(reclaim_queue_.release(static_cast<std::uint64_t>(elements_left)));
  } while (!unheld_.empty());
}

void Registry::open(SessionId session, SessionId inherits_from) {
  auto [at, fresh] = sessions_.try_emplace(session);
  TANDEM_ASSERT(fresh);
  auto parent = sessions_.find(inherits_from);
  if (parent == sessions_.end()) return;
  at->second = parent->second;
  memory_bytes_ += at->second.counts.size() * reference_bytes;
  parent->second.counts.each([&](ObjectId id, std::uint64_t count) {
    if (Object* object = find(id)) object->references_ += count;
  });
}

void Registry::close(SessionId session) {
  auto found = sessions_.find(session);
  TANDEM_ASSERT(found != sessions_.end());
  std::vector<std::pair<ObjectId, std::uint64_t>> held;
  found->second.counts.each([&](ObjectId id, std::uint64_t count) { held.emplace_back(id, count); });
  sessions_.erase(found);
  found_session_ = 0;
  std::sort(held.begin(), held.end());
  unreleased_.insert(unreleased_.end(), held.begin(), held.end());
}

bool Registry::hold(SessionId session, wire::Bytes reply) {
  bool any = false;
  for_each_reference(reply, [&](wire::Reference reference) { any |= hold(session, reference.id); });
  return any;
}

bool Registry::hold(SessionId session, ObjectId id) {
  Object* object = find(id);
  auto holder = sessions_.find(session);
  if (object == nullptr || holder == sessions_.end()) return false;
  ++object->references_;
  if (holder->second.counts[id]++ == 0) memory_bytes_ += reference_bytes;
  ++holder->second.sum;
  return true;
}

void Registry::give_back(SessionId session, ObjectId id, std::uint64_t count) {
  auto holder = sessions_.find(session);
  if (holder == sessions_.end() || id == 0) return;
  std::uint64_t* held = holder->second.counts.find(id);
  if (held == nullptr) return;
  count = std::min(count, *held);
  *held -= count;
  holder->second.sum -= count;
  if (*held == 0) {
    holder->second.counts.erase(id);
    memory_bytes_ -= reference_bytes;
  }
  drop(id, count);
}

std::uint64_t Registry::references_of(SessionId session) const {
  auto found = sessions_.find(session);
  return found == sessions_.end() ? 0 : found->second.sum;
}

void Registry::retain(ObjectId id) {
  if (Object* object = find(id)) ++object->references_;
}

void Registry::release(ObjectId id) {
  drop(id, 1);
}

void Registry::WeakReferences::retain(std::uint64_t id) {
  if (registry != nullptr) registry->retain(id);
}

void Registry::WeakReferences::release(std::uint64_t id) {
  if (registry != nullptr) registry->release(id);
}

void Registry::drop(ObjectId id, std::uint64_t count) {
  Object* object = find(id);
  if (object == nullptr) return;  // removed by name while still held
  TANDEM_ASSERT(object->references_ >= count);
  object->references_ -= count;
  if (object->references_ == 0 && !object->named_) unheld_.push_back(id);
}

Result<void> Registry::check(wire::Reference reference) const {
  const Object* object = reference.id == 0 ? nullptr : find(reference.id);
  if (object == nullptr)
    return Failure{Code::object_gone,
                   "object " + std::to_string(reference.id) + " is gone: it cannot be referred to"};
  if (object->type().number != reference.type)
    return Failure{Code::type_error, "object " + std::to_string(reference.id) + " is a " +
                                         std::string(object->type().name) +
                                         ", which the reference to it denies"};
  return {};
}

}  // namespace tandem::server
