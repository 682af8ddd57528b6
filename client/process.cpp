#include "tandem/process.hpp"

#include <cxxabi.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <system_error>
#include <typeinfo>

#include "tandem/error.hpp"

namespace tandem {
namespace {

constexpr std::string_view main_name = "MainProcess";

/// What a process knows of itself: unlike everything else here it belongs to no object.
struct Self {
  std::mutex mutex;
  std::string name{main_name};
  unsigned children = 0;  // started so far, for their names
};

Self& self() {
  static Self the_self;
  return the_self;
}

/// Named children count too, as in Python.
std::string next_child_name(const std::string& given) {
  std::lock_guard lock(self().mutex);
  std::string number = std::to_string(++self().children);
  if (!given.empty()) return given;
  return self().name == main_name ? "Process-" + number : self().name + ":" + number;
}

void flush_output() {
  std::cout.flush();
  std::cerr.flush();
  std::clog.flush();
  // Not all files: a thread that reads from one may hold it locked, for as long as nothing is there to be read.
  std::fflush(stdout);
  std::fflush(stderr);
}

/// "key_error" → "KeyError": our classes are instances of one template, whose name says nothing.
std::string class_of(Code code) {
  if (code == Code::overflow) return "tandem::OverflowError";
  std::string name = "tandem::";
  bool upper = true;
  for (char c : name_of(code)) {
    if (c != '_') name += upper ? static_cast<char>(c - 'a' + 'A') : c;
    upper = c == '_';
  }
  return name;
}

std::string class_of_current_exception() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown exception";
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> readable(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? readable.get() : type->name();
}

/// In one write, so that the lines of several workers do not mix.
void report(const std::string& text) {
  std::string line = current_process_name() + ": " + text + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    ssize_t written = write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::string current_process_name() {
  std::lock_guard lock(self().mutex);
  return self().name;
}

void Process::start(const Options& options, std::unique_ptr<Task> task) {
  name_ = next_child_name(options.name);
  flush_output();
  pid_t pid;
  {
    // Not to be found locked by another thread in the child.
    std::lock_guard lock(self().mutex);
    pid = fork();
  }
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "cannot start process " + name_);
  if (pid == 0) {
    self().name = name_;
    self().children = 0;
    run_in_child(std::move(task));
  }
  pid_ = pid;
  owner_ = getpid();
}

void Process::run_in_child(std::unique_ptr<Task> task) noexcept {
  int status = EXIT_SUCCESS;
  try {
    task->run();
  } catch (const Error& error) {
    report(class_of(error.code()) + ": " + error.what());
    status = EXIT_FAILURE;
  } catch (const std::exception& error) {
    report(class_of_current_exception() + ": " + error.what());
    status = EXIT_FAILURE;
  } catch (...) {
    report(class_of_current_exception());
    status = EXIT_FAILURE;
  }
  task.reset();  // gives back what its proxies refer to
  flush_output();
  _Exit(status);
}

Process::~Process() {
  if (pid_ != 0 && owner_ == getpid()) reap(true);
}

void Process::swap(Process& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(pid_, other.pid_);
  std::swap(owner_, other.owner_);
  std::swap(ended_, other.ended_);
  std::swap(exit_code_, other.exit_code_);
}

void Process::check_ours() const {
  if (pid_ == 0) throw ValueError("an empty Process has no process");
  if (owner_ != getpid())
    throw ValueError("process " + name_ + " was started by another process than this one");
}

/// Takes the exit status if it has ended; gives whether it has.
bool Process::reap(bool wait) const {
  if (ended_) return true;
  int status = 0;
  pid_t reaped = 0;
  do reaped = waitpid(pid_, &status, wait ? 0 : WNOHANG);
  while (reaped < 0 && errno == EINTR);
  if (reaped == 0) return false;
  ended_ = true;
  if (reaped == pid_) exit_code_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  return true;
}

void Process::join() {
  check_ours();
  reap(true);
}

bool Process::join_for(std::chrono::milliseconds limit) {
  check_ours();
  auto end = std::chrono::steady_clock::now() + limit;
  if (reap(false)) return true;
  pollfd wanted{static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)), POLLIN, 0};
  if (wanted.fd < 0)
    throw std::system_error(errno, std::generic_category(), "cannot wait for process " + name_);
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    int timeout = static_cast<int>(std::clamp<decltype(left)>(left, 0, 1'000'000'000));
    int ready = poll(&wanted, 1, timeout);
    if (ready > 0 || (ready == 0 && left <= 0)) break;
  }
  close(wanted.fd);
  return reap(false);
}

bool Process::is_alive() const {
  check_ours();
  return !reap(false);
}

std::optional<int> Process::exit_code() const {
  check_ours();
  reap(false);
  return exit_code_;
}

pid_t Process::pid() const {
  if (pid_ == 0) throw ValueError("an empty Process has no pid");
  return pid_;
}

const std::string& Process::name() const {
  if (pid_ == 0) throw ValueError("an empty Process has no name");
  return name_;
}

// A pid is not given to another process before its status is taken, which only reap() does.
void Process::signal(int number) {
  check_ours();
  if (!reap(false)) ::kill(pid_, number);
}

void Process::terminate() {
  signal(SIGTERM);
}

void Process::kill() {
  signal(SIGKILL);
}

}  // namespace tandem
