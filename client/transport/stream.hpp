#pragma once
// An ordered two-way path of bytes to a manager: what a channel sends its frames over. Sockets are in socket.hpp;
// the server library supplies one that stays within the process.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "client/os/deadline.hpp"
#include "tandem/error.hpp"
#include "tandem/wire/buffer.hpp"

namespace tandem::client {

/// The path is gone; the text says how. It stays gone.
struct StreamClosed : std::runtime_error {
  using std::runtime_error::runtime_error;
  StreamClosed(const std::string& text, Code why) : std::runtime_error(text), code(why) {}
  Code code = Code::connection_error;  // what the manager said
};

/// Used by one thread at a time, but that one may send while another waits in receive(). A time limit of zero means none.
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  /// Closes the path: the peer sees its end.
  virtual ~Stream() = default;

  /// Waits for room and sends as many bytes as go, of one or more; returns how many, at least one. Throws StreamClosed,
  /// TimedOut.
  virtual std::size_t send(wire::Bytes bytes, std::chrono::milliseconds timeout) = 0;
  /// Sends as many as go without waiting and returns how many that were. Throws StreamClosed.
  virtual std::size_t send_now(wire::Bytes bytes) = 0;
  /// Waits for bytes and stores at most `room` of them; returns how many, at least one. Throws StreamClosed (also at
  /// the end, when the peer closed), TimedOut.
  virtual std::size_t receive(std::uint8_t* at, std::size_t room, std::chrono::milliseconds timeout) = 0;
  /// Ends the path from any thread: whoever sends or receives finds it closed.
  virtual void shut_down() noexcept = 0;
  /// Called in a forked child, where the path is still the parent's: lets go of it without the peer noticing.
  /// Takes no locks. Afterwards everything throws StreamClosed, and the destructor does nothing.
  virtual void abandon() noexcept = 0;
  /// Gives up the path's descriptor, for another process to go on with: the caller's from now on; -1 where the path has
  /// none. Afterwards everything throws StreamClosed, and the destructor does nothing.
  virtual int detach() noexcept { return -1; }
};

}  // namespace tandem::client
