#pragma once
// The client's side of the handshake (wire/handshake.hpp), over any stream.

#include <string>
#include <string_view>

#include "client/transport/connector.hpp"

namespace tandem::client {

/// What the manager sent about itself and the session.
struct Admission {
  wire::Incarnation incarnation{};
  wire::Welcome welcome;
};

/// What the client's side needs besides the OpenRequest.
struct Greeting {
  std::string address;  // only for error texts
  bool wants_ring = false;
};

/// Does the handshake on a fresh stream. The welcome's ring_bytes are 0 or a valid size, and 0 if no ring was
/// wanted. Throws AuthenticationError if the keys differ or the manager cannot prove that it holds ours;
/// VersionError if it speaks another version; ProtocolError if it is not a tandem manager; Timeout after the
/// deadline; ConnectionError if it closes the connection; else the manager's refusal, e.g. ResourceExhausted.
Admission shake_hands(Stream& stream, std::string_view authkey, const OpenRequest& request,
                      const Greeting& greeting, const os::Deadline& deadline);

}  // namespace tandem::client
