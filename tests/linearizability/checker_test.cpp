// The checker against histories made by hand, where a reader can see who is right, and against every order tried one
// after the other.
#include "tests/linearizability/checker.hpp"

#include <gtest/gtest.h>

#include "tests/linearizability/explanation.hpp"
#include "tests/linearizability/models.hpp"
#include "tests/linearizability/simulation.hpp"

namespace tandem::test {
namespace {

/// One operation, drawn: "  |---|" was invoked at its first bar and returned at its second; without a second bar nobody
/// knows what became of it.
template <class Model>
struct Row {
  std::string bar;
  typename Model::Call call;
  typename Model::Result result{};
};
template <class Model>
History<Model> drawn(const std::vector<Row<Model>>& rows) {
  History<Model> history;
  for (const Row<Model>& row : rows) {
    const std::size_t from = row.bar.find('|'), to = row.bar.find('|', from + 1);
    history.push_back({history.size(), row.call, static_cast<std::int64_t>(from)});
    if (to == std::string::npos) continue;
    history.back().returned_ns = static_cast<std::int64_t>(to);
    history.back().result = row.result;
  }
  return history;
}

// ---- value --------------------------------------------------------------------------------------------------------

using Rows = std::vector<Row<ValueModel>>;
constexpr Outcome done{true, 0};
Outcome gives(std::int64_t number) {
  return {true, number};
}
Outcome refused(std::int64_t found) {
  return {false, found};
}
ValueModel::Call load() {
  return {};
}
ValueModel::Call store(std::int64_t value) {
  return {ValueModel::Kind::store, value};
}
ValueModel::Call exchange(std::int64_t value) {
  return {ValueModel::Kind::exchange, value};
}
ValueModel::Call fetch_add(std::int64_t value) {
  return {ValueModel::Kind::fetch_add, value};
}
ValueModel::Call compare_exchange(std::int64_t expected, std::int64_t value) {
  return {ValueModel::Kind::compare_exchange, value, expected};
}
Verdict verdict(const Rows& rows) {
  return check(drawn(rows));
}
constexpr Verdict yes = Verdict::linearizable, no = Verdict::not_linearizable;

TEST(CheckerOfValues, NothingIsLinearizable) {
  EXPECT_EQ(verdict({}), yes);
}

TEST(CheckerOfValues, OneAfterTheOther) {
  EXPECT_EQ(verdict({{"|--|", store(5), done}, {"     |--|", load(), gives(5)}}), yes);
  EXPECT_EQ(verdict({{"|--|", store(5), done}, {"     |--|", load(), gives(0)}}), no);
}

TEST(CheckerOfValues, ConcurrentOnesMayTakeEitherOrder) {
  EXPECT_EQ(verdict({{"|----|", store(5), done}, {" |--|", load(), gives(0)}}), yes);
  EXPECT_EQ(verdict({{"|----|", store(5), done}, {" |--|", load(), gives(5)}}), yes);
  EXPECT_EQ(verdict({{"|----|", store(5), done}, {" |--|", load(), gives(6)}}), no);
}

TEST(CheckerOfValues, WhatTouchesIsConcurrent) {
  EXPECT_EQ(verdict({{"|--|", store(5), done}, {"   |--|", load(), gives(0)}}), yes);
}

TEST(CheckerOfValues, TimeDoesNotRunBackwardsBetweenTwoReaders) {
  EXPECT_EQ(verdict({{"|-----------|", store(5), done},
                     {" |--|", load(), gives(5)},
                     {"       |--|", load(), gives(0)}}),
            no);
  EXPECT_EQ(verdict({{"|-----------|", store(5), done},
                     {" |--|", load(), gives(0)},
                     {"       |--|", load(), gives(5)}}),
            yes);
}

TEST(CheckerOfValues, TheExplanationMayLieFarFromTheOrderOfInvocation) {
  EXPECT_EQ(verdict({{"|---------------|", store(1), done},
                     {" |--------------|", store(2), done},
                     {"  |-------------|", store(3), done},
                     {"    |-|", load(), gives(3)},
                     {"        |-|", load(), gives(2)},
                     {"            |-|", load(), gives(1)}}),
            yes);
}

TEST(CheckerOfValues, TwoAdditionsThatSawTheSame) {
  EXPECT_EQ(verdict({{"|------|", fetch_add(1), gives(0)}, {"  |--|", fetch_add(1), gives(0)}}), no);
  EXPECT_EQ(verdict({{"|------|", fetch_add(1), gives(1)}, {"  |--|", fetch_add(1), gives(0)}}), yes);
}

TEST(CheckerOfValues, ExchangesChain) {
  EXPECT_EQ(verdict({{"|------|", exchange(1), gives(2)},
                     {"|------|", exchange(2), gives(3)},
                     {"|------|", exchange(3), gives(0)}}),
            yes);
  EXPECT_EQ(verdict({{"|------|", exchange(1), gives(2)},
                     {"|------|", exchange(2), gives(1)},
                     {"|------|", exchange(3), gives(0)}}),
            no)
      << "a cycle";
}

TEST(CheckerOfValues, OfTwoComparisonsOneSucceeds) {
  EXPECT_EQ(
      verdict({{"|---|", compare_exchange(0, 1), gives(0)}, {" |--|", compare_exchange(0, 2), refused(1)}}),
      yes);
  EXPECT_EQ(
      verdict({{"|---|", compare_exchange(0, 1), gives(0)}, {" |--|", compare_exchange(0, 2), gives(0)}}),
      no);
  EXPECT_EQ(verdict({{"|---|", compare_exchange(0, 1), refused(0)}}), no) << "refused without cause";
}

TEST(CheckerOfValues, AnUnknownOutcomeMayHaveHappenedOrNot) {
  EXPECT_EQ(verdict({{"|-", store(5)}, {"  |--|", load(), gives(5)}}), yes);
  EXPECT_EQ(verdict({{"|-", store(5)}, {"  |--|", load(), gives(0)}}), yes);
  EXPECT_EQ(verdict({{"|-", store(5)}, {"  |--|", load(), gives(0)}, {"        |--|", load(), gives(5)}}),
            yes)
      << "late";
  EXPECT_EQ(verdict({{"|-", store(5)}, {"  |--|", load(), gives(5)}, {"        |--|", load(), gives(0)}}), no)
      << "undone";
  EXPECT_EQ(verdict({{"   |-", store(5)}, {"|-|", load(), gives(5)}}), no) << "before it was invoked";
  EXPECT_EQ(
      verdict({{"|-", fetch_add(5)}, {"  |--|", load(), gives(5)}, {"        |--|", load(), gives(10)}}), no)
      << "twice";
}

TEST(CheckerOfValues, GivesUpWhereItIsTold) {
  Rows rows;
  for (int i = 0; i < 16; ++i) rows.push_back({"|----|", fetch_add(1 << i), gives(-1)});
  EXPECT_EQ(check(drawn(rows)), no);
  for (int i = 0; i < 16; ++i) rows.push_back({"|----|", fetch_add(1 << i), gives((1 << i) - 1)});
  EXPECT_EQ(check(drawn(rows), 0, 5), Verdict::undecided);
}

// ---- dict ---------------------------------------------------------------------------------------------------------

using DictKind = DictModel::Kind;
Verdict verdict(const std::vector<Row<DictModel>>& rows) {
  return check(drawn(rows));
}

TEST(CheckerOfDicts, AnEntryComesAndGoes) {
  EXPECT_EQ(verdict({{"|-|", {DictKind::find, 1}, {false, 0}},
                     {"    |-|", {DictKind::insert_or_assign, 1, 7}, {true, 0}},
                     {"        |-|", {DictKind::insert, 1, 8}, {false, 0}},
                     {"            |-|", {DictKind::find, 1}, {true, 7}},
                     {"                |-|", {DictKind::erase, 1}, {true, 0}},
                     {"                    |-|", {DictKind::erase, 1}, {false, 0}},
                     {"                        |-|", {DictKind::add, 1, 3}, {true, 3}}}),
            yes);
}

TEST(CheckerOfDicts, OnlyOneInsertsAndOnlyOneErases) {
  EXPECT_EQ(verdict({{"|---|", {DictKind::insert, 1, 7}, {true, 0}},
                     {"|---|", {DictKind::insert, 1, 8}, {true, 0}}}),
            no);
  EXPECT_EQ(verdict({{"|---|", {DictKind::insert, 1, 7}, {true, 0}},
                     {"|---|", {DictKind::insert, 1, 8}, {false, 0}}}),
            yes);
  EXPECT_EQ(verdict({{"|-|", {DictKind::insert, 1, 7}, {true, 0}},
                     {"    |---|", {DictKind::erase, 1}, {true, 0}},
                     {"    |---|", {DictKind::erase, 1}, {true, 0}}}),
            no);
}

TEST(CheckerOfDicts, KeysAreCheckedApart) {
  const auto history = drawn<DictModel>({{"|-|", {DictKind::insert, 1, 7}, {true, 0}},
                                         {"    |-|", {DictKind::insert, 2, 8}, {true, 0}},
                                         {"        |-|", {DictKind::find, 1}, {true, 7}},
                                         {"            |-|", {DictKind::find, 2}, {true, 7}}});
  const auto parts = partition(history, [](const DictModel::Call& call) { return call.key; });
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(check(parts.at(1)), yes);
  EXPECT_EQ(check(parts.at(2)), no);
}

// ---- queue --------------------------------------------------------------------------------------------------------

using QueueKind = QueueModel::Kind;
Verdict verdict(const std::vector<Row<QueueModel>>& rows, std::size_t maxsize = 0) {
  return check(drawn(rows), {{}, maxsize});
}

TEST(CheckerOfQueues, FirstInFirstOut) {
  const Row<QueueModel> put_1{"|-|", {QueueKind::put, 1}, done}, put_2{"    |-|", {QueueKind::put, 2}, done};
  EXPECT_EQ(verdict({put_1, put_2, {"        |-|", {QueueKind::get}, gives(1)}}), yes);
  EXPECT_EQ(verdict({put_1, put_2, {"        |-|", {QueueKind::get}, gives(2)}}), no);
  EXPECT_EQ(
      verdict({put_1, {"|---|", {QueueKind::put, 2}, done}, {"        |-|", {QueueKind::get}, gives(2)}}),
      yes)
      << "concurrent puts";
  EXPECT_EQ(verdict({put_1, put_2, {"        |-|", {QueueKind::size}, gives(1)}}), no);
}

TEST(CheckerOfQueues, AnItemIsTakenOnceAndNotBeforeItIsThere) {
  EXPECT_EQ(verdict({{"|-|", {QueueKind::put, 1}, done},
                     {"   |--|", {QueueKind::get}, gives(1)},
                     {"   |--|", {QueueKind::get}, gives(1)}}),
            no);
  EXPECT_EQ(verdict({{"|-|", {QueueKind::get}, gives(1)}, {"    |-|", {QueueKind::put, 1}, done}}), no);
  EXPECT_EQ(verdict({{"|------|", {QueueKind::get}, gives(1)}, {"   |-|", {QueueKind::put, 1}, done}}), yes)
      << "waited";
}

TEST(CheckerOfQueues, EmptyIsSaidOnlyOfAnEmptyOne) {
  EXPECT_EQ(verdict({{"|-|", {QueueKind::put, 1}, done}, {"    |-|", {QueueKind::try_get}, {false, 0}}}), no);
  EXPECT_EQ(verdict({{"|--|", {QueueKind::put, 1}, done}, {" |-|", {QueueKind::try_get}, {false, 0}}}), yes);
}

TEST(CheckerOfQueues, ALimitHolds) {
  const Row<QueueModel> put_1{"|-|", {QueueKind::put, 1}, done};
  EXPECT_EQ(verdict({put_1, {"    |-|", {QueueKind::put, 2}, done}}, 1), no);
  EXPECT_EQ(verdict({put_1, {"    |-|", {QueueKind::try_put, 2}, {false, 0}}}, 1), yes);
  EXPECT_EQ(verdict({put_1, {"    |-|", {QueueKind::try_put, 2}, {false, 0}}}, 2), no);
  EXPECT_EQ(
      verdict({put_1, {"   |---|", {QueueKind::put, 2}, done}, {"    |-|", {QueueKind::get}, gives(1)}}, 1),
      yes);
}

TEST(CheckerOfQueues, AKilledConsumerMayHaveTakenOneItemOrNone) {
  const Row<QueueModel> put_1{"|-|", {QueueKind::put, 1}, done}, put_2{"    |-|", {QueueKind::put, 2}, done};
  const Row<QueueModel> killed{"       |-", {QueueKind::get}};
  EXPECT_EQ(verdict({put_1, put_2, killed, {"         |-|", {QueueKind::get}, gives(1)}}), yes);
  EXPECT_EQ(verdict({put_1, put_2, killed, {"         |-|", {QueueKind::get}, gives(2)}}), yes);
  EXPECT_EQ(verdict({put_1, put_2, killed, {"         |-|", {QueueKind::try_get}, {false, 0}}}), no)
      << "two items lost";
}

// ---- lock ---------------------------------------------------------------------------------------------------------

using LockKind = LockModel::Kind;
Verdict verdict(const std::vector<Row<LockModel>>& rows) {
  return check(drawn(rows));
}
LockModel::Result token(std::int64_t number) {
  return {true, number, false};
}
const LockModel::Result not_done{}, released{true, 0, false};

TEST(CheckerOfLocks, OneOwnerAtATime) {
  EXPECT_EQ(
      verdict({{"|-|", {LockKind::acquire, 1}, token(1)}, {"    |-|", {LockKind::acquire, 2}, token(2)}}),
      no);
  EXPECT_EQ(
      verdict({{"|-|", {LockKind::acquire, 1}, token(1)}, {"    |-|", {LockKind::try_acquire, 2}, token(2)}}),
      no);
  EXPECT_EQ(
      verdict({{"|-|", {LockKind::acquire, 1}, token(1)}, {"    |-|", {LockKind::try_acquire, 2}, not_done}}),
      yes);
  EXPECT_EQ(verdict({{"|-|", {LockKind::acquire, 1}, token(1)},
                     {"    |-----|", {LockKind::acquire, 2}, token(2)},
                     {"      |-|", {LockKind::release, 1}, released}}),
            yes);
}

TEST(CheckerOfLocks, AFreeLockIsGivenAndOnlyItsOwnerReleasesIt) {
  EXPECT_EQ(verdict({{"|-|", {LockKind::try_acquire, 1}, not_done}}), no);
  EXPECT_EQ(verdict({{"|-|", {LockKind::release, 1}, released}}), no);
  EXPECT_EQ(
      verdict({{"|-|", {LockKind::acquire, 1}, token(1)}, {"    |-|", {LockKind::release, 2}, not_done}}),
      yes);
  EXPECT_EQ(
      verdict({{"|-|", {LockKind::acquire, 1}, token(1)}, {"    |-|", {LockKind::release, 2}, released}}),
      no);
}

TEST(CheckerOfLocks, TokensGrow) {
  const Row<LockModel> first{"|-|", {LockKind::acquire, 1}, token(7)},
      free{"    |-|", {LockKind::release, 1}, released};
  EXPECT_EQ(verdict({first, free, {"        |-|", {LockKind::acquire, 2}, token(12)}}), yes);
  EXPECT_EQ(verdict({first, free, {"        |-|", {LockKind::acquire, 2}, token(7)}}), no);
}

TEST(CheckerOfLocks, TheLockOfTheDeadIsHandedOnWithANotice) {
  const Row<LockModel> first{"|-|", {LockKind::acquire, 1}, token(1)}, death{"    |-", {LockKind::die, 1}};
  EXPECT_EQ(verdict({first, death, {"      |-|", {LockKind::acquire, 2}, {true, 2, true}}}), yes);
  EXPECT_EQ(verdict({first, death, {"      |-|", {LockKind::acquire, 2}, {true, 2, false}}}), no);
  EXPECT_EQ(verdict({first, {"      |-|", {LockKind::acquire, 2}, {true, 2, true}}}), no) << "nobody died";
  EXPECT_EQ(verdict({first,
                     death,
                     {"      |-|", {LockKind::acquire, 2}, {true, 2, true}},
                     {"          |-|", {LockKind::acquire, 3}, token(3)}}),
            no);
}

// ---- every order tried --------------------------------------------------------------------------------------------

/// The definition itself, by trying everything: whether the operations that are not yet `done` can follow.
template <class Model>
bool some_order_explains(const History<Model>& history, std::uint64_t done,
                         const typename Model::State& state) {
  bool all = true;
  for (std::size_t i = 0; i < history.size(); ++i) all = all && ((done >> i & 1) != 0 || !history[i].result);
  if (all) return true;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if ((done >> i & 1) != 0) continue;
    bool must_wait = false;
    for (std::size_t other = 0; other < history.size(); ++other)
      must_wait = must_wait || ((done >> other & 1) == 0 && history[other].result &&
                                history[other].returned_ns < history[i].invoked_ns);
    if (must_wait) continue;
    auto after = state;
    const auto given =
        Model::apply(after, history[i].call, history[i].result ? &*history[i].result : nullptr);
    if (!given || (history[i].result && !(*given == *history[i].result))) continue;
    if (some_order_explains(history, done | std::uint64_t{1} << i, after)) return true;
  }
  return false;
}

/// Histories of few operations at random times with random results are compared; both verdicts must have been frequent.
template <class Model, class MakeRow>
void compare_with_every_order(MakeRow&& make_row) {
  int verdicts[2] = {0, 0};
  for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
    Random random(seed);
    History<Model> history;
    for (std::int64_t left = 2 + random.below(5); left > 0; --left) {
      auto [call, result] = make_row(random);
      const std::int64_t from = random.below(12);
      history.push_back({history.size(), call, from, from + 1 + random.below(8), result});
      if (random.one_in(5)) history.back().result.reset();
    }
    const bool expected = some_order_explains(history, 0, {});
    ASSERT_EQ(check(history), expected ? yes : no) << "seed " << seed;
    ++verdicts[expected];
  }
  EXPECT_GT(verdicts[0], 400);
  EXPECT_GT(verdicts[1], 400);
}

TEST(Checker, AgreesWithEveryOrderTriedOnValues) {
  compare_with_every_order<ValueModel>([](Random& random) {
    const ValueModel::Call call{static_cast<ValueModel::Kind>(random.below(5)), random.below(3),
                                random.below(3)};
    return std::pair(call, Outcome{call.kind != ValueModel::Kind::compare_exchange || random.one_in(2),
                                   call.kind == ValueModel::Kind::store ? 0 : random.below(3)});
  });
}

TEST(Checker, AgreesWithEveryOrderTriedOnDicts) {
  compare_with_every_order<DictModel>([](Random& random) {
    const DictModel::Call call{static_cast<DictKind>(random.below(5)), 0, random.below(2)};
    const bool found = call.kind == DictKind::add || random.one_in(2);
    const bool numbered = call.kind == DictKind::add || (call.kind == DictKind::find && found);
    return std::pair(call, Outcome{found, numbered ? random.below(3) : 0});
  });
}

TEST(Checker, AgreesWithEveryOrderTriedOnQueues) {
  compare_with_every_order<QueueModel>([](Random& random) {
    const QueueModel::Call call{random.one_in(2) ? QueueKind::put : static_cast<QueueKind>(random.below(5)),
                                random.below(5)};
    const bool puts = call.kind == QueueKind::put || call.kind == QueueKind::try_put;
    const bool worked = puts || call.kind != QueueKind::try_get || random.one_in(2);
    return std::pair(call, Outcome{worked, puts || !worked ? 0 : random.below(5)});
  });
}

TEST(Checker, AgreesWithEveryOrderTriedOnLocks) {
  compare_with_every_order<LockModel>([](Random& random) {
    const LockModel::Call call{static_cast<LockKind>(random.below(4)), 1 + random.below(2)};
    const bool grants =
        call.kind == LockKind::acquire || (call.kind == LockKind::try_acquire && random.one_in(2));
    if (grants) return std::pair(call, LockModel::Result{true, 1 + random.below(3), random.one_in(6)});
    return std::pair(call, LockModel::Result{call.kind != LockKind::try_acquire && random.one_in(2)});
  });
}

}  // namespace
}  // namespace tandem::test
