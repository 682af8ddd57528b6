#include "client/process/child.hpp"

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "client/process/exception_text.hpp"
#include "client/process/process_tree.hpp"

namespace tandem::client {
void flush_output() {
  std::cout.flush();
  std::cerr.flush();
  std::clog.flush();
  // Not all files: a thread that is blocked reading from one may hold its lock.
  std::fflush(stdout);
  std::fflush(stderr);
}

int run_body(const std::function<void()>& body, const std::function<void()>& release) noexcept {
  int status = EXIT_SUCCESS;
  try {
    body();
  } catch (...) {
    print_current_exception(ProcessTree::of_this_process().self()->name);
    status = EXIT_FAILURE;
  }
  release();
  ProcessTree::of_this_process().end_children();
  flush_output();
  return status;
}

}  // namespace tandem::client
