// What a shared lock does, over every way to reach a manager.

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "tests/support/contract.hpp"
#include "tests/support/eventually.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class SharedLockContract : public ContractTest {
 protected:
  /// Runs `body` on another thread, and waits for it.
  template <class F>
  static void elsewhere(F body) {
    std::jthread(body).join();
  }
};
TANDEM_CONTRACT_SUITE(SharedLockContract);

TEST_P(SharedLockContract, ReadersShareIt) {
  SharedLock lock = manager().shared_lock();
  const std::shared_lock reads(lock);
  elsewhere([&] {
    const std::shared_lock also_reads(lock);
    EXPECT_EQ(lock.owners().size(), 2u);
    EXPECT_FALSE(lock.try_lock());
  });
  elsewhere([&] {
    EXPECT_FALSE(lock.try_lock_for(1ms));
    EXPECT_FALSE(lock.try_guard());
    EXPECT_TRUE(lock.try_lock_shared_for(1ms));
    lock.unlock_shared();
  });
  EXPECT_TRUE(lock.locked());
}

TEST_P(SharedLockContract, AWriterIsAlone) {
  SharedLock lock = manager().shared_lock();
  std::unique_lock writes(lock);
  elsewhere([&] {
    EXPECT_FALSE(lock.try_lock());
    EXPECT_FALSE(lock.try_lock_shared());
    EXPECT_FALSE(lock.try_lock_shared_until(std::chrono::steady_clock::now() + 1ms));
    EXPECT_FALSE(lock.try_shared_guard());
    EXPECT_FALSE(lock.try_shared_guard_for(1ms));
  });
  writes.unlock();
  elsewhere([&] { EXPECT_TRUE(lock.try_shared_guard()); });
  EXPECT_FALSE(lock.locked());
}

TEST_P(SharedLockContract, ReadersBehindAWaitingWriterWait) {
  SharedLock lock = manager().shared_lock();
  std::vector<std::string> order;  // guarded by `order_mutex`
  std::mutex order_mutex;
  auto note = [&](const char* who) {
    const std::lock_guard held(order_mutex);
    order.emplace_back(who);
  };
  std::shared_lock first(lock);
  std::vector<std::jthread> others;
  others.emplace_back([&] {
    auto held = lock.guard();
    note("writer");
  });
  wait_for_waiters(1);
  EXPECT_FALSE(lock.try_lock_shared());  // on this thread: a limit of 0 does not wait behind the writer
  others.emplace_back([&] {
    auto held = lock.shared_guard();
    note("reader");
  });
  wait_for_waiters(2);
  others.emplace_back([&] {
    auto held = lock.guard();
    note("second writer");
  });
  wait_for_waiters(3);
  first.unlock();
  others.clear();
  EXPECT_THAT(order, ElementsAre("writer", "reader", "second writer"));
}

TEST_P(SharedLockContract, NeighboursInTheLineReadTogether) {
  SharedLock lock = manager().shared_lock();
  lock.lock();
  std::vector<std::jthread> readers;
  std::atomic<int> reading = 0;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&] {
      auto held = lock.shared_guard();
      ++reading;
      eventually([&] { return reading == 3; }, "all three to read");
    });
  wait_for_waiters(3);
  lock.unlock();
  readers.clear();
  EXPECT_FALSE(lock.locked());
}

TEST_P(SharedLockContract, AWriterThatGivesUpLetsTheReadersBehindIn) {
  SharedLock lock = manager().shared_lock();
  const std::shared_lock first(lock);
  bool got = true;
  std::jthread writer([&](const std::stop_token& stop) { got = lock.lock(stop); });
  wait_for_waiters(1);
  std::jthread reader([&] { EXPECT_TRUE(lock.shared_guard()); });
  wait_for_waiters(2);
  writer.request_stop();
  writer.join();
  reader.join();
  EXPECT_FALSE(got);
}

TEST_P(SharedLockContract, AReaderCanGiveUp) {
  SharedLock lock = manager().shared_lock();
  lock.lock();
  elsewhere([&] { EXPECT_FALSE(lock.try_lock_shared_for(5ms)); });
  bool got = true;
  std::jthread reader([&](const std::stop_token& stop) { got = lock.lock_shared(stop); });
  wait_for_waiters(1);
  reader.request_stop();
  reader.join();
  EXPECT_FALSE(got);
  EXPECT_FALSE(lock.try_shared_guard_until(std::chrono::steady_clock::now()));
  wait_for_waiters(0);
}

TEST_P(SharedLockContract, ReadingTwiceIsUnlockedTwice) {
  SharedLock lock = manager().shared_lock();
  auto once = lock.shared_guard();
  auto twice = lock.try_shared_guard();
  EXPECT_EQ(once.token(), twice.token());
  EXPECT_EQ(lock.owners().at(0).depth, 2u);
  once.unlock();
  EXPECT_TRUE(lock.locked());
  twice.unlock();
  EXPECT_FALSE(lock.locked());
}

TEST_P(SharedLockContract, OnlyOwnersUnlock) {
  SharedLock lock = manager().shared_lock();
  EXPECT_THROW(lock.unlock(), NotOwner);
  EXPECT_THROW(lock.unlock_shared(), NotOwner);
  EXPECT_THROW((void)lock.grant(), NotOwner);
  lock.lock_shared();
  EXPECT_THROW(lock.unlock(), NotOwner);
  elsewhere([&] { EXPECT_THROW(lock.unlock_shared(), NotOwner); });
  EXPECT_GT(lock.grant().token, 0u);
  lock.unlock_shared();
  lock.lock();
  EXPECT_THROW(lock.unlock_shared(), NotOwner);
  EXPECT_GT(lock.grant().token, 0u);
  lock.unlock();
}

TEST_P(SharedLockContract, AWritersDeathIsToldUntilAWriterUnlocks) {
  SharedLock lock = manager().shared_lock("s");
  {
    const Manager other = connect();
    SharedLock theirs = other.shared_lock("s");
    theirs.lock();
  }
  EXPECT_TRUE(lock.shared_guard().previous_owner_died());
  {
    const std::shared_lock reads(lock);
    EXPECT_TRUE(lock.grant().previous_owner_died);
  }
  EXPECT_TRUE(lock.guard().previous_owner_died());
  EXPECT_FALSE(lock.shared_guard().previous_owner_died());
}

TEST_P(SharedLockContract, AReadersDeathLetsTheWriterIn) {
  SharedLock lock = manager().shared_lock("s");
  auto other = std::make_unique<Manager>(connect());
  std::optional<SharedLock> theirs = other->shared_lock("s");
  theirs->lock_shared();
  bool died = true;
  std::jthread writer([&] { died = lock.guard().previous_owner_died(); });
  wait_for_waiters(1);
  theirs.reset();
  other.reset();
  writer.join();
  EXPECT_FALSE(died);
}

TEST_P(SharedLockContract, RemovingItEndsTheWait) {
  SharedLock lock = manager().shared_lock("s");
  lock.lock();
  std::jthread writer([&] { EXPECT_THROW(lock.lock(), ObjectGone); });
  std::jthread reader([&] { EXPECT_THROW(lock.lock_shared(), ObjectGone); });
  wait_for_waiters(2);
  manager().remove("s");
}

TEST_P(SharedLockContract, NeitherSideStarves) {
  SharedLock lock = manager().shared_lock();
  std::vector<std::jthread> workers;
  std::atomic<bool> torn = false;
  int first = 0;  // these two are guarded by the lock
  int second = 0;
  for (int i = 0; i < 2; ++i)
    workers.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        const std::lock_guard held(lock);
        ++first;
        ++second;
      }
    });
  for (int i = 0; i < 3; ++i)
    workers.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        const std::shared_lock held(lock);
        if (first != second) torn = true;
      }
    });
  workers.clear();
  EXPECT_FALSE(torn);
  EXPECT_EQ(first, 100);
}

}  // namespace
}  // namespace tandem::test
