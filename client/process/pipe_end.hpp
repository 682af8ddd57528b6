#pragma once
// An open end of a pipe in this process, and which ends a forked child keeps.
//
// A message on the socket is
//
//   length:u32 (little-endian) payload     `length`: of the payload, at most Connection::message_bytes_max

#include <span>

#include "tandem/wire/buffer.hpp"

namespace tandem::client {

struct PipeEnd {
  /// Takes ownership of the descriptor.
  PipeEnd(int socket, bool receives, bool sends) : descriptor(socket), readable(receives), writable(sends) {}

  int descriptor;  // -1: not kept by this forked child
  bool readable;
  bool writable;
  bool receiving_broken = false;  // a message was cut off; what follows cannot be interpreted
  bool sending_broken = false;
  wire::Buffer message;  // the last one received
};

/// In a forked child: closes all copies of the parent's ends but these.
void keep_pipe_ends(std::span<const int> descriptors) noexcept;

}  // namespace tandem::client
