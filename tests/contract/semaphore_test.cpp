// What a semaphore does, over every way to reach a manager.

#include <limits>
#include <thread>

#include "tests/support/contract.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class SemaphoreContract : public ContractTest {};
TANDEM_CONTRACT_SUITE(SemaphoreContract);

TEST_P(SemaphoreContract, GivesAsManyPermitsAsItHas) {
  Semaphore semaphore = manager().semaphore(3);
  EXPECT_EQ(semaphore.value(), 3);
  semaphore.acquire();
  semaphore.acquire(2);
  EXPECT_EQ(semaphore.value(), 0);
  EXPECT_EQ(semaphore.held(), 3);
  EXPECT_FALSE(semaphore.try_acquire());
  EXPECT_FALSE(semaphore.try_acquire_for(1ms));
  EXPECT_FALSE(semaphore.try_acquire_until(std::chrono::steady_clock::now() - 1s));
  semaphore.release(2);
  EXPECT_FALSE(semaphore.try_acquire(3)) << "all at once or none";
  EXPECT_TRUE(semaphore.try_acquire(2));
  semaphore.release(3);
  EXPECT_EQ(semaphore.value(), 3);
  EXPECT_EQ(semaphore.held(), 0);
}

TEST_P(SemaphoreContract, SizesBeyond64BitsAreAsManyAsThereCanBe) {
  Semaphore semaphore = manager().semaphore(SIZE_MAX);
  EXPECT_EQ(semaphore.value(), INT64_MAX);
  EXPECT_THROW(manager().semaphore(1).release(SIZE_MAX), Error);
  EXPECT_EQ(manager().latch(SIZE_MAX).count(), INT64_MAX);
  auto queue = manager().queue<int>(SIZE_MAX);
  EXPECT_TRUE(queue.try_put(1));
}

TEST_P(SemaphoreContract, BadNumbersAreRefused) {
  EXPECT_THROW(manager().semaphore(-1), ValueError);
  Semaphore semaphore = manager().semaphore(2);
  EXPECT_THROW(semaphore.acquire(0), ValueError);
  EXPECT_THROW(semaphore.try_acquire(-1), ValueError);
  EXPECT_THAT(error_of<ValueError>([&] { semaphore.acquire(3); }), HasSubstr("would never be there"));
  EXPECT_THROW(semaphore.release(0), ValueError);
}

TEST_P(SemaphoreContract, AReleaseServesWhoWaits) {
  Semaphore semaphore = manager().semaphore(1);
  semaphore.acquire();
  std::jthread other([&] {
    semaphore.acquire();
    semaphore.release();
  });
  wait_for_waiters(1);
  semaphore.release();
  other.join();
  EXPECT_EQ(semaphore.value(), 1);
}

TEST_P(SemaphoreContract, WhoWantsManyIsNotOvertaken) {
  Semaphore semaphore = manager().semaphore(3);
  semaphore.acquire(2);
  std::atomic<bool> many_served{false};
  bool few_saw = false;
  std::jthread many([&] {
    semaphore.acquire(3);
    many_served = true;
    semaphore.release(3);
  });
  wait_for_waiters(1);
  EXPECT_FALSE(semaphore.try_acquire()) << "there is one, but somebody waits";
  std::jthread few([&] {
    semaphore.acquire();
    few_saw = many_served;
    semaphore.release();
  });
  wait_for_waiters(2);
  semaphore.release(2);
  many.join();
  few.join();
  EXPECT_TRUE(few_saw);
}

TEST_P(SemaphoreContract, WhoGivesUpMakesWayForTheNext) {
  Semaphore semaphore = manager().semaphore(3);
  semaphore.acquire(2);
  bool acquired = true;
  std::jthread many([&](const std::stop_token& stop) { acquired = semaphore.acquire(3, stop); });
  wait_for_waiters(1);
  std::jthread few([&] { semaphore.acquire(); });
  wait_for_waiters(2);
  many.request_stop();
  many.join();
  few.join();
  EXPECT_FALSE(acquired);
  EXPECT_EQ(semaphore.held(), 3);
}

TEST_P(SemaphoreContract, PermitsBelongToTheirProcess) {
  Semaphore semaphore = manager().semaphore("slots", 2);
  semaphore.acquire();
  {
    Manager other = connect();
    Semaphore same = other.semaphore("slots");
    EXPECT_THAT(error_of<NotOwner>([&] { same.release(); }), HasSubstr("of which this session holds 0"));
    same.acquire();
    EXPECT_EQ(same.held(), 1);
    EXPECT_EQ(semaphore.value(), 0);
  }
  semaphore.acquire();  // that session has ended
  EXPECT_THROW(semaphore.release(3), NotOwner);
  std::jthread([&] { semaphore.release(2); }).join();
  EXPECT_EQ(semaphore.value(), 2);
}

TEST_P(SemaphoreContract, AnOwnerlessOneIsAsPythons) {
  Semaphore semaphore = manager().semaphore("signals", 0, ownerless);
  std::jthread waiter([&] { semaphore.acquire(2); });
  wait_for_waiters(1);
  semaphore.release();
  semaphore.release(3);
  waiter.join();
  EXPECT_EQ(semaphore.value(), 2);
  EXPECT_EQ(semaphore.held(), 0);
  connect().semaphore("signals").acquire();
  EXPECT_EQ(semaphore.value(), 1) << "what a process held that ends is lost";
  EXPECT_THROW(semaphore.release(std::numeric_limits<std::int64_t>::max()), OverflowError);
}

TEST_P(SemaphoreContract, ABoundedOneNeverHasMoreThanAtFirst) {
  Semaphore semaphore = manager().bounded_semaphore(2, ownerless);
  semaphore.acquire();
  semaphore.release();
  EXPECT_THROW(semaphore.release(), ValueError);
  EXPECT_EQ(semaphore.value(), 2);
  EXPECT_THROW(semaphore.acquire(3), ValueError);
  BoundedSemaphore owned = manager().bounded_semaphore(1);
  EXPECT_THROW(owned.release(), NotOwner);
}

TEST_P(SemaphoreContract, AGuardHoldsForAScope) {
  Semaphore semaphore = manager().semaphore(2);
  {
    auto held = semaphore.guard(2);
    EXPECT_TRUE(held);
    EXPECT_EQ(held.permits(), 2);
    EXPECT_FALSE(semaphore.try_guard());
    EXPECT_FALSE(semaphore.try_guard_for(1ms));
    EXPECT_FALSE(semaphore.try_guard_until(std::chrono::steady_clock::now()));
    SemaphoreGuard moved = std::move(held);
    EXPECT_FALSE(held);
    EXPECT_EQ(semaphore.value(), 0);
  }
  EXPECT_EQ(semaphore.value(), 2);
  auto held = semaphore.try_guard();
  held.release();
  held.release();
  EXPECT_FALSE(held);
  EXPECT_EQ(semaphore.value(), 2);
}

TEST_P(SemaphoreContract, RemovingItEndsTheWait) {
  Semaphore semaphore = manager().semaphore("slots", 1);
  semaphore.acquire();
  std::string text;
  std::jthread waiter([&] { text = error_of<ObjectGone>([&] { semaphore.acquire(); }); });
  wait_for_waiters(1);
  manager().remove("slots");
  waiter.join();
  EXPECT_THAT(text, HasSubstr("removed while it was waited for"));
}

TEST_P(SemaphoreContract, NeverMoreAtOnceThanItHas) {
  Semaphore semaphore = manager().semaphore(2);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        auto held = semaphore.guard();
        const int now = ++inside;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        --inside;
      }
    });
  threads.clear();
  EXPECT_LE(most, 2);
  EXPECT_EQ(semaphore.value(), 2);
}

}  // namespace
}  // namespace tandem::test
