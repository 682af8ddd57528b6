// Workers that are killed while they move money by transactions: the sum is conserved at every moment.
#include <gtest/gtest.h>
#include <signal.h>

#include <random>
#include <vector>

#include "tandem/tandem.hpp"
#include "tests/support/eventually.hpp"

namespace tandem {
namespace {

using Accounts = Dict<int, int>;

constexpr int accounts = 4;
constexpr int opening_balance = 1000;

int sum_of(const Manager& manager, const Accounts& a, const Accounts& b) {
  return manager.atomically([&](Transaction& tx) {
    int sum = 0;
    for (int balance : tx(a).values()) sum += balance;
    for (int balance : tx(b).values()) sum += balance;
    return sum;
  });
}

void transfer_for_ever(const Manager& manager, const Accounts& from, const Accounts& to,
                       Value<std::int64_t> moves, unsigned seed) {
  std::minstd_rand random(seed);
  while (true) {
    const int payer = static_cast<int>(random() % accounts);
    const int payee = static_cast<int>(random() % accounts);
    const int amount = static_cast<int>(random() % 50);
    manager.atomically([&](Transaction& tx) {
      auto source = tx(from);
      auto target = tx(to);
      if (source.at(payer) < amount) return;
      source[payer] -= amount;
      target[payee] += amount;
    });
    moves += 1;
  }
}

TEST(TransferKill, TheSumIsConserved) {
  Manager manager;
  auto left = manager.dict<int, int>();
  auto right = manager.dict<int, int>();
  for (int i = 0; i < accounts; ++i) left[i] = right[i] = opening_balance;
  auto moves = manager.value<std::int64_t>(0);
  constexpr int sum = 2 * accounts * opening_balance;
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);

  auto start = [&](unsigned n) {
    return n % 2 == 0 ? Process(transfer_for_ever, manager, left, right, moves, seed + n)
                      : Process(transfer_for_ever, manager, right, left, moves, seed + n);
  };
  std::vector<Process> workers;
  unsigned started = 0;
  while (started < 4) workers.push_back(start(started++));
  for (int killed = 0; killed < 60; ++killed) {
    // Not at moments of its own making: anywhere within a move or two.
    const std::int64_t until = moves.load() + static_cast<std::int64_t>(random() % 8);
    test::eventually([&] { return moves.load() >= until; }, "a few more moves");
    Process& victim = workers[random() % workers.size()];
    victim.kill();
    victim.join();
    EXPECT_EQ(victim.exit_code(), -SIGKILL);
    victim = start(started++);
    EXPECT_EQ(sum_of(manager, left, right), sum);
  }
  for (Process& worker : workers) worker.kill();
  for (Process& worker : workers) worker.join();
  test::eventually([&] { return manager.information()["sessions"] == 1; },
                   "all sessions but this one to end");
  EXPECT_EQ(sum_of(manager, left, right), sum);
  EXPECT_EQ(manager.objects().size(), 3u);
  EXPECT_EQ(manager.information()["waiters"], 0);
}

}  // namespace
}  // namespace tandem
