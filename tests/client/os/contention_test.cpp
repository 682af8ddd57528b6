// When busy waits are given up since others want the processors.
#include "client/os/contention.hpp"

#include <gtest/gtest.h>

#include "client/os/busy_poll.hpp"
#include "client/os/spin.hpp"

namespace tandem {
namespace {

using namespace std::chrono_literals;
using os::Contention;

class ContentionTest : public ::testing::Test {
 protected:
  ContentionTest() { runnable = 2; }

  /// Looks `times` times, a millisecond apart, while so many threads are runnable.
  void look(int times, std::optional<unsigned> threads, unsigned own = 2) {
    runnable = threads;
    for (; times != 0; --times) contention_.look(now_ += 1ms, own);
  }

  static std::optional<unsigned> runnable;
  const unsigned processors_ = os::processors_count();
  Contention::Clock::time_point now_{1h};
  Contention contention_{[] { return runnable; }};
};
std::optional<unsigned> ContentionTest::runnable;

TEST_F(ContentionTest, IsFoundAndOverAfterSomeLooks) {
  EXPECT_FALSE(contention_.found());
  look(1, processors_ + 2);
  EXPECT_TRUE(contention_.found()) << "little is lost by a millisecond of waits asleep";
  look(1, 2);
  EXPECT_FALSE(contention_.found());
  look(20, processors_ + 2);
  look(4, 2);
  EXPECT_TRUE(contention_.found());
  look(1, 2);
  EXPECT_FALSE(contention_.found());
}

TEST_F(ContentionTest, ThreadsThatTakeTurnsDoNotCompete) {
  look(20, processors_ + 8, processors_ + 8);
  EXPECT_FALSE(contention_.found());
  look(20, processors_ + 9, processors_ + 8);
  EXPECT_TRUE(contention_.found());
}

TEST_F(ContentionTest, ProcessorsThatAreLeftAreUsed) {
  if (processors_ < 2) GTEST_SKIP() << "there are none";
  look(20, processors_);
  EXPECT_FALSE(contention_.found());
}

TEST_F(ContentionTest, LooksOnceAMillisecond) {
  look(1, 2);
  EXPECT_FALSE(contention_.is_due(now_ + 999us));
  EXPECT_TRUE(contention_.is_due(now_ + 1ms));
  runnable = processors_ + 100;
  for (int i = 0; i < 100; ++i) contention_.look(now_ + 999us, 2);
  EXPECT_FALSE(contention_.found());
}

TEST_F(ContentionTest, AYieldOfATimeSliceShowsIt) {
  contention_.yielded(now_, now_ + 100us);
  EXPECT_FALSE(contention_.found());
  contention_.yielded(now_, now_ + 3ms);
  EXPECT_TRUE(contention_.found());
}

TEST_F(ContentionTest, WhereTheRunQueuesCannotBeSeenBusyWaitsAreTriedAgain) {
  contention_.yielded(now_, now_ + 3ms);
  look(2'000, std::nullopt);
  EXPECT_FALSE(contention_.found());
}

TEST(RunnableThreads, AreKnownOrNot) {
  const std::optional<unsigned> runnable = os::runnable_threads();
  if (runnable) {
    EXPECT_GE(*runnable, 1u) << "this one";
  }
}

TEST(BusyPollTest, IsTriedAgainOnceInAWhile) {
  os::BusyPoll poll(50us);
  EXPECT_TRUE(poll.worthwhile());
  for (int i = 0; i < 10; ++i) poll.waited(1ms);
  int tried = 0;
  for (int i = 0; i < 320; ++i) tried += poll.worthwhile() ? 1 : 0;
  EXPECT_EQ(tried, 10);
  for (int i = 0; i < 10; ++i) poll.waited(1us);
  EXPECT_TRUE(poll.worthwhile());
  os::BusyPoll never(0us);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(never.worthwhile());
}

}  // namespace
}  // namespace tandem
