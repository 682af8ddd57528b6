#include "client/child.hpp"

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "client/exception_text.hpp"
#include "client/family.hpp"

namespace tandem::client {
namespace {

constexpr int requests_to_end[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

}  // namespace

SignalsBlocked::SignalsBlocked() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
}

SignalsBlocked::~SignalsBlocked() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

sigset_t SignalsBlocked::of_child() const {
  sigset_t set = before_;
  for (int number : requests_to_end) sigdelset(&set, number);
  return set;
}

void SignalsBlocked::release_in_child() const noexcept {
  for (int number : requests_to_end) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    if (action.sa_handler == SIG_IGN || action.sa_handler == SIG_DFL) continue;
    action = {};
    action.sa_handler = SIG_DFL;
    sigaction(number, &action, nullptr);
  }
  const sigset_t set = of_child();
  pthread_sigmask(SIG_SETMASK, &set, nullptr);
}

void flush_output() {
  std::cout.flush();
  std::cerr.flush();
  std::clog.flush();
  // Not all files: a thread that reads from one may hold it locked, for as long as nothing is there to be read.
  std::fflush(stdout);
  std::fflush(stderr);
}

int run_body(const std::function<void()>& body, const std::function<void()>& release) noexcept {
  int status = EXIT_SUCCESS;
  try {
    body();
  } catch (...) {
    print_current_exception(Family::of_this_process().self()->name);
    status = EXIT_FAILURE;
  }
  release();
  Family::of_this_process().end_children();
  flush_output();
  return status;
}

}  // namespace tandem::client
