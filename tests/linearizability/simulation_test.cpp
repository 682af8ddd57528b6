// The checker against simulated objects: it accepts every history of a correct one, and refuses those in which a wrong
// one shows itself.
#include "tests/linearizability/simulation.hpp"

#include <gtest/gtest.h>

#include "tests/linearizability/explanation.hpp"
#include "tests/linearizability/models.hpp"

namespace tandem::test {
namespace {

constexpr std::uint64_t seeds = 100;

template <class Model>
void expect_accepted(const Simulated<Model>& simulated) {
  std::size_t operations = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const History<Model> history = Simulation<Model>(seed, simulated).run();
    operations += history.size();
    ASSERT_EQ(refusal_of(history, simulated.initial), "") << "seed " << seed;
  }
  EXPECT_GT(operations, seeds * simulated.operations / 2) << "in too many everybody waits for the others";
}
/// A fault need not show in every history: nobody may have looked.
template <class Model>
void expect_refused(const Simulated<Model>& simulated) {
  std::uint64_t refused = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const History<Model> history = Simulation<Model>(seed, simulated).run();
    const Verdict verdict = check(history, simulated.initial);
    ASSERT_NE(verdict, Verdict::undecided) << "seed " << seed;
    refused += verdict == Verdict::not_linearizable ? 1 : 0;
  }
  EXPECT_GT(refused, seeds * 2 / 3);
}

// ---- value --------------------------------------------------------------------------------------------------------

Simulated<ValueModel> values() {
  Simulated<ValueModel> simulated;
  simulated.next_call = [](Random& random, std::size_t, const std::int64_t&) {
    return ValueModel::Call{static_cast<ValueModel::Kind>(random.below(5)), random.below(4), random.below(4)};
  };
  return simulated;
}

TEST(SimulatedValue, ACorrectOneIsAccepted) {
  expect_accepted(values());
}

TEST(SimulatedValue, ACorrectOneIsAcceptedThoughClientsAreKilled) {
  auto simulated = values();
  simulated.killed_one_in = 60;
  expect_accepted(simulated);
}

TEST(SimulatedValue, ALostAdditionIsRefused) {
  auto simulated = values();
  simulated.apply = [](Random& random, std::size_t, std::int64_t& value, const ValueModel::Call& call) {
    const bool is_lost = call.kind == ValueModel::Kind::fetch_add && random.one_in(10);
    return is_lost ? Outcome{true, value} : ValueModel::apply(value, call, nullptr);
  };
  expect_refused(simulated);
}

TEST(SimulatedValue, AStaleReadIsRefused) {
  auto simulated = values();
  std::map<std::size_t, std::int64_t> seen;  // what each client saw last
  simulated.apply = [&](Random& random, std::size_t client, std::int64_t& value,
                        const ValueModel::Call& call) {
    if (call.kind == ValueModel::Kind::load && random.one_in(5) && seen.count(client) != 0)
      return std::optional(Outcome{true, seen[client]});
    const auto result = ValueModel::apply(value, call, nullptr);
    seen[client] = value;
    return result;
  };
  expect_refused(simulated);
}

// ---- dict ---------------------------------------------------------------------------------------------------------

Simulated<DictModel> dicts() {
  Simulated<DictModel> simulated;
  simulated.next_call = [](Random& random, std::size_t, const auto&) {
    return DictModel::Call{static_cast<DictModel::Kind>(random.below(5)), 1, random.below(4)};
  };
  return simulated;
}

TEST(SimulatedDict, ACorrectOneIsAcceptedThoughClientsAreKilled) {
  auto simulated = dicts();
  expect_accepted(simulated);
  simulated.killed_one_in = 60;
  expect_accepted(simulated);
}

TEST(SimulatedDict, AnErasedEntryThatComesBackIsRefused) {
  auto simulated = dicts();
  simulated.apply = [](Random& random, std::size_t, DictModel::State& entry, const DictModel::Call& call) {
    const auto before = entry;
    const auto result = DictModel::apply(entry, call, nullptr);
    if (call.kind == DictModel::Kind::erase && random.one_in(4)) entry = before;
    return result;
  };
  expect_refused(simulated);
}

// ---- queue --------------------------------------------------------------------------------------------------------

/// Every item is put once, and there are more gets than puts: in which order concurrent puts came is only seen when
/// their items come out again, so a long queue takes any search long.
Simulated<QueueModel> queues(std::size_t maxsize) {
  Simulated<QueueModel> simulated;
  simulated.initial.maxsize = maxsize;
  simulated.next_call = [next = std::int64_t{0}](Random& random, std::size_t, const auto&) mutable {
    using Kind = QueueModel::Kind;
    static constexpr Kind kinds[] = {Kind::put,     Kind::try_put, Kind::put, Kind::get,
                                     Kind::try_get, Kind::try_get, Kind::size};
    return QueueModel::Call{kinds[random.below(std::size(kinds))], next++};
  };
  return simulated;
}

TEST(SimulatedQueue, ACorrectOneIsAcceptedThoughClientsAreKilled) {
  for (std::size_t maxsize : {0u, 3u}) {
    auto simulated = queues(maxsize);
    expect_accepted(simulated);
    simulated.killed_one_in = 200;
    expect_accepted(simulated);
  }
}

TEST(SimulatedQueue, LastInFirstOutIsRefused) {
  auto simulated = queues(0);
  simulated.apply = [](Random&, std::size_t, QueueModel::State& queue, const QueueModel::Call& call) {
    const bool gets = call.kind == QueueModel::Kind::get || call.kind == QueueModel::Kind::try_get;
    if (gets) std::reverse(queue.items.begin(), queue.items.end());
    const auto result = QueueModel::apply(queue, call, nullptr);
    if (gets) std::reverse(queue.items.begin(), queue.items.end());
    return result;
  };
  expect_refused(simulated);
}

TEST(SimulatedQueue, AnItemLostOrGivenTwiceIsRefused) {
  for (const bool is_lost : {true, false}) {
    auto simulated = queues(0);
    simulated.apply = [=](Random& random, std::size_t, QueueModel::State& queue,
                          const QueueModel::Call& call) {
      const auto before = queue;
      const auto result = QueueModel::apply(queue, call, nullptr);
      if (call.kind == (is_lost ? QueueModel::Kind::put : QueueModel::Kind::get) && random.one_in(5))
        queue = before;
      return result;
    };
    expect_refused(simulated);
  }
}

// ---- lock ---------------------------------------------------------------------------------------------------------

Simulated<LockModel> locks() {
  using Kind = LockModel::Kind;
  Simulated<LockModel> simulated;
  simulated.next_call = [](Random& random, std::size_t client, const LockModel::State& lock) {
    const auto owner = static_cast<std::int64_t>(client) + 1;
    if (lock.owner == owner) return LockModel::Call{Kind::release, owner};
    return LockModel::Call{random.one_in(8)   ? Kind::release
                           : random.one_in(2) ? Kind::acquire
                                              : Kind::try_acquire,
                           owner};
  };
  simulated.death_of = [](std::size_t client) {
    return LockModel::Call{Kind::die, static_cast<std::int64_t>(client) + 1};
  };
  return simulated;
}

TEST(SimulatedLock, ACorrectOneIsAcceptedThoughOwnersAreKilled) {
  auto simulated = locks();
  expect_accepted(simulated);
  simulated.killed_one_in = 60;
  expect_accepted(simulated);
}

TEST(SimulatedLock, TwoOwnersAtOnceAreRefused) {
  auto simulated = locks();
  simulated.apply = [](Random& random, std::size_t, LockModel::State& lock, const LockModel::Call& call) {
    if (call.kind == LockModel::Kind::try_acquire && random.one_in(5)) lock.owner = 0;
    return LockModel::apply(lock, call, nullptr);
  };
  expect_refused(simulated);
}

TEST(SimulatedLock, ATokenThatIsUsedAgainIsRefused) {
  auto simulated = locks();
  simulated.apply = [](Random& random, std::size_t, LockModel::State& lock, const LockModel::Call& call) {
    if (lock.owner == 0 && random.one_in(10)) lock.token -= lock.token > 0 ? 1 : 0;
    return LockModel::apply(lock, call, nullptr);
  };
  expect_refused(simulated);
}

TEST(SimulatedLock, ALockThatIsKeptByTheDeadIsRefused) {
  auto simulated = locks();
  simulated.killed_one_in = 60;
  simulated.apply = [](Random&, std::size_t, LockModel::State& lock, const LockModel::Call& call) {
    auto result = LockModel::apply(lock, call, nullptr);
    lock.previous_owner_died = false;  // and nobody is told
    return result;
  };
  expect_refused(simulated);
}

// ---- size ---------------------------------------------------------------------------------------------------------

TEST(Simulated, ThousandsOfOperationsOfManyClientsAreCheckedInNoTime) {
  auto simulated = values();
  simulated.clients = 8;
  simulated.operations = 5000;
  const History<ValueModel> history = Simulation<ValueModel>(1, simulated).run();
  Search<ValueModel> search(history, 0, 200'000);
  EXPECT_EQ(search.run(), Verdict::linearizable);
}

}  // namespace
}  // namespace tandem::test
