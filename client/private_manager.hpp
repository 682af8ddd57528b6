#pragma once
// A private manager: a tandemd of our own, which nobody else can reach and which goes when we go.
//
// It is started with one end of a socket pair as descriptor 3 (`tandemd --private-fd 3`), on which
//
//   we write       32 random bytes, the authkey: it stands neither in arguments nor in the environment
//   it writes      "ready ADDRESS\n" when it listens, or "error TEXT\n"
//   we write       "stop\n" and end our side, whereupon it exits
//
// When our end closes without that, or its parent process dies, it lets the sessions of others finish for a moment
// and exits. It runs in a session of its own, so that Ctrl-C in a terminal does not end it before its users.

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "client/os/fork.hpp"
#include "tandem/address.hpp"

namespace tandem::client {

/// Where a tandemd is looked for, in this order: what the environment variable TANDEM_TANDEMD names, and if it is set
/// nowhere else; beside the running program; beside this library, and in ../bin of it; where it was installed; where it
/// was built; in PATH.
std::vector<std::string> tandemd_search_path();
/// The first of the places where a program is. Throws ConnectionError listing them all.
std::string find_tandemd(const std::vector<std::string>& places = tandemd_search_path());

class PrivateManager final : private os::ForkListener {
 public:
  /// Returns when it is ready. Throws ConnectionError: not found, not started, with what status it exited, what it
  /// said, or not ready within `start_timeout`.
  PrivateManager(const std::string& tandemd, std::chrono::milliseconds start_timeout);
  /// stop(), except in a forked child, to which the manager does not belong.
  ~PrivateManager();

  const Address& address() const { return address_; }
  /// Bytes, not text.
  const std::string& authkey() const { return authkey_; }
  pid_t pid() const { return pid_; }

  /// Ends the manager and waits until it is gone; kills it if it does not go. The second time it does nothing.
  void stop() noexcept;

 private:
  void spawn(const std::string& tandemd);
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
  std::mutex mutex_;   // held while descriptors come and go, so that a child knows which to close
  int lifeline_ = -1;  // our end of the pair
  int pidfd_ = -1;
  std::mutex
      stopping_;  // so that it is stopped once; never taken in a child, where another thread may have held it
  std::atomic<pid_t> pid_{-1};  // -1: none, or not ours
};

}  // namespace tandem::client
