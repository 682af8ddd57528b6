#pragma once
// Process: a worker process, as Python's multiprocessing.Process.
//
//   Python                                    here
//   p = Process(target=f, args=(1,)); p.start()   tandem::Process p(f, 1);   starts at once, as std::thread
//   Process(target=f, name="x", daemon=True)  tandem::Process p({.name = "x", .daemon = true}, f);
//   p = Process(target=f); …; p.start()       tandem::Process p({.deferred = true}, f); …; p.start();
//   class P(Process): def run(self): …        struct P : tandem::Process { void run() override { … } };
//                                             P p; p.start();
//   get_context("spawn").Process(target=f)    tandem::Process::spawn(f, 1)   main() begins with run_spawned()
//   p.join(), p.join(timeout)                 p.join(), p.join_for(timeout) → bool
//   p.is_alive(), p.pid, p.name, p.daemon     p.is_alive(), p.pid(), p.name(), p.is_daemon()
//   p.exitcode                                p.exit_code()                  nullopt: running; -9: SIGKILL
//   p.terminate(), p.kill(), p.close()        the same                       SIGTERM, SIGKILL
//   p.sentinel                                p.sentinel()                   see wait.hpp
//   current_process(), parent_process()       the same                       handles; no parent: nullopt
//   active_children(), cpu_count()            the same
//
// Two start methods:
//
//   fork    The child is a copy of this process that runs the callable and ends. It works on a copy of what
//           the callable captured, proxies included, which the child uses in a session of its own. Of the
//           parent's threads only the one that forks exists in the child; a mutex held by another thread at
//           that time stays locked there. Start workers before threads, let threads hold nothing that a
//           worker needs, or use spawn.
//   spawn   Runs this program again, from the start, and calls a function (function.hpp) with arguments that
//           are transferred by their Codec; proxies, Managers and ends of pipes among them stay usable.
//           Nothing else is passed, no descriptor but the standard three, so threads do no harm.
//
// The child never returns into the code that started it. An exception that leaves the callable is printed to
// stderr, "Process-1: tandem::KeyError: …", and the exit code is 1. Otherwise it is 0: the callable's return
// value is ignored.
//
// Termination: before a process ends by returning from main(), by exit(), or as a worker, its daemons are
// sent SIGTERM, and SIGKILL if they still run a second later; then its other children are waited for. If it
// dies otherwise, e.g. by a signal, the system kills its daemons; its other children continue. Ctrl-C reaches
// the whole process tree: in a child, SIGINT, SIGTERM, SIGHUP and SIGQUIT have their default action, unless
// they are ignored or the child handles them.
//
// stdout, stderr, cout, cerr and clog are flushed before a fork, so that nothing is printed twice, and again
// at the child's end. A forked child must close other files that it writes to: it ends without running the
// parent's destructors and exit handlers.

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

/// What a process runs.
class Task {
 public:
  virtual ~Task() = default;
  /// Called in a forked child.
  virtual void run() = 0;
  /// Ends of pipes among the arguments.
  virtual std::vector<int> pipe_ends() const = 0;
  /// The function to call, for a spawned process.
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
inline constexpr bool can_spawn = false;
template <PlainFunction F, class... A>
inline constexpr bool can_spawn<F, A...> = can_call<F, std::decay_t<A>...>;

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

/// A process as seen by its parent, its child, or itself. Copies refer to the same process. Any thread may
/// use it.
///
/// In a forked child the handles of its parent's children return names and pids only; other methods throw
/// ValueError, as does every call that a method's comment does not allow.
class ProcessHandle {
 public:
  const std::string& name() const;
  bool is_daemon() const;
  /// ValueError: not started.
  pid_t pid() const;
  /// Returns false before start().
  bool is_alive() const;

  /// Waits until the process has ended; later calls return at once. For a child or the parent process.
  void join() const;
  /// Waits at most `limit`; returns whether the process has ended.
  bool join_for(std::chrono::milliseconds limit) const;
  /// For a child. nullopt: not started, still running, or unknown because other code waited for it (wait(),
  /// SIGCHLD ignored).
  std::optional<int> exit_code() const;
  /// Signals a child; no effect if it has ended.
  void terminate() const;
  void kill() const;
  /// A descriptor that becomes readable when the process ends (a pidfd), for wait(), poll() and the like. For
  /// a started child or the parent process. It is closed with the last copy of the handle; do not close it.
  int sentinel() const;

  /// Whether both refer to the same process.
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

/// Movable, not copyable; start() and moving are for one thread at a time.
///
/// A subclass overrides run() and is started by start(), which calls run() in the child. Moving from an
/// object of a subclass moves the process, if it is started, but not the subclass.
class Process : public ProcessHandle {
 public:
  struct Options {
    // Empty: "Process-1", "Process-2", … in order of starting; in "Process-1": "Process-1:1", …
    std::string name{};
    // Not waited for; ends with this process at the latest; cannot have children.
    bool daemon = false;
    // Started only by start().
    bool deferred = false;
  };

  /// Without a callable: for subclasses, or as the target of a move.
  Process();
  explicit Process(const Options& options);
  /// Starts a process that calls `function(arguments...)`, copies of both, unless it is deferred. A moved
  /// argument is consumed once the process is started: an end of a pipe is closed here and stays open there.
  /// A worker that gets ends of pipes as arguments has only those and no copies of its parent's others; any
  /// other worker has copies of all. Throws as start().
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

  /// Say at compile time why they cannot be called.
  template <class F, class... A>
  requires(!std::derived_from<std::decay_t<F>, ProcessHandle> && !std::same_as<std::decay_t<F>, Options> &&
           !std::invocable<std::decay_t<F>, std::decay_t<A>...>) explicit Process(F&&, A&&...) {
    say_what_is_called<F>();
  }
  template <class F, class... A>
  requires(!std::invocable<std::decay_t<F>, std::decay_t<A>...> &&
           !std::convertible_to<F, std::unique_ptr<client::Task>>) Process(const Options&, F&&, A&&...) {
    say_what_is_called<F>();
  }

  /// Starts a process that runs this program anew and calls `function(arguments...)`: a function or a
  /// captureless lambda whose parameter types have a Codec. Throws as start(); ValueError if main() does not
  /// begin with run_spawned().
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
  /// Say at compile time why they cannot be called.
  template <class F, class... A>
  requires(!std::same_as<std::decay_t<F>, Options> && !client::can_spawn<F, A...>) static Process
      spawn(const F&, A&&...) {
    return say_what_is_spawned<F>();
  }
  template <class F, class... A>
  requires(!client::can_spawn<F, A...>) static Process spawn(const Options&, const F&, A&&...) {
    return say_what_is_spawned<F>();
  }

  Process(Process&&) noexcept = default;
  Process& operator=(Process&& other) noexcept;
  /// Waits for the process, so that no worker outlives its scope, also if that ends by an exception. A daemon
  /// is not waited for: it continues in the background until this program ends. Does nothing in a forked
  /// child.
  virtual ~Process();

  /// May be called once. ValueError: started before, nothing to run, or this process is a daemon.
  /// std::system_error: the system cannot start a process. For a spawned process also: what encoding the
  /// arguments throws; ConnectionError, ObjectGone and others if the manager of a proxy among them cannot be
  /// reached or no longer has the object.
  void start();
  /// Runs in the process; by default it calls the callable.
  virtual void run();

  /// Allowed only before start().
  void set_name(std::string name);
  void set_daemon(bool daemon);
  /// Forgets a process that has ended or was not started: everything else throws ValueError from now on.
  /// ValueError: still running. A sentinel is closed with the last handle.
  void close();

 private:
  Process(const Options& options, std::unique_ptr<client::Task> task);
  template <class F>
  static void say_what_is_called() {
    static_assert(
        client::never<F>,
        "a Process calls its function with copies of the arguments: as many as it takes, of types that "
        "convert to its parameters', none of which is a reference to something that is not const");
  }
  template <class F>
  static Process say_what_is_spawned() {
    static_assert(!client::PlainFunction<F> || client::never<F>,
                  "the arguments are as many as the function takes, and convert to its parameters' types");
    static_assert(
        client::PlainFunction<F>,
        "spawn() calls a function or a captureless lambda, without template parameters: what a lambda "
        "captures is not passed to the new process; pass it as an argument");
    return {};
  }
  void fork_child();
  [[noreturn]] void run_in_child() noexcept;
  void leave() noexcept;

  std::unique_ptr<client::Task> task_;
};

/// This process. Its name is "MainProcess", as in Python, unless tandem started it.
ProcessHandle current_process();
/// The process that started this one as a Process; nullopt if there is none.
std::optional<ProcessHandle> parent_process();
/// The running children that this process started as Process. Those that have ended are reaped.
std::vector<ProcessHandle> active_children();
/// Number of processors that this process may use, at least 1 (sched_getaffinity(), as
/// os.process_cpu_count()).
unsigned cpu_count();

/// Must be the first call in main() of a program that uses Process::spawn(). In a spawned process it calls
/// the function and ends the process; in any other it returns at once. As Python's
/// multiprocessing.freeze_support().
void run_spawned();

}  // namespace tandem
