#include "tandem/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sched.h>
#include <sys/resource.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/manager.hpp"
#include "tandem/wait.hpp"
#include "tests/support/child.hpp"
#include "tests/support/eventually.hpp"

namespace tandem {
namespace {

using test::Child;
using test::open_descriptors;
using test::Signal;
using test::Watched;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using namespace std::chrono_literals;

// ---- what runs ------------------------------------------------------------------------------------------

TEST(Process, RunsTheCallableWithItsArguments) {
  Signal told;
  Process process([&](int a, const std::string& b) { told.send_number(a + static_cast<int>(b.size())); }, 40,
                  "ab");
  EXPECT_EQ(told.wait_for_number(), 42);
  process.join();
  EXPECT_EQ(process.exit_code(), 0);
}

TEST(Process, IsAnotherProcess) {
  Signal told;
  Process process([&] { told.send_number(getpid()); });
  EXPECT_EQ(told.wait_for_number(), process.pid());
  EXPECT_NE(process.pid(), getpid());
}

TEST(Process, TakesWhatCanOnlyBeMoved) {
  Signal told;
  Process process([&](std::unique_ptr<int> number) { told.send_number(*number); }, std::make_unique<int>(7));
  EXPECT_EQ(told.wait_for_number(), 7);
}

TEST(Process, NeverReturnsIntoTheCodeThatStartedIt) {
  Signal told;
  struct OnScopeEnd {
    Signal& told;
    pid_t parent = getpid();
    ~OnScopeEnd() {
      if (getpid() != parent) told.send_number(1);
    }
  };
  {
    OnScopeEnd guard{told};
    Process process([] {});
  }
  told.send_number(2);
  EXPECT_EQ(told.wait_for_number(), 2);
}

// ---- names ------------------------------------------------------------------------------------------------

TEST(Process, NamesAreCountedOrGiven) {
  EXPECT_EQ(current_process().name(), "MainProcess");
  Process first([] {});
  Process second({.name = "worker"}, [] {});
  Process third([] {});
  ASSERT_THAT(first.name(), MatchesRegex("Process-[0-9]+"));
  int number = std::atoi(first.name().c_str() + std::string_view("Process-").size());
  EXPECT_EQ(second.name(), "worker");
  EXPECT_EQ(third.name(), "Process-" + std::to_string(number + 2));
}

TEST(Process, AWorkerKnowsItsName) {
  Process process({.name = "worker"}, [] {
    if (current_process().name() != "worker") throw std::logic_error(current_process().name());
    Process inner([] {
      if (current_process().name() != "worker:1") throw std::logic_error(current_process().name());
    });
    inner.join();
    if (inner.exit_code() != 0) throw std::logic_error("the inner process");
  });
  process.join();
  EXPECT_EQ(process.exit_code(), 0);
}

// ---- its end ------------------------------------------------------------------------------------------------

TEST(Process, JoinForGivesUp) {
  Signal may_end;
  Process process([&] { may_end.wait(); });
  EXPECT_TRUE(process.is_alive());
  EXPECT_EQ(process.exit_code(), std::nullopt);
  EXPECT_FALSE(process.join_for(0ms));
  EXPECT_FALSE(process.join_for(20ms));
  may_end.send();
  EXPECT_TRUE(process.join_for(1h));
  EXPECT_FALSE(process.is_alive());
  EXPECT_EQ(process.exit_code(), 0);
  EXPECT_TRUE(process.join_for(0ms));
  process.join();
}

TEST(Process, SignalsEndIt) {
  Process terminated([] { pause(); });
  terminated.terminate();
  terminated.join();
  EXPECT_EQ(terminated.exit_code(), -SIGTERM);
  Process killed([] { pause(); });
  killed.kill();
  killed.join();
  EXPECT_EQ(killed.exit_code(), -SIGKILL);
  killed.kill();  // nothing there
  EXPECT_EQ(killed.exit_code(), -SIGKILL);
}

TEST(Process, ExitCodeIsTheWorkersOwn) {
  Process process([] { _exit(7); });
  process.join();
  EXPECT_EQ(process.exit_code(), 7);
}

TEST(Process, ScopeEndWaitsForIt) {
  Signal may_end;
  pid_t pid = 0;
  {
    Process process([&] { may_end.wait(); });
    pid = process.pid();
    may_end.send();
  }
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(Process, OtherChildrenAreLeftAlone) {
  Child other([] {});
  {
    Process process([] {});
  }
  EXPECT_EQ(other.join(), 0);
}

TEST(Process, ReapedBySomebodyElse) {
  Process process([] {});
  ASSERT_EQ(waitpid(process.pid(), nullptr, 0), process.pid());
  EXPECT_FALSE(process.is_alive());
  EXPECT_EQ(process.exit_code(), std::nullopt);
  process.join();
}

// ---- the handle ---------------------------------------------------------------------------------------------

TEST(Process, MovesAndMayBeEmpty) {
  Process empty;
  EXPECT_THROW(empty.join(), ValueError);
  EXPECT_THROW(static_cast<void>(empty.pid()), ValueError);
  std::vector<Process> workers;
  for (int i = 0; i < 10; ++i) workers.emplace_back([i] { _exit(i); });
  Process last = std::move(workers.back());
  EXPECT_THROW(workers.back().join(), ValueError);
  workers.pop_back();
  last.join();
  EXPECT_EQ(last.exit_code(), 9);
  for (int i = 0; i < 9; ++i) {
    workers[static_cast<std::size_t>(i)].join();
    EXPECT_EQ(workers[static_cast<std::size_t>(i)].exit_code(), i);
  }
  empty = std::move(last);
  EXPECT_EQ(empty.exit_code(), 9);
}

TEST(Process, AnotherProcessCannotWaitForIt) {
  Signal may_end;
  Process process([&] { may_end.wait(); });
  Child([&] {
    EXPECT_THROW(process.join(), ValueError);
    EXPECT_THROW(process.kill(), ValueError);
    process = Process();  // does not wait for its brother
  });
  EXPECT_TRUE(process.is_alive());
  may_end.send();
}

// ---- starting later -----------------------------------------------------------------------------------------

TEST(Process, DeferredItWaitsForStart) {
  Signal told;
  Process process(
      {.name = "later", .deferred = true}, [&](int number) { told.send_number(number); }, 5);
  EXPECT_EQ(process.name(), "later");
  EXPECT_FALSE(process.is_alive());
  EXPECT_EQ(process.exit_code(), std::nullopt);
  EXPECT_THROW((void)process.pid(), ValueError);
  EXPECT_THROW(process.join(), ValueError);
  EXPECT_THROW(process.terminate(), ValueError);
  EXPECT_THROW((void)process.sentinel(), ValueError);
  process.set_name("now");
  process.start();
  EXPECT_EQ(process.name(), "now");
  EXPECT_EQ(told.wait_for_number(), 5);
  EXPECT_THROW(process.start(), ValueError);
  EXPECT_THROW(process.set_name("late"), ValueError);
  EXPECT_THROW(process.set_daemon(true), ValueError);
  process.join();
  EXPECT_THROW(process.start(), ValueError) << "once only";
  Process never({.deferred = true}, [] {});
}

TEST(Process, WithoutACallableThereIsNothingToStart) {
  Process empty;
  EXPECT_THROW(empty.start(), ValueError);
  Process named({.name = "named"});
  EXPECT_THROW(named.start(), ValueError);
}

class Reporter : public Process {
 public:
  Reporter(Signal& told, int number) : told_(told), number_(number) {}
  void run() override {
    if (current_process() != *this || parent_process()->is_alive() != true)
      throw std::logic_error("who am I?");
    told_.send_number(getpid());
    told_.send_number(pid());
    told_.send_number(parent_process()->pid());
    told_.send_number(number_);
  }

 private:
  Signal& told_;
  int number_;
};

TEST(Process, ASubclassRuns) {
  Signal told;
  Reporter reporter(told, 7);
  reporter.set_name("reporter");
  reporter.start();
  EXPECT_EQ(told.wait_for_number(), reporter.pid());
  EXPECT_EQ(told.wait_for_number(), reporter.pid());
  EXPECT_EQ(told.wait_for_number(), getpid());
  EXPECT_EQ(told.wait_for_number(), 7);
  reporter.join();
  EXPECT_EQ(reporter.exit_code(), 0);
  EXPECT_EQ(reporter.name(), "reporter");
}

TEST(Process, ASubclassThatIsMovedLeavesItsProcess) {
  Signal may_end;
  struct Waiter : Process {
    explicit Waiter(Signal& wait_for) : signal(wait_for) {}
    void run() override { signal.wait(); }
    Signal& signal;
  } waiter(may_end);
  waiter.start();
  Process moved = std::move(waiter);
  EXPECT_TRUE(moved.is_alive());
  may_end.send();
  moved.join();
  EXPECT_EQ(moved.exit_code(), 0);
}

TEST(Process, CloseForgetsIt) {
  Signal may_end;
  Process process([&] { may_end.wait(); });
  EXPECT_THROW(process.close(), ValueError);
  may_end.send();
  process.join();
  const ProcessHandle handle = process;
  process.close();
  EXPECT_THROW(process.join(), ValueError);
  EXPECT_THROW((void)process.name(), ValueError);
  EXPECT_EQ(handle.exit_code(), 0);
}

// ---- handles ------------------------------------------------------------------------------------------------

TEST(Process, KnowsItselfAndItsParent) {
  EXPECT_EQ(current_process().pid(), getpid());
  EXPECT_TRUE(current_process().is_alive());
  EXPECT_FALSE(current_process().is_daemon());
  EXPECT_THROW(current_process().join(), ValueError);
  EXPECT_THROW(current_process().kill(), ValueError);
  EXPECT_EQ(parent_process(), std::nullopt);
  const pid_t test = getpid();
  Process process({.name = "worker"}, [test] {
    const auto parent = parent_process();
    const bool good = parent->name() == "MainProcess" && parent->pid() == test && parent->is_alive() &&
                      !parent->join_for(0ms) && current_process().pid() == getpid();
    bool refused = false;
    try {
      parent->kill();
    } catch (const ValueError&) {
      refused = true;
    }
    _exit(good && refused ? 42 : 1);
  });
  process.join();
  EXPECT_EQ(process.exit_code(), 42);
  Child([] { EXPECT_EQ(current_process().pid(), getpid()); });
}

TEST(Process, ActiveChildrenAreThoseThatRun) {
  Signal may_end;
  EXPECT_THAT(active_children(), IsEmpty());
  Process first([&] { may_end.wait(); });
  Process second([] {});
  second.join();
  EXPECT_EQ(active_children(), std::vector<ProcessHandle>{first});
  const ProcessHandle handle = active_children().at(0);
  EXPECT_EQ(handle.name(), first.name());
  handle.kill();
  handle.join();
  EXPECT_EQ(first.exit_code(), -SIGKILL);
  EXPECT_THAT(active_children(), IsEmpty());
}

TEST(Process, EveryThreadMayWait) {
  Signal may_end;
  Process process([&] { may_end.wait(); });
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      process.join();
      EXPECT_EQ(process.exit_code(), 0);
    });
  may_end.send();
}

TEST(Process, SentinelTellsOfItsEnd) {
  Signal may_end;
  Process process([&] { may_end.wait(); });
  EXPECT_THAT(wait({process}, 0ms), IsEmpty());
  EXPECT_THAT(wait({process.sentinel()}, 0ms), IsEmpty());
  may_end.send();
  EXPECT_THAT(wait({process}), ElementsAre(0u));
  EXPECT_FALSE(process.is_alive());
}

TEST(Process, WhereNobodyIsToldOfChildrenItEndsAllTheSame) {
  Child([] {
    signal(SIGCHLD, SIG_IGN);
    Process process([] {});
    process.join();
    EXPECT_EQ(process.exit_code(), std::nullopt);
    EXPECT_FALSE(process.is_alive());
  });
}

TEST(Process, CpusAreThoseItMayUse) {
  Child([] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(cpu_count(), 1u);
  });
  EXPECT_GE(cpu_count(), 1u);
}

// ---- daemons, and the end of a family -----------------------------------------------------------------------

/// A process that runs `body` and ends as programs do, by exit().
class ProgramLike {
 public:
  explicit ProgramLike(const std::function<void()>& body)
      : child_([&] {
          body();
          std::exit(::testing::Test::HasFailure() ? 1 : 0);
        }) {}
  Child& child() { return child_; }

 private:
  Child child_;
};

TEST(ProcessEnd, DaemonsEndWithTheProgram) {
  Signal told;
  ProgramLike program([&] {
    for (int i = 0; i < 3; ++i) {
      Process daemon({.daemon = true}, [] { pause(); });
      EXPECT_TRUE(daemon.is_daemon());
      told.send_number(daemon.pid());
    }
    EXPECT_EQ(active_children().size(), 3u);
  });
  for (int i = 0; i < 3; ++i) EXPECT_GT(told.wait_for_number(), 0);
  EXPECT_EQ(program.child().join(), 0);
}

TEST(ProcessEnd, ADaemonThatDoesNotListenIsKilled) {
  Signal ready;
  ProgramLike program([&] {
    Process daemon({.daemon = true}, [&] {
      signal(SIGTERM, SIG_IGN);
      ready.send_number(getpid());
      while (true) pause();
    });
    Watched watched(ready.wait_for_number());
    EXPECT_FALSE(watched.is_gone());
  });
  EXPECT_EQ(program.child().join(), 0);
}

TEST(ProcessEnd, OthersAreWaitedForWhereverTheirProcessObjectsAre) {
  Signal may_end;
  Signal told;
  ProgramLike program([&] {
    [[maybe_unused]] static Process* never_destroyed = nullptr;
    never_destroyed = new Process([&] {
      may_end.wait();
      told.send_number(1);
    });
  });
  may_end.send();
  EXPECT_EQ(program.child().join(), 0);
  told.send_number(2);
  EXPECT_EQ(told.wait_for_number(), 1) << "the child was done before the program ended";
}

TEST(ProcessEnd, AWorkerWaitsForItsOwnChildren) {
  Signal may_end;
  Signal told;
  {
    Process worker([&] {
      new Process([&] {
        may_end.wait();
        told.send_number(1);
      });
    });
    EXPECT_FALSE(worker.join_for(20ms));
    may_end.send();
  }
  told.send_number(2);
  EXPECT_EQ(told.wait_for_number(), 1);
}

TEST(ProcessEnd, ADaemonHasNoChildren) {
  Process daemon({.daemon = true}, [] {
    try {
      Process child([] {});
    } catch (const ValueError&) {
      _exit(current_process().is_daemon() ? 7 : 8);
    }
  });
  daemon.join();
  EXPECT_EQ(daemon.exit_code(), 7);
}

/// A program with a daemon, and then another child. Gives the pids of the two.
std::pair<pid_t, pid_t> start_two(Signal& told) {
  auto tell = [&] {
    told.send_number(getpid());
    while (true) pause();
  };
  static std::vector<Process> kept;
  std::jthread([&] { kept.emplace_back(Process::Options{.daemon = true}, tell); });  // that thread ends here
  const pid_t daemon = told.wait_for_number();
  kept.emplace_back(tell);
  return {daemon, told.wait_for_number()};
}

TEST(ProcessEnd, KilledAProgramLeavesNoDaemonsBehind) {
  Signal inside;
  Signal told;
  Child program([&] {
    auto [daemon, other] = start_two(inside);
    told.send_number(daemon);
    told.send_number(other);
    while (true) pause();
  });
  Watched daemon(told.wait_for_number());
  const pid_t other_pid = told.wait_for_number();
  Watched other(other_pid);
  EXPECT_FALSE(daemon.is_gone()) << "the end of the thread that started it is not the end of the program";
  program.kill();
  daemon.wait_until_gone();
  EXPECT_FALSE(other.is_gone()) << "only daemons end with their parent";
  kill(other_pid, SIGKILL);
  other.wait_until_gone();
}

TEST(ProcessEnd, AForkOfSomebodyElseKeepsNoDaemonAlive) {
  Signal told;
  Child program([&] {
    Process daemon({.daemon = true}, [] {
      while (true) pause();
    });
    const pid_t forked = fork();
    if (forked == 0)
      while (true) pause();
    told.send_number(daemon.pid());
    told.send_number(forked);
    while (true) pause();
  });
  Watched daemon(told.wait_for_number());
  const pid_t forked = told.wait_for_number();
  Watched watched(forked);
  program.kill();
  daemon.wait_until_gone();
  EXPECT_FALSE(watched.is_gone());
  kill(forked, SIGKILL);
}

TEST(ProcessEnd, AForkThatEndsLeavesItsParentsChildrenAlone) {
  Process daemon({.daemon = true}, [] { pause(); });
  Process other([] { pause(); });
  {
    ProgramLike program([] { EXPECT_THAT(active_children(), IsEmpty()); });
    EXPECT_EQ(program.child().join(), 0);
  }
  EXPECT_TRUE(daemon.is_alive());
  EXPECT_TRUE(other.is_alive());
  daemon.terminate();
  daemon.join();
  EXPECT_EQ(daemon.exit_code(), -SIGTERM);
  other.kill();
}

TEST(ProcessEnd, AChildSeesItsParentsDeath) {
  Signal told;
  Process middle([&] {
    Process leaf([&] {
      told.send_number(getpid());
      parent_process()->join();
      told.send_number(parent_process()->is_alive() ? 1 : 0);
    });
    pause();
  });
  Watched leaf(told.wait_for_number());
  middle.kill();
  EXPECT_EQ(told.wait_for_number(), 0);
  leaf.wait_until_gone();
}

// ---- signals ------------------------------------------------------------------------------------------------

TEST(ProcessSignals, CtrlCReachesWorkers) {
  Signal ready;
  Child([&] {
    setpgid(0, 0);
    signal(SIGINT, [](int) {});  // a program that ends in good order
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, nullptr);  // as a thread has it that others keep signals from
    auto work = [&] {
      ready.send();
      while (true) pause();
    };
    Process worker(work);
    Process daemon({.daemon = true}, work);
    ready.wait();
    ready.wait();
    kill(0, SIGINT);
    worker.join();
    daemon.join();
    EXPECT_EQ(worker.exit_code(), -SIGINT);
    EXPECT_EQ(daemon.exit_code(), -SIGINT);
  });
}

TEST(ProcessSignals, WhatIsIgnoredStaysIgnored) {
  Child([] {
    signal(SIGINT, SIG_IGN);
    Process worker([] {
      raise(SIGINT);
      _exit(7);
    });
    worker.join();
    EXPECT_EQ(worker.exit_code(), 7);
  });
}

TEST(ProcessSignals, AWorkerMayHandleThem) {
  Signal ready;
  Process worker([&] {
    signal(SIGTERM, [](int) { _exit(9); });
    ready.send();
    while (true) pause();
  });
  ready.wait();
  worker.terminate();
  worker.join();
  EXPECT_EQ(worker.exit_code(), 9);
}

// ---- what is left behind ------------------------------------------------------------------------------------

TEST(ProcessRemains, NoDescriptorsAndNoZombies) {
  Child([] {
    Process([] {}).join();  // what is made once is made
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 20; ++i) {
      Process worker([] {});
      Process daemon({.daemon = true}, [] {});
      daemon.join();
      Process({.daemon = true}, [] {});
    }
    test::eventually([] { return active_children().empty(); }, "all children to end");
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  });
}

TEST(ProcessRemains, AWorkerHasNoDescriptorsOfItsParentsWorkers) {
  Signal may_end;
  const std::size_t before = open_descriptors();
  std::vector<Process> workers;
  for (int i = 0; i < 5; ++i) workers.emplace_back(Process::Options{.daemon = true}, [&] { may_end.wait(); });
  Process last([&] { _exit(static_cast<int>(open_descriptors() - before)); });
  last.join();
  EXPECT_EQ(last.exit_code(), 1) << "its parent's pidfd";
  for (int i = 0; i < 5; ++i) may_end.send();
  for (Process& worker : workers) worker.join();
}

TEST(ProcessRemains, WithoutDescriptorsNothingStarts) {
  Child([] {
    Process([] {}).join();
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &limit);
    std::vector<int> all_others;
    for (int taken = dup(STDIN_FILENO); taken >= 0; taken = dup(STDIN_FILENO)) all_others.push_back(taken);
    Process worker({.deferred = true}, [] { pause(); });
    EXPECT_THROW(worker.start(), std::system_error);
    worker.set_daemon(true);
    EXPECT_THROW(worker.start(), std::system_error);
    EXPECT_THROW(Pipe(), std::system_error);
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    for (int taken : all_others) close(taken);
    worker.start();
    worker.kill();
    worker.join();
    EXPECT_EQ(worker.exit_code(), -SIGKILL);
  });
}

TEST(ProcessRemains, ProcessesStartedByManyThreads) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < 10; ++i) {
        Process worker({.daemon = i % 2 == 0}, [i] { _exit(i); });
        worker.join();
        EXPECT_EQ(worker.exit_code(), i);
      }
    });
}

TEST(ProcessSpawn, NeedsAMainThatIsMadeForIt) {
  try {
    Process::spawn([](int) {}, 1);
    FAIL() << "this test's main() does not call run_spawned()";
  } catch (const ValueError& error) {
    EXPECT_THAT(error.what(), HasSubstr("tandem::run_spawned()"));
  }
}

// ---- output -------------------------------------------------------------------------------------------------

template <class F>
std::string errors_of_worker(F worker, int exit_code = 1) {
  ::testing::internal::CaptureStderr();
  Process process({.name = "worker"}, worker);
  process.join();
  EXPECT_EQ(process.exit_code(), exit_code);
  return ::testing::internal::GetCapturedStderr();
}

TEST(Process, ExceptionsAreToldWithTheirType) {
  EXPECT_EQ(errors_of_worker([] { throw KeyError("\"x\""); }), "worker: tandem::KeyError: \"x\"\n");
  EXPECT_EQ(errors_of_worker([] { throw ObjectGone("it was removed"); }),
            "worker: tandem::ObjectGone: it was removed\n");
  EXPECT_EQ(errors_of_worker([] { throw OverflowError("2^64"); }), "worker: tandem::OverflowError: 2^64\n");
  EXPECT_EQ(errors_of_worker([] { throw std::runtime_error("no"); }), "worker: std::runtime_error: no\n");
  EXPECT_EQ(errors_of_worker([] { throw 5; }), "worker: int\n");
  EXPECT_EQ(errors_of_worker([] {}, 0), "");
}

TEST(Process, ExceptionsAreToldWithTheirCause) {
  EXPECT_EQ(
      errors_of_worker([] {
        try {
          try {
            throw KeyError("\"x\"");
          } catch (...) {
            std::throw_with_nested(std::runtime_error("no configuration"));
          }
        } catch (...) {
          std::throw_with_nested(std::logic_error("not started"));
        }
      }),
      "worker: std::logic_error: not started; caused by std::runtime_error: no configuration; caused by "
      "tandem::KeyError: \"x\"\n");
}

TEST(Process, AnExceptionWithoutATextEndsTheWorkerAsAnyOther) {
  struct Silent : std::exception {
    const char* what() const noexcept override { return nullptr; }
  };
  EXPECT_THAT(errors_of_worker([] { throw Silent(); }), MatchesRegex("worker: .*Silent\n"));
}

TEST(Process, NothingIsPrintedTwiceOrLost) {
  ::testing::internal::CaptureStdout();
  std::printf("before ");  // stays in the buffer: stdout is a file here
  {
    Process process([] { std::printf("in the worker "); });
  }
  std::printf("after");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "before in the worker after");
}

// ---- with a manager -----------------------------------------------------------------------------------------

TEST(Process, WorkersShareWhatTheyCaptured) {
  Manager manager;
  auto results = manager.dict();
  auto numbers = manager.list<int>({0, 1, 2, 3, 4});
  std::vector<Process> workers;
  for (int n = 0; n < 10; ++n)
    workers.emplace_back([=]() mutable {
      results[n] = "1";
      results["2"] = 2;
      results[0.25] = nullptr;
      numbers.push_back(n);
    });
  for (Process& worker : workers) worker.join();
  EXPECT_EQ(results.size(), 12u);
  EXPECT_EQ(numbers.size(), 15u);
  for (Process& worker : workers) EXPECT_EQ(worker.exit_code(), 0);
}

TEST(Process, AWorkersProxiesGoBeforeIt) {
  Manager manager;
  {
    auto list = manager.list<int>();
    Process worker([list]() mutable { list.push_back(1); });
  }
  test::eventually([&] { return manager.objects().empty(); }, "the worker's references to be given back");
}

TEST(Process, EveryErrorOfTandemIsPrintedByTheNameOfItsClass) {
  for (int code = 1; name_of(Code(code)) != "unknown"; ++code) {
    const std::string printed = errors_of_worker([=] { throw_error(Code(code), "no"); });
    EXPECT_THAT(printed, MatchesRegex("worker: tandem::[A-Z][A-Za-z]+: no\n")) << name_of(Code(code));
    std::string letters(name_of(Code(code)));
    std::erase(letters, '_');
    std::string lower = printed;
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    EXPECT_THAT(lower, HasSubstr("tandem::" + letters));
  }
}

TEST(Process, AnErrorOfTheUsersOwnIsPrintedByItsOwnName) {
  struct NoSuchCity : KeyError {
    using KeyError::KeyError;
  };
  EXPECT_THAT(errors_of_worker([] { throw NoSuchCity("Atlantis"); }), HasSubstr("NoSuchCity: Atlantis"));
}

TEST(Process, AnErrorOfTheManagerIsToldAsAnyOther) {
  Manager manager;
  auto dict = manager.dict<std::string, int>();
  EXPECT_THAT(errors_of_worker([=] { dict.at("absent"); }), HasSubstr("worker: tandem::KeyError: "));
}

}  // namespace
}  // namespace tandem
