#include "server/structures/ordered_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/server/engine/pack.hpp"

namespace tandem::test {
namespace {

using server::Value;
using server::ValueView;

class NoReferences final : public server::ReferenceCounter {
 public:
  void retain(server::ObjectId) override {}
  void release(server::ObjectId) override {}
};

/// A table from int to int, and beside it what it should hold, as a plain vector.
class TableTest : public ::testing::Test {
 protected:
  using Table = server::OrderedTable<Value>;
  using Entries = std::vector<std::pair<int, int>>;

  Value keep(const Packed& packed) { return Value({packed.bytes(), false}, nobody_); }
  static int number(ValueView value) {
    std::int64_t found = -1;
    wire::Reader reader = value.reader();
    EXPECT_TRUE(reader.int64(found));
    return static_cast<int>(found);
  }
  /// Few different hashes, so that keys meet.
  static std::uint32_t hash(int key) { return static_cast<std::uint32_t>(key % 61) * 0x01000193; }

  Table::Entry* find(int key) {
    const Packed packed = pack(key);
    return table_.find({packed.bytes(), false}, hash(key));
  }
  void set(int key, int value) {
    if (Table::Entry* entry = find(key)) {
      table_.replace(*entry, keep(pack(value)));
      std::find_if(model_.begin(), model_.end(), [&](auto& e) { return e.first == key; })->second = value;
    } else {
      table_.insert(keep(pack(key)), hash(key), keep(pack(value)));
      model_.emplace_back(key, value);
    }
  }
  bool erase(int key) {
    Table::Entry* entry = find(key);
    auto at = std::find_if(model_.begin(), model_.end(), [&](auto& e) { return e.first == key; });
    EXPECT_EQ(entry != nullptr, at != model_.end());
    if (entry == nullptr) return false;
    auto [taken_key, taken_value] = table_.erase(*entry);
    EXPECT_EQ(number(taken_key), key);
    EXPECT_EQ(number(taken_value), at->second);
    model_.erase(at);
    return true;
  }
  static std::pair<int, int> pair_of(const Table::Entry& entry) {
    return {number(entry.key), number(entry.mapped)};
  }
  Entries contents() const {
    Entries found;
    table_.each([&](const Table::Entry& entry) { found.push_back(pair_of(entry)); });
    return found;
  }
  void expect_model() {
    ASSERT_EQ(contents(), model_);
    ASSERT_EQ(table_.size(), model_.size());
    ASSERT_EQ(table_.front() == nullptr, model_.empty());
    if (model_.empty()) return;
    ASSERT_EQ(pair_of(*table_.front()), model_.front());
    ASSERT_EQ(pair_of(*table_.back()), model_.back());
  }
  /// One page as keys; `cursor` is brought to where the next begins, or to `end`.
  static constexpr std::uint64_t end = ~std::uint64_t{0};
  std::vector<int> page(std::uint64_t& cursor, std::uint64_t limit) {
    std::vector<int> keys;
    cursor = table_
                 .page(cursor, limit,
                       [&](const Table::Entry& entry) {
                         keys.push_back(number(entry.key));
                         return true;
                       })
                 .value_or(end);
    return keys;
  }

  NoReferences nobody_;
  Table table_;
  Entries model_;
};

TEST_F(TableTest, AnEmptyOneHoldsNothing) {
  EXPECT_EQ(find(1), nullptr);
  EXPECT_EQ(table_.memory_bytes(), 0u);
  std::uint64_t cursor = 0;
  EXPECT_TRUE(page(cursor, 10).empty());
  EXPECT_EQ(cursor, end);
  expect_model();
}

TEST_F(TableTest, ReplacingKeepsThePlace) {
  for (int key : {3, 1, 2}) set(key, key);
  set(1, 10);
  EXPECT_EQ(contents(), (Entries{{3, 3}, {1, 10}, {2, 2}}));
}

TEST_F(TableTest, ErasedAndInsertedAgainComesLast) {
  for (int key : {3, 1, 2}) set(key, key);
  erase(3);
  set(3, 30);
  EXPECT_EQ(contents(), (Entries{{1, 1}, {2, 2}, {3, 30}}));
}

TEST_F(TableTest, RandomUseAgreesWithAVector) {
  for (int keys : {4, 50, 1'000}) {
    std::mt19937 random(static_cast<unsigned>(keys));
    for (int step = 0; step < 20'000; ++step) {
      const int key = static_cast<int>(random() % static_cast<unsigned>(keys));
      switch (random() % 16) {
        case 0:
          if (table_.front() != nullptr) erase(number(table_.front()->key));
          break;
        case 1:
          if (table_.back() != nullptr) erase(number(table_.back()->key));
          break;
        case 2:
        case 3:
        case 4:
        case 5:
        case 6: erase(key); break;
        case 7:
          if (random() % 200 == 0) {
            table_.clear();
            model_.clear();
          }
          break;
        default: set(key, step % 100);
      }
      if (step % 97 == 0) expect_model();
    }
    expect_model();
  }
}

TEST_F(TableTest, UsedAsAQueueItStaysSmall) {
  for (int i = 0; i < 100; ++i) set(i, i);
  std::uint64_t peak = table_.memory_bytes();
  for (int i = 100; i < 20'000; ++i) {
    set(i, 0);
    erase(number(table_.front()->key));
    peak = std::max(peak, table_.memory_bytes());
  }
  EXPECT_LT(peak, 16'000u);
  expect_model();
}

TEST_F(TableTest, MemoryComesBack) {
  const Packed large = pack(std::string(1'000, 'x'));
  auto fill = [&] {
    for (int i = 0; i < 1'000; ++i) table_.insert(keep(pack(i)), hash(i), keep(large));
    EXPECT_GT(table_.memory_bytes(), 1'000'000u);
  };
  fill();
  for (int i = 0; i < 990; ++i) table_.erase(*find(i));
  EXPECT_LT(table_.memory_bytes(), 20'000u);
  EXPECT_EQ(table_.size(), 10u);
  for (int i = 990; i < 1'000; ++i) table_.erase(*find(i));
  EXPECT_LT(table_.memory_bytes(), 4'000u);
  fill();
  table_.clear();
  EXPECT_EQ(table_.memory_bytes(), 0u);
}

TEST_F(TableTest, PagesJoinToTheWhole) {
  for (int i = 0; i < 100; ++i) set(i, i);
  for (int i = 0; i < 100; i += 3) erase(i);
  for (std::uint64_t limit : {1u, 7u, 66u, 1000u}) {
    std::vector<int> seen;
    for (std::uint64_t cursor = 0; cursor != end;)
      for (int key : page(cursor, limit)) seen.push_back(key);
    ASSERT_EQ(seen.size(), model_.size());
    for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], model_[i].first);
  }
}

TEST_F(TableTest, APageEndsWhereItsReaderHasEnough) {
  for (int i = 0; i < 10; ++i) set(i, i);
  int seen = 0;
  auto next = table_.page(0, 10, [&](const Table::Entry&) { return ++seen < 3; });
  EXPECT_EQ(seen, 3);
  ASSERT_TRUE(next);
  EXPECT_EQ(page(*next, 2), (std::vector<int>{3, 4}));
}

TEST_F(TableTest, WhatStaysIsSeenExactlyOnceWhateverElseHappens) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    table_.clear();
    model_.clear();
    const int staying = 200;
    for (int i = 0; i < staying; ++i) {
      set(i, i);
      set(1000 + i, i);
    }
    std::multiset<int> seen;
    for (std::uint64_t cursor = 0; cursor != end;) {
      for (int key : page(cursor, 1 + random() % 20)) seen.insert(key);
      for (int change = 0; change < 40; ++change) {
        const int key = 1000 + static_cast<int>(random() % 300);
        if (random() % 3 == 0) set(key, 0);
        else erase(key);
      }
    }
    for (int i = 0; i < staying; ++i) ASSERT_EQ(seen.count(i), 1u) << "seed " << seed << ", key " << i;
  }
}

TEST_F(TableTest, AnOffsetHasACursor) {
  for (int i = 0; i < 50; ++i) set(i, i);
  for (int offset : {0, 1, 17, 49}) {
    std::uint64_t cursor = table_.cursor_at(static_cast<std::uint64_t>(offset)).value();
    EXPECT_EQ(page(cursor, 1), std::vector<int>{offset});
  }
  EXPECT_FALSE(table_.cursor_at(50));
  erase(20);
  for (int offset : {0, 19, 20, 48}) {
    std::uint64_t cursor = table_.cursor_at(static_cast<std::uint64_t>(offset)).value();
    EXPECT_EQ(page(cursor, 1), std::vector<int>{offset < 20 ? offset : offset + 1});
  }
  EXPECT_FALSE(table_.cursor_at(49));
}

}  // namespace
}  // namespace tandem::test
