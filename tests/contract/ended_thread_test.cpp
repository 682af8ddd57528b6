// What becomes of what a thread owns when it ends, over every way to reach a manager.

#include <future>
#include <latch>
#include <mutex>
#include <thread>

#include "tandem/pipeline.hpp"
#include "tests/support/contract.hpp"
#include "tests/support/eventually.hpp"

namespace tandem::test {
namespace {

class EndedThreadContract : public ContractTest {
 protected:
  /// Runs `f` on a thread that has ended when this returns.
  template <class F>
  static void on_a_thread(F&& f) {
    std::thread(std::forward<F>(f)).join();
  }
};
TANDEM_CONTRACT_SUITE(EndedThreadContract);

TEST_P(EndedThreadContract, ItsLockPassesOn) {
  const Lock lock = manager().lock();
  on_a_thread([&] { lock.lock(); });
  {
    const auto held = lock.guard();
    EXPECT_TRUE(held.previous_owner_died());
  }
  EXPECT_FALSE(lock.guard().previous_owner_died());
  EXPECT_TRUE(manager().holdings().empty());
}

TEST_P(EndedThreadContract, ItsLockPassesToTheNextInLine) {
  const Lock lock = manager().lock();
  std::promise<void> may_end;
  std::latch holds(1);
  std::thread owner([&, end = may_end.get_future()] {
    lock.lock();
    holds.count_down();
    end.wait();
  });
  holds.wait();
  std::jthread next([&] { EXPECT_TRUE(lock.guard().previous_owner_died()); });
  wait_for_waiters(1);
  may_end.set_value();
  owner.join();
}

TEST_P(EndedThreadContract, ItsRLockIsFreeHoweverDeep) {
  const RLock lock = manager().rlock();
  on_a_thread([&] {
    lock.lock();
    lock.lock();
  });
  EXPECT_TRUE(lock.guard().previous_owner_died());
  EXPECT_FALSE(lock.locked());
}

TEST_P(EndedThreadContract, ASharedLockPassesOnToWritersAndReaders) {
  const SharedLock lock = manager().shared_lock();
  on_a_thread([&] { lock.lock(); });
  EXPECT_TRUE(lock.shared_guard().previous_owner_died());
  on_a_thread([&] {
    lock.lock_shared();
    lock.lock_shared();
  });
  EXPECT_TRUE(lock.guard()) << "no reader is left";
  EXPECT_FALSE(lock.guard().previous_owner_died()) << "a reader has changed nothing";
  EXPECT_TRUE(manager().holdings().empty());
}

TEST_P(EndedThreadContract, AConditionsLockPassesOn) {
  const Condition condition = manager().condition();
  on_a_thread([&] { condition.lock(); });
  const std::lock_guard held(condition);
  EXPECT_EQ(condition.owners().size(), 1u);
}

TEST_P(EndedThreadContract, ItsKeysPassOn) {
  const Locks<int> locks = manager().locks<int>();
  const auto mine = locks.guard(7);
  on_a_thread([&] {
    locks.lock(1);
    locks.lock_all({2, 3});
  });
  EXPECT_TRUE(locks.guard_all({1, 3}).previous_owner_died());
  EXPECT_TRUE(locks.guard(2).previous_owner_died());
  EXPECT_FALSE(locks.guard_all({1, 2, 3}).previous_owner_died());
  EXPECT_TRUE(locks.locked(7)) << "another thread's";
  EXPECT_EQ(locks.size(), 1u);
}

TEST_P(EndedThreadContract, OthersKeepTheirs) {
  const Lock mine = manager().lock();
  const SharedLock shared = manager().shared_lock();
  mine.lock();
  shared.lock_shared();
  on_a_thread([&] { shared.lock_shared(); });
  on_a_thread([&] { EXPECT_FALSE(mine.try_lock()); });
  EXPECT_FALSE(shared.try_lock()) << "the first reader is still there";
  shared.unlock_shared();
  EXPECT_TRUE(shared.try_guard());
  mine.unlock();
}

TEST_P(EndedThreadContract, ItsTokenDies) {
  const Lock lock = manager().lock();
  const auto list = manager().list<int>();
  std::uint64_t token = 0;
  on_a_thread([&] {
    lock.lock();
    token = lock.grant().token;
    fenced(list, token).push_back(1);
  });
  const auto held = lock.guard();
  EXPECT_THROW(fenced(list, token).push_back(2), StaleToken);
  EXPECT_EQ(list.size(), 1u);
}

TEST_P(EndedThreadContract, PermitsAndLeasesAreTheProcesss) {
  const Semaphore semaphore = manager().semaphore(2);
  const auto queue = manager().queue<int>();
  queue.put(1);
  std::optional<Lease<int>> lease;
  on_a_thread([&] {
    semaphore.acquire();
    lease = queue.get_leased();
  });
  EXPECT_EQ(semaphore.held(), 1);
  semaphore.release();
  EXPECT_EQ(queue.leased(), 1u);
  lease->done();
  EXPECT_EQ(queue.unfinished(), 0u);
}

/// Its destructor runs after that of any variable of the library, which the thread's first call makes.
TEST_P(EndedThreadContract, VariablesOfAThreadMayUnlock) {
  Lock lock = manager().lock();
  on_a_thread([&] {
    thread_local std::unique_lock<Lock> held;
    held = std::unique_lock(lock);
  });
  EXPECT_FALSE(lock.guard().previous_owner_died());
}

TEST_P(EndedThreadContract, ItHasNotEndedForWhatItsPipelineHasUnderWay) {
  const Lock lock = manager().lock();
  lock.lock();
  std::optional<Pipeline> pipeline;
  Future<std::pair<std::uint64_t, bool>> grant;
  on_a_thread([&] {
    pipeline.emplace(manager().pipeline());
    grant = pipeline->call<ops::Lock::Acquire, std::pair<std::uint64_t, bool>>(lock);  // not sent yet
  });
  pipeline->flush();
  wait_for_waiters(1);
  lock.unlock();
  EXPECT_NE(grant.get().first, 0u);
  EXPECT_TRUE(lock.guard().previous_owner_died()) << "granted to a thread that has ended";
}

TEST_P(EndedThreadContract, ManyThreadsLeaveNothing) {
  const Locks<int> locks = manager().locks<int>();
  for (int round = 0; round < 20; ++round) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 5; ++i) threads.emplace_back([&, i] { locks.lock(i); });
  }
  eventually([&] { return manager().holdings().empty(); }, "nothing to be owned");
}

}  // namespace
}  // namespace tandem::test
