// What a latch does, over every way to reach a manager.

#include <thread>

#include "tests/support/contract.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class LatchContract : public ContractTest {};
TANDEM_CONTRACT_SUITE(LatchContract);

TEST_P(LatchContract, OpensAtZero) {
  Latch latch = manager().latch(3);
  latch.count_down();
  EXPECT_EQ(latch.count(), 2);
  EXPECT_FALSE(latch.try_wait());
  EXPECT_FALSE(latch.wait_for(1ms));
  EXPECT_FALSE(latch.wait_until(std::chrono::steady_clock::now() - 1s));
  latch.count_down(2);
  EXPECT_TRUE(latch.try_wait());
  latch.wait();
  EXPECT_TRUE(latch.wait_for(0ms));
  manager().latch(0).wait();
}

TEST_P(LatchContract, NeverGoesBelowZero) {
  EXPECT_THROW(manager().latch(-1), ValueError);
  Latch latch = manager().latch(1);
  EXPECT_THROW(latch.count_down(2), ValueError);
  EXPECT_THROW(latch.count_down(-1), ValueError);
  EXPECT_THROW(latch.arrive_and_wait(2), ValueError);
  EXPECT_EQ(latch.count(), 1);
}

TEST_P(LatchContract, ServesAllWhoWait) {
  Latch latch = manager().latch(3);
  std::vector<std::jthread> threads;
  threads.emplace_back([&] { latch.wait(); });
  threads.emplace_back([&] { latch.arrive_and_wait(); });
  threads.emplace_back([&] { EXPECT_TRUE(latch.wait_for(1h)); });
  wait_for_waiters(3);
  EXPECT_EQ(latch.count(), 2);
  latch.arrive_and_wait(2);
  threads.clear();
  EXPECT_EQ(latch.count(), 0);
}

TEST_P(LatchContract, WhoGivesUpHasArrivedNevertheless) {
  Latch latch = manager().latch(2);
  EXPECT_FALSE(latch.arrive_and_wait_for(1ms));
  EXPECT_EQ(latch.count(), 1);
  bool open = true;
  std::jthread waiter([&](const std::stop_token& stop) { open = latch.wait(stop); });
  wait_for_waiters(1);
  waiter.request_stop();
  waiter.join();
  EXPECT_FALSE(open);
  wait_for_waiters(0);
}

TEST_P(LatchContract, RemovingItEndsTheWait) {
  Latch latch = manager().latch("start", 1);
  std::string text;
  std::jthread waiter([&] { text = error_of<ObjectGone>([&] { latch.wait(); }); });
  wait_for_waiters(1);
  manager().remove("start");
  waiter.join();
  EXPECT_THAT(text, HasSubstr("removed while it was waited for"));
}

}  // namespace
}  // namespace tandem::test
