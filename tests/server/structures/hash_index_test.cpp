#include "server/structures/hash_index.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <vector>

namespace tandem::test {
namespace {

/// References 1, 2, … to things of which only the hash is known, and whether they are in the index.
class HashIndexTest : public ::testing::Test {
 protected:
  std::uint32_t add(std::uint32_t hash) {
    hashes_.push_back(hash);
    there_.push_back(true);
    const auto reference = static_cast<std::uint32_t>(hashes_.size());
    index_.insert(hash, reference, hash_of_);
    return reference;
  }
  void remove(std::uint32_t reference) {
    index_.erase(hash(reference), reference, hash_of_);
    there_[reference - 1] = false;
  }
  std::uint32_t hash(std::uint32_t reference) const { return hashes_[reference - 1]; }
  bool finds(std::uint32_t reference) const {
    return index_.find(hash(reference), [&](std::uint32_t r) { return r == reference; }) == reference;
  }
  void expect_all() const {
    std::uint64_t count = 0;
    for (std::uint32_t reference = 1; reference <= hashes_.size(); ++reference) {
      ASSERT_EQ(finds(reference), there_[reference - 1]) << "reference " << reference;
      count += there_[reference - 1] ? 1u : 0u;
    }
    EXPECT_EQ(index_.size(), count);
  }

  std::vector<std::uint32_t> hashes_;
  std::vector<bool> there_;
  std::function<std::uint32_t(std::uint32_t)> hash_of_ = [this](std::uint32_t r) { return hash(r); };
  server::HashIndex index_;
};

TEST_F(HashIndexTest, AnEmptyOneFindsNothing) {
  EXPECT_EQ(index_.find(1, [](std::uint32_t) { return true; }), 0u);
  EXPECT_EQ(index_.capacity_bytes(), 0u);
}

TEST_F(HashIndexTest, GrowsAndShrinksByNoMoreThanASegmentAtATime) {
  std::mt19937 random(1);
  std::uint64_t most = 0;
  auto watched = [&](auto&& f) {
    const std::uint64_t before = index_.moved();
    f();
    most = std::max(most, index_.moved() - before);
  };
  for (int i = 0; i < 200'000; ++i) watched([&] { add(static_cast<std::uint32_t>(random())); });
  expect_all();
  EXPECT_LT(index_.capacity_bytes(), 200'000u * 12);
  for (std::uint32_t reference = 1; reference <= hashes_.size(); ++reference)
    if (reference % 1'000 != 0) watched([&] { remove(reference); });
  expect_all();
  EXPECT_LT(index_.capacity_bytes(), 20'000u);
  EXPECT_LE(most, 2 * server::HashIndex::segment_slots_max);
}

TEST_F(HashIndexTest, HashesThatAreAlikeOnlyMakeASegmentLarge) {
  for (std::uint32_t i = 0; i < 3'000; ++i) add(0x12345678);
  for (std::uint32_t i = 0; i < 3'000; ++i) add(i % 7);
  for (std::uint32_t i = 0; i < 3'000; ++i) add(i << 29);
  expect_all();
  EXPECT_LT(index_.capacity_bytes(), 200'000u);
  for (std::uint32_t reference = 1; reference <= hashes_.size(); ++reference)
    if (reference % 50 != 0) remove(reference);
  expect_all();
}

TEST_F(HashIndexTest, LargeReferencesTakeBitsFromTheTags) {
  std::mt19937 random(3);
  std::map<std::uint32_t, std::uint32_t> hash_by_reference;
  auto hash_of = [&](std::uint32_t reference) { return hash_by_reference.at(reference); };
  server::HashIndex index;
  for (std::uint32_t i = 0; i < 2'000; ++i) {
    const std::uint32_t reference = i < 1'000 ? i + 1 : 0xffffffffu >> (i % 17) ^ i;
    if (!hash_by_reference.emplace(reference, static_cast<std::uint32_t>(random())).second) continue;
    index.insert(hash_of(reference), reference, hash_of);
  }
  for (const auto& [reference, hash] : hash_by_reference)
    ASSERT_EQ(index.find(hash, [r = reference](std::uint32_t other) { return other == r; }), reference);
  for (const auto& [reference, hash] : hash_by_reference) index.erase(hash, reference, hash_of);
  EXPECT_EQ(index.size(), 0u);
}

TEST_F(HashIndexTest, RandomUseFindsWhatIsThere) {
  for (unsigned bits : {3u, 12u, 32u}) {
    hashes_.clear();
    there_.clear();
    index_ = server::HashIndex();
    std::mt19937 random(bits);
    for (int step = 0; step < 20'000; ++step) {
      const unsigned growing = step / 2'000 % 2 == 0 ? 7 : 3;  // in ten
      if (random() % 10 < growing || hashes_.empty()) {
        add(static_cast<std::uint32_t>(random()) << (32 - bits));
      } else {
        const auto reference = static_cast<std::uint32_t>(1 + random() % hashes_.size());
        if (there_[reference - 1]) remove(reference);
      }
    }
    expect_all();
  }
}

TEST_F(HashIndexTest, FreedSegmentBySegment) {
  std::mt19937 random(5);
  for (int i = 0; i < 50'000; ++i) add(static_cast<std::uint32_t>(random()));
  std::uint64_t pieces = 0;
  while (index_.release_segment() != 0) ++pieces;
  EXPECT_GT(pieces, 100u);
  EXPECT_EQ(index_.capacity_bytes(), 0u);
  EXPECT_TRUE(index_.empty());
}

}  // namespace
}  // namespace tandem::test
