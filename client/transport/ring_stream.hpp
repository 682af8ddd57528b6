#pragma once
// A stream over shared memory (wire/ring.hpp), to a manager on the same machine.

#include <atomic>
#include <chrono>
#include <memory>

#include "client/os/busy_poll.hpp"
#include "client/os/shared_memory.hpp"
#include "client/transport/socket.hpp"
#include "tandem/wire/ring.hpp"

namespace tandem::client {

class RingStream final : public Stream {
 public:
  /// Receives the memory on a socket on which the manager has announced a ring of `ring_bytes` each way, and
  /// takes the socket over. Returns null if this process cannot map it, e.g. for lack of descriptors or
  /// memory; the socket is unusable then. Throws StreamClosed, TimedOut.
  static std::unique_ptr<RingStream> receive_from(SocketStream& socket, std::size_t ring_bytes,
                                                  std::chrono::microseconds busy_poll,
                                                  const os::Deadline& deadline);
  ~RingStream() override;

  std::size_t send(wire::Bytes bytes, std::chrono::milliseconds timeout) override;
  std::size_t send_now(wire::Bytes bytes) override;
  std::size_t receive(std::uint8_t* at, std::size_t room, std::chrono::milliseconds timeout) override;
  std::size_t receive_to(wire::ByteSink& to, std::size_t most, std::chrono::milliseconds timeout) override;
  void expect_replies(std::size_t count) noexcept override { expected_replies_ = count; }
  void shut_down() noexcept override;
  void abandon() noexcept override;

 private:
  RingStream(int socket, os::SharedMemory memory, std::size_t ring_bytes,
             std::chrono::microseconds busy_poll);

  template <class Take>
  std::size_t receive_by(const Take& take, std::chrono::milliseconds timeout);
  void check_open() const;
  void ring_bell() noexcept;
  bool contended() const;
  bool crowded() const;
  bool parked() const;
  void show_processor() const;
  template <class Ready>
  bool poll_briefly(const Ready& ready) const;
  template <class Ready>
  bool poll_on(const Ready& ready, os::BusyPoll::Clock::duration& waited) const;
  void yield();
  void await_bytes(std::chrono::milliseconds timeout);
  void sleep_for_bytes(const os::Deadline& deadline);
  void sleep_for_room(const os::Deadline& deadline);
  bool manager_is_gone() const noexcept;

  int socket_;
  os::SharedMemory memory_;
  wire::RingDirections& directions_;
  wire::RingWriter out_;
  wire::RingReader in_;
  os::BusyPoll busy_poll_;
  std::size_t expected_replies_ = 1;
  std::atomic<int> sent_in_turn_{0};  // approximate: one thread may send while another receives
  std::atomic<bool> shut_down_{false};
  bool ended_ = false;  // the manager closed the socket; only the bytes in the ring are left
};

}  // namespace tandem::client
