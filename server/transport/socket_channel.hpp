#pragma once
// A channel over a connected stream socket, unix or TCP. It lives as long as it waits for something: each wait holds
// a share of it, and when the channel is done it waits for nothing any more.

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include <memory>

#include "server/session/channel.hpp"
#include "server/transport/descriptor.hpp"

namespace tandem::server {

class SocketChannel final : public Link, public std::enable_shared_from_this<SocketChannel> {
 public:
  /// `socket` is connected and non-blocking.
  SocketChannel(asio::io_context& io, Service& service, Descriptor socket, Peer peer);

  /// Begins the handshake.
  void start();
  void wake() override;
  void close() override;

 private:
  void turn();
  bool receive();
  void send();
  void answer_what_has_come();
  void go_on();
  void wait_for_input();
  void wait_for_room();
  void limit_handshake();
  void finish();
  void discard_input();

  asio::posix::stream_descriptor socket_;
  asio::steady_timer timer_;
  Service& service_;
  Channel channel_;
  bool timing_handshake_ = false;
  bool awaiting_input_ = false;
  bool awaiting_room_ = false;
  bool turn_posted_ = false;
  bool input_ended_ = false;  // nothing is left to be read that the client could miss an answer to
  bool lingering_ = false;
};

}  // namespace tandem::server
