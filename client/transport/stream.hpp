#pragma once
// An ordered two-way stream of bytes to a manager, over which a channel sends its frames. Sockets are in
// socket.hpp; the server library supplies a stream within the process.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "client/os/deadline.hpp"
#include "tandem/error.hpp"
#include "tandem/wire/buffer.hpp"

namespace tandem::client {

/// Thrown if the stream is closed, which is permanent; the text says why.
struct StreamClosed : std::runtime_error {
  using std::runtime_error::runtime_error;
  StreamClosed(const std::string& text, Code why, bool final = false)
      : std::runtime_error(text), code(why), is_final(final) {}
  Code code = Code::connection_error;  // session_lost or shutting_down if the manager sent that
  /// That of the error which users get.
  Code error_code() const { return code == Code::session_lost ? code : Code::connection_error; }
  bool is_final = false;  // another connection would come to the same
};

/// Used by one thread at a time, except that it may send while another waits in receive(). A time limit of
/// zero means none.
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  /// Closes the stream; the peer sees its end.
  virtual ~Stream() = default;

  /// Waits for room and sends as many of the bytes (at least one) as possible; returns how many, at least
  /// one. Throws StreamClosed, TimedOut.
  virtual std::size_t send(wire::Bytes bytes, std::chrono::milliseconds timeout) = 0;
  /// Sends as many as possible without waiting and returns how many. Throws StreamClosed.
  virtual std::size_t send_now(wire::Bytes bytes) = 0;
  /// Waits for bytes and stores at most `room` of them; returns how many, at least one. Throws StreamClosed
  /// (also at the end, when the peer closed), TimedOut.
  virtual std::size_t receive(std::uint8_t* at, std::size_t room, std::chrono::milliseconds timeout) = 0;
  /// The same, but the bytes are passed to `to`, maybe in several pieces, from where they are.
  virtual std::size_t receive_to(wire::ByteSink& to, std::size_t most, std::chrono::milliseconds timeout) {
    std::uint8_t piece[16 * 1024];
    const std::size_t count = receive(piece, most < sizeof piece ? most : sizeof piece, timeout);
    to.append({piece, count});
    return count;
  }
  /// So many replies are awaited from now on; a busy wait decides by it how soon it yields.
  virtual void expect_replies(std::size_t) noexcept {}
  /// Closes the stream, from any thread: sends and receives throw StreamClosed.
  virtual void shut_down() noexcept = 0;
  /// Called in a forked child, where the stream is still the parent's: releases it without the peer noticing.
  /// Takes no locks. Afterwards everything throws StreamClosed, and the destructor does nothing.
  virtual void abandon() noexcept = 0;
  /// Transfers the stream's descriptor to the caller, for another process to continue with; returns -1 if
  /// there is none. Afterwards everything throws StreamClosed, and the destructor does nothing.
  virtual int detach() noexcept { return -1; }
};

}  // namespace tandem::client
