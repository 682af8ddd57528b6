// Processes killed at random while they hold locks, wait for them, or wait at a condition: the next one goes on, and is
// told; nothing stays locked.
//
// Which process is killed when is drawn from a seed, which a failure names; TANDEM_SEED=that runs it alone.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <random>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "tandem/tandem.hpp"
#include "tests/support/eventually.hpp"

namespace tandem {
namespace {

using namespace std::chrono_literals;

struct Shared {
  Lock lock;
  SharedLock gate;
  Condition changed;
  Value<std::int64_t> inside;   // who is within the lock; 0: nobody
  Value<std::int64_t> repairs;  // of a lock whose owner died inside
  Value<std::int64_t> wrong;    // meetings inside, which must not be
  Value<std::int64_t> rounds;
};

[[noreturn]] void lock_and_work_for_ever(Shared shared) {
  const std::int64_t me = current_process().pid();
  while (true) {
    {
      const auto held = shared.lock.guard();
      const std::int64_t before = shared.inside.exchange(me);
      if (before != 0 && held.previous_owner_died()) ++shared.repairs;
      else if (before != 0) ++shared.wrong;
      shared.inside = 0;
    }
    {
      std::shared_lock reading(shared.gate);
      ++shared.rounds;
    }
    const auto held = shared.changed.guard();
    shared.changed.notify_one();
    (void)shared.changed.wait_for(2ms);
  }
}

TEST(LockKill, OwnersAndWaitersKilledAtRandomLeaveNothingLocked) {
  const char* given = std::getenv("TANDEM_SEED");
  const std::uint64_t seed = given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
  SCOPED_TRACE("TANDEM_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  Manager manager;
  Shared shared{manager.lock(),
                manager.shared_lock(),
                manager.condition(),
                manager.value<std::int64_t>(0),
                manager.value<std::int64_t>(0),
                manager.value<std::int64_t>(0),
                manager.value<std::int64_t>(0)};
  std::vector<Process> workers;
  for (int i = 0; i < 4; ++i) workers.emplace_back(lock_and_work_for_ever, shared);
  for (int kill = 0; kill < 200; ++kill) {
    const std::int64_t before = shared.rounds.load();
    const auto wanted = static_cast<std::int64_t>(random() % 4);
    test::eventually([&] { return shared.rounds.load() >= before + wanted; }, "the rounds wanted");
    Process& victim = workers[random() % workers.size()];
    victim.kill();
    victim.join();
    victim = Process(lock_and_work_for_ever, shared);
  }
  for (Process& worker : workers) worker.kill();
  workers.clear();
  test::eventually([&] { return manager.information()["sessions"] == 1; },
                   "all sessions but this one to end");
  EXPECT_EQ(shared.wrong.load(), 0) << "two were inside at once; repairs: " << shared.repairs.load();
  EXPECT_TRUE(manager.waits().empty());
  EXPECT_TRUE(manager.holdings().empty());
  EXPECT_TRUE(shared.lock.try_lock());
  EXPECT_TRUE(shared.gate.try_lock());
  EXPECT_TRUE(shared.changed.try_lock());
}

}  // namespace
}  // namespace tandem
