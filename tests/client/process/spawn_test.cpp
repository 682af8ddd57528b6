// Processes that are this program run anew. What they are to do stands in functions and captureless lambdas; they report
// through pipes, shared objects and exit codes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "tandem/server.hpp"
#include "tandem/tandem.hpp"
#include "tests/support/attachable.hpp"
#include "tests/support/child.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"

namespace tandem {
namespace {

using test::Child;
using test::Watched;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int exit_code_of(Process process) {
  process.join();
  return process.exit_code().value();
}

void wait_until_empty(const Manager& manager) {
  test::eventually([&] { return manager.objects().empty(); }, "all objects to go");
}

// ---- what runs ----------------------------------------------------------------------------------------------

void add(Connection to, int a, double b, const std::string& c, const std::vector<int>& d,
         std::optional<int> e) {
  to.send(a + b + static_cast<double>(c.size() + d.size()) + e.value_or(100));
}

TEST(Spawn, CallsAFunctionWithItsArguments) {
  auto [here, there] = Pipe();
  Process process = Process::spawn(add, std::move(there), 1, 2, "abc", std::vector{1, 2}, std::nullopt);
  EXPECT_TRUE(there.closed());
  EXPECT_EQ(here.recv<double>(), 1 + 2 + 3 + 2 + 100);
  EXPECT_THROW(here.recv<double>(), EndOfFile);
  process.join();
  EXPECT_EQ(process.exit_code(), 0);
}

TEST(Spawn, IsANewProcessOfTheSameProgram) {
  static int changed_here = 0;
  changed_here = 1;
  auto [here, there] = Pipe();
  Process process = Process::spawn(
      {.name = "new one"},
      [](Connection to) {
        to.send(getpid());
        to.send(changed_here);
        to.send(current_process().name());
        to.send(parent_process()->name());
        to.send(parent_process()->pid());
        to.send(parent_process()->is_alive() && !current_process().is_daemon());
        to.send(contents_of("/proc/self/comm"));
      },
      std::move(there));
  EXPECT_EQ(here.recv<pid_t>(), process.pid());
  EXPECT_EQ(here.recv<int>(), 0) << "nothing of the parent's memory";
  EXPECT_EQ(here.recv<std::string>(), "new one");
  EXPECT_EQ(here.recv<std::string>(), "MainProcess");
  EXPECT_EQ(here.recv<pid_t>(), getpid());
  EXPECT_TRUE(here.recv<bool>());
  EXPECT_EQ(here.recv<std::string>(), contents_of("/proc/self/comm"));
}

TEST(Spawn, LambdasNeedNoName) {
  EXPECT_EQ(exit_code_of(Process::spawn([](int n) { std::exit(n); }, 7)), 7);
  EXPECT_EQ(exit_code_of(Process::spawn([] {})), 0);
  EXPECT_EQ(exit_code_of(Process::spawn([] { return 9; })), 0) << "what it returns is not looked at";
}

TEST(Spawn, ArgumentsThatAreNotUtf8AreRefusedAsByAManager) {
  EXPECT_THROW(Process::spawn([](const std::string&) {}, "caf\xe9"), ValueError);
}

TEST(Spawn, ExceptionsAreTold) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(exit_code_of(Process::spawn({.name = "worker"}, [] { throw KeyError("\"x\""); })), 1);
  EXPECT_EQ(exit_code_of(Process::spawn({.name = "worker"}, [] { throw std::out_of_range("far"); })), 1);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "worker: tandem::KeyError: \"x\"\nworker: std::out_of_range: far\n");
}

TEST(Spawn, WaitsForStartWhenItIsDeferred) {
  Process process = Process::spawn(
      {.deferred = true}, [](int n) { std::exit(n); }, 3);
  EXPECT_FALSE(process.is_alive());
  process.start();
  EXPECT_EQ(exit_code_of(std::move(process)), 3);
}

TEST(Spawn, SpawnedOnesSpawnAndFork) {
  auto [here, there] = Pipe();
  Process process = Process::spawn(
      {.name = "outer"},
      [](Connection to) {
        Process spawned = Process::spawn([] { std::exit(current_process().name() == "outer:1" ? 5 : 1); });
        Process forked([] { std::_Exit(current_process().name() == "outer:2" ? 6 : 1); });
        spawned.join();
        forked.join();
        to.send(*spawned.exit_code() * 10 + *forked.exit_code());
      },
      std::move(there));
  EXPECT_EQ(here.recv<int>(), 56);
  Process fork_that_spawns([] { std::_Exit(exit_code_of(Process::spawn([] { std::exit(8); }))); });
  EXPECT_EQ(exit_code_of(std::move(fork_that_spawns)), 8);
}

TEST(Spawn, EndsAsAnyProgram) {
  auto [here, there] = Pipe();
  Process process = Process::spawn(
      [](Connection to) {
        static Connection kept = std::move(to);
        std::atexit([] { kept.send("exit handlers run"); });
        new Process([] { kept.send("and children are waited for"); });
      },
      std::move(there));
  std::vector<std::string> said{here.recv<std::string>(), here.recv<std::string>()};
  EXPECT_THAT(said, ::testing::UnorderedElementsAre("exit handlers run", "and children are waited for"));
}

// ---- shared objects -------------------------------------------------------------------------------------------

void fill(Manager manager, List<int> list, Dict<std::string, List<int>> lists) {
  list.push_back(1);
  lists["own"] = manager.list<int>({2});
  lists["given"] = list;
}

TEST(SpawnSharing, ProxiesAndManagersAreArguments) {
  Manager manager;
  auto list = manager.list<int>();
  auto lists = manager.dict<std::string, List<int>>();
  EXPECT_EQ(exit_code_of(Process::spawn(fill, manager, list, lists)), 0);
  EXPECT_EQ(list, (std::vector{1}));
  EXPECT_EQ(lists.at("given"), list);
  EXPECT_EQ(lists.at("own"), (std::vector{2}));
}

TEST(SpawnSharing, WhatIsDroppedHereLivesOnThere) {
  Manager manager;
  auto [here, there] = Pipe();
  std::optional list = manager.list<int>({1, 2, 3});
  Process process = Process::spawn(
      [](std::vector<List<int>> lists, Connection with) {
        with.recv<bool>();
        with.send(lists[0].size() + lists[1].size());
      },
      std::vector{*list, *list}, std::move(there));
  list.reset();
  test::eventually([&] { return manager.objects().at(0).references == 2; }, "our reference to be given back");
  here.send(true);
  EXPECT_EQ(here.recv<int>(), 6);
  process.join();
  wait_until_empty(manager);
}

TEST(SpawnSharing, AFencedProxyStaysFenced) {
  Manager manager;
  auto count = manager.value<int>(0);
  auto began = manager.event();
  auto over = manager.event();
  auto held = manager.lock().guard();
  Process child = Process::spawn(
      [](std::optional<Value<int>> its, Event has_begun,
         Event lock_is_free) {  // NOLINT(performance-unnecessary-value-param)
        *its += 1;
        has_begun.set();
        lock_is_free.wait();
        try {
          *its += 1;
        } catch (const StaleToken&) {
          std::_Exit(7);
        }
      },
      std::optional(fenced(count, held)), began, over);
  began.wait();
  EXPECT_EQ(count.load(), 1) << "while its parent holds the lock";
  held.unlock();
  over.set();
  EXPECT_EQ(exit_code_of(std::move(child)), 7);
  EXPECT_EQ(count.load(), 1);
}

TEST(SpawnSharing, NothingElseIsHeldThere) {
  Manager manager;
  auto given = manager.list<int>();
  std::optional other = manager.list<int>();
  auto [here, there] = Pipe();
  Process process =
      Process::spawn([](List<int>, Connection with) { with.recv<bool>(); }, given, std::move(there));
  other.reset();
  test::eventually([&] { return manager.objects().size() == 1; }, "the list that was dropped here to go");
  here.send(true);
}

TEST(SpawnSharing, KilledItLeavesNothing) {
  Manager manager;
  {
    auto list = manager.list<int>();
    auto [here, there] = Pipe();
    Process process = Process::spawn(
        [](List<int>, Connection with) {
          with.send(true);
          pause();
        },
        list, std::move(there));
    EXPECT_TRUE(here.recv<bool>());
    process.kill();
  }
  wait_until_empty(manager);
  test::eventually([&] { return manager.information()["sessions"] == 1; },
                   "the killed process's session to end");
}

TEST(SpawnSharing, ManagersMayBeSeveral) {
  Manager one;
  Manager other;
  auto in_one = one.value<int>(1);
  auto in_other = other.value<int>(2);
  auto swap = [](Value<int> a, Value<int> b, Manager of_b) {
    if (of_b.address().empty()) std::exit(1);
    const int kept = a.load();
    a = b.load();
    b = kept;
  };
  EXPECT_EQ(exit_code_of(Process::spawn(swap, in_one, in_other, other)), 0);
  EXPECT_EQ(in_one.load(), 2);
  EXPECT_EQ(in_other.load(), 1);
  auto both = [](const std::vector<Value<int>>&) {};
  EXPECT_THROW(Process::spawn(both, std::vector{in_one, in_other}), ValueError);
  auto with_handle = [](const std::pair<Value<int>, Manager>&) {};
  EXPECT_THROW(Process::spawn(with_handle, std::pair(in_one, other)), ValueError);
}

TEST(SpawnSharing, WhatIsGoneCannotBePassed) {
  Manager manager;
  auto list = manager.list<int>("named");
  manager.remove("named");
  EXPECT_THROW(Process::spawn([](List<int>) {}, list), ObjectGone);
  EXPECT_THROW(Process::spawn([](List<int>) {}, List<int>()), ValueError);
  auto kept = manager.list<int>();
  manager.shutdown();
  EXPECT_THROW(Process::spawn([](List<int>) {}, kept), ConnectionError);
  EXPECT_THAT(active_children(), IsEmpty());
}

TEST(SpawnSharing, AManagerWithinThisProcessCannotBePassed) {
  Server server{ServerOptions{}};
  server.start();
  Manager manager = server.connect();
  EXPECT_THROW(Process::spawn([](List<int>) {}, manager.list<int>()), ConnectionError);
}

TEST(SpawnSharing, KeysAreSeenByNobody) {
  constexpr const char* key = "the-secret-key-of-this-test";
  test::TemporaryFolder folder;
  test::Program daemon({test::beside_the_test("tandemd"), "--listen", "unix:" + folder.path("socket"),
                        "--authkey-file", folder.write("key", key)});
  ASSERT_THAT(daemon.read_line(), Not(IsEmpty()));
  Manager manager("unix:" + folder.path("socket"), {.authkey = key});
  auto seen = manager.list<std::string>();
  EXPECT_EQ(exit_code_of(Process::spawn(
                [](List<std::string> list) {
                  list.push_back(contents_of("/proc/self/environ"));
                  list.push_back(contents_of("/proc/self/cmdline"));
                  list.push_back(std::getenv("TANDEM_SPAWNED") == nullptr ? "gone" : "there");
                },
                seen)),
            0);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_THAT(seen.at(0), Not(HasSubstr(key)));
  EXPECT_THAT(seen.at(0), HasSubstr("TANDEM_SPAWNED"));
  EXPECT_EQ(seen.at(1), contents_of("/proc/self/cmdline"));
  EXPECT_EQ(seen.at(2), "gone");
}

// ---- descriptors ------------------------------------------------------------------------------------------------

TEST(SpawnDescriptors, OnlyTheArgumentsArePassed) {
  const int stray = dup(0);  // not closed on exec, as descriptors of careless libraries
  auto [here, there] = Pipe();
  auto [unrelated, unrelated_there] = Pipe();
  Process process =
      Process::spawn([](Connection to) { to.send(test::open_descriptors()); }, std::move(there));
  // The standard three, the parent's pidfd, this end.
  EXPECT_EQ(here.recv<std::size_t>(), 5u);
  close(stray);
}

TEST(SpawnDescriptors, NoneIsLeftHere) {
  Manager manager;
  auto list = manager.list<int>();
  exit_code_of(Process::spawn([](List<int>) {}, list));
  const std::size_t before = test::open_descriptors();
  for (int i = 0; i < 5; ++i) {
    auto [a, b] = Pipe();
    exit_code_of(Process::spawn(
        {.daemon = i % 2 == 0}, [](List<int>, Connection) {}, list, std::move(b)));
    EXPECT_THROW(Process::spawn([](List<int>, List<int>) {}, list, List<int>()), ValueError);
  }
  EXPECT_THAT(active_children(), IsEmpty());
  EXPECT_EQ(test::open_descriptors(), before);
}

TEST(SpawnDescriptors, SimplexEndsStaySo) {
  auto [receiver, sender] = Pipe(false);
  Process process = Process::spawn(
      [](std::vector<Connection> ends) { ends[0].send(ends[0].writable() && !ends[0].readable()); },
      [&sender = sender] {
        std::vector<Connection> ends;
        ends.push_back(std::move(sender));
        return ends;
      }());
  EXPECT_TRUE(receiver.recv<bool>());
  EXPECT_THROW(receiver.recv<bool>(), EndOfFile);
}

TEST(SpawnDescriptors, TheFirstThreeMayBeClosed) {
  Child([] {
    close(STDIN_FILENO);
    auto [here, there] = Pipe();
    Process process = Process::spawn([](Connection to) { to.send(1); }, std::move(there));
    EXPECT_EQ(here.recv<int>(), 1);
  });
}

// ---- daemons and death --------------------------------------------------------------------------------------------

TEST(SpawnEnd, DaemonsAreKilledWithTheirParent) {
  auto [here, there] = Pipe();
  Process parent = Process::spawn(
      [](Connection to) {
        std::vector<Process> kept;
        std::jthread([&] {
          kept.push_back(Process::spawn({.daemon = true}, [] {
            while (true) pause();
          }));
        });
        kept.push_back(Process::spawn([] {
          while (true) pause();
        }));
        to.send(std::pair(kept[0].pid(), kept[1].pid()));
        pause();
      },
      std::move(there));
  auto [daemon_pid, other_pid] = here.recv<std::pair<pid_t, pid_t>>();
  Watched daemon(daemon_pid);
  Watched other(other_pid);
  parent.kill();
  daemon.wait_until_gone();
  EXPECT_FALSE(other.is_gone());
  kill(other_pid, SIGKILL);
}

TEST(SpawnEnd, ADaemonKnowsThatItIsOne) {
  Process daemon = Process::spawn({.daemon = true}, [] {
    try {
      Process::spawn([] {});
    } catch (const ValueError&) {
      std::exit(current_process().is_daemon() ? 7 : 1);
    }
  });
  EXPECT_EQ(exit_code_of(std::move(daemon)), 7);
}

TEST(SpawnEnd, SignalsReachIt) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Process process = Process::spawn([] {
    while (true) pause();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  process.terminate();
  EXPECT_EQ(exit_code_of(std::move(process)), -SIGTERM);
}

// ---- among threads ----------------------------------------------------------------------------------------------

TEST(SpawnThreads, LocksOfOtherThreadsDoNotMatter) {
  static std::mutex mutex;
  Manager manager;
  auto count = manager.value<int>(0);
  std::atomic<bool> enough{false};
  std::jthread holder([&] {
    while (!enough) {
      std::lock_guard lock(mutex);
      std::vector<std::string> busy(100, std::string(100, 'x'));
    }
  });
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 3; ++i)
        EXPECT_EQ(exit_code_of(Process::spawn(
                      [](Value<int> value) {
                        std::lock_guard lock(mutex);
                        value += 1;
                      },
                      count)),
                  0);
    });
  for (auto& thread : threads) thread.join();
  enough = true;
  EXPECT_EQ(count.load(), 12);
}

TEST(SpawnThreads, ForksOfOtherThreadsKeepNothing) {
  Manager manager;
  auto list = manager.list<int>();
  std::atomic<bool> enough{false};
  std::vector<Process> forked;
  std::jthread forker([&] {
    while (!enough && forked.size() < 200)
      forked.emplace_back([] {
        while (true) pause();
      });
  });
  for (int i = 0; i < 5; ++i) {
    auto [here, there] = Pipe();
    Process process =
        Process::spawn([](Connection to, List<int> l) { to.send(l.size()); }, std::move(there), list);
    EXPECT_EQ(here.recv<int>(), 0);
    EXPECT_EQ(exit_code_of(std::move(process)), 0);
  }
  enough = true;
  forker.join();
  // The forked ones have sessions of their own, and no copy of those on their way to the spawned ones.
  test::eventually([&] { return manager.information()["sessions"] == 1 + forked.size(); },
                   "a session for each forked process, and no other");
  for (Process& each : forked) each.kill();
}

// ---- pools ----------------------------------------------------------------------------------------------------------

int base = 0;

TEST(SpawnedPool, WorksForAParentWithThreads) {
  Manager manager;
  base = 1;  // which no worker sees
  auto begun = manager.value<int>(0);
  auto begin = [](Value<int> count, int value) {
    count += 1;
    base += value;
  };
  Pool pool(manager, {.workers = 2, .initializer = {begin, begun, 40}, .start_method = StartMethod::spawn});
  EXPECT_THAT(pool.map([](int n) { return base + n; }, std::vector{1, 2, 3, 4}, 1),
              ::testing::ElementsAre(41, 42, 43, 44));
  EXPECT_THROW(pool.apply([] { raise(SIGKILL); }), WorkerDied);
  EXPECT_EQ(pool.apply([] { return base; }), 40);
  pool.close();
  pool.join();
  EXPECT_GE(begun.load(), 2);
}

// ---- a program that is called wrongly -------------------------------------------------------------------------------

TEST(SpawnFaults, WhatWasNotGivenIsToldOf) {
  for (const char* count : {"", "0", "1", "7", "x", "-1", "99999999999999999999"}) {
    test::Program program({test::beside_the_test("spawn_test")}, {{"TANDEM_SPAWNED", count}});
    EXPECT_EQ(program.wait(), 1) << count;
    EXPECT_EQ(program.out, "");
    EXPECT_THAT(program.errors, HasSubstr("tandem::ProtocolError")) << count;
  }
}

// ---- without standard descriptors ------------------------------------------------------------------------------

bool is_open(int descriptor) {
  return fcntl(descriptor, F_GETFD) >= 0;
}

std::vector<int> open_standard_descriptors() {
  return {is_open(0), is_open(1), is_open(2)};
}

void report_standard_descriptors(Connection to, List<int> list) {
  list.push_back(2);
  to.send(open_standard_descriptors());
}

/// Uses each kind of descriptor that the library opens, with some of 0 to 2 closed.
void use_everything(const std::vector<int>& open) {
  Manager manager;
  auto list = manager.list<int>();
  list.push_back(0);
  EXPECT_EQ(open_standard_descriptors(), open);

  auto [here, there] = Pipe();
  Process forked({.daemon = true}, [&list, &open] {
    list.push_back(1);
    if (open_standard_descriptors() != open) _exit(1);
  });
  forked.join();
  EXPECT_EQ(forked.exit_code(), 0);
  Process spawned = Process::spawn({.daemon = true}, report_standard_descriptors, std::move(there), list);
  EXPECT_EQ(here.recv<std::vector<int>>(), open);
  spawned.join();
  EXPECT_EQ(spawned.exit_code(), 0);

  Pool pool(2);
  EXPECT_EQ(pool.apply([](int x) { return x + 1; }, 1), 2);
  EXPECT_EQ(pool.apply([] { return open_standard_descriptors(); }), open);

  test::TemporaryFolder folder;
  const std::string address = "unix:" + folder.path("socket");
  Server server({.listen = {address, "tcp://127.0.0.1:0"}, .authkey = "a key", .debug = "127.0.0.1:0"});
  server.start();
  for (const bool ring : {false, true})
    Manager(address, {.authkey = "a key", .ring = ring}).value<int>(3).store(4);
  Manager(server.addresses().back(), {.authkey = "a key"}).value<int>(3).store(4);
  // The manager's thread looks at the machine's load in between: for that moment a file of /proc is open.
  test::eventually([&] { return open_standard_descriptors() == open; }, "the same open standard descriptors");
  EXPECT_THAT(list.snapshot(), ::testing::ElementsAre(0, 1, 2));
}

/// Says what fails on a descriptor of its own, since the standard output may be closed.
class FailureReport final : public ::testing::EmptyTestEventListener {
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    const std::string text =
        "in a child, line " + std::to_string(result.line_number()) + ": " + result.message() + "\n";
    EXPECT_GT(write(descriptor_, text.data(), text.size()), 0);
  }
  const int descriptor_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);
};

TEST(StandardDescriptors, MayBeClosedInEveryCombination) {
  for (int closed = 0; closed < 8 && !HasFailure(); ++closed) {  // a child inherits that there was a failure
    SCOPED_TRACE(closed);
    Child([closed] {
      ::testing::UnitTest::GetInstance()->listeners().Append(new FailureReport);
      std::vector<int> open;
      for (int descriptor = 0; descriptor < 3; ++descriptor) {
        const bool stays = (closed & (1 << descriptor)) == 0;
        open.push_back(stays);
        if (!stays) {
          close(descriptor);
        } else if (!is_open(descriptor)) {
          EXPECT_EQ(::open("/dev/null", O_RDWR), descriptor);
        }
      }
      use_everything(open);
    });
  }
}

TEST(StandardDescriptors, MayBeClosedWhereTandemdStarts) {
  for (int closed = 0; closed < 8; ++closed) {
    SCOPED_TRACE(closed);
    test::TemporaryFolder folder;
    const std::string address = "unix:" + folder.path("socket");
    test::Program tandemd({test::beside_the_test("tandemd"), "--listen", address}, {}, "", [closed] {
      for (int descriptor = 0; descriptor < 3; ++descriptor)
        if ((closed & (1 << descriptor)) != 0) close(descriptor);
    });
    test::eventually([&] { return test::is_attachable(address); }, "tandemd to listen");
    for (int descriptor = 0; descriptor < 3; ++descriptor) {
      if ((closed & (1 << descriptor)) == 0) continue;
      const std::string link = "/proc/" + std::to_string(tandemd.pid()) + "/fd/" + std::to_string(descriptor);
      EXPECT_EQ(std::filesystem::read_symlink(link), "/dev/null");
    }
    tandemd.signal(SIGTERM);
    EXPECT_EQ(tandemd.wait(), 0);
  }
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  tandem::run_spawned();
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
