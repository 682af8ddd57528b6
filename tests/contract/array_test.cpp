#include "tests/support/contract.hpp"

#include <array>
#include <deque>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "tests/support/slices.hpp"

namespace tandem {
namespace {

using test::all_slices;
using test::error_of;
using test::positions_of;
using test::printed;
using test::SliceBounds;
using testing::HasSubstr;

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

class ArrayContract : public test::ContractTest {};
TANDEM_CONTRACT_SUITE(ArrayContract);

TEST_P(ArrayContract, HasAFixedNumberOfElements) {
  auto zeros = manager().array<int>(3);
  EXPECT_EQ(zeros, (std::vector<int>{0, 0, 0}));
  auto a = manager().array<double>({0.5, 1, 2});
  EXPECT_EQ(a.size(), 3U);
  EXPECT_FALSE(a.empty());
  EXPECT_EQ(a.at(0), 0.5);
  EXPECT_EQ(a.at(-1), 2.0);
  a[1] = 7;
  a[-1] = 8;
  EXPECT_EQ(a, (std::vector<double>{0.5, 7, 8}));
  double read = a[0];
  EXPECT_EQ(read, 0.5);
  a[0] = a[1];
  EXPECT_EQ(a[0], 7.0);
  a.fill(1.25);
  EXPECT_EQ(a.snapshot(), (std::vector<double>{1.25, 1.25, 1.25}));
  EXPECT_EQ(printed(a), "[1.25, 1.25, 1.25]");
  EXPECT_EQ(printed(a[0]), "1.25");
  const auto& constant = a;
  EXPECT_EQ(constant[0], 1.25);
  auto none = manager().array<int>(std::size_t{0});
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(printed(none), "[]");
  none.fill(1);
  none.assign({});
  EXPECT_EQ(none.snapshot(), std::vector<int>{});
}

TEST_P(ArrayContract, AnIndexOutsideIsAnIndexErrorThatNamesIt) {
  auto a = manager().array<int>(3);
  for (const std::int64_t index : {3, -4, 1000}) {
    EXPECT_THAT(error_of<IndexError>([&] { (void)a.at(index); }), HasSubstr(std::to_string(index)));
    EXPECT_THROW(a[index] = 1, IndexError);
    EXPECT_THROW((a[index] += 1), IndexError);
    EXPECT_THROW((void)a.fetch_add(index, 1), IndexError);
  }
}

TEST_P(ArrayContract, ElementsOfEveryTypeKeepTheirLimits) {
  const auto check = [&]<class... T>() {
    (
        [&] {
          using Range = std::numeric_limits<T>;
          auto a = manager().array<T>({Range::lowest(), Range::max(), T(1)});
          EXPECT_EQ(a.snapshot(), (std::vector<T>{Range::lowest(), Range::max(), T(1)}))
              << client::name_of_type<T>();
          EXPECT_EQ(a.at(0), Range::lowest());
          a[2] = Range::max();
          EXPECT_EQ(a.at(2), Range::max());
          a.fill(Range::lowest());
          EXPECT_EQ(a.at(1), Range::lowest());
        }(),
        ...);
  };
  check.operator()<signed char, unsigned char, char, short, unsigned short, int, unsigned, long,
                   unsigned long, long long, unsigned long long, float, double>();
}

TEST_P(ArrayContract, AddingWrapsInTheElementsWidth) {
  auto a = manager().array<std::int8_t>({127, 0, -128});
  EXPECT_EQ(a[0] += 1, -128);
  EXPECT_EQ(a[1] -= 1, -1);
  EXPECT_EQ(a[2] -= 1, 127);
  EXPECT_EQ(a, (std::vector<std::int8_t>{-128, -1, 127}));
  EXPECT_EQ(a.fetch_add(1, 5), -1);
  EXPECT_EQ(a.at(1), 4);
  EXPECT_EQ(++a[1], 5);
  EXPECT_EQ(--a[1], 4);
  EXPECT_EQ(a[1]++, 4);
  EXPECT_EQ(a[1]--, 5);
  EXPECT_EQ(a[1], 4);
  EXPECT_EQ(a[0] -= std::int8_t{-128}, 0);
  auto wide = manager().array<std::uint64_t>({~std::uint64_t{0}});
  EXPECT_EQ(wide[0] += 2, 1U);
  EXPECT_EQ(wide[0] -= 2, ~std::uint64_t{0});
  auto floats = manager().array<float>({16777216.0F});
  EXPECT_EQ(floats[0] += 1, 16777216.0F) << "as a float has it";
}

TEST_P(ArrayContract, EveryCombinationOfBoundsSlicesAsTheModel) {
  for (const int length : {0, 1, 5}) {
    auto a = manager().array<int>(numbers(length));
    for (const SliceBounds& bounds : all_slices(length)) {
      std::vector<int> wanted;
      for (const std::size_t at : positions_of(bounds, length)) wanted.push_back(static_cast<int>(at));
      ASSERT_EQ(a.slice(bounds.start, bounds.stop, bounds.step), wanted)
          << testing::PrintToString(bounds) << " of " << length;
    }
  }
}

TEST_P(ArrayContract, EveryCombinationOfBoundsTakesOtherElementsAsTheModel) {
  constexpr int length = 4;
  auto a = manager().array<int>(length);
  for (const SliceBounds& bounds : all_slices(length)) {
    std::vector<int> wanted = numbers(length);
    std::vector<int> elements;
    for (const std::size_t at : positions_of(bounds, length)) {
      elements.push_back(100 + static_cast<int>(elements.size()));
      wanted[at] = elements.back();
    }
    a.assign(numbers(length));
    a.assign_slice(elements, bounds.start, bounds.stop, bounds.step);
    ASSERT_EQ(a.snapshot(), wanted) << testing::PrintToString(bounds);
    elements.push_back(7);
    EXPECT_THROW(a.assign_slice(elements, bounds.start, bounds.stop, bounds.step), ValueError)
        << testing::PrintToString(bounds) << ": an array never grows";
    ASSERT_EQ(a.snapshot(), wanted);
  }
}

TEST_P(ArrayContract, AssignsFromAnyRangeOfItsLength) {
  auto a = manager().array<short>(3);
  a.assign({1, 2, 3});
  a.assign(std::deque<int>{4, 5, 6});
  EXPECT_EQ(a, (std::vector<short>{4, 5, 6}));
  a.assign(std::array<short, 3>{7, 8, 9});
  a.assign_slice({1}, 1, 2);
  EXPECT_EQ(a, (std::vector<short>{7, 1, 9}));
  EXPECT_THROW(a.assign({1, 2}), ValueError);
  EXPECT_THROW((void)a.slice({}, {}, 0), ValueError);
}

TEST_P(ArrayContract, RangeForSeesEveryElement) {
  for (const int count : {0, 1, 999, 1000, 1001, 2500}) {
    auto a = manager().array<int>(numbers(count));
    std::vector<int> seen;
    for (const int element : a) seen.push_back(element);
    EXPECT_EQ(seen, numbers(count));
  }
}

TEST_P(ArrayContract, LargeArraysComeWhole) {
  std::vector<double> many(300'000);
  std::iota(many.begin(), many.end(), 0.5);
  auto a = manager().array<double>(many);
  EXPECT_EQ(a.snapshot(), many);
  a.assign(std::vector<double>(many.size(), 1));
  EXPECT_EQ(a.at(-1), 1.0);
}

TEST_P(ArrayContract, ItsTypeIsCheckedWhereverItComesFrom) {
  auto a = manager().array<int>("numbers", {1, 2});
  EXPECT_EQ((manager().array<int>("numbers", 2)), a);
  EXPECT_THAT(error_of<TypeError>([&] { (void)manager().array<float>("numbers", 2); }),
              HasSubstr("typecode i"));
  EXPECT_THROW((void)manager().array<unsigned>("numbers", 2), TypeError);
  EXPECT_THROW((void)manager().array<int>("numbers", 3), ValueError);
  EXPECT_THROW((void)manager().get<Array<double>>("numbers"), TypeError);
  auto d = manager().dict();
  d["a"] = a;
  EXPECT_EQ(d.at<Array<int>>("a"), a);
  EXPECT_THROW((void)d.at<Array<std::int64_t>>("a"), TypeError);
  EXPECT_EQ(references(a), 2U);
}

TEST_P(ArrayContract, ElementsOfAnotherKindAreRefused) {
  auto integers = manager().array<int>({1});
  auto set_first_to = [&](const char* json) {
    // What another language could send: values that no Array<int> of ours would.
    client::Call call(*integers.remote(), ops::Array::Set::description, 2);
    call.arguments().writer.integer(std::int64_t{0});
    write_json(call.arguments().writer, nlohmann::json::parse(json));
    (void)call.send();
  };
  EXPECT_THROW(set_first_to("0.5"), TypeError);
  EXPECT_THROW(set_first_to("\"text\""), TypeError);
  EXPECT_THROW(set_first_to("null"), TypeError);
  EXPECT_THROW(set_first_to("2147483648"), OverflowError);
  EXPECT_EQ(integers.at(0), 1);
  set_first_to("2147483647");
  EXPECT_EQ(integers.at(0), 2147483647);
}

TEST_P(ArrayContract, ARemovedArrayIsGone) {
  auto a = manager().array<int>("doomed", 3);
  manager().remove("doomed");
  EXPECT_THROW((void)a.at(0), ObjectGone);
  EXPECT_THROW(a[0] = 1, ObjectGone);
  EXPECT_THROW((void)a.size(), ObjectGone);
}

class SmallArrayContract : public test::ContractTest {
 protected:
  Limits limits() const override {
    Limits limits;
    limits.memory_bytes_max = 4 << 20;
    return limits;
  }
};
TANDEM_CONTRACT_SUITE(SmallArrayContract);

TEST_P(SmallArrayContract, AnArrayBeyondMemoryNamesItsLimit) {
  EXPECT_THAT(error_of<ResourceExhausted>([&] { (void)manager().array<double>(std::size_t{1} << 20); }),
              HasSubstr("memory_bytes_max"));
  EXPECT_THROW((void)manager().array<double>(std::size_t{1} << 60), ResourceExhausted);
  EXPECT_EQ(manager().array<double>(std::size_t{1} << 10).size(), 1024U);
}

}  // namespace
}  // namespace tandem
