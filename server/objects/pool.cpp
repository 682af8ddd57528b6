#include "server/objects/pool.hpp"

#include <algorithm>

#include "server/objects/paging.hpp"

namespace tandem::server {
namespace {

constexpr std::int64_t calls_max = std::int64_t{1} << 32;

}  // namespace

Failure Pool::is_closed() {
  return {Code::closed, "the pool is closed"};
}

std::string Pool::how_it_ended(std::int64_t exit_code) {
  return exit_code < 0 ? "was killed by signal " + std::to_string(-exit_code)
                       : "ended with exit code " + std::to_string(exit_code);
}

// ---- submitters -------------------------------------------------------------------------------------------

Result<std::int64_t> Pool::on(Ops::Enter, CallContext& context) {
  if (closed_) return is_closed();
  submitters_[next_number_].session = context.session();
  context.own(*this, context.session());
  return next_number_++;
}

Result<Pool::Task> Pool::read_task(CallContext& context, ValueView value) const {
  wire::Reader reader = value.reader();
  std::uint32_t count = 0;
  Task task;
  wire::Bytes work;
  if (!reader.array(count) || count != 3 || !reader.int64(task.tag) || !reader.int64(task.calls) ||
      !reader.value(work))
    return Failure{Code::type_error, "a task is [tag, calls, work], not '" + type_name(value) + "'"};
  if (task.calls < 1 || task.calls > calls_max)
    return Failure{Code::value_error, "a task counts for at least one call"};
  if (Result<void> fits = context.reply_fits(work.size() + reply_overhead_bytes); !fits)
    return std::move(fits.failure());
  task.work = context.keep({work, value.references});
  return task;
}

Result<void> Pool::on(Ops::Submit, CallContext& context, std::int64_t number, std::int64_t retries,
                      ItemsView tasks) {
  auto submitter = part_of(submitters_, context, number, "submitter");
  if (!submitter) return std::move(submitter.failure());
  if (closed_) return is_closed();
  if (auto& failure = (*submitter)->second.failure) return Failure{failure->code, failure->text};
  if (retries < 0) return Failure{Code::value_error, "tasks cannot be tried again less than 0 times"};
  if (Result<void> room = context.room_for(tasks.bytes() + tasks.count() * task_bytes); !room) return room;
  std::vector<Task> taken;
  taken.reserve(tasks.count());
  for (ValueView value; tasks.next(value);) {
    Result<Task> task = read_task(context, value);
    if (!task) return std::move(task.failure());
    task->submitter = number;
    task->retries_left = retries;
    taken.push_back(std::move(*task));
  }
  for (Task& task : taken) {
    task.id = next_task_++;
    kept_bytes_ += bytes_of(task);
    queued_calls_ += task.calls;
    queued_.push_back(std::move(task));
  }
  if (!idle_workers_.empty()) context.schedule_serve(*this);
  return {};
}

Result<Written> Pool::on(Ops::Collect, CallContext& context, std::int64_t number, Limit limit_us) {
  auto submitter = part_of(submitters_, context, number, "submitter");
  if (!submitter) return std::move(submitter.failure());
  if ((*submitter)->second.outcomes.empty() && context.may_wait(limit_us))
    context.park(collectors_, *this, limit_us).amount = static_cast<std::uint64_t>(number);
  else write_outcomes(context, (*submitter)->second);
  return Written{};
}

void Pool::write_outcomes(CallContext& context, Submitter& submitter) {
  const std::uint64_t bytes_max = std::min(page_bytes_max, context.limits().outbox_bytes_max / 2);
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (const Outcome& outcome : submitter.outcomes) {
    bytes += outcome.results.encoded_bytes() + outcome.text.size() + reply_overhead_bytes;
    if ((bytes > bytes_max && count != 0) || count == static_cast<std::size_t>(page_elements_max)) break;
    ++count;
  }
  context.out().array(count);
  for (; count != 0; --count) {
    const Outcome& outcome = submitter.outcomes.front();
    context.out().array(outcome.code == Code::worker_died ? 5 : 3);
    context.out().integer(outcome.tag);
    context.out().unsigned_integer(static_cast<std::uint64_t>(outcome.code));
    if (outcome.code == Code::ok) context.write(outcome.results);
    else context.out().text(outcome.text);
    if (outcome.code == Code::worker_died) {
      context.out().integer(outcome.pid);
      if (outcome.exit_code) context.out().integer(*outcome.exit_code);
      else context.out().nil();
    }
    kept_bytes_ -= bytes_of(outcome);
    submitter.outcomes.pop_front();
  }
}

Result<void> Pool::on(Ops::Exit, CallContext& context, std::int64_t number) {
  auto submitter = part_of(submitters_, context, number, "submitter");
  if (!submitter) return std::move(submitter.failure());
  context.disown(*this, context.session());
  remove_submitter(context, *submitter);
  return {};
}

void Pool::drop_queued(std::int64_t submitter) {
  std::erase_if(queued_, [&](const Task& task) {
    if (task.submitter != submitter) return false;
    kept_bytes_ -= bytes_of(task);
    queued_calls_ -= task.calls;
    return true;
  });
}

void Pool::remove_submitter(CallContext& context, std::map<std::int64_t, Submitter>::iterator at) {
  drop_queued(at->first);
  for (const Outcome& outcome : at->second.outcomes) kept_bytes_ -= bytes_of(outcome);
  for (Waiter* waiter = collectors_.front(); waiter != nullptr;) {
    Waiter& each = *waiter;
    waiter = WaitQueue::next(each);
    if (each.amount == static_cast<std::uint64_t>(at->first))
      context.refuse(each, {Code::closed, "the submitter has left the pool"});
  }
  submitters_.erase(at);
  context.schedule_serve(*this);  // this may have dropped the last task of a closed pool
}

// ---- outcomes ---------------------------------------------------------------------------------------------

/// Ends a task that has left its place; records its outcome, unless its submitter has left.
void Pool::finish(Task task, Outcome outcome) {
  kept_bytes_ -= bytes_of(task);
  auto submitter = submitters_.find(task.submitter);
  if (submitter == submitters_.end()) return;
  outcome.tag = task.tag;
  kept_bytes_ += bytes_of(outcome);
  submitter->second.outcomes.push_back(std::move(outcome));
}

void Pool::fail(Task task, Code code, std::string text) {
  failed_calls_ += task.calls;
  Outcome outcome;
  outcome.code = code;
  outcome.text = std::move(text);
  finish(std::move(task), std::move(outcome));
}

void Pool::died(Task task, std::int64_t pid, std::optional<std::int64_t> exit_code) {
  failed_calls_ += task.calls;
  Outcome outcome;
  outcome.code = Code::worker_died;
  outcome.text = "the worker";
  if (pid != 0) outcome.text += ", process " + std::to_string(pid) + ",";
  outcome.text += exit_code ? " " + how_it_ended(*exit_code) : " ended";
  outcome.text +=
      task.calls == 1 ? " in the task" : " in one of these " + std::to_string(task.calls) + " tasks";
  if (task.deliveries > 1) outcome.text += ", which was tried " + std::to_string(task.deliveries) + " times";
  outcome.pid = pid;
  outcome.exit_code = exit_code;
  finish(std::move(task), std::move(outcome));
}

/// A submitter's workers cannot work: fails its queued tasks, and later submits.
void Pool::give_up(CallContext& context, std::int64_t number, Failure why) {
  auto submitter = submitters_.find(number);
  if (submitter == submitters_.end() || submitter->second.failure) return;
  std::deque<Task> others;
  for (Task& task : queued_) {
    if (task.submitter != number) {
      others.push_back(std::move(task));
      continue;
    }
    queued_calls_ -= task.calls;
    fail(std::move(task), why.code, why.text);
  }
  queued_ = std::move(others);
  submitter->second.failure = std::move(why);
  context.schedule_serve(*this);
}

// ---- the pool as a whole ----------------------------------------------------------------------------------

/// A worker is a thread; supervisors and submitters are the session's.
void Pool::owners_ended(CallContext& context, const EndedOwners& owners) {
  for (auto at = workers_.lower_bound(owners.first()); at != workers_.end() && owners.includes(at->first);)
    remove_worker(context, std::exchange(at, std::next(at)));
  if (!owners.is_whole_session()) return;
  const SessionId session = owners.session;
  for (auto at = supervisors_.begin(); at != supervisors_.end();) {
    auto supervisor = at++;
    if (supervisor->second.session == session) remove_supervisor(context, supervisor);
  }
  for (auto at = submitters_.begin(); at != submitters_.end();) {
    auto submitter = at++;
    if (submitter->second.session == session) remove_submitter(context, submitter);
  }
}

Result<void> Pool::on(Ops::Close, CallContext& context) {
  closed_ = true;
  context.schedule_serve(*this);
  return {};
}

Result<void> Pool::on(Ops::Terminate, CallContext& context) {
  closed_ = terminated_ = true;
  auto end = [this](Task task) { fail(std::move(task), Code::closed, "the pool was terminated"); };
  for (Task& task : queued_) end(std::move(task));
  for (auto& [id, running] : running_) end(std::move(running.task));
  for (auto& [known_as, gone] : suspended_) {
    for (Task& task : gone.tasks) end(std::move(task));
    gone.tasks.clear();
  }
  queued_.clear();
  running_.clear();
  queued_calls_ = running_calls_ = 0;
  context.schedule_serve(*this);
  return {};
}

Result<Written> Pool::on(Ops::Progress, CallContext& context) {
  context.out().array(6);
  for (std::int64_t count : {queued_calls_, running_calls_, done_calls_, failed_calls_, retried_calls_,
                             static_cast<std::int64_t>(workers_.size())})
    context.out().integer(count);
  return Written{};
}

void Pool::serve(CallContext& context) {
  while (!queued_.empty() && !idle_workers_.empty()) {
    Waiter& worker = *idle_workers_.front();
    context.answer(worker, [&](CallContext& reply) { give(reply, worker.owner); });
  }
  if (closed_ && idle()) {
    while (!idle_workers_.empty()) context.refuse(*idle_workers_.front(), is_closed());
    context.registry().take_name(*this);
  }
  for (Waiter* waiter = collectors_.front(); waiter != nullptr;) {
    Waiter& collector = *waiter;
    waiter = WaitQueue::next(collector);
    Submitter& submitter = submitters_.at(static_cast<std::int64_t>(collector.amount));
    if (!submitter.outcomes.empty())
      context.answer(collector, [&](CallContext& reply) { write_outcomes(reply, submitter); });
  }
}

void Pool::on_wait_ended(CallContext& context, Waiter& waiter, WaitEnd why) {
  if (why == WaitEnd::timed_out || why == WaitEnd::cancelled)
    context.answer(waiter, [](CallContext& reply) { reply.out().array(0); });
}

std::optional<HoldingCursor> Pool::visit_holdings(HoldingCursor cursor, const HoldingVisitor& visit) const {
  for (auto at = running_.upper_bound(cursor.first); at != running_.end(); ++at)
    if (!visit({at->second.owner, "running", {}, 1, 0, at->second.since_ns})) return HoldingCursor{at->first};
  return std::nullopt;
}

// ---- inspection -------------------------------------------------------------------------------------------

std::uint64_t Pool::memory_bytes() const {
  // With those of a tree node.
  constexpr std::uint64_t submitter_bytes = 184;
  constexpr std::uint64_t supervisor_bytes = 88;
  constexpr std::uint64_t worker_bytes = 88;
  constexpr std::uint64_t ended_worker_bytes = 80;
  static_assert(sizeof(Submitter) + 48 <= submitter_bytes && sizeof(Supervisor) + 48 <= supervisor_bytes &&
                sizeof(Worker) + 48 <= worker_bytes && sizeof(EndedWorker) + 48 <= ended_worker_bytes);
  return kept_bytes_ + submitters_.size() * submitter_bytes + supervisors_.size() * supervisor_bytes +
         workers_.size() * worker_bytes + suspended_.size() * ended_worker_bytes;
}

std::optional<std::uint64_t> Pool::visit_elements(std::uint64_t cursor, const ElementVisitor& visit) const {
  std::uint64_t next = cursor;
  while (next < queued_.size())
    if (!visit({}, queued_[next++].work)) break;
  return next < queued_.size() ? std::optional(next) : std::nullopt;
}

}  // namespace tandem::server
