#pragma once
// The processes of a pool: its workers and their supervisor.

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>

#include "tandem/pool.hpp"

namespace tandem::client {

/// The ids (Function::id()) of named functions.
using FunctionIds = std::map<std::string, std::string>;

/// Runs the supervisor process: starts workers and replaces those that end while the pool wants them, or
/// until a message arrives on `control`. The workers are daemons of the supervisor, so they end with it.
void supervise(TaskPool pool, std::int64_t submitter, unsigned workers, unsigned max_tasks,
               FunctionIds functions, Bytes initializer, tandem::Connection control);

/// Calls `enter` with the pool of that name, which is created if there is none. If that pool ends before `enter`
/// has entered it (Closed, ObjectGone), repeats this with the next one of that name. Returns the pool. Closed:
/// the pool is closed, and its tasks are not all done.
template <class Enter>
TaskPool enter_named(const Manager& manager, std::string_view name, Enter enter) {
  for (TaskPool before;;) {
    TaskPool pool = manager.create<TaskPool>(name);
    try {
      enter(pool);
      return pool;
    } catch (const ObjectGone&) {
    } catch (const Closed&) {
      if (before.remote() != nullptr && before == pool) throw;
      before = pool;
    }
  }
}

struct WorkLimits {
  std::size_t tasks_max = 0;  // 0: none
  std::stop_token stop{};
};
/// Executes tasks until there will be no more, or a limit is reached. This thread must be enlisted. Returns
/// the number of tasks executed.
std::size_t work(const TaskPool& pool, const Functions& functions, const WorkLimits& limits);

}  // namespace tandem::client
