#pragma once
// Processes that operate on a manager's objects and record what they did.

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "tandem/process.hpp"
#include "tests/linearizability/recording.hpp"
#include "tests/linearizability/simulation.hpp"
#include "tests/support/child.hpp"

namespace tandem::test {

/// Runs `body(client, random)` in a process for each client, all started at the same moment; gives their exit codes.
template <class Model>
std::vector<int> run_workers(
    Recording<Model>& recording, std::size_t clients,
    const std::function<void(typename Recording<Model>::Client&, std::size_t, Random&)>& body) {
  Signal start;
  std::vector<Process> workers;
  for (std::size_t n = 0; n < clients; ++n)
    workers.emplace_back([&, n] {
      auto client = recording.client(n);
      Random random(n + 1);
      start.wait();
      body(client, n, random);
    });
  for (std::size_t n = 0; n < clients; ++n) start.send();
  std::vector<int> exit_codes;
  for (Process& worker : workers) {
    worker.join();
    exit_codes.push_back(worker.exit_code().value());
  }
  return exit_codes;
}

/// The process that calls this is gone before it returns.
inline void die() {
  raise(SIGKILL);
}

}  // namespace tandem::test
