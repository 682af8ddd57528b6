#pragma once
// Forked children in tests.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <iterator>
#include <set>
#include <string>

namespace tandem::test {

/// A pipe over which one process lets another go on.
class Signal {
 public:
  Signal() { EXPECT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0); }
  ~Signal() {
    for (int end : ends_) close(end);
  }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void send() {
    char byte = 0;
    EXPECT_EQ(write(ends_[1], &byte, 1), 1);
  }
  void wait() {
    char byte = 0;
    EXPECT_EQ(read(ends_[0], &byte, 1), 1);
  }
  /// A number from one process to the other.
  void send_number(int number) { EXPECT_EQ(write(ends_[1], &number, sizeof number), ssize_t{sizeof number}); }
  int wait_for_number() {
    int number = -1;
    EXPECT_EQ(read(ends_[0], &number, sizeof number), ssize_t{sizeof number});
    return number;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

/// A forked child that runs `body` and ends with status 0 if no expectation in it failed.
class Child {
 public:
  explicit Child(const std::function<void()>& body) : pid_(fork()) {
    if (pid_ != 0) return;
    try {
      body();
    } catch (const std::exception& error) {
      ADD_FAILURE() << "in a child: " << error.what();
    }
    std::fflush(stdout);
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  ~Child() {
    if (pid_ > 0) {
      EXPECT_EQ(join(), 0) << "in a forked child, see above";
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  /// Exit status, or minus the signal that ended it.
  int join() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }
  void kill() {
    EXPECT_EQ(::kill(pid_, SIGKILL), 0);
    EXPECT_EQ(join(), -SIGKILL);
  }

 private:
  pid_t pid_;
};

/// How many descriptors this process has open.
inline std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all))) - 1;  // not the one that reads them
}

/// Their numbers.
inline std::set<int> descriptors() {
  std::set<int> all;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
    all.insert(std::stoi(each.path().filename()));
  std::erase_if(all, [](int each) { return fcntl(each, F_GETFD) < 0; });  // the one that read them
  return all;
}

/// A process that need not be a child of ours. Made while it is known to live.
class Watched {
 public:
  explicit Watched(pid_t pid) : pidfd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {
    EXPECT_GE(pidfd_, 0);
  }
  ~Watched() { close(pidfd_); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  bool is_gone() const { return wait(0); }
  void wait_until_gone() const { EXPECT_TRUE(wait(-1)); }

 private:
  bool wait(int timeout_ms) const {
    pollfd wanted{pidfd_, POLLIN, 0};
    return poll(&wanted, 1, timeout_ms) == 1;
  }
  int pidfd_;
};

}  // namespace tandem::test
