#pragma once
// Accepts clients on one listening socket and creates a channel for each.

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "server/session/service.hpp"
#include "server/transport/listening_socket.hpp"
#include "server/transport/polled_channels.hpp"
#include "server/transport/watched_descriptor.hpp"

namespace tandem::server {

/// Must not be destroyed before the io_context has run the handlers that were pending at stop().
class Listener {
 public:
  /// `polled`: clients of a unix socket may switch to shared memory; null: they stay on the socket.
  Listener(asio::io_context& io, Service& service, PolledChannels* polled, ListeningSocket socket);
  ~Listener() { stop(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// With the actual port.
  const Address& address() const { return socket_.address; }
  void start() { wait_for_client(); }
  /// Stops accepting; removes a unix socket's file.
  void stop();

 private:
  void wait_for_client();
  void accept_some();
  bool accept_one();
  bool refuse_one(const std::string& why);
  void back_off();

  asio::io_context& io_;
  Service& service_;
  PolledChannels* polled_;
  ListeningSocket socket_;
  WatchedDescriptor acceptor_;
  os::UnsharedDescriptor spare_;  // closed for a moment to accept a client that can only be refused
  asio::steady_timer timer_;
  bool backing_off_ = false;  // this was logged
};

}  // namespace tandem::server
