// What one step may work on: step_elements_max, which no operation and no batch goes beyond.

#include <gtest/gtest.h>

#include <numeric>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"

namespace tandem::test {
namespace {

using ops::Array;
using ops::Dict;
using ops::List;
using ops::Manager;
using ops::Set;

constexpr int elements_max = 1'000;

Packed numbers(int count, int first = 0) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), first);
  return list_of(all);
}
Packed entries(int count) {
  return packed_by([&](wire::Writer& to) {
    to.map(static_cast<std::size_t>(count));
    for (int key = 0; key < count; ++key) {
      to.integer(key);
      to.integer(key);
    }
  });
}

class WorkTest : public ::testing::Test {
 protected:
  template <class Ops>
  ObjectId filled(int count) {
    const ObjectId made = host_.make<Ops>();
    for (int first = 0; first < count; first += elements_max) {
      const Packed part = numbers(std::min(elements_max, count - first), first);
      if constexpr (std::is_same_v<Ops, List>) host_.call<List::Extend>(made, part);
      else host_.call<Set::Update>(made, part);
    }
    return made;
  }
  template <class Op, class... T>
  void expect_refused(ObjectId object, const T&... arguments) {
    const Packed before = host_.saved();
    const Reply reply = host_.call<Op>(object, arguments...);
    EXPECT_EQ(reply, fails(Code::resource_exhausted)) << Op::description.signature;
    EXPECT_NE(reply.text().find("step_elements_max (1000)"), std::string::npos) << reply.text();
    EXPECT_TRUE(host_.saved() == before) << Op::description.signature;
  }
  template <class Op, class... T>
  void expect_done(ObjectId object, const T&... arguments) {
    const Reply reply = host_.call<Op>(object, arguments...);
    EXPECT_EQ(reply.code, Code::ok) << Op::description.signature << ": " << reply.text();
  }

  static Limits limits() {
    Limits made;
    made.step_elements_max = elements_max;
    return made;
  }
  Host host_{limits()};
};

TEST_F(WorkTest, OfOperandsIsLimited) {
  const ObjectId list = host_.make<List>();
  const ObjectId dict = host_.make<Dict>();
  const ObjectId set = host_.make<Set>();
  const ObjectId queue = host_.make<ops::Queue>();
  const ObjectId locks = host_.make<ops::Locks>();
  for (const bool fits : {true, false}) {
    const Packed items = numbers(fits ? elements_max : elements_max + 1);
    const Packed pairs = entries(fits ? elements_max : elements_max + 1);
    const auto check = [&]<class Op>(ObjectId object, Op, const auto&... arguments) {
      if (fits) expect_done<Op>(object, arguments...);
      else expect_refused<Op>(object, arguments...);
    };
    check(list, List::Extend{}, items);
    check(list, List::AssignSlice{}, items);
    check(dict, Dict::Update{}, pairs);
    check(dict, Dict::Assign{}, pairs);
    check(set, Set::Update{}, items);
    check(set, Set::IsSuperset{}, items);
    check(queue, ops::Queue::PutMany{}, items);
    check(locks, ops::Locks::AcquireAll{}, items);
  }
  EXPECT_EQ(
      (host_.call<Manager::Create>(Manager::id, "list", test::list(), test::list(numbers(elements_max + 1)))),
      fails(Code::resource_exhausted));
}

TEST_F(WorkTest, OfAnObjectAsOperandIsLimited) {
  const ObjectId large = filled<List>(elements_max + 1);
  const ObjectId list = host_.make<List>();
  expect_refused<List::Extend>(list, list_reference(large));
  expect_refused<Set::Update>(host_.make<Set>(), list_reference(large));
}

TEST_F(WorkTest, OnAListsOwnItemsIsLimited) {
  const ObjectId list = filled<List>(elements_max + 1);
  expect_refused<List::Sort>(list);
  expect_refused<List::Repeat>(list, 2);
  expect_done<List::Reverse>(list);
  expect_done<List::Count>(list, 7);
  const ObjectId longer = filled<List>(17 * elements_max);
  const int last = 17 * elements_max - 1;
  expect_refused<List::Count>(longer, 7);
  expect_refused<List::Reverse>(longer);
  expect_refused<List::Snapshot>(longer);
  expect_refused<List::Slice>(longer);
  expect_refused<List::EraseSlice>(longer, nullptr, nullptr, 3);
  expect_refused<List::Contains>(longer, last);
  expect_refused<List::Remove>(longer, last);
  expect_refused<List::Index>(longer, last);
  EXPECT_EQ((host_.call<List::Contains>(longer, 9)), gives(true)) << "found before that";
  EXPECT_EQ((host_.call<List::Index>(longer, last, -10)), gives(last)) << "in parts";
  expect_done<List::Slice>(longer, 0, elements_max);
  expect_done<List::Clear>(longer);
}

TEST_F(WorkTest, OnSetsAndDictsIsLimited) {
  const ObjectId set = filled<Set>(elements_max + 1);
  expect_refused<Set::Union>(set, numbers(1));
  expect_refused<Set::Intersection>(set, numbers(1));
  expect_refused<Set::Difference>(set, numbers(1));
  expect_refused<Set::SymmetricDifference>(set, numbers(1));
  expect_refused<Set::IntersectionUpdate>(set, numbers(1));
  expect_refused<Set::IsSubset>(set, numbers(1));
  expect_done<Set::Update>(set, numbers(1));
  expect_done<Set::DifferenceUpdate>(set, numbers(1));
  expect_done<Set::IsSuperset>(set, numbers(1));
  expect_done<Set::Snapshot>(set);
  expect_refused<Set::Snapshot>(filled<Set>(17 * elements_max));
  const ObjectId dict = host_.make<Dict>();
  for (int key = 0; key < 17 * elements_max; ++key) host_.call<Dict::Set>(dict, key, key);
  expect_refused<Dict::Keys>(dict);
  expect_refused<Dict::Values>(dict);
  expect_refused<Dict::Snapshot>(dict);
  expect_done<Dict::Page>(dict, 0, 100);
}

TEST_F(WorkTest, OnArraysIsLimitedByTheirBytes) {
  const ObjectId array = host_.make<Array>("q", 128 * elements_max + 8);
  expect_refused<Array::Fill>(array, 1);
  expect_refused<Array::Slice>(array);
  expect_done<Array::Slice>(array, 0, 100 * elements_max);
  expect_refused<Array::Slice>(array, 0, nullptr, 2);
  expect_done<Array::Fill>(host_.make<Array>("q", 100 * elements_max), 1);
}

TEST_F(WorkTest, ComparingLongValuesCountsTheirBytes) {
  const ObjectId list = host_.make<List>();
  const std::string text(10'000, 'a');
  for (int i = 0; i < 200; ++i) host_.call<List::Append>(list, text);
  expect_refused<List::Count>(list, text);
  expect_done<List::Count>(list, "b");
  const ObjectId mixed = host_.make<List>();
  for (int i = 0; i < 200; ++i) host_.call<List::Append>(mixed, test::list(text, 200 - i));
  expect_refused<List::Sort>(mixed);
}

TEST_F(WorkTest, OfABatchIsLimitedAsAWhole) {
  const ObjectId list = filled<List>(elements_max);
  const Packed count = test::list(list, List::Count::description.number, bytes(test::list(7).encoded));
  const Reply each = host_.call<Manager::Run>(Manager::id, list_of(std::vector<Packed>(20, count)), 0);
  ASSERT_EQ(each.code, Code::ok) << each.text();
  std::size_t done = 0, refused = 0;
  wire::Reader reader(each.value.bytes());
  std::uint32_t answers = 0;
  ASSERT_TRUE(reader.array(answers));
  EXPECT_EQ(answers, 20u);
  for (std::uint32_t i = 0; i < answers; ++i) {
    std::uint32_t two = 0;
    std::uint64_t code = 0;
    ASSERT_TRUE(reader.array(two) && reader.uint64(code) && reader.skip());
    ++(code == 0 ? done : refused);
  }
  EXPECT_EQ(done, 15u) << "one part for the steps themselves";
  EXPECT_EQ(refused, 5u);
  expect_refused<Manager::Run>(Manager::id, list_of(std::vector<Packed>(20, count)), 1);
}

TEST_F(WorkTest, ASessionsReferencesAreReleasedInParts) {
  constexpr int objects = 3 * server::Registry::cleaning_per_step_max;
  host_.open(2);
  const ObjectId kept = host_.make<List>();
  host_.as(2);
  for (int i = 0; i < objects; ++i) host_.make<ops::Event>();
  host_.call<Manager::Hold>(Manager::id, test::list(list_reference(kept)));
  host_.close(2);
  int steps = 0;
  for (; !host_.engine().registry().is_clean(); ++steps) {
    host_.engine().step(server::Tick{1});
  }
  EXPECT_GE(steps, 3);
  EXPECT_EQ(host_.objects(), 1u);
  expect_consistent(host_.engine());
}

}  // namespace
}  // namespace tandem::test
