#include "server/objects/list.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "tests/server/engine/host.hpp"

namespace tandem::test {
namespace {

using ops::List;

class ListTest : public ::testing::Test {
 protected:
  template <class... T>
  void begin_with(const T&... items) {
    list_ = host_.make<List>(list(items...));
  }
  template <class Op, class... T>
  Reply call(const T&... arguments) {
    return host_.call<Op>(list_, arguments...);
  }
  Packed contents() { return call<List::Snapshot>().value; }
  /// An operation that fails must leave everything as it was.
  template <class Op, class... T>
  void expect_refused(Code code, const T&... arguments) {
    const Packed before = host_.saved();
    EXPECT_EQ((call<Op>(arguments...)), fails(code));
    EXPECT_EQ(host_.saved(), before);
  }

  Host host_;
  ObjectId list_ = 0;
};

TEST_F(ListTest, BeginsEmptyOrWithItems) {
  EXPECT_EQ(host_.call<List::Snapshot>(host_.make<List>()), gives(list()));
  EXPECT_EQ(host_.call<List::Snapshot>(host_.make<List>(nullptr)), gives(list()));
  EXPECT_EQ(host_.call<List::Snapshot>(host_.make<List>(tuple(1, "a"))), gives(list(1, "a")));
  EXPECT_EQ(host_.call<List::Snapshot>(host_.make<List>(set(3, 4))), gives(list(3, 4)));
}

TEST_F(ListTest, TakesItemsFromOtherObjects) {
  const ObjectId dict_id = host_.make<ops::Dict>(dict("k", 1, 2.5, 3));
  const ObjectId set_id = host_.make<ops::Set>(list(7, 8, 7));
  const ObjectId value_id = host_.make<ops::Value>(1);
  begin_with();
  EXPECT_EQ(call<List::Extend>(reference(ops::Dict::number, dict_id)), gives_nothing());
  EXPECT_EQ(call<List::Extend>(reference(ops::Set::number, set_id)), gives_nothing());
  EXPECT_EQ(contents(), list("k", 2.5, 7, 8));
  EXPECT_EQ(call<List::Extend>(reference(List::number, list_)), gives_nothing());
  EXPECT_EQ(contents(), list("k", 2.5, 7, 8, "k", 2.5, 7, 8));
  expect_refused<List::Extend>(Code::type_error, reference(ops::Value::number, value_id));
  expect_refused<List::Extend>(Code::type_error, "text");
  expect_refused<List::Extend>(Code::type_error, dict(1, 2));
}

TEST_F(ListTest, IndicesCountFromBothEnds) {
  begin_with("a", "b", "c");
  EXPECT_EQ(call<List::At>(0), gives("a"));
  EXPECT_EQ(call<List::At>(-1), gives("c"));
  EXPECT_EQ(call<List::At>(-3), gives("a"));
  EXPECT_EQ(call<List::Set>(-2, "B"), gives_nothing());
  EXPECT_EQ(call<List::Erase>(-1), gives_nothing());
  EXPECT_EQ(contents(), list("a", "B"));
  for (std::int64_t outside : {std::int64_t{2}, std::int64_t{-3}, INT64_MAX, INT64_MIN}) {
    expect_refused<List::At>(Code::index_error, outside);
    expect_refused<List::Set>(Code::index_error, outside, 1);
    expect_refused<List::Add>(Code::index_error, outside, 1);
    expect_refused<List::Erase>(Code::index_error, outside);
    expect_refused<List::Pop>(Code::index_error, outside);
  }
}

TEST_F(ListTest, InsertTakesAnyIndex) {
  begin_with(1, 2);
  call<List::Insert>(1, "mid");
  call<List::Insert>(-1, "before last");
  call<List::Insert>(100, "end");
  call<List::Insert>(-100, "start");
  EXPECT_EQ(contents(), list("start", 1, "mid", "before last", 2, "end"));
}

TEST_F(ListTest, PopsFromEitherEndAndBetween) {
  begin_with(1, 2, 3, 4);
  EXPECT_EQ(call<List::Pop>(), gives(4));
  EXPECT_EQ(call<List::Pop>(nullptr), gives(3));
  EXPECT_EQ(call<List::Pop>(0), gives(1));
  EXPECT_EQ(call<List::Pop>(-1), gives(2));
  expect_refused<List::Pop>(Code::index_error);
  expect_refused<List::Pop>(Code::index_error, 0);
}

TEST_F(ListTest, AddsAsPython) {
  begin_with(1, "a", list(1), 0.5);
  EXPECT_EQ(call<List::Add>(0, 2), gives(3));
  EXPECT_EQ(call<List::Add>(1, "b"), gives("ab"));
  EXPECT_EQ(call<List::Add>(-2, list(2)), gives(list(1, 2)));
  EXPECT_EQ(call<List::Add>(3, 1), gives(1.5));
  expect_refused<List::Add>(Code::type_error, 0, "x");
  call<List::Set>(0, UINT64_MAX);
  expect_refused<List::Add>(Code::overflow, 0, 1);
  EXPECT_EQ(contents(), list(UINT64_MAX, "ab", list(1, 2), 1.5));
}

TEST_F(ListTest, ASumIsNoLongerThanAValueCanBe) {
  Limits limits;
  limits.message_bytes_max = 5'000;
  Host host(limits);
  const ObjectId l = host.make<List>(list(std::string(3'000, 'a')));
  EXPECT_EQ((host.call<List::Add>(l, 0, std::string(3'000, 'b'))), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<List::At>(l, 0)), gives(std::string(3'000, 'a')));
}

TEST_F(ListTest, FindsByEquality) {
  begin_with(1, "a", 1.0, list(1, 2), true, 2);
  EXPECT_EQ(call<List::Index>(1), gives(0));
  EXPECT_EQ(call<List::Index>(true, 1), gives(2));
  EXPECT_EQ(call<List::Index>(1, -2), gives(4));
  EXPECT_EQ(call<List::Index>(list(1.0, 2)), gives(3));
  EXPECT_EQ(call<List::Index>(1, 1, 3), gives(2));
  EXPECT_EQ(call<List::Index>(2, -1, 1000), gives(5));
  EXPECT_EQ(call<List::Index>(1, -1000, -5), gives(0));
  expect_refused<List::Index>(Code::value_error, 1, 3, 4);
  expect_refused<List::Index>(Code::value_error, 1, 1, -4);
  expect_refused<List::Index>(Code::value_error, "b");
  EXPECT_EQ(call<List::Count>(1), gives(3));
  EXPECT_EQ(call<List::Count>("b"), gives(0));
  EXPECT_EQ(call<List::Contains>(2.0), gives(true));
  EXPECT_EQ(call<List::Contains>(nullptr), gives(false));
  EXPECT_EQ(call<List::Remove>(1.0), gives_nothing());
  EXPECT_EQ(contents(), list("a", 1.0, list(1, 2), true, 2));
  expect_refused<List::Remove>(Code::value_error, "b");
}

TEST_F(ListTest, SlicesAsPython) {
  begin_with(0, 1, 2, 3, 4, 5);
  EXPECT_EQ(call<List::Slice>(), gives(list(0, 1, 2, 3, 4, 5)));
  EXPECT_EQ(call<List::Slice>(1, 3), gives(list(1, 2)));
  EXPECT_EQ(call<List::Slice>(-2), gives(list(4, 5)));
  EXPECT_EQ(call<List::Slice>(nullptr, nullptr, -1), gives(list(5, 4, 3, 2, 1, 0)));
  EXPECT_EQ(call<List::Slice>(4, nullptr, -2), gives(list(4, 2, 0)));
  EXPECT_EQ(call<List::Slice>(3, 3), gives(list()));
  EXPECT_EQ(call<List::Slice>(5, 2), gives(list()));
  EXPECT_EQ(call<List::Slice>(-100, 100, 4), gives(list(0, 4)));
  expect_refused<List::Slice>(Code::value_error, nullptr, nullptr, 0);
}

TEST_F(ListTest, SlicesOfAnyLengthAreAssignedWhereTheStepIsOne) {
  begin_with(0, 1, 2, 3);
  call<List::AssignSlice>(list("a", "b", "c"), 1, 2);
  EXPECT_EQ(contents(), list(0, "a", "b", "c", 2, 3));
  call<List::AssignSlice>(list("x"), 1, 4, 1);
  EXPECT_EQ(contents(), list(0, "x", 2, 3));
  call<List::AssignSlice>(list(), 1, -1);
  EXPECT_EQ(contents(), list(0, 3));
  call<List::AssignSlice>(list("i"), 1, 0);  // an empty slice: put in before index 1
  EXPECT_EQ(contents(), list(0, "i", 3));
  call<List::AssignSlice>(list("end"), 99);
  EXPECT_EQ(contents(), list(0, "i", 3, "end"));
  call<List::AssignSlice>(reference(List::number, list_), 1, 3);
  EXPECT_EQ(contents(), list(0, 0, "i", 3, "end", "end"));
  call<List::AssignSlice>(tuple(9));
  EXPECT_EQ(contents(), list(9));
}

TEST_F(ListTest, ExtendedSlicesAreAssignedInFull) {
  begin_with(0, 1, 2, 3, 4);
  call<List::AssignSlice>(list("a", "b", "c"), nullptr, nullptr, 2);
  EXPECT_EQ(contents(), list("a", 1, "b", 3, "c"));
  call<List::AssignSlice>(list(1, 2, 3, 4, 5), nullptr, nullptr, -1);
  EXPECT_EQ(contents(), list(5, 4, 3, 2, 1));
  call<List::AssignSlice>(list(), 3, 3, 2);
  expect_refused<List::AssignSlice>(Code::value_error, list(1, 2), nullptr, nullptr, 2);
  expect_refused<List::AssignSlice>(Code::value_error, list(1), 3, 3, 2);
  expect_refused<List::AssignSlice>(Code::value_error, list(), nullptr, nullptr, -1);
  expect_refused<List::AssignSlice>(Code::value_error, list(), nullptr, nullptr, 0);
  EXPECT_EQ(call<List::AssignSlice>(list(1, 2), nullptr, nullptr, 2).text(),
            "attempt to assign 2 items to an extended slice of 3");
}

/// Every way to erase a slice of up to seven items agrees with leaving them out.
TEST_F(ListTest, ErasesEverySlice) {
  for (std::int64_t length = 0; length <= 7; ++length)
    for (std::int64_t start = -1; start <= length; ++start)
      for (std::int64_t stop = -1; stop <= length; ++stop)
        for (std::int64_t step : {-3, -2, -1, 1, 2, 3}) {
          std::vector<int> items(static_cast<std::size_t>(length));
          for (std::size_t i = 0; i < items.size(); ++i) items[i] = static_cast<int>(i);
          const ObjectId l = host_.make<List>(list_of(items));
          const server::Slice slice = *server::slice_of(start, stop, step, items.size());
          for (std::uint64_t i = 0; i < slice.count; ++i) items[slice.position(i)] = -1;
          std::erase(items, -1);
          ASSERT_EQ((host_.call<List::EraseSlice>(l, start, stop, step)), gives_nothing());
          ASSERT_EQ((host_.call<List::Snapshot>(l)), gives(list_of(items)))
              << length << '[' << start << ':' << stop << ':' << step << ']';
          host_.release(l);
        }
}

TEST_F(ListTest, Repeats) {
  begin_with(1, "a");
  call<List::Repeat>(3);
  EXPECT_EQ(contents(), list(1, "a", 1, "a", 1, "a"));
  call<List::Repeat>(1);
  EXPECT_EQ(call<List::Size>(), gives(6));
  call<List::Repeat>(0);
  EXPECT_EQ(contents(), list());
  EXPECT_EQ(call<List::Repeat>(INT64_MAX), gives_nothing());
  EXPECT_EQ(contents(), list());
  call<List::Append>(1);
  call<List::Repeat>(-5);
  EXPECT_EQ(contents(), list());
}

TEST_F(ListTest, RepeatsNoFurtherThanThereIsRoom) {
  Limits limits;
  limits.memory_bytes_max = 1'000'000;
  Host host(limits);
  const ObjectId l = host.make<List>(list(1, std::string(100, 'x'), 3));
  for (std::int64_t times : {std::int64_t{10'000}, std::int64_t{1} << 31, std::int64_t{1} << 61, INT64_MAX})
    EXPECT_EQ((host.call<List::Repeat>(l, times)), fails(Code::resource_exhausted)) << times;
  EXPECT_EQ((host.call<List::Size>(l)), gives(3));
  EXPECT_EQ((host.call<List::Repeat>(l, 1'000)), gives_nothing());
  EXPECT_EQ((host.call<List::Size>(l)), gives(3'000));
  EXPECT_LE(host.memory_bytes(), limits.memory_bytes_max);
}

TEST_F(ListTest, ARepetitionBeyondAllBoundsIsRefusedWithoutAMemoryLimitToo) {
  begin_with(1, 2, 3);
  for (std::int64_t times : {std::int64_t{1} << 31, std::int64_t{1} << 61, INT64_MAX})
    expect_refused<List::Repeat>(Code::resource_exhausted, times);
}

TEST_F(ListTest, Reverses) {
  begin_with(1, "b", 3.0);
  call<List::Reverse>();
  EXPECT_EQ(contents(), list(3.0, "b", 1));
}

TEST_F(ListTest, SortsStably) {
  begin_with(3, 1.0, true, 2, 1, 0.5);
  call<List::Sort>();
  EXPECT_EQ(contents(), list(0.5, 1.0, true, 1, 2, 3));
  call<List::Sort>(true);
  EXPECT_EQ(contents(), list(3, 2, 1.0, true, 1, 0.5));  // equal ones as they stood, descending too
}

TEST_F(ListTest, SortsEveryKindThatHasAnOrder) {
  const std::pair<Packed, Packed> table[] = {
      {list(3, -1, 2), list(-1, 2, 3)},
      {list(UINT64_MAX, -1, big(std::string("\x01\0\0\0\0\0\0\0\0\0", 10)), 5),
       list(-1, 5, UINT64_MAX, big(std::string("\x01\0\0\0\0\0\0\0\0\0", 10)))},
      {list(2.5, -0.5, 1e300), list(-0.5, 2.5, 1e300)},
      {list("b", "", "ab", "a\xc3\xa9", "a"), list("", "a", "ab", "a\xc3\xa9", "b")},
      {list(bytes("b"), bytes("\xff"), bytes("")), list(bytes(""), bytes("b"), bytes("\xff"))},
      {list(tuple(2, "a"), tuple(1, "z"), tuple(1, "b")), list(tuple(1, "b"), tuple(1, "z"), tuple(2, "a"))},
      {list(list(1, 2), list(1), list()), list(list(), list(1), list(1, 2))},
      {list(true, false, true), list(false, true, true)},
      {list(), list()},
      {list(nullptr), list(nullptr)},
  };
  for (const auto& [items, sorted] : table) {
    const ObjectId l = host_.make<List>(items);
    EXPECT_EQ((host_.call<List::Sort>(l)), gives_nothing());
    EXPECT_EQ((host_.call<List::Snapshot>(l)), gives(sorted));
    host_.call<List::Reverse>(l);
    host_.call<List::Sort>(l, false);
    host_.call<List::Sort>(l, nullptr);
  }
}

TEST_F(ListTest, WhatHasNoOrderIsNotSorted) {
  for (const Packed& items :
       {list(3, "a", 1), list(2, 1, nullptr), list(nullptr, nullptr), list(dict(), dict()),
        list(list(2), list("a"), list(1)), list("b", bytes("a")), list(tuple(1), list(1))}) {
    list_ = host_.make<List>(items);
    expect_refused<List::Sort>(Code::type_error);
    expect_refused<List::Sort>(Code::type_error, true);
    EXPECT_EQ(contents(), items);
  }
}

/// Random numbers of all forms; `nan`: with NaNs, so that the order makes no sense.
std::vector<Packed> random_numbers(std::mt19937& random, std::size_t count, bool nan) {
  std::vector<Packed> numbers;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<int>(random() % 50);
    switch (random() % (nan ? 4 : 3)) {
      case 0: numbers.push_back(pack(value)); break;
      case 1: numbers.push_back(pack(value + 0.5)); break;
      case 2: numbers.push_back(pack(static_cast<double>(value))); break;
      default: numbers.push_back(pack(std::numeric_limits<double>::quiet_NaN())); break;
    }
  }
  return numbers;
}
std::vector<std::string> items_of(const Packed& array) {
  wire::Reader reader(array.bytes());
  std::uint32_t count = 0;
  EXPECT_TRUE(reader.array(count));
  std::vector<std::string> items;
  for (wire::Bytes item; reader.value(item);) items.emplace_back(wire::as_text(item));
  return items;
}
bool less(const std::string& a, const std::string& b) {
  return *server::is_less({wire::as_bytes(a), false}, {wire::as_bytes(b), false});
}

TEST_F(ListTest, RandomListsAreSortedAsAStableSortDoes) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    begin_with();
    call<List::Extend>(list_of(random_numbers(random, random() % 70, false)));
    std::vector<std::string> expected = items_of(contents());
    const bool descending = round % 2 == 1;
    std::stable_sort(expected.begin(), expected.end(), [&](const std::string& a, const std::string& b) {
      return descending ? less(b, a) : less(a, b);
    });
    call<List::Sort>(descending);
    ASSERT_EQ(items_of(contents()), expected) << "round " << round;
    host_.release(list_);
  }
}

TEST_F(ListTest, ASenselessOrderStillGivesAPermutation) {
  std::mt19937 random(12);
  for (int round = 0; round < 300; ++round) {
    begin_with();
    call<List::Extend>(list_of(random_numbers(random, 2 + random() % 70, true)));
    std::vector<std::string> before = items_of(contents());
    EXPECT_EQ(call<List::Sort>(round % 2 == 1), gives_nothing());
    std::vector<std::string> after = items_of(contents());
    std::sort(before.begin(), before.end());
    std::sort(after.begin(), after.end());
    ASSERT_EQ(before, after);
    host_.release(list_);
  }
}

TEST_F(ListTest, PagesGoOnFromTheirCursor) {
  begin_with(0, 1, 2, 3, 4);
  EXPECT_EQ(call<List::Page>(0, 2), gives(list(2, list(0, 1))));
  EXPECT_EQ(call<List::Page>(2, 2), gives(list(4, list(2, 3))));
  EXPECT_EQ(call<List::Page>(4, 2), gives(list(-1, list(4))));
  EXPECT_EQ(call<List::Page>(3, 2), gives(list(-1, list(3, 4))));
  EXPECT_EQ(call<List::Page>(99, 2), gives(list(-1, list())));
  EXPECT_EQ(call<List::Page>(0, INT64_MAX), gives(list(-1, list(0, 1, 2, 3, 4))));
  expect_refused<List::Page>(Code::value_error, -1, 2);
  expect_refused<List::Page>(Code::value_error, 0, 0);
  expect_refused<List::Page>(Code::value_error, 0, -1);
}

TEST_F(ListTest, LargeItemsMakeShortPages) {
  begin_with();
  for (int i = 0; i < 5; ++i) call<List::Append>(std::string(700'000, 'x'));
  std::vector<std::size_t> lengths;
  for (std::int64_t cursor = 0; cursor != -1;) {
    const auto page = nlohmann::json::from_msgpack(call<List::Page>(cursor, 100).value.encoded);
    cursor = page[0];
    lengths.push_back(page[1].size());
  }
  EXPECT_EQ(lengths, (std::vector<std::size_t>{2, 2, 1}));
}

TEST_F(ListTest, WhatCannotBeSentIsNotTakenOut) {
  Limits limits;
  limits.outbox_bytes_max = 8'192;
  Host host(limits);
  const ObjectId l = host.make<List>(list(1, std::string(5'000, 'a'), std::string(9'000, 'b')));
  const Packed before = host.saved();
  EXPECT_EQ((host.call<List::Pop>(l)), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<List::Snapshot>(l)), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<List::Slice>(l)), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<List::At>(l, 2)), fails(Code::resource_exhausted));
  EXPECT_EQ(host.saved(), before);
  EXPECT_EQ((host.call<List::Slice>(l, 0, 2)), gives(list(1, std::string(5'000, 'a'))));
}

TEST_F(ListTest, KnowsItsMemory) {
  begin_with();
  const server::Object* object = host_.engine().registry().find(list_);
  std::mt19937 random(4);
  auto plainly = [&] {
    std::uint64_t bytes = 0;
    for (const std::string& item : items_of(contents()))
      bytes += (item.size() <= 7 ? 8 : 16) + server::Value::heap_bytes_for(item.size());
    return bytes;
  };
  for (int step = 0; step < 2'000; ++step) {
    const std::string item(random() % 40, 'x');
    switch (random() % 10) {
      case 0: call<List::Append>(item); break;
      case 1: call<List::Extend>(list(item, 1, item)); break;
      case 2: call<List::Insert>(3, item); break;
      case 3: call<List::Set>(0, item); break;
      case 4: call<List::Add>(1, item); break;
      case 5: call<List::Pop>(0); break;
      case 6: call<List::AssignSlice>(list(item, item, 7), 2, 4 + random() % 3); break;
      case 7: call<List::EraseSlice>(random() % 9, 12, 1 + random() % 3); break;
      case 8: call<List::AssignSlice>(list(item, item), 4, 0, -2); break;
      default: call<List::Repeat>(random() % 3); break;
    }
    if (object->size() > 200) call<List::EraseSlice>(100);
    ASSERT_EQ(object->memory_bytes(), plainly()) << "step " << step;
  }
  call<List::Clear>();
  EXPECT_EQ(object->memory_bytes(), 0u);
}

}  // namespace
}  // namespace tandem::test
