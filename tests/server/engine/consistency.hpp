#pragma once
// What must hold of an engine between any two steps, counted anew from its contents.

#include <gtest/gtest.h>

#include <map>

#include "server/engine/engine.hpp"
#include "tandem/ops/manager.hpp"
#include "tests/server/engine/saved.hpp"

namespace tandem::test {

/// References: each object's count is what the sessions hold and what stands in containers; whoever has none and no
/// name is gone, once the registry is clean. Memory: the total is what the objects say, names, references and waits, and the same for
/// each object's own place.
inline void expect_consistent(const server::Engine& engine) {
  const server::Registry& registry = engine.registry();
  std::map<server::ObjectId, std::uint64_t> counted;
  std::uint64_t contents_bytes = 0;
  std::uint64_t other_bytes = engine.waits().size() * server::Waits::waiter_bytes;
  registry.each(0, [&](const server::Object& object) {
    const Packed saved = test::saved(object);
    server::for_each_reference(saved.bytes(), [&](wire::Reference reference) { ++counted[reference.id]; });
    contents_bytes += object.memory_bytes();
    other_bytes += server::Registry::name_bytes(object);
    return true;
  });
  engine.waits().each([&](const server::Waiter& waiter) {
    for (const server::Value& value : waiter.values)
      server::for_each_reference(value.view().bytes,
                                 [&](wire::Reference reference) { ++counted[reference.id]; });
  });
  registry.each_session([&](server::SessionId session, const server::IdTable<std::uint64_t>& held) {
    std::uint64_t sum = 0;
    held.each([&](server::ObjectId object, std::uint64_t count) {
      EXPECT_GT(count, 0u);
      counted[object] += count;
      sum += count;
    });
    EXPECT_EQ(registry.references_of(session), sum);
    other_bytes += held.size() * server::Registry::reference_bytes;
  });
  registry.each_unreleased([&](server::ObjectId object, std::uint64_t count) { counted[object] += count; });
  other_bytes += registry.unreleased() * server::Registry::reference_bytes;
  std::uint64_t objects = 0;
  registry.each(ops::Manager::id, [&](const server::Object& object) {
    ++objects;
    EXPECT_EQ(object.references(), counted[object.id()]) << "object " << object.id();
    EXPECT_TRUE(object.named() || object.references() > 0) << "object " << object.id();
    EXPECT_EQ(object.named() ? registry.find(object.name()) : &object, &object);
    EXPECT_LT(object.id(), registry.next_id());
    return true;
  });
  EXPECT_EQ(objects, registry.size());
  EXPECT_EQ((registry.memory_bytes() - contents_bytes - other_bytes) % (objects + 1), 0u);
}

}  // namespace tandem::test
