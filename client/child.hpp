#pragma once
// What a child process is, however it was started: its signals, its output, its end.

#include <signal.h>

#include <functional>

namespace tandem::client {

/// Blocks all signals of this thread while it lives, so that no handler of the parent's runs in a child.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

  /// What a child is to have blocked: what this thread had, but for those by which it is asked to end.
  sigset_t of_child() const;
  /// In a forked child: those do again what they do by default, unless they are ignored; as exec() has it.
  void release_in_child() const noexcept;

 private:
  sigset_t before_;
};

/// stdout, stderr, cout, cerr, clog.
void flush_output();

/// Calls `body`; prints the exception that leaves it. Then ends this process's children and flushes the output. Gives the
/// exit status. `release`: what is given back before that.
int run_body(const std::function<void()>& body, const std::function<void()>& release) noexcept;

}  // namespace tandem::client
