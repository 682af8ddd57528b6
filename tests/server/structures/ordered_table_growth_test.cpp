// What a table does to stay quick and small as it grows, shrinks and is taken back: counted in entries moved and bytes,
// not in time.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "server/structures/ordered_table.hpp"
#include "tests/server/engine/pack.hpp"

namespace tandem::test {
namespace {

using server::ReclaimQueue;
using server::Undo;
using server::Value;
using server::ValueView;

class CountingReferences final : public server::ReferenceCounter {
 public:
  void retain(server::ObjectId id) override { ++counts[id]; }
  void release(server::ObjectId id) override {
    --counts[id];
    released.push_back(id);
  }
  std::map<server::ObjectId, int> counts;
  std::vector<server::ObjectId> released;
};

class GrowthTest : public ::testing::Test {
 protected:
  using Table = server::OrderedTable<Value>;
  /// What one operation may move: two chunks of entries with their places in the index, and two segments.
  static constexpr std::uint64_t moved_max = 2'048;

  static std::uint32_t hash(std::uint32_t key) {
    std::uint64_t mixed = (key + 1) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9u;
    return static_cast<std::uint32_t>(mixed >> 32);
  }
  Value keep(const Packed& packed) { return Value({packed.bytes(), true}, counter_); }
  Table::Entry* find(std::uint32_t key) {
    const Packed packed = pack(key);
    return table_.find({packed.bytes(), false}, hash(key));
  }
  /// Notes what the operation moved.
  template <class F>
  void watched(F&& operation) {
    const std::uint64_t before = table_.moved();
    operation();
    most_moved_ = std::max(most_moved_, table_.moved() - before);
  }
  void insert(std::uint32_t key, Undo* undo = nullptr) {
    watched([&] { table_.insert(keep(pack(key)), hash(key), keep(pack(key)), undo); });
  }
  void erase(std::uint32_t key, Undo* undo = nullptr) {
    watched([&] { table_.erase(*find(key), undo); });
  }
  static std::uint32_t number(ValueView value) {
    std::int64_t found = -1;
    wire::Reader reader = value.reader();
    EXPECT_TRUE(reader.int64(found));
    return static_cast<std::uint32_t>(found);
  }
  /// Keys in order, each with the cursor behind it: all that can be seen from outside.
  std::vector<std::pair<std::uint32_t, std::uint64_t>> seen() const {
    std::vector<std::pair<std::uint32_t, std::uint64_t>> all;
    std::vector<std::uint32_t> keys;
    table_.each([&](const Table::Entry& entry) { keys.push_back(number(entry.key)); });
    for (std::uint64_t i = 0; i < keys.size(); ++i) all.emplace_back(keys[i], table_.cursor_at(i).value());
    return all;
  }

  CountingReferences counter_;
  Table table_;
  std::uint64_t most_moved_ = 0;
};

TEST_F(GrowthTest, NoOperationMovesMuchHoweverManyEntriesThereAre) {
  constexpr std::uint32_t count = 1'000'000;
  for (std::uint32_t key = 0; key < count; ++key) insert(key);
  EXPECT_EQ(table_.size(), count);
  for (std::uint32_t key = 0; key < count; key += 97) ASSERT_NE(find(key), nullptr);
  EXPECT_EQ(find(count), nullptr);

  std::mt19937 random(1);
  std::vector<std::uint32_t> keys(count);
  for (std::uint32_t i = 0; i < count; ++i) keys[i] = i;
  std::shuffle(keys.begin(), keys.end(), random);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    erase(keys[i]);
    if (i % 100'000 == 50'000) {
      EXPECT_NE(find(keys.back()), nullptr);
    }
  }
  EXPECT_TRUE(table_.empty());
  EXPECT_LE(most_moved_, moved_max);
  EXPECT_LE(table_.moved(), std::uint64_t{count} * 2 * 6) << "moves per operation";
}

TEST_F(GrowthTest, MemoryIsNearWhatIsAccountedFor) {
  auto expect_near = [&](double most) {
    const double accounted = static_cast<double>(table_.memory_bytes());
    EXPECT_LE(static_cast<double>(table_.capacity_bytes()), accounted * most + 3'000)
        << table_.size() << " entries";
  };
  std::mt19937 random(2);
  std::vector<std::uint32_t> there;
  std::uint32_t next = 0;
  for (std::size_t aim : {10u, 100u, 1'000u, 100'000u, 300'000u, 20'000u, 3'000u, 100u, 20u, 50'000u, 0u}) {
    while (there.size() < aim) {
      insert(next);
      there.push_back(next++);
      if (there.size() % 4'096 == 0) expect_near(1.8);
    }
    while (there.size() > aim) {
      std::swap(there[random() % there.size()], there.back());
      erase(there.back());
      there.pop_back();
      if (there.size() % 1'024 == 0) expect_near(7);
    }
  }
  EXPECT_EQ(table_.memory_bytes(), 0u);
  EXPECT_LT(table_.capacity_bytes(), 1'000u);
}

TEST_F(GrowthTest, AMillionIntegersTakeLessThanFiftyBytesEach) {
  for (std::uint32_t key = 0; key < 1'000'000; ++key) insert(key);
  EXPECT_LT(table_.capacity_bytes(), 47'000'000u);
  EXPECT_LT(table_.memory_bytes(), 47'000'000u);
}

TEST_F(GrowthTest, FewEntriesHaveNoIndex) {
  for (std::uint32_t key = 0; key < 8; ++key) insert(key);
  EXPECT_LT(table_.capacity_bytes(), 400u);
  for (std::uint32_t key = 0; key < 8; ++key) EXPECT_EQ(number(find(key)->mapped), key);
  insert(8);
  for (std::uint32_t key = 0; key < 9; ++key) EXPECT_EQ(number(find(key)->mapped), key);
}

TEST_F(GrowthTest, UndoneNothingCanBeTold) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    table_.clear();
    std::vector<std::uint32_t> there;
    std::uint32_t next = 0;
    const std::size_t aim = 1 + random() % 3'000;
    auto some_steps = [&](std::size_t steps, std::vector<std::uint32_t>& keys, Undo* undo) {
      const unsigned erasing = random() % 10;  // in ten
      for (std::size_t i = 0; i < steps; ++i) {
        if (keys.size() < 2 || random() % 10 >= erasing) {
          insert(next, undo);
          keys.push_back(next++);
        } else if (random() % 8 == 0) {
          table_.replace(*find(keys[random() % keys.size()]),
                         keep(pack("a text of many more than fifteen bytes")), undo);
        } else {
          const std::size_t at = random() % 4 == 0   ? keys.size() - 1
                                 : random() % 4 == 0 ? 0
                                                     : random() % keys.size();
          erase(keys[at], undo);
          keys.erase(keys.begin() + static_cast<std::ptrdiff_t>(at));
        }
      }
    };
    some_steps(aim, there, nullptr);
    for (int round = 0; round < 4; ++round) {
      some_steps(200, there, nullptr);
      const auto before = seen();
      const std::uint64_t bytes_before = table_.memory_bytes();
      auto within = there;
      Undo undo;
      some_steps(1 + random() % 1'500, within, &undo);
      if (random() % 4 == 0)
        table_.erase_if([&](const Table::Entry& entry) { return number(entry.key) % 3 == 0; }, &undo);
      if (random() % 8 == 0) table_.clear(&undo);
      if (random() % 2 == 0) insert(next++, &undo);
      undo.roll_back();
      ASSERT_EQ(seen(), before) << "seed " << seed << ", round " << round;
      ASSERT_EQ(table_.memory_bytes(), bytes_before);
      for (std::uint32_t key : there) ASSERT_NE(find(key), nullptr);
    }
  }
  EXPECT_LE(most_moved_, moved_max);
}

TEST_F(GrowthTest, LargeContentsAreFreedPieceByPiece) {
  ReclaimQueue reclaim_queue;
  constexpr std::uint32_t count = 100'000;
  {
    Table table;
    table.defer_to(reclaim_queue);
    for (std::uint32_t key = 0; key < count; ++key)
      table.insert(keep(pack(key)), hash(key), keep(reference(1, key + 1)));
    const std::uint64_t bytes = table.memory_bytes();
    table.clear();
    EXPECT_EQ(reclaim_queue.memory_bytes(), bytes);
    for (std::uint32_t key = 0; key < 300; ++key) table.insert(keep(pack(key)), hash(key), keep(pack(key)));
  }
  EXPECT_TRUE(counter_.released.empty());
  std::uint64_t bytes = reclaim_queue.memory_bytes();
  int pieces = 0;
  for (; !reclaim_queue.empty(); ++pieces) {
    const std::size_t before = counter_.released.size();
    EXPECT_GT(reclaim_queue.release(1'000), 0u);
    EXPECT_LE(counter_.released.size() - before, 1'000u + 256u);
    EXPECT_LE(reclaim_queue.memory_bytes(), bytes);
    bytes = reclaim_queue.memory_bytes();
  }
  EXPECT_GE(pieces, 80);
  EXPECT_EQ(reclaim_queue.memory_bytes(), 0u);
  EXPECT_EQ(counter_.released.size(), count);
  for (const auto& [id, held] : counter_.counts) ASSERT_EQ(held, 0) << id;
}

TEST_F(GrowthTest, ASmallTableIsFreedAtOnceAndAGraveyardThatGoesFreesAll) {
  {
    ReclaimQueue reclaim_queue;
    for (std::uint32_t count : {200u, 1'000u}) {
      Table table;
      table.defer_to(reclaim_queue);
      for (std::uint32_t key = 0; key < count; ++key)
        table.insert(keep(pack(key)), hash(key), keep(reference(1, key + 1)));
      Table moved = std::move(table);
    }
    EXPECT_EQ(counter_.released.size(), 200u);
  }
  EXPECT_EQ(counter_.released.size(), 1'200u);
}

}  // namespace
}  // namespace tandem::test
