// What a barrier does, over every way to reach a manager.

#include <algorithm>
#include <thread>

#include "tests/support/contract.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BarrierContract : public ContractTest {
 protected:
  /// Two threads that wait at `barrier`, and the texts of the errors that end it.
  std::vector<std::string> errors_of_two(const Barrier& barrier, const std::function<void()>& act) {
    std::vector<std::string> texts(2);
    std::vector<std::jthread> threads;
    for (std::string& text : texts)
      threads.emplace_back([&] { text = error_of<BrokenBarrierError>([&] { barrier.wait(); }); });
    wait_for_waiters(2);
    act();
    threads.clear();
    return texts;
  }
};
TANDEM_CONTRACT_SUITE(BarrierContract);

TEST_P(BarrierContract, AllGoOnWhenAllAreThere) {
  Barrier barrier = manager().barrier(3);
  EXPECT_EQ(barrier.parties(), 3u);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::size_t> indices(3);
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < 2; ++i) {
      threads.emplace_back([&, i] { indices[i] = barrier.wait(); });
      wait_for_waiters(i + 1);
    }
    EXPECT_EQ(barrier.n_waiting(), 2u);
    indices[2] = barrier.wait_for(0ms);
    threads.clear();
    EXPECT_THAT(indices, ElementsAre(0, 1, 2)) << "in the order of arrival";
    EXPECT_EQ(barrier.n_waiting(), 0u);
  }
}

TEST_P(BarrierContract, OnePartyNeverWaits) {
  Barrier barrier = manager().barrier(1);
  EXPECT_EQ(barrier.wait(), 0u);
  EXPECT_EQ(barrier.wait(), 0u);
  EXPECT_THROW(manager().barrier(0), ValueError);
}

TEST_P(BarrierContract, ATimeLimitThatRunsOutBreaksItForAll) {
  Barrier barrier = manager().barrier(4);
  auto texts = errors_of_two(barrier, [&] { EXPECT_THROW(barrier.wait_for(1ms), BrokenBarrierError); });
  EXPECT_THAT(texts, Each(HasSubstr("time limit")));
  EXPECT_TRUE(barrier.broken());
  EXPECT_THAT(error_of<BrokenBarrierError>([&] { barrier.wait(); }), HasSubstr("time limit"));
  barrier.reset();
  EXPECT_FALSE(barrier.broken());
  texts = errors_of_two(barrier, [&] {
    EXPECT_THROW(barrier.wait_until(std::chrono::steady_clock::now() - 1s), BrokenBarrierError);
  });
  EXPECT_THAT(texts, Each(HasSubstr("time limit")));
}

TEST_P(BarrierContract, ItsOwnTimeLimitCountsWhereNoneIsNamed) {
  Barrier barrier = manager().barrier(2, 1ms);
  EXPECT_THROW(barrier.wait(), BrokenBarrierError);
}

TEST_P(BarrierContract, AStopRequestBreaksItForAll) {
  Barrier barrier = manager().barrier(4);
  std::string own;
  const auto texts = errors_of_two(barrier, [&] {
    std::jthread stopped([&](const std::stop_token& stop) {
      own = error_of<BrokenBarrierError>([&] { barrier.wait(stop); });
    });
    wait_for_waiters(3);
    stopped.request_stop();
  });
  EXPECT_THAT(texts, Each(HasSubstr("gave up")));
  EXPECT_THAT(own, HasSubstr("gave up"));
}

TEST_P(BarrierContract, AbortBreaksIt) {
  Barrier barrier = manager().barrier(3);
  EXPECT_THAT(errors_of_two(barrier, [&] { barrier.abort(); }), Each(HasSubstr("aborted")));
  EXPECT_TRUE(barrier.broken());
  EXPECT_THROW(barrier.wait(), BrokenBarrierError);
  EXPECT_THROW(barrier.wait_for(0ms), BrokenBarrierError);
}

TEST_P(BarrierContract, ResetSendsAwayWhoWaits) {
  Barrier barrier = manager().barrier(3);
  EXPECT_THAT(errors_of_two(barrier, [&] { barrier.reset(); }), Each(HasSubstr("reset")));
  EXPECT_FALSE(barrier.broken());
  EXPECT_EQ(barrier.n_waiting(), 0u);
}

TEST_P(BarrierContract, RemovingItEndsTheWait) {
  Barrier barrier = manager().barrier("meeting", 2);
  std::string text;
  std::jthread waiter([&] { text = error_of<ObjectGone>([&] { barrier.wait(); }); });
  wait_for_waiters(1);
  manager().remove("meeting");
  waiter.join();
  EXPECT_THAT(text, HasSubstr("removed while it was waited for"));
}

TEST_P(BarrierContract, NobodyIsARoundAhead) {
  constexpr int parties = 3;
  constexpr int rounds = 50;
  Barrier barrier = manager().barrier(parties);
  std::vector<std::atomic<int>> round(parties);
  std::vector<std::jthread> threads;
  std::atomic<int> leaders{0};
  for (int t = 0; t < parties; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < rounds; ++i) {
        round[static_cast<std::size_t>(t)] = i;
        if (barrier.wait() == 0) ++leaders;
        for (const auto& other : round) EXPECT_GE(other, i);
        barrier.wait();
      }
    });
  threads.clear();
  EXPECT_EQ(leaders, rounds) << "one of each round is the first";
}

}  // namespace
}  // namespace tandem::test
