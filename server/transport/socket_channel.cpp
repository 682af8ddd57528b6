#include "server/transport/socket_channel.hpp"

#include <asio/post.hpp>

#include <sys/socket.h>

#include <cerrno>

namespace tandem::server {
namespace {

// A client that is told why its channel is closed gets this long to read it and to close its end.
constexpr std::chrono::milliseconds linger_ms_max{1000};
// When the manager stops: how often a channel reads what its client has already sent.
constexpr int last_reads_max = 64;

}  // namespace

SocketChannel::SocketChannel(asio::io_context& io, Service& service, Descriptor socket, Peer peer)
    : socket_(io, socket.release()), timer_(io), service_(service), channel_(service, *this, std::move(peer)) {}

void SocketChannel::start() {
  limit_handshake();
  channel_.start();
  send();
  go_on();
}

void SocketChannel::wake() {
  if (std::exchange(turn_posted_, true)) return;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->turn_posted_ = false;
    self->turn();
  });
}

void SocketChannel::turn() {
  if (!socket_.is_open()) return;
  if (lingering_) return service_.shutting_down() ? close() : void();
  channel_.resume();
  send();
  if (service_.shutting_down()) answer_what_has_come();
  go_on();
}

// ---- reading and writing ----------------------------------------------------------------------------------------------

/// Reads once, without waiting, and lets the channel handle it. False when there was nothing to read.
bool SocketChannel::receive() {
  std::span<std::uint8_t> space = channel_.input_space();
  ssize_t count = ::recv(socket_.native_handle(), space.data(), space.size(), MSG_DONTWAIT);
  if (count > 0) [[likely]] {
    channel_.received(static_cast<std::size_t>(count));
    return true;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  input_ended_ = true;
  channel_.end_of_input();
  return false;
}

/// Sends as much as goes without waiting.
void SocketChannel::send() {
  wire::Bytes unsent = channel_.unsent();
  ssize_t count = 0;
  if (!unsent.empty()) {
    count = ::send(socket_.native_handle(), unsent.data(), unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) return close();
  }
  channel_.sent(count > 0 ? static_cast<std::size_t>(count) : 0);
}

/// The manager is stopping: requests that are already here are answered, then the client is told.
void SocketChannel::answer_what_has_come() {
  for (int reads = 0; reads < last_reads_max && socket_.is_open() && channel_.wants_input() && receive(); ++reads) send();
  if (!socket_.is_open()) return;
  input_ended_ = true;
  channel_.shut_down();
  send();
}

// ---- what comes next --------------------------------------------------------------------------------------------------

void SocketChannel::go_on() {
  if (!socket_.is_open()) return;
  if (timing_handshake_ && !channel_.greeting()) {
    timing_handshake_ = false;
    timer_.cancel();
  }
  if (!channel_.unsent().empty()) [[unlikely]]
    wait_for_room();
  else if (channel_.ending())
    return finish();
  if (channel_.wants_input()) [[likely]]
    wait_for_input();
  else if (channel_.wants_turn())
    wake();
}

void SocketChannel::wait_for_input() {
  if (std::exchange(awaiting_input_, true)) return;
  socket_.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](asio::error_code) {
    self->awaiting_input_ = false;
    if (!self->socket_.is_open()) return;
    if (self->lingering_) return self->discard_input();
    if (self->channel_.wants_input()) self->receive();
    self->send();
    self->go_on();
  });
}

void SocketChannel::wait_for_room() {
  if (std::exchange(awaiting_room_, true)) return;
  socket_.async_wait(asio::posix::stream_descriptor::wait_write, [self = shared_from_this()](asio::error_code) {
    self->awaiting_room_ = false;
    self->turn();
  });
}

void SocketChannel::limit_handshake() {
  timing_handshake_ = true;
  timer_.expires_after(std::chrono::milliseconds(service_.limits().handshake_ms_max));
  timer_.async_wait([self = shared_from_this()](asio::error_code error) {
    if (error || !self->timing_handshake_ || !self->socket_.is_open()) return;
    self->channel_.handshake_timed_out();
    self->send();
    self->go_on();
  });
}

// ---- the end ----------------------------------------------------------------------------------------------------------

// Closing a TCP socket while the client is still sending would reset the connection, and the client might never read
// why its channel ended. So its bytes are read and dropped until it closes too, for a while.
void SocketChannel::finish() {
  if (input_ended_) return close();
  if (std::exchange(lingering_, true)) return;
  ::shutdown(socket_.native_handle(), SHUT_WR);
  timer_.expires_after(linger_ms_max);
  timer_.async_wait([self = shared_from_this()](asio::error_code error) {
    if (!error) self->close();
  });
  wait_for_input();
}

void SocketChannel::discard_input() {
  std::span<std::uint8_t> space = service_.scratch();
  ssize_t count = ::recv(socket_.native_handle(), space.data(), space.size(), MSG_DONTWAIT);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return close();
  wait_for_input();
}

void SocketChannel::close() {
  timer_.cancel();
  asio::error_code ignored;
  socket_.close(ignored);
}

}  // namespace tandem::server
