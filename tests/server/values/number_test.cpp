#include "server/values/number.hpp"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <limits>
#include <random>

#include "server/values/semantics.hpp"
#include "tests/server/engine/pack.hpp"

namespace tandem::test {
namespace {

using namespace std::string_view_literals;
using server::Number;
using server::ValueView;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

Number number(const Packed& value) {
  wire::Reader reader(value.bytes());
  return Number::read(reader);
}
ValueView number_view(const Packed& value) {
  return {value.bytes(), false};
}
std::string zeros(std::size_t count) {
  return std::string(count, '\0');
}
std::string text(std::initializer_list<int> bytes) {
  return {bytes.begin(), bytes.end()};
}

/// A big integer of any value that an __int128 has, with `more` bytes that only repeat its sign.
Packed big_of(__int128 value, std::size_t more = 0) {
  std::string body(more, value < 0 ? '\xff' : '\0');
  for (int shift = 120; shift >= 0; shift -= 8) body += static_cast<char>(value >> shift);
  return big(body);
}

/// Equal numbers, in every way they can be written; the groups ascend.
std::vector<std::vector<Packed>> groups() {
  const __int128 one = 1;
  const __int128 two_53 = one << 53;
  const __int128 two_62 = one << 62;
  const __int128 two_63 = one << 63;
  const __int128 two_64 = one << 64;
  auto word = [](__int128 v) {
    return v < 0 ? pack(static_cast<std::int64_t>(v)) : pack(static_cast<std::uint64_t>(v));
  };
  auto whole = [&](__int128 v) { return std::vector{word(v), big_of(v), big_of(v, 5)}; };
  auto also_float = [&](__int128 v) {
    return std::vector{word(v), big_of(v), pack(static_cast<double>(v)), pack(static_cast<float>(v))};
  };
  // 1e30 is not 10^30 as a double, but this:
  const __int128 float_1e30 = static_cast<__int128>(1e30);
  return {
      {pack(-infinity), pack(-static_cast<float>(infinity))},
      {big(text({0xff}) + zeros(128))},  // -2^1024
      {pack(-DBL_MAX)},
      {pack(-0x1p1000), big(text({0xff}) + zeros(125))},
      {pack(-1e30), big_of(-float_1e30)},
      {big_of(-float_1e30 + 1)},
      {big_of(-two_64 - 1)},
      {big_of(-two_64), pack(-0x1p64)},
      {big_of(-two_63 - 1)},
      also_float(-two_63),
      whole(-two_63 + 1),
      whole(-two_62 - 1),
      also_float(-two_62),
      whole(-two_62 + 1),
      whole(-two_53 - 1),
      also_float(-two_53),
      whole(-two_53 + 1),
      also_float(-256),
      {pack(-1.5)},
      also_float(-1),
      {pack(-0.5), pack(-0.5f)},
      {pack(-5e-324)},
      {pack(0), pack(false), pack(0.0), pack(-0.0), pack(0.0f), big(zeros(1)), big(zeros(20)),
       raw("\xd3\0\0\0\0\0\0\0\0"sv)},
      {pack(5e-324)},
      {pack(0.1)},
      {pack(static_cast<double>(0.1f)), pack(0.1f)},  // another number than 0.1
      {pack(0.5)},
      {pack(1), pack(true), pack(1.0), pack(1.0f), big(text({1})), raw("\xcc\x01"), big_of(1, 200)},
      {pack(1.5)},
      also_float(255),
      {pack(1e9 + 0.5)},
      whole(two_53 - 1),
      also_float(two_53),
      whole(two_53 + 1),
      {word(two_53 + 2), big_of(two_53 + 2), pack(0x1p53 + 2)},
      whole(two_62 - 1),
      also_float(two_62),
      whole(two_62 + 1),
      whole(two_63 - 1),
      also_float(two_63),
      whole(two_63 + 1),
      whole(two_64 - 1),
      {big_of(two_64), pack(0x1p64), pack(0x1p64f)},
      {big_of(two_64 + 1)},
      {big_of(two_64 + 4096), pack(0x1p64 + 4096)},
      {big_of(float_1e30 - 1)},
      {big_of(float_1e30), pack(1e30)},
      {big_of(float_1e30 + 1)},
      {pack(0x1p1000), big(text({1}) + zeros(125))},
      {big(text({1}) + zeros(124) + text({1}))},
      {pack(DBL_MAX), big(text({0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf8}) + zeros(121))},
      {big(text({1}) + zeros(128))},  // 2^1024
      {big(text({1}) + zeros(500))},  // beyond what a hash looks at
      {big(text({2}) + zeros(500))},
      {pack(infinity), pack(static_cast<float>(infinity))},
  };
}

TEST(Number, OrderAndEqualityAreExactAndHashesAgree) {
  const auto all = groups();
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < all.size(); ++j)
      for (const Packed& a : all[i])
        for (const Packed& b : all[j]) {
          SCOPED_TRACE(::testing::PrintToString(a) + " against " + ::testing::PrintToString(b));
          ASSERT_TRUE(compare(number(a), number(b)) == (i <=> j));
          ASSERT_EQ(are_equal(number_view(a), number_view(b)), i == j);
          ASSERT_EQ(*is_less(number_view(a), number_view(b)), i < j);
          if (i == j) {
            ASSERT_EQ(*hash_key(number_view(a), 99), *hash_key(number_view(b), 99));
          }
        }
}

TEST(Number, HashesOfUnequalNumbersSpread) {
  std::vector<std::uint32_t> hashes;
  for (const auto& group : groups()) hashes.push_back(*hash_key(number_view(group[0]), 1));
  std::sort(hashes.begin(), hashes.end());
  // 2^1024 and its like share their low bytes, which is all that a hash looks at; nothing else may collide.
  EXPECT_GE(std::unique(hashes.begin(), hashes.end()) - hashes.begin(),
            static_cast<std::ptrdiff_t>(hashes.size()) - 2);
}

/// One of: int64, uint64, 100-bit integer; or a float of a whole value below 2^100. Half of them near powers of two.
__int128 random_whole(std::mt19937_64& random) {
  __int128 value = static_cast<__int128>(1) << (random() % 100);
  switch (random() % 4) {
    case 0: value += static_cast<int>(random() % 5) - 2; break;
    case 1: value = static_cast<__int128>(random()) * static_cast<__int128>(random() >> 28); break;
    case 2: value += static_cast<__int128>(1) << (random() % 40); break;
    default: value = static_cast<__int128>(random() % 1000); break;
  }
  return random() % 2 == 0 ? value : -value;
}
Packed written(std::mt19937_64& random, __int128 value) {
  if (static_cast<__int128>(static_cast<double>(value)) == value && random() % 2 == 0)
    return pack(static_cast<double>(value));
  if (value >= 0 && value <= static_cast<__int128>(UINT64_MAX) && random() % 2 == 0)
    return pack(static_cast<std::uint64_t>(value));
  if (value >= INT64_MIN && value <= INT64_MAX && random() % 2 == 0)
    return pack(static_cast<std::int64_t>(value));
  return big_of(value, random() % 3);
}

TEST(Number, RandomPairsAgreeWithIntegersOf128Bits) {
  std::mt19937_64 random(20240229);
  for (int round = 0; round < 20'000; ++round) {
    const __int128 a = random_whole(random);
    const __int128 b = random() % 4 == 0 ? a : random_whole(random);
    const Packed left = written(random, a);
    const Packed right = written(random, b);
    SCOPED_TRACE(::testing::PrintToString(left) + " against " + ::testing::PrintToString(right));
    ASSERT_EQ(are_equal(number_view(left), number_view(right)), a == b);
    ASSERT_EQ(*is_less(number_view(left), number_view(right)), a < b);
    if (a == b) {
      ASSERT_EQ(*hash_key(number_view(left), 7), *hash_key(number_view(right), 7));
    }
  }
}

TEST(Number, FractionsLieBetweenIntegers) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 5'000; ++round) {
    const auto whole =
        static_cast<std::int64_t>(random() >> (14 + random() % 50)) * (random() % 2 == 0 ? 1 : -1);
    const double fraction = static_cast<double>(whole) + 0.5;
    if (fraction == std::trunc(fraction)) continue;
    EXPECT_TRUE(*is_less(number_view(pack(whole)), number_view(pack(fraction))));
    EXPECT_TRUE(*is_less(number_view(pack(fraction)), number_view(pack(whole + 1))));
    EXPECT_FALSE(are_equal(number_view(pack(fraction)), number_view(pack(whole))));
  }
}

TEST(Number, NanHasNoOrderAndEqualsOnlyItsOwnBits) {
  for (const auto& group : groups())
    for (const Packed& other : group) {
      EXPECT_FALSE(are_equal(number_view(pack(nan)), number_view(other)));
      EXPECT_FALSE(*is_less(number_view(pack(nan)), number_view(other)));
      EXPECT_FALSE(*is_less(number_view(other), number_view(pack(nan))));
    }
  EXPECT_TRUE(are_equal(number_view(pack(nan)), number_view(pack(nan))));
  EXPECT_FALSE(are_equal(number_view(pack(nan)), number_view(pack(std::nan("7")))));
  EXPECT_EQ(*hash_key(number_view(pack(nan)), 3), *hash_key(number_view(pack(nan)), 3));
}

TEST(Number, IntegersAsFloatsAreRoundedToNearestEven) {
  const __int128 one = 1;
  const struct {
    Packed integer;
    double expected;
  } table[] = {
      {big_of((one << 64) + 2048), 0x1p64},         // a tie: to the even one below
      {big_of((one << 64) + 2049), 0x1p64 + 4096},  // a tie but for the last bit
      {big_of((one << 64) + 6144), 0x1p64 + 8192},  // a tie: to the even one above
      {big_of(-(one << 64) - 6144), -0x1p64 - 8192},
      {big_of((one << 100) + (one << 47) + 1), 0x1p100 + 0x1p48},
      {big_of((one << 100) + (one << 47)), 0x1p100},
      {big(text({1}) + zeros(125)), 0x1p1000},
      {pack(std::uint64_t{UINT64_MAX}), 0x1p64},
      {pack((std::int64_t{1} << 53) + 1), 0x1p53},
      {pack(true), 1.0},
  };
  for (const auto& [integer, expected] : table) EXPECT_EQ(*number(integer).to_double(), expected);
  EXPECT_EQ(number(big(text({1}) + zeros(128))).to_double().failure().code, Code::overflow);
  EXPECT_EQ(number(big(text({0xff}) + zeros(500))).to_double().failure().code, Code::overflow);
}

Packed sum(const Packed& a, const Packed& b, bool minus = false) {
  wire::Buffer out;
  server::Result<void> result = minus ? subtract(number(a), number(b), out) : add(number(a), number(b), out);
  if (!result) {
    EXPECT_EQ(result.failure().code, Code::overflow);
    return raw("overflow");
  }
  return {std::string(wire::as_text(out.view()))};
}

TEST(Number, SumsAreExactIn64BitsOrOverflow) {
  const Packed overflow = raw("overflow");
  const Packed largest = pack(std::uint64_t{UINT64_MAX});
  const Packed smallest = pack(std::int64_t{INT64_MIN});
  EXPECT_EQ(sum(pack(1), pack(2)), pack(3));
  EXPECT_EQ(sum(pack(true), pack(true)), pack(2));
  EXPECT_EQ(sum(pack(std::int64_t{INT64_MAX}), pack(1)), pack(std::uint64_t{1} << 63));
  EXPECT_EQ(sum(largest, pack(1)), overflow);
  EXPECT_EQ(sum(largest, pack(-1)), pack(UINT64_MAX - 1));
  EXPECT_EQ(sum(largest, smallest), pack(std::int64_t{INT64_MAX}));
  EXPECT_EQ(sum(smallest, pack(-1)), overflow);
  EXPECT_EQ(sum(smallest, largest, true), overflow);
  EXPECT_EQ(sum(pack(5), pack(7), true), pack(-2));
  EXPECT_EQ(sum(smallest, smallest, true), pack(0));
  EXPECT_EQ(sum(big_of(static_cast<__int128>(1) << 64), pack(1)), overflow);
  EXPECT_EQ(sum(big_of(static_cast<__int128>(1) << 64), pack(-1)), largest);
  EXPECT_EQ(sum(largest, big_of(-static_cast<__int128>(UINT64_MAX))), pack(0));
  EXPECT_EQ(sum(big_of(static_cast<__int128>(1) << 100), big_of((static_cast<__int128>(1) << 100) - 7), true),
            pack(7));
  EXPECT_EQ(sum(big(text({1}) + zeros(128)), big(text({1}) + zeros(128)), true), overflow);
}

TEST(Number, AFloatMakesTheSumAFloat) {
  EXPECT_EQ(sum(pack(1), pack(0.5)), pack(1.5));
  EXPECT_EQ(sum(pack(0.5f), pack(true)), pack(1.5));
  EXPECT_EQ(sum(pack(1e308), pack(1e308)), pack(infinity));
  EXPECT_EQ(sum(pack(std::uint64_t{UINT64_MAX}), pack(0.0)), pack(0x1p64));
  EXPECT_EQ(sum(big_of(static_cast<__int128>(1) << 70), pack(1.0), true), pack(0x1p70));
  EXPECT_EQ(sum(big(text({1}) + zeros(128)), pack(1.0)),
            raw("overflow"));  // as Python: too large to convert to float
}

TEST(Number, TextIsTheShortestThatReadsBackTheSame) {
  const std::pair<Packed, std::string> table[] = {
      {pack(0), "0"},
      {pack(-7), "-7"},
      {pack(UINT64_MAX), "18446744073709551615"},
      {pack(1.0), "1.0"},
      {pack(-0.0), "-0.0"},
      {pack(0.1), "0.1"},
      {pack(1e22), "1e+22"},
      {pack(nan), "nan"},
      {pack(-infinity), "-inf"},
      {pack(1.0 / 3), "0.3333333333333333"},
      {pack(123456789.0), "123456789.0"},
  };
  for (const auto& [value, expected] : table) EXPECT_EQ(number(value).to_string(), expected);
}

}  // namespace
}  // namespace tandem::test
