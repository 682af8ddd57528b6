// What a condition does, over every way to reach a manager.

#include <atomic>
#include <mutex>
#include <thread>

#include "tests/support/contract.hpp"
#include "tests/support/eventually.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ConditionContract : public ContractTest {
 protected:
  void notify_one(const Condition& condition) {
    const std::lock_guard held(condition);
    condition.notify_one();
  }
};
TANDEM_CONTRACT_SUITE(ConditionContract);

TEST_P(ConditionContract, IsALockToo) {
  Condition condition = manager().condition();
  {
    const std::lock_guard held(condition);
    EXPECT_TRUE(condition.locked());
    EXPECT_TRUE(condition.try_lock());  // its own lock is re-entrant
    EXPECT_EQ(condition.owners().at(0).depth, 2u);
    condition.unlock();
    std::jthread([&] { EXPECT_FALSE(condition.try_lock_for(1ms)); }).join();
    EXPECT_GT(condition.grant().token, 0u);
  }
  EXPECT_FALSE(condition.locked());
}

TEST_P(ConditionContract, NeedsItsLock) {
  Condition condition = manager().condition();
  EXPECT_THROW(condition.wait(), NotOwner);
  EXPECT_THROW(condition.notify_one(), NotOwner);
  EXPECT_THROW(condition.notify_all(), NotOwner);
  EXPECT_THROW(condition.unlock(), NotOwner);
  const std::lock_guard held(condition);
  std::jthread([&] { EXPECT_THROW(condition.notify_all(), NotOwner); }).join();
  EXPECT_EQ(condition.notify_all(), 0u);
  EXPECT_EQ(condition.notify_one(), 0u);
}

TEST_P(ConditionContract, WaitingReleasesTheLockUntilNotified) {
  Lock lock = manager().lock();
  Condition condition = manager().condition(lock);
  bool ready = false;  // guarded by the lock
  std::jthread waiter([&] {
    const std::lock_guard held(lock);
    while (!ready) EXPECT_TRUE(condition.wait());
    EXPECT_TRUE(lock.locked());
    EXPECT_GT(lock.grant().token, 0u);
  });
  wait_for_waiters(1);
  lock.lock();
  ready = true;
  EXPECT_EQ(condition.notify_one(), 1u);
  wait_for_waiters(1);  // now for the lock
  lock.unlock();
  waiter.join();
  EXPECT_FALSE(lock.locked());
}

TEST_P(ConditionContract, NotifiesInTheOrderOfWaiting) {
  Condition condition = manager().condition();
  std::vector<int> order;  // guarded by the condition's lock
  std::vector<std::jthread> waiters;
  for (int i = 0; i < 5; ++i) {
    waiters.emplace_back([&, i] {
      const std::lock_guard held(condition);
      condition.wait();
      order.push_back(i);
    });
    wait_for_waiters(static_cast<std::uint64_t>(i) + 1);
  }
  {
    const std::lock_guard held(condition);
    EXPECT_EQ(condition.notify(2), 2u);
    EXPECT_EQ(condition.notify(0), 0u);
  }
  wait_for_waiters(3);
  {
    const std::lock_guard held(condition);
    EXPECT_EQ(condition.notify_all(), 3u);
    EXPECT_EQ(condition.notify(10), 0u);
  }
  waiters.clear();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
}

TEST_P(ConditionContract, AWaitThatRunsOutHasTheLockAgain) {
  Condition condition = manager().condition();
  const std::lock_guard held(condition);
  const Grant before = condition.grant();
  const WaitResult woken = condition.wait_for(5ms);
  EXPECT_FALSE(woken);
  EXPECT_GT(woken.grant.token, before.token);
  EXPECT_EQ(condition.grant().token, woken.grant.token);
  EXPECT_FALSE(condition.wait_for(0ms));
  EXPECT_FALSE(condition.wait_until(std::chrono::steady_clock::now() + 1ms));
  EXPECT_EQ(condition.grant().previous_owner_died, false);
}

TEST_P(ConditionContract, AWaitThatRunsOutReturnsOnlyWithTheLock) {
  Condition condition = manager().condition();
  std::atomic<bool> locked = false;
  std::atomic<bool> returned = false;
  std::jthread waiter([&] {
    const std::lock_guard held(condition);
    locked = true;
    wait_for_waiters(1);  // for the lock, which this gives up by waiting
    EXPECT_FALSE(condition.wait_for(1ms));
    returned = true;
  });
  eventually([&] { return locked.load(); }, "the other thread to have the lock");
  condition.lock();
  // Whether its limit ran out before or after, it is the lock that it waits for then.
  std::jthread next_in_line([&] { const std::lock_guard held(condition); });
  wait_for_waiters(2);
  std::jthread([&] { EXPECT_FALSE(condition.try_lock_for(20ms)); }).join();
  EXPECT_FALSE(returned);
  condition.unlock();
  waiter.join();
  EXPECT_TRUE(returned);
}

TEST_P(ConditionContract, AStopRequestEndsTheWait) {
  Condition condition = manager().condition();
  WaitResult woken;
  std::jthread waiter([&](const std::stop_token& stop) {
    const std::lock_guard held(condition);
    woken = condition.wait(stop);
    EXPECT_EQ(condition.grant().token, woken.grant.token);
  });
  wait_for_waiters(1);
  waiter.request_stop();
  waiter.join();
  EXPECT_FALSE(woken);
  EXPECT_FALSE(condition.locked());
}

TEST_P(ConditionContract, WaitsForAPredicate) {
  Condition condition = manager().condition();
  int stage = 0;  // guarded by the lock
  auto reached = [&](int wanted) { return [&stage, wanted] { return stage >= wanted; }; };
  std::jthread waiter([&] {
    const std::lock_guard held(condition);
    condition.wait(reached(1));
    EXPECT_TRUE(condition.wait_for(1h, reached(2)));
    EXPECT_TRUE(condition.wait(std::stop_token(), reached(3)));
    EXPECT_FALSE(condition.wait_for(1ms, reached(4)));
    EXPECT_FALSE(condition.wait_until(std::chrono::steady_clock::now(), reached(4)));
    EXPECT_TRUE(condition.wait_for(std::chrono::hours::max(), reached(3)));
  });
  for (int i = 1; i <= 3; ++i) {
    wait_for_waiters(1);
    notify_one(condition);  // for nothing
    wait_for_waiters(1);
    const std::lock_guard held(condition);
    stage = i;
    condition.notify_one();
  }
  waiter.join();
  const std::lock_guard held(condition);
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_FALSE(condition.wait(stopped.get_token(), reached(4)));
}

TEST_P(ConditionContract, AnRLockIsReleasedWhollyAndTakenBackAsDeep) {
  RLock lock = manager().rlock();
  Condition condition = manager().condition(lock);
  std::jthread waiter([&] {
    lock.lock();
    lock.lock();
    condition.lock();
    EXPECT_TRUE(condition.wait());
    EXPECT_EQ(lock.owners().at(0).depth, 3u);
    lock.unlock();
    lock.unlock();
    EXPECT_TRUE(lock.locked());
    lock.unlock();
  });
  wait_for_waiters(1);
  EXPECT_FALSE(lock.locked());
  notify_one(condition);
  waiter.join();
  EXPECT_FALSE(lock.locked());
}

TEST_P(ConditionContract, SeveralConditionsShareALock) {
  Lock lock = manager().lock();
  Condition full = manager().condition(lock);
  Condition empty = manager().condition(lock);
  std::jthread waits_for_full([&] {
    const std::lock_guard held(lock);
    full.wait();
  });
  std::jthread waits_for_empty([&] {
    const std::lock_guard held(lock);
    empty.wait();
  });
  wait_for_waiters(2);
  notify_one(empty);
  waits_for_empty.join();
  wait_for_waiters(1);
  notify_one(full);
}

TEST_P(ConditionContract, TheReacquiredLockTellsOfADeath) {
  Lock lock = manager().lock("l");
  Condition condition = manager().condition("c", lock);
  WaitResult woken;
  std::jthread waiter([&] {
    const std::lock_guard held(condition);
    woken = condition.wait();
  });
  wait_for_waiters(1);
  {
    const Manager other = connect();
    Condition theirs = other.condition("c");
    theirs.lock();
    theirs.notify_one();
  }
  waiter.join();
  EXPECT_TRUE(woken.notified);
  EXPECT_TRUE(woken.grant.previous_owner_died);
  EXPECT_FALSE(lock.guard().previous_owner_died());
}

TEST_P(ConditionContract, PollingLetsOthersInBetween) {
  Condition condition = manager().condition();
  bool changed = false;  // guarded by the condition's lock
  std::unique_lock held(condition);
  std::jthread changer([&] {
    const std::lock_guard its(condition);
    changed = true;
  });
  wait_for_waiters(1);
  EXPECT_FALSE(condition.wait_for(0ms));
  EXPECT_TRUE(changed);
  held.unlock();
}

TEST_P(ConditionContract, RemovingItOrItsLockEndsTheWait) {
  Lock lock = manager().lock("l");
  Condition condition = manager().condition("c", lock);
  for (const char* name : {"c", "l"}) {
    std::string text;
    std::jthread waiter([&] {
      lock.lock();
      text = error_of<ObjectGone>([&] { condition.wait(); });
    });
    wait_for_waiters(1);
    manager().remove(name);
    waiter.join();
    EXPECT_THAT(text, HasSubstr("removed"));
    if (name == std::string("c")) condition = manager().condition("c", lock);
  }
  EXPECT_THAT(error_of<ObjectGone>([&] { condition.lock(); }), HasSubstr("the condition's lock was removed"));
}

}  // namespace
}  // namespace tandem::test
