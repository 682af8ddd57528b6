#include "server/transport/in_process.hpp"

#include <asio/post.hpp>

#include <unistd.h>

#include <algorithm>

namespace tandem::server {
namespace {

/// Moves bytes from the front of a queue.
std::size_t take(wire::Buffer& queue, std::span<std::uint8_t> space) {
  std::size_t count = std::min(queue.size(), space.size());
  std::copy_n(queue.data(), count, space.data());
  queue.drop_front(count);
  return count;
}

}  // namespace

// ---- the client's end -------------------------------------------------------------------------------------

template <class Ready>
bool InProcessPath::wait(std::unique_lock<std::mutex>& lock, Deadline deadline, Ready ready) {
  if (deadline) return changed_.wait_until(lock, *deadline, ready);
  changed_.wait(lock, ready);
  return true;
}

InProcessPath::Status InProcessPath::send(wire::Bytes bytes, Deadline deadline, std::size_t& count) {
  std::unique_lock lock(mutex_);
  auto room = [this] { return closed_by_server_ || to_server_.size() < queue_bytes_max; };
  if (!wait(lock, deadline, room)) return Status::timed_out;
  if (closed_by_server_) return Status::closed;
  count = std::min(bytes.size(), queue_bytes_max - to_server_.size());
  to_server_.append(bytes.first(count));
  if (std::exchange(server_awaits_input_, false)) post_input();
  return Status::moved;
}

InProcessPath::Status InProcessPath::receive(std::span<std::uint8_t> space, Deadline deadline,
                                             std::size_t& count) {
  std::unique_lock lock(mutex_);
  auto bytes = [this] { return closed_by_server_ || !to_client_.empty(); };
  if (!wait(lock, deadline, bytes)) return Status::timed_out;
  if (to_client_.empty()) return Status::closed;
  count = take(to_client_, space);
  if (std::exchange(server_awaits_room_, false) && !closed_by_server_) post_room();
  return Status::moved;
}

void InProcessPath::close() {
  std::lock_guard lock(mutex_);
  closed_by_client_ = true;
  if (closed_by_server_) return;
  post_input();
  post_room();
}

void InProcessPath::post_input() {
  asio::post(io_, [self = shared_from_this()] {
    if (self->channel_ != nullptr) self->channel_->on_readable();
  });
}

void InProcessPath::post_room() {
  asio::post(io_, [self = shared_from_this()] {
    if (self->channel_ != nullptr) self->channel_->on_writable();
  });
}

// ---- the manager's end ------------------------------------------------------------------------------------

void InProcessPath::accept(Service& service) {
  if (service.shutting_down()) {
    std::lock_guard lock(mutex_);
    closed_by_server_ = true;
    changed_.notify_all();
    return;
  }
  channel_ = std::make_shared<InProcessChannel>(io_, service, shared_from_this());
  channel_->start();
}

InProcessChannel::InProcessChannel(asio::io_context& io, Service& service,
                                   std::shared_ptr<InProcessPath> path)
    : TransportChannel(io, service,
                       Peer{std::string(in_process_address), static_cast<std::uint32_t>(::geteuid()), 0}),
      path_(std::move(path)) {}

std::ptrdiff_t InProcessChannel::receive_now(std::span<std::uint8_t> space) {
  std::lock_guard lock(path_->mutex_);
  if (path_->to_server_.empty()) return path_->closed_by_client_ ? ended : 0;
  std::size_t count = take(path_->to_server_, space);
  path_->changed_.notify_all();
  return static_cast<std::ptrdiff_t>(count);
}

std::ptrdiff_t InProcessChannel::send_now(wire::Bytes bytes) {
  std::lock_guard lock(path_->mutex_);
  if (path_->closed_by_client_) return ended;
  std::size_t room = InProcessPath::queue_bytes_max - path_->to_client_.size();
  std::size_t count = std::min(bytes.size(), room);
  path_->to_client_.append(bytes.first(count));
  path_->changed_.notify_all();
  return static_cast<std::ptrdiff_t>(count);
}

void InProcessChannel::wait_for_input() {
  std::lock_guard lock(path_->mutex_);
  if (!path_->to_server_.empty() || path_->closed_by_client_) path_->post_input();
  else path_->server_awaits_input_ = true;
}

void InProcessChannel::wait_for_room() {
  std::lock_guard lock(path_->mutex_);
  if (path_->to_client_.size() < InProcessPath::queue_bytes_max || path_->closed_by_client_)
    path_->post_room();
  else path_->server_awaits_room_ = true;
}

void InProcessChannel::close_path() {
  std::lock_guard lock(path_->mutex_);
  path_->closed_by_server_ = true;
  path_->changed_.notify_all();
  // The channel is destroyed later: its functions are still on the stack.
  asio::post(path_->io_, [channel = std::move(path_->channel_)] {});
}

}  // namespace tandem::server
