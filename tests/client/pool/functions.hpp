#pragma once
// Tasks for pools, and what their tests share.

#include <sys/types.h>

#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "tandem/pool.hpp"

namespace tandem::test {

inline int square(int n) {
  return n * n;
}
inline int add(int a, int b) {
  return a + b;
}
inline std::string greet(const std::string& name) {
  return "hello " + name;
}
inline std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// Whether all workers have asked for a task: whoever kills only such does not meet those that are being started.
inline bool wait_for_ready(const Pool& pool) {
  return pool.progress().workers == pool.workers();
}

inline std::vector<pid_t> children_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

}  // namespace tandem::test
