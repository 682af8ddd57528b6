#pragma once
// The processes of a pool: its workers, and the one that looks after them.

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>

#include "tandem/pool.hpp"

namespace tandem::client {

/// Functions by name, as ids of their own.
using FunctionIds = std::map<std::string, std::string>;

/// The supervisor's life: starts workers and replaces those that end, as long as the pool wants them; or until something
/// comes from `control`. Its workers are its daemons, so they end with it.
void supervise(TaskPool pool, std::int64_t submitter, unsigned workers, unsigned max_tasks,
               FunctionIds functions, Bytes initializer, tandem::Connection control);

struct WorkLimits {
  std::size_t tasks_max = 0;  // 0: none
  std::stop_token stop{};
};
/// Takes tasks until there will be none, or a limit is reached. This thread is enlisted. Gives how many it did.
std::size_t work(const TaskPool& pool, const Functions& functions, const WorkLimits& limits);

}  // namespace tandem::client
