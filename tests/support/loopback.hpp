#pragma once
// TCP within this machine, for relays between a client and a manager.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace tandem::test {

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// A socket that listens on a port of the system's choice.
class LoopbackListener {
 public:
  LoopbackListener() {
    sockaddr_in here = loopback(0);
    socklen_t size = sizeof here;
    if (bind(socket_, reinterpret_cast<const sockaddr*>(&here), size) != 0 || listen(socket_, 100) != 0 ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&here), &size) != 0)
      throw std::runtime_error("the relay cannot listen");
    port_ = ntohs(here.sin_port);
  }
  ~LoopbackListener() { close(socket_); }
  LoopbackListener(const LoopbackListener&) = delete;
  LoopbackListener& operator=(const LoopbackListener&) = delete;

  std::string address() const { return "tcp://127.0.0.1:" + std::to_string(port_); }
  /// Waits for a client; the two ends of the path from it to `port`. Both are -1 if there is none, after shut_down() above all.
  std::pair<int, int> accept_to(std::uint16_t port) const {
    const int from = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (from < 0) return {-1, -1};
    const int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in manager = loopback(port);
    (void)connect(to, reinterpret_cast<const sockaddr*>(&manager), sizeof manager);
    return {from, to};
  }
  /// Ends accept_to().
  void shut_down() const { shutdown(socket_, SHUT_RDWR); }

 private:
  int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::uint16_t port_ = 0;
};

}  // namespace tandem::test
