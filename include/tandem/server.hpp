#pragma once
// A manager inside your own process: tandemd as an object. Link tandem::server.
//
//   tandem::Server server({.listen = {"unix:/run/user/1000/scores"}});
//   server.start();
//   auto scores = server.connect().dict<std::string, int>("scores");   // without a socket
//
// Other processes attach to its addresses as to any manager.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tandem/options.hpp"
#include "tandem/server_options.hpp"

namespace tandem {

class Manager;  // manager.hpp

namespace client {
class Connector;
}

/// Thread-safe. After a fork, only the parent has the manager: of its sockets and other descriptors the child has
/// none, stop() and the destructor of the child's copy do nothing, and start(), run() and connect() throw.
class Server {
 public:
  /// Listens; clients that connect wait until start() or run(). Throws ValueError (invalid options; two
  /// hosted types with the same number or name), ConnectionError (cannot listen on an address).
  explicit Server(ServerOptions options);
  /// Calls stop().
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Runs the manager on a thread of its own. May be called once.
  void start();
  /// Runs the manager on the calling thread until stop(). May be called once, instead of start().
  void run();
  /// Accepts no more clients, answers the requests received, notifies clients that the manager is stopping,
  /// and waits until they have received all that, at most for `limit`. Afterwards nothing is hosted any more.
  /// May be called again, but not from a handler of a hosted type.
  void stop(std::chrono::milliseconds limit = std::chrono::seconds(2));
  /// Calls stop(limit) once no client is connected or `unused_limit` is over.
  void stop_when_unused(std::chrono::milliseconds unused_limit,
                        std::chrono::milliseconds limit = std::chrono::seconds(2));

  /// Returns a client of this manager in this process, without a socket. A forked child cannot use it: the
  /// manager runs on the parent's threads. If the manager does not run yet, waits until it does. `options`
  /// need no authkey. Throws what Manager's constructors throw. Callers must include manager.hpp or
  /// tandem.hpp.
  Manager connect(const Options& options = {});

  /// The addresses it listens on, with the actual ports.
  const std::vector<std::string>& addresses() const;
  /// The address of the debug endpoint as http://host:port, with the actual port; empty if there is none.
  const std::string& debug_address() const;

 private:
  struct Parts;
  std::unique_ptr<client::Connector> connector();
  std::shared_ptr<Parts> parts_;
};

}  // namespace tandem
