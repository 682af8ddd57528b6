#pragma once
// Operations of the hosted pool: tasks that submitters hand in, workers take on lease, and whose outcomes the submitters
// collect. What a task is to do and what came out of it are values that the manager does not look into.
//
// Whoever dies: a worker's tasks are tried again, as often as their submitter asked for, or fail; a submitter's tasks and
// outcomes are dropped; without its supervisor, a submitter's tasks fail, since nobody replaces its workers any more.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Pool {
  static constexpr std::string_view type = "pool";
  static constexpr std::uint8_t number = 20;

  using Create = Op<0, "create()", Effect::writes, void()>;

  // Submitters. One is named by a number and lives as long as the session that entered it. not_owner: another's number.
  using Enter = Op<1, "enter()", Effect::writes, Int()>;
  // Each task as [tag, calls, work]: the submitter's own number for it, how many calls it counts for, what to do. A worker
  // that dies in it gives it back up to `retries` times. closed; and what fail() said. None of them was taken then.
  using Submit = Op<2, "submit(submitter, retries, tasks)", Effect::writes, void(Int, Int, Items)>;
  // Waits for the first outcome and gives what is there then, in the order of coming; none: the limit ran out.
  //   [tag, 0, results]                      the worker's `results`
  //   [tag, code, text]                      it was not carried out, and will not be
  //   [tag, code, text, pid, exit_code]      its worker died; exit_code nil: not known
  using Collect = Op<3, "collect(submitter, limit_us=None)", Effect::waits, Items(Int, Optional<Int>)>;
  // Its tasks that wait are dropped, and so is what comes of those that run.
  using Exit = Op<4, "exit(submitter)", Effect::frees, void(Int)>;

  // Supervisors: who start a submitter's workers and know how they end. Named as submitters are. `initializer` is for the
  // workers to have.
  using Supervise = Op<5, "supervise(submitter, initializer=None)", Effect::writes, Int(Int, Optional<Any>)>;
  // A worker of its own has ended; exit_code as waitpid() has it, a signal as a negative number. Whether another one is
  // to take its place. not_owner: another session's supervisor.
  using Reap = Op<6, "reap(supervisor, pid, exit_code)", Effect::frees, Bool(Int, Int, Int)>;
  // Its workers cannot work: the submitter's tasks that wait fail, and so will those to come. not_found.
  using Fail = Op<7, "fail(supervisor, reason)", Effect::frees, void(Int, Text)>;

  // Workers: threads, by session and actor. not_owner: this thread is none. A supervisor's worker tells its own pid and gets
  // the initializer; nil: none.
  using Enlist =
      Op<8, "enlist(supervisor=None, pid=None)", Effect::writes, Any(Optional<Int>, Optional<Int>)>;
  // Hands in what is done, each as [task, failed calls, results], and waits for the next task: [task, deliveries, calls,
  // work], or none when the limit ran out. What is done of a task that this worker has no more is not looked at.
  // closed: it was handed in, there is no task, and there will be none. resource_exhausted, type_error: nothing of it was.
  using Work = Op<9, "work(done, limit_us=None)", Effect::waits, Items(Items, Optional<Int>)>;
  // The same for one that takes no more tasks. What it has and is not done with is given back, as if it had died.
  using Quit = Op<10, "quit(done)", Effect::writes, void(Items)>;

  // No tasks can be submitted any more. Workers go on until all are done.
  using Close = Op<11, "close()", Effect::frees, void()>;
  // The same, and tasks that wait or run are over: their outcome is `closed`.
  using Terminate = Op<12, "terminate()", Effect::frees, void()>;
  using IsClosed = Op<13, "is_closed()", Effect::reads, Bool()>;
  // Calls that wait, that run, that were done, that failed, that were tried again; and workers.
  using Progress = Op<14, "progress()", Effect::reads, Tuple<Int, Int, Int, Int, Int, Int>()>;

  using All = OpList<Create, Enter, Submit, Collect, Exit, Supervise, Reap, Fail, Enlist, Work, Quit, Close,
                     Terminate, IsClosed, Progress>;
};

}  // namespace tandem::ops
