#pragma once
// The transport below a channel, as the session layer sees it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::server {

/// The address of peers within this process.
inline constexpr std::string_view in_process_address = "in-process";

/// The other end of a channel, as far as the transport knows it.
struct Peer {
  std::string address;  // for logs: "unix:/run/tandem.sock", "tcp://127.0.0.1:40123", "in-process"
  std::optional<std::uint32_t> uid;  // reported by the kernel; only for peers on this machine
  std::uint32_t pid = 0;             // likewise, as this process sees it; 0: not known
};

/// Whether it may be on another machine.
inline bool is_remote(const Peer& peer) {
  return peer.address.starts_with("tcp:");
}

/// The transport's side of a channel. Called on the engine's thread.
class TransportHandle {
 public:
  virtual ~TransportHandle() = default;
  /// Schedules a turn of the channel: it has bytes to send, frames to continue with, or is ending. Must not
  /// call the channel from within this function.
  virtual void wake() = 0;
  /// Prepares shared memory for the client. Returns the size of each ring, or 0 if there is none. Otherwise
  /// the rings are passed as soon as the bytes unsent now are sent; all further bytes, both ways, travel
  /// there.
  virtual std::uint64_t offer_ring() { return 0; }
  /// So many of the channel's requests wait in the engine now.
  virtual void parked_count_changed(std::size_t) {}
  /// How bytes travel now, for people: "unix", "tcp", "ring", "in-process".
  virtual std::string_view path() const = 0;
  /// Closes the path at once, even if bytes are unsent. The channel is destroyed soon afterwards, not within
  /// this call.
  virtual void close() = 0;
};

}  // namespace tandem::server
