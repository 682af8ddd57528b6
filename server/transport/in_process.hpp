#pragma once
// A channel between the manager and a thread of its own process: two byte queues instead of a socket.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "server/transport/transport_channel.hpp"

namespace tandem::server {

class InProcessChannel;

/// Shared by both ends.
class InProcessPath : public std::enable_shared_from_this<InProcessPath> {
 public:
  enum class Status : std::uint8_t { moved, timed_out, closed };
  using Deadline = std::optional<std::chrono::steady_clock::time_point>;  // none: no limit; past: do not wait

  explicit InProcessPath(asio::io_context& io) : io_(io) {}

  // The client's end, for any thread, one at a time. Both move as many bytes as possible, at least one, and
  // wait for that until the deadline.
  Status send(wire::Bytes bytes, Deadline deadline, std::size_t& count);
  Status receive(std::span<std::uint8_t> space, Deadline deadline, std::size_t& count);
  void close();

  /// The manager's end, on the engine's thread: creates the channel, or closes the path if the manager is
  /// stopping.
  void accept(Service& service);

 private:
  friend class InProcessChannel;
  static constexpr std::size_t queue_bytes_max = 256 * 1024;

  void post_input();
  void post_room();
  template <class Ready>
  bool wait(std::unique_lock<std::mutex>& lock, Deadline deadline, Ready ready);

  asio::io_context& io_;                       // may be destroyed once closed_by_server_ is true
  std::shared_ptr<InProcessChannel> channel_;  // engine's thread only; null after the channel is closed

  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  wire::Buffer to_server_;
  wire::Buffer to_client_;
  bool closed_by_client_ = false;
  bool closed_by_server_ = false;
  bool server_awaits_input_ = false;
  bool server_awaits_room_ = false;
};

class InProcessChannel final : public TransportChannel {
 public:
  InProcessChannel(asio::io_context& io, Service& service, std::shared_ptr<InProcessPath> path);

 private:
  friend class InProcessPath;
  std::string_view path() const override { return "in-process"; }
  std::ptrdiff_t receive_now(std::span<std::uint8_t> space) override;
  std::ptrdiff_t send_now(wire::Bytes bytes) override;
  void wait_for_input() override;
  void wait_for_room() override;
  /// Queued bytes stay until they are read, whatever the client still sends.
  void end_sending() override {}
  void close_path() override;

  std::shared_ptr<InProcessPath> path_;
};

}  // namespace tandem::server
