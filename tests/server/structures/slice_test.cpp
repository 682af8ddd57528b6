#include "server/structures/slice.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace tandem::test {
namespace {

using server::Slice;
using Bound = std::optional<std::int64_t>;

/// Python's reference, word for word: missing bounds are the ends, negative ones count from the end, the rest is cut to
/// what there is; then x = i + n*k.
std::vector<std::uint64_t> positions_plainly(Bound start, Bound stop, std::int64_t step,
                                             std::int64_t length) {
  auto bound = [&](Bound b, std::int64_t otherwise) {
    if (!b) return otherwise;
    if (*b < 0) return std::max<std::int64_t>(*b + length, step > 0 ? 0 : -1);
    return std::min<std::int64_t>(*b, step > 0 ? length : length - 1);
  };
  const std::int64_t i = bound(start, step > 0 ? 0 : length - 1);
  const std::int64_t j = bound(stop, step > 0 ? length : -1);
  std::vector<std::uint64_t> found;
  for (std::int64_t x = i; step > 0 ? x < j : x > j; x += step)
    found.push_back(static_cast<std::uint64_t>(x));
  return found;
}

std::vector<std::uint64_t> positions(const Slice& slice) {
  std::vector<std::uint64_t> found;
  for (std::uint64_t i = 0; i < slice.count; ++i) found.push_back(slice.position(i));
  return found;
}

TEST(Slice, AgreesWithTheReferenceOnEverySmallSlice) {
  for (std::int64_t length = 0; length <= 6; ++length) {
    std::vector<Bound> bounds{std::nullopt};
    for (std::int64_t b = -length - 3; b <= length + 3; ++b) bounds.push_back(b);
    for (Bound start : bounds)
      for (Bound stop : bounds)
        for (std::int64_t step : {-7, -3, -2, -1, 1, 2, 3, 7}) {
          Slice slice = *server::slice_of(start, stop, step, static_cast<std::uint64_t>(length));
          std::vector<std::uint64_t> expected = positions_plainly(start, stop, step, length);
          ASSERT_EQ(positions(slice), expected)
              << length << '[' << start.value_or(99) << ':' << stop.value_or(99) << ':' << step << ']';
          std::sort(expected.begin(), expected.end());
          ASSERT_EQ(positions(slice.ascending()), expected);
          if (step == 1) {
            ASSERT_GE(slice.start, 0);
            ASSERT_LE(slice.start + static_cast<std::int64_t>(slice.count), length);
          }
        }
  }
}

TEST(Slice, TheLargestNumbersAreCutLikeAnyOthers) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  using Positions = std::vector<std::uint64_t>;
  EXPECT_EQ(positions(*server::slice_of(least, most, 1, 3)), (Positions{0, 1, 2}));
  EXPECT_EQ(positions(*server::slice_of(most, least, -1, 3)), (Positions{2, 1, 0}));
  EXPECT_EQ(positions(*server::slice_of(least, most, most, 3)), (Positions{0}));
  EXPECT_EQ(positions(*server::slice_of(most, least, least, 3)), (Positions{2}));
  EXPECT_EQ(positions(*server::slice_of(1, std::nullopt, most, 3)), (Positions{1}));
  EXPECT_TRUE(positions(*server::slice_of(most, std::nullopt, 1, 3)).empty());
  EXPECT_TRUE(positions(*server::slice_of(least, std::nullopt, least, 3)).empty());
}

TEST(Slice, AStepOfZeroIsAnError) {
  EXPECT_EQ(server::slice_of(std::nullopt, std::nullopt, 0, 3).failure().code, Code::value_error);
}

TEST(Slice, PositionsOfSingleIndices) {
  using Position = std::optional<std::uint64_t>;
  EXPECT_EQ(server::position_of(0, 3), Position(0));
  EXPECT_EQ(server::position_of(-1, 3), Position(2));
  EXPECT_EQ(server::position_of(-3, 3), Position(0));
  for (std::int64_t outside : {std::int64_t{3}, std::int64_t{-4}, INT64_MAX, INT64_MIN})
    EXPECT_EQ(server::position_of(outside, 3), std::nullopt);
  EXPECT_EQ(server::position_of(0, 0), std::nullopt);
  EXPECT_EQ(server::clamped_position_of(-1, 3), 2u);
  EXPECT_EQ(server::clamped_position_of(INT64_MIN, 3), 0u);
  EXPECT_EQ(server::clamped_position_of(INT64_MAX, 3), 3u);
}

}  // namespace
}  // namespace tandem::test
