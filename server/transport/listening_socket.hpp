#pragma once
// Sockets that listen: made here, accepted from in listener.hpp.

#include <string>

#include "client/os/descriptor.hpp"
#include "tandem/address.hpp"

namespace tandem::server {

struct ListeningSocket {
  os::Descriptor descriptor;  // non-blocking
  Address address;            // with the real port
  // A unix socket in the file system: which file we made, so that only that is removed.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

/// What a manager may listen on.
struct ListenPolicy {
  bool has_authkey = false;   // TCP only with one
  bool insecure_tcp = false;  // TCP on other than loopback, though nothing is encrypted
};

/// Binds and listens. A unix socket gets mode 0600; one that is there but that nobody listens on is replaced. Throws
/// Error with Code::connection_error, naming the address and what is wrong.
ListeningSocket listen_on(const Address& address, const ListenPolicy& policy);

/// Removes the socket's file, if it is still the one that we made.
void remove_file(const ListeningSocket& socket);

}  // namespace tandem::server
