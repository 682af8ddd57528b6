#pragma once
// The time during which a channel's connection is broken, as its user sees it: how long it is worthwhile to try to connect
// again.

#include <atomic>
#include <chrono>
#include <string>

#include "client/transport/stream.hpp"

namespace tandem::client {

class Outage {
 public:
  /// `survives_restart`: whether what the channel leads to is there again after the manager has ended.
  Outage(const StreamClosed& why, std::chrono::milliseconds limit, bool survives_restart)
      : limit_(limit), survives_restart_(survives_restart) {
    begin(why);
  }

  /// The connection has broken once more.
  void again(const StreamClosed& why) {
    if (Clock::now() - resumed_at_ > end_of_outage) begin(why);
    else why_ = why.what();
  }
  /// An attempt to connect has failed.
  void failed(const std::exception& error) { why_ = error.what(); }
  /// The manager's process has ended. Throws StreamClosed if that is the end.
  void no_process(const std::exception& error) {
    if (!survives_restart_)
      throw StreamClosed(why_ + "; then " + error.what() + "; it may have been done", Code::connection_error,
                         true);
    failed(error);
  }
  void resumed() { resumed_at_ = Clock::now(); }
  /// From any thread: no further attempt is wanted.
  void give_up() { is_given_up_ = true; }

  std::chrono::milliseconds duration() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
  }
  /// Throws StreamClosed if none is left.
  std::chrono::milliseconds left() const {
    const std::chrono::milliseconds left = limit_ - duration();
    if (left.count() > 0 && !is_given_up_) return left;
    throw StreamClosed(why_ + "; not reached again within " + std::to_string(limit_.count()) +
                           " ms (Options::reconnect), so it may have been done",
                       Code::connection_error, true);
  }

 private:
  using Clock = os::Deadline::Clock;
  // A connection that lived for so long ends an outage. With less, a request of it may be what ended the manager.
  static constexpr std::chrono::milliseconds end_of_outage{1000};

  void begin(const StreamClosed& why) {
    why_ = why.what();
    began_ = Clock::now();
  }

  const std::chrono::milliseconds limit_;
  const bool survives_restart_;
  std::string why_;
  Clock::time_point began_;
  Clock::time_point resumed_at_{};
  std::atomic<bool> is_given_up_{false};
};

}  // namespace tandem::client
