#include "client/transport/connector.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include "client/os/signals.hpp"
#include "client/transport/handshake.hpp"
#include "client/transport/ring_stream.hpp"
#include "client/transport/socket.hpp"
#include "tandem/error.hpp"

namespace tandem::client {
namespace {

/// Returns null if this process cannot map the ring.
std::unique_ptr<Stream> continue_on_ring(SocketStream& socket, std::uint64_t ring_bytes,
                                         const Options& options, const std::string& address,
                                         const os::Deadline& deadline) {
  try {
    return RingStream::receive_from(socket, ring_bytes, options.busy_poll, deadline);
  } catch (const os::TimedOut&) {
    throw Timeout(address + ": no shared memory within " + std::to_string(deadline.limit().count()) +
                  " ms (connect_timeout)");
  } catch (const StreamClosed& closed) {
    throw ConnectionError(address + ": " + closed.what() + " while it passed its shared memory");
  }
}

/// Without an authkey, the handshake proves nothing: whatever listens could be another user's program. So the
/// kernel has to say that this user or root began to listen there.
void check_listener(const SocketStream& socket, const std::string& address) {
  ucred listener{};
  socklen_t size = sizeof listener;
  if (::getsockopt(socket.descriptor(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0)
    throw ConnectionError(address + ": it is not known which user listens there (" + os::errno_text() + ")");
  if (listener.uid == ::geteuid() || listener.uid == 0) return;
  throw AuthenticationError(address + ": the user with uid " + std::to_string(listener.uid) +
                            " listens there, and this process runs as uid " + std::to_string(::geteuid()) +
                            ": without an authkey, only a manager of the same user or of root is trusted");
}

}  // namespace

Opened SocketConnector::open(const OpenRequest& request, std::chrono::milliseconds timeout) {
  const os::Deadline deadline(timeout);
  const bool wants_ring = offers_ring() && !request.stays_on_socket;
  if (std::optional<Opened> opened = try_open(request, wants_ring, deadline)) return *std::move(opened);
  return *try_open(request, false, deadline);
}

/// Returns nullopt if there is a ring and this process cannot map it.
std::optional<Opened> SocketConnector::try_open(const OpenRequest& request, bool wants_ring,
                                                const os::Deadline& deadline) {
  auto socket = connect_socket(address_, deadline);
  socket->apply(options_);
  if (authkey_.empty() && address_.is_unix()) check_listener(*socket, address_.to_string());
  const Admission admission =
      shake_hands(*socket, authkey_, request, {address_.to_string(), wants_ring}, deadline);
  if (authkey_.empty() && !address_.is_unix())  // a manager refuses that itself
    throw AuthenticationError(address_.to_string() + ": no authkey was given, and over TCP nothing else " +
                              "shows that a manager listens there");
  Opened opened{nullptr, admission.welcome, admission.incarnation};
  if (admission.welcome.ring_bytes == 0) {
    opened.stream = std::move(socket);
  } else {
    opened.stream =
        continue_on_ring(*socket, admission.welcome.ring_bytes, options_, address_.to_string(), deadline);
    if (opened.stream == nullptr) return std::nullopt;
  }
  return opened;
}

}  // namespace tandem::client
