#pragma once
// A TCP relay before a manager that cuts the first of its connections after so many bytes in one direction.

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tandem/address.hpp"
#include "tests/support/loopback.hpp"

namespace tandem::test {

class CuttingRelay {
 public:
  enum class Direction : std::uint8_t { to_manager, to_client };
  enum class How : std::uint8_t {
    both_ends,     // client and manager notice it
    client_only,   // the manager's end stays open, until the relay ends
    manager_only,  // the client notices it when the manager closes its end
  };
  struct Cut {
    Direction direction = Direction::to_manager;
    std::uint64_t after_bytes = ~std::uint64_t{0};
    How how = How::both_ends;
  };

  /// `address`: of the manager, tcp://127.0.0.1:PORT.
  CuttingRelay(const std::string& address, Cut cut) : to_port_(Address::parse(address).port()), cut_(cut) {
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~CuttingRelay() {
    ended_ = true;
    listener_.shut_down();
    acceptor_.join();
    cut_all();
    for (std::thread& thread : threads_) thread.join();
    for (const int end : ends_) close(end);
  }
  CuttingRelay(const CuttingRelay&) = delete;
  CuttingRelay& operator=(const CuttingRelay&) = delete;

  std::string address() const { return listener_.address(); }
  /// Forwarded by the first connection so far.
  std::uint64_t bytes(Direction direction) const { return bytes_[static_cast<std::size_t>(direction)]; }
  bool has_cut() const { return has_cut_; }
  /// Cuts every connection there is.
  void cut_all() {
    const std::lock_guard lock(mutex_);
    for (const int end : ends_) shutdown(end, SHUT_RDWR);
  }

 private:
  static void send_at_once(int end) {
    const int on = 1;
    setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  void accept_all() {
    bool is_first = true;
    while (!ended_) {
      const std::pair<int, int> path = listener_.accept_to(to_port_);
      const int from = path.first, to = path.second;
      if (from < 0) continue;
      send_at_once(from);
      send_at_once(to);
      const std::lock_guard lock(mutex_);
      ends_.insert(ends_.end(), {from, to});
      threads_.emplace_back(
          [this, from, to, first = std::exchange(is_first, false)] { forward(from, to, first); });
    }
  }

  void forward(int client, int manager, bool is_first) {
    std::array<char, 4096> bytes{};
    bool client_open = true, manager_open = true;
    while (client_open || manager_open) {
      pollfd wanted[] = {{client_open ? client : -1, POLLIN, 0}, {manager_open ? manager : -1, POLLIN, 0}};
      (void)poll(wanted, 2, -1);
      for (std::size_t i = 0; i < 2; ++i) {
        if (wanted[i].revents == 0) continue;
        const int from = i == 0 ? client : manager;
        const int to = i == 0 ? manager : client;
        const ssize_t received = recv(from, bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (received < 0 && errno == EAGAIN) continue;
        if (received <= 0) {
          (i == 0 ? client_open : manager_open) = false;
          shutdown(to, SHUT_RDWR);
          continue;
        }
        auto count = static_cast<std::size_t>(received);
        const bool counts = is_first && !has_cut_;
        const bool cuts =
            counts && static_cast<std::size_t>(cut_.direction) == i && bytes_[i] + count >= cut_.after_bytes;
        if (cuts) count = cut_.after_bytes - bytes_[i];
        if (counts) bytes_[i] += count;
        (void)send(to, bytes.data(), count, MSG_NOSIGNAL);
        if (!cuts) continue;
        has_cut_ = true;
        if (cut_.how != How::manager_only) shutdown(client, SHUT_RDWR), client_open = false;
        if (cut_.how != How::client_only) shutdown(manager, SHUT_RDWR);
        if (cut_.how == How::client_only) return;  // nothing comes from the manager's end, or goes there
        break;
      }
    }
  }

  const std::uint16_t to_port_;
  const Cut cut_;
  LoopbackListener listener_;
  std::atomic<bool> ended_{false};
  std::atomic<bool> has_cut_{false};
  std::array<std::atomic<std::uint64_t>, 2> bytes_{};
  std::mutex mutex_;
  std::vector<int> ends_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace tandem::test
