#pragma once
// The hosted pool: tasks on their way from submitters to workers, and outcomes on their way back.

#include <deque>
#include <map>

#include "server/engine/dispatch.hpp"
#include "tandem/ops/pool.hpp"

namespace tandem::server {

/// A task is in one place at a time: queued, running, or suspended until its worker's exit code is reported.
/// Its outcome is recorded once, when it leaves the last of them. Between two steps no worker waits while a
/// task is queued, and no submitter waits while it has an outcome.
class Pool final : public Object {
 public:
  using Ops = ops::Pool;
  using Limit = std::optional<std::int64_t>;

  Result<void> on(Ops::Create, CallContext&) { return {}; }
  Result<std::int64_t> on(Ops::Enter, CallContext&);
  Result<void> on(Ops::Submit, CallContext&, std::int64_t submitter, std::int64_t retries, ItemsView tasks);
  Result<Written> on(Ops::Collect, CallContext&, std::int64_t submitter, Limit limit_us);
  Result<void> on(Ops::Exit, CallContext&, std::int64_t submitter);
  Result<std::int64_t> on(Ops::Supervise, CallContext&, std::int64_t submitter,
                          std::optional<ValueView> initializer);
  Result<bool> on(Ops::Reap, CallContext&, std::int64_t supervisor, std::int64_t pid, std::int64_t exit_code);
  Result<void> on(Ops::Fail, CallContext&, std::int64_t supervisor, std::string_view reason);
  Result<Written> on(Ops::Enlist, CallContext&, std::optional<std::int64_t> supervisor,
                     std::optional<std::int64_t> pid);
  Result<Written> on(Ops::Work, CallContext&, ItemsView done, Limit limit_us);
  Result<void> on(Ops::Quit, CallContext&, ItemsView done);
  Result<void> on(Ops::Close, CallContext&);
  Result<void> on(Ops::Terminate, CallContext&);
  Result<bool> on(Ops::IsClosed, CallContext&) { return closed_; }
  Result<Written> on(Ops::Progress, CallContext&);

  void serve(CallContext&) override;
  void on_wait_ended(CallContext&, Waiter&, WaitEnd) override;
  void owners_ended(CallContext&, const EndedOwners&) override;
  std::optional<HoldingCursor> visit_holdings(HoldingCursor cursor,
                                              const HoldingVisitor& visit) const override;

  /// Returns the number of queued tasks.
  std::uint64_t size() const override { return queued_.size(); }
  std::uint64_t memory_bytes() const override;
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void visit_queues(const std::function<void(WaitQueue&)>& visit) override {
    visit(collectors_);
    visit(idle_workers_);
  }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const override { return offset; }

 private:
  struct Task {
    std::uint64_t id = 0;
    std::int64_t submitter = 0;
    std::int64_t tag = 0;
    std::int64_t calls = 0;
    std::int64_t retries_left = 0;
    std::uint64_t deliveries = 0;
    Value work;
  };
  struct Running {
    Task task;
    Owner owner;
    std::uint64_t since_ns = 0;
  };
  struct Outcome {
    std::int64_t tag = 0;
    Code code = Code::ok;
    Value results;     // on success
    std::string text;  // on failure
    std::int64_t pid = 0;
    std::optional<std::int64_t> exit_code;
  };
  struct Submitter {
    SessionId session = 0;
    std::deque<Outcome> outcomes;
    std::optional<Failure> failure;  // of its workers; none of its tasks starts any more
  };
  struct Supervisor {
    SessionId session = 0;
    std::int64_t submitter = 0;
    Value initializer;     // absent: none
    int early_deaths = 0;  // workers in a row that ended before they asked for a task
  };
  using SupervisedPid = std::pair<std::int64_t, std::int64_t>;  // supervisor, pid
  struct Worker {
    SupervisedPid known_as;                 // supervisor 0: none
    std::optional<std::int64_t> exit_code;  // set if it was reaped before its session ended
    bool reaped = false;
    bool ready = false;  // has asked for a task
  };
  struct EndedWorker {  // a worker that ended and is not reaped yet
    bool ready = false;
    std::vector<Task> tasks;
  };
  struct Done {
    std::uint64_t task = 0;
    std::int64_t failed = 0;
    ValueView results;
  };

  static void save_task(StateWriter& out, const Task& task);
  Task load_task(StateReader& in);
  void load_submitter(StateReader& in);

  static constexpr std::uint64_t reply_overhead_bytes = 64;  // of a reply, besides the value in it

  static Failure is_closed();
  static std::string how_it_ended(std::int64_t exit_code);
  /// Returns the submitter or supervisor of this number; not_owner if the calling session has none.
  template <class Part>
  static Result<typename std::map<std::int64_t, Part>::iterator> part_of(std::map<std::int64_t, Part>& parts,
                                                                         const CallContext& context,
                                                                         std::int64_t number,
                                                                         std::string_view what) {
    auto found = parts.find(number);
    if (found != parts.end() && found->second.session == context.session()) return found;
    return Failure{Code::not_owner,
                   "this session has no " + std::string(what) + " " + std::to_string(number)};
  }
  Result<Task> read_task(CallContext& context, ValueView value) const;
  Result<std::vector<Done>> read_done(CallContext& context, ItemsView done) const;
  void hand_in(CallContext& context, const std::vector<Done>& done);

  bool idle() const { return queued_.empty() && running_.empty(); }
  void queue_again(Task task);
  void make_ready(Worker& worker);
  void give(CallContext& context, Owner owner);
  void finish(Task task, Outcome outcome);
  void fail(Task task, Code code, std::string text);
  void died(Task task, std::int64_t pid, std::optional<std::int64_t> exit_code);
  void give_up(CallContext& context, std::int64_t submitter, Failure why);
  void drop_queued(std::int64_t submitter);
  void remove_submitter(CallContext& context, std::map<std::int64_t, Submitter>::iterator at);
  void remove_supervisor(CallContext& context, std::map<std::int64_t, Supervisor>::iterator at);
  void remove_worker(CallContext& context, std::map<Owner, Worker>::iterator at);
  void write_outcomes(CallContext& context, Submitter& submitter);

  static constexpr std::uint64_t task_bytes = 88;
  static constexpr std::uint64_t outcome_bytes = 88;
  static_assert(sizeof(Running) <= task_bytes && sizeof(Outcome) <= outcome_bytes);
  static std::uint64_t bytes_of(const Task& task) { return task_bytes + task.work.heap_bytes(); }
  static std::uint64_t bytes_of(const Outcome& outcome) {
    return outcome_bytes + outcome.results.heap_bytes() + outcome.text.size();
  }

  bool closed_ = false;
  bool terminated_ = false;
  std::deque<Task> queued_;
  std::map<std::uint64_t, Running> running_;  // by task
  std::map<SupervisedPid, EndedWorker> suspended_;
  std::map<std::int64_t, Submitter> submitters_;
  std::map<std::int64_t, Supervisor> supervisors_;
  std::map<Owner, Worker> workers_;
  WaitQueue collectors_;  // `amount`: the submitter
  WaitQueue idle_workers_;
  std::uint64_t next_task_ = 1;
  std::int64_t next_number_ = 1;  // of submitters and supervisors
  std::uint64_t kept_bytes_ = 0;  // of tasks and outcomes
  std::int64_t queued_calls_ = 0;
  std::int64_t running_calls_ = 0;
  std::int64_t done_calls_ = 0;
  std::int64_t failed_calls_ = 0;
  std::int64_t retried_calls_ = 0;
};

}  // namespace tandem::server
