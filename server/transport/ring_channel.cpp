#include "server/transport/ring_channel.hpp"

#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <climits>

namespace tandem::server {

RingChannel::Ring::Ring(Service& channel_service, os::SharedMemory shared, std::size_t bytes)
    : service(channel_service),
      memory(std::move(shared)),
      directions(*new (memory.data()) wire::RingDirections),
      in(directions.to_server, memory.data() + wire::ring_header_bytes, bytes),
      out(directions.to_client, memory.data() + wire::ring_header_bytes + bytes, bytes) {
  service.shared_bytes_changed(0, memory.size());
}

RingChannel::Ring::~Ring() {
  service.shared_bytes_changed(memory.size(), 0);
}

RingChannel::RingChannel(asio::io_context& io, Service& service, PolledChannels& polled,
                         os::UnsharedDescriptor socket, Peer peer)
    : SocketChannel(io, service, std::move(socket), std::move(peer)),
      polled_(polled),
      advice_(polled.limit()) {}

// ---- from the socket to the ring --------------------------------------------------------------------------

std::uint64_t RingChannel::offer_ring() {
  const std::size_t bytes = std::bit_ceil(static_cast<std::size_t>(service().limits().ring_bytes));
  if (!service().has_room_for_shared(wire::ring_file_bytes(bytes))) {
    service().log_event(LogLevel::warning, "no room for shared memory", peer(),
                        peer().address +
                            ": a client stays on its socket: its rings would be over memory_bytes_max (" +
                            std::to_string(service().limits().memory_bytes_max) + ")");
    return 0;
  }
  std::string error;
  auto memory = os::SharedMemory::make(wire::ring_file_bytes(bytes), error);
  if (!memory) {
    service().log_event(
        LogLevel::warning, "no shared memory", peer(),
        peer().address + ": a client stays on its socket, since no shared memory is available: " + error);
    return 0;
  }
  ring_.emplace(service(), *std::move(memory), bytes);
  return bytes;
}

std::ptrdiff_t RingChannel::send_now(wire::Bytes bytes) {
  if (!passed_) [[unlikely]] {
    const std::ptrdiff_t count = SocketChannel::send_now(bytes);
    return ring_ && count == static_cast<std::ptrdiff_t>(bytes.size()) && pass_ring() == ended ? ended
                                                                                               : count;
  }
  if (socket_ended_) [[unlikely]]
    return ended;
  const std::size_t busy_channels = polled_.contended() ? 0 : polled_.size();
  ring_->directions.to_client.busy_channel_count.store(static_cast<std::uint32_t>(busy_channels),
                                                       std::memory_order_relaxed);
  const std::size_t count = ring_->out.write(bytes);
  if (count == wire::ring_broken) [[unlikely]]
    return broken();
  if (count != 0 && wire::sleeps(ring_->out.shared().reader_sleeps)) ring_bell();
  return static_cast<std::ptrdiff_t>(count);
}

/// Called when the Welcome is sent.
std::ptrdiff_t RingChannel::pass_ring() {
  if (!os::send_descriptor(socket().get(), wire::ring_passed, ring_->memory.descriptor())) return ended;
  ring_->memory.close_descriptor();
  passed_ = true;
  listen_to_bell();
  return 0;
}

// ---- bytes ------------------------------------------------------------------------------------------------

std::ptrdiff_t RingChannel::receive_now(std::span<std::uint8_t> space) {
  if (!passed_) [[unlikely]]
    return SocketChannel::receive_now(space);
  const std::size_t count = ring_->in.read(space);
  if (count == wire::ring_broken) [[unlikely]]
    return broken();
  if (count == 0) return socket_ended_ ? ended : 0;
  // A client's thread that waits for room sleeps on the word itself: see wire/ring.hpp.
  if (std::atomic<std::uint32_t>& word = ring_->in.shared().writer_sleeps; wire::sleeps(word)) [[unlikely]]
    ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  return static_cast<std::ptrdiff_t>(count);
}

/// The counts in shared memory are invalid. Only this client is affected.
std::ptrdiff_t RingChannel::broken() {
  service().log_event(
      LogLevel::warning, "impossible counts in shared memory", peer(),
      peer().address + ": a channel is closed, since the counts in its shared memory cannot be");
  service().count_protocol_error();
  socket_ended_ = true;
  return ended;
}

void RingChannel::ring_bell() {
  const std::uint8_t byte = 0;
  ::send(socket().get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void RingChannel::parked_count_changed(std::size_t count) {
  if (!passed_) return;
  if (count < parked_count_) polled_.note_answered_wait(*this);
  parked_count_ = count;
  ring_->directions.to_client.parked_count.store(static_cast<std::uint32_t>(count),
                                                 std::memory_order_relaxed);
}

// ---- waiting ----------------------------------------------------------------------------------------------

void RingChannel::wake() {
  if (!passed_) return SocketChannel::wake();
  turn_due_ = true;
  start_polling();
}

void RingChannel::wait_for_input() {
  if (!passed_) return SocketChannel::wait_for_input();
  awaiting_input_ = true;
  start_polling();
}

void RingChannel::wait_for_room() {
  if (!passed_) return SocketChannel::wait_for_room();
  awaiting_room_ = true;
  start_polling();
}

void RingChannel::start_polling() {
  used_ = true;
  if (!std::exchange(polled, true)) polled_.add(std::static_pointer_cast<RingChannel>(shared_from_this()));
}

bool RingChannel::look() {
  bool any = false;
  if (turn_due_) {
    turn_due_ = false;
    any = true;
    turn();
  }
  if (awaiting_room_ && (ring_->out.room() != 0 || socket_ended_)) [[unlikely]] {
    awaiting_room_ = false;
    any = true;
    on_writable();
  }
  if (awaiting_input_ && (ring_->in.available() != 0 || socket_ended_)) {
    awaiting_input_ = false;
    any = true;
    on_readable();
  }
  return any;
}

bool RingChannel::may_stop_polling(PolledChannels::Clock::time_point now, std::chrono::nanoseconds limit,
                                   bool crowded) {
  if (closed()) return true;
  if (std::exchange(used_, false)) last_use_ = now;
  if (turn_due_ || ((crowded || advice_.worthwhile()) && now - last_use_ < limit)) return false;
  // The order matters: see wire/ring.hpp.
  std::atomic<std::uint32_t>& reader = ring_->in.shared().reader_sleeps;
  std::atomic<std::uint32_t>& writer = ring_->out.shared().writer_sleeps;
  reader.store(awaiting_input_ ? 1 : 0, std::memory_order_seq_cst);
  writer.store(awaiting_room_ ? 1 : 0, std::memory_order_seq_cst);
  if ((awaiting_input_ && ring_->in.available() != 0) || (awaiting_room_ && ring_->out.room() != 0)) {
    reader.store(0, std::memory_order_relaxed);
    writer.store(0, std::memory_order_relaxed);
    return false;
  }
  return true;
}

bool RingChannel::client_is_awake() const {
  return ring_ && !socket_ended_ &&
         ring_->directions.to_client.reader_sleeps.load(std::memory_order_relaxed) == 0;
}

/// Waits for the bell, which also shows the end of the client. Repeated until the channel is closed.
void RingChannel::listen_to_bell() {
  socket().wait_readable([self = shared_from_this(), this](asio::error_code error) {
    if (!error && !closed()) heard_bell();
  });
}

void RingChannel::heard_bell() {
  std::uint8_t bells[64];
  const ssize_t heard = ::recv(socket().get(), bells, sizeof bells, MSG_DONTWAIT);
  if (heard == 0 || (heard < 0 && errno != EAGAIN && errno != EINTR)) socket_ended_ = true;
  else listen_to_bell();
  if (!polled_.contended()) advice_.waited(PolledChannels::Clock::now() - last_use_);
  start_polling();
}

void RingChannel::close_path() {
  awaiting_input_ = awaiting_room_ = turn_due_ = false;
  SocketChannel::close_path();
}

}  // namespace tandem::server
