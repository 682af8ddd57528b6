#include "tests/support/contract.hpp"

#include <limits>
#include <string>
#include <vector>

namespace tandem {
namespace {

using nlohmann::json;
using test::error_of;
using test::printed;
using testing::HasSubstr;

struct Point {
  int x = 0;
  int y = 0;
  bool operator==(const Point&) const = default;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Point, x, y)
};

class ValueContract : public test::ContractTest {};
TANDEM_CONTRACT_SUITE(ValueContract);

TEST_P(ValueContract, LoadsStoresAndExchanges) {
  auto v = manager().value<int>(5);
  EXPECT_EQ(v.load(), 5);
  v.store(6);
  int loaded = v;
  EXPECT_EQ(loaded, 6);
  v = 7;
  EXPECT_EQ(v, 7);
  EXPECT_EQ(v.exchange(8), 7);
  EXPECT_EQ(printed(v), "8");
}

TEST_P(ValueContract, CompareExchangeSaysWhatWasThere) {
  auto v = manager().value<int>(5);
  int expected = 4;
  EXPECT_FALSE(v.compare_exchange(expected, 9));
  EXPECT_EQ(expected, 5);
  EXPECT_TRUE(v.compare_exchange(expected, 9));
  EXPECT_EQ(expected, 5);
  EXPECT_EQ(v, 9);
  auto untyped = manager().value(json{1, "a"});
  json wanted{1.0, "a"};
  EXPECT_TRUE(untyped.compare_exchange(wanted, nullptr)) << "compared as Python does";
  EXPECT_EQ(untyped.load(), nullptr);
}

TEST_P(ValueContract, FetchOperationsGiveTheValueBefore) {
  auto v = manager().value<int>(12);
  EXPECT_EQ(v.fetch_add(3), 12);
  EXPECT_EQ(v.fetch_sub(5), 15);
  EXPECT_EQ(v.fetch_and(6), 10);
  EXPECT_EQ(v.fetch_or(9), 2);
  EXPECT_EQ(v.fetch_xor(3), 11);
  EXPECT_EQ(v, 8);
  EXPECT_EQ(v++, 8);
  EXPECT_EQ(v--, 9);
  EXPECT_EQ(v, 8);
}

TEST_P(ValueContract, AssigningOperationsGiveTheValueAfter) {
  auto v = manager().value<int>(12);
  EXPECT_EQ(v += 3, 15);
  EXPECT_EQ(v -= 5, 10);
  EXPECT_EQ(v &= 6, 2);
  EXPECT_EQ(v |= 9, 11);
  EXPECT_EQ(v ^= 3, 8);
  EXPECT_EQ(++v, 9);
  EXPECT_EQ(--v, 8);
  EXPECT_EQ(v, 8);
}

template <class T>
class Limit {
 public:
  static constexpr T least = std::numeric_limits<T>::min();
  static constexpr T most = std::numeric_limits<T>::max();
};

TEST_P(ValueContract, IntegersWrapInTheirWidthAsAtomicsDo) {
  const auto check = [&]<class... T>() {
    (
        [&] {
          auto v = manager().value<T>(Limit<T>::most);
          EXPECT_EQ(v.fetch_add(1), Limit<T>::most);
          EXPECT_EQ(v.load(), Limit<T>::least) << client::name_of_type<T>();
          EXPECT_EQ(--v, Limit<T>::most);
          EXPECT_EQ(++v, Limit<T>::least);
          EXPECT_EQ(v -= Limit<T>::most, static_cast<T>(Limit<T>::least - Limit<T>::most))
              << client::name_of_type<T>();
          EXPECT_EQ(v.load(), static_cast<T>(Limit<T>::least - Limit<T>::most));
        }(),
        ...);
  };
  check.operator()<signed char, unsigned char, short, unsigned short, unsigned, unsigned long,
                   unsigned long long>();
  auto wide = manager().value<std::int64_t>(Limit<std::int64_t>::most);
  EXPECT_EQ(wide += 1, Limit<std::int64_t>::least);
  EXPECT_EQ(wide.fetch_sub(1), Limit<std::int64_t>::least);
  EXPECT_EQ(wide, Limit<std::int64_t>::most);
}

TEST_P(ValueContract, BitsOfEveryWidthAreCombined) {
  auto v = manager().value<std::uint64_t>(~std::uint64_t{0});
  EXPECT_EQ(v &= 0xff00, 0xff00U);
  EXPECT_EQ(v |= std::uint64_t{1} << 63, (std::uint64_t{1} << 63) + 0xff00);
  EXPECT_EQ(v ^= v.load(), 0U);
  auto negative = manager().value<int>(-1);
  EXPECT_EQ(negative &= 0x7f, 0x7f);
  EXPECT_EQ(negative ^= -1, ~0x7f);
  auto flag = manager().value<bool>(true);
  EXPECT_EQ(flag.fetch_and(false), true);
  EXPECT_EQ(flag.fetch_or(true), false);
  EXPECT_EQ(flag.fetch_xor(true), true);
  EXPECT_EQ(flag, false);
}

TEST_P(ValueContract, FloatsAddInTheirOwnPrecision) {
  auto v = manager().value<float>(16777216.0F);
  EXPECT_EQ(v += 1.0F, 16777216.0F) << "as a float has it";
  EXPECT_EQ(v.load(), 16777216.0F);
  auto d = manager().value<double>(0.5);
  EXPECT_EQ(d += 0.25, 0.75);
  EXPECT_EQ(d -= 1, -0.25);
  EXPECT_EQ(d.fetch_sub(0.75), -0.25);
  EXPECT_EQ(printed(d), "-1");
}

TEST_P(ValueContract, OtherTypesAddAsPythonDoes) {
  auto text = manager().value<std::string>("ab");
  text += "cd";
  EXPECT_EQ(text.fetch_add("ef"), "abcd");
  EXPECT_EQ(text, "abcdef");
  EXPECT_THROW(text.fetch_sub("f"), TypeError);
  auto list = manager().value<std::vector<int>>({1});
  list += {2, 3};
  EXPECT_EQ(list.load(), (std::vector<int>{1, 2, 3}));
  auto any = manager().value(1);
  any += 0.5;
  EXPECT_EQ(any.load(), 1.5);
  any -= 1;
  EXPECT_EQ(any.load(), 0.5);
  EXPECT_THROW(any += "x", TypeError);
  EXPECT_THROW(any.fetch_and(1), TypeError);
  any = ~std::uint64_t{0};
  EXPECT_THROW(any += 1, OverflowError) << "untyped integers have no width to wrap in";
  EXPECT_EQ(any.load(), ~std::uint64_t{0});
}

TEST_P(ValueContract, HoldsAnyType) {
  auto point = manager().value<Point>({1, 2});
  EXPECT_EQ(point.load(), (Point{1, 2}));
  point = {3, 4};
  EXPECT_EQ(point.exchange({5, 6}), (Point{3, 4}));
  EXPECT_EQ(printed(point), R"({"x": 5, "y": 6})");
  auto any = manager().value(nullptr);
  any = "text";
  EXPECT_EQ(any.load<std::string>(), "text");
  EXPECT_EQ(printed(any), "\"text\"");
  any.store({1, {{"a", nullptr}}});
  EXPECT_EQ(any.load(), json::parse(R"([1, {"a": null}])"));
}

TEST_P(ValueContract, TypesAreChecked) {
  auto v = manager().value("text");
  auto typed = Value<int>(v.remote());
  EXPECT_THAT(error_of<TypeError>([&] { (void)typed.load(); }),
              HasSubstr("asked for int32, found text \"text\""));
  EXPECT_THROW(typed += 1, TypeError);
  v = 0.5;
  EXPECT_THROW(typed += 1, TypeError) << "an integer's operation on a float";
  v = 300;
  EXPECT_THROW((Value<std::uint8_t>(v.remote()) += 1), OverflowError)
      << "does not fit the type it would wrap in";
  EXPECT_EQ(v.load(), 300);
}

TEST_P(ValueContract, AssigningAProxyMeansTheOthersCell) {
  auto a = manager().value<int>(1);
  auto b = manager().value<int>(2);
  a = b;
  EXPECT_EQ(a.id(), b.id());
  a = 5;
  EXPECT_EQ(b, 5);
  EXPECT_EQ(objects_count(), 1U) << "the first cell is gone";
}

TEST_P(ValueContract, ReferencesAreCountedThroughEveryChange) {
  auto inner = manager().list<int>();
  auto v = manager().value<List<int>>(inner);
  EXPECT_EQ(references(inner), 2U);
  EXPECT_EQ(v.load(), inner);
  auto other = manager().list<int>();
  EXPECT_EQ(v.exchange(other), inner);
  EXPECT_EQ(references(inner), 1U);
  List<int> expected = other;
  EXPECT_TRUE(v.compare_exchange(expected, inner));
  EXPECT_EQ(references(inner), 2U);
  EXPECT_EQ(references(other), 1U);
  v = other;
  EXPECT_EQ(references(inner), 1U);
  auto many = manager().value(nullptr);
  many = std::vector{inner};
  many += std::vector{inner, other};
  EXPECT_EQ(references(inner), 3U);
  many = 0;
  EXPECT_EQ(references(inner), 1U);
}

TEST_P(ValueContract, ARemovedValueIsGone) {
  auto v = manager().value<int>("doomed", 1);
  EXPECT_EQ(manager().value<int>("doomed", 2), 1) << "made once";
  manager().remove("doomed");
  EXPECT_THROW((void)v.load(), ObjectGone);
  EXPECT_THROW(v += 1, ObjectGone);
}

}  // namespace
}  // namespace tandem
