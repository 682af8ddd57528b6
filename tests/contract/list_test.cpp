#include "tests/support/contract.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tests/support/slices.hpp"

namespace tandem {
namespace {

using test::J;

using nlohmann::json;
using test::all_slices;
using test::error_of;
using test::positions_of;
using test::printed;
using test::SliceBounds;
using testing::HasSubstr;

/// How a list with these items prints.
std::string to_text_of(const char* items) {
  wire::Buffer bytes;
  wire::Writer writer(bytes);
  write_json(writer, J(items));
  return to_text(bytes.view());
}

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

class ListContract : public test::ContractTest {
 protected:
  List<int> counted(int count) const { return manager().list<int>(numbers(count)); }
};
TANDEM_CONTRACT_SUITE(ListContract);

// ---- reading and writing --------------------------------------------------------------------------------

TEST_P(ListContract, GrowsAtItsEndAndAnywhere) {
  auto l = manager().list<int>({1});
  l.push_back(2);
  l.extend({3, 4});
  l.extend(std::vector<short>{5});
  l += std::set<int>{6};
  l += {7};
  l.insert(0, 0);
  l.insert(-1, 9);
  l.insert(100, 10);
  l.insert(-100, -1);
  EXPECT_EQ(l, (std::vector<int>{-1, 0, 1, 2, 3, 4, 5, 6, 9, 7, 10}))
      << "an index outside is clamped, as in Python";
  EXPECT_EQ(l.size(), 11U);
  EXPECT_FALSE(l.empty());
  l.clear();
  EXPECT_TRUE(l.empty());
}

TEST_P(ListContract, ExtendsByWhatOtherObjectsHold) {
  auto l = manager().list();
  l.extend(manager().list<int>({1, 2}));
  l.extend(manager().set<std::string>({"s"}));
  l.extend(manager().dict<std::string, int>({{"key", 1}}));
  l.extend(J("[null, true]"));
  l.extend({"braced", 0.5});
  l.extend(l);
  EXPECT_EQ(
      l, J(R"([1, 2, "s", "key", null, true, "braced", 0.5, 1, 2, "s", "key", null, true, "braced", 0.5])"));
  EXPECT_THROW(l.extend(manager().value<int>(1)), TypeError);
  EXPECT_THROW(l.extend(J("5")), TypeError);
  EXPECT_EQ(l.size(), 16U);
}

TEST_P(ListContract, IndicesCountFromBothEnds) {
  auto l = manager().list<std::string>({"a", "b", "c"});
  EXPECT_EQ(l.at(0), "a");
  EXPECT_EQ(l.at(-1), "c");
  EXPECT_EQ(l.at(-3), "a");
  EXPECT_EQ(l.front(), "a");
  EXPECT_EQ(l.back(), "c");
  l[1] = "B";
  l[-1] = "C";
  EXPECT_EQ(l, (std::vector<std::string>{"a", "B", "C"}));
  const auto& constant = l;
  EXPECT_EQ(constant[-2], "B");
}

TEST_P(ListContract, AnIndexOutsideIsAnIndexErrorThatNamesIt) {
  auto l = counted(3);
  for (const std::int64_t index : {3, 4, -4, 1000}) {
    SCOPED_TRACE(index);
    EXPECT_THAT(error_of<IndexError>([&] { (void)l.at(index); }), HasSubstr(std::to_string(index)));
    EXPECT_THROW(l[index] = 1, IndexError);
    EXPECT_THROW((l[index] += 1), IndexError);
    EXPECT_THROW(l.erase(index), IndexError);
    EXPECT_THROW((void)l.pop(index), IndexError);
  }
  EXPECT_THROW((void)l.at(std::numeric_limits<std::int64_t>::min()), IndexError);
  EXPECT_THROW((void)l.at(std::numeric_limits<std::int64_t>::max()), IndexError);
  EXPECT_THROW((void)l.at(SIZE_MAX), IndexError) << "not the last item";
  EXPECT_EQ(l.slice(1, SIZE_MAX), (std::vector<int>{1, 2}));
  EXPECT_EQ(l.size(), 3U);
  l.clear();
  EXPECT_THROW((void)l.pop(), IndexError);
  EXPECT_THROW((void)l.pop_front(), IndexError);
  EXPECT_THROW((void)l.front(), IndexError);
}

TEST_P(ListContract, AnElementReadsAssignsAndAdds) {
  auto l = manager().list<int>({5, 6});
  int first = l[0];
  EXPECT_EQ(first, 5);
  EXPECT_EQ(l[0], 5);
  EXPECT_EQ(l[0] += 3, 8);
  EXPECT_EQ(l[-1] -= 10, -4);
  EXPECT_EQ(++l[0], 9);
  l[0]--;
  l[1] = l[0];
  EXPECT_EQ(printed(l[1]), "8");
  auto untyped = manager().list();
  untyped.push_back("a");
  untyped.push_back({1, 2});
  EXPECT_EQ(untyped[0] += "b", "ab");
  EXPECT_EQ(untyped[1] += J("[3]"), J("[1, 2, 3]"));
  EXPECT_THROW((untyped[0] += 1), TypeError);
  EXPECT_EQ(untyped, J(R"(["ab", [1, 2, 3]])"));
  std::vector<int> numbers = untyped[1];
  EXPECT_EQ(numbers, (std::vector<int>{1, 2, 3}));
}

TEST_P(ListContract, TakesItemsOut) {
  auto l = counted(6);
  EXPECT_EQ(l.pop(), 5);
  EXPECT_EQ(l.pop_front(), 0);
  EXPECT_EQ(l.pop(1), 2);
  EXPECT_EQ(l.pop(-2), 3);
  l.erase(0);
  EXPECT_EQ(l, std::vector<int>{4});
  l.erase(-1);
  EXPECT_TRUE(l.empty());
}

TEST_P(ListContract, FindsItemsAsPythonComparesThem) {
  auto l = manager().list();
  l.extend(J(R"([1, "1", true, 1.0, [1], [1.0], null, {"a": 1}, 2])"));
  EXPECT_EQ(l.count(1), 3U);
  EXPECT_EQ(l.count(J("[1]")), 2U);
  EXPECT_EQ(l.count(nullptr), 1U);
  EXPECT_EQ(l.count("nobody"), 0U);
  EXPECT_TRUE(l.contains(J(R"({"a": 1.0})")));
  EXPECT_FALSE(l.contains(3));
  EXPECT_EQ(l.index(1), 0);
  EXPECT_EQ(l.index(1, 1), 2);
  EXPECT_EQ(l.index(true, -6), 3);
  EXPECT_EQ(l.index(2, 0, 100), 8);
  EXPECT_EQ(l.index(2, -100), 8);
  EXPECT_THAT(error_of<ValueError>([&] { (void)l.index(2, 0, -1); }), HasSubstr("2 is not in the list"));
  EXPECT_THROW((void)l.index("nobody"), ValueError);
  l.remove(1.0);
  EXPECT_EQ(l.index(true), 1) << "only the first was removed";
  EXPECT_THROW(l.remove("nobody"), ValueError);
  EXPECT_EQ(l.size(), 8U);
}

TEST_P(ListContract, RepeatsAndReverses) {
  auto l = counted(3);
  l *= 3;
  EXPECT_EQ(l, (std::vector<int>{0, 1, 2, 0, 1, 2, 0, 1, 2}));
  l *= 1;
  EXPECT_EQ(l.size(), 9U);
  l.reverse();
  EXPECT_EQ(l.front(), 2);
  l *= 0;
  EXPECT_TRUE(l.empty());
  l = counted(2);
  l *= -5;
  EXPECT_TRUE(l.empty());
  l *= 1'000'000;
  EXPECT_TRUE(l.empty()) << "nothing, however often";
}

// ---- slices, against Python -------------------------------------------------------------------------------

TEST_P(ListContract, SlicesAreWhatPythonGives) {
  struct Row {
    std::optional<std::int64_t> start, stop, step;
    const char* wanted;
  };
  const Row table[] = {
      {{}, {}, {}, "abcdefg"}, {1, 4, {}, "bcd"},    {-3, {}, {}, "efg"},   {{}, -3, {}, "abcd"},
      {{}, {}, -1, "gfedcba"}, {5, 1, -2, "fd"},     {-1, 0, -3, "gd"},     {100, {}, {}, ""},
      {{}, 100, 2, "aceg"},    {-100, 3, {}, "abc"}, {3, -100, -1, "dcba"}, {4, 2, {}, ""},
      {2, 4, -1, ""},          {{}, {}, 100, "a"},   {{}, {}, -100, "g"},   {-1, -8, -1, "gfedcba"},
  };
  const std::string_view letters = "abcdefg";
  auto l = manager().list<char>(std::vector<char>(letters.begin(), letters.end()));
  for (const Row& row : table) {
    const std::vector<char> found = l.slice(row.start, row.stop, row.step);
    EXPECT_EQ(std::string(found.begin(), found.end()), row.wanted);
  }
}

TEST_P(ListContract, EveryCombinationOfBoundsSlicesAsTheModel) {
  for (const int length : {0, 1, 5}) {
    auto l = counted(length);
    for (const SliceBounds& bounds : all_slices(length)) {
      std::vector<int> wanted;
      for (const std::size_t at : positions_of(bounds, length)) wanted.push_back(static_cast<int>(at));
      ASSERT_EQ(l.slice(bounds.start, bounds.stop, bounds.step), wanted)
          << testing::PrintToString(bounds) << " of " << length;
    }
  }
}

TEST_P(ListContract, EveryCombinationOfBoundsErasesAsTheModel) {
  constexpr int length = 4;
  auto l = counted(length);
  for (const SliceBounds& bounds : all_slices(length)) {
    l.assign(numbers(length));
    std::vector<int> wanted = numbers(length);
    std::vector<std::size_t> positions = positions_of(bounds, length);
    std::sort(positions.rbegin(), positions.rend());
    for (const std::size_t at : positions) wanted.erase(wanted.begin() + static_cast<std::ptrdiff_t>(at));
    l.erase_slice(bounds.start, bounds.stop, bounds.step);
    ASSERT_EQ(l.snapshot(), wanted) << testing::PrintToString(bounds);
  }
}

TEST_P(ListContract, EveryCombinationOfBoundsTakesOtherItemsAsTheModel) {
  constexpr int length = 4;
  auto l = counted(length);
  for (const SliceBounds& bounds : all_slices(length)) {
    std::vector<int> wanted = numbers(length);
    std::vector<int> items;
    for (const std::size_t at : positions_of(bounds, length)) {
      items.push_back(100 + static_cast<int>(items.size()));
      wanted[at] = items.back();
    }
    l.assign(numbers(length));
    l.assign_slice(items, bounds.start, bounds.stop, bounds.step);
    ASSERT_EQ(l.snapshot(), wanted) << testing::PrintToString(bounds);
    items.push_back(7);
    if (bounds.step.value_or(1) == 1) continue;
    EXPECT_THROW(l.assign_slice(items, bounds.start, bounds.stop, bounds.step), ValueError)
        << testing::PrintToString(bounds);
    ASSERT_EQ(l.snapshot(), wanted);
  }
}

TEST_P(ListContract, ASliceWithoutStepMayGrowAndShrink) {
  struct Row {
    std::optional<std::int64_t> start, stop;
    std::vector<int> items, wanted;  // what [0, 1, 2, 3] becomes
  };
  const Row table[] = {
      {1, 3, {7, 8, 9}, {0, 7, 8, 9, 3}},
      {1, 3, {}, {0, 3}},
      {2, 2, {7}, {0, 1, 7, 2, 3}},
      {4, {}, {7}, {0, 1, 2, 3, 7}},
      {{}, {}, {7}, {7}},
      {3, 1, {7}, {0, 1, 2, 7, 3}},
      {-1, {}, {7, 8}, {0, 1, 2, 7, 8}},
      {100, {}, {7}, {0, 1, 2, 3, 7}},
  };
  for (const Row& row : table) {
    auto l = counted(4);
    l.assign_slice(row.items, row.start, row.stop);
    EXPECT_EQ(l, row.wanted);
  }
  auto l = counted(2);
  l.assign_slice(l, 1, 1);
  EXPECT_EQ(l, (std::vector<int>{0, 0, 1, 1})) << "its own items as they were before";
  l.assign_slice({5, 6}, 0, std::nullopt, 2);
  EXPECT_EQ(l, (std::vector<int>{5, 0, 6, 1}));
  l.assign({9});
  EXPECT_EQ(l, std::vector<int>{9});
}

TEST_P(ListContract, AStepOfZeroIsAValueError) {
  auto l = counted(3);
  EXPECT_THROW((void)l.slice({}, {}, 0), ValueError);
  EXPECT_THROW(l.erase_slice({}, {}, 0), ValueError);
  EXPECT_THROW(l.assign_slice({1, 2, 3}, {}, {}, 0), ValueError);
  EXPECT_EQ(l.size(), 3U);
}

TEST_P(ListContract, BoundsAtTheEndsOf64BitsAreBounds) {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  auto l = counted(3);
  EXPECT_EQ(l.slice(least, most), numbers(3));
  EXPECT_EQ(l.slice(most, least, -1), (std::vector<int>{2, 1, 0}));
  EXPECT_EQ(l.slice({}, {}, least), std::vector<int>{2});
  EXPECT_EQ(l.slice({}, {}, most), std::vector<int>{0});
  l.erase_slice(1, {}, most);
  EXPECT_EQ(l, (std::vector<int>{0, 2}));
}

// ---- sort -------------------------------------------------------------------------------------------------

struct SortRow {
  const char* items;
  const char* ascending;
  const char* descending;
};

TEST_P(ListContract, SortsAsPythonDoes) {
  const SortRow table[] = {
      {"[3, 1, 2]", "[1, 2, 3]", "[3, 2, 1]"},
      {"[]", "[]", "[]"},
      {"[null]", "[null]", "[null]"},
      {"[0.5, 2, -1, 1e300]", "[-1, 0.5, 2, 1e300]", "[1e300, 2, 0.5, -1]"},
      {"[1, true, 0, 1.0, false]", "[0, false, 1, true, 1.0]", "[1, true, 1.0, 0, false]"},
      {R"(["b", "a", "", "ab"])", R"(["", "a", "ab", "b"])", R"(["b", "ab", "a", ""])"},
      {R"(["é", "z", "爸", "A"])", R"(["A", "z", "é", "爸"])", R"(["爸", "é", "z", "A"])"},
      {"[[2], [1, 5], [1], []]", "[[], [1], [1, 5], [2]]", "[[2], [1, 5], [1], []]"},
      {R"([{"$tuple": [2, "a"]}, {"$tuple": [1, "b"]}])", R"([{"$tuple": [1, "b"]}, {"$tuple": [2, "a"]}])",
       R"([{"$tuple": [2, "a"]}, {"$tuple": [1, "b"]}])"},
      {"[9223372036854775807, -9223372036854775808, 18446744073709551615]",
       "[-9223372036854775808, 9223372036854775807, 18446744073709551615]",
       "[18446744073709551615, 9223372036854775807, -9223372036854775808]"},
  };
  for (const SortRow& row : table) {
    auto l = manager().list();
    l.extend(J(row.items));
    l.sort();
    EXPECT_EQ(printed(l), to_text_of(row.ascending)) << row.items;
    l.assign(J(row.items));
    l.sort(descending);
    EXPECT_EQ(printed(l), to_text_of(row.descending)) << row.items << ", stable in both directions";
  }
}

TEST_P(ListContract, ItemsThatPythonCannotOrderLeaveTheListAsItIs) {
  for (const char* items :
       {R"([2, "a", 1])", "[1, null]", "[null, null]", "[[1], 1]", R"([{"a": 1}, {"b": 1}])",
        R"([[1, "a"], [1, 2]])", R"([{"$bytes": "YQ=="}, "a"])", R"([{"$tuple": []}, []])"}) {
    auto l = manager().list();
    l.extend(J(items));
    const std::string before = printed(l);
    EXPECT_THAT(error_of<TypeError>([&] { l.sort(); }), HasSubstr("'<' not supported between instances of"));
    EXPECT_THROW(l.sort(descending), TypeError);
    EXPECT_EQ(printed(l), before);
  }
}

TEST_P(ListContract, SortsMany) {
  std::vector<int> all;
  for (int i = 0; i < 20'000; ++i) all.push_back(i * 7919 % 10'007);
  auto l = manager().list<int>(all);
  l.sort();
  std::sort(all.begin(), all.end());
  EXPECT_EQ(l, all);
  l.sort(descending);
  EXPECT_EQ(l.front(), 10'006);
}

// ---- the whole --------------------------------------------------------------------------------------------

TEST_P(ListContract, IsEqualToRangesWithTheSameItemsInTheSameOrder) {
  auto l = manager().list<int>({1, 2});
  EXPECT_EQ(l, (std::vector<int>{1, 2}));
  EXPECT_EQ(l, (std::list<double>{1, 2}));
  EXPECT_EQ(l, J("[1, 2]"));
  EXPECT_NE(l, (std::vector<int>{2, 1}));
  EXPECT_NE(l, (std::vector<int>{1}));
  EXPECT_NE(l, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(l, l);
  EXPECT_NE(l, manager().list<int>({1, 2})) << "proxies are equal by identity";
}

TEST_P(ListContract, PrintsAsPythonDoes) {
  auto l = manager().list();
  EXPECT_EQ(printed(l), "[]");
  l.extend({1, "a", nullptr, 0.5, true});
  l.push_back(std::pair(1, 2));
  EXPECT_EQ(printed(l), R"([1, "a", null, 0.5, true, (1, 2)])");
  EXPECT_EQ(printed(counted(3)), "[0, 1, 2]");
}

TEST_P(ListContract, RangeForSeesEveryItem) {
  for (const int count : {0, 1, 999, 1000, 1001, 2500}) {
    std::vector<int> seen;
    for (const int item : counted(count)) seen.push_back(item);
    EXPECT_EQ(seen, numbers(count));
  }
}

TEST_P(ListContract, RangeForGoesByIndexAndSurvivesChanges) {
  auto l = counted(2000);
  int seen = 0;
  for (const int item : l) {
    if (++seen == 500) l.clear();
    EXPECT_LT(item, 1000) << "what the first page had";
  }
  EXPECT_EQ(seen, 1000);
  auto growing = counted(10);
  seen = 0;
  for (const int item : growing) {
    (void)item;
    if (++seen <= 5000) growing.push_back(seen);
  }
  EXPECT_GE(seen, 10);
}

TEST_P(ListContract, PagesOfLargeItemsComeOneAfterTheOther) {
  auto l = manager().list<std::string>();
  for (int i = 0; i < 40; ++i) l.push_back(std::string(200'000, static_cast<char>('a' + i % 26)));
  std::size_t bytes = 0;
  for (const std::string& item : l) bytes += item.size();
  EXPECT_EQ(bytes, 8'000'000U);
  EXPECT_EQ(l.snapshot().size(), 40U);
}

TEST_P(ListContract, TypesAreChecked) {
  auto l = manager().list();
  l.extend({1, "two"});
  auto typed = List<int>(l.remote());
  EXPECT_EQ(typed.at(0), 1);
  EXPECT_THAT(
      error_of<TypeError>([&] { (void)typed.at(1); }),
      HasSubstr("list.at on object " + std::to_string(l.id()) + ": asked for int32, found text \"two\""));
  EXPECT_THROW((void)typed.snapshot(), TypeError);
  EXPECT_EQ(typed.at<std::string>(1), "two");
  EXPECT_EQ(l.pop<std::string>(), "two");
}

// ---- proxies inside ---------------------------------------------------------------------------------------

TEST_P(ListContract, ReferencesAreCountedThroughEveryChange) {
  auto inner = manager().dict();
  auto l = manager().list();
  const auto expect_references = [&](std::uint64_t count) { EXPECT_EQ(references(inner), count); };
  l.push_back(inner);
  l.push_back(std::vector{inner, inner});
  expect_references(4);
  l *= 2;
  expect_references(7);
  l.reverse();
  l.insert(1, inner);
  expect_references(8);
  l[1] = 0;
  expect_references(7);
  l.erase(1);
  EXPECT_THROW(l.sort(), TypeError);
  expect_references(7);
  (void)l.pop();
  expect_references(6);
  l.erase_slice(0, 1);
  expect_references(4);
  l.assign_slice(std::vector{inner}, 0, 1);
  expect_references(4);
  l.extend(l);
  expect_references(7);
  l.assign_slice(l, 1, 1);
  expect_references(13);
  l.assign(J("[1]"));
  expect_references(1);
  l.extend(std::vector{inner});
  l[-1] = l[0];
  expect_references(1);
  l.push_back(inner);
  l.remove(inner);
  expect_references(1);
  l.push_back({1});
  l[-1] += std::vector<json>{{{"$ref", inner.id()}, {"$type", "dict"}}};
  expect_references(2);
  l.clear();
  expect_references(1);
}

TEST_P(ListContract, ADictOfListsLivesOnInside) {
  auto rows = manager().list<List<int>>();
  for (int i = 0; i < 3; ++i) rows.push_back(manager().list<int>({i}));
  EXPECT_EQ(objects_count(), 4U);
  rows.at(1).push_back(10);
  rows[2].get().push_back(20);
  EXPECT_EQ(rows.at(1), (std::vector<int>{1, 10}));
  int sum = 0;
  for (const List<int>& row : rows)
    for (const int item : row) sum += item;
  EXPECT_EQ(sum, 33);
  List<int> kept = rows.pop();
  rows.clear();
  EXPECT_EQ(objects_count(), 2U);
  EXPECT_EQ(kept, (std::vector<int>{2, 20}));
}

TEST_P(ListContract, ARemovedListIsGone) {
  auto l = manager().list<int>("doomed", {1, 2});
  manager().remove("doomed");
  EXPECT_THROW(l.push_back(3), ObjectGone);
  EXPECT_THROW((void)l.slice(), ObjectGone);
  EXPECT_THROW((void)l[0].get(), ObjectGone);
}

// ---- limits -----------------------------------------------------------------------------------------------

class SmallListContract : public test::ContractTest {
 protected:
  Limits limits() const override {
    Limits limits;
    limits.memory_bytes_max = 4 << 20;
    limits.outbox_bytes_max = 64 * 1024;
    return limits;
  }
};
TANDEM_CONTRACT_SUITE(SmallListContract);

TEST_P(SmallListContract, RepeatingBeyondMemoryChangesNothing) {
  auto l = manager().list<int>(numbers(1000));
  EXPECT_THAT(error_of<ResourceExhausted>([&] { l *= 1'000'000; }), HasSubstr("memory_bytes_max"));
  EXPECT_THROW(l *= std::numeric_limits<std::int64_t>::max(), ResourceExhausted);
  EXPECT_THROW(l *= SIZE_MAX, ResourceExhausted) << "not -1 times";
  EXPECT_EQ(l.size(), 1000U);
}

TEST_P(SmallListContract, AReplyBeyondTheOutboxNamesItsLimitAndTakesNothingOut) {
  auto l = manager().list<std::string>();
  l.push_back(std::string(100'000, 'x'));
  EXPECT_THAT(error_of<ResourceExhausted>([&] { (void)l.pop(); }), HasSubstr("outbox_bytes_max"));
  EXPECT_THROW((void)l.at(0), ResourceExhausted);
  EXPECT_THROW((void)l.snapshot(), ResourceExhausted);
  EXPECT_EQ(l.size(), 1U);
}

TEST_P(ListContract, ComparesAsTheManagerDoes) {
  auto any = manager().list();
  any.extend(std::vector<json>{-1, std::nan("1")});
  EXPECT_NE(any, (std::vector<json>{18446744073709551615ULL, std::nan("1")}));
  EXPECT_EQ(any, (std::vector<json>{-1.0, std::nan("1")}));
  EXPECT_NE(any, (std::vector<json>{-1, std::nan("2")}));
  EXPECT_NE(any, json::array({18446744073709551615ULL, std::nan("1")}));
  EXPECT_EQ(any, json::array({-1, std::nan("1")}));
  EXPECT_NE(any[0], 18446744073709551615ULL);
  any.assign(std::vector<std::pair<int, int>>{{1, 2}});
  EXPECT_EQ(any, (std::vector<std::pair<int, int>>{{1, 2}}));
  EXPECT_NE(any, (std::vector<std::vector<int>>{{1, 2}})) << "a tuple is no list";

  auto ints = manager().list<int>({-1, 2});
  EXPECT_NE(ints, (std::vector<unsigned>{0xffffffff, 2}));
  EXPECT_EQ(ints, (std::vector<double>{-1, 2}));
  EXPECT_NE(ints, (std::vector<int>{-1, 2, 3}));
  auto array = manager().array<std::int64_t>({-1, (std::int64_t{1} << 53) + 1});
  EXPECT_NE(array, (std::vector<std::uint64_t>{~std::uint64_t{0}, (std::uint64_t{1} << 53) + 1}));
  EXPECT_NE(array, (std::vector<double>{-1, 0x1p53}));
  auto value = manager().value<json>(-1);
  EXPECT_NE(value, 18446744073709551615ULL);
  EXPECT_NE(manager().value<int>(-1), 0xffffffffU);
}

}  // namespace
}  // namespace tandem
