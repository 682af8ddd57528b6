// Histories of real processes that share objects of a real manager.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/tandem.hpp"
#include "tests/linearizability/explanation.hpp"
#include "tests/linearizability/models.hpp"
#include "tests/linearizability/workers.hpp"
#include "tests/support/eventually.hpp"

namespace tandem::test {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using SharedValue = Value<std::int64_t>;
using SharedDict = Dict<std::int64_t, std::int64_t>;

Outcome operate(SharedValue& value, const ValueModel::Call& call) {
  using Kind = ValueModel::Kind;
  switch (call.kind) {
    case Kind::load: break;
    case Kind::store: value.store(call.argument); return {true, 0};
    case Kind::exchange: return {true, value.exchange(call.argument)};
    case Kind::fetch_add: return {true, value.fetch_add(call.argument)};
    case Kind::compare_exchange: {
      std::int64_t found = call.expected;
      const bool exchanged = value.compare_exchange(found, call.argument);
      return {exchanged, found};
    }
  }
  return {true, value.load()};
}
ValueModel::Call random_value_call(Random& random) {
  return {static_cast<ValueModel::Kind>(random.below(5)), random.below(5), random.below(5)};
}

Outcome operate(SharedDict& dict, const DictModel::Call& call) {
  using Kind = DictModel::Kind;
  switch (call.kind) {
    case Kind::find: break;
    case Kind::insert_or_assign: return {dict.insert_or_assign(call.key, call.argument), 0};
    case Kind::insert: return {dict.insert(call.key, call.argument), 0};
    case Kind::erase: return {dict.erase(call.key), 0};
    case Kind::add: return {true, dict.add(call.key, call.argument)};
  }
  const auto found = dict.find(call.key);
  return {found.has_value(), found.value_or(0)};
}
DictModel::Call random_dict_call(Random& random) {
  return {static_cast<DictModel::Kind>(random.below(5)), random.below(3), random.below(5)};
}
std::int64_t key_of(const DictModel::Call& call) {
  return call.key;
}

/// A list used as a queue that nobody waits at.
Outcome operate(List<std::int64_t>& list, const QueueModel::Call& call) {
  if (call.kind == QueueModel::Kind::put) return list.push_back(call.argument), Outcome{true, 0};
  if (call.kind == QueueModel::Kind::size) return {true, static_cast<std::int64_t>(list.size())};
  try {
    return {true, list.pop(0)};
  } catch (const IndexError&) {
    return {false, 0};
  }
}

constexpr std::size_t clients = 4, operations = 300;

TEST(RecordedHistory, OfAValueIsLinearizable) {
  Manager manager;
  auto value = manager.value<std::int64_t>(0);
  Recording<ValueModel> recording(clients, operations);
  const auto exit_codes =
      run_workers<ValueModel>(recording, clients, [&](auto& client, std::size_t, Random& random) {
        for (std::size_t i = 0; i < operations; ++i) {
          const auto call = random_value_call(random);
          client.record(call, [&] { return operate(value, call); });
        }
      });
  EXPECT_THAT(exit_codes, Each(0));
  ASSERT_EQ(recording.history().size(), clients * operations);
  EXPECT_EQ(refusal_of(recording.history()), "");
}

TEST(RecordedHistory, OfADictIsLinearizableKeyByKey) {
  Manager manager;
  auto dict = manager.dict<std::int64_t, std::int64_t>();
  Recording<DictModel> recording(clients, operations);
  const auto exit_codes =
      run_workers<DictModel>(recording, clients, [&](auto& client, std::size_t, Random& random) {
        for (std::size_t i = 0; i < operations; ++i) {
          const auto call = random_dict_call(random);
          client.record(call, [&] { return operate(dict, call); });
        }
      });
  EXPECT_THAT(exit_codes, Each(0));
  const auto parts = partition(recording.history(), key_of);
  ASSERT_EQ(parts.size(), 3u);
  for (const auto& [key, history] : parts) EXPECT_EQ(refusal_of(history), "") << "key " << key;
}

TEST(RecordedHistory, OfAListUsedAsAQueueIsLinearizable) {
  Manager manager;
  auto list = manager.list<std::int64_t>();
  Recording<QueueModel> recording(clients, operations);
  const auto exit_codes =
      run_workers<QueueModel>(recording, clients, [&](auto& client, std::size_t n, Random& random) {
        for (std::size_t i = 0; i < operations; ++i) {
          const bool puts = random.one_in(3);
          const QueueModel::Call call{puts ? QueueModel::Kind::put : QueueModel::Kind::try_get,
                                      static_cast<std::int64_t>(n * operations + i)};
          client.record(call, [&] { return operate(list, call); });
        }
      });
  EXPECT_THAT(exit_codes, Each(0));
  EXPECT_EQ(refusal_of(recording.history()), "");
}

/// Clients beyond the surviving ones are killed in the middle of their last operation, one half before the manager can
/// have heard of it, the other after it was done.
constexpr std::size_t survivors = 3, victims = 6, operations_of_victims = 40;

template <class Model, class Object, class MakeCall>
History<Model> history_with_victims(Object object, MakeCall&& make_call) {
  Recording<Model> recording(survivors + victims, operations);
  const auto exit_codes =
      run_workers<Model>(recording, survivors + victims, [&](auto& client, std::size_t n, Random& random) {
        for (std::size_t i = 0; i < operations; ++i) {
          const auto call = make_call(random);
          const bool is_last = n >= survivors && i == operations_of_victims;
          client.record(call, [&] {
            if (is_last && n % 2 == 0) die();
            const auto result = operate(object, call);
            if (is_last) die();
            return result;
          });
        }
      });
  for (std::size_t n = 0; n < exit_codes.size(); ++n) EXPECT_EQ(exit_codes[n], n < survivors ? 0 : -SIGKILL);
  const History<Model> history = recording.history();
  EXPECT_EQ(
      std::count_if(history.begin(), history.end(), [](const auto& operation) { return !operation.result; }),
      std::ptrdiff_t{victims});
  return history;
}

TEST(RecordedHistory, OfAValueIsLinearizableThoughClientsAreKilled) {
  Manager manager;
  const auto history = history_with_victims<ValueModel>(manager.value<std::int64_t>(0), random_value_call);
  EXPECT_EQ(refusal_of(history), "");
}

TEST(RecordedHistory, OfADictIsLinearizableThoughClientsAreKilled) {
  Manager manager;
  const auto history =
      history_with_victims<DictModel>(manager.dict<std::int64_t, std::int64_t>(), random_dict_call);
  for (const auto& [key, part] : partition(history, key_of)) EXPECT_EQ(refusal_of(part), "") << "key " << key;
}

TEST(RecordedHistory, IsLinearizableThoughAClientIsKilledAtAnyMoment) {
  Manager manager;
  auto value = manager.value<std::int64_t>(0);
  for (std::size_t killed_after = 0; killed_after < 200; killed_after += 10) {
    value.store(0);
    Recording<ValueModel> recording(2, 2000);
    auto work = [&](std::size_t n) {
      auto client = recording.client(n);
      Random random(killed_after + n);
      for (int i = 0; i < 2000; ++i) {
        const auto call = random_value_call(random);
        client.record(call, [&] { return operate(value, call); });
      }
      pause();  // done before it was killed
    };
    Process victim(work, 0), witness(work, 1);
    eventually([&] { return recording.returned_count(0) > killed_after; }, "operations of the victim");
    victim.kill();
    victim.join();
    const std::size_t seen = recording.returned_count(1);
    eventually([&] { return recording.returned_count(1) >= std::min<std::size_t>(seen + 50, 2000); },
               "operations of the witness after that");
    witness.kill();
    witness.join();
    ASSERT_EQ(victim.exit_code(), -SIGKILL);
    ASSERT_EQ(witness.exit_code(), -SIGKILL);
    ASSERT_EQ(refusal_of(recording.history()), "") << "killed after " << killed_after;
  }
}

}  // namespace
}  // namespace tandem::test
