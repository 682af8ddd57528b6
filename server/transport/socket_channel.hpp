#pragma once
// A channel over a connected stream socket, unix or TCP.

#include <asio/posix/stream_descriptor.hpp>

#include "client/os/descriptor.hpp"
#include "server/transport/transport_channel.hpp"

namespace tandem::server {

class SocketChannel : public TransportChannel {
 public:
  /// `socket` is connected and non-blocking.
  SocketChannel(asio::io_context& io, Service& service, os::Descriptor socket, Peer peer)
      : TransportChannel(io, service, std::move(peer)), socket_(io, socket.release()) {}

  std::string_view path() const override { return peer().uid ? "unix" : "tcp"; }

 protected:
  std::ptrdiff_t receive_now(std::span<std::uint8_t> space) override;
  std::ptrdiff_t send_now(wire::Bytes bytes) override;
  void wait_for_input() override;
  void wait_for_room() override;
  void end_sending() override;
  void close_path() override;
  asio::posix::stream_descriptor& socket() { return socket_; }

 private:
  asio::posix::stream_descriptor socket_;
  bool awaiting_input_ = false;
  bool awaiting_room_ = false;
};

}  // namespace tandem::server
