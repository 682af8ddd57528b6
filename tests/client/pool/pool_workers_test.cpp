// The workers of a pool: their number, their deaths, their initializers.
#include "tandem/pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/client/pool/functions.hpp"
#include "tests/support/child.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"

namespace tandem {
namespace {

using test::children_of;
using test::error_of;
using test::numbers;
using test::square;
using test::wait_for_ready;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// ---- workers ------------------------------------------------------------------------------------------------

TEST(PoolWorkers, AreAsManyAsAskedFor) {
  Pool pool({.workers = 3});
  EXPECT_EQ(pool.workers(), 3u);
  EXPECT_EQ(Pool().workers(), cpu_count());
  EXPECT_THROW(Pool(0), ValueError);
  EXPECT_THROW(Pool({.workers = 0}), ValueError);
  EXPECT_THAT(pool.apply([] { return current_process().name(); }), ::testing::StartsWith("PoolWorker-"));
}

TEST(PoolWorkers, OneThatDiesFailsItsTaskAlone) {
  Pool pool(2);
  auto killed = pool.apply_async([] { raise(SIGKILL); });
  auto ended = pool.apply_async([](int code) { _exit(code); }, 7);
  try {
    killed.get();
    ADD_FAILURE();
  } catch (const WorkerDied& died) {
    EXPECT_EQ(died.signal(), SIGKILL);
    EXPECT_EQ(died.exit_code(), std::nullopt);
    EXPECT_GT(died.pid(), 0);
    EXPECT_THAT(died.what(), HasSubstr("was killed by signal 9 in the task"));
  }
  try {
    ended.get();
    ADD_FAILURE();
  } catch (const WorkerDied& died) {
    EXPECT_EQ(died.signal(), std::nullopt);
    EXPECT_EQ(died.exit_code(), 7);
  }
  EXPECT_EQ(pool.map(square, numbers(50)).back(), 49 * 49);
}

TEST(PoolWorkers, HowOneDiedIsKnownThoughTheProgramIgnoresItsChildren) {
  test::Child([] {
    signal(SIGCHLD, SIG_IGN);
    Pool pool(1);
    try {
      pool.apply([] { raise(SIGKILL); });
      ADD_FAILURE();
    } catch (const WorkerDied& died) {
      EXPECT_EQ(died.signal(), SIGKILL);
      EXPECT_EQ(died.exit_code(), std::nullopt);
    }
    // Workers themselves ignore theirs, as the program does.
    EXPECT_TRUE(pool.apply([] {
      struct sigaction action {};
      sigaction(SIGCHLD, nullptr, &action);
      return action.sa_handler == SIG_IGN;
    }));
  });
}

TEST(PoolWorkers, ATaskIsTriedAgainAsOftenAsAsked) {
  Manager manager;
  Pool pool(manager, {.workers = 2, .retries = 3});
  auto tries = manager.value<int>(0);
  auto fragile = [](Value<int> count, int good_from) {
    count += 1;
    if (count.load() < good_from) raise(SIGKILL);
    return count.load();
  };
  EXPECT_EQ(pool.apply(fragile, tries, 4), 4);
  EXPECT_EQ(pool.progress().retried, 3);
  tries.store(0);
  EXPECT_THAT(error_of<WorkerDied>([&] { pool.apply(fragile, tries, 1000); }),
              HasSubstr("which was tried 4 times"));
  EXPECT_EQ(tries.load(), 4);
}

int sometimes_deadly(int n) {
  static std::mt19937 random(std::random_device{}());
  if (random() % 20 == 0) raise(SIGKILL);
  return n;
}

TEST(PoolWorkers, KilledAtRandomEveryResultArrivesOnce) {
  Pool pool({.workers = 4, .retries = 1000});
  const std::vector<int> all = numbers(600);
  EXPECT_EQ(pool.map(sometimes_deadly, all, 3), all);
  std::multiset<int> unordered;
  for (int n : pool.imap_unordered(sometimes_deadly, all)) unordered.insert(n);
  EXPECT_EQ(std::vector<int>(unordered.begin(), unordered.end()), all);
  EXPECT_GT(pool.progress().retried, 0);
}

pid_t supervisor_pid() {
  for (const ProcessHandle& child : active_children())
    if (child.name() == "PoolSupervisor") return child.pid();
  ADD_FAILURE() << "there is no supervisor";
  return -1;
}

TEST(PoolWorkers, KilledFromOutsideTheyAreReplaced) {
  Manager manager;
  Pool pool(manager, {.workers = 3, .retries = 1000});
  Event gate = manager.event();
  const pid_t supervisor = supervisor_pid();
  std::atomic<int> killed{0};
  const std::vector<int> all = numbers(200);
  std::vector<std::pair<int, Event>> items;
  for (int n : all) items.emplace_back(n, gate);
  auto result = pool.map_async(
      [](const std::pair<int, Event>& item) {
        if (item.first == 0) item.second.wait();  // so that not all are done before the first is killed
        std::this_thread::sleep_for(1ms);
        return item.first;
      },
      items, 2);
  std::jthread killer([&](const std::stop_token& stop) {
    std::mt19937 random(1);
    while (!stop.stop_requested() && killed < 30) {
      const std::vector<pid_t> workers = children_of(supervisor);
      if (workers.empty() || !wait_for_ready(pool)) continue;
      kill(workers[random() % workers.size()], SIGKILL);
      if (++killed == 1) gate.set();
    }
  });
  EXPECT_EQ(result.get(), all);
  killer.request_stop();
  killer.join();
  EXPECT_GT(killed, 0);
  test::eventually([&] { return pool.progress().workers == 3; }, "three workers");
  EXPECT_EQ(pool.map(square, numbers(10)).back(), 81);
}

TEST(PoolWorkers, MakeWayAfterSoManyTasks) {
  Pool pool({.workers = 2, .max_tasks_per_child = 3});
  const std::vector<pid_t> pids = pool.map([](int) { return getpid(); }, numbers(30), 1);
  std::map<pid_t, int> tasks;
  for (pid_t pid : pids) ++tasks[pid];
  EXPECT_GE(tasks.size(), 10u);
  for (auto [pid, count] : tasks) EXPECT_LE(count, 3);
}

int base = 0;
void set_base(int value) {
  base = value;
}

TEST(PoolWorkers, AreInitialized) {
  Pool pool({.workers = 2, .initializer = {set_base, 40}, .max_tasks_per_child = 1});
  EXPECT_THAT(pool.map([](int n) { return base + n; }, numbers(6), 1), ElementsAre(40, 41, 42, 43, 44, 45));
  EXPECT_EQ(base, 0);
}

TEST(PoolWorkers, AreInitializedWithProxies) {
  Manager manager;
  auto begun = manager.value<int>(0);
  Pool pool(manager, {.workers = 2, .initializer = {[](Value<int> count) { count += 1; }, begun}});
  pool.map(square, numbers(10));
  test::eventually([&] { return begun.load() == 2; }, "both workers to begin");
  pool.close();
  pool.join();
  EXPECT_EQ(begun.load(), 2);
}

TEST(PoolWorkers, AnInitializerThatThrowsEndsIt) {
  Pool pool({.workers = 2, .initializer = [] { throw std::runtime_error("no database"); }});
  EXPECT_EQ(error_of<RemoteError>([&] { pool.apply(square, 2); }),
            "the pool's initializer failed: std::runtime_error: no database");
  EXPECT_EQ(error_of<RemoteError>([&] { pool.apply(square, 2); }),
            "the pool's initializer failed: std::runtime_error: no database");
  pool.close();
  pool.join();
}

TEST(PoolWorkers, AnInitializersErrorNeedNotBeUtf8) {
  Pool pool({.workers = 2, .initializer = [] { throw std::runtime_error("caf\xe9"); }});
  EXPECT_THAT(error_of<Error>([&] { pool.apply(square, 1); }), HasSubstr("caf\xef\xbf\xbd"));
}

TEST(PoolWorkers, AnInitializerThatDiesEndsItToo) {
  Pool pool({.workers = 2, .initializer = {[](int code) { _exit(code); }, 3}});
  EXPECT_EQ(error_of<WorkerDied>([&] { pool.apply(square, 2); }),
            "10 workers in a row died before they were ready; the last one ended with exit code 3");
}

TEST(PoolWorkers, WithoutTheirSupervisorTasksFail) {
  Manager manager;
  Pool pool(manager, {.workers = 2});
  Event gate = manager.event();
  auto running = pool.apply_async([](const Event& event) { event.wait(); }, gate);
  test::eventually([&] { return pool.progress().running == 1; }, "a task to run");
  kill(supervisor_pid(), SIGKILL);
  EXPECT_THROW(running.get(), WorkerDied);
  EXPECT_THAT(error_of<WorkerDied>([&] { pool.apply(square, 2); }),
              HasSubstr("looks after the pool's workers has ended"));
}

TEST(PoolWorkers, WithoutTheManagerTasksFail) {
  Manager manager;
  Pool pool(manager, {.workers = 2});
  Event gate = manager.event();
  auto running = pool.apply_async([](const Event& event) { event.wait(); }, gate);
  manager.shutdown();
  EXPECT_THROW(running.get(), Error);
  EXPECT_THROW(pool.apply(square, 2), Error);
  pool.close();
  pool.join();
}

TEST(PoolWorkers, EndWithTheProcessHoweverItEnds) {
  test::Signal told;
  test::Signal go;
  Process parent([&] {
    Pool pool(2);
    const pid_t supervisor = supervisor_pid();
    pool.map(square, numbers(10), 1);
    test::eventually([&] { return children_of(supervisor).size() == 2; }, "two children of the supervisor");
    for (pid_t worker : children_of(supervisor)) told.send_number(worker);
    told.send_number(supervisor);
    go.wait();
    raise(SIGKILL);
  });
  std::deque<test::Watched> processes;
  for (int i = 0; i < 3; ++i) processes.emplace_back(told.wait_for_number());
  go.send();
  for (const test::Watched& process : processes) process.wait_until_gone();
}

TEST(PoolWorkers, EndWithAProgramThatExits) {
  Process parent([] {
    Pool* pool = new Pool(2);  // never destroyed
    pool->map(square, numbers(10));
  });
  parent.join();
  EXPECT_EQ(parent.exit_code(), 0);
}

}  // namespace
}  // namespace tandem
