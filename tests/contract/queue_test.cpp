// What queues do, over every way to reach a manager.

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <thread>

#include "tests/support/contract.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/generated.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class QueueContract : public ContractTest {
 protected:
  /// A thread that is known to wait in the manager, as the `others + 1`th.
  template <class F>
  std::jthread waiting(F&& body, std::uint64_t others = 0) {
    std::jthread thread(std::forward<F>(body));
    wait_for_waiters(others + 1);
    return thread;
  }
};
TANDEM_CONTRACT_SUITE(QueueContract);

TEST_P(QueueContract, TheOldestComesOutFirst) {
  Queue<int> queue = manager().queue<int>();
  for (int i = 0; i < 5; ++i) queue.put(i);
  EXPECT_EQ(queue.size(), 5u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(queue.get(), i);
  EXPECT_TRUE(queue.empty());
}

TEST_P(QueueContract, TheNewestComesOutFirst) {
  LifoQueue<std::string> queue = manager().lifo_queue<std::string>();
  EXPECT_EQ(queue.put_many({"a", "b", "c"}), 3u);
  EXPECT_EQ(queue.get(), "c");
  queue.put("d");
  EXPECT_THAT(queue.get_many(9), ElementsAre("d", "b", "a"));
}

TEST_P(QueueContract, TheLeastComesOutFirst) {
  PriorityQueue<std::pair<int, std::string>> queue = manager().priority_queue<std::pair<int, std::string>>();
  queue.put({2, "b"});
  queue.put({1, "z"});
  queue.put({3, "a"});
  queue.put({1, "y"});
  EXPECT_EQ(queue.get().second, "y");
  EXPECT_EQ(queue.get().second, "z");
  EXPECT_EQ(queue.get().second, "b");
  EXPECT_EQ(queue.get().second, "a");
}

TEST_P(QueueContract, OfEqualItemsTheOldestComesOutFirst) {
  PriorityQueue<> queue = manager().priority_queue();
  queue.put(1);
  queue.put(1.0);
  queue.put(true);
  queue.put(0.5);
  EXPECT_EQ(queue.get().dump(), "0.5");
  EXPECT_EQ(queue.get().dump(), "1");
  EXPECT_EQ(queue.get().dump(), "1.0");
  EXPECT_EQ(queue.get().dump(), "true");
}

TEST_P(QueueContract, WhatCannotBeComparedIsRefusedWhenItIsPut) {
  PriorityQueue<> queue = manager().priority_queue();
  queue.put({1, "a"});
  queue.put({2, 2});
  EXPECT_THAT(error_of<TypeError>([&] { queue.put({1, 2}); }), HasSubstr("'<' not supported"));
  EXPECT_THROW(queue.put("text"), TypeError);
  EXPECT_THROW(queue.put_many({{0, 0}, {2, "b"}, {1, "b"}}), TypeError);
  EXPECT_EQ(queue.size(), 2u) << "of a batch with such an item nothing is put";
  EXPECT_EQ(queue.unfinished(), 2u);
  EXPECT_EQ(queue.get().dump(), R"([1,"a"])");
  EXPECT_EQ(queue.get().dump(), "[2,2]");
  queue.put("text");
  EXPECT_EQ(queue.get(), "text");
}

/// How many items people who look in see.
std::size_t items_seen(const Proxy& queue) {
  using Page = std::pair<std::int64_t, std::vector<int>>;
  using Op = ops::QueueOperations::Page;
  client::Call call(*queue.remote(), Op::description, 2);
  client::encode_arguments<Op>(call.arguments(), 0, 100);
  return client::decode_result<Op::Result, Page>(call.send()).second.size();
}

/// Everything but the order is the same for all of them.
template <class Q>
void use(const Q& queue) {
  EXPECT_EQ(queue.maxsize(), 9u);
  queue.put(1);
  EXPECT_EQ(queue.put_many({2, 3, 4, 5}), 4u);
  EXPECT_FALSE(queue.full());
  EXPECT_EQ(items_seen(queue), queue.size());
  queue.get();
  EXPECT_EQ(queue.get_many(2).size(), 2u);
  queue.task_done(3);
  queue.get_leased().done();
  queue.get_leased().give_back();
  EXPECT_EQ(queue.leased(), 0u);
  EXPECT_EQ(queue.unfinished(), 1u);
  queue.close(immediate);
  EXPECT_TRUE(queue.is_closed());
  queue.join();
}

TEST_P(QueueContract, AllKindsCanDoTheSame) {
  use(manager().queue<int>(9));
  use(manager().lifo_queue<int>(9));
  use(manager().priority_queue<int>(9));
}

TEST_P(QueueContract, ItemsAreOfAnyKind) {
  Queue<> queue = manager().queue();
  queue.put(1);
  queue.put(nullptr);
  queue.put({1, "a"});
  queue.put(std::vector<double>{0.5});
  EXPECT_EQ(queue.get<int>(), 1);
  EXPECT_EQ(queue.get(), nullptr);
  EXPECT_EQ(queue.get(), (nlohmann::json{1, "a"}));
  EXPECT_THAT(queue.get<std::vector<double>>(), ElementsAre(0.5));
}

TEST_P(QueueContract, AnEmptyQueueGivesNothingWithinALimit) {
  Queue<int> queue = manager().queue<int>();
  EXPECT_EQ(queue.try_get(), std::nullopt);
  EXPECT_EQ(queue.get_for(1ms), std::nullopt);
  EXPECT_EQ(queue.get_until(std::chrono::steady_clock::now() - 1s), std::nullopt);
  EXPECT_THAT(queue.try_get_many(3), IsEmpty());
  EXPECT_THAT(queue.get_many_for(3, 1ms), IsEmpty());
  EXPECT_THAT(queue.get_many_until(3, std::chrono::steady_clock::now() - 1s), IsEmpty());
  EXPECT_FALSE(queue.try_get_leased());
  EXPECT_FALSE(queue.get_leased_for(1ms));
  queue.put(1);
  EXPECT_EQ(queue.try_get(), 1);
}

TEST_P(QueueContract, AFullQueueTakesNothingWithinALimit) {
  Queue<int> queue = manager().queue<int>(2);
  EXPECT_EQ(queue.maxsize(), 2u);
  EXPECT_TRUE(queue.try_put(1));
  EXPECT_FALSE(queue.full());
  EXPECT_TRUE(queue.put_for(2, 1ms));
  EXPECT_TRUE(queue.full());
  EXPECT_FALSE(queue.try_put(3));
  EXPECT_FALSE(queue.put_for(3, 1ms));
  EXPECT_FALSE(queue.put_until(3, std::chrono::steady_clock::now() - 1s));
  EXPECT_EQ(queue.try_put_many({3, 4}), 0u);
  EXPECT_EQ(queue.put_many_for({3, 4}, 1ms), 0u);
  EXPECT_EQ(queue.put_many_until({3, 4}, std::chrono::system_clock::now() - 1s), 0u);
  EXPECT_THAT(queue.get_many(9), ElementsAre(1, 2));
}

TEST_P(QueueContract, AMaxsizeOfNoneOrLessIsNoLimit) {
  for (std::int64_t maxsize : {0, -1}) {
    Queue<int> queue = manager().queue<int>(maxsize);
    EXPECT_EQ(queue.maxsize(), 0u);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(queue.try_put(i));
    EXPECT_FALSE(queue.full());
  }
}

TEST_P(QueueContract, AGetterWaitsForAnItem) {
  Queue<std::string> queue = manager().queue<std::string>();
  std::string got;
  std::jthread getter = waiting([&] { got = queue.get(); });
  queue.put("an item that does not fit into the value itself");
  getter.join();
  EXPECT_EQ(got, "an item that does not fit into the value itself");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.unfinished(), 1u);
}

TEST_P(QueueContract, APutterWaitsForRoom) {
  Queue<int> queue = manager().queue<int>(1);
  queue.put(1);
  std::jthread putter = waiting([&] { queue.put(2); });
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_EQ(queue.get(), 1);
  putter.join();
  EXPECT_EQ(queue.get(), 2);
}

TEST_P(QueueContract, WhoWaitedLongestForAnItemGetsTheFirst) {
  Queue<int> queue = manager().queue<int>();
  std::vector<int> got(4);
  std::vector<std::jthread> getters;
  for (std::size_t i = 0; i < got.size(); ++i)
    getters.push_back(waiting([&, i] { got[i] = queue.get(); }, i));
  for (int i = 0; i < 4; ++i) queue.put(i);
  getters.clear();
  EXPECT_THAT(got, ElementsAre(0, 1, 2, 3));
}

TEST_P(QueueContract, WhoWaitedLongestForRoomPutsFirst) {
  Queue<int> queue = manager().queue<int>(1);
  queue.put(0);
  std::vector<std::jthread> putters;
  for (int i = 1; i < 4; ++i)
    putters.push_back(waiting([&, i] { queue.put(i); }, static_cast<std::uint64_t>(i - 1)));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(queue.get(), i);
}

TEST_P(QueueContract, WhoGivesUpLeavesTheLine) {
  Queue<int> queue = manager().queue<int>();
  std::optional<int> stopped = 0;
  std::optional<int> late = 0;
  int served = 0;
  std::jthread first = waiting([&](const std::stop_token& stop) { stopped = queue.get(stop); });
  std::jthread second = waiting([&] { late = queue.get_for(1ms); });  // maybe over by now
  std::jthread third([&] { served = queue.get(); });
  second.join();
  wait_for_waiters(2);
  first.request_stop();
  first.join();
  wait_for_waiters(1);
  queue.put(7);
  third.join();
  EXPECT_EQ(stopped, std::nullopt);
  EXPECT_EQ(late, std::nullopt);
  EXPECT_EQ(served, 7);
}

TEST_P(QueueContract, APutterThatGivesUpPutsNothing) {
  Queue<int> queue = manager().queue<int>(1);
  queue.put(1);
  bool was_put = true;
  std::jthread putter = waiting([&](const std::stop_token& stop) { was_put = queue.put(2, stop); });
  putter.request_stop();
  putter.join();
  EXPECT_FALSE(was_put);
  EXPECT_EQ(queue.get(), 1);
  EXPECT_EQ(queue.try_get(), std::nullopt);
}

TEST_P(QueueContract, ABatchMayBeLargerThanTheQueue) {
  Queue<int> queue = manager().queue<int>(3);
  std::vector<int> batch(10);
  std::iota(batch.begin(), batch.end(), 0);
  std::size_t put = 0;
  std::jthread putter = waiting([&] { put = queue.put_many(batch); });
  EXPECT_EQ(queue.size(), 3u);
  std::jthread other = waiting([&] { queue.put(10); }, 1);
  std::vector<int> got;
  while (got.size() < 11) {
    for (int item : queue.get_many(2)) got.push_back(item);
    EXPECT_LE(queue.size(), 3u);
  }
  putter.join();
  EXPECT_EQ(put, 10u);
  batch.push_back(10);
  EXPECT_EQ(got, batch) << "nobody gets in between";
}

TEST_P(QueueContract, ABatchMayBeReadInASinglePass) {
  auto queue = manager().queue<int>();
  EXPECT_EQ(
      queue.put_many(Generated([n = 0]() mutable { return n < 3 ? std::optional(n++) : std::nullopt; })), 3u);
  EXPECT_THAT(queue.get_many(10), ElementsAre(0, 1, 2));
}

TEST_P(QueueContract, ABatchThatIsStoppedTellsHowManyItPut) {
  Queue<int> queue = manager().queue<int>(2);
  EXPECT_EQ(queue.try_put_many({1, 2, 3}), 2u);
  std::size_t put = 0;
  std::jthread putter = waiting([&](const std::stop_token& stop) {
    put = queue.put_many(std::vector{3, 4, 5}, stop);
  });
  EXPECT_EQ(queue.get(), 1);
  wait_for_waiters(1);
  putter.request_stop();
  putter.join();
  EXPECT_EQ(put, 1u);
  EXPECT_THAT(queue.get_many(9), ElementsAre(2, 3));
}

TEST_P(QueueContract, GetManyWaitsForTheFirstOnly) {
  Queue<int> queue = manager().queue<int>();
  std::vector<int> got;
  std::jthread getter = waiting([&] { got = queue.get_many(3); });
  queue.put_many({1, 2});
  getter.join();
  EXPECT_THAT(got, ElementsAre(1, 2));
  queue.put_many({1, 2, 3, 4});
  EXPECT_THAT(queue.get_many(3), ElementsAre(1, 2, 3));
  EXPECT_THROW(queue.get_many(0), ValueError);
  EXPECT_THROW(queue.get_many_leased(0), ValueError);
}

TEST_P(QueueContract, CountsMayBeOfAnySize) {
  constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
  Queue<int> queue = manager().queue<int>();
  queue.put_many({1, 2, 3});
  {
    auto leases = queue.get_many_leased(all);
    EXPECT_EQ(leases.size(), 3u);
  }
  EXPECT_THAT(queue.get_many(all), ElementsAre(1, 2, 3));
  EXPECT_THAT(queue.try_get_many(all), IsEmpty());
  EXPECT_THAT(error_of<ValueError>([&] { queue.task_done(all); }),
              HasSubstr("18446744073709551615 is too large: at most 9223372036854775807"));
  EXPECT_EQ(queue.unfinished(), 3u);
  EXPECT_THROW((void)manager().barrier(all), ValueError);
}

TEST_P(QueueContract, ABatchServesSeveral) {
  Queue<int> queue = manager().queue<int>(1);
  std::vector<int> got(3);
  std::vector<std::jthread> getters;
  for (std::size_t i = 0; i < got.size(); ++i)
    getters.push_back(waiting([&, i] { got[i] = queue.get(); }, i));
  EXPECT_EQ(queue.put_many({1, 2, 3, 4}), 4u);
  getters.clear();
  EXPECT_THAT(got, ElementsAre(1, 2, 3));
  EXPECT_EQ(queue.get(), 4);
}

TEST_P(QueueContract, LargeItemsComeInSmallerBatches) {
  Queue<std::string> queue = manager().queue<std::string>();
  const std::string large(700'000, 'x');
  for (int i = 0; i < 3; ++i) queue.put(large);
  EXPECT_THAT(queue.get_many(3), ElementsAre(large));
  EXPECT_EQ(queue.get(), large);
  EXPECT_EQ(queue.get_leased()->size(), large.size());
}

TEST_P(QueueContract, AClosedQueueIsDrained) {
  Queue<int> queue = manager().queue<int>();
  queue.put_many({1, 2});
  EXPECT_FALSE(queue.is_closed());
  queue.close();
  EXPECT_TRUE(queue.is_closed());
  EXPECT_THROW(queue.put(3), Closed);
  EXPECT_THROW(queue.try_put(3), Closed);
  EXPECT_THROW(queue.put_many({3, 4}), Closed);
  EXPECT_EQ(queue.get(), 1);
  EXPECT_THAT(queue.get_many(5), ElementsAre(2));
  EXPECT_THAT(error_of<Closed>([&] { queue.get(); }), HasSubstr("closed"));
  EXPECT_THROW(queue.try_get(), Closed);
  EXPECT_THROW(queue.get_many(1), Closed);
  EXPECT_THROW((void)queue.get_leased(), Closed);
  queue.task_done(2);
  queue.join();
}

TEST_P(QueueContract, ClosingAtOnceDropsEverything) {
  Queue<int> queue = manager().queue<int>();
  queue.put_many({1, 2, 3});
  EXPECT_EQ(queue.get(), 1);
  std::jthread joiner = waiting([&] { queue.join(); });
  queue.close(immediate);
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.unfinished(), 1u) << "what was dropped counts as done, what was got does not";
  EXPECT_THROW(queue.get(), Closed);
  queue.task_done();
}

TEST_P(QueueContract, ClosingEndsEveryWait) {
  Queue<int> empty = manager().queue<int>();
  Queue<int> full = manager().queue<int>(1);
  full.put(0);
  std::vector<std::string> texts(5);
  std::size_t put = 0;
  std::vector<std::jthread> threads;
  threads.push_back(waiting([&] { texts[0] = error_of<Closed>([&] { empty.get(); }); }, 0));
  threads.push_back(waiting([&] { texts[1] = error_of<Closed>([&] { empty.get_many(2); }); }, 1));
  threads.push_back(
      waiting([&] { texts[2] = error_of<Closed>([&] { (void)empty.get_leased_for(1h); }); }, 2));
  threads.push_back(waiting([&] { texts[3] = error_of<Closed>([&] { full.put(1); }); }, 3));
  threads.push_back(waiting([&] { texts[4] = error_of<Closed>([&] { full.put_many({1, 2}); }); }, 4));
  empty.close();
  full.close();
  threads.clear();
  EXPECT_THAT(texts, ::testing::Each(HasSubstr("closed")));
  Queue<int> half = manager().queue<int>(1);
  threads.push_back(waiting([&] { put = half.put_many({1, 2}); }));
  half.close();
  threads.clear();
  EXPECT_EQ(put, 1u) << "who has put some is told how many";
  EXPECT_EQ(half.get(), 1);
}

TEST_P(QueueContract, IterationEndsWhenAllIsDrained) {
  Queue<int> queue = manager().queue<int>();
  std::vector<int> got;
  std::jthread consumer([&] {
    for (auto& item : queue) got.push_back(item);
  });
  queue.put_many({1, 2, 3});
  queue.put(4);
  queue.close();
  consumer.join();
  EXPECT_THAT(got, ElementsAre(1, 2, 3, 4));
}

TEST_P(QueueContract, JoinWaitsUntilAllIsDone) {
  Queue<int> queue = manager().queue<int>();
  queue.join();
  queue.put_many({1, 2, 3});
  EXPECT_EQ(queue.unfinished(), 3u);
  EXPECT_FALSE(queue.join_for(0ms));
  EXPECT_FALSE(queue.join_for(1ms));
  EXPECT_FALSE(queue.join_until(std::chrono::steady_clock::now() - 1s));
  bool joined = false;
  bool stopped = true;
  std::jthread joiner = waiting([&] { joined = queue.join_for(1h); });
  std::jthread other = waiting([&](const std::stop_token& stop) { stopped = queue.join(stop); }, 1);
  other.request_stop();
  other.join();
  EXPECT_FALSE(stopped);
  queue.get_many(3);
  queue.task_done();
  EXPECT_EQ(queue.unfinished(), 2u);
  queue.task_done(2);
  joiner.join();
  EXPECT_TRUE(joined);
}

TEST_P(QueueContract, TaskDoneIsRefusedWhenItIsSaidTooOften) {
  Queue<int> queue = manager().queue<int>();
  EXPECT_THROW(queue.task_done(), ValueError);
  queue.put_many({1, 2});
  queue.get();
  EXPECT_THROW(queue.task_done(3), ValueError);
  queue.task_done();
  auto lease = queue.get_leased();
  EXPECT_THAT(error_of<ValueError>([&] { queue.task_done(); }), HasSubstr("leased"));
  lease.done();
  EXPECT_EQ(queue.unfinished(), 0u);
}

TEST_P(QueueContract, ALeaseIsDone) {
  Queue<std::string> queue = manager().queue<std::string>();
  queue.put("a");
  Lease<std::string> lease = queue.get_leased();
  EXPECT_EQ(*lease, "a");
  EXPECT_EQ(lease->size(), 1u);
  EXPECT_EQ(lease.deliveries(), 1u);
  EXPECT_TRUE(lease);
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.leased(), 1u);
  EXPECT_EQ(queue.unfinished(), 1u);
  lease.done();
  EXPECT_FALSE(lease);
  EXPECT_EQ(queue.leased(), 0u);
  EXPECT_EQ(queue.unfinished(), 0u);
  EXPECT_THROW(lease.done(), ValueError);
  EXPECT_THROW(lease.give_back(), ValueError);
}

TEST_P(QueueContract, AnItemGivenBackStandsWhereItStood) {
  Queue<int> queue = manager().queue<int>();
  queue.put_many({1, 2, 3});
  auto one = queue.get_leased();
  auto two = queue.get_leased();
  two.give_back();
  one.give_back();
  EXPECT_EQ(queue.unfinished(), 3u);
  auto again = queue.get_leased();
  EXPECT_EQ(*again, 1);
  EXPECT_EQ(again.deliveries(), 2u);
  EXPECT_THAT(queue.get_many(9), ElementsAre(2, 3));
  again.done();

  LifoQueue<int> stack = manager().lifo_queue<int>();
  stack.put_many({1, 2, 3});
  auto top = stack.get_leased();
  stack.put(4);
  top.give_back();
  EXPECT_THAT(stack.get_many(9), ElementsAre(4, 3, 2, 1)) << "as if it had never been taken";

  PriorityQueue<int> sorted = manager().priority_queue<int>();
  sorted.put_many({5, 3, 4});
  auto least = sorted.get_leased();
  sorted.put(1);
  least.give_back();
  EXPECT_THAT(sorted.get_many(9), ElementsAre(1, 3, 4, 5));
}

TEST_P(QueueContract, ALeaseThatIsDroppedGivesTheItemBack) {
  Queue<int> queue = manager().queue<int>();
  queue.put(1);
  EXPECT_THROW(
      {
        auto lease = queue.get_leased();
        throw std::runtime_error("the work failed");
      },
      std::runtime_error);
  auto lease = queue.get_leased();
  EXPECT_EQ(lease.deliveries(), 2u);
  queue.put(2);
  lease = queue.get_leased();
  EXPECT_EQ(*lease, 2);
  EXPECT_EQ(queue.get(), 1) << "assignment drops what was held before";
  lease.done();
}

TEST_P(QueueContract, AnItemGivenBackServesWhoWaits) {
  Queue<int> queue = manager().queue<int>();
  queue.put(1);
  auto lease = queue.get_leased();
  int got = 0;
  std::jthread getter = waiting([&] { got = queue.get(); });
  lease.give_back();
  getter.join();
  EXPECT_EQ(got, 1);
}

TEST_P(QueueContract, AWaitingGetterGetsALease) {
  Queue<int> queue = manager().queue<int>();
  std::uint64_t deliveries = 0;
  std::jthread getter = waiting([&] {
    auto lease = queue.get_leased();
    deliveries = lease.deliveries();
    lease.done();
  });
  queue.put(1);
  getter.join();
  EXPECT_EQ(deliveries, 1u);
  EXPECT_EQ(queue.unfinished(), 0u);
}

TEST_P(QueueContract, ALeaseThatIsNotGrantedIsEmpty) {
  PriorityQueue<int> queue = manager().priority_queue<int>();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(queue.try_get_leased());
  EXPECT_FALSE(queue.get_leased_for(1ms));
  EXPECT_FALSE(queue.get_leased_until(std::chrono::steady_clock::now()));
  Lease<int> none = queue.get_leased(stop.get_token());
  EXPECT_FALSE(none);
  EXPECT_THAT(error_of<ValueError>([&] { (void)*none; }), HasSubstr("the lease is empty"));
  EXPECT_THAT(error_of<ValueError>([&] { none.done(); }), HasSubstr("the lease is empty"));
  queue.put_many({2, 1});
  std::vector<int> done;
  while (auto lease = queue.try_get_leased()) {
    done.push_back(*lease);
    lease.done();
  }
  EXPECT_THAT(done, ElementsAre(1, 2));
  EXPECT_EQ(queue.unfinished(), 0u);
}

TEST_P(QueueContract, LeasesOneByOneUntilItIsClosed) {
  Queue<std::string> queue = manager().queue<std::string>();
  queue.put_many({"a", "b", "c"});
  std::vector<std::string> done;
  std::jthread worker = waiting([&] {
    bool failed = false;
    for (auto& lease : queue.leases()) {
      if (*lease == "b" && !std::exchange(failed, true)) continue;  // given back
      done.push_back(*lease + std::to_string(lease.deliveries()));
      lease.done();
    }
  });
  queue.close();
  worker.join();
  EXPECT_THAT(done, ElementsAre("a1", "b2", "c1"));
  EXPECT_EQ(queue.unfinished(), 0u);
}

TEST_P(QueueContract, LeasesAreGivenBackWhenTheLoopIsLeft) {
  Queue<int> queue = manager().queue<int>();
  queue.put(1);
  EXPECT_THROW(for (auto& lease
                    : queue.leases()) throw std::runtime_error(std::to_string(*lease)),
               std::runtime_error);
  EXPECT_EQ(queue.size(), 1u);
  std::stop_source stop;
  for (auto& lease : queue.leases(stop.get_token())) {
    lease.done();
    stop.request_stop();
  }
  EXPECT_EQ(queue.unfinished(), 0u);
}

TEST_P(QueueContract, LeasesComeAndGoInBatches) {
  Queue<int> queue = manager().queue<int>();
  queue.put_many({1, 2, 3, 4, 5});
  auto leases = queue.get_many_leased(4);
  ASSERT_EQ(leases.size(), 4u);
  EXPECT_EQ(*leases[3], 4);
  leases[1].done();
  queue.done(leases);
  EXPECT_FALSE(leases[0]);
  EXPECT_EQ(queue.unfinished(), 1u);
  queue.put_many({6, 7});
  leases = queue.get_many_leased(2);
  queue.give_back(leases);
  EXPECT_THAT(queue.get_many(9), ElementsAre(5, 6, 7));
  EXPECT_THAT(queue.try_get_many_leased(2), IsEmpty());
  EXPECT_THAT(queue.get_many_leased_for(2, 1ms), IsEmpty());
}

TEST_P(QueueContract, TheItemsOfASessionThatEndsReturnToTheFront) {
  Queue<int> queue = manager().queue<int>("jobs");
  queue.put_many({1, 2, 3, 4});
  std::vector<Lease<int>> lost;
  {
    Manager other = connect();
    lost = other.queue<int>("jobs").get_many_leased(3);
    lost[1].done();
    for (auto& lease : lost) lease.forget();  // as if the process had died: nothing is said
  }
  eventually([&] { return queue.leased() == 0; }, "the leases of the session that ended to end");
  auto lease = queue.get_leased();
  EXPECT_EQ(*lease, 1);
  EXPECT_EQ(lease.deliveries(), 2u);
  EXPECT_THAT(queue.get_many(9), ElementsAre(3, 4));
  lease.done();
}

TEST_P(QueueContract, ALeaseBelongsToItsProcess) {
  Queue<int> queue = manager().queue<int>("jobs");
  queue.put(1);
  auto lease = queue.get_leased();
  Manager other = connect();
  Lease<int> stolen(other.queue<int>("jobs").remote(), lease.id(), 1, 1);
  EXPECT_THAT(error_of<NotOwner>([&] { stolen.done(); }), HasSubstr("not this session's"));
  lease.done();
  Lease<int> again(queue.remote(), lease.id(), 1, 1);
  EXPECT_THROW(again.give_back(), NotOwner);
}

TEST_P(QueueContract, AClosedQueueWaitsForWhatIsOnLease) {
  Queue<int> queue = manager().queue<int>();
  queue.put_many({1, 2});
  auto one = queue.get_leased();
  auto two = queue.get_leased();
  queue.close();
  std::vector<int> got;
  std::jthread consumer = waiting([&] {
    for (auto& item : queue) got.push_back(item);
  });
  two.give_back();
  wait_for_waiters(1);
  one.done();
  consumer.join();
  EXPECT_THAT(got, ElementsAre(2));
  EXPECT_THROW(queue.get(), Closed);
}

TEST_P(QueueContract, ThoseWhoHoldTheLastLeasesDoNotWaitForEachOther) {
  Queue<int> queue = manager().queue<int>();
  queue.put_many({1, 2});
  auto mine = queue.get_leased();
  Lease<int> others;
  std::jthread other([&] {
    others = queue.get_leased();
    queue.close();
    EXPECT_THROW(queue.get(), Closed);
  });
  wait_for_waiters(1);
  EXPECT_THROW(queue.get(), Closed) << "the other one waits for this one's";
  mine.done();
  other.join();
  others.done();
}

TEST_P(QueueContract, AnItemOfAnotherTypeStaysWhenTakenOnLease) {
  Queue<> queue = manager().queue();
  queue.put_many({1, "two"});
  EXPECT_THROW(queue.get_many_leased<int>(2), TypeError);
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.leased(), 0u);
  EXPECT_EQ(queue.get<int>(), 1);
  EXPECT_THROW(queue.get<int>(), TypeError);
  EXPECT_TRUE(queue.empty());
}

TEST_P(QueueContract, ProxiesInItKeepTheirObjectsAlive) {
  Queue<List<int>> queue = manager().queue<List<int>>(1);
  std::uint64_t id = 0;
  {
    List<int> list = manager().list<int>({1});
    id = list.id();
    queue.put(list);
  }
  EXPECT_EQ(references(id), 1u);
  std::uint64_t parked = 0;
  std::jthread putter = waiting([&] {
    List<int> list = manager().list<int>({2});
    parked = list.id();
    queue.put(list);
  });
  EXPECT_GE(references(parked), 2u);
  {
    auto lease = queue.get_leased();
    putter.join();
    EXPECT_EQ((*lease)[0], 1);
    EXPECT_EQ(references(id), 2u) << "one for the queue, one for who has it";
    lease.done();
    EXPECT_EQ(references(id), 1u);
  }
  EXPECT_FALSE(is_there(id));
  EXPECT_TRUE(is_there(parked));
  queue.close(immediate);
  EXPECT_FALSE(is_there(parked));
}

TEST_P(QueueContract, AProxyIsHandedToWhoWaits) {
  Queue<> queue = manager().queue();
  List<int> got;
  std::jthread getter = waiting([&] { got = queue.get<List<int>>(); });
  {
    List<int> list = manager().list<int>({7});
    queue.put(list);
  }
  getter.join();
  EXPECT_EQ(got.at(0), 7);
  EXPECT_EQ(references(got), 1u);
}

TEST_P(QueueContract, RemovingItEndsEveryWait) {
  Queue<int> queue = manager().queue<int>("jobs", 1);
  queue.put(1);
  auto lease = queue.get_leased();
  std::vector<std::string> texts(3);
  std::vector<std::jthread> threads;
  threads.push_back(waiting([&] { texts[0] = error_of<ObjectGone>([&] { queue.get(); }); }, 0));
  threads.push_back(waiting([&] { texts[1] = error_of<ObjectGone>([&] { queue.join(); }); }, 1));
  Queue<int> other = manager().queue<int>("full", 1);
  other.put(1);
  threads.push_back(waiting([&] { texts[2] = error_of<ObjectGone>([&] { other.put(2); }); }, 2));
  manager().remove("jobs");
  manager().remove("full");
  threads.clear();
  EXPECT_THAT(texts, ::testing::Each(HasSubstr("removed while it was waited for")));
  EXPECT_THROW(lease.done(), ObjectGone);
}

TEST_P(QueueContract, ManyProducersAndConsumersLoseNothing) {
  constexpr int each = 200;
  Queue<int> queue = manager().queue<int>(3);
  std::vector<std::jthread> producers;
  std::vector<std::jthread> consumers;
  std::vector<std::vector<int>> got(3);
  for (int p = 0; p < 3; ++p)
    producers.emplace_back([&, p] {
      for (int i = 0; i < each; ++i) queue.put(p * each + i);
    });
  for (std::size_t c = 0; c < got.size(); ++c)
    consumers.emplace_back([&, c] {
      for (auto& item : queue) got[c].push_back(item);
    });
  producers.clear();
  queue.close();
  consumers.clear();
  std::vector<int> all;
  for (const auto& some : got) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  std::vector<int> wanted(3 * each);
  std::iota(wanted.begin(), wanted.end(), 0);
  EXPECT_EQ(all, wanted);
}

class SmallMemoryQueueContract : public QueueContract {
 protected:
  Limits limits() const override {
    Limits limits;
    limits.memory_bytes_max = 1 << 20;
    return limits;
  }
};
TANDEM_CONTRACT_SUITE(SmallMemoryQueueContract);

TEST_P(SmallMemoryQueueContract, APutRespectsTheMemoryLimit) {
  Queue<std::string> queue = manager().queue<std::string>();
  const std::string item(100'000, 'x');
  std::size_t count = 0;
  EXPECT_THROW(for (;; ++count) queue.put(item), ResourceExhausted);
  EXPECT_THAT(error_of<ResourceExhausted>([&] { queue.try_put(item); }), HasSubstr("memory_bytes_max"));
  EXPECT_THROW(queue.put_many({item, item}), ResourceExhausted);
  EXPECT_GE(count, 5u);
  EXPECT_EQ(queue.size(), count);
  queue.get();
  queue.put(item);
}

TEST_P(SmallMemoryQueueContract, ItemsOfPuttersThatWaitCountAlong) {
  Queue<std::string> queue = manager().queue<std::string>(1);
  queue.put("");
  const std::string item(600'000, 'x');
  std::jthread putter = waiting([&](const std::stop_token& stop) { EXPECT_FALSE(queue.put(item, stop)); });
  EXPECT_THROW(queue.put(item), ResourceExhausted);
  putter.request_stop();
  putter.join();
  queue.get();
  queue.put(item);
}

}  // namespace
}  // namespace tandem::test
