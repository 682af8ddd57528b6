// What an event does, over every way to reach a manager.

#include <thread>

#include "tests/support/contract.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;

class EventContract : public ContractTest {};
TANDEM_CONTRACT_SUITE(EventContract);

TEST_P(EventContract, IsClearAtFirst) {
  Event event = manager().event();
  EXPECT_FALSE(event.is_set());
  EXPECT_FALSE(event.wait_for(0ms));
  EXPECT_FALSE(event.wait_for(1ms));
}

TEST_P(EventContract, NobodyWaitsWhileItIsSet) {
  Event event = manager().event();
  event.set();
  EXPECT_TRUE(event.is_set());
  event.wait();
  EXPECT_TRUE(event.wait_for(0ms));
  event.clear();
  EXPECT_FALSE(event.is_set());
  EXPECT_FALSE(event.wait_until(std::chrono::steady_clock::now()));
}

TEST_P(EventContract, SetServesAllWhoWait) {
  Event event = manager().event();
  std::vector<std::jthread> waiters;
  std::atomic<int> served{0};
  for (int i = 0; i < 4; ++i)
    waiters.emplace_back([&] {
      event.wait();
      ++served;
    });
  wait_for_waiters(4);
  EXPECT_EQ(served, 0);
  event.set();
  waiters.clear();
  EXPECT_EQ(served, 4);
}

TEST_P(EventContract, AStopRequestEndsTheWait) {
  Event event = manager().event();
  bool was_set = true;
  std::jthread waiter([&](const std::stop_token& stop) { was_set = event.wait(stop); });
  wait_for_waiters(1);
  waiter.request_stop();
  waiter.join();
  EXPECT_FALSE(was_set);
  wait_for_waiters(0);
}

TEST_P(EventContract, RemovingItEndsTheWait) {
  Event event = manager().event("gate");
  std::string text;
  std::jthread waiter([&] { text = error_of<ObjectGone>([&] { event.wait(); }); });
  wait_for_waiters(1);
  manager().remove("gate");
  waiter.join();
  EXPECT_THAT(text, ::testing::HasSubstr("removed while it was waited for"));
}

}  // namespace
}  // namespace tandem::test
