#pragma once
// What lies below a channel: some transport. The session layer knows it by these two types only.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::server {

/// Who is at the other end, as far as the transport knows.
struct Peer {
  std::string address;  // for logs: "unix:/run/tandem.sock", "tcp://127.0.0.1:40123", "in-process"
  std::optional<std::uint32_t> uid;  // told by the kernel; only for peers on this machine
};

/// The transport's side of a channel. Called on the engine's thread.
class TransportHandle {
 public:
  virtual ~TransportHandle() = default;
  /// The channel has bytes to send, frames to go on with, or is ending: give it a turn soon. Must not call the
  /// channel from inside this function.
  virtual void wake() = 0;
  /// Whether the client can go on through shared memory: the size of each ring, or 0. Where it can, it is passed as soon
  /// as what is unsent now has been sent; all further bytes, both ways, then travel there.
  virtual std::uint64_t offer_ring() { return 0; }
  /// How bytes travel now, for people: "unix", "tcp", "ring", "in-process".
  virtual std::string_view path() const = 0;
  /// Ends the path at once, whatever is still unsent. The channel goes soon afterwards, not within this call.
  virtual void close() = 0;
};

}  // namespace tandem::server
