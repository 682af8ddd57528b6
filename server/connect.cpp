// The only place where the server library uses the client library as a whole: a Manager for the program that
// contains the server.

#include "client/transport/connector.hpp"
#include "tandem/manager.hpp"
#include "tandem/server.hpp"

namespace tandem {

Manager Server::connect(const Options& options) {
  return Manager(connector(), options);
}

}  // namespace tandem
