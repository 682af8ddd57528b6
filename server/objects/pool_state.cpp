// Saving and loading a pool.

#include "server/objects/pool.hpp"

namespace tandem::server {
namespace {

Code load_code(StateReader& in) {
  return static_cast<Code>(in.number_up_to(0xff, "an error's code"));
}

}  // namespace

void Pool::save(StateWriter& out) const {
  out.boolean(closed_);
  out.boolean(terminated_);
  out.number(next_task_);
  for (std::int64_t number :
       {next_number_, queued_calls_, running_calls_, done_calls_, failed_calls_, retried_calls_})
    out.integer(number);
  out.number(queued_.size());
  for (const Task& task : queued_) save_task(out, task);
  out.number(running_.size());
  for (const auto& [id, running] : running_) {
    save_task(out, running.task);
    out.owner(running.owner);
    out.number(running.since_ns);
  }
  out.number(suspended_.size());
  for (const auto& [known_as, ended] : suspended_) {
    out.integer(known_as.first);
    out.integer(known_as.second);
    out.boolean(ended.ready);
    out.number(ended.tasks.size());
    for (const Task& task : ended.tasks) save_task(out, task);
  }
  out.number(submitters_.size());
  for (const auto& [number, submitter] : submitters_) {
    out.integer(number);
    out.number(submitter.session);
    out.boolean(submitter.failure.has_value());
    if (submitter.failure) {
      out.number(static_cast<std::uint64_t>(submitter.failure->code));
      out.text(submitter.failure->text);
    }
    out.number(submitter.outcomes.size());
    for (const Outcome& outcome : submitter.outcomes) {
      out.integer(outcome.tag);
      out.number(static_cast<std::uint64_t>(outcome.code));
      out.maybe(outcome.results);
      out.text(outcome.text);
      out.integer(outcome.pid);
      out.maybe(outcome.exit_code);
    }
  }
  out.number(supervisors_.size());
  for (const auto& [number, supervisor] : supervisors_) {
    out.integer(number);
    out.number(supervisor.session);
    out.integer(supervisor.submitter);
    out.maybe(supervisor.initializer);
    out.integer(supervisor.early_deaths);
  }
  out.number(workers_.size());
  for (const auto& [owner, worker] : workers_) {
    out.owner(owner);
    out.integer(worker.known_as.first);
    out.integer(worker.known_as.second);
    out.maybe(worker.exit_code);
    out.boolean(worker.reaped);
    out.boolean(worker.ready);
  }
}

void Pool::load(StateReader& in) {
  closed_ = in.boolean();
  terminated_ = in.boolean();
  next_task_ = in.number();
  for (std::int64_t* number :
       {&next_number_, &queued_calls_, &running_calls_, &done_calls_, &failed_calls_, &retried_calls_})
    *number = in.integer();
  in.repeat([&] { queued_.push_back(load_task(in)); });
  in.repeat([&] {
    Running running{load_task(in), in.owner(), in.number()};
    const std::uint64_t id = running.task.id;
    running_.insert_or_assign(id, std::move(running));
  });
  in.repeat([&] {
    const std::int64_t supervisor = in.integer();
    EndedWorker& ended = suspended_[{supervisor, in.integer()}];
    ended.ready = in.boolean();
    in.repeat([&] { ended.tasks.push_back(load_task(in)); });
  });
  in.repeat([&] { load_submitter(in); });
  in.repeat([&] {
    Supervisor& supervisor = supervisors_[in.integer()];
    supervisor.session = in.number();
    supervisor.submitter = in.integer();
    supervisor.initializer = in.maybe_value();
    supervisor.early_deaths = static_cast<int>(in.integer());
    kept_bytes_ += supervisor.initializer.heap_bytes();
  });
  in.repeat([&] {
    Worker& worker = workers_[in.owner()];
    worker.known_as.first = in.integer();
    worker.known_as.second = in.integer();
    worker.exit_code = in.maybe_integer();
    worker.reaped = in.boolean();
    worker.ready = in.boolean();
  });
}

void Pool::save_task(StateWriter& out, const Task& task) {
  out.number(task.id);
  for (std::int64_t number : {task.submitter, task.tag, task.calls, task.retries_left}) out.integer(number);
  out.number(task.deliveries);
  out.value(task.work);
}

Pool::Task Pool::load_task(StateReader& in) {
  Task task;
  task.id = in.number();
  for (std::int64_t* number : {&task.submitter, &task.tag, &task.calls, &task.retries_left})
    *number = in.integer();
  task.deliveries = in.number();
  task.work = in.value();
  kept_bytes_ += bytes_of(task);
  return task;
}

void Pool::load_submitter(StateReader& in) {
  Submitter& submitter = submitters_[in.integer()];
  submitter.session = in.number();
  if (in.boolean()) {
    const Code code = load_code(in);
    submitter.failure = Failure{code, in.text()};
  }
  in.repeat([&] {
    Outcome& outcome = submitter.outcomes.emplace_back();
    outcome.tag = in.integer();
    outcome.code = load_code(in);
    outcome.results = in.maybe_value();
    outcome.text = in.text();
    outcome.pid = in.integer();
    outcome.exit_code = in.maybe_integer();
    kept_bytes_ += bytes_of(outcome);
  });
}

}  // namespace tandem::server
