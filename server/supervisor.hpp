#pragma once
// The supervisor that started this program, if it is systemd with Type=notify (sd_notify(3), systemd.service(5)): it is told
// when the manager is ready, how far a recovery is, and, with WatchdogSec=, that the manager still answers.

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace tandem::server {

class Supervisor {
 public:
  Supervisor();
  /// Ends the watching.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// The start takes longer, since a journal is being replayed.
  void recovering(unsigned percent) const;
  /// `status`: one line for people.
  void ready(const std::string& status) const;
  void stopping() const;
  /// How often it wants to be told that the manager answers; zero: not at all.
  static std::chrono::microseconds watchdog_interval();
  /// Calls `ask`, which returns once the manager has answered, several times in each interval, on a thread, and tells the
  /// supervisor. Where a manager does not answer in time, that kills the process.
  void watch(std::chrono::microseconds interval, std::function<void()> ask);

 private:
  class Watch;
  std::unique_ptr<Watch> watch_;
};

}  // namespace tandem::server
