#include "client/os/signals.hpp"

namespace tandem::os {
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

}  // namespace tandem::os
