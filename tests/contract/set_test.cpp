#include "tests/support/contract.hpp"

#include <cmath>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace tandem {
namespace {

using test::J;

using nlohmann::json;
using test::error_of;
using test::printed;
using testing::HasSubstr;

using Ints = std::set<int>;

class SetContract : public test::ContractTest {
 protected:
  Set<int> of(Ints items) const { return manager().set<int>(items); }
};
TANDEM_CONTRACT_SUITE(SetContract);

TEST_P(SetContract, HoldsEachElementOnce) {
  auto s = manager().set<int>({1, 2, 2});
  EXPECT_TRUE(s.insert(3));
  EXPECT_FALSE(s.insert(3));
  EXPECT_EQ(s.size(), 3U);
  EXPECT_TRUE(s.contains(3));
  EXPECT_FALSE(s.contains(4));
  EXPECT_TRUE(s.erase(3));
  EXPECT_FALSE(s.erase(3));
  s.discard(3);
  s.remove(2);
  EXPECT_THAT(error_of<KeyError>([&] { s.remove(2); }), HasSubstr("2"));
  EXPECT_EQ(s, Ints{1});
  s.clear();
  EXPECT_TRUE(s.empty());
}

TEST_P(SetContract, PopTakesTheOldest) {
  auto s = manager().set<std::string>({"c", "a", "b"});
  EXPECT_EQ(s.pop(), "c");
  EXPECT_EQ(s.pop(), "a");
  EXPECT_EQ(s.pop(), "b");
  EXPECT_THAT(error_of<KeyError>([&] { (void)s.pop(); }), HasSubstr("empty"));
}

TEST_P(SetContract, ElementsAreTheSameWherePythonSaysSo) {
  auto s = manager().set();
  EXPECT_TRUE(s.insert(1));
  EXPECT_FALSE(s.insert(1.0));
  EXPECT_FALSE(s.insert(true));
  EXPECT_TRUE(s.insert("1"));
  EXPECT_TRUE(s.insert(nullptr));
  EXPECT_TRUE(s.insert(std::pair(1, "a")));
  EXPECT_FALSE(s.insert(std::pair(1.0, "a")));
  EXPECT_TRUE(s.contains(true));
  EXPECT_EQ(printed(s), R"({1, "1", null, (1, "a")})");
  EXPECT_TRUE(s.erase(1.0));
}

TEST_P(SetContract, WhatPythonCannotHashIsNoElement) {
  auto s = manager().set();
  s.insert(0);
  for (const char* item : {"[1]", "{}", R"({"$set": []})", R"({"$tuple": [[1]]})"}) {
    EXPECT_THAT(error_of<TypeError>([&] { s.insert(J(item)); }), HasSubstr("unhashable"));
    EXPECT_THROW((void)s.contains(J(item)), TypeError);
    EXPECT_THROW((void)s.erase(J(item)), TypeError);
    EXPECT_THROW(s.remove(J(item)), TypeError);
    const std::vector<json> items{1, J(item)};
    EXPECT_THROW(s.update(items), TypeError);
    EXPECT_THROW(s.intersection_update(items), TypeError);
    EXPECT_THROW(s.difference_update(items), TypeError);
    EXPECT_THROW(s.symmetric_difference_update(items), TypeError);
    EXPECT_THROW((void)s.set_union(items), TypeError);
    EXPECT_THROW((void)s.set_intersection(items), TypeError);
    EXPECT_THROW((void)s.set_difference(items), TypeError);
    EXPECT_THROW((void)s.set_symmetric_difference(items), TypeError);
    EXPECT_THROW((void)s.is_subset(items), TypeError);
    EXPECT_THROW((void)s.is_superset(items), TypeError);
    EXPECT_THROW((void)s.is_disjoint(items), TypeError);
  }
  EXPECT_EQ(s, (std::set<json>{0})) << "an operation is done whole or not at all";
}

// ---- algebra ----------------------------------------------------------------------------------------------

struct Algebra {
  Ints a, b, both, common, only_a, either;
  bool subset, superset, disjoint;
};
const Algebra algebra[] = {
    {{1, 2, 3}, {2, 3, 4}, {1, 2, 3, 4}, {2, 3}, {1}, {1, 4}, false, false, false},
    {{1, 2}, {1, 2, 3}, {1, 2, 3}, {1, 2}, {}, {3}, true, false, false},
    {{1, 2, 3}, {3}, {1, 2, 3}, {3}, {1, 2}, {1, 2}, false, true, false},
    {{1, 2}, {1, 2}, {1, 2}, {1, 2}, {}, {}, true, true, false},
    {{1}, {2}, {1, 2}, {}, {1}, {1, 2}, false, false, true},
    {{}, {1}, {1}, {}, {}, {1}, true, false, true},
    {{1}, {}, {1}, {}, {1}, {1}, false, true, true},
    {{}, {}, {}, {}, {}, {}, true, true, true},
};

TEST_P(SetContract, AlgebraGivesWhatPythonGives) {
  for (const Algebra& row : algebra) {
    const auto check = [&](const auto& b) {
      auto a = of(row.a);
      EXPECT_EQ(a.set_union(b), row.both);
      EXPECT_EQ(a.set_intersection(b), row.common);
      EXPECT_EQ(a.set_difference(b), row.only_a);
      EXPECT_EQ(a.set_symmetric_difference(b), row.either);
      EXPECT_EQ(a | b, row.both);
      EXPECT_EQ(a & b, row.common);
      EXPECT_EQ(a - b, row.only_a);
      EXPECT_EQ(a ^ b, row.either);
      EXPECT_EQ(a.is_subset(b), row.subset);
      EXPECT_EQ(a.is_superset(b), row.superset);
      EXPECT_EQ(a.is_disjoint(b), row.disjoint);
      EXPECT_EQ(a, row.a) << "none of them changes it";
    };
    check(row.b);
    check(std::vector<int>(row.b.begin(), row.b.end()));
    check(of(row.b));
    check(manager().list<int>(row.b));
  }
}

TEST_P(SetContract, UpdatesDoWhatPythonDoes) {
  for (const Algebra& row : algebra) {
    const auto check = [&](const auto& b) {
      const auto updated = [&](auto&& update) {
        auto a = of(row.a);
        update(a);
        return a.snapshot();
      };
      EXPECT_EQ(updated([&](auto& a) { a.update(b); }), row.both);
      EXPECT_EQ(updated([&](auto& a) { a.intersection_update(b); }), row.common);
      EXPECT_EQ(updated([&](auto& a) { a.difference_update(b); }), row.only_a);
      EXPECT_EQ(updated([&](auto& a) { a.symmetric_difference_update(b); }), row.either);
      EXPECT_EQ(updated([&](auto& a) { a |= b; }), row.both);
      EXPECT_EQ(updated([&](auto& a) { a &= b; }), row.common);
      EXPECT_EQ(updated([&](auto& a) { a -= b; }), row.only_a);
      EXPECT_EQ(updated([&](auto& a) { a ^= b; }), row.either);
    };
    check(row.b);
    check(of(row.b));
    check(manager().list<int>(row.b));
  }
}

TEST_P(SetContract, BracedOperandsAreSetsToo) {
  auto s = manager().set<int>({1, 2});
  EXPECT_EQ(s.set_union({2, 3}), (Ints{1, 2, 3}));
  EXPECT_EQ(s.set_intersection({2, 3}), Ints{2});
  EXPECT_EQ(s.set_difference({2, 3}), Ints{1});
  EXPECT_EQ(s.set_symmetric_difference({2, 3}), (Ints{1, 3}));
  EXPECT_TRUE(s.is_subset({1, 2, 3}));
  EXPECT_TRUE(s.is_superset({1}));
  EXPECT_TRUE(s.is_disjoint({3}));
  s.update({3, 3});
  s.difference_update({1});
  s.symmetric_difference_update({3, 4});
  s.intersection_update({4, 2});
  EXPECT_EQ(s, (Ints{2, 4}));
}

TEST_P(SetContract, ItIsItsOwnOperandToo) {
  auto s = manager().set<int>({1, 2});
  s |= Set<int>(s);
  s &= Set<int>(s);
  EXPECT_EQ(s, (Ints{1, 2}));
  EXPECT_TRUE(s.is_subset(s));
  EXPECT_EQ(s ^ s, Ints{});
  s -= Set<int>(s);
  EXPECT_TRUE(s.empty());
}

TEST_P(SetContract, ADictStandsForItsKeysAndOtherTypesForNothing) {
  auto s = manager().set<std::string>({"a", "b"});
  EXPECT_EQ((s & manager().dict<std::string, int>({{"b", 1}, {"c", 2}})), (std::set<std::string>{"b"}));
  EXPECT_THROW((void)(s & manager().ns()), TypeError);
  EXPECT_THROW((void)(s & manager().value<int>(1)), TypeError);
}

TEST_P(SetContract, OrderOfInsertionStays) {
  auto s = manager().set<std::string>({"c", "a"});
  s |= std::vector<std::string>{"b", "a"};
  s.erase("a");
  s.insert("a");
  EXPECT_EQ(s.items(), (std::vector<std::string>{"c", "b", "a"}));
  EXPECT_EQ(s.snapshot(), (std::set<std::string>{"a", "b", "c"}));
  s.intersection_update({"a", "c"});
  EXPECT_EQ(s.items(), (std::vector<std::string>{"c", "a"})) << "the order is the set's own";
}

// ---- the whole --------------------------------------------------------------------------------------------

TEST_P(SetContract, PrintsAndCompares) {
  EXPECT_EQ(printed(of({})), "set()");
  EXPECT_EQ(printed(of({2, 1})), "{1, 2}");
  EXPECT_EQ(of({1, 2}), (Ints{2, 1}));
  EXPECT_EQ(of({1, 2}), (std::vector<int>{2, 1}));
  EXPECT_NE(of({1, 2}), (Ints{1}));
  EXPECT_NE(of({1}), of({1})) << "proxies are equal by identity";
}

TEST_P(SetContract, ASnapshotHasEveryElement) {
  auto s = manager().set();
  s |= std::vector<json>{-1, 18446744073709551615ULL, (std::int64_t{1} << 53) + 1, 0x1p53, true, "1"};
  EXPECT_EQ(s.snapshot().size(), 6U);
  EXPECT_TRUE(s.snapshot().contains(1)) << "1 and true are one element, as in the manager";
  EXPECT_EQ((s | std::vector<json>{-1.0, 7}).size(), 7U);
  EXPECT_EQ((s & std::vector<json>{-1, 0x1p53}).size(), 2U);
  EXPECT_EQ((s - std::vector<json>{18446744073709551615ULL}).size(), 5U);
  EXPECT_EQ((s ^ std::vector<json>{-1}).size(), 5U);
  auto doubles = manager().set<double>({std::nan("1"), std::nan("2"), 0.5, 1, 2, 3});
  EXPECT_EQ(doubles.snapshot().size(), 6U);
  using Mixed = std::variant<int, std::string, double>;
  auto mixed = manager().set<Mixed>({7, "a", 5.5, 5, "b", 7.5});
  EXPECT_EQ(mixed.snapshot().size(), 6U);
  for (const Mixed& item : mixed.items()) EXPECT_TRUE(mixed.snapshot().contains(item));
  EXPECT_TRUE(mixed.snapshot().contains(5.0));
  EXPECT_EQ(doubles, (std::vector<double>{1, 2, 3, std::nan("2"), 0.5, std::nan("1")}));
  EXPECT_NE(doubles, (std::vector<double>{1, 2, 3, std::nan("3"), 0.5, std::nan("1")}));
}

TEST_P(SetContract, ElementsThatBecomeOneAreRefused) {
  auto s = manager().set();
  s |= std::vector<json>{0x1p53, "a", (std::int64_t{1} << 53) + 1};
  s.erase("a");
  EXPECT_THAT(error_of<TypeError>([&] { (void)Set<double>(s.remote()).snapshot(); }),
              HasSubstr("found float 9007199254740992.0 and integer 9007199254740993, which differ"));
  EXPECT_EQ(Set<double>(s.remote()).items().size(), 2U);
  EXPECT_THROW((void)(Set<double>(s.remote()) | std::vector<double>{1}), TypeError);
  auto list = manager().list<int>({1, 1, 2});
  auto batch = manager().batch();
  auto found = batch.call<ops::List::Snapshot, std::set<int>>(list);
  batch.run();
  EXPECT_EQ(found.get(), (Ints{1, 2})) << "a list's items may be equal";
}

TEST_P(SetContract, ComparesAsTheManagerDoes) {
  EXPECT_NE(of({1}), (std::vector<double>{1.5})) << "1.5 is not converted";
  EXPECT_NE(of({-1}), (std::vector<unsigned>{0xffffffff}));
  EXPECT_EQ(of({1, 2}), (std::vector<double>{2, 1, 1.0}));
  auto any = manager().set();
  any.insert(-1);
  EXPECT_NE(any, (std::vector<json>{18446744073709551615ULL}));
  EXPECT_EQ(any, (std::vector<json>{-1.0}));
  any.insert(std::pair(1, "a"));
  EXPECT_EQ(any, (std::vector<json>{J(R"({"$tuple": [1.0, "a"]})"), -1}));
}

TEST_P(SetContract, RangeForSeesEveryElement) {
  for (const int count : {0, 1, 1000, 2500}) {
    Ints wanted;
    for (int i = 0; i < count; ++i) wanted.insert(i);
    std::vector<int> seen;
    for (const int item : of(wanted)) seen.push_back(item);
    EXPECT_EQ(seen, std::vector<int>(wanted.begin(), wanted.end()));
  }
}

TEST_P(SetContract, RangeForSurvivesChanges) {
  Ints all;
  for (int i = 0; i < 3000; ++i) all.insert(i);
  auto s = of(all);
  std::set<int> seen;
  for (const int item : s) {
    EXPECT_TRUE(seen.insert(item).second) << item << " twice";
    s.erase(item);
    if (item % 2 == 0 && item > 0) s.erase(item - 1);
    if (item == 1500) s.insert(-1);
  }
  EXPECT_TRUE(seen.contains(-1));
  for (int i = 0; i < 3000; i += 2) EXPECT_TRUE(seen.contains(i)) << i;
}

TEST_P(SetContract, TypesAreChecked) {
  auto s = manager().set();
  s.insert("text");
  auto typed = Set<int>(s.remote());
  EXPECT_THAT(error_of<TypeError>([&] { (void)typed.snapshot(); }),
              HasSubstr("asked for int32, found text \"text\""));
  EXPECT_THROW((void)typed.pop(), TypeError);
}

TEST_P(SetContract, ReferencesAreCountedThroughEveryChange) {
  auto inner = manager().list<int>();
  auto s = manager().set();
  const auto expect_references = [&](std::uint64_t count) { EXPECT_EQ(references(inner), count); };
  EXPECT_TRUE(s.insert(inner));
  EXPECT_FALSE(s.insert(inner)) << "the same object is the same element";
  expect_references(2);
  s.insert(std::pair(1, inner));
  expect_references(3);
  s.intersection_update(std::vector{inner});
  expect_references(2);
  s ^= std::vector{inner};
  expect_references(1);
  s |= manager().list<List<int>>({inner});
  expect_references(2);
  EXPECT_EQ((s & std::vector{inner}).size(), 1U);
  expect_references(2);
  s -= std::vector{inner};
  expect_references(1);
  s.insert(inner);
  s.remove(inner);
  s.insert(inner);
  (void)s.pop();
  expect_references(1);
  s.insert(inner);
  s.clear();
  expect_references(1);
  auto typed = manager().set<List<int>>();
  typed.insert(inner);
  EXPECT_EQ(typed.pop(), inner);
}

TEST_P(SetContract, ARemovedSetIsGone) {
  auto s = manager().set<int>("doomed", {1});
  manager().remove("doomed");
  EXPECT_THROW(s.insert(2), ObjectGone);
  EXPECT_THROW((void)(s | Ints{1}), ObjectGone);
  auto other = of({1});
  EXPECT_THROW(other |= s, ObjectGone);
}

}  // namespace
}  // namespace tandem
