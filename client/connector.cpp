#include "client/connector.hpp"

#include "client/handshake.hpp"
#include "client/socket.hpp"

namespace tandem::client {

Opened SocketConnector::open(const OpenRequest& request, std::chrono::milliseconds timeout) {
  Deadline deadline(timeout);
  Opened opened;
  opened.stream = connect_socket(address_, deadline);
  opened.welcome = shake_hands(*opened.stream, authkey_, request, address_.to_string(), deadline);
  return opened;
}

}  // namespace tandem::client
