#pragma once
// The client's side of the handshake (wire/handshake.hpp), over any stream.

#include <string>
#include <string_view>

#include "client/transport/connector.hpp"

namespace tandem::client {

/// What a manager said of itself and of the session.
struct Admission {
  wire::Incarnation incarnation{};
  wire::Welcome welcome;
};

/// What a client says of itself, besides what it asks for.
struct Greeting {
  std::string address;  // only for the errors' texts
  bool wants_ring = false;
};

/// Does the handshake on a fresh stream. The welcome's ring_bytes are 0 or a size that can be, and 0 if no ring was wanted.
/// Throws AuthenticationError: the keys differ, or the manager could not prove that it holds ours. VersionError: it
/// speaks another version. ProtocolError: it is no manager of tandem. Timeout: it said nothing within the deadline.
/// ConnectionError: it closed the connection. Else what the manager refused with, e.g. ResourceExhausted.
Admission shake_hands(Stream& stream, std::string_view authkey, const OpenRequest& request,
                      const Greeting& greeting, const os::Deadline& deadline);

}  // namespace tandem::client
