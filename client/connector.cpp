#include "client/connector.hpp"

#include "client/handshake.hpp"
#include "client/socket.hpp"

namespace tandem::client {

Opened SocketConnector::open(const OpenRequest& request, std::chrono::milliseconds timeout) {
  Deadline deadline(timeout);
  Opened opened;
  opened.stream = connect_socket(address_, deadline);
  Admission admission = shake_hands(*opened.stream, authkey_, request, address_.to_string(), deadline);
  opened.welcome = admission.welcome;
  opened.incarnation = admission.incarnation;
  return opened;
}

}  // namespace tandem::client
