// What becomes of those who wait for each other in a cycle, over every way to reach a manager.

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "tests/support/contract.hpp"
#include "tests/support/eventually.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// A thread as texts name it.
#define PARTY "session [0-9]+( .process [0-9]+.)? thread [0-9]+"

class DeadlockContract : public ContractTest {
 protected:
  /// Has another thread hold `first` and wait for `second`; gives it when it waits, or has waited.
  std::jthread holds_and_waits(std::function<void()> first, std::function<void()> second,
                               std::function<void()> end) {
    const std::uint64_t waiting = manager().information().at("waiters");
    const auto has_waited = std::make_shared<std::atomic<bool>>(false);
    std::latch holds(1);
    std::jthread party([&holds, has_waited, first, second, end] {
      first();
      holds.count_down();
      second();
      *has_waited = true;  // a wait with a time limit may be over before anybody saw it
      end();
    });
    holds.wait();
    eventually([&] { return *has_waited || manager().information().at("waiters") == waiting + 1; },
               "the other thread to wait");
    return party;
  }
  std::jthread holds_and_waits(Lock first, Lock second) {
    return holds_and_waits([=] { first.lock(); }, [=] { second.lock(); },
                           [=] { second.unlock(), first.unlock(); });
  }
};
TANDEM_CONTRACT_SUITE(DeadlockContract);

TEST_P(DeadlockContract, ALockAgainByItsOwnerIsRefused) {
  Lock lock = manager().lock("a");
  lock.lock();
  EXPECT_THAT(
      error_of<DeadlockError>([&] { lock.lock(); }),
      MatchesRegex("this wait would never end: " PARTY " waits for lock \"a\", which it holds itself"));
  EXPECT_FALSE(lock.try_lock());
  EXPECT_FALSE(lock.try_lock_for(5ms));  // which ends by itself
  EXPECT_TRUE(lock.locked());
  lock.unlock();
  wait_for_waiters(0);
}

TEST_P(DeadlockContract, ACycleOfTwoIsRefusedToTheRequestThatClosesIt) {
  Lock a = manager().lock("a");
  Lock b = manager().lock();
  a.lock();
  std::jthread other = holds_and_waits(b, a);
  EXPECT_THAT(error_of<DeadlockError>([&] { b.lock(); }),
              MatchesRegex("this wait would never end: " PARTY " waits for lock [0-9]+, held by " PARTY
                           ", which waits for lock \"a\", held by " PARTY));
  wait_for_waiters(1);  // the other one's wait goes on
  a.unlock();
  other.join();
  b.lock();
  b.unlock();
}

TEST_P(DeadlockContract, ACycleOfThreeThroughTwoSessionsIsFound) {
  Lock a = manager().lock("a");
  Lock b = manager().lock("b");
  const Manager elsewhere = connect();
  Lock c = elsewhere.lock("c");
  a.lock();
  std::jthread second = holds_and_waits(b, a);
  std::jthread third = holds_and_waits(c, elsewhere.lock("b"));
  const std::string text = error_of<DeadlockError>([&] { manager().lock("c").lock(); });
  EXPECT_THAT(text, MatchesRegex(".*waits for lock \"c\", held by " PARTY
                                 ", which waits for lock \"b\", held by " PARTY
                                 ", which waits for lock \"a\", held by " PARTY));
  a.unlock();
}

TEST_P(DeadlockContract, AnRLockIsPartOfACycleToo) {
  RLock a = manager().rlock("a");
  Lock b = manager().lock("b");
  a.lock();
  a.lock();
  std::jthread other = holds_and_waits([=] { b.lock(); }, [=] { a.lock(); }, [=] { a.unlock(), b.unlock(); });
  EXPECT_THAT(error_of<DeadlockError>([&] { b.lock(); }), HasSubstr("waits for rlock \"a\""));
  a.unlock();
  a.unlock();
}

TEST_P(DeadlockContract, AReaderThatWantsToWriteWaitsForItself) {
  SharedLock lock = manager().shared_lock("s");
  const std::shared_lock reads(lock);
  EXPECT_THAT(error_of<DeadlockError>([&] { lock.lock(); }),
              MatchesRegex(".* waits for shared_lock \"s\" to write, which it holds itself"));
  EXPECT_THROW(lock.lock(), DeadlockError);
  EXPECT_FALSE(lock.try_lock());
}

TEST_P(DeadlockContract, AReaderBehindAWriterThatWaitsForItIsRefused) {
  SharedLock lock = manager().shared_lock("s");
  lock.lock_shared();
  std::jthread writer([=] { lock.guard().unlock(); });
  wait_for_waiters(1);
  EXPECT_THAT(error_of<DeadlockError>([&] { lock.lock_shared(); }),
              MatchesRegex(".* waits for shared_lock \"s\" to read, behind " PARTY
                           " in the queue, which waits for shared_lock \"s\" to write, held by " PARTY));
  EXPECT_FALSE(lock.try_lock_shared_for(5ms));
  lock.unlock_shared();
}

TEST_P(DeadlockContract, TwoReadersThatBothWantToWriteAreADeadlock) {
  SharedLock lock = manager().shared_lock();
  lock.lock_shared();
  // The other one cannot even begin to wait: itself is in its way.
  std::jthread([=] {
    lock.lock_shared();
    EXPECT_THROW(lock.lock(), DeadlockError);
    lock.unlock_shared();
  }).join();
  lock.unlock_shared();
}

TEST_P(DeadlockContract, KeysAreNamed) {
  auto locks = manager().locks<std::string>("docs");
  Lock a = manager().lock("a");
  auto held = locks.guard("doc-42");
  EXPECT_THAT(error_of<DeadlockError>([&] { locks.lock("doc-42"); }),
              HasSubstr("waits for key \"doc-42\" of locks \"docs\", which it holds itself"));
  std::jthread other = holds_and_waits([=] { a.lock(); }, [=] { locks.lock("doc-42"); },
                                       [=] { locks.unlock("doc-42"), a.unlock(); });
  EXPECT_THAT(error_of<DeadlockError>([&] { a.lock(); }),
              HasSubstr("waits for key \"doc-42\" of locks \"docs\""));
  held.unlock();
}

TEST_P(DeadlockContract, WhoAsksForSeveralIsRefusedWhenTheNextOneClosesTheCycle) {
  auto locks = manager().locks<int>();
  // Nobody knows the order of taking: one of the two keys is taken first.
  const bool zero_first = [&] {
    locks.lock(0);
    std::jthread waiter([=] { locks.guard_all({0, 1}).unlock(); });
    wait_for_waiters(1);
    bool free = false;
    std::jthread([&] { free = static_cast<bool>(locks.try_guard(1)); }).join();
    locks.unlock(0);
    return free;
  }();
  const int first = zero_first ? 0 : 1;
  const int second = 1 - first;
  locks.lock(first);
  std::string text;
  std::jthread both([&] { text = error_of<DeadlockError>([&] { locks.lock_all({0, 1}); }); });
  wait_for_waiters(1);
  std::jthread against_the_order([=] {
    locks.lock(second);
    locks.lock(first);
    locks.unlock_all({first, second});
  });
  wait_for_waiters(2);
  locks.unlock(first);
  both.join();
  against_the_order.join();
  EXPECT_THAT(text, HasSubstr("waits for key " + std::to_string(second)));
  EXPECT_EQ(locks.size(), 0u);
}

TEST_P(DeadlockContract, ADeadlockWithATimeLimitGoesOnUntilItRunsOut) {
  Lock a = manager().lock();
  Lock b = manager().lock();
  a.lock();
  std::jthread other =
      holds_and_waits([=] { b.lock(); }, [=] { EXPECT_FALSE(a.try_lock_for(300ms)); }, [=] { b.unlock(); });
  b.lock();  // served when the other one gives up
  b.unlock();
  a.unlock();
}

TEST_P(DeadlockContract, WhoWasNotifiedAndWantsTheLockBackIsPartOfACycle) {
  Lock kept = manager().lock("kept");
  Lock lock = manager().lock("lock");
  Condition condition = manager().condition(lock);
  std::jthread waiter([=] {
    const std::lock_guard keeps(kept);
    const std::lock_guard its(lock);
    EXPECT_TRUE(condition.wait());
    EXPECT_TRUE(lock.locked());
  });
  wait_for_waiters(1);
  std::string text;
  {
    const std::lock_guard its(lock);
    EXPECT_EQ(condition.notify_one(), 1u);
    text = error_of<DeadlockError>([&] { kept.lock(); });
  }
  waiter.join();
  EXPECT_THAT(text, MatchesRegex(".* waits for lock \"kept\", held by " PARTY
                                 ", which waits for lock \"lock\", held by .*"));
}

TEST_P(DeadlockContract, ThoseWhoBackOffAllFinish) {
  Lock a = manager().lock();
  Lock b = manager().lock();
  std::vector<std::jthread> workers;
  std::atomic<int> done = 0;
  for (int i = 0; i < 4; ++i)
    workers.emplace_back([&, i] {
      const Lock& first = i % 2 == 0 ? a : b;
      const Lock& second = i % 2 == 0 ? b : a;
      for (int n = 0; n < 20; ++n) {
        while (true) {
          try {
            auto one = first.guard();
            auto two = second.guard();
            break;
          } catch (const DeadlockError&) {
            std::this_thread::yield();
          }
        }
        ++done;
      }
    });
  workers.clear();
  EXPECT_EQ(done, 80);
}

}  // namespace
}  // namespace tandem::test
