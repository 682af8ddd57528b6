#pragma once
// What all transports have in common: when a channel's bytes are moved, and how a channel ends. A transport adds how to
// read and write without waiting, and how to wait. A carrier lives as long as it waits for something: each wait holds
// a share of it, and when its channel is done it waits for nothing any more.

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <memory>

#include "server/session/channel.hpp"

namespace tandem::server {

class TransportChannel : public TransportHandle, public std::enable_shared_from_this<TransportChannel> {
 public:
  TransportChannel(asio::io_context& io, Service& service, Peer peer);

  /// Begins the handshake.
  void start();
  void wake() override;
  void close() final;

 protected:
  static constexpr std::ptrdiff_t ended = -1;  // no more to be had, or the path is broken

  /// Each moves at least one byte and gives how many, or 0: none without waiting; or `ended`.
  virtual std::ptrdiff_t receive_now(std::span<std::uint8_t> space) = 0;
  virtual std::ptrdiff_t send_now(wire::Bytes bytes) = 0;
  /// Waits with a share of this carrier, then calls have_input() or have_room(). Called again while it waits, does
  /// nothing. After close_path() the wait ends soon and calls nothing.
  virtual void wait_for_input() = 0;
  virtual void wait_for_room() = 0;
  /// The client shall see the end of what is sent; what it sends can still be read.
  virtual void end_sending() = 0;
  virtual void close_path() = 0;

  void on_readable();
  void on_writable() { turn(); }
  void turn();
  bool closed() const { return closed_; }
  const Peer& peer() const { return channel_.peer(); }
  Service& service() { return service_; }

 private:
  bool receive();
  void send();
  void drain_input();
  void arm_wait();
  void limit_handshake();
  void finish();
  void discard_input();

  asio::io_context& io_;
  asio::steady_timer timer_;
  Service& service_;
  Channel channel_;
  bool closed_ = false;
  bool timing_handshake_ = false;
  bool turn_posted_ = false;
  bool input_ended_ = false;  // nothing is left to be read that the client could miss an answer to
  bool lingering_ = false;
};

}  // namespace tandem::server
