#pragma once
// A TCP relay before a manager, whose path can be cut: connections stay open, and nothing arrives any more.

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tandem/address.hpp"
#include "tests/support/loopback.hpp"

namespace tandem::test {

class Relay {
 public:
  enum class Path {
    open,
    swallows,  // takes all bytes in both directions, and forwards none
    holds,     // takes no bytes
  };

  /// `address`: of the manager, tcp://127.0.0.1:PORT.
  explicit Relay(const std::string& address) : to_port_(Address::parse(address).port()) {
    acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
  }
  ~Relay() {
    acceptor_.request_stop();
    listener_.shut_down();
    acceptor_.join();
    const std::lock_guard lock(mutex_);
    for (auto& connection : connections_) connection->thread.request_stop();
    connections_.clear();
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  std::string address() const { return listener_.address(); }

  /// What becomes of all connections, those to come too.
  void set(Path path) {
    path_of_new_ = path;
    set_present(path);
  }
  /// What becomes of those that there are.
  void set_present(Path path) {
    const std::lock_guard lock(mutex_);
    for (auto& connection : connections_) connection->path = path;
  }
  std::size_t connections() {
    const std::lock_guard lock(mutex_);
    return connections_.size();
  }

 private:
  struct Connection {
    Connection(int from, int to, Path its) : ends{from, to}, path(its) {}
    ~Connection() {
      if (thread.joinable()) thread.join();
      for (const int end : ends) close(end);
    }
    std::array<int, 2> ends;
    std::atomic<Path> path;
    std::jthread thread;
  };

  void accept_all(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto [from, to] = listener_.accept_to(to_port_);
      if (from < 0) continue;
      const std::lock_guard lock(mutex_);
      Connection& made =
          *connections_.emplace_back(std::make_unique<Connection>(from, to, path_of_new_.load()));
      made.thread = std::jthread([&made](const std::stop_token& stopped) { forward(made, stopped); });
    }
  }

  static void forward(Connection& connection, const std::stop_token& stop) {
    constexpr int look_ms = 5;  // how soon a change of the path takes effect
    std::array<char, 4096> bytes{};
    while (!stop.stop_requested()) {
      const bool holds = connection.path == Path::holds;
      const auto events = static_cast<short>(holds ? 0 : POLLIN);
      pollfd wanted[] = {{connection.ends[0], events, 0}, {connection.ends[1], events, 0}};
      (void)poll(wanted, 2, look_ms);
      for (std::size_t i = 0; i < 2 && !holds; ++i) {
        if ((wanted[i].revents & (POLLIN | POLLHUP)) == 0) continue;
        const ssize_t received = recv(connection.ends[i], bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (received < 0) continue;
        const bool passes = connection.path == Path::open;
        if (received == 0) {
          if (passes) shutdown(connection.ends[1 - i], SHUT_RDWR);
          return wait_for_stop(stop);
        }
        if (passes)
          (void)send(connection.ends[1 - i], bytes.data(), static_cast<std::size_t>(received), MSG_NOSIGNAL);
      }
    }
  }
  /// Keeps both ends open.
  static void wait_for_stop(const std::stop_token& stop) {
    while (!stop.stop_requested()) (void)poll(nullptr, 0, 5);
  }

  const std::uint16_t to_port_;
  LoopbackListener listener_;
  std::atomic<Path> path_of_new_{Path::open};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::jthread acceptor_;
};

}  // namespace tandem::test
