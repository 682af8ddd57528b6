#pragma once
// Streams over unix and TCP sockets.

#include <chrono>
#include <memory>
#include <utility>

#include "client/os/busy_poll.hpp"
#include "client/transport/stream.hpp"
#include "tandem/address.hpp"
#include "tandem/options.hpp"

namespace tandem::client {

/// A connected stream socket. A receive may busy-wait before it sleeps (busy_poll.hpp). The time limit of
/// sends is the socket's own (SO_SNDTIMEO), set when it changes.
class SocketStream final : public Stream {
 public:
  /// Takes ownership of the descriptor.
  explicit SocketStream(int descriptor) : descriptor_(descriptor) {}
  ~SocketStream() override;

  std::size_t send(wire::Bytes bytes, std::chrono::milliseconds timeout) override;
  std::size_t send_now(wire::Bytes bytes) override;
  std::size_t receive(std::uint8_t* at, std::size_t room, std::chrono::milliseconds timeout) override;
  void shut_down() noexcept override;
  void abandon() noexcept override;
  int detach() noexcept override { return std::exchange(descriptor_, -1); }

  /// The descriptor, e.g. to build another stream on it; still owned by this one.
  int descriptor() const { return descriptor_; }
  /// Sets the limit of busy waits, which is 0 before.
  void apply(const Options& options) { busy_poll_ = os::BusyPoll(options.busy_poll); }

 private:
  ssize_t receive_busily(std::uint8_t* at, std::size_t room, os::BusyPoll::Clock::time_point since);
  void sleep_until_readable(const os::Deadline& deadline);
  void limit_sends(std::chrono::milliseconds timeout);

  int descriptor_;
  os::BusyPoll busy_poll_{std::chrono::microseconds{0}};
  std::chrono::milliseconds send_timeout_{0};
};

/// Connects to a manager's address; tries a host's addresses one after the other. Throws ConnectionError with
/// the address and the reason, Timeout after the deadline.
std::unique_ptr<SocketStream> connect_socket(const Address& address, const os::Deadline& deadline);

}  // namespace tandem::client
