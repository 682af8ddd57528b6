// Real processes, really killed: what they leave behind is nothing, and nobody hangs.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "tandem/tandem.hpp"
#include "tests/support/eventually.hpp"

namespace tandem {
namespace {

std::uint64_t sessions_of(const Manager& manager) {
  return manager.information()["sessions"];
}

/// Makes, fills, nests, shares and drops objects for ever.
void work_for_ever(const Manager& manager, Dict<std::string, List<int>> shared, Value<std::int64_t> rounds) {
  while (true) {
    auto list = manager.list<int>({1, 2, 3});
    auto holder = manager.dict<std::string, List<int>>();
    holder["a"] = list;
    shared["last"] = list;
    auto kept = shared.find("last");
    if (kept) kept->push_back(4);
    manager.set<std::string>({"x", std::string(3000, 'y')});
    rounds += 1;
  }
}

TEST(Kill, ClientsKilledInMidCallLeaveNothingBehind) {
  Manager manager;
  {
    auto shared = manager.dict<std::string, List<int>>();
    auto rounds = manager.value<std::int64_t>(0);
    for (int batch = 0; batch < 5; ++batch) {
      std::vector<Process> workers;
      for (int n = 0; n < 4; ++n) workers.emplace_back(work_for_ever, manager, shared, rounds);
      for (auto& worker : workers) {
        std::int64_t before = rounds.load();
        test::eventually([&] { return rounds.load() >= before + 20; }, "20 more rounds");
        worker.kill();
      }
      for (auto& worker : workers) {
        worker.join();
        EXPECT_EQ(worker.exit_code(), -SIGKILL);
      }
    }
    test::eventually([&] { return sessions_of(manager) == 1; }, "all sessions but this one to end");
    shared.clear();
    EXPECT_EQ(manager.objects().size(), 2u) << "only the shared dict and the counter are left";
  }
  EXPECT_TRUE(manager.objects().empty());
}

TEST(Kill, AWorkerKilledWhileOthersWorkDisturbsNobody) {
  Manager manager;
  auto counts = manager.dict<int, int>();
  auto rounds = manager.value<std::int64_t>(0);
  std::vector<Process> counters;
  for (int n = 0; n < 3; ++n)
    counters.emplace_back([=]() mutable {
      for (int i = 0; i < 500; ++i) counts[n] += 1;
    });
  auto shared = manager.dict<std::string, List<int>>();
  for (int n = 0; n < 10; ++n) {
    Process victim(work_for_ever, manager, shared, rounds);
    std::int64_t before = rounds.load();
    test::eventually([&] { return rounds.load() > before; }, "one more round");
    victim.kill();
  }
  for (auto& counter : counters) {
    counter.join();
    EXPECT_EQ(counter.exit_code(), 0);
  }
  for (int n = 0; n < 3; ++n) EXPECT_EQ(counts.at(n), 500);
}

TEST(Kill, AProgramsExitPassesOnTheLocksOfItsThreads) {
  Manager manager;
  const Lock owned = manager.lock();
  const Lock wanted = manager.lock();
  const auto kept = wanted.guard();
  for (const bool waits : {false, true}) {
    Process program([=] {
      std::thread([=] {
        owned.lock();
        if (waits) wanted.lock();  // its reply never arrives: the program has exited
        for (;;) ::pause();
      }).detach();
      test::eventually([&] { return owned.locked(); }, "the thread owns the lock");
      if (waits) test::eventually([&] { return !manager.waits().empty(); }, "it waits for the other");
      std::exit(3);
    });
    program.join();
    EXPECT_EQ(program.exit_code(), 3);
    // Until the manager has noticed, it would refuse our wait: the program's thread waits for what we hold.
    test::eventually([&] { return manager.waits().empty(); }, "no wait of the program's is left");
    EXPECT_TRUE(owned.guard().previous_owner_died());
  }
}

TEST(Kill, WithTheManagerKilledEveryClientHearsOfItAndEnds) {
  Manager manager;
  auto rounds = manager.value<std::int64_t>(0);
  constexpr int told_so = 7;
  std::vector<Process> workers;
  for (int n = 0; n < 4; ++n)
    workers.emplace_back([=]() mutable {
      try {
        while (true) rounds += 1;
      } catch (const ConnectionError&) {
        std::_Exit(told_so);
      }
    });
  test::eventually([&] { return rounds.load() > 100; }, "a hundred rounds");
  auto pid = manager.information()["pid"].get<pid_t>();
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  for (auto& worker : workers) {
    worker.join();
    EXPECT_EQ(worker.exit_code(), told_so);
  }
  try {
    rounds.load();
    FAIL() << "the manager is dead";
  } catch (const ConnectionError& error) {
    EXPECT_NE(std::string(error.what()).find(manager.address()), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tandem
