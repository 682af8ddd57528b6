#include "server/structures/id_table.hpp"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>

namespace tandem::test {
namespace {

using Table = server::IdTable<std::uint64_t>;
using Model = std::unordered_map<std::uint64_t, std::uint64_t>;

void expect_same(const Table& table, const Model& model) {
  ASSERT_EQ(table.size(), model.size());
  std::size_t seen = 0;
  table.each([&](std::uint64_t id, std::uint64_t value) {
    ++seen;
    auto found = model.find(id);
    ASSERT_TRUE(found != model.end()) << id;
    ASSERT_EQ(found->second, value);
    ASSERT_NE(table.find(id), nullptr);
    ASSERT_EQ(*table.find(id), value);
  });
  ASSERT_EQ(seen, model.size());
}

TEST(IdTable, AnEmptyOneFindsNothing) {
  Table table;
  EXPECT_EQ(table.find(1), nullptr);
  EXPECT_FALSE(table.erase(1));
  EXPECT_EQ(table.size(), 0u);
}

TEST(IdTable, ANewEntryHasTheDefault) {
  Table table;
  EXPECT_EQ(table[9], 0u);
  table[9] = 3;
  EXPECT_EQ(table[9], 3u);
  EXPECT_EQ(table.size(), 1u);
}

TEST(IdTable, RandomUseAgreesWithAnUnorderedMap) {
  for (std::uint64_t ids :
       {8u, 40u, 5'000u, 30'000u}) {  // few ids: much erasing of what others were pushed past
    std::mt19937_64 random(ids);
    Table table;
    Model model;
    for (int step = 0; step < 40'000; ++step) {
      const std::uint64_t id = 1 + random() % ids;
      if (random() % 2 == 0) {
        EXPECT_EQ(table.erase(id), model.erase(id) == 1);
      } else {
        table[id] += static_cast<std::uint64_t>(step);
        model[id] += static_cast<std::uint64_t>(step);
      }
      EXPECT_EQ(table.find(id) != nullptr, model.count(id) == 1);
      if (step % 1000 == 0) expect_same(table, model);
    }
    expect_same(table, model);
  }
}

TEST(IdTable, ALargeOneGrowsInSmallParts) {
  Table table;
  Model model;
  for (std::uint64_t id = 1; id <= 300'000; ++id) table[id] = model[id] = id * 3;
  EXPECT_LE(table.largest_part(), 2'048u);
  EXPECT_LE(table.slots(), 1'000'000u);
  expect_same(table, model);
  const Table copy = table;
  for (std::uint64_t id = 1; id <= 300'000; ++id) {
    if (id % 1'000 == 0) continue;
    ASSERT_TRUE(table.erase(id));
    model.erase(id);
  }
  expect_same(table, model);
  EXPECT_EQ(copy.size(), 300'000u);
  EXPECT_LE(table.slots(), 4'096u);
  for (std::uint64_t id = 300'000; id <= 310'000; ++id) table[id] = model[id] = id;
  expect_same(table, model);
}

TEST(IdTable, IdsThatMeetInOnePlaceStayApart) {
  Table table;
  Model model;
  for (std::uint64_t i = 1; i <= 200;
       ++i) {  // the top bits only: their hashes agree in the bits that choose a place
    const std::uint64_t id = i << 56;
    table[id] = model[id] = i;
  }
  expect_same(table, model);
  for (std::uint64_t i = 1; i <= 200; i += 3) {
    EXPECT_TRUE(table.erase(i << 56));
    model.erase(i << 56);
    expect_same(table, model);
  }
}

TEST(IdTable, ZeroIsNobodys) {
  Table table;
  EXPECT_EQ(table.find(0), nullptr);
  table[1] = 10;  // so that there are free places, which zero marks
  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_FALSE(table.erase(0));
  EXPECT_EQ(table.size(), 1u);
  EXPECT_DEATH(table[0] = 1, "id != 0");
}

TEST(IdTable, ACopyIsItsOwn) {
  Table table;
  table[1] = 10;
  Table copy = table;
  copy[1] = 20;
  copy[2] = 30;
  EXPECT_EQ(*table.find(1), 10u);
  EXPECT_EQ(table.find(2), nullptr);
}

}  // namespace
}  // namespace tandem::test
