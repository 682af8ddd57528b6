#pragma once
// Creates listening sockets; listener.hpp accepts from them.

#include <string>

#include "client/os/unshared_descriptor.hpp"
#include "tandem/address.hpp"

namespace tandem::server {

struct ListeningSocket {
  os::UnsharedDescriptor descriptor;  // non-blocking
  Address address;                    // with the actual port
  // Identifies the file created for a unix socket in the file system, so that only that file is removed.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

/// What a manager may listen on.
struct ListenPolicy {
  bool has_authkey = false;   // TCP requires one
  bool insecure_tcp = false;  // allows TCP on other than loopback, though nothing is encrypted
};

/// Binds and listens. A unix socket gets mode 0600; an existing socket file on which no process listens is
/// replaced. Throws ConnectionError, which names the address and the cause.
ListeningSocket listen_on(const Address& address, const ListenPolicy& policy);

/// Removes the socket's file if it is still the one created here.
void remove_file(const ListeningSocket& socket);

}  // namespace tandem::server
