#pragma once
// Accepts clients on one listening socket and gives each its channel.

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include "server/session/service.hpp"
#include "server/transport/listening_socket.hpp"
#include "server/transport/polled_channels.hpp"

namespace tandem::server {

/// Must not be destroyed before the io_context has run what stop() left behind.
class Listener {
 public:
  /// `hot`: clients of a unix socket may go on through shared memory; null: they stay on the socket.
  Listener(asio::io_context& io, Service& service, PolledChannels* polled, ListeningSocket socket);
  ~Listener() { stop(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// With the real port.
  const Address& address() const { return socket_.address; }
  void start() { wait_for_client(); }
  /// Accepts no more; a unix socket's file is removed.
  void stop();

 private:
  void wait_for_client();
  void accept_some();
  bool accept_one();
  void back_off();

  asio::io_context& io_;
  Service& service_;
  PolledChannels* polled_;
  ListeningSocket socket_;
  asio::posix::stream_descriptor acceptor_;
  asio::steady_timer timer_;
  bool backing_off_ = false;  // and has said so in the log
};

}  // namespace tandem::server
