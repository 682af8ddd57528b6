#pragma once
// An end of a pipe as it is open in this process, and which ones a forked child keeps.
//
// On the socket a message is
//
//   length:u32 (little-endian) payload     `length` is that of the payload, at most Connection::message_bytes_max

#include <span>

#include "tandem/wire/buffer.hpp"

namespace tandem::client {

struct PipeEnd {
  /// Takes over the descriptor.
  PipeEnd(int socket, bool receives, bool sends) : descriptor(socket), readable(receives), writable(sends) {}

  int descriptor;  // -1: a forked child that did not keep it
  bool readable;
  bool writable;
  bool receiving_broken = false;  // a message broke off, so that nothing behind it can be understood
  bool sending_broken = false;
  wire::Buffer message;  // the last one received
};

/// In a forked child: closes all copies of the parent's ends but these.
void keep_pipe_ends(std::span<const int> descriptors) noexcept;

}  // namespace tandem::client
