#pragma once
// Signal masks for starting threads and processes, and the texts of errno values.

#include <signal.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace tandem::os {

/// Returns the system's text for an error number.
inline std::string errno_text(int error = errno) {
  return std::generic_category().message(error);
}

/// Blocks all signals of this thread during its lifetime, so that no handler of the parent runs in a child.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

  /// Returns the signal mask for a child: this thread's previous one without the signals that request
  /// termination.
  sigset_t of_child() const;
  /// In a forked child: resets the signals that request termination to their default action unless they are
  /// ignored, as exec() does, and unblocks signals as in of_child().
  void release_in_child() const noexcept;

 private:
  sigset_t before_;
};

/// Starts a thread that handles none of the process's signals, which are for the program's own threads.
template <class F>
std::thread thread_without_signals(F&& body) {
  const SignalsBlocked blocked;
  return std::thread(std::forward<F>(body));
}

}  // namespace tandem::os
