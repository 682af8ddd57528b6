#pragma once
// A private manager: a tandemd of our own, which other programs cannot reach and which ends with this
// process.
//
// It is started with one end of a socket pair as descriptor 3 (`tandemd --private-fd 3`), on which
//
//   we write       32 random bytes, the authkey, which appears neither in arguments nor in the environment
//   it writes      "ready ADDRESS\n" when it listens, or "error TEXT\n"
//   we write       "stop\n" and shut down our side, whereupon it exits
//
// If our end closes without that, or the parent process dies, tandemd lets the remaining sessions finish for
// a moment and exits. It runs in a process session of its own, so that Ctrl-C in a terminal does not end it
// before its clients.

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "client/os/fork.hpp"
#include "tandem/address.hpp"
#include "tandem/options.hpp"

namespace tandem::client {

/// Returns the paths at which tandemd is searched, in this order: the value of the environment variable
/// TANDEM_TANDEMD, and if that is set no other; beside the running program; beside this library; in the bin folder of
/// the package that this library is in, and of the package whose headers the program was compiled with; the
/// install folder; the build folder; PATH.
std::vector<std::string> tandemd_search_path();
/// Returns the first of `places` that is a program. Throws ConnectionError listing all of them.
std::string find_tandemd(const std::vector<std::string>& places = tandemd_search_path());

class PrivateManager final : private os::ForkListener {
 public:
  /// Returns when the manager is ready. Throws ConnectionError if it cannot be run, exits (with its status),
  /// reports an error, or is not ready within `options.start_timeout`.
  PrivateManager(const std::string& tandemd, const Options& options);
  /// Calls stop(), except in a forked child, to which the manager does not belong.
  ~PrivateManager();

  const Address& address() const { return address_; }
  /// Bytes, not text.
  const std::string& authkey() const { return authkey_; }
  pid_t pid() const { return pid_; }

  /// Stops the manager and waits for its exit; kills it if it does not exit in time. Later calls do nothing.
  void stop() noexcept;

 private:
  void spawn(const std::string& tandemd, const Options& options);
  void wait_until_ready(const std::string& tandemd, std::chrono::milliseconds start_timeout);
  std::string read_line(const std::string& tandemd, std::chrono::milliseconds start_timeout);
  std::string reap();
  bool exits_within(std::chrono::milliseconds limit) noexcept;
  void kill() noexcept;
  void close_descriptors() noexcept;
  void close_descriptors_locked() noexcept;

  void before_fork() noexcept override { mutex_.lock(); }
  void after_fork_in_parent() noexcept override { mutex_.unlock(); }
  void after_fork_in_child() noexcept override;

  std::string authkey_;
  Address address_;
  std::mutex mutex_;   // held while descriptors are opened and closed, so that a child knows which to close
  int lifeline_ = -1;  // our end of the pair
  int pidfd_ = -1;
  // Ensures that it is stopped only once. Never locked in a forked child: another thread may have held it.
  std::mutex stopping_;
  std::atomic<pid_t> pid_{-1};  // -1: none, or not ours
};

}  // namespace tandem::client
