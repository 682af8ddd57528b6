#include "server/transport/listening_socket.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>

#include "client/os/signals.hpp"
#include "tandem/error.hpp"

namespace tandem::server {
namespace {

constexpr int lock_tries_max = 400;
constexpr std::chrono::milliseconds lock_interval{5};

[[noreturn]] void refuse(const Address& address, const std::string& why) {
  throw ConnectionError("cannot listen on " + address.to_string() + ": " + why);
}

os::UnsharedDescriptor new_socket(int family, const Address& address) {
  os::UnsharedDescriptor made = os::UnsharedDescriptor::open(
      [family] { return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); });
  if (!made) refuse(address, os::errno_text());
  return made;
}

void start_listening(int descriptor, const Address& address) {
  if (::listen(descriptor, SOMAXCONN) != 0) refuse(address, os::errno_text());
}

// ---- unix -------------------------------------------------------------------------------------------------

struct UnixName {
  sockaddr_un name{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

UnixName unix_name(const Address& address) {
  UnixName to;
  to.name.sun_family = AF_UNIX;
  bool abstract = address.kind() == Address::Kind::unix_abstract;
  std::memcpy(to.name.sun_path + (abstract ? 1 : 0), address.host().data(), address.host().size());
  to.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.host().size() + 1);
  return to;
}

/// Whether a process listens at the name. Only a refused connection counts as none.
bool is_live(const UnixName& name, const Address& address) {
  os::UnsharedDescriptor probe = new_socket(AF_UNIX, address);
  return ::connect(probe.get(), name.get(), name.size) == 0 || errno != ECONNREFUSED;
}

void remove_stale(const UnixName& name, const Address& address) {
  struct stat found {};
  if (::lstat(address.host().c_str(), &found) != 0) return;
  if (!S_ISSOCK(found.st_mode)) refuse(address, "there is a file that is no socket");
  if (is_live(name, address)) refuse(address, "another process listens there");
  if (::unlink(address.host().c_str()) != 0 && errno != ENOENT)
    refuse(address, "the socket left there cannot be removed: " + os::errno_text());
}

/// Held while a stale socket file is removed and created again, so that of two managers that start at once and
/// find the same one only one replaces it. Locks the folder, which leaves no file behind. Whoever may read the
/// folder can lock it, too: another process that keeps the lock delays the start, but does not prevent it. A
/// child that kept the descriptor would keep the lock.
os::UnsharedDescriptor lock_folder_of(const Address& address) {
  std::size_t slash = address.host().rfind('/');
  std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : address.host().substr(0, slash);
  os::UnsharedDescriptor opened = os::UnsharedDescriptor::open(
      [&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (!opened) refuse(address, "folder " + folder + ": " + os::errno_text());
  for (int tries = 0; ::flock(opened.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (tries == lock_tries_max) break;
    std::this_thread::sleep_for(lock_interval);
  }
  return opened;
}

ListeningSocket listen_unix(const Address& address) {
  UnixName name = unix_name(address);
  bool in_files = address.kind() == Address::Kind::unix_path;
  ListeningSocket made{new_socket(AF_UNIX, address), address};
  // The file is created with the mode of the socket; a chmod afterwards would come too late.
  if (in_files) ::fchmod(made.descriptor.get(), S_IRUSR | S_IWUSR);
  bool bound = ::bind(made.descriptor.get(), name.get(), name.size) == 0;
  if (!bound && errno == EADDRINUSE && in_files) {
    const os::UnsharedDescriptor lock = lock_folder_of(address);
    remove_stale(name, address);
    bound = ::bind(made.descriptor.get(), name.get(), name.size) == 0;
  }
  if (!bound) refuse(address, errno == EADDRINUSE ? "another process listens there" : os::errno_text());
  start_listening(made.descriptor.get(), address);
  if (in_files) {
    struct stat file {};
    if (::lstat(address.host().c_str(), &file) != 0) refuse(address, os::errno_text());
    made.device = file.st_dev;
    made.inode = file.st_ino;
  }
  return made;
}

// ---- TCP --------------------------------------------------------------------------------------------------

using Resolved = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Resolved resolve(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  int error = ::getaddrinfo(address.host().c_str(), std::to_string(address.port()).c_str(), &hints, &found);
  if (error != 0) refuse(address, ::gai_strerror(error));
  return {found, &::freeaddrinfo};
}

bool is_loopback(const sockaddr* name) {
  if (name->sa_family == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in*>(name)->sin_addr.s_addr) >> 24) == 127;
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(name)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

std::uint16_t port_of(int descriptor, const Address& address) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &size) != 0)
    refuse(address, os::errno_text());
  return ntohs(name.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(name).sin_port
                                         : reinterpret_cast<sockaddr_in6&>(name).sin6_port);
}

ListeningSocket listen_tcp(const Address& address, const ListenPolicy& policy) {
  if (!policy.has_authkey)
    refuse(address,
           "TCP needs an authkey, since anybody who reaches the port could connect (--authkey-file)");
  Resolved found = resolve(address);
  if (!is_loopback(found->ai_addr) && !policy.insecure_tcp)
    refuse(address, "other machines can reach it and nothing is encrypted; --insecure-tcp permits it");
  ListeningSocket made{new_socket(found->ai_family, address), address};
  int descriptor = made.descriptor.get();
  int on = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (found->ai_family == AF_INET6) ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(descriptor, found->ai_addr, found->ai_addrlen) != 0) refuse(address, os::errno_text());
  start_listening(descriptor, address);
  std::string host =
      address.host().find(':') == std::string::npos ? address.host() : "[" + address.host() + "]";
  made.address = Address::parse("tcp://" + host + ":" + std::to_string(port_of(descriptor, address)));
  return made;
}

}  // namespace

ListeningSocket listen_on(const Address& address, const ListenPolicy& policy) {
  return address.is_unix() ? listen_unix(address) : listen_tcp(address, policy);
}

void remove_file(const ListeningSocket& socket) {
  if (socket.address.kind() != Address::Kind::unix_path) return;
  const char* path = socket.address.host().c_str();
  struct stat file {};
  if (::lstat(path, &file) == 0 && file.st_dev == socket.device && file.st_ino == socket.inode)
    ::unlink(path);
}

}  // namespace tandem::server
