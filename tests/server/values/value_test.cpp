#include "server/values/value.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/server/engine/pack.hpp"

namespace tandem::test {
namespace {

using server::ObjectId;
using server::Value;
using server::ValueView;

/// Remembers who is held how often.
class Tally final : public server::ReferenceCounter {
 public:
  void retain(ObjectId id) override { ++held[id]; }
  void release(ObjectId id) override {
    if (--held[id] == 0) held.erase(id);
  }
  std::map<ObjectId, int> held;
};

class ValueTest : public ::testing::Test {
 protected:
  Value keep(const Packed& value, bool references = true) {
    return Value({value.bytes(), references}, tally_);
  }
  static std::string contents(const Value& value) { return std::string(wire::as_text(value.view().bytes)); }

  Tally tally_;
};

TEST_F(ValueTest, BytesOfAnyLengthComeBackAsTheyWent) {
  for (std::size_t length = 1; length < 40; ++length) {
    const std::string encoded(length, 'x');
    Value value = keep(raw(encoded), false);
    EXPECT_EQ(contents(value), encoded);
    EXPECT_EQ(value.encoded_bytes(), length);
    EXPECT_EQ(value.heap_bytes(), Value::heap_bytes_for(length));
    EXPECT_EQ(value.heap_bytes() == 0, length <= 15) << length;
    EXPECT_FALSE(value.view().references);
  }
}

TEST_F(ValueTest, MovingLeavesTheOtherAbsent) {
  for (const Packed& packed : {pack(5), pack(std::string(100, 'a')), list(reference(2, 7))}) {
    Value value = keep(packed);
    Value moved = std::move(value);
    EXPECT_TRUE(value.absent());
    EXPECT_EQ(contents(moved), packed.encoded);
    Value assigned;
    EXPECT_TRUE(assigned.absent());
    assigned = std::move(moved);
    EXPECT_TRUE(moved.absent());
    EXPECT_EQ(contents(assigned), packed.encoded);
    Value& same = assigned;
    assigned = std::move(same);
    EXPECT_EQ(contents(assigned), packed.encoded);
  }
  EXPECT_TRUE(tally_.held.empty());
}

TEST_F(ValueTest, ReferencesAreCountedAtAnyDepth) {
  const Packed nested =
      list(reference(2, 10), tuple(reference(3, 11), set(reference(2, 10), tuple(reference(2, 12)))),
           dict("k", list(reference(4, 13)), reference(2, 14), reference(2, 14)));
  {
    Value value = keep(nested);
    const std::map<ObjectId, int> expected{{10, 2}, {11, 1}, {12, 1}, {13, 1}, {14, 2}};
    EXPECT_EQ(tally_.held, expected);
    EXPECT_TRUE(value.view().references);
    EXPECT_EQ(contents(value), nested.encoded);
    Value moved = std::move(value);
    EXPECT_EQ(tally_.held, expected);
    moved = keep(list(reference(2, 10)));
    EXPECT_EQ(tally_.held, (std::map<ObjectId, int>{{10, 1}}));
  }
  EXPECT_TRUE(tally_.held.empty());
}

TEST_F(ValueTest, WhatOnlyLooksLikeAReferenceIsNotCounted) {
  Value foreign = keep(extension(wire::Extension::foreign, joined(raw("p"), reference(2, 10))));
  Value binary = keep(bytes(reference(2, 11).encoded));
  Value text = keep(pack(reference(2, 12).encoded));
  EXPECT_TRUE(tally_.held.empty());
  EXPECT_FALSE(foreign.view().references || binary.view().references || text.view().references);
}

TEST_F(ValueTest, AViewThatMayHoldReferencesButHasNoneStaysSmall) {
  Value value = keep(list(1, 2, 3), true);
  EXPECT_EQ(value.heap_bytes(), 0u);
  EXPECT_FALSE(value.view().references);
}

TEST_F(ValueTest, SwappingKeepsTheCount) {
  Value a = keep(reference(2, 1));
  Value b = keep(list(reference(2, 2), std::string(50, 'b')));
  std::swap(a, b);
  EXPECT_EQ(tally_.held, (std::map<ObjectId, int>{{1, 1}, {2, 1}}));
  a = Value();
  EXPECT_EQ(tally_.held, (std::map<ObjectId, int>{{1, 1}}));
}

}  // namespace
}  // namespace tandem::test
