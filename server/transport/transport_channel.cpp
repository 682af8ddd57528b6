#include "server/transport/transport_channel.hpp"

#include <asio/post.hpp>

namespace tandem::server {
namespace {

// How long a client has to read why its channel is closed, and to close its end.
constexpr std::chrono::milliseconds linger_ms_max{1000};
// How often a channel reads what its client has already sent when the manager stops.
constexpr int last_reads_max = 64;

}  // namespace

TransportChannel::TransportChannel(asio::io_context& io, Service& service, Peer peer)
    : io_(io), timer_(io), service_(service), channel_(service, *this, std::move(peer)) {}

void TransportChannel::start() {
  limit_handshake();
  channel_.start();
  send();
  arm_wait();
}

void TransportChannel::wake() {
  if (std::exchange(turn_posted_, true)) return;
  asio::post(io_, [self = shared_from_this()] {
    self->turn_posted_ = false;
    self->turn();
  });
}

void TransportChannel::turn() {
  if (closed_) return;
  if (lingering_) return service_.shutting_down() ? close() : void();
  channel_.resume();
  send();
  if (service_.shutting_down()) drain_input();
  arm_wait();
}

void TransportChannel::on_readable() {
  if (closed_) return;
  if (lingering_) return discard_input();
  if (channel_.wants_input()) receive();
  send();
  arm_wait();
}

// ---- reading and writing ----------------------------------------------------------------------------------

/// Reads once and passes the bytes to the channel. Returns false if there was nothing to read.
bool TransportChannel::receive() {
  std::ptrdiff_t count = receive_now(channel_.input_space());
  if (count > 0) [[likely]] {
    channel_.received(static_cast<std::size_t>(count));
    return true;
  }
  if (count == ended) {
    input_ended_ = true;
    channel_.end_of_input();
  }
  return false;
}

/// Sends as many bytes as possible without waiting.
void TransportChannel::send() {
  if (closed_) return;
  while (true) {
    const wire::Bytes unsent = channel_.unsent();
    const std::ptrdiff_t count = unsent.empty() ? 0 : send_now(unsent);
    if (count == ended) return close();
    channel_.sent(static_cast<std::size_t>(count));
    if (!channel_.unsent_in_pieces() || unsent.empty() || static_cast<std::size_t>(count) < unsent.size())
        [[likely]]
      return;
  }
}

/// The manager is stopping: requests that have already arrived are answered, then the client is informed.
void TransportChannel::drain_input() {
  for (int reads = 0; reads < last_reads_max && !closed_ && channel_.wants_input() && receive(); ++reads)
    send();
  if (closed_) return;
  input_ended_ = true;
  channel_.shut_down();
  send();
}

// ---- what comes next --------------------------------------------------------------------------------------

void TransportChannel::arm_wait() {
  if (closed_) return;
  if (timing_handshake_ && !channel_.greeting()) {
    timing_handshake_ = false;
    timer_.cancel();
  }
  if (channel_.is_unsent()) [[unlikely]]
    wait_for_room();
  else if (channel_.ending() && !channel_.holds_unsent()) return finish();
  if (channel_.wants_input()) [[likely]]
    wait_for_input();
  else if (channel_.wants_turn()) wake();
}

void TransportChannel::limit_handshake() {
  timing_handshake_ = true;
  timer_.expires_after(std::chrono::milliseconds(service_.limits().handshake_ms_max));
  timer_.async_wait([self = shared_from_this()](asio::error_code error) {
    if (error || !self->timing_handshake_ || self->closed_) return;
    self->channel_.handshake_timed_out();
    self->send();
    self->arm_wait();
  });
}

// ---- the end ----------------------------------------------------------------------------------------------

// Closing a TCP socket while the client is still sending would reset the connection, and the client might
// never read why its channel ended. So its bytes are read and dropped until it closes too, for at most
// linger_ms_max.
void TransportChannel::finish() {
  if (input_ended_) return close();
  if (std::exchange(lingering_, true)) return;
  channel_.leave_session();
  end_sending();
  timer_.expires_after(linger_ms_max);
  timer_.async_wait([self = shared_from_this()](asio::error_code error) {
    if (!error) self->close();
  });
  wait_for_input();
}

void TransportChannel::discard_input() {
  if (receive_now(service_.scratch()) == ended) return close();
  wait_for_input();
}

void TransportChannel::close() {
  if (std::exchange(closed_, true)) return;
  timer_.cancel();
  close_path();
}

}  // namespace tandem::server
