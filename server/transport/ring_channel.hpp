#pragma once
// A channel that starts on a unix socket and switches to shared memory (wire/ring.hpp) if the client asks for
// it.

#include <optional>

#include "client/os/busy_poll.hpp"
#include "client/os/shared_memory.hpp"
#include "server/transport/polled_channels.hpp"
#include "server/transport/socket_channel.hpp"
#include "tandem/wire/ring.hpp"

namespace tandem::server {

class RingChannel final : public SocketChannel {
 public:
  RingChannel(asio::io_context& io, Service& service, PolledChannels& polled, os::UnsharedDescriptor socket,
              Peer peer);

  void wake() override;
  std::uint64_t offer_ring() override;
  void parked_count_changed(std::size_t count) override;
  std::string_view path() const override { return passed_ ? "ring" : SocketChannel::path(); }

  // For PolledChannels.
  /// Does the pending work. Returns whether there was any.
  bool look();
  /// Whether polling should stop: idle for `limit`, or at once if polling did not pay lately and the channels
  /// are not `crowded`, more than processors. False if data arrived in between.
  bool may_stop_polling(PolledChannels::Clock::time_point now, std::chrono::nanoseconds limit, bool crowded);
  /// Whether the client neither sleeps until something is sent to it nor has ended.
  bool client_is_awake() const;
  bool client_polls() const {
    return ring_ && ring_->directions.to_client.reader_polls.load(std::memory_order_relaxed) != 0;
  }
  /// Whether a request of the client waits in the engine.
  bool client_waits() const { return parked_count_ != 0; }
  /// Whether the client may be on `processor` (counted from 1).
  bool client_is_on(std::uint32_t processor) const {
    const std::uint32_t last =
        !ring_ ? 0 : ring_->directions.to_server.writer_processor.load(std::memory_order_relaxed);
    return last == 0 || last == processor;
  }
  bool polled = false;
  bool recent = false;
  std::uint64_t used_in_look = 0;

 private:
  struct Ring {
    Ring(Service& service, os::SharedMemory memory, std::size_t bytes);
    ~Ring();
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    Service& service;
    os::SharedMemory memory;
    wire::RingDirections& directions;
    wire::RingReader in;
    wire::RingWriter out;
  };

  std::ptrdiff_t receive_now(std::span<std::uint8_t> space) override;
  std::ptrdiff_t send_now(wire::Bytes bytes) override;
  void wait_for_input() override;
  void wait_for_room() override;
  void close_path() override;

  std::ptrdiff_t pass_ring();
  void listen_to_bell();
  void heard_bell();
  void start_polling();
  void ring_bell();
  std::ptrdiff_t broken();

  PolledChannels& polled_;
  std::optional<Ring> ring_;
  std::size_t parked_count_ = 0;
  bool passed_ = false;  // all bytes use the ring from now on
  bool socket_ended_ = false;
  bool turn_due_ = false;
  bool awaiting_input_ = false;
  bool awaiting_room_ = false;
  bool used_ = true;  // since the last may_stop_polling()
  PolledChannels::Clock::time_point last_use_ = PolledChannels::Clock::now();
  os::BusyPoll advice_;  // whether polling has paid lately
};

}  // namespace tandem::server
