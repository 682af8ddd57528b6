#include "tandem/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/manager.hpp"
#include "tests/support/child.hpp"

namespace tandem {
namespace {

using test::Child;
using test::Signal;
using ::testing::HasSubstr;
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
  while (!manager.objects().empty()) std::this_thread::yield();
}

TEST(Process, AnErrorOfTheManagerIsToldAsAnyOther) {
  Manager manager;
  auto dict = manager.dict<std::string, int>();
  EXPECT_THAT(errors_of_worker([=] { dict.at("absent"); }), HasSubstr("worker: tandem::KeyError: "));
}

}  // namespace
}  // namespace tandem
