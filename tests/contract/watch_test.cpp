// Versions of containers, and waiting for them to change, over every way to reach a manager.

#include <functional>
#include <thread>

#include "tests/support/contract.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;

class WatchContract : public ContractTest {
 protected:
  /// By how much `change` moves the version.
  static std::uint64_t moved(const Container& object, const std::function<void()>& change) {
    const std::uint64_t before = object.version();
    change();
    return object.version() - before;
  }
};
TANDEM_CONTRACT_SUITE(WatchContract);

TEST_P(WatchContract, EveryContainerTellsOfItsChanges) {
  auto dict = manager().dict<std::string, int>();
  auto list = manager().list<int>();
  auto set = manager().set<int>();
  auto space = manager().ns();
  auto value = manager().value<int>(1);
  auto array = manager().array<int>(3);
  EXPECT_EQ(moved(dict, [&] { dict["a"] = 1; }), 1u);
  EXPECT_EQ(moved(list, [&] { list.push_back(1); }), 1u);
  EXPECT_EQ(moved(set, [&] { set.insert(1); }), 1u);
  EXPECT_EQ(moved(space, [&] { space["a"] = 1; }), 1u);
  EXPECT_EQ(moved(value, [&] { value += 1; }), 1u);
  EXPECT_EQ(moved(array, [&] { array[0] = 1; }), 1u);
}

TEST_P(WatchContract, QueuesTellOfTheirItems) {
  const auto tells = [&](const auto& queue) {
    EXPECT_EQ(moved(queue, [&] { queue.put(1); }), 1u);
    EXPECT_EQ(moved(queue, [&] { queue.put_many({2, 3, 4}); }), 1u) << "in one step";
    EXPECT_EQ(moved(queue, [&] { (void)queue.get(); }), 1u);
    std::vector<Lease<int>> leases;
    EXPECT_EQ(moved(queue, [&] { leases = queue.get_many_leased(2); }), 1u);
    EXPECT_EQ(moved(queue, [&] { leases.front().give_back(); }), 1u);
    EXPECT_EQ(moved(queue, [&] { leases.back().done(); }), 1u);
    EXPECT_EQ(moved(queue, [&] { queue.close(); }), 1u);
    EXPECT_EQ(moved(queue,
                    [&] {
                      queue.close();
                      queue.task_done(0);
                      queue.size(), queue.is_closed();
                    }),
              0u);
    EXPECT_EQ(moved(queue, [&] { queue.close(immediate); }), 1u) << "what was inside is dropped";
    EXPECT_THROW(queue.put(5), Closed);
    EXPECT_THROW((void)queue.get(), Closed);
    EXPECT_EQ(moved(queue, [&] { queue.close(immediate); }), 0u);
  };
  tells(manager().queue<int>());
  tells(manager().lifo_queue<int>());
  tells(manager().priority_queue<int>());
  auto full = manager().queue<int>(1);
  EXPECT_EQ(moved(full, [&] { EXPECT_FALSE(full.try_get()); }), 0u);
  full.put(1);
  EXPECT_EQ(moved(full, [&] { EXPECT_FALSE(full.try_put(2)); }), 0u);
}

TEST_P(WatchContract, AnItemThatIsHandedOverIsSeen) {
  auto queue = manager().queue<int>();
  const std::uint64_t seen = queue.version();
  std::jthread getter([&] { EXPECT_EQ(queue.get(), 7); });
  wait_for_waiters(1);
  std::jthread watcher([&] { EXPECT_GT(queue.wait_for_change(seen), seen); });
  wait_for_waiters(2);
  queue.put(7);
  getter.join();
  watcher.join();
  EXPECT_EQ(queue.size(), 0u);
}

TEST_P(WatchContract, AnItemThatComesBackFromTheDeadIsSeen) {
  auto queue = manager().queue<int>("work");
  queue.put(1);
  auto other = std::make_unique<Manager>(connect());
  std::optional<Queue<int>> theirs = other->queue<int>("work");
  std::optional<Lease<int>> lease(theirs->get_leased());
  const std::uint64_t seen = queue.version();
  std::jthread watcher([&] { EXPECT_GT(queue.wait_for_change(seen), seen); });
  wait_for_waiters(1);
  lease->forget();
  lease.reset();
  theirs.reset();
  other.reset();
  watcher.join();
  EXPECT_EQ(queue.get(), 1);
}

TEST_P(WatchContract, ReadsAndFailuresAreNoChanges) {
  auto dict = manager().dict<std::string, int>({{"a", 1}});
  auto list = manager().list<std::string>({"x", "y"});
  EXPECT_EQ(moved(dict, [&] { dict.snapshot(), dict.find("a"), dict.version(); }), 0u);
  EXPECT_EQ(moved(dict, [&] { error_of<KeyError>([&] { dict.pop("b"); }); }), 0u);
  EXPECT_EQ(moved(list, [&] { error_of<IndexError>([&] { list[5] = "z"; }); }), 0u);
}

TEST_P(WatchContract, WhatFindsNothingToChangeChangesNothing) {
  auto dict = manager().dict<std::string, int>({{"a", 1}});
  EXPECT_EQ(moved(dict,
                  [&] {
                    dict.erase("b");
                    dict.insert("a", 2);
                    dict.get_or_insert("a", 2);
                    dict.pop("b", 0);
                    dict.compare_exchange("a", 5, 6);
                    dict.compare_exchange("b", std::nullopt, std::nullopt);
                    dict.update(std::map<std::string, int>());
                  }),
            0u);
  auto list = manager().list<int>({1, 2, 3});
  EXPECT_EQ(moved(list,
                  [&] {
                    list.sort();
                    list.extend({});
                    list.erase_slice(5);
                    list.assign_slice({}, 1, 1);
                    list *= 1;
                  }),
            0u);
  auto set = manager().set<int>({1, 2});
  EXPECT_EQ(moved(set,
                  [&] {
                    set.insert(1);
                    set.erase(5);
                    set |= {1, 2};
                    set &= {1, 2, 3};
                    set -= {7};
                    set ^= {};
                  }),
            0u);
  auto empty = manager().list<int>();
  EXPECT_EQ(moved(empty, [&] { empty.clear(), empty.reverse(), empty *= 3; }), 0u);
  auto value = manager().value<int>(1);
  int expected = 2;
  EXPECT_EQ(moved(value, [&] { value.compare_exchange(expected, 3); }), 0u);
  auto space = manager().ns();
  EXPECT_EQ(moved(space, [&] { space.erase("a"); }), 0u);
}

TEST_P(WatchContract, StoringAnEqualValueIsAChange) {
  auto value = manager().value<int>(1);
  EXPECT_EQ(moved(value, [&] { value = 1; }), 1u);
}

TEST_P(WatchContract, WhatLiesInsideAnotherObjectIsThatObjectsOwn) {
  auto outer = manager().list<List<int>>();
  auto inner = manager().list<int>();
  outer.push_back(inner);
  EXPECT_EQ(moved(outer, [&] { inner.push_back(1); }), 0u);
}

TEST_P(WatchContract, AChangeSinceThenEndsTheWaitAtOnce) {
  auto list = manager().list<int>();
  const std::uint64_t seen = list.version();
  list.push_back(1);
  list.push_back(2);
  EXPECT_EQ(list.wait_for_change(seen), seen + 2);
  EXPECT_EQ(list.wait_for_change(seen, 0ms), seen + 2);
}

TEST_P(WatchContract, AVersionThatIsNoneOfItsOwnEndsTheWaitAtOnce) {
  auto list = manager().list<int>();
  EXPECT_EQ(list.wait_for_change(77), list.version());
}

TEST_P(WatchContract, TheLimitRunsOut) {
  auto list = manager().list<int>();
  const std::uint64_t seen = list.version();
  EXPECT_EQ(list.wait_for_change(seen, 0ms), std::nullopt);
  EXPECT_EQ(list.wait_for_change(seen, 1ms), std::nullopt);
  EXPECT_EQ(list.wait_for_change(seen, std::chrono::steady_clock::now()), std::nullopt);
}

TEST_P(WatchContract, AChangeServesAllWhoWait) {
  auto dict = manager().dict<std::string, int>();
  const std::uint64_t seen = dict.version();
  std::atomic<int> told{0};
  std::vector<std::jthread> watchers;
  for (int i = 0; i < 3; ++i)
    watchers.emplace_back([&] {
      if (dict.wait_for_change(seen) == seen + 1) ++told;
    });
  wait_for_waiters(3);
  dict.erase("a");
  EXPECT_EQ(manager().information().at("waiters"), 3) << "nothing was there to erase";
  dict["a"] = 1;
  watchers.clear();
  EXPECT_EQ(told, 3);
}

TEST_P(WatchContract, AStopRequestEndsTheWait) {
  auto list = manager().list<int>();
  std::optional<std::uint64_t> version = 5;
  std::jthread watcher(
      [&](const std::stop_token& stop) { version = list.wait_for_change(list.version(), stop); });
  wait_for_waiters(1);
  watcher.request_stop();
  watcher.join();
  EXPECT_EQ(version, std::nullopt);
  wait_for_waiters(0);
}

TEST_P(WatchContract, RemovingTheObjectEndsTheWait) {
  auto list = manager().list<int>("watched");
  std::string text;
  std::jthread watcher([&] { text = error_of<ObjectGone>([&] { list.wait_for_change(list.version()); }); });
  wait_for_waiters(1);
  manager().remove("watched");
  watcher.join();
  EXPECT_THAT(text, ::testing::HasSubstr("removed while it was waited for"));
  EXPECT_THAT(error_of<ObjectGone>([&] { list.version(); }), ::testing::HasSubstr("is gone"));
  EXPECT_THAT(error_of<ObjectGone>([&] { list.wait_for_change(0, 1ms); }), ::testing::HasSubstr("is gone"));
}

TEST_P(WatchContract, AWatcherWhoseClientDiesLeaves) {
  auto list = manager().list<int>("watched");
  {
    std::jthread watcher([&](const std::stop_token& stop) {
      auto other = connect().get<List<int>>("watched");
      other.wait_for_change(other.version(), stop);
    });
    wait_for_waiters(1);
  }
  wait_for_waiters(0);
  list.push_back(1);
}

TEST_P(WatchContract, AnEmptyProxyHasNoVersion) {
  EXPECT_EQ(error_of<ValueError>([] { List<int>().version(); }), "an empty proxy has no object to call");
  EXPECT_EQ(error_of<ValueError>([] { List<int>().wait_for_change(0); }),
            "an empty proxy has no object to call");
}

}  // namespace
}  // namespace tandem::test
