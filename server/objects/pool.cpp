#include "server/objects/pool.hpp"

#include <algorithm>

#include "server/objects/paging.hpp"

namespace tandem::server {
namespace {

/// Of a reply, besides the value in it.
constexpr std::uint64_t reply_overhead_bytes = 64;
/// What says that a task failed is taken also when memory is short.
constexpr std::uint64_t results_bytes_always = 4096;
/// So many workers in a row that die before they are ready, and their supervisor is told to stop. A few may be bad luck.
constexpr int early_deaths_max = 10;
constexpr std::int64_t calls_max = std::int64_t{1} << 32;

Failure is_closed() {
  return {Code::closed, "the pool is closed"};
}

std::string how_it_ended(std::int64_t exit_code) {
  return exit_code < 0 ? "was killed by signal " + std::to_string(-exit_code)
                       : "ended with exit code " + std::to_string(exit_code);
}

}  // namespace

/// The submitter or supervisor of this number, if it is the calling session's.
template <class Part>
Result<typename std::map<std::int64_t, Part>::iterator> Pool::part_of(std::map<std::int64_t, Part>& parts,
                                                                      const Turn& turn, std::int64_t number,
                                                                      std::string_view what) {
  auto found = parts.find(number);
  if (found == parts.end() || found->second.session != turn.session())
    return Failure{Code::not_owner,
                   "this session has no " + std::string(what) + " " + std::to_string(number)};
  return found;
}

// ---- submitters -------------------------------------------------------------------------------------------------------

Result<std::int64_t> Pool::on(Ops::Enter, Turn& turn) {
  if (closed_) return is_closed();
  submitters_[next_number_].session = turn.session();
  turn.own(*this, turn.session());
  return next_number_++;
}

Result<Pool::Task> Pool::read_task(Turn& turn, ValueView value) const {
  wire::Reader reader = value.reader();
  std::uint32_t count = 0;
  Task task;
  wire::Bytes work;
  if (!reader.array(count) || count != 3 || !reader.int64(task.tag) || !reader.int64(task.calls) ||
      !reader.value(work))
    return Failure{Code::type_error, "a task is [tag, calls, work], not '" + type_name(value) + "'"};
  if (task.calls < 1 || task.calls > calls_max)
    return Failure{Code::value_error, "a task counts for at least one call"};
  if (Result<void> fits = turn.reply_fits(work.size() + reply_overhead_bytes); !fits)
    return std::move(fits.failure());
  task.work = turn.keep({work, value.references});
  return task;
}

Result<void> Pool::on(Ops::Submit, Turn& turn, std::int64_t number, std::int64_t retries, ItemsView tasks) {
  auto submitter = part_of(submitters_, turn, number, "submitter");
  if (!submitter) return std::move(submitter.failure());
  if (closed_) return is_closed();
  if (auto& failure = (*submitter)->second.failure) return Failure{failure->code, failure->text};
  if (retries < 0) return Failure{Code::value_error, "tasks cannot be tried again less than 0 times"};
  if (Result<void> room = turn.room_for(tasks.bytes() + tasks.count() * sizeof(Running)); !room) return room;
  std::vector<Task> taken;
  taken.reserve(tasks.count());
  for (ValueView value; tasks.next(value);) {
    Result<Task> task = read_task(turn, value);
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
  if (!idle_workers_.empty()) turn.serve_later(*this);
  return {};
}

Result<Written> Pool::on(Ops::Collect, Turn& turn, std::int64_t number, Limit limit_us) {
  auto submitter = part_of(submitters_, turn, number, "submitter");
  if (!submitter) return std::move(submitter.failure());
  if ((*submitter)->second.outcomes.empty() && turn.may_wait(limit_us))
    turn.park(collectors_, *this, limit_us).amount = static_cast<std::uint64_t>(number);
  else
    write_outcomes(turn, (*submitter)->second);
  return Written{};
}

void Pool::write_outcomes(Turn& turn, Submitter& submitter) {
  const std::uint64_t bytes_max = std::min(page_bytes_max, turn.limits().outbox_bytes_max / 2);
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (const Outcome& outcome : submitter.outcomes) {
    bytes += outcome.results.encoded_bytes() + outcome.text.size() + reply_overhead_bytes;
    if ((bytes > bytes_max && count != 0) || count == static_cast<std::size_t>(page_elements_max)) break;
    ++count;
  }
  turn.out().array(count);
  for (; count != 0; --count) {
    const Outcome& outcome = submitter.outcomes.front();
    turn.out().array(outcome.code == Code::worker_died ? 5 : 3);
    turn.out().integer(outcome.tag);
    turn.out().unsigned_integer(static_cast<std::uint64_t>(outcome.code));
    if (outcome.code == Code::ok)
      turn.write(outcome.results);
    else
      turn.out().text(outcome.text);
    if (outcome.code == Code::worker_died) {
      turn.out().integer(outcome.pid);
      if (outcome.exit_code)
        turn.out().integer(*outcome.exit_code);
      else
        turn.out().nil();
    }
    kept_bytes_ -= bytes_of(outcome);
    submitter.outcomes.pop_front();
  }
}

Result<void> Pool::on(Ops::Exit, Turn& turn, std::int64_t number) {
  auto submitter = part_of(submitters_, turn, number, "submitter");
  if (!submitter) return std::move(submitter.failure());
  turn.disown(*this, turn.session());
  remove_submitter(turn, *submitter);
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

void Pool::remove_submitter(Turn& turn, std::map<std::int64_t, Submitter>::iterator at) {
  drop_queued(at->first);
  for (const Outcome& outcome : at->second.outcomes) kept_bytes_ -= bytes_of(outcome);
  for (Waiter* waiter = collectors_.front(); waiter != nullptr;) {
    Waiter& its = *waiter;
    waiter = Line::next(its);
    if (its.amount == static_cast<std::uint64_t>(at->first))
      turn.refuse(its, {Code::closed, "the submitter has left the pool"});
  }
  submitters_.erase(at);
  turn.serve_later(*this);  // the last task of a closed pool may have gone
}

// ---- outcomes ---------------------------------------------------------------------------------------------------------

/// The end of a task that is in none of its places any more.
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

/// A submitter's workers cannot work: nothing of its waits for them in vain.
void Pool::give_up(Turn& turn, std::int64_t number, Failure why) {
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
  turn.serve_later(*this);
}

// ---- supervisors ------------------------------------------------------------------------------------------------------

Result<std::int64_t> Pool::on(Ops::Supervise, Turn& turn, std::int64_t submitter,
                              std::optional<ValueView> initializer) {
  if (submitters_.count(submitter) == 0)
    return Failure{Code::not_found, "the pool has no submitter " + std::to_string(submitter)};
  Supervisor& supervisor = supervisors_[next_number_];
  supervisor.session = turn.session();
  supervisor.submitter = submitter;
  if (initializer) supervisor.initializer = turn.keep(*initializer);
  kept_bytes_ += supervisor.initializer.heap_bytes();
  turn.own(*this, turn.session());
  return next_number_++;
}

Result<bool> Pool::on(Ops::Reap, Turn& turn, std::int64_t number, std::int64_t pid, std::int64_t exit_code) {
  auto found = part_of(supervisors_, turn, number, "supervisor");
  if (!found) return std::move(found.failure());
  Supervisor& supervisor = (*found)->second;
  const SupervisedPid known_as{number, pid};
  auto worker = std::find_if(workers_.begin(), workers_.end(), [&](const auto& each) {
    return each.second.known_as == known_as && !each.second.reaped;
  });
  bool was_ready = false;
  if (worker != workers_.end()) {
    worker->second.exit_code = exit_code;
    worker->second.reaped = true;
    was_ready = worker->second.ready;
  } else if (auto gone = suspended_.find(known_as); gone != suspended_.end()) {
    was_ready = gone->second.ready;
    for (Task& task : gone->second.tasks) died(std::move(task), pid, exit_code);
    suspended_.erase(gone);
  }
  if (!was_ready && ++supervisor.early_deaths >= early_deaths_max)
    give_up(turn, supervisor.submitter,
            {Code::worker_died, std::to_string(early_deaths_max) +
                                    " workers in a row died before they were ready; the last one " +
                                    how_it_ended(exit_code)});
  turn.serve_later(*this);
  auto submitter = submitters_.find(supervisor.submitter);
  return submitter != submitters_.end() && !submitter->second.failure && !terminated_ && !(closed_ && idle());
}

Result<void> Pool::on(Ops::Fail, Turn& turn, std::int64_t number, std::string_view reason) {
  auto supervisor = supervisors_.find(number);
  if (supervisor == supervisors_.end())
    return Failure{Code::not_found, "the pool has no supervisor " + std::to_string(number)};
  give_up(turn, supervisor->second.submitter, {Code::remote_error, std::string(reason)});
  return {};
}

void Pool::remove_supervisor(Turn& turn, std::map<std::int64_t, Supervisor>::iterator at) {
  const auto [number, submitter] = std::pair(at->first, at->second.submitter);
  const SessionId session = at->second.session;
  kept_bytes_ -= at->second.initializer.heap_bytes();
  supervisors_.erase(at);
  for (auto gone = suspended_.lower_bound({number, INT64_MIN});
       gone != suspended_.end() && gone->first.first == number; gone = suspended_.erase(gone))
    for (Task& task : gone->second.tasks) died(std::move(task), gone->first.second, std::nullopt);
  give_up(turn, submitter,
          {Code::worker_died, "the process that looks after the pool's workers has ended (session " +
                                  std::to_string(session) + ")"});
}

// ---- workers ----------------------------------------------------------------------------------------------------------

Result<Written> Pool::on(Ops::Enlist, Turn& turn, std::optional<std::int64_t> supervisor,
                         std::optional<std::int64_t> pid) {
  if (workers_.count(turn.who()) != 0)
    return Failure{Code::value_error, "this thread is one of the pool's workers already"};
  auto found = supervisors_.find(supervisor.value_or(0));
  if (supervisor && found == supervisors_.end())
    return Failure{Code::not_found, "the pool has no supervisor " + std::to_string(*supervisor)};
  workers_[turn.who()].known_as = {supervisor.value_or(0), pid.value_or(turn.pid_of(turn.session()))};
  turn.own(*this, turn.session());
  if (supervisor && !found->second.initializer.absent())
    turn.write(found->second.initializer);
  else
    turn.out().nil();
  return Written{};
}

Result<std::vector<Pool::Done>> Pool::read_done(Turn& turn, ItemsView items) const {
  if (workers_.count(turn.who()) == 0)
    return Failure{Code::not_owner, "this thread is none of the pool's workers"};
  if (items.bytes() > results_bytes_always)
    if (Result<void> room = turn.room_for(items.bytes()); !room) return std::move(room.failure());
  std::vector<Done> all;
  for (ValueView value; items.next(value);) {
    wire::Reader reader = value.reader();
    std::uint32_t count = 0;
    std::int64_t task = 0;
    Done done;
    if (!reader.array(count) || count != 3 || !reader.int64(task) || !reader.int64(done.failed) ||
        !reader.value(done.results.bytes))
      return Failure{Code::type_error,
                     "what is done is [task, failed calls, results], not '" + type_name(value) + "'"};
    if (Result<void> fits = turn.reply_fits(done.results.bytes.size() + reply_overhead_bytes); !fits)
      return std::move(fits.failure());
    done.task = static_cast<std::uint64_t>(task);
    done.results.references = value.references;
    auto running = running_.find(done.task);
    if (running == running_.end() || running->second.who != turn.who()) continue;  // it is over already
    if (done.failed < 0 || done.failed > running->second.task.calls)
      return Failure{Code::value_error, "more calls failed than there were"};
    all.push_back(done);
  }
  return all;
}

void Pool::hand_in(Turn& turn, const std::vector<Done>& all) {
  for (const Done& done : all) {
    auto running = running_.find(done.task);
    if (running == running_.end()) continue;  // it stood there twice
    Task task = std::move(running->second.task);
    running_.erase(running);
    running_calls_ -= task.calls;
    failed_calls_ += done.failed;
    done_calls_ += task.calls - done.failed;
    Outcome outcome;
    outcome.results = turn.keep(done.results);
    finish(std::move(task), std::move(outcome));
  }
  if (!all.empty()) turn.serve_later(*this);
}

Result<Written> Pool::on(Ops::Work, Turn& turn, ItemsView done, Limit limit_us) {
  auto all = read_done(turn, done);
  if (!all) return std::move(all.failure());
  make_ready(workers_.at(turn.who()));
  hand_in(turn, *all);
  if (!queued_.empty()) {
    give(turn, turn.who());
  } else if (closed_ && idle()) {
    return is_closed();
  } else if (turn.may_wait(limit_us)) {
    turn.park(idle_workers_, *this, limit_us);
  } else {
    turn.out().array(0);
  }
  return Written{};
}

void Pool::make_ready(Worker& worker) {
  if (worker.ready) return;
  worker.ready = true;
  auto supervisor = supervisors_.find(worker.known_as.first);
  if (supervisor != supervisors_.end()) supervisor->second.early_deaths = 0;
}

void Pool::give(Turn& turn, Owner who) {
  Task task = std::move(queued_.front());
  queued_.pop_front();
  queued_calls_ -= task.calls;
  running_calls_ += task.calls;
  turn.out().array(1);
  turn.out().array(4);
  turn.out().unsigned_integer(task.id);
  turn.out().unsigned_integer(++task.deliveries);
  turn.out().integer(task.calls);
  turn.write(task.work);
  const std::uint64_t id = task.id;
  running_.emplace_hint(running_.end(), id, Running{std::move(task), who, turn.now_ns()});
}

Result<void> Pool::on(Ops::Quit, Turn& turn, ItemsView done) {
  auto all = read_done(turn, done);
  if (!all) return std::move(all.failure());
  hand_in(turn, *all);
  turn.disown(*this, turn.session());
  remove_worker(turn, workers_.find(turn.who()));
  return {};
}

/// To where it stood: before all that came later.
void Pool::queue_again(Task task) {
  --task.retries_left;
  retried_calls_ += task.calls;
  queued_calls_ += task.calls;
  auto place =
      std::find_if(queued_.begin(), queued_.end(), [&](const Task& other) { return other.id > task.id; });
  queued_.insert(place, std::move(task));
}

void Pool::remove_worker(Turn& turn, std::map<Owner, Worker>::iterator at) {
  const auto [who, worker] = *at;
  workers_.erase(at);
  const bool to_be_reaped = !worker.reaped && supervisors_.count(worker.known_as.first) != 0;
  if (to_be_reaped) suspended_[worker.known_as].ready = worker.ready;
  for (auto running = running_.begin(); running != running_.end();) {
    if (running->second.who != who) {
      ++running;
      continue;
    }
    Task task = std::move(running->second.task);
    running = running_.erase(running);
    running_calls_ -= task.calls;
    auto submitter = submitters_.find(task.submitter);
    if (submitter == submitters_.end())
      finish(std::move(task), {});
    else if (task.retries_left > 0 && !submitter->second.failure)
      queue_again(std::move(task));
    else if (to_be_reaped)
      suspended_[worker.known_as].tasks.push_back(std::move(task));
    else
      died(std::move(task), worker.known_as.second, worker.exit_code);
  }
  turn.serve_later(*this);
}

// ---- the pool as a whole ----------------------------------------------------------------------------------------------

void Pool::session_ended(Turn& turn, SessionId session) {
  for (auto at = workers_.lower_bound({session, 0}); at != workers_.end() && at->first.session == session;)
    remove_worker(turn, std::exchange(at, std::next(at)));
  for (auto at = supervisors_.begin(); at != supervisors_.end();) {
    auto supervisor = at++;
    if (supervisor->second.session == session) remove_supervisor(turn, supervisor);
  }
  for (auto at = submitters_.begin(); at != submitters_.end();) {
    auto submitter = at++;
    if (submitter->second.session == session) remove_submitter(turn, submitter);
  }
}

Result<void> Pool::on(Ops::Close, Turn& turn) {
  closed_ = true;
  turn.serve_later(*this);
  return {};
}

Result<void> Pool::on(Ops::Terminate, Turn& turn) {
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
  turn.serve_later(*this);
  return {};
}

Result<Written> Pool::on(Ops::Progress, Turn& turn) {
  turn.out().array(6);
  for (std::int64_t count : {queued_calls_, running_calls_, done_calls_, failed_calls_, retried_calls_,
                             static_cast<std::int64_t>(workers_.size())})
    turn.out().integer(count);
  return Written{};
}

void Pool::serve(Turn& turn) {
  while (!queued_.empty() && !idle_workers_.empty()) {
    Waiter& worker = *idle_workers_.front();
    turn.answer(worker, [&](Turn& its) { give(its, worker.who); });
  }
  if (closed_ && idle())
    while (!idle_workers_.empty()) turn.refuse(*idle_workers_.front(), is_closed());
  for (Waiter* waiter = collectors_.front(); waiter != nullptr;) {
    Waiter& collector = *waiter;
    waiter = Line::next(collector);
    Submitter& submitter = submitters_.at(static_cast<std::int64_t>(collector.amount));
    if (!submitter.outcomes.empty())
      turn.answer(collector, [&](Turn& its) { write_outcomes(its, submitter); });
  }
}

void Pool::leave(Turn& turn, Waiter& waiter, Leaving why) {
  if (why == Leaving::timed_out || why == Leaving::cancelled)
    turn.answer(waiter, [](Turn& its) { its.out().array(0); });
}

void Pool::each_holding(const std::function<void(const Holding&)>& look) const {
  for (const auto& [id, running] : running_) look({running.who, "running", {}, 1, 0, running.since_ns});
}

// ---- looking in -------------------------------------------------------------------------------------------------------

std::uint64_t Pool::memory_bytes() const {
  constexpr std::uint64_t place_bytes = 48;  // of a tree's node
  const std::uint64_t parts = submitters_.size() * (sizeof(Submitter) + place_bytes) +
                              supervisors_.size() * (sizeof(Supervisor) + place_bytes) +
                              workers_.size() * (sizeof(Worker) + place_bytes) +
                              suspended_.size() * (sizeof(Gone) + place_bytes);
  return kept_bytes_ + parts;
}

void Pool::save(wire::Writer& out) const {
  auto write_task = [&](const Task& task) {
    out.array(7);
    out.unsigned_integer(task.id);
    for (std::int64_t number : {task.submitter, task.tag, task.calls, task.retries_left}) out.integer(number);
    out.unsigned_integer(task.deliveries);
    out.raw(task.work.view().bytes);
  };
  auto write_exit_code = [&](const std::optional<std::int64_t>& exit_code) {
    if (exit_code)
      out.integer(*exit_code);
    else
      out.nil();
  };
  out.array(8);
  out.array(6);
  out.boolean(closed_);
  out.boolean(terminated_);
  out.unsigned_integer(next_task_);
  for (std::int64_t number : {next_number_, done_calls_, failed_calls_}) out.integer(number);
  out.integer(retried_calls_);
  out.array(queued_.size());
  for (const Task& task : queued_) write_task(task);
  out.array(running_.size());
  for (const auto& [id, running] : running_) {
    out.array(3);
    out.unsigned_integer(running.who.session);
    out.unsigned_integer(running.who.actor);
    write_task(running.task);
  }
  out.array(suspended_.size());
  for (const auto& [known_as, gone] : suspended_) {
    out.array(3 + gone.tasks.size());
    out.integer(known_as.first);
    out.integer(known_as.second);
    out.boolean(gone.ready);
    for (const Task& task : gone.tasks) write_task(task);
  }
  out.array(submitters_.size());
  for (const auto& [number, submitter] : submitters_) {
    out.array(3 + submitter.outcomes.size());
    out.integer(number);
    out.unsigned_integer(submitter.session);
    out.text(submitter.failure ? submitter.failure->text : "");
    for (const Outcome& outcome : submitter.outcomes) {
      out.array(6);
      out.integer(outcome.tag);
      out.unsigned_integer(static_cast<std::uint64_t>(outcome.code));
      if (outcome.code == Code::ok)
        out.raw(outcome.results.view().bytes);
      else
        out.nil();
      out.text(outcome.text);
      out.integer(outcome.pid);
      write_exit_code(outcome.exit_code);
    }
  }
  out.array(supervisors_.size());
  for (const auto& [number, supervisor] : supervisors_) {
    out.array(5);
    out.integer(number);
    out.unsigned_integer(supervisor.session);
    out.integer(supervisor.submitter);
    if (supervisor.initializer.absent())
      out.nil();
    else
      out.raw(supervisor.initializer.view().bytes);
    out.integer(supervisor.early_deaths);
  }
  out.array(workers_.size());
  for (const auto& [who, worker] : workers_) {
    out.array(7);
    out.boolean(worker.ready);
    out.unsigned_integer(who.session);
    out.unsigned_integer(who.actor);
    out.integer(worker.known_as.first);
    out.integer(worker.known_as.second);
    out.boolean(worker.reaped);
    write_exit_code(worker.exit_code);
  }
}

std::optional<std::uint64_t> Pool::show(std::uint64_t cursor, const LookAt& look) const {
  std::uint64_t next = cursor;
  while (next < queued_.size())
    if (!look({}, queued_[next++].work)) break;
  return next < queued_.size() ? std::optional(next) : std::nullopt;
}

}  // namespace tandem::server
