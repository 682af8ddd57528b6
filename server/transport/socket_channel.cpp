#include "server/transport/socket_channel.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace tandem::server {
namespace {

bool is_transient(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

std::ptrdiff_t SocketChannel::receive_now(std::span<std::uint8_t> space) {
  ssize_t count = ::recv(socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
  if (count > 0) [[likely]]
    return count;
  return count < 0 && is_transient(errno) ? 0 : ended;
}

std::ptrdiff_t SocketChannel::send_now(wire::Bytes bytes) {
  ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count >= 0) [[likely]]
    return count;
  return is_transient(errno) ? 0 : ended;
}

// One operation costs epoll_wait, recv and send, and an epoll_ctl here that re-arms the wait. Asio's own read
// would try to receive at once instead, which finds nothing while the client waits for its reply and costs
// more; it would also need a buffer for every idle channel.
void SocketChannel::wait_for_input() {
  if (std::exchange(awaiting_input_, true)) return;
  socket_.wait_readable([self = shared_from_this(), this](asio::error_code) {
    awaiting_input_ = false;
    on_readable();
  });
}

void SocketChannel::wait_for_room() {
  if (std::exchange(awaiting_room_, true)) return;
  socket_.wait_writable([self = shared_from_this(), this](asio::error_code) {
    awaiting_room_ = false;
    on_writable();
  });
}

void SocketChannel::end_sending() {
  ::shutdown(socket_.get(), SHUT_WR);
}

void SocketChannel::close_path() {
  socket_.close();
}

}  // namespace tandem::server
