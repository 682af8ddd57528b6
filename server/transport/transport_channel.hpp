#pragma once
// The common part of all transports: when a channel's bytes are moved, and how a channel ends. A transport
// adds reading and writing without blocking, and waiting. A transport channel lives as long as it waits for
// something: each wait holds a shared_ptr to it, and after its close it waits for nothing.

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
  static constexpr std::ptrdiff_t ended = -1;  // end of input, or the path is broken

  /// Both move at least one byte and return how many; 0: none without waiting; or `ended`.
  virtual std::ptrdiff_t receive_now(std::span<std::uint8_t> space) = 0;
  virtual std::ptrdiff_t send_now(wire::Bytes bytes) = 0;
  /// Waits while holding a shared_ptr to this channel, then calls on_readable() or on_writable(). A second
  /// call during the wait does nothing. After close_path() the wait ends soon and has no effect.
  virtual void wait_for_input() = 0;
  virtual void wait_for_room() = 0;
  /// The client reads the end of the stream after the bytes already sent; what it sends can still be read.
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
  bool input_ended_ = false;  // no request is left to be read whose reply the client could miss
  bool lingering_ = false;
};

}  // namespace tandem::server
