// The checker at work: what users do wrong with shared objects, done by real processes in an order that shows it, is
// refused; the same done right is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tandem/tandem.hpp"
#include "tests/linearizability/explanation.hpp"
#include "tests/linearizability/models.hpp"
#include "tests/linearizability/workers.hpp"

namespace tandem::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Two processes, each with its place in the recording and the means to let the other go on.
template <class Model>
class TwoProcesses {
 public:
  struct Side {
    typename Recording<Model>::Client client;
    Signal& go;      // for the other
    Signal& may_go;  // from the other
  };
  /// What is refused about what the two did.
  std::string run(const std::function<void(Side&)>& first, const std::function<void(Side&)>& second) {
    Process one([&] { in_process(0, first, second_may_go_, first_may_go_); });
    Process other([&] { in_process(1, second, first_may_go_, second_may_go_); });
    one.join();
    other.join();
    EXPECT_EQ(one.exit_code(), 0);
    EXPECT_EQ(other.exit_code(), 0);
    return refusal_of(recording_.history());
  }

 private:
  void in_process(std::size_t number, const std::function<void(Side&)>& body, Signal& go, Signal& may_go) {
    Side side{recording_.client(number), go, may_go};
    body(side);
  }
  Recording<Model> recording_{2, 10};
  Signal first_may_go_, second_may_go_;
};

TEST(SeededBug, AnAdditionOfTwoStepsIsCaught) {
  Manager manager;
  auto value = manager.value<std::int64_t>(0);
  const ValueModel::Call add_one{ValueModel::Kind::fetch_add, 1};
  const std::string refusal = TwoProcesses<ValueModel>().run(
      [&](auto& side) {
        side.client.record(add_one, [&] {
          const std::int64_t before = value.load();
          side.go.send();
          side.may_go.wait();
          value.store(before + 1);
          return Outcome{true, before};
        });
      },
      [&](auto& side) {
        side.may_go.wait();
        side.client.record(add_one, [&] { return Outcome{true, value.fetch_add(1)}; });
        side.go.send();
        side.client.record({ValueModel::Kind::load}, [&] { return Outcome{true, value.load()}; });
      });
  EXPECT_THAT(refusal,
              AllOf(HasSubstr("  client 0  fetch_add(1) → 0  |"), HasSubstr("  client 1  fetch_add(1) → 0  "),
                    HasSubstr("Then the value is 1, and one of these would have to be next:"),
                    HasSubstr(" fetch_add(1) → 0, but would give 1")));
}

TEST(SeededBug, TheSameInOneStepIsFine) {
  Manager manager;
  auto value = manager.value<std::int64_t>(0);
  auto add = [&](auto& side) {
    side.go.send();
    side.may_go.wait();
    side.client.record({ValueModel::Kind::fetch_add, 1}, [&] { return Outcome{true, value.fetch_add(1)}; });
  };
  EXPECT_EQ(TwoProcesses<ValueModel>().run(add, add), "");
  EXPECT_EQ(value.load(), 2);
}

/// Reads of a dict that remember what they read.
class CachingDict {
 public:
  explicit CachingDict(Dict<std::int64_t, std::int64_t> dict) : dict_(std::move(dict)) {}
  Outcome find(std::int64_t key) {
    auto found = cache_.find(key);
    if (found == cache_.end()) found = cache_.emplace(key, dict_.find(key)).first;
    return {found->second.has_value(), found->second.value_or(0)};
  }

 private:
  Dict<std::int64_t, std::int64_t> dict_;
  std::map<std::int64_t, std::optional<std::int64_t>> cache_;
};

TEST(SeededBug, ACacheInTheClientIsCaught) {
  Manager manager;
  auto dict = manager.dict<std::int64_t, std::int64_t>();
  using Kind = DictModel::Kind;
  const std::string refusal = TwoProcesses<DictModel>().run(
      [&](auto& side) {
        side.client.record({Kind::insert_or_assign, 7, 1}, [&] {
          return Outcome{dict.insert_or_assign(7, 1), 0};
        });
        side.go.send();
        side.may_go.wait();
        side.client.record({Kind::insert_or_assign, 7, 2}, [&] {
          return Outcome{dict.insert_or_assign(7, 2), 0};
        });
        side.go.send();
      },
      [&](auto& side) {
        CachingDict cached(dict);
        side.may_go.wait();
        side.client.record({Kind::find, 7}, [&] { return cached.find(7); });
        side.go.send();
        side.may_go.wait();
        side.client.record({Kind::find, 7}, [&] { return cached.find(7); });
      });
  EXPECT_THAT(refusal, AllOf(HasSubstr("  client 0  insert_or_assign(7, 2) → false  |-|"),
                             HasSubstr("  client 1  find(7) → 1"),
                             HasSubstr("Then the entry is 2, and one of these would have to be next:\n"
                                       "  client 1  find(7) → 1, but would give 2\n")));
}

TEST(SeededBug, AQueueThatLooksAndThenTakesIsCaught) {
  Manager manager;
  auto list = manager.list<std::int64_t>();
  const std::string refusal = TwoProcesses<QueueModel>().run(
      [&](auto& side) {
        side.client.record({QueueModel::Kind::put, 5}, [&] { return list.push_back(5), Outcome{true, 0}; });
        side.client.record({QueueModel::Kind::put, 6}, [&] { return list.push_back(6), Outcome{true, 0}; });
        side.client.record({QueueModel::Kind::try_get}, [&] {
          const std::int64_t item = list[0];
          side.go.send();
          side.may_go.wait();
          list.pop(0);
          return Outcome{true, item};
        });
      },
      [&](auto& side) {
        side.may_go.wait();
        side.client.record({QueueModel::Kind::try_get}, [&] { return Outcome{true, list.pop(0)}; });
        side.go.send();
      });
  EXPECT_THAT(refusal,
              AllOf(HasSubstr("client 0  try_get() → 5"), HasSubstr("client 1  try_get() → 5"),
                    HasSubstr("Then the queue holds 6, and"), HasSubstr("try_get() → 5, but would give 6")));
}

TEST(SeededBug, ALockThatLooksAndThenTakesIsCaught) {
  Manager manager;
  auto dict = manager.dict<std::string, std::int64_t>();
  const std::string refusal = TwoProcesses<LockModel>().run(
      [&](auto& side) {
        side.client.record({LockModel::Kind::try_acquire, 1}, [&] {
          if (dict.contains("owner")) return LockModel::Result{};
          side.go.send();
          side.may_go.wait();
          dict["owner"] = 1;
          return LockModel::Result{true, dict.add("token", 1), false};
        });
      },
      [&](auto& side) {
        side.may_go.wait();
        side.client.record({LockModel::Kind::try_acquire, 2}, [&] {
          const bool taken = dict.insert("owner", 2);
          return LockModel::Result{taken, taken ? dict.add("token", 1) : 0, false};
        });
        side.go.send();
      });
  EXPECT_THAT(refusal, AllOf(HasSubstr("client 0  try_acquire() by 1 → token 2"),
                             HasSubstr("client 1  try_acquire() by 2 → token 1"),
                             HasSubstr("Then the lock is owned by 1, the last token 2, and"),
                             HasSubstr("try_acquire() by 2 → token 1, but would give owned by another")));
}

}  // namespace
}  // namespace tandem::test
