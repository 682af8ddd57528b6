#pragma once
// A channel over a connected stream socket, unix or TCP.

#include "server/transport/transport_channel.hpp"
#include "server/transport/watched_descriptor.hpp"

namespace tandem::server {

class SocketChannel : public TransportChannel {
 public:
  /// `socket` is connected and non-blocking.
  SocketChannel(asio::io_context& io, Service& service, os::UnsharedDescriptor socket, Peer peer)
      : TransportChannel(io, service, std::move(peer)), socket_(io, std::move(socket)) {}

  std::string_view path() const override { return peer().uid ? "unix" : "tcp"; }

 protected:
  std::ptrdiff_t receive_now(std::span<std::uint8_t> space) override;
  std::ptrdiff_t send_now(wire::Bytes bytes) override;
  void wait_for_input() override;
  void wait_for_room() override;
  void end_sending() override;
  void close_path() override;
  WatchedDescriptor& socket() { return socket_; }

 private:
  WatchedDescriptor socket_;
  bool awaiting_input_ = false;
  bool awaiting_room_ = false;
};

}  // namespace tandem::server
