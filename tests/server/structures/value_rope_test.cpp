#include "server/structures/value_rope.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/server/engine/pack.hpp"

namespace tandem::test {
namespace {

using server::ReclaimQueue;
using server::Value;
using server::ValueRope;

class Counter final : public server::ReferenceCounter {
 public:
  void retain(server::ObjectId) override { ++held; }
  void release(server::ObjectId) override { --held; }
  std::int64_t held = 0;
};

/// A rope, and beside it what it should hold.
class RopeTest : public ::testing::Test {
 protected:
  /// What one operation may move: items of two chunks, and a group's list of chunks.
  static constexpr std::uint64_t moved_max = 2'048;

  Value keep(const Packed& packed) { return Value({packed.bytes(), true}, counter_); }
  /// Short ones, longer ones, ones on the heap, ones with references.
  static Packed some(std::uint32_t n) {
    switch (n % 23) {
      case 0: return pack(1e300 + n);
      case 1: return pack("a text of many more than fifteen bytes: " + std::to_string(n));
      case 2: return reference(1, n + 1u);
      case 3: return pack("seven b");
      default: return pack(n);
    }
  }
  void insert(std::uint64_t position, const Packed& value) {
    watched([&] { rope_.insert(position, keep(value)); });
    model_.insert(model_.begin() + static_cast<std::ptrdiff_t>(position), value);
  }
  void take(std::uint64_t position) {
    watched([&] {
      const Value taken = rope_.take(position);
      EXPECT_EQ(packed(taken), model_[position]);
    });
    model_.erase(model_.begin() + static_cast<std::ptrdiff_t>(position));
  }
  template <class F>
  void watched(F&& operation) {
    const std::uint64_t before = rope_.moved();
    operation();
    most_moved_ = std::max(most_moved_, rope_.moved() - before);
  }
  static Packed packed(server::ValueView view) { return {std::string(wire::as_text(view.bytes))}; }
  void expect_model() const {
    ASSERT_EQ(rope_.size(), model_.size());
    std::uint64_t encoded = 0;
    for (std::uint64_t i = 0; i < model_.size(); ++i) {
      ASSERT_EQ(packed(rope_[i]), model_[i]) << "item " << i;
      encoded += model_[i].encoded.size();
    }
    EXPECT_EQ(rope_.encoded_bytes(), encoded);
    if (model_.empty()) {
      EXPECT_EQ(rope_.memory_bytes(), 0u);
    }
  }

  Counter counter_;
  ValueRope rope_;
  std::vector<Packed> model_;
  std::uint64_t most_moved_ = 0;
};

TEST_F(RopeTest, AnEmptyOneHoldsNothing) {
  EXPECT_EQ(rope_.memory_bytes(), 0u);
  EXPECT_EQ(rope_.capacity_bytes(), 0u);
  rope_.paste(0, rope_.cut(0, 0));
  expect_model();
}

TEST_F(RopeTest, RandomUseAgreesWithAVector) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    rope_ = ValueRope();
    model_.clear();
    std::uint32_t next = seed % 2 == 0 ? 3 : 0;
    auto where = [&](std::size_t size) -> std::uint64_t {
      switch (random() % 4) {
        case 0: return 0;
        case 1: return size;
        default: return random() % (size + 1);
      }
    };
    for (int step = 0; step < 6'000; ++step) {
      const unsigned growing = step / 1'500 % 2 == 0 ? 9 : 3;  // in twelve
      const unsigned what = random() % 12;
      if (what < growing || model_.empty()) {
        insert(where(model_.size()), some(seed % 2 == 0 ? 23 * next++ + 4 : next++));
      } else if (what == 11) {
        const std::uint64_t position = random() % model_.size();
        const Packed value = some(next++);
        EXPECT_EQ(packed(rope_.replace(position, keep(value))), model_[position]);
        model_[position] = value;
      } else {
        take(std::min<std::uint64_t>(where(model_.size()), model_.size() - 1));
      }
      if (step % 701 == 0) expect_model();
    }
    expect_model();
  }
  EXPECT_LE(most_moved_, moved_max);
  rope_ = ValueRope();
  EXPECT_EQ(counter_.held, 0);
}

TEST_F(RopeTest, PiecesCutAndPastedAgreeWithAVector) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    rope_ = ValueRope();
    model_.clear();
    for (std::uint32_t i = 0; i < 20'000; ++i) {
      model_.push_back(some(seed % 2 == 0 ? i : 23 * i + 4));
      rope_.push_back(keep(model_.back()));
    }
    for (int step = 0; step < 60; ++step) {
      const std::uint64_t position = random() % (model_.size() + 1);
      const std::uint64_t most = model_.size() - position;
      const std::uint64_t count =
          random() % 3 == 0 ? most : random() % (std::min<std::uint64_t>(most, 5'000) + 1);
      ValueRope piece = rope_.cut(position, count);
      const auto begin = model_.begin() + static_cast<std::ptrdiff_t>(position);
      std::vector<Packed> piece_model(begin, begin + static_cast<std::ptrdiff_t>(count));
      model_.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
      ASSERT_EQ(rope_.size(), model_.size());
      ASSERT_EQ(piece.size(), count);
      if (count != 0) {
        EXPECT_EQ(packed(piece[count / 2]), piece_model[count / 2]);
      }
      if (step % 10 == 9) continue;  // it goes
      const std::uint64_t to = random() % (model_.size() + 1);
      rope_.paste(to, std::move(piece));
      model_.insert(model_.begin() + static_cast<std::ptrdiff_t>(to), piece_model.begin(), piece_model.end());
      if (step % 7 == 0) expect_model();
      for (int i = 0; i < 20; ++i)
        insert(random() % (model_.size() + 1), some(static_cast<std::uint32_t>(random() % 1'000)));
    }
    expect_model();
    EXPECT_LT(rope_.capacity_bytes(), model_.size() * 40 + 20'000);
  }
  EXPECT_LE(most_moved_, moved_max);
  rope_ = ValueRope();
  EXPECT_EQ(counter_.held, 0);
}

TEST_F(RopeTest, NothingMovesMuchInAMillion) {
  std::mt19937 random(1);
  constexpr std::uint64_t count = 1'000'000;
  auto value = [&](std::uint64_t n) { return keep(pack(n)); };
  for (std::uint64_t i = 0; i < count / 2; ++i) watched([&] { rope_.push_back(value(i)); });
  EXPECT_LE(rope_.capacity_bytes(), count / 2 * 9);
  for (std::uint64_t i = 0; i < count / 4; ++i) watched([&] { rope_.insert(0, value(i)); });
  EXPECT_LE(rope_.capacity_bytes(), count * 3 / 4 * 9);
  for (std::uint64_t i = 0; i < count / 4; ++i)
    watched([&] { rope_.insert(random() % rope_.size(), value(i)); });
  EXPECT_EQ(rope_.size(), count);
  EXPECT_LE(rope_.capacity_bytes(), count * 16);
  while (rope_.size() > 1'000) watched([&] { (void)rope_.take(random() % rope_.size()); });
  EXPECT_LE(rope_.capacity_bytes(), 40'000u);
  while (!rope_.empty()) watched([&] { (void)rope_.take(rope_.size() / 2); });
  EXPECT_LE(most_moved_, moved_max);
  EXPECT_LE(rope_.capacity_bytes(), 20'000u);
}

TEST_F(RopeTest, WideValuesMakeOnlyTheirChunkWide) {
  for (std::uint32_t i = 0; i < 10'000; ++i) rope_.push_back(keep(pack(i)));
  const std::uint64_t before = rope_.capacity_bytes();
  rope_.replace(5'000, keep(pack(1e300)));
  rope_.insert(5'001, keep(pack("fifteen bytes..")));
  EXPECT_LE(rope_.capacity_bytes(), before + 3 * 512 * 16);
  EXPECT_EQ(packed(rope_[5'000]), pack(1e300));
  EXPECT_EQ(packed(rope_[4'999]), pack(4'999u));
  EXPECT_EQ(packed(rope_[5'002]), pack(5'001u));
}

TEST_F(RopeTest, LargeContentsAreFreedPieceByPiece) {
  ReclaimQueue reclaim_queue;
  {
    ValueRope rope;
    rope.defer_to(&reclaim_queue);
    for (std::uint32_t i = 0; i < 50'000; ++i) rope.push_back(keep(reference(1, i + 1)));
    (void)rope.cut(10'000, 20'000);
    EXPECT_EQ(counter_.held, 50'000);
    EXPECT_GT(reclaim_queue.memory_bytes(), 20'000u * 16);
  }
  int pieces = 0;
  while (!reclaim_queue.empty()) {
    const std::int64_t before = counter_.held;
    reclaim_queue.release(1'000);
    EXPECT_LE(before - counter_.held, 2'000);
    ++pieces;
  }
  EXPECT_GE(pieces, 30);
  EXPECT_EQ(counter_.held, 0);
  EXPECT_EQ(reclaim_queue.memory_bytes(), 0u);
}

}  // namespace
}  // namespace tandem::test
