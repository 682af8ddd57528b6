#include "client/connector.hpp"

#include "client/handshake.hpp"
#include "client/socket.hpp"

namespace tandem::client {

Opened SocketConnector::open(const OpenRequest& request, std::chrono::milliseconds timeout) {
  Deadline deadline(timeout);
  Opened opened;
  auto socket = connect_socket(address_, deadline);
  socket->set_busy_poll(busy_poll_);
  opened.stream = std::move(socket);
  Admission admission = shake_hands(*opened.stream, authkey_, request, address_.to_string(), deadline);
  opened.welcome = admission.welcome;
  opened.incarnation = admission.incarnation;
  return opened;
}

}  // namespace tandem::client
