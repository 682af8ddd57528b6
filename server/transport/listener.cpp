#include "server/transport/listener.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "client/os/signals.hpp"
#include "server/transport/ring_channel.hpp"
#include "tandem/wire/handshake.hpp"

namespace tandem::server {
namespace {

constexpr int accepts_per_turn = 32;
// Channels accepted beyond channels_max, so that their clients receive an error.
constexpr std::uint64_t channels_over = 64;
constexpr std::chrono::milliseconds back_off_ms{50};

// A peer that died silently is noticed within a minute and a half.
constexpr int keepalive_idle_s = 60;
constexpr int keepalive_interval_s = 10;
constexpr int keepalive_probes = 3;

void set_tcp_options(int descriptor) {
  int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_idle_s, sizeof keepalive_idle_s);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &keepalive_interval_s, sizeof keepalive_interval_s);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &keepalive_probes, sizeof keepalive_probes);
}

std::string text_of(const sockaddr_storage& name) {
  char host[INET6_ADDRSTRLEN] = "";
  if (name.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(name);
    ::inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
    return "tcp://" + std::string(host) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(name);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
  return "tcp://[" + std::string(host) + "]:" + std::to_string(ntohs(v6.sin6_port));
}

os::UnsharedDescriptor open_spare() {
  return os::UnsharedDescriptor::open([] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); });
}

Peer peer_of(int descriptor, const Address& listener, const sockaddr_storage& name) {
  if (!listener.is_unix()) return {text_of(name), std::nullopt, 0};
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return {listener.to_string(), std::nullopt, 0};
  return {listener.to_string(), credentials.uid, static_cast<std::uint32_t>(credentials.pid)};
}

}  // namespace

Listener::Listener(asio::io_context& io, Service& service, PolledChannels* polled, ListeningSocket socket)
    : io_(io),
      service_(service),
      polled_(polled),
      socket_(std::move(socket)),
      acceptor_(io, std::move(socket_.descriptor)),
      spare_(open_spare()),
      timer_(io) {}

void Listener::stop() {
  if (!acceptor_.is_open()) return;
  // First the file, then the socket: a client that finds the file also finds a listener.
  remove_file(socket_);
  timer_.cancel();
  acceptor_.close();
}

void Listener::wait_for_client() {
  acceptor_.wait_readable([this](asio::error_code error) {
    if (error || !acceptor_.is_open()) return;
    accept_some();
  });
}

void Listener::accept_some() {
  for (int accepted = 0; accepted < accepts_per_turn; ++accepted) {
    if (service_.channels().size() >= service_.limits().channels_max + channels_over) {
      if (service_.close_unproven("channels_max is reached, and others want to connect")) continue;
      if (!std::exchange(backing_off_, true))
        service_.log_event(LogLevel::warning, "channels_max", Peer{address().to_string(), std::nullopt, 0},
                           address().to_string() + ": " + std::to_string(service_.channels().size()) +
                               " channels are open; further clients wait until one ends");
      return back_off();
    }
    if (accept_one()) continue;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      const std::string why = os::errno_text();
      pollfd watched{acceptor_.get(), POLLIN, 0};  // the error comes even if no client waits
      if (::poll(&watched, 1, 0) == 0) break;
      if (service_.close_unproven("descriptors are used up (" + why + "), and others want to connect"))
        continue;
      if (!std::exchange(backing_off_, true))
        service_.log_event(LogLevel::error, "no more clients", Peer{address().to_string(), std::nullopt, 0},
                           address().to_string() + ": no more clients can be taken for now: " + why);
      if (refuse_one(why)) continue;
      return back_off();
    }
    break;
  }
  backing_off_ = false;
  wait_for_client();
}

/// Accepts a client and tells it that the manager has no descriptors left. Returns false if not even that is
/// possible.
bool Listener::refuse_one(const std::string& why) {
  spare_.close();
  os::UnsharedDescriptor client = os::UnsharedDescriptor::open(
      [&] { return ::accept4(acceptor_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
  const bool accepted = static_cast<bool>(client);
  if (accepted) {
    const std::string refusal = wire::encode_refusal(
        Code::resource_exhausted, "it has no descriptors left for one more connection (" + why + ")");
    (void)!::send(client.get(), refusal.data(), refusal.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  client.close();
  spare_ = open_spare();
  return accepted;
}

/// Returns false with errno set if no client waits or accepting failed.
bool Listener::accept_one() {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  os::UnsharedDescriptor client = os::UnsharedDescriptor::open([&] {
    return ::accept4(acceptor_.get(), reinterpret_cast<sockaddr*>(&name), &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
  });
  // A client that disconnected while it was queued is no reason to stop accepting.
  if (!client) return errno == ECONNABORTED || errno == EINTR;
  if (!address().is_unix()) set_tcp_options(client.get());
  Peer peer = peer_of(client.get(), address(), name);
  if (polled_ != nullptr && address().is_unix())
    std::make_shared<RingChannel>(io_, service_, *polled_, std::move(client), std::move(peer))->start();
  else std::make_shared<SocketChannel>(io_, service_, std::move(client), std::move(peer))->start();
  return true;
}

void Listener::back_off() {
  timer_.expires_after(back_off_ms);
  timer_.async_wait([this](asio::error_code error) {
    if (!error && acceptor_.is_open()) wait_for_client();
  });
}

}  // namespace tandem::server
