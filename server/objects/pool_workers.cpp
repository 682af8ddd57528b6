// The worker side of the hosted pool: workers, and the supervisors that start and reap them.

#include <algorithm>

#include "server/objects/pool.hpp"

namespace tandem::server {
namespace {

/// Results up to this size are accepted even if memory is short, so that a failed task can be reported.
constexpr std::uint64_t results_bytes_always = 4096;
/// When this many workers in a row end before they are ready, the submitter's tasks fail and Reap returns
/// false. Fewer may be bad luck.
constexpr int early_deaths_max = 10;

}  // namespace

// ---- supervisors ------------------------------------------------------------------------------------------

Result<std::int64_t> Pool::on(Ops::Supervise, CallContext& context, std::int64_t submitter,
                              std::optional<ValueView> initializer) {
  if (submitters_.count(submitter) == 0)
    return Failure{Code::not_found, "the pool has no submitter " + std::to_string(submitter)};
  Supervisor& supervisor = supervisors_[next_number_];
  supervisor.session = context.session();
  supervisor.submitter = submitter;
  if (initializer) supervisor.initializer = context.keep(*initializer);
  kept_bytes_ += supervisor.initializer.heap_bytes();
  context.own(*this, context.session());
  return next_number_++;
}

Result<bool> Pool::on(Ops::Reap, CallContext& context, std::int64_t number, std::int64_t pid,
                      std::int64_t exit_code) {
  auto found = part_of(supervisors_, context, number, "supervisor");
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
    give_up(context, supervisor.submitter,
            {Code::worker_died, std::to_string(early_deaths_max) +
                                    " workers in a row died before they were ready; the last one " +
                                    how_it_ended(exit_code)});
  context.schedule_serve(*this);
  auto submitter = submitters_.find(supervisor.submitter);
  return submitter != submitters_.end() && !submitter->second.failure && !terminated_ && !(closed_ && idle());
}

Result<void> Pool::on(Ops::Fail, CallContext& context, std::int64_t number, std::string_view reason) {
  auto supervisor = supervisors_.find(number);
  if (supervisor == supervisors_.end())
    return Failure{Code::not_found, "the pool has no supervisor " + std::to_string(number)};
  give_up(context, supervisor->second.submitter, {Code::remote_error, std::string(reason)});
  return {};
}

void Pool::remove_supervisor(CallContext& context, std::map<std::int64_t, Supervisor>::iterator at) {
  const auto [number, submitter] = std::pair(at->first, at->second.submitter);
  const SessionId session = at->second.session;
  kept_bytes_ -= at->second.initializer.heap_bytes();
  supervisors_.erase(at);
  for (auto gone = suspended_.lower_bound({number, INT64_MIN});
       gone != suspended_.end() && gone->first.first == number; gone = suspended_.erase(gone))
    for (Task& task : gone->second.tasks) died(std::move(task), gone->first.second, std::nullopt);
  give_up(context, submitter,
          {Code::worker_died, "the process that looks after the pool's workers has ended (session " +
                                  std::to_string(session) + ")"});
}

// ---- workers ----------------------------------------------------------------------------------------------

Result<Written> Pool::on(Ops::Enlist, CallContext& context, std::optional<std::int64_t> supervisor,
                         std::optional<std::int64_t> pid) {
  if (closed_ && idle()) return is_closed();
  if (workers_.count(context.owner()) != 0)
    return Failure{Code::value_error, "this thread is one of the pool's workers already"};
  auto found = supervisors_.find(supervisor.value_or(0));
  if (supervisor && found == supervisors_.end())
    return Failure{Code::not_found, "the pool has no supervisor " + std::to_string(*supervisor)};
  workers_[context.owner()].known_as = {supervisor.value_or(0),
                                        pid.value_or(context.pid_of(context.session()))};
  context.own(*this, context.session());
  if (supervisor && !found->second.initializer.absent()) context.write(found->second.initializer);
  else context.out().nil();
  return Written{};
}

Result<std::vector<Pool::Done>> Pool::read_done(CallContext& context, ItemsView items) const {
  if (workers_.count(context.owner()) == 0)
    return Failure{Code::not_owner, "this thread is none of the pool's workers"};
  if (items.bytes() > results_bytes_always)
    if (Result<void> room = context.room_for(items.bytes()); !room) return std::move(room.failure());
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
    if (Result<void> fits = context.reply_fits(done.results.bytes.size() + reply_overhead_bytes); !fits)
      return std::move(fits.failure());
    done.task = static_cast<std::uint64_t>(task);
    done.results.references = value.references;
    auto running = running_.find(done.task);
    if (running == running_.end() || running->second.owner != context.owner()) continue;  // ended already
    if (done.failed < 0 || done.failed > running->second.task.calls)
      return Failure{Code::value_error, "more calls failed than there were"};
    all.push_back(done);
  }
  return all;
}

void Pool::hand_in(CallContext& context, const std::vector<Done>& all) {
  for (const Done& done : all) {
    auto running = running_.find(done.task);
    if (running == running_.end()) continue;  // listed twice
    Task task = std::move(running->second.task);
    running_.erase(running);
    running_calls_ -= task.calls;
    failed_calls_ += done.failed;
    done_calls_ += task.calls - done.failed;
    Outcome outcome;
    outcome.results = context.keep(done.results);
    finish(std::move(task), std::move(outcome));
  }
  if (!all.empty()) context.schedule_serve(*this);
}

Result<Written> Pool::on(Ops::Work, CallContext& context, ItemsView done, Limit limit_us) {
  auto all = read_done(context, done);
  if (!all) return std::move(all.failure());
  make_ready(workers_.at(context.owner()));
  hand_in(context, *all);
  if (!queued_.empty()) {
    give(context, context.owner());
  } else if (closed_ && idle()) {
    return is_closed();
  } else if (context.may_wait(limit_us)) {
    context.park(idle_workers_, *this, limit_us);
  } else {
    context.out().array(0);
  }
  return Written{};
}

void Pool::make_ready(Worker& worker) {
  if (worker.ready) return;
  worker.ready = true;
  auto supervisor = supervisors_.find(worker.known_as.first);
  if (supervisor != supervisors_.end()) supervisor->second.early_deaths = 0;
}

void Pool::give(CallContext& context, Owner owner) {
  Task task = std::move(queued_.front());
  queued_.pop_front();
  queued_calls_ -= task.calls;
  running_calls_ += task.calls;
  context.out().array(1);
  context.out().array(4);
  context.out().unsigned_integer(task.id);
  context.out().unsigned_integer(++task.deliveries);
  context.out().integer(task.calls);
  context.write(task.work);
  const std::uint64_t id = task.id;
  running_.emplace_hint(running_.end(), id, Running{std::move(task), owner, context.now_ns()});
}

Result<void> Pool::on(Ops::Quit, CallContext& context, ItemsView done) {
  auto all = read_done(context, done);
  if (!all) return std::move(all.failure());
  hand_in(context, *all);
  context.disown(*this, context.session());
  remove_worker(context, workers_.find(context.owner()));
  return {};
}

/// Puts the task back in its original position: before all later ones.
void Pool::queue_again(Task task) {
  --task.retries_left;
  retried_calls_ += task.calls;
  queued_calls_ += task.calls;
  auto place =
      std::find_if(queued_.begin(), queued_.end(), [&](const Task& other) { return other.id > task.id; });
  queued_.insert(place, std::move(task));
}

void Pool::remove_worker(CallContext& context, std::map<Owner, Worker>::iterator at) {
  const auto [owner, worker] = *at;
  workers_.erase(at);
  const bool to_be_reaped = !worker.reaped && supervisors_.count(worker.known_as.first) != 0;
  if (to_be_reaped) suspended_[worker.known_as].ready = worker.ready;
  for (auto running = running_.begin(); running != running_.end();) {
    if (running->second.owner != owner) {
      ++running;
      continue;
    }
    Task task = std::move(running->second.task);
    running = running_.erase(running);
    running_calls_ -= task.calls;
    auto submitter = submitters_.find(task.submitter);
    if (submitter == submitters_.end()) finish(std::move(task), {});
    else if (task.retries_left > 0 && !submitter->second.failure) queue_again(std::move(task));
    else if (to_be_reaped) suspended_[worker.known_as].tasks.push_back(std::move(task));
    else died(std::move(task), worker.known_as.second, worker.exit_code);
  }
  context.schedule_serve(*this);
}

}  // namespace tandem::server
