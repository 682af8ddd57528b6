#pragma once
// Process: a worker process, as Python's multiprocessing.Process.
//
//   Python                                    here
//   p = Process(target=f, args=(1,)); p.start()   tandem::Process p(f, 1);       starts at once, as std::thread does
//   Process(target=f, name="x", daemon=True)  tandem::Process p({.name = "x", .daemon = true}, f);
//   p = Process(target=f); …; p.start()       tandem::Process p({.deferred = true}, f); …; p.start();
//   class P(Process): def run(self): …        struct P : tandem::Process { void run() override { … } };   then start()
//   get_context("spawn").Process(target=f)    tandem::Process::spawn(f, 1)        main() begins with run_spawned()
//   p.join(), p.join(timeout)                 p.join(), p.join_for(timeout) → bool
//   p.is_alive(), p.pid, p.name, p.daemon     p.is_alive(), p.pid(), p.name(), p.is_daemon()
//   p.exitcode                                p.exit_code()                      nullopt while it runs; -9: SIGKILL
//   p.terminate(), p.kill(), p.close()        the same                           SIGTERM, SIGKILL
//   p.sentinel                                p.sentinel()                       see wait.hpp
//   current_process(), parent_process()       the same                           handles; no parent: nullopt
//   active_children(), cpu_count()            the same
//
// Two ways to start one:
//
//   fork    The child is a copy of this process that runs the callable and ends. What the callable captured is a copy,
//           proxies included, which go on working there in a session of the child's own. Of the parent's threads only the
//           one that forks exists in the child; a mutex that another one held at that time stays locked there. Start
//           workers before threads, or let threads hold nothing a worker needs; or else
//   spawn   runs this program again, from the start, and calls a function (function.hpp) with arguments that are written
//           by their Codec and read there; proxies, Managers and ends of pipes among them work on. Nothing else is
//           passed, no descriptor either but the standard three, so threads do no harm.
//
// The child never returns into the code that started it. An exception that leaves the callable is printed to stderr,
// "Process-1: tandem::KeyError: …", and the exit code is 1. Otherwise it is 0: what the callable returns is not looked at.
//
// Its end: before a process ends by returning from main(), by exit(), or as a worker, its daemons are sent SIGTERM, and
// SIGKILL if they are there a second later; then its other children are waited for. When it dies without that, by a signal
// say, its daemons are killed by the system; the others run on. Ctrl-C reaches the whole family: in a child, SIGINT,
// SIGTERM, SIGHUP and SIGQUIT do what they do by default, unless they are ignored or the child handles them itself.
//
// stdout, stderr, cout, cerr and clog are flushed before a fork, so that nothing is printed twice, and again at the
// child's end. Other files that a forked child writes to are its own to close: it ends without the parent's destructors
// and exit handlers.

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
#include <vector>

#include "tandem/function.hpp"
#include "tandem/pipe.hpp"

namespace tandem {

namespace client {

struct ProcessState;  // client/process/process_state.hpp

/// What a process is to run.
class Task {
 public:
  virtual ~Task() = default;
  /// In a forked child.
  virtual void run() = 0;
  /// Ends of pipes among the arguments.
  virtual std::vector<int> pipe_ends() const = 0;
  /// What to call, for a process that is spawned.
  virtual std::optional<Function> function() const { return std::nullopt; }
  virtual void encode_arguments(Encoder&) const {}
};

template <class F, class... A>
class CallableTask : public Task {
 public:
  template <class... From>
  explicit CallableTask(std::in_place_t, From&&... from) : parts_(std::forward<From>(from)...) {}
  void run() override {
    std::apply(
        [](F& function, A&... arguments) { std::invoke(std::move(function), std::move(arguments)...); },
        parts_);
  }
  std::vector<int> pipe_ends() const override {
    std::vector<int> ends;
    std::apply([&](const F&, const A&... arguments) { (append_pipe_ends(arguments, ends), ...); }, parts_);
    return ends;
  }

 protected:
  std::tuple<F, A...> parts_;
};

template <class F, class... A>
class FunctionTask final : public CallableTask<F, A...> {
 public:
  using CallableTask<F, A...>::CallableTask;
  std::optional<Function> function() const override { return std::get<0>(this->parts_); }
  void encode_arguments(Encoder& to) const override {
    std::apply([&](const F&, const A&... arguments) { encode_call<F>(to, arguments...); }, this->parts_);
  }
};

}  // namespace client

/// A process as another knows it: its child, its parent, or itself. Copies mean the same process. Any thread may use it.
///
/// In a forked child the handles of its parent's children tell names and pids only; the rest throws ValueError, and so
/// does everything that the text of a method does not allow.
class ProcessHandle {
 public:
  const std::string& name() const;
  bool is_daemon() const;
  /// ValueError: not started.
  pid_t pid() const;
  /// False before it is started.
  bool is_alive() const;

  /// Waits until it has ended; the second time it returns at once. For a child, or the parent process.
  void join() const;
  /// Waits at most so long; gives whether it has ended.
  bool join_for(std::chrono::milliseconds limit) const;
  /// Of a child. nullopt: not started, or still running, or somebody else waited for it (wait(), SIGCHLD ignored), so
  /// that it is not known.
  std::optional<int> exit_code() const;
  /// Signals a child; one that has ended is left alone.
  void terminate() const;
  void kill() const;
  /// A descriptor that becomes readable when the process ends (a pidfd): for wait(), poll() and the like. Of a child,
  /// started, or of the parent process. It lives as long as the handle and its copies, and is theirs to close.
  int sentinel() const;

  /// The same process?
  bool operator==(const ProcessHandle&) const = default;

 protected:
  ProcessHandle() = default;
  explicit ProcessHandle(std::shared_ptr<client::ProcessState> state) : state_(std::move(state)) {}
  client::ProcessState& state() const;

  std::shared_ptr<client::ProcessState> state_;  // null: moved from, or closed

  friend ProcessHandle current_process();
  friend std::optional<ProcessHandle> parent_process();
  friend std::vector<ProcessHandle> active_children();
};

/// Movable, not copyable; start() and moving are one thread's business.
///
/// A subclass overrides run() and is started by start(), in whose child it runs. Moving from a subclass's object moves the
/// process, if it is started, and leaves the subclass behind.
class Process : public ProcessHandle {
 public:
  struct Options {
    // Empty: "Process-1", "Process-2", … in the order of starting; within "Process-1" "Process-1:1", …
    std::string name{};
    // It is not waited for, and ends with this process at the latest; it cannot have children.
    bool daemon = false;
    // Not before start().
    bool deferred = false;
  };

  /// Nothing to run: for subclasses, or to be moved into.
  Process();
  explicit Process(const Options& options);
  /// Starts a process that calls `function(arguments...)`, copies of both, unless it is deferred. An argument that is
  /// moved in is gone here once it is started: an end of a pipe is closed here, and stays open there. A worker that gets
  /// ends of pipes as arguments has those and no copies of its parent's others; else it has copies of all.
  /// Throws as start().
  template <class F, class... A>
  requires(!std::derived_from<std::decay_t<F>, ProcessHandle> && !std::same_as<std::decay_t<F>, Options> &&
           std::invocable<std::decay_t<F>, std::decay_t<A>...>) explicit Process(F&& function,
                                                                                 A&&... arguments)
      : Process(Options{}, std::forward<F>(function), std::forward<A>(arguments)...) {}
  template <class F, class... A>
  requires std::invocable<std::decay_t<F>, std::decay_t<A>...> Process(const Options& options, F&& function,
                                                                       A&&... arguments)
      : Process(options, std::make_unique<client::CallableTask<std::decay_t<F>, std::decay_t<A>...>>(
                             std::in_place, std::forward<F>(function), std::forward<A>(arguments)...)) {}

  /// Starts a process that is this program run anew and calls `function(arguments...)`: a function or a captureless
  /// lambda, whose parameters' types have a Codec. Throws as start(); ValueError when main() does not begin with
  /// run_spawned().
  template <client::PlainFunction F, class... A>
  requires client::can_call<F, std::decay_t<A>...>
  static Process spawn(F function, A&&... arguments) {
    return spawn(Options{}, function, std::forward<A>(arguments)...);
  }
  template <client::PlainFunction F, class... A>
  requires client::can_call<F, std::decay_t<A>...>
  static Process spawn(const Options& options, F function, A&&... arguments) {
    return {options, std::make_unique<client::FunctionTask<F, std::decay_t<A>...>>(
                         std::in_place, function, std::forward<A>(arguments)...)};
  }

  Process(Process&&) noexcept = default;
  Process& operator=(Process&& other) noexcept;
  /// Waits for the process, so that no worker is left behind by a scope that ends, by an exception say. A daemon is not
  /// waited for: it goes on in the background, until this program ends. In a forked child it does nothing.
  virtual ~Process();

  /// Once only. ValueError: started before, nothing to run, or this process is a daemon. std::system_error: the system
  /// cannot start one. A process that is spawned: what encoding the arguments throws; ConnectionError, ObjectGone and
  /// others when the manager of a proxy among them cannot be reached or does not know it any more.
  void start();
  /// What the process does: by default it calls the callable.
  virtual void run();

  /// Before it is started.
  void set_name(std::string name);
  void set_daemon(bool daemon);
  /// Forgets a process that has ended, or was not started: everything else throws ValueError from now on. ValueError when
  /// it still runs. A sentinel is closed with the last handle.
  void close();

 private:
  Process(const Options& options, std::unique_ptr<client::Task> task);
  void fork_child();
  [[noreturn]] void run_in_child() noexcept;
  void leave() noexcept;

  std::unique_ptr<client::Task> task_;
};

/// This process. In what was not started by tandem its name is "MainProcess", as in Python.
ProcessHandle current_process();
/// The process that started this one as a Process; nullopt in any other.
std::optional<ProcessHandle> parent_process();
/// The children that this process started as Process and that run. Those that have ended are waited for, so that
/// nothing is left of them in the system's table.
std::vector<ProcessHandle> active_children();
/// The processors that this process may use, at least 1 (sched_getaffinity(), as Python's os.process_cpu_count()).
unsigned cpu_count();

/// The first line of main() in a program that uses Process::spawn(): in a spawned process it calls the function and ends
/// the process; in any other it returns at once. As Python's multiprocessing.freeze_support().
void run_spawned();

}  // namespace tandem
