// Pools with a name, which other programs serve.
#include "tandem/pool.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/pool/pool_worker.hpp"
#include "tests/client/pool/functions.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/eventually.hpp"

namespace tandem {
namespace {

using test::error_of;
using test::numbers;
using test::square;
using ::testing::HasSubstr;

// ---- by name --------------------------------------------------------------------------------------------------

int triple(int n) {
  return 3 * n;
}

TEST(NamedPool, IsServedByOtherProcesses) {
  Manager manager;
  Process first([&] { EXPECT_GT(serve_pool(manager, "farm"), 0u); });
  Process second([&] { serve_pool(manager, "farm"); });
  Pool pool(manager, "farm", {.workers = 0});
  EXPECT_EQ(pool.map(square, numbers(100), 1).back(), 99 * 99);
  test::eventually([&] { return pool.progress().workers == 2; }, "two workers");
  const Barrier both = manager.barrier(2);  // each of them gets a task
  pool.map([](const Barrier& barrier) { barrier.wait(); }, std::vector<Barrier>{both, both}, 1);
  pool.close();
  pool.join();
  first.join();
  second.join();
  EXPECT_EQ(first.exit_code(), 0);
  EXPECT_EQ(second.exit_code(), 0);
  EXPECT_FALSE(manager.exists("farm"));
}

TEST(NamedPool, ServedAfterItsEndTheNextOneIs) {
  Manager manager;
  {
    Pool pool(manager, "farm", {.workers = 1});
    EXPECT_EQ(pool.apply(square, 2), 4);
    pool.close();
    pool.join();
  }
  EXPECT_FALSE(manager.exists("farm"));
  std::jthread worker([&] { EXPECT_EQ(serve_pool(manager, "farm"), 1u); });
  Pool next(manager, "farm", {.workers = 0});
  EXPECT_EQ(next.apply(square, 3), 9);
  next.close();
  next.join();
}

TEST(NamedPool, OneThatEndsBeforeItIsEnteredIsLeftForTheNext) {
  Manager manager;
  for (const bool removed : {false, true}) {
    std::vector<client::TaskPool> seen;
    auto enter = [&](const client::TaskPool& pool) {
      seen.push_back(pool);
      if (seen.size() == 1) {
        if (removed) manager.remove("farm");
        else pool.close();
      }
      (void)pool.enlist(std::nullopt, std::nullopt);
    };
    const client::TaskPool entered = client::enter_named(manager, "farm", enter);
    EXPECT_EQ(seen.size(), 2u);
    EXPECT_NE(entered, seen.front());
    EXPECT_TRUE(manager.exists("farm"));
    manager.remove("farm");
  }
}

TEST(NamedPool, ServingMayBeginAtAnyMomentOfItsEnd) {
  Manager manager;
  for (int round = 0; round < 20; ++round) {
    std::jthread worker(
        [&](const std::stop_token& stop) { EXPECT_NO_THROW(serve_pool(manager, "farm", {}, stop)); });
    Pool pool(manager, "farm", {.workers = 0});
    pool.close();
    pool.join();
  }
}

TEST(NamedPool, OneUsersJoinLeavesTheNextPoolAlone) {
  Manager manager;
  Pool first(manager, "farm", {.workers = 1});
  Pool second(manager, "farm", {.workers = 0});
  EXPECT_EQ(second.apply(square, 3), 9);
  first.close();
  first.join();
  Pool next(manager, "farm", {.workers = 1});
  second.close();
  second.join();
  EXPECT_EQ(next.apply(square, 4), 16);
}

TEST(NamedPool, ClosedItKeepsItsNameUntilAllIsDone) {
  Manager manager;
  Pool pool(manager, "farm", {.workers = 0});
  auto result = pool.apply_async(square, 3);
  pool.close();
  EXPECT_THAT(error_of<Closed>([&] { Pool late(manager, "farm", {.workers = 0}); }), HasSubstr("closed"));
  EXPECT_EQ(serve_pool(manager, "farm"), 1u);  // a late worker helps
  EXPECT_EQ(result.get(), 9);
  pool.join();
  EXPECT_FALSE(manager.exists("farm"));
}

TEST(NamedPool, TasksCanNameTheirFunctions) {
  Manager manager;
  std::jthread worker([&](const std::stop_token& stop) {
    EXPECT_EQ(serve_pool(manager, "farm", {{"work", triple}}, stop), 1u);  // another function of that name
  });
  Pool pool(manager, "farm", {.workers = 0, .functions = {{"work", square}}});
  EXPECT_EQ(pool.apply(square, 5), 15);
  worker.request_stop();
  worker.join();
  std::jthread other([&](const std::stop_token& stop) {
    serve_pool(manager, "farm", {{"other", triple}}, stop);
  });
  EXPECT_THAT(error_of<NotFound>([&] { (void)pool.apply(square, 5); }),
              HasSubstr("no function is named \"work\" here"));
}

TEST(NamedPool, AStrangersTaskIsRefusedClearly) {
  Manager manager;
  // It may begin when the pool has ended, and then waits for the next one.
  std::jthread worker([&](const std::stop_token& stop) { serve_pool(manager, "farm", {}, stop); });
  Pool pool(manager, "farm", {.workers = 1, .functions = {{"work", square}}});
  auto raw = manager.create<client::TaskPool>("farm");
  const std::int64_t submitter = raw.enter();
  wire::Buffer task;
  wire::Writer writer(task);
  writer.array(3);
  writer.integer(1);
  writer.integer(1);
  writer.array(2);
  writer.text("@0123+10+20");
  writer.array(0);
  raw.submit(submitter, 0, {1, task.view()});
  const client::EncodedResult outcomes = raw.collect(submitter, client::no_limit);
  EXPECT_THAT(std::string(wire::as_text(outcomes.bytes.view())), HasSubstr("another build"));
  raw.exit(submitter);
  pool.close();
  pool.join();
}

}  // namespace
}  // namespace tandem
