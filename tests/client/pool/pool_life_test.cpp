// Closing, terminating and joining a pool, and its progress.
#include "tandem/pool.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "client/pool/pool_worker.hpp"
#include "tandem/progress_bar.hpp"
#include "tests/client/pool/functions.hpp"
#include "tests/support/child.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/generated.hpp"
#include "tests/support/program.hpp"

namespace tandem {
namespace {

using test::add;
using test::children_of;
using test::error_of;
using test::numbers;
using test::square;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// ---- its life -------------------------------------------------------------------------------------------------

TEST(PoolLife, ClosedItTakesNoTasks) {
  Pool pool(1);
  auto result = pool.apply_async(square, 3);
  EXPECT_THAT(error_of<ValueError>([&] { pool.join(); }), HasSubstr("still open"));
  pool.close();
  pool.close();
  EXPECT_THAT(error_of<ValueError>([&] { pool.apply_async(square, 3); }), HasSubstr("closed"));
  EXPECT_THROW((void)pool.map(square, numbers(3)), ValueError);
  pool.join();
  pool.join();
  EXPECT_TRUE(result.ready());
  EXPECT_EQ(result.get(), 9);
  EXPECT_THROW((void)pool.map(square, numbers(3)), ValueError);
  pool.terminate();
}

TEST(PoolLife, JoinWaitsForCallbacks) {
  Pool pool(2);
  int count = 0;
  for (int n : numbers(100)) (void)pool.apply_async(square, n).on_result([&](int) { ++count; });
  pool.close();
  pool.join();
  EXPECT_EQ(count, 100);
}

TEST(PoolLife, ClosedItFinishesItsStreams) {
  Pool pool(2);
  auto stream = pool.imap(square, numbers(100), 1, 8);
  EXPECT_EQ(stream.next(), 0);
  pool.close();
  EXPECT_THROW((void)pool.imap(square, numbers(3)), ValueError);
  EXPECT_THAT(error_of<ValueError>([&] { pool.join(); }), HasSubstr("a stream of imap()"));
  for (int n = 1; n < 100; ++n) EXPECT_EQ(stream.next(), n * n);
  EXPECT_EQ(stream.next(), std::nullopt);
  pool.join();
}

TEST(PoolLife, AStreamThatIsDroppedDoesNotKeepItOpen) {
  Pool pool(2);
  {
    auto stream = pool.imap(square, test::naturals());
    EXPECT_EQ(stream.next(), 0);
    pool.close();
  }
  pool.join();
}

TEST(PoolLife, TerminatedItEndsItsStreams) {
  Manager manager;
  std::optional<Pool> pool(std::in_place, manager, PoolOptions{.workers = 1});
  Event gate = manager.event();
  test::Generated items([&] { return std::pair(0, gate); });
  test::Generated others([&] { return std::pair(0, gate); });
  auto waiting = [](const std::pair<int, Event>& item) { return item.second.wait(), item.first; };
  auto stream = pool->imap(waiting, items, 1, 2);
  auto other = pool->imap(waiting, others, 1, 2);
  pool->terminate();
  for (int calls = 0; calls < 3; ++calls) EXPECT_THROW((void)stream.next(), Closed);
  EXPECT_EQ(stream.next(), std::nullopt);
  pool.reset();
  for (int calls = 0; calls < 3; ++calls) EXPECT_THROW((void)other.next(), Closed);
  EXPECT_EQ(other.next(), std::nullopt);
}

TEST(PoolLife, TerminatedItEndsWhatRuns) {
  Manager manager;
  Pool pool(manager, {.workers = 1});
  Event gate = manager.event();
  auto running = pool.apply_async([](const Event& event) { event.wait(); }, gate);
  auto waiting = pool.apply_async(square, 3);
  test::eventually([&] { return pool.progress().running == 1; }, "a task to run");
  pool.terminate();
  EXPECT_THAT(error_of<Closed>([&] { running.get(); }), HasSubstr("terminated"));
  EXPECT_THROW((void)waiting.get(), Closed);
  pool.join();
  EXPECT_THROW(pool.apply_async(square, 3), ValueError);
}

TEST(PoolLife, MovesAndBelongsToItsProcess) {
  Pool first(1);
  Pool pool(std::move(first));
  EXPECT_THROW((void)first.apply(square, 3), ValueError);
  EXPECT_EQ(pool.apply(square, 3), 9);
  test::Child child([&] {
    EXPECT_THAT(error_of<ValueError>([&] { (void)pool.apply(square, 3); }), HasSubstr("another one"));
    Pool gone(std::move(pool));
  });
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(pool.apply(square, 3), 9);
  pool = Pool(1);
  EXPECT_EQ(pool.apply(square, 4), 16);
}

TEST(PoolLife, LeavesNothingBehind) {
  Manager manager;
  auto run = [&] {
    Pool pool(manager, {.workers = 2});
    pool.map(square, numbers(10));
  };
  run();  // the first one opens channels that stay
  const auto before = test::open_descriptors();
  for (int i = 0; i < 3; ++i) run();
  EXPECT_EQ(test::open_descriptors(), before);
  EXPECT_THAT(children_of(getpid()), ::testing::SizeIs(1));  // the manager
  test::eventually([&] { return manager.information().at("sessions") == 1; },
                   "all sessions but this one to end");
  EXPECT_EQ(manager.objects().size(), 0u);  // the workers' sessions held the pool
}

TEST(PoolLife, TwoPoolsOfOneManagerAreTwo) {
  Manager manager;
  Pool a(manager, {.workers = 1});
  Pool b(manager, {.workers = 1});
  EXPECT_EQ(a.apply(square, 2) + b.apply(square, 3), 13);
  a.close();
  a.join();
  EXPECT_EQ(b.apply(square, 3), 9);
}

TEST(PoolLife, IsSharedByThreads) {
  Pool pool(2);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&pool, t] {
      for (int n = 0; n < 50; ++n) EXPECT_EQ(pool.apply(add, t, n), t + n);
    });
}

// ---- progress ------------------------------------------------------------------------------------------------

TEST(PoolProgress, CountsCalls) {
  Manager manager;
  Pool pool(manager, {.workers = 1, .retries = 1});
  Event gate = manager.event();
  auto first = pool.apply_async([](const Event& event) { event.wait(); }, gate);
  auto others = pool.map_async(square, numbers(10), 4);
  auto deadly = pool.apply_async([] { raise(SIGKILL); });
  test::eventually([&] { return pool.progress().running == 1; }, "a task to run");
  EXPECT_EQ(pool.progress().queued, 11);
  EXPECT_EQ(others.calls(), 10u);
  EXPECT_EQ(others.finished_calls(), 0u);
  gate.set();
  EXPECT_THROW(deadly.get(), WorkerDied);
  const PoolProgress progress = pool.progress();
  EXPECT_EQ(progress.queued, 0);
  EXPECT_EQ(progress.running, 0);
  EXPECT_EQ(progress.done, 11);
  EXPECT_EQ(progress.failed, 1);
  EXPECT_EQ(progress.retried, 1);
  EXPECT_EQ(others.finished_calls(), 10u);
}

TEST(ProgressBar, ALineSaysItAll) {
  EXPECT_EQ(client::progress_line({8, 2, 1}, 3000ms, 8), "[##------]  25%  2/8  1 failed  ETA 0:09");
  EXPECT_EQ(client::progress_line({8, 0, 0}, 3000ms, 4), "[----]   0%  0/8");
  EXPECT_EQ(client::progress_line({8, 8, 0}, 3'700'000ms, 4), "[####] 100%  8/8  in 1:01:40");
  EXPECT_EQ(client::progress_line({0, 0, 0}, 0ms, 4), "[####] 100%  0/0  in 0:00");
}

TEST(ProgressBar, IsQuietWhereThereIsNoTerminal) {
  Pool pool(2);
  std::ostringstream out;
  auto result = pool.map_async(square, numbers(100));
  progress_bar(result, out);
  EXPECT_TRUE(result.ready());
  EXPECT_EQ(out.str(), "");
}

TEST(ProgressBar, PlainLinesEndWithAll) {
  Pool pool(2);
  std::ostringstream out;
  auto result = pool.map_async(square, numbers(100));
  progress_bar(pool, out, {.width = 10, .plain_lines = true});
  EXPECT_THAT(out.str(), ::testing::ContainsRegex("\\[##########\\] 100%  [0-9]+/[0-9]+  in [0-9:]+\n$"));
  result.wait();
  auto failing = pool.map_async([](int) { throw std::runtime_error("never"); }, numbers(4));
  progress_bar(failing, out);  // what get() throws stays there
  EXPECT_THROW(failing.get(), std::runtime_error);
}

TEST(ProgressBar, DrawsOnATerminal) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(grantpt(terminal) | unlockpt(terminal), 0);
  const std::string path = ptsname(terminal);
  Process drawing([&] {
    const int end = open(path.c_str(), O_RDWR | O_NOCTTY);
    dup2(end, STDERR_FILENO);
    Pool pool(1);
    auto result = pool.map_async(square, numbers(10));
    progress_bar(result);
  });
  std::string shown;
  for (char part[256]; shown.find('\n') == shown.npos;) {
    const ssize_t count = read(terminal, part, sizeof part);
    ASSERT_GT(count, 0);
    shown.append(part, static_cast<std::size_t>(count));
  }
  EXPECT_THAT(shown, HasSubstr("100%  10/10"));
  EXPECT_THAT(shown, ::testing::StartsWith("\r["));
  drawing.join();
  close(terminal);
}

}  // namespace
}  // namespace tandem
