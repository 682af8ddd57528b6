#pragma once
// Operations of the hosted pool: submitters hand in tasks, workers take them on lease, submitters collect the
// outcomes. The work of a task and its results are values that the manager does not interpret.
//
// When a worker dies, its tasks are retried up to the submitter's limit, then fail. When a submitter dies,
// its tasks and outcomes are dropped. When its supervisor dies, a submitter's waiting and later tasks
// fail, since its workers are no longer replaced.
//
// A pool that is closed and whose tasks are all done has ended: its name, if it has one, is free, and it lives
// until its last user releases it.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Pool {
  static constexpr std::string_view type = "pool";
  static constexpr std::uint8_t number = 20;

  using Create = Op<0, "create()", Effect::writes, void()>;

  // Submitters. Each has a number and lives as long as the session that entered it. not_owner: another's.
  using Enter = Op<1, "enter()", Effect::writes, Int()>;
  // Each task is [tag, calls, work]: the submitter's own number for it, the number of calls it counts for,
  // and the work. If its worker dies it is retried, up to `retries` times. closed, or the failure reported by
  // fail(): none of the tasks was taken.
  using Submit = Op<2, "submit(submitter, retries, tasks)", Effect::writes, void(Int, Int, Items)>;
  // Waits for the first outcome and returns those available then, in the order of arrival; none if the limit
  // expired.
  //   [tag, 0, results]                      the worker's `results`
  //   [tag, code, text]                      it was not completed and will not be
  //   [tag, code, text, pid, exit_code]      its worker died; exit_code nil: unknown
  using Collect = Op<3, "collect(submitter, limit_us=None)", Effect::waits, Items(Int, Optional<Int>)>;
  // Removes the submitter. Its waiting tasks and the outcomes of its running tasks are dropped.
  using Exit = Op<4, "exit(submitter)", Effect::frees, void(Int)>;

  // Supervisors start a submitter's workers and report how they end. They are numbered as submitters are.
  // `initializer` is passed to the workers.
  using Supervise = Op<5, "supervise(submitter, initializer=None)", Effect::writes, Int(Int, Optional<Any>)>;
  // Reports the end of one of the supervisor's workers; exit_code is its exit status, or a signal as a
  // negative number. Returns whether to start a replacement. not_owner: another session's supervisor.
  using Reap = Op<6, "reap(supervisor, pid, exit_code)", Effect::frees, Bool(Int, Int, Int)>;
  // The workers cannot work: the submitter's waiting and later tasks fail. not_found: no such supervisor.
  using Fail = Op<7, "fail(supervisor, reason)", Effect::frees, void(Int, Text)>;

  // Workers are threads, identified by session and actor. not_owner (work, quit): this thread is none. A
  // supervisor's worker passes its own pid and gets the initializer, or nil. closed: the pool has ended.
  using Enlist =
      Op<8, "enlist(supervisor=None, pid=None)", Effect::writes, Any(Optional<Int>, Optional<Int>)>;
  // Hands in finished tasks, each [task, failed calls, results], and waits for the next task: [task,
  // deliveries, calls, work], or none if the limit expired. Results of tasks that this worker no longer has
  // are ignored. closed: the results were taken, and there will be no more tasks. resource_exhausted,
  // type_error, value_error: no results were taken.
  using Work = Op<9, "work(done, limit_us=None)", Effect::waits, Items(Items, Optional<Int>)>;
  // The same for a worker that takes no more tasks. Its unfinished tasks are given back, as if it had died.
  using Quit = Op<10, "quit(done)", Effect::writes, void(Items)>;

  // No more tasks can be submitted. Workers continue until all are done.
  using Close = Op<11, "close()", Effect::frees, void()>;
  // The same, and waiting and running tasks end with the outcome `closed`.
  using Terminate = Op<12, "terminate()", Effect::frees, void()>;
  using IsClosed = Op<13, "is_closed()", Effect::reads, Bool()>;
  // Returns the numbers of calls waiting, running, done, failed and retried, and of workers.
  using Progress = Op<14, "progress()", Effect::reads, Tuple<Int, Int, Int, Int, Int, Int>()>;

  using All = OpList<Create, Enter, Submit, Collect, Exit, Supervise, Reap, Fail, Enlist, Work, Quit, Close,
                     Terminate, IsClosed, Progress>;
};

}  // namespace tandem::ops
