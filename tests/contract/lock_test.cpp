// What locks with one owner do, Lock and RLock, over every way to reach a manager.

#include <atomic>
#include <latch>
#include <mutex>
#include <thread>

#include "tests/support/contract.hpp"
#include "tests/support/eventually.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LockContract : public ContractTest {
 protected:
  /// A client that has locked the lock of this name, and ends with its scope.
  struct Holder {
    Holder(Manager its, std::string_view name) : manager(std::move(its)), lock(manager.lock(name)) {
      lock.lock();
    }
    Manager manager;
    Lock lock;
  };
};
TANDEM_CONTRACT_SUITE(LockContract);

TEST_P(LockContract, IsFreeAtFirst) {
  Lock lock = manager().lock();
  EXPECT_FALSE(lock.locked());
  lock.lock();
  EXPECT_TRUE(lock.locked());
  lock.unlock();
  EXPECT_FALSE(lock.locked());
}

TEST_P(LockContract, OnlyOneHasIt) {
  Lock lock = manager().lock();
  lock.lock();
  std::jthread([&] {
    EXPECT_FALSE(lock.try_lock());
    EXPECT_FALSE(lock.try_lock_for(1ms));
    EXPECT_FALSE(lock.try_lock_until(std::chrono::steady_clock::now()));
    EXPECT_FALSE(lock.try_guard());
  }).join();
  lock.unlock();
  std::jthread([&] {
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_for(1ms));
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_until(std::chrono::steady_clock::now() + 1s));
    lock.unlock();
  }).join();
}

TEST_P(LockContract, WorksWithTheStandardGuards) {
  Lock a = manager().lock();
  Lock b = manager().lock();
  {
    const std::lock_guard held(a);
    EXPECT_TRUE(a.locked());
  }
  EXPECT_FALSE(a.locked());
  {
    const std::scoped_lock held(a, b);
    EXPECT_TRUE(a.locked() && b.locked());
  }
  std::unique_lock held(a, 1s);
  EXPECT_TRUE(held.owns_lock());
  EXPECT_GT(a.grant().token, 0u);
  held.unlock();
  EXPECT_FALSE(a.locked() || b.locked());
}

TEST_P(LockContract, OnlyItsOwnerUnlocksIt) {
  Lock lock = manager().lock("a");
  EXPECT_THAT(error_of<NotOwner>([&] { lock.unlock(); }), HasSubstr("not held"));
  lock.lock();
  std::jthread([&] {
    EXPECT_THAT(error_of<NotOwner>([&] { lock.unlock(); }), HasSubstr("of the same session"));
    EXPECT_THROW((void)lock.grant(), NotOwner);
  }).join();
  const Manager other = connect();
  EXPECT_THAT(error_of<NotOwner>([&] { other.lock("a").unlock(); }), HasSubstr("of session"));
  EXPECT_TRUE(lock.locked());
  lock.unlock();
  EXPECT_THROW(lock.unlock(), NotOwner);
}

TEST_P(LockContract, ServesInTheOrderOfArrival) {
  Lock lock = manager().lock();
  std::vector<int> order;  // guarded by the lock
  std::vector<std::jthread> workers;
  lock.lock();
  for (int i = 0; i < 5; ++i) {
    workers.emplace_back([&, i] {
      const std::lock_guard held(lock);
      order.push_back(i);
    });
    wait_for_waiters(static_cast<std::uint64_t>(i) + 1);
  }
  lock.unlock();
  workers.clear();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
}

TEST_P(LockContract, NobodyPushesInFrontOfWhoWaits) {
  Lock lock = manager().lock();
  std::atomic<bool> served = false;
  lock.lock();
  std::latch tried(1);
  std::jthread waiter([&] {
    lock.lock();
    served = true;
    tried.wait();
  });
  wait_for_waiters(1);
  lock.unlock();
  EXPECT_FALSE(lock.try_lock());
  tried.count_down();
  waiter.join();
  EXPECT_TRUE(served);
}

TEST_P(LockContract, KeepsThreadsApart) {
  Lock lock = manager().lock();
  int count = 0;  // guarded by the lock
  std::vector<std::jthread> workers;
  for (int i = 0; i < 4; ++i)
    workers.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        const std::lock_guard held(lock);
        ++count;
      }
    });
  workers.clear();
  EXPECT_EQ(count, 200);
}

TEST_P(LockContract, WhoGivesUpLeavesTheLine) {
  Lock lock = manager().lock();
  lock.lock();
  std::atomic<bool> has_given_up = false;
  std::jthread gives_up([&] {
    EXPECT_FALSE(lock.try_lock_for(20ms));
    has_given_up = true;
  });
  // It may be over before anybody saw it wait.
  eventually([&] { return has_given_up || manager().information().at("waiters") == 1; },
             "the first thread to wait");
  bool got = true;
  std::jthread is_stopped([&](const std::stop_token& stop) { got = lock.lock(stop); });
  std::jthread waits([&] { const std::lock_guard held(lock); });
  gives_up.join();
  wait_for_waiters(2);
  is_stopped.request_stop();
  is_stopped.join();
  EXPECT_FALSE(got);
  wait_for_waiters(1);
  lock.unlock();
  waits.join();
  EXPECT_FALSE(lock.locked());
}

TEST_P(LockContract, AGuardTellsOfItsGrant) {
  Lock lock = manager().lock();
  std::uint64_t earlier = 0;
  {
    auto held = lock.guard();
    EXPECT_TRUE(held.owns_lock());
    EXPECT_FALSE(held.previous_owner_died());
    EXPECT_EQ(held.token(), lock.grant().token);
    earlier = held.token();
    auto taken_over = std::move(held);
    EXPECT_FALSE(held.owns_lock());  // NOLINT(bugprone-use-after-move): what it says then is under test
    EXPECT_TRUE(taken_over.owns_lock());
  }
  EXPECT_FALSE(lock.locked());
  auto held = lock.try_guard_for(1s);
  EXPECT_GT(held.token(), earlier);
  held.unlock();
  EXPECT_TRUE(lock.try_guard_until(std::chrono::steady_clock::now() + 1s));
  EXPECT_FALSE(held);
  EXPECT_FALSE(lock.locked());
}

TEST_P(LockContract, TellsWhoOwnsIt) {
  Lock lock = manager().lock("a");
  EXPECT_TRUE(lock.owners().empty());
  auto held = lock.guard();
  const std::vector<LockOwner> owners = connect().lock("a").owners();
  ASSERT_EQ(owners.size(), 1u);
  EXPECT_GT(owners[0].session, 0u);
  EXPECT_GT(owners[0].thread, 0u);
  EXPECT_EQ(owners[0].token, held.token());
  EXPECT_EQ(owners[0].depth, 1u);
  EXPECT_FALSE(owners[0].shared);
  EXPECT_GE(owners[0].held_for.count(), 0);
}

TEST_P(LockContract, ADeadOwnersLockPassesToTheNextInLine) {
  Lock lock = manager().lock("a");
  auto holder = std::make_unique<Holder>(connect(), "a");
  std::vector<bool> told;  // guarded by the lock
  auto work = [&] {
    auto held = lock.guard();
    told.push_back(held.previous_owner_died());
  };
  std::jthread first(work);
  wait_for_waiters(1);
  std::jthread second(work);
  wait_for_waiters(2);
  holder.reset();
  first.join();
  second.join();
  EXPECT_THAT(told, ElementsAre(true, false));
}

TEST_P(LockContract, TheNextOwnerHearsOfADeathAlsoLater) {
  Lock lock = manager().lock("a");
  { const Holder dies(connect(), "a"); }
  eventually([&] { return !lock.locked(); }, "the lock of the session that ended to be free");
  for (int i = 0; i < 2; ++i) {
    // The session in between dies too, so that nothing was repaired.
    const Manager other = connect();
    Lock theirs = other.lock("a");
    theirs.lock();
    EXPECT_TRUE(theirs.grant().previous_owner_died);
  }
  auto held = lock.guard();
  EXPECT_TRUE(held.previous_owner_died());
  held.unlock();
  EXPECT_FALSE(lock.guard().previous_owner_died());
}

TEST_P(LockContract, AWaiterWhoseClientEndsIsPassedOver) {
  Lock lock = manager().lock("a");
  lock.lock();
  // Its client "dies" while it waits: the thread stays, the manager's handles go.
  std::atomic<bool> stopped = false;
  std::jthread dies([&, its = connect()](const std::stop_token& stop) mutable {
    Lock theirs = its.lock("a");
    stopped = !theirs.lock(stop);
  });
  wait_for_waiters(1);
  std::jthread waits([&] { const std::lock_guard held(lock); });
  wait_for_waiters(2);
  dies.request_stop();
  dies.join();
  EXPECT_TRUE(stopped);
  lock.unlock();
  waits.join();
}

TEST_P(LockContract, RemovingItEndsTheWait) {
  Lock lock = manager().lock("a");
  lock.lock();
  std::string text;
  std::jthread waiter([&] { text = error_of<ObjectGone>([&] { lock.lock(); }); });
  wait_for_waiters(1);
  manager().remove("a");
  waiter.join();
  EXPECT_THAT(text, HasSubstr("removed while it was waited for"));
}

TEST_P(LockContract, AnRLockIsReentrant) {
  RLock lock = manager().rlock();
  lock.lock();
  const Grant grant = lock.grant();
  auto again = lock.guard();
  EXPECT_EQ(again.token(), grant.token);
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
  again.unlock();
  std::jthread([&] {
    EXPECT_FALSE(lock.try_lock());
    EXPECT_THROW(lock.unlock(), NotOwner);
  }).join();
  EXPECT_TRUE(lock.locked());
  lock.unlock();
  EXPECT_FALSE(lock.locked());
  EXPECT_THROW(lock.unlock(), NotOwner);
  EXPECT_THROW((void)lock.grant(), NotOwner);
  std::jthread([&] { EXPECT_GT(lock.guard().token(), grant.token); }).join();
}

TEST_P(LockContract, ADeadOwnersRLockIsFreeHoweverDeep) {
  RLock lock = manager().rlock("r");
  {
    const Manager other = connect();
    RLock theirs = other.rlock("r");
    theirs.lock();
    theirs.lock();
    EXPECT_FALSE(lock.try_lock());
  }
  EXPECT_TRUE(lock.guard().previous_owner_died());
}

}  // namespace
}  // namespace tandem::test
