#pragma once
// Process: a worker process, as Python's multiprocessing.Process with the start method "fork".
//
//   Python                                    here
//   p = Process(target=f, args=(1,)); p.start()   tandem::Process p(f, 1);       starts at once, as std::thread does
//   Process(target=f, name="x")               tandem::Process p({.name = "x"}, f);
//   p.join(), p.join(timeout)                 p.join(), p.join_for(timeout) → bool
//   p.is_alive(), p.pid, p.name               p.is_alive(), p.pid(), p.name()
//   p.exitcode                                p.exit_code()                      nullopt while it runs; -9: SIGKILL
//   p.terminate(), p.kill()                   p.terminate(), p.kill()            SIGTERM, SIGKILL
//   current_process().name                    tandem::current_process_name()
//
// The child runs the callable and ends; it never returns into the code that started it. What the callable captured is
// a copy made by fork(), proxies included, which go on working there in a session of the child's own. An exception that
// leaves the callable is printed to stderr, "Process-1: tandem::KeyError: …", and the exit code is 1. Otherwise it is
// 0: what the callable returns is not looked at.
//
// stdout, stderr, cout, cerr and clog are flushed before the fork, so that nothing is printed twice, and again at the
// child's end. Other files that the child writes to are its own to close: it ends without the parent's destructors and
// exit handlers. Of the parent's threads only the one that forks exists in the child; a mutex that another one held at
// that time stays locked there. Start workers before threads, or let threads hold nothing a worker needs.

#include <sys/types.h>

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace tandem {

/// Movable, not copyable. Used by one thread at a time, and by the process that made it: in a forked child an inherited
/// Process can be asked for name and pid only (ValueError), and its destructor does nothing.
class Process {
 public:
  struct Options {
    std::string name{};  // empty: "Process-1", "Process-2", … by count; within "Process-1" "Process-1:1", …
  };

  /// Empty: no process. Everything but the destructor and assignment throws ValueError.
  Process() = default;
  /// Starts a process that calls `function(arguments...)`, copies of both. Throws std::system_error when the system
  /// cannot start one.
  template <class F, class... A>
    requires(!std::same_as<std::decay_t<F>, Process> && !std::same_as<std::decay_t<F>, Options> &&
             std::invocable<std::decay_t<F>, std::decay_t<A>...>)
  explicit Process(F&& function, A&&... arguments)
      : Process(Options{}, std::forward<F>(function), std::forward<A>(arguments)...) {}
  template <class F, class... A>
    requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
  Process(const Options& options, F&& function, A&&... arguments) {
    start(options, std::make_unique<TaskOf<std::decay_t<F>, std::decay_t<A>...>>(
                       std::forward<F>(function), std::forward<A>(arguments)...));
  }

  Process(Process&& other) noexcept { swap(other); }
  Process& operator=(Process&& other) noexcept {
    Process(std::move(other)).swap(*this);
    return *this;
  }
  /// Waits for the process, so that no worker is left behind by a scope that ends, by an exception say.
  ~Process();

  /// Waits until it has ended. The second time it returns at once.
  void join();
  /// Waits at most so long; gives whether it has ended.
  bool join_for(std::chrono::milliseconds limit);
  bool is_alive() const;
  /// nullopt: still running, or somebody else waited for it (wait(), SIGCHLD ignored), so that it is not known.
  std::optional<int> exit_code() const;
  pid_t pid() const;
  const std::string& name() const;

  /// Signals a process that has not been joined; one that has ended is left alone.
  void terminate();
  void kill();

 private:
  struct Task {
    virtual ~Task() = default;
    virtual void run() = 0;
  };
  template <class F, class... A>
  struct TaskOf final : Task {
    template <class... From>
    explicit TaskOf(From&&... from) : parts(std::forward<From>(from)...) {}
    void run() override {
      std::apply(
          [](F& function, A&... arguments) { std::invoke(std::move(function), std::move(arguments)...); },
          parts);
    }
    std::tuple<F, A...> parts;
  };

  void start(const Options& options, std::unique_ptr<Task> task);
  [[noreturn]] static void run_in_child(std::unique_ptr<Task> task) noexcept;
  void check_ours() const;
  bool reap(bool wait) const;
  void signal(int number);
  void swap(Process& other) noexcept;

  std::string name_;
  pid_t pid_ = 0;    // 0: none
  pid_t owner_ = 0;  // the process that started it
  mutable bool ended_ = false;
  mutable std::optional<int> exit_code_;
};

/// "MainProcess" where no Process runs, as in Python.
std::string current_process_name();

}  // namespace tandem
