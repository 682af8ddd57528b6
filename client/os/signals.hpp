#pragma once
// Signals around the start of threads and processes, and what the system's error numbers say.

#include <signal.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace tandem::os {

/// What the system says of an error number.
inline std::string errno_text(int error = errno) {
  return std::generic_category().message(error);
}

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

/// A thread that handles none of the process's signals: those are for the program's own threads.
template <class F>
std::thread thread_without_signals(F&& body) {
  const SignalsBlocked blocked;
  return std::thread(std::forward<F>(body));
}

}  // namespace tandem::os
