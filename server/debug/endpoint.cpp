#include "server/debug/endpoint.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "client/os/signals.hpp"
#include "tandem/address.hpp"
#include "tandem/error.hpp"

namespace tandem::server {
namespace {

constexpr int backlog = 64;

struct AddressInfoDeleter {
  void operator()(addrinfo* info) const { ::freeaddrinfo(info); }
};
using AddressInfo = std::unique_ptr<addrinfo, AddressInfoDeleter>;

Address parse_address(const std::string& text) {
  try {
    return Address::parse("tcp://" + text);
  } catch (const ValueError&) {
    throw ValueError("debug address '" + text +
                     "': it has the form host:port, e.g. 127.0.0.1:7071 or [::1]:7071");
  }
}

AddressInfo resolve(const Address& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int error = ::getaddrinfo(address.host().c_str(), std::to_string(address.port()).c_str(), &hints, &found);
  if (error != 0)
    throw ConnectionError("debug address: cannot look up " + address.host() + ": " + ::gai_strerror(error));
  return AddressInfo(found);
}

bool is_loopback(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
         (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127);
}

[[noreturn]] void throw_listen_error(const std::string& where, int error) {
  throw ConnectionError("debug endpoint: cannot listen on " + where + ": " + os::errno_text(error));
}

os::UnsharedDescriptor listen_on(const addrinfo& where, const std::string& text) {
  os::UnsharedDescriptor socket = os::UnsharedDescriptor::open(
      [&where] { return ::socket(where.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); });
  if (!socket) throw_listen_error(text, errno);
  int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(socket.get(), where.ai_addr, where.ai_addrlen) != 0 || ::listen(socket.get(), backlog) != 0)
    throw_listen_error(text, errno);
  return socket;
}

struct Bound {
  std::string host;  // numeric; in brackets for IPv6
  std::uint16_t port = 0;
};

Bound bound_to(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
  Bound bound;
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    bound.host = ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    bound.port = ntohs(v4.sin_port);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    bound.host = "[" + std::string(::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text)) + "]";
    bound.port = ntohs(v6.sin6_port);
  }
  return bound;
}

}  // namespace

DebugEndpoint::DebugEndpoint(DebugOptions options, EngineQuery::Post post, const View& view)
    : query_(std::move(post), view, options.query_ms_max) {
  const Address address = parse_address(options.address);
  AddressInfo found = resolve(address);
  if (options.token.empty() && !is_loopback(*found->ai_addr))
    throw ValueError(
        "debug address " + options.address +
        " can be reached from other machines: it needs a debug token, which requests must then carry");
  os::UnsharedDescriptor listening = listen_on(*found, options.address);
  Bound bound = bound_to(listening.get());
  std::string given =
      address.host().find(':') == std::string::npos ? address.host() : "[" + address.host() + "]";
  address_ = bound.host + ":" + std::to_string(bound.port);
  access_ = std::make_unique<Access>(std::move(options.token), std::vector{bound.host, given});
  http_ = std::make_unique<HttpServer>(std::move(listening), options.http,
                                       [this](const Request& r) { return answer(r); });
}

DebugEndpoint::~DebugEndpoint() {
  stop();
}

void DebugEndpoint::start() {
  http_->start();
}

void DebugEndpoint::ready(StartupInfo startup_info) {
  startup_info_ = std::move(startup_info);
  is_ready_.store(true, std::memory_order_release);
}

void DebugEndpoint::stop() {
  query_.close();
  http_->stop();
}

Answer DebugEndpoint::answer(const Request& request) {
  try {
    access_->check(request);
  } catch (const Refused& refused) {
    Answer answer = error_answer(refused.status, refused.message);
    if (refused.status == 401) answer.headers.emplace_back("WWW-Authenticate", "Bearer");
    return answer;
  }
  if (!is_ready_.load(std::memory_order_acquire)) {
    const int percent = recovered_percent_;
    return error_answer(
        503, percent == not_recovering
                 ? std::string("the manager is starting")
                 : "the manager is starting: " + std::to_string(percent) + " % of its journal is recovered");
  }
  return answer_request(request, startup_info_, query_);
}

}  // namespace tandem::server
