// What the checker tells of a history it refuses.
#include "tests/linearizability/explanation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/linearizability/models.hpp"
#include "tests/linearizability/simulation.hpp"

namespace tandem::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ValueKind = ValueModel::Kind;

TEST(ExplanationOfARefusal, NamesTheFewThatContradictEachOther) {
  const History<ValueModel> history{
      {0, {ValueKind::store, 3}, 0, 10, Outcome{true, 0}},
      {1, {ValueKind::load}, 12, 14, Outcome{true, 3}},
      {2, {ValueKind::fetch_add, 1}, 20, 40, Outcome{true, 3}},
      {1, {ValueKind::fetch_add, 1}, 25, 30, Outcome{true, 3}},
      {0, {ValueKind::load}, 50, 60, Outcome{true, 4}},
  };
  EXPECT_EQ(refusal_of(history),
            "not linearizable: after the first 4 of 5 operations no order explains what they gave.\n"
            "These contradict each other, whenever the other 2 took effect and whatever they gave:\n"
            "  client 2  fetch_add(1) → 3  |-----|\n"
            "  client 1  fetch_add(1) → 3    |-|\n"
            "The order that explains most:\n"
            "  client 0  store(3) → done\n"
            "  client 1  load() → 3\n"
            "  client 2  fetch_add(1) → 3\n"
            "Then the value is 4, and one of these would have to be next:\n"
            "  client 1  fetch_add(1) → 3, but would give 4\n");
}

TEST(ExplanationOfARefusal, IsEmptyWhereThereIsNone) {
  EXPECT_EQ(refusal_of<ValueModel>({{0, {ValueKind::load}, 0, 1, Outcome{true, 0}}}), "");
  EXPECT_THAT(refusal_of<ValueModel>({{0, {ValueKind::load}, 0, 1, Outcome{true, 1}}}),
              HasSubstr("load() → 1, but would give 0"));
}

TEST(ExplanationOfARefusal, TellsOfThoseWhoWouldWaitAndOfUnknownOutcomes) {
  const History<QueueModel> history{
      {0, {QueueModel::Kind::put, 7}, 0, 1, Outcome{true, 0}},
      {1, {QueueModel::Kind::get}, 2, 3, Outcome{true, 7}},
      {2, {QueueModel::Kind::get}, 4},
      {1, {QueueModel::Kind::get}, 5, 6, Outcome{true, 7}},
  };
  const std::string text = refusal_of(history);
  EXPECT_THAT(text, HasSubstr("Then the queue is empty, and one of these would have to be next:\n"
                              "  client 2  get() → not known, which leads no further\n"
                              "  client 1  get() → 7, but would wait\n"));
}

TEST(ExplanationOfARefusal, FindsOneWrongResultAmongMany) {
  Simulated<ValueModel> simulated;
  simulated.operations = 60;
  std::int64_t next = 1;  // every value is stored once
  simulated.next_call = [&](Random& random, std::size_t, const std::int64_t&) {
    return random.one_in(3) ? ValueModel::Call{ValueKind::store, next++} : ValueModel::Call{};
  };
  History<ValueModel> history = Simulation<ValueModel>(7, simulated).run();
  ASSERT_EQ(refusal_of(history), "");
  std::size_t wrong = 30;
  while (history[wrong].call.kind != ValueKind::load) ++wrong;
  history[wrong].result->number = 0;  // what it was before anything was stored
  const Explanation<ValueModel> explanation(history, 0);
  ASSERT_FALSE(explanation.core().empty());
  EXPECT_LE(explanation.core().size(), 5u);
  EXPECT_LT(explanation.history().size(), history.size());
  bool is_named = false;
  for (std::size_t i : explanation.core())
    is_named = is_named || explanation.history()[i].invoked_ns == history[wrong].invoked_ns;
  EXPECT_TRUE(is_named) << explanation.text();
}

}  // namespace
}  // namespace tandem::test
