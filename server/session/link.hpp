#pragma once
// What lies below a channel: some transport. The session layer knows it by these two types only.

#include <cstdint>
#include <optional>
#include <string>

namespace tandem::server {

/// Who is at the other end, as far as the transport knows.
struct Peer {
  std::string address;               // for logs: "unix:/run/tandem.sock", "tcp://127.0.0.1:40123", "in-process"
  std::optional<std::uint32_t> uid;  // told by the kernel; only for peers on this machine
};

/// The transport's side of a channel. Called on the engine's thread.
class Link {
 public:
  virtual ~Link() = default;
  /// The channel has bytes to send, frames to go on with, or is ending: give it a turn soon. Must not call the
  /// channel from inside this function.
  virtual void wake() = 0;
  /// Ends the path at once, whatever is still unsent. The channel goes soon afterwards, not within this call.
  virtual void close() = 0;
};

}  // namespace tandem::server
