// Clients whose manager is killed and started again under them, or whose connections are cut: they go on without noticing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "tandem/async.hpp"
#include "tandem/tandem.hpp"
#include "tests/support/child.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"

namespace tandem {
namespace {

using namespace std::chrono_literals;
using test::error_of;
using test::Program;
using testing::ElementsAre;
using testing::HasSubstr;

enum class Reach : std::uint8_t { ring, unix_socket, tcp };

class ReconnectTest : public testing::TestWithParam<Reach> {
 protected:
  ReconnectTest() {
    key_ = folder_.write("key", "secret");
    start();
  }

  void start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{test::beside_the_test("tandemd"),
                                       "--listen",
                                       listen_,
                                       "--authkey-file",
                                       key_,
                                       "--journal",
                                       folder_.path("journal"),
                                       "--journal-level",
                                       level_,
                                       "--session-lease-ms",
                                       "3600000",
                                       "--log-level",
                                       "error"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    tandemd_.emplace(arguments);
    const std::string ready = tandemd_->read_line();
    ASSERT_THAT(ready, HasSubstr("ready: ")) << tandemd_->errors;
    listen_ = ready.substr(ready.find("ready: ") + 7);  // over TCP, the same port every time
    while (!listen_.empty() && listen_.back() == '\n') listen_.pop_back();
  }
  void kill() {
    tandemd_->signal(SIGKILL);
    tandemd_->wait();
  }
  void stop() {
    tandemd_->signal(SIGTERM);
    EXPECT_EQ(tandemd_->wait(), 0);
  }
  void restart() {
    kill();
    start();
  }
  Manager connect(std::chrono::milliseconds reconnect = 10min) const {
    return Manager(listen_, {.authkey = "secret", .reconnect = reconnect, .ring = GetParam() == Reach::ring});
  }
  void wait_for_waiters(const Manager& manager, int count) const {
    test::eventually([&] { return manager.information().at("waiters") == count; },
                     std::to_string(count) + " waiting requests");
  }

  test::TemporaryFolder folder_;
  std::string key_;
  std::string level_ = "process";
  std::string listen_ = GetParam() == Reach::tcp ? "tcp://127.0.0.1:0" : "unix:" + folder_.path("socket");
  std::optional<Program> tandemd_;
};

INSTANTIATE_TEST_SUITE_P(, ReconnectTest, testing::Values(Reach::ring, Reach::unix_socket, Reach::tcp),
                         [](const auto& info) {
                           return info.param == Reach::ring  ? "ring"
                                  : info.param == Reach::tcp ? "tcp"
                                                             : "unix_socket";
                         });

TEST_P(ReconnectTest, TheNextCallGoesOn) {
  const Manager manager = connect();
  auto list = manager.list<int>({1, 2});  // unnamed: it lives as long as the session
  restart();
  list.push_back(3);
  EXPECT_THAT(list.snapshot(), ElementsAre(1, 2, 3));
}

TEST_P(ReconnectTest, TheNextCallGoesOnAfterAStopInOrder) {
  const Manager manager = connect();
  auto list = manager.list<int>({1, 2});
  stop();
  start();
  list.push_back(3);
  EXPECT_THAT(list.snapshot(), ElementsAre(1, 2, 3));
}

TEST_P(ReconnectTest, TheCallbackSaysSoOnceForEveryStart) {
  const Manager manager = connect();
  std::mutex mutex;  // the thread that keeps the session may call it, too
  std::vector<Reconnection> told;
  manager.on_reconnect([&](const Reconnection& one) {
    const std::lock_guard lock(mutex);
    told.push_back(one);
  });
  for (int i = 0; i < 3; ++i) {
    restart();
    manager.ping();
    std::thread([&] { manager.ping(); }).join();
  }
  manager.on_reconnect(nullptr);
  const std::lock_guard lock(mutex);
  ASSERT_GE(told.size(), 1u);
  EXPECT_LE(told.size(), 3u);
  for (const Reconnection& one : told) EXPECT_TRUE(one.restarted);
}

TEST_P(ReconnectTest, AWaitGoesOn) {
  const Manager manager = connect();
  auto queue = manager.queue<int>("queue");
  auto item = std::async(std::launch::async, [&] { return queue.get(); });
  wait_for_waiters(manager, 1);
  restart();
  const Manager other = connect();
  other.queue<int>("queue").put(42);
  EXPECT_EQ(item.get(), 42);
  EXPECT_EQ(other.queue<int>("queue").size(), 0u);
}

TEST_P(ReconnectTest, AWaitCanStillBeCancelled) {
  const Manager manager = connect();
  auto queue = manager.queue<int>("queue");
  std::stop_source stop;
  auto item = std::async(std::launch::async, [&] { return queue.get(stop.get_token()); });
  wait_for_waiters(manager, 1);
  kill();
  stop.request_stop();
  start();
  EXPECT_EQ(item.get(), std::nullopt);
  wait_for_waiters(manager, 0);
}

TEST_P(ReconnectTest, ALockStaysLocked) {
  const Manager manager = connect();
  auto lock = manager.lock("lock");
  lock.lock();
  const std::uint64_t token = lock.grant().token;
  auto value = manager.value<int>("value", 0);
  auto guarded = fenced(value, token);
  restart();
  const Manager other = connect();
  EXPECT_FALSE(other.lock("lock").try_lock());
  guarded.store(1);  // the grant is alive
  EXPECT_EQ(lock.grant().token, token);
  lock.unlock();
  const auto next = other.lock("lock").guard();
  EXPECT_GT(next.grant().token, token);
  EXPECT_FALSE(next.grant().previous_owner_died);
}

TEST_P(ReconnectTest, AnRLockKeepsItsDepth) {
  const Manager manager = connect();
  auto lock = manager.rlock("lock");
  lock.lock();
  lock.lock();
  restart();
  lock.unlock();
  EXPECT_TRUE(lock.locked());
  lock.unlock();
  EXPECT_FALSE(lock.locked());
}

TEST_P(ReconnectTest, ALeasedItemStaysLeased) {
  const Manager manager = connect();
  auto queue = manager.queue<int>("queue");
  queue.put(1);
  auto lease = queue.get_leased();
  restart();
  const Manager other = connect();
  EXPECT_FALSE(other.queue<int>("queue").try_get_leased());
  lease.done();
  EXPECT_EQ(other.queue<int>("queue").unfinished(), 0u);
}

TEST_P(ReconnectTest, APipelineGoesOnInOrder) {
  const Manager manager = connect();
  auto list = manager.list<int>("list");
  auto queue = manager.queue<int>("queue");
  Pipeline pipeline = manager.pipeline();
  auto item = pipeline.call<ops::Queue::Get, std::optional<int>>(queue);
  auto piped = pipeline(list);
  std::vector<int> wanted;
  for (int i = 0; i < 1'000; ++i) {
    piped.push_back(i);
    wanted.push_back(i);
    if (i == 300) pipeline.flush();
    if (i == 500) kill();
    if (i == 501) start();
  }
  queue.put(7);
  EXPECT_EQ(item.get(), 7);
  pipeline.wait();
  EXPECT_EQ(list.snapshot(), wanted);
}

TEST_P(ReconnectTest, AsyncOperationsGoOn) {
  const Manager manager = connect();
  asio::thread_pool threads(1);
  Async async(manager, threads.get_executor());
  auto list = manager.list<int>("list");
  auto queue = manager.queue<int>("queue");
  auto item = async.call<ops::Queue::Get, std::optional<int>>(queue, asio::use_future);
  std::vector<std::future<void>> pushed;
  for (int i = 0; i < 300; ++i) {
    pushed.push_back(async.call<ops::List::Append>(list, i, asio::use_future));
    if (i == 100) kill();
    if (i == 200) start();
  }
  for (auto& one : pushed) one.get();
  EXPECT_EQ(list.size(), 300u);
  queue.put(7);
  EXPECT_EQ(item.get(), 7);
}

TEST_P(ReconnectTest, TransactionsAndBatchesAreRunOnce) {
  const Manager manager = connect();
  auto sums = manager.dict<std::string, int>("sums");
  std::atomic<bool> stop{false};
  int runs = 0;
  std::thread writer([&] {
    for (; !stop; ++runs)
      manager.atomically([&](Transaction& tx) {
        auto in = tx(sums);
        in["a"] = in.get("a", 0) + 1;
        in["b"] = in.get("b", 0) - 1;
      });
  });
  for (int i = 0; i < 10; ++i) restart();
  stop = true;
  writer.join();
  EXPECT_EQ(sums.get("a", 0), runs);
  EXPECT_EQ(sums.get("b", 0), -runs);
}

TEST_P(ReconnectTest, ALongResultComesWhole) {
  const Manager manager = connect();
  auto queue = manager.queue<std::string>("queue");
  const std::string text(8 << 20, 'x');
  std::atomic<int> got{0};
  std::thread reader([&] {
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(queue.get(), text);
      ++got;
    }
  });
  for (int i = 0; i < 20; ++i) {
    queue.put(text);
    if (i % 4 == 0) restart();
  }
  reader.join();
  EXPECT_EQ(got, 20);
}

/// References are given back by messages without a reply; doing that twice would take what another proxy refers to.
TEST_P(ReconnectTest, ReferencesAreCountedRight) {
  const Manager manager = connect();
  auto keeper = manager.dict<int, List<int>>("keeper");
  const auto kept = manager.list<int>({1});
  std::atomic<bool> stop{false};
  std::thread maker([&] {
    for (int i = 0; !stop; ++i) {
      auto made = manager.list<int>({i});
      keeper.insert_or_assign(0, made);
      made = keeper.at(0);
      EXPECT_EQ(made.size(), 1u);
      const auto copy = kept;
      EXPECT_EQ(copy.size(), 1u);
    }
  });
  for (int i = 0; i < 10; ++i) restart();
  stop = true;
  maker.join();
  keeper.clear();
  EXPECT_EQ(kept.size(), 1u);
  const Manager other = connect();
  test::eventually([&] { return other.objects().size() == 2; }, "what was forgotten to be gone");
}

/// A message without a reply was sent to a manager that is killed, and nothing else follows by itself.
TEST_P(ReconnectTest, TheEndOfAThreadIsNoticed) {
  const Manager manager = connect();
  auto lock = manager.lock("lock");
  std::thread([&] {
    lock.lock();
    kill();
  }).join();  // and so its lock is to be released
  start({"--session-grace-ms", "60000"});
  EXPECT_TRUE(lock.try_lock_for(10min));
}

TEST_P(ReconnectTest, AManagerThatDoesNotComeBackIsAnErrorInTheEnd) {
  const Manager manager = connect(50ms);
  auto list = manager.list<int>();
  kill();
  const std::string text = error_of<ConnectionError>([&] { list.push_back(1); });
  EXPECT_THAT(text, HasSubstr("within 50 ms (Options::reconnect)"));
  EXPECT_THAT(text, HasSubstr("may have been done"));
}

TEST_P(ReconnectTest, WithoutReconnectingItIsAnErrorAtOnce) {
  const Manager manager = connect(0ms);
  auto list = manager.list<int>("list");
  restart();
  EXPECT_THROW(list.push_back(1), ConnectionError);
  EXPECT_THROW(list.push_back(1), SessionLost);
}

TEST_P(ReconnectTest, ACallsTimeLimitCoversTheOutage) {
  const Manager manager(listen_, {.authkey = "secret", .call_timeout = 100ms, .reconnect = 10min});
  auto list = manager.list<int>("list");
  kill();
  EXPECT_THAT(error_of<Timeout>([&] { list.push_back(1); }), HasSubstr("call_timeout"));
}

/// Another manager has no idea of the session.
TEST_P(ReconnectTest, AnotherManagerInItsPlaceIsNotTakenForIt) {
  const Manager manager = connect();
  auto list = manager.list<int>("list");
  kill();
  std::filesystem::remove_all(folder_.path("journal"));
  start();
  EXPECT_THAT(error_of<SessionLost>([&] { list.push_back(1); }), HasSubstr("was started anew"));
}

TEST_P(ReconnectTest, AForkedChildGoesOnAsWell) {
  const Manager manager = connect();
  auto list = manager.list<int>({1});
  test::Signal forked, restarted;
  test::Child child([&] {
    forked.send();
    restarted.wait();
    list.push_back(2);
  });
  forked.wait();
  restart();
  restarted.send();
  EXPECT_EQ(child.join(), 0);
  EXPECT_THAT(list.snapshot(), ElementsAre(1, 2));
}

TEST_P(ReconnectTest, AStoppedManagerIsWaitedFor) {
  const Manager manager = connect();
  auto list = manager.list<int>("list");
  tandemd_->signal(SIGSTOP);
  test::eventually([&] { return test::is_stopped(tandemd_->pid()); }, "tandemd to stand still");
  auto pushed = std::async(std::launch::async, [&] { list.push_back(1); });
  EXPECT_EQ(pushed.wait_for(1500ms), std::future_status::timeout);
  tandemd_->signal(SIGCONT);
  pushed.get();
  EXPECT_EQ(list.size(), 1u);
}

// ---- processes that end meanwhile -------------------------------------------------------------------------

class LocalReconnectTest : public ReconnectTest {
 protected:
  /// In a child, until that is killed.
  [[noreturn]] void hold_lock() {
    const Manager manager = connect();
    manager.lock("lock").lock();
    locked_.send();
    for (;;) pause();
  }

  test::Signal locked_;
};
INSTANTIATE_TEST_SUITE_P(, LocalReconnectTest, testing::Values(Reach::ring),
                         [](const auto&) { return "ring"; });

/// The grace is for those who may come back.
TEST_P(LocalReconnectTest, TheLockOfAProcessThatEndedMeanwhilePassesOnAtOnce) {
  test::Child child([this] { hold_lock(); });
  locked_.wait();
  kill();
  child.kill();
  start({"--session-grace-ms", "86400000"});
  const Manager manager = connect();
  const auto guard = manager.lock("lock").try_guard();
  ASSERT_TRUE(guard.owns_lock());
  EXPECT_TRUE(guard.grant().previous_owner_died);
}

TEST_P(LocalReconnectTest, ASessionThatDoesNotComeBackEndsAfterTheGrace) {
  test::Child child([this] { hold_lock(); });
  locked_.wait();
  EXPECT_EQ(::kill(child.pid(), SIGSTOP), 0);
  restart();
  kill();
  start({"--session-grace-ms", "100"});
  const Manager manager = connect();
  EXPECT_TRUE(manager.lock("lock").guard().grant().previous_owner_died);
  child.kill();
}

/// What it was told last may be lost with what the journal had not written.
TEST_P(LocalReconnectTest, WhereSomethingMayBeLostTheClientIsTold) {
  stop();
  level_ = "relaxed";
  start();
  const Manager manager = connect();
  auto list = manager.list<int>("list");
  list.push_back(1);
  kill();
  start();
  EXPECT_THAT(error_of<SessionLost>([&] { list.push_back(1); }),
              HasSubstr("may have lost what it did last (journal level relaxed)"));
  // Not after a stop in order.
  const Manager next = connect();
  next.list<int>("list").push_back(2);
  auto held = next.list<int>("list");
  stop();
  start();
  held.push_back(3);
}

}  // namespace
}  // namespace tandem
