// Sums that the manager computes for typed proxies: of the proxy's type, or an error that has changed nothing.

#include "tests/support/contract.hpp"

#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace tandem {
namespace {

using test::error_of;
using testing::HasSubstr;

class SumContract : public test::ContractTest {
 protected:
  /// Calls `check` with each type whose sums have an end, as template argument.
  template <class F>
  static void each_integer(F&& check) {
    [&]<class... T>(std::tuple<T...>*) {
      (
          [&] {
            SCOPED_TRACE(client::name_of_type<T>());
            check.template operator()<T>();
          }(),
          ...);
    }(static_cast<std::tuple<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                             std::uint32_t, std::int64_t, std::uint64_t>*>(nullptr));
  }
};
TANDEM_CONTRACT_SUITE(SumContract);

TEST_P(SumContract, DictsKeepToTheirType) {
  each_integer([&]<class T>() {
    constexpr T low = std::numeric_limits<T>::min();
    constexpr T high = std::numeric_limits<T>::max();
    const std::map<std::string, T> before{{"low", low}, {"high", high}};
    auto d = manager().dict<std::string, T>(before);
    const std::uint64_t version = d.version();
    EXPECT_THROW(d["high"] += T{1}, OverflowError);
    EXPECT_THROW(d["high"] += high, OverflowError);
    EXPECT_THROW(++d["high"], OverflowError);
    EXPECT_THROW(d["low"] -= T{1}, OverflowError);
    EXPECT_THROW(d["low"] -= high, OverflowError);
    EXPECT_THROW(d["low"]--, OverflowError);
    EXPECT_THROW((void)d.add("high", 1), OverflowError);
    EXPECT_THROW((void)d.add("absent", 1, high), OverflowError);
    if constexpr (std::is_signed_v<T>) {
      EXPECT_THROW(d["low"] += low, OverflowError);
      EXPECT_THROW(d["high"] -= low, OverflowError);
      EXPECT_THROW(d["absent"] -= low, OverflowError);
    } else {
      EXPECT_THROW(d["absent"] -= T{1}, OverflowError);
      EXPECT_THROW(--d["absent"], OverflowError);
      EXPECT_THROW(d["absent"] -= high, OverflowError);
    }
    EXPECT_EQ(d.version(), version);
    EXPECT_EQ(d, before);

    EXPECT_EQ(d["high"] -= high, T{0});
    EXPECT_EQ(d["high"] += high, high);
    EXPECT_EQ(d.add("added", high - 1, 1), high);
    EXPECT_EQ(d["new"] += high, high);
    if constexpr (std::is_signed_v<T>) {
      EXPECT_EQ(d["low"] += high, T{-1});
      EXPECT_EQ(d["low"] -= low, high);
      EXPECT_EQ(d["taken"] -= high, static_cast<T>(-high));
    } else {
      EXPECT_EQ(d["low"] += high, high);
      EXPECT_EQ(d["low"] -= high, low);
    }
  });
}

TEST_P(SumContract, ListsKeepToTheirType) {
  each_integer([&]<class T>() {
    constexpr T low = std::numeric_limits<T>::min();
    constexpr T high = std::numeric_limits<T>::max();
    auto l = manager().list<T>({low, high});
    EXPECT_THROW(l[1] += T{1}, OverflowError);
    EXPECT_THROW(++l[1], OverflowError);
    EXPECT_THROW(l[0] -= high, OverflowError);
    EXPECT_THROW(--l[0], OverflowError);
    EXPECT_EQ(l, (std::vector<T>{low, high}));
    EXPECT_EQ(l[1] -= high, T{0});
    EXPECT_EQ(l[1] += high, high);
  });
}

TEST_P(SumContract, CallsByNameKeepToTheTypeOfTheirProxy) {
  each_integer([&]<class T>() {
    constexpr T high = std::numeric_limits<T>::max();
    auto d = manager().dict<std::string, T>({{"high", high}, {"one", 1}});
    auto l = manager().list<T>({high});
    auto v = manager().value<T>(high);
    auto batch = manager().batch();
    auto of_dict = batch.template call<ops::Dict::Add, T>(d, "high", 1, std::nullopt);
    auto in_range = batch.template call<ops::Dict::Add, T>(d, "one", 1, std::nullopt);
    auto of_list = batch.template call<ops::List::Add, T>(l, 0, 1);
    auto of_value = batch.template call<ops::Value::FetchAdd, T>(v, 1);
    auto by_hand = batch.template call<ops::Dict::Add>(d, "wide", 300, std::nullopt, "H");
    batch.run();
    EXPECT_THROW(of_dict.get(), OverflowError);
    EXPECT_EQ(in_range.get(), T{2});
    EXPECT_THROW(of_list.get(), OverflowError);
    EXPECT_EQ(of_value.get(), high);
    EXPECT_EQ(v, std::numeric_limits<T>::min()) << "as std::atomic, a Value wraps";
    EXPECT_EQ(by_hand.get(), 300);
    EXPECT_THROW(manager().atomically([&](Transaction& tx) {
      tx(l)[0] -= T{1};
      tx(d)["high"] += T{1};
    }),
                 OverflowError);
    EXPECT_THROW(manager().atomically([&](Transaction& tx) {
      tx(l)[0] -= T{1};
      tx.call<ops::Dict::Add>(d, "high", 1, std::nullopt);
    }),
                 OverflowError);
    EXPECT_EQ(d["high"], high);
    EXPECT_EQ(l[0], high) << "nothing of the transaction has been done";
  });
}

TEST_P(SumContract, FloatsKeepToTheirPrecision) {
  constexpr float high = std::numeric_limits<float>::max();
  auto d = manager().dict<std::string, float>({{"high", high}, {"low", -high}, {"odd", 16777216.0F}});
  auto l = manager().list<float>({high});
  EXPECT_THROW(d["high"] += high, OverflowError);
  EXPECT_THROW(d["low"] -= high, OverflowError);
  EXPECT_THROW(l[0] += high, OverflowError);
  EXPECT_EQ(d["high"], high);
  EXPECT_EQ(d["low"], -high);
  EXPECT_EQ(l[0], high);
  EXPECT_EQ(d["high"] -= high, 0.0F);
  EXPECT_EQ(d["odd"] += 1.0F, 16777216.0F);
  EXPECT_EQ(d["new"] += 0.1F, 0.1F);
  EXPECT_EQ(Dict<std::string>(d.remote())["odd"], 16777216) << "what is stored is what a float has";
  EXPECT_EQ(d["new"] += std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity());
  auto doubles = manager().dict<std::string, double>({{"a", std::numeric_limits<double>::max()}});
  EXPECT_TRUE(std::isinf(doubles["a"] += std::numeric_limits<double>::max()));
}

TEST_P(SumContract, AValueOfAnotherKindIsNotChanged) {
  auto d = manager().dict();
  d["half"] = 0.5;
  d["large"] = 1000;
  d["text"] = "a";
  auto bytes = Dict<std::string, std::int8_t>(d.remote());
  EXPECT_THROW(bytes["half"] += 1, TypeError);
  EXPECT_THROW(bytes["text"] += 1, TypeError);
  EXPECT_THROW(bytes["large"] += 1, OverflowError);
  EXPECT_EQ(d, test::J(R"({"half": 0.5, "large": 1000, "text": "a"})"));
  EXPECT_EQ((Dict<std::string, int>(d.remote())["large"] += 1), 1001);
}

TEST_P(SumContract, DurationsHave64BitsOfNanoseconds) {
  using namespace std::chrono_literals;
  constexpr auto high = std::chrono::nanoseconds::max();
  auto d = manager().dict<std::string, std::chrono::nanoseconds>({{"high", high}});
  EXPECT_THROW(d["high"] += 1ns, OverflowError);
  EXPECT_EQ(d["high"].get(), high);
  EXPECT_EQ(d["new"] += 2ns, 2ns);
  auto v = manager().value<std::chrono::nanoseconds>(high);
  v += 1ns;
  EXPECT_EQ(v, std::chrono::nanoseconds::min());
}

TEST_P(SumContract, JsonHasIntegersOf64Bits) {
  auto d = manager().dict();
  d["n"] = 18446744073709551615ULL;
  EXPECT_THROW(d["n"] += 1, OverflowError);
  EXPECT_EQ(d["n"] -= 18446744073709551615ULL, 0);
  EXPECT_THROW(d["n"] -= 18446744073709551615ULL, OverflowError);
  EXPECT_THROW(d["absent"] -= 18446744073709551615ULL, OverflowError);
  EXPECT_EQ(d, test::J(R"({"n": 0})"));
  auto space = manager().ns();
  EXPECT_THROW(space["absent"] -= 18446744073709551615ULL, OverflowError);
  EXPECT_TRUE(space.empty());
}

TEST_P(SumContract, AnUnknownTypeCodeIsRefused) {
  auto d = manager().dict();
  auto batch = manager().batch();
  auto result = batch.call<ops::Dict::Add>(d, "a", 1, std::nullopt, "x");
  batch.run();
  EXPECT_THAT(error_of<ValueError>([&] { result.get(); }), HasSubstr("the typecode is one of"));
  EXPECT_TRUE(d.empty());
}

}  // namespace
}  // namespace tandem
