#include "client/pool/pool_worker.hpp"

#include <signal.h>
#include <unistd.h>

#include <unordered_map>
#include <vector>

#include "client/common/utf8.hpp"
#include "client/pool/outcome.hpp"
#include "client/process/exception_text.hpp"
#include "client/process/process_tree.hpp"
#include "tandem/wait.hpp"

namespace tandem {
namespace client {
namespace {

// ---- one worker -------------------------------------------------------------------------------------------

[[noreturn]] void throw_unreadable() {
  throw ProtocolError("a pool's task cannot be read");
}

/// Reads the id of the function and the number of its calls.
std::string_view take_function_id(wire::Reader& from, std::uint32_t& calls) {
  std::string_view id;
  if (!from.array(calls) || calls == 0 || !from.text(id)) throw_unreadable();
  --calls;
  return id;
}

class Worker {
  // Declared before their callers, since hand_in() has a deduced return type.
  EncodedItems done() const { return {done_count_, done_.view()}; }
  void forget_done() {
    done_.clear();
    done_count_ = 0;
    kept_.clear();
  }
  /// Calls `f`. If the manager refuses the results, e.g. as too large, replaces them by that error and calls
  /// `f` again.
  template <class F>
  auto hand_in(F f) {
    try {
      return f();
    } catch (const Error& error) {
      if (done_count_ == 0 || (error.code() != Code::resource_exhausted && error.code() != Code::type_error &&
                               error.code() != Code::object_gone && error.code() != Code::protocol_error))
        throw;
      if (error.code() == Code::object_gone && !pool_is_there()) throw;
      replace_done();
    }
    return f();
  }

 public:
  Worker(const TaskPool& pool, const Functions& functions) : pool_(pool), functions_(functions) {}

  /// Hands in the finished results and takes a task. Returns whether there is one.
  bool take_task(WaitLimit limit, const std::stop_token& stop) {
    task_ = hand_in([&] { return pool_.work(done(), limit, stop); });
    forget_done();
    wire::Reader reader(task_.bytes.view());
    std::uint32_t count = 0;
    if (!reader.array(count)) throw_unreadable();
    return count != 0;
  }
  void quit() {
    hand_in([&] {
      pool_.quit(done());
      return 0;
    });
    forget_done();
  }
  void run_task();

 private:
  bool pool_is_there() const {
    try {
      (void)pool_.is_closed();
      return true;
    } catch (const ObjectGone&) {
      return false;
    }
  }
  void replace_done();
  void write_done(std::uint32_t failed);
  void run_calls(const Function& function, Decoder& from);
  static void skip_arguments(Decoder& from, wire::Reader before);
  Function find(std::string_view id) {
    auto found = known_.find(std::string(id));
    if (found == known_.end()) found = known_.emplace(id, functions_.find(id)).first;
    return found->second;
  }

  const TaskPool& pool_;
  const Functions& functions_;
  std::unordered_map<std::string, Function> known_;
  EncodedResult task_;
  std::int64_t task_id_ = 0;
  std::uint32_t calls_ = 0;
  wire::Buffer done_;  // of the last task
  std::size_t done_count_ = 0;
  wire::Buffer values_;  // what the calls returned
  wire::Buffer failures_;
  wire::Buffer results_;                                   // failures_ and values_
  std::vector<std::shared_ptr<const RemoteObject>> kept_;  // proxies in the results, until they are handed in
};

/// Called in the handler of an exception, which becomes the failure of every call.
void Worker::replace_done() {
  failures_.clear();
  values_.clear();
  wire::Writer writer(failures_);
  for (std::uint32_t call = 0; call < calls_; ++call) {
    write_failure(writer, call);
    wire::Writer(values_).nil();
  }
  kept_.clear();
  write_done(calls_);
}

void Worker::write_done(std::uint32_t failed) {
  results_.clear();
  wire::Writer results(results_);
  results.array(1 + calls_);
  results.array(failed);
  results.raw(failures_.view());
  results.raw(values_.view());
  done_.clear();
  wire::Writer done(done_);
  done.array(3);
  done.integer(task_id_);
  done.unsigned_integer(failed);
  write_folded(done, results_.view(), !kept_.empty());
  done_count_ = 1;
}

void Worker::run_task() {
  wire::Reader reader(task_.bytes.view());
  std::uint32_t parts = 0;
  std::int64_t number = 0;
  if (!reader.array(parts) || !reader.array(parts) || parts != 4 || !reader.int64(task_id_) ||
      !reader.int64(number) || !reader.int64(number))
    throw_unreadable();
  calls_ = static_cast<std::uint32_t>(number);
  Decoder from{unfolded(reader), pool_.remote()->session().get()};
  try {
    std::uint32_t calls = 0;
    const Function function = find(take_function_id(from.reader, calls));
    if (calls != calls_) throw_unreadable();
    run_calls(function, from);
  } catch (const Error&) {  // the function is unknown here, or the task names none
    release_references(from.session, from.reader.rest());
    replace_done();
  }
}

void Worker::run_calls(const Function& function, Decoder& from) {
  failures_.clear();
  values_.clear();
  Encoder to{wire::Writer(values_), from.session, nullptr, &kept_};
  wire::Writer failures(failures_);
  std::uint32_t failed = 0;
  for (std::uint32_t call = 0; call < calls_; ++call) {
    const wire::Reader before = from.reader;
    const std::size_t mark = values_.size();
    try {
      function.call(from, &to);
      check_texts(values_.view_from(mark));
    } catch (...) {
      values_.truncate(mark);
      to.writer.nil();
      write_failure(failures, call);
      ++failed;
      skip_arguments(from, before);
    }
  }
  write_done(failed);
}

/// Skips the arguments of a call that threw, possibly before all of them were read.
void Worker::skip_arguments(Decoder& from, wire::Reader before) {
  const wire::Bytes unread = from.reader.rest();
  if (!before.skip()) throw_unreadable();
  const wire::Bytes next = before.rest();
  if (unread.size() > next.size())
    release_references(from.session, unread.first(unread.size() - next.size()));
  from.reader = before;
}

}  // namespace

std::size_t work(const TaskPool& pool, const Functions& functions, const WorkLimits& limits) {
  Worker worker(pool, functions);
  std::size_t tasks = 0;
  try {
    while (!limits.stop.stop_requested() && (limits.tasks_max == 0 || tasks < limits.tasks_max)) {
      if (!worker.take_task(no_limit, limits.stop)) continue;
      worker.run_task();
      ++tasks;
    }
    worker.quit();
  } catch (const Closed&) {
  } catch (const ObjectGone&) {  // a named pool was removed
  }
  return tasks;
}

// ---- the supervisor and its workers ----------------------------------------------------------------------

namespace {

Functions functions_of(const FunctionIds& ids) {
  Functions functions;
  for (const auto& [name, id] : ids) functions.add(name, Function::find(id));
  return functions;
}

/// Returns whether the worker is ready.
bool initialize(const TaskPool& pool, std::int64_t supervisor) {
  const EncodedResult initializer = pool.enlist(supervisor, getpid());
  wire::Reader reader(initializer.bytes.view());
  if (reader.nil()) return true;
  try {
    std::uint32_t calls = 0;
    const Function function = Function::find(take_function_id(reader, calls));
    Decoder from{reader, pool.remote()->session().get()};
    function.call(from, nullptr);
    return true;
  } catch (...) {
    const ExceptionText exception = current_exception_text();
    pool.fail(supervisor, "the pool's initializer failed: " + exception.type +
                              (exception.what.empty() ? "" : ": " + exception.what));
    return false;
  }
}

void run_worker(const TaskPool& pool, std::int64_t supervisor, unsigned max_tasks,
                const FunctionIds& functions) {
  try {
    if (initialize(pool, supervisor)) work(pool, functions_of(functions), {max_tasks, {}});
  } catch (const ConnectionError&) {  // the manager has ended; the pool's owner finds that itself
  } catch (const Closed&) {           // the pool ended before this worker began
  } catch (const ObjectGone&) {
  } catch (const NotFound&) {  // the supervisor was removed
  }
}

/// Ignored by the program, or handled, the signal that a child has ended would cost the supervisor its workers'
/// exit codes. Workers handle it again as the program does.
class ChildSignal {
 public:
  ChildSignal() {
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &by_default, &of_program_);
  }
  void restore() const { ::sigaction(SIGCHLD, &of_program_, nullptr); }

 private:
  struct sigaction of_program_ {};
};

class Supervisor {
 public:
  Supervisor(TaskPool pool, std::int64_t number, unsigned max_tasks, FunctionIds functions)
      : pool_(std::move(pool)), number_(number), max_tasks_(max_tasks), functions_(std::move(functions)) {}

  void start_worker() {
    const std::string name = "PoolWorker-" + std::to_string(++started_);
    workers_.emplace_back(Process::Options{.name = name, .daemon = true}, [this] {
      child_signal_.restore();
      run_worker(pool_, number_, max_tasks_, functions_);
    });
  }
  /// Replaces workers that end, until none is left or a message arrives.
  void look_after_them(const tandem::Connection& control) {
    while (!workers_.empty()) {
      std::vector<Waitable> things{control};
      for (const Process& worker : workers_) things.emplace_back(worker);
      const std::vector<std::size_t> ready = tandem::wait(things);
      if (ready.front() == 0) return;
      for (auto at = ready.rbegin(); at != ready.rend(); ++at) replace(*at - 1);
    }
  }

 private:
  void replace(std::size_t index) {
    const pid_t pid = workers_[index].pid();
    const int exit_code = workers_[index].exit_code().value_or(0);
    workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(index));
    if (pool_.reap(number_, pid, exit_code)) start_worker();
  }

  const ChildSignal child_signal_;
  const TaskPool pool_;
  const std::int64_t number_;
  const unsigned max_tasks_;
  const FunctionIds functions_;
  unsigned started_ = 0;
  std::vector<Process> workers_;
};

}  // namespace

void supervise(TaskPool pool, std::int64_t submitter, unsigned workers, unsigned max_tasks,
               FunctionIds functions, Bytes initializer, tandem::Connection control) {
  // It ends with its parent, like a daemon, but may have children, which are daemons too.
  ProcessTree::of_this_process().self()->daemon = false;
  try {
    const std::int64_t number = pool.supervise(submitter, as_wire(initializer));
    Supervisor supervisor(std::move(pool), number, max_tasks, std::move(functions));
    for (unsigned i = 0; i < workers; ++i) supervisor.start_worker();
    supervisor.look_after_them(control);
  } catch (const ConnectionError&) {
  } catch (const ObjectGone&) {
  } catch (const NotFound&) {  // the submitter was removed
  } catch (const NotOwner&) {
  }
}

}  // namespace client

// ---- serve_pool() -----------------------------------------------------------------------------------------

std::size_t serve_pool(const Manager& manager, std::string_view name, const Functions& functions,
                       const std::stop_token& stop) {
  const auto pool = client::enter_named(
      manager, name, [](const client::TaskPool& its) { (void)its.enlist(std::nullopt, std::nullopt); });
  return client::work(pool, functions, {0, stop});
}

}  // namespace tandem
