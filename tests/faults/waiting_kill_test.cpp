// Real processes that wait for each other by queues, semaphores and barriers, killed at that: nobody hangs, no item is
// lost, no wake-up missed.
#include <gtest/gtest.h>
#include <signal.h>

#include <numeric>
#include <thread>
#include <vector>

#include "tandem/tandem.hpp"
#include "tests/support/eventually.hpp"

namespace tandem {
namespace {

using namespace std::chrono_literals;

void expect_ended_well(std::vector<Process>& processes) {
  for (Process& process : processes) {
    process.join();
    EXPECT_EQ(process.exit_code(), 0) << process.name();
  }
}

TEST(WaitingKill, ItemsOfKilledWorkersAreDoneByOthers) {
  constexpr int items = 600;
  Manager manager;
  auto queue = manager.queue<int>();
  auto handled = manager.dict<int, int>();
  std::vector<int> all(items);
  std::iota(all.begin(), all.end(), 0);
  queue.put_many(all);
  auto never = manager.event();
  const auto work = [=](int most) mutable {
    try {
      for (int n = 0; n < most; ++n) {
        auto lease = queue.get_leased();
        handled[*lease] += 1;
        lease.done();
      }
      auto lease = queue.get_leased();
      never.wait();
    } catch (const Closed&) {
    }
  };
  for (int round = 0; round < 20; ++round) {
    const std::size_t before = queue.unfinished();
    Process victim(work, 20);  // so that 20 of them cannot do all, however late they are killed
    test::eventually([&] { return queue.unfinished() < before; }, "an item to be done");
    victim.kill();
    victim.join();
    EXPECT_EQ(victim.exit_code(), -SIGKILL);
  }
  ASSERT_GT(queue.unfinished(), 0u);
  queue.close();
  std::vector<Process> workers;
  for (int i = 0; i < 3; ++i) workers.emplace_back(work, items);
  queue.join();
  expect_ended_well(workers);
  EXPECT_EQ(queue.size() + queue.leased() + queue.unfinished(), 0u);
  EXPECT_EQ(handled.size(), std::size_t{items});
  int twice = 0;
  for (const auto& [item, times] : handled) twice += times - 1;
  EXPECT_LE(twice, 20) << "at most the item that a killed worker was at, each time";
}

TEST(WaitingKill, ProducersAndConsumersMissNoWakeUp) {
  constexpr int each = 400;
  Manager manager;
  auto queue = manager.queue<int>(1);
  auto sum = manager.value<std::int64_t>(0);
  auto count = manager.value<std::int64_t>(0);
  std::vector<Process> consumers;
  std::vector<Process> producers;
  for (int i = 0; i < 3; ++i)
    consumers.emplace_back([=]() mutable {
      for (auto& item : queue) {
        sum += item;
        ++count;
      }
    });
  for (int i = 0; i < 3; ++i)
    producers.emplace_back([=] {
      for (int n = 1; n <= each; ++n) queue.put(n);
    });
  expect_ended_well(producers);
  queue.close();
  expect_ended_well(consumers);
  EXPECT_EQ(count.load(), 3 * each);
  EXPECT_EQ(sum.load(), 3 * each * (each + 1) / 2);
}

TEST(WaitingKill, GettersKilledWhileTheyWaitTakeNothing) {
  Manager manager;
  auto queue = manager.queue<int>();
  std::vector<Process> getters;
  for (int i = 0; i < 4; ++i) getters.emplace_back([=] { (void)queue.get(); });
  test::eventually([&] { return manager.information()["waiters"] == 4; }, "four waiters");
  for (Process& getter : getters) {
    getter.kill();
    getter.join();
  }
  test::eventually([&] { return manager.information()["waiters"] == 0; }, "no waiters");
  queue.put(1);
  EXPECT_EQ(queue.get(), 1);
}

TEST(WaitingKill, PermitsOfAKilledProcessAreFreeAgain) {
  Manager manager;
  auto semaphore = manager.semaphore(2);
  auto never = manager.event();
  for (int round = 0; round < 5; ++round) {
    Process holder([=] {
      semaphore.acquire(2);
      never.wait();
    });
    test::eventually([&] { return semaphore.value() == 0; }, "no permit to be left");
    holder.kill();
    holder.join();
    const auto held = semaphore.guard(2);
    EXPECT_TRUE(held);
  }
}

TEST(WaitingKill, SemaphoreAndBarrierMissNoWakeUp) {
  constexpr int parties = 3;
  constexpr int rounds = 150;
  Manager manager;
  auto barrier = manager.barrier(parties);
  auto semaphore = manager.semaphore(1);
  auto count = manager.value<std::int64_t>(0);
  std::vector<Process> workers;
  for (int i = 0; i < parties; ++i)
    workers.emplace_back([=]() mutable {
      for (int round = 1; round <= rounds; ++round) {
        {
          const auto held = semaphore.guard();
          count.store(count.load() + 1);  // two operations: the semaphore keeps them together
        }
        barrier.wait();
        if (count.load() != round * parties) throw std::logic_error("somebody is behind or ahead");
        barrier.wait();
      }
    });
  expect_ended_well(workers);
  EXPECT_EQ(count.load(), parties * rounds);
}

TEST(WaitingKill, AMemberKilledAtABarrierBreaksItForAll) {
  Manager manager;
  auto barrier = manager.barrier(3);
  Process victim([=] { barrier.wait(); });
  std::string text;
  std::jthread other([&] {
    try {
      barrier.wait();
    } catch (const BrokenBarrierError& error) {
      text = error.what();
    }
  });
  test::eventually([&] { return barrier.n_waiting() == 2; }, "two at the barrier");
  victim.kill();
  victim.join();
  other.join();
  EXPECT_NE(text.find("ended while it waited"), std::string::npos) << text;
  EXPECT_TRUE(barrier.broken());
}

}  // namespace
}  // namespace tandem
