#pragma once
// A manager inside your own process: what tandemd is, as an object. Link tandem::server.
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

/// Safe to use from many threads at once. After a fork, only the parent has the manager; the child's copy does nothing.
class Server {
 public:
  /// Listens; clients that connect wait until start() or run(). Throws ValueError (options; two hosted types of one number
  /// or name), ConnectionError (an address cannot be listened on).
  explicit Server(ServerOptions options);
  /// stop().
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Runs the manager on a thread of its own. Once.
  void start();
  /// Runs the manager on the calling thread until stop(). Once, and instead of start().
  void run();
  /// Accepts no more clients, answers the requests that are here, tells clients that the manager is stopping, and
  /// waits until they have taken all that, at most for `limit`. Afterwards nothing is hosted any more. May be called
  /// again. Not from the log function, nor from a handler of a hosted type.
  void stop(std::chrono::milliseconds limit = std::chrono::seconds(2));
  /// stop(limit), once no client is connected or `unused_limit` is over.
  void stop_when_unused(std::chrono::milliseconds unused_limit,
                        std::chrono::milliseconds limit = std::chrono::seconds(2));

  /// A client of this manager in this process, without a socket. A forked child cannot use it: its manager is in the
  /// parent's threads. To be called while the manager runs, else it waits for that; `options` need no authkey.
  /// Throws what Manager's constructors throw. Its users include manager.hpp, or tandem.hpp.
  Manager connect(const Options& options = {});

  /// Where it listens, with the real ports.
  const std::vector<std::string>& addresses() const;
  /// The debug endpoint's, with the real port, as http://host:port; empty if there is none.
  const std::string& debug_address() const;

 private:
  struct Parts;
  std::unique_ptr<client::Connector> connector();
  std::shared_ptr<Parts> parts_;
};

}  // namespace tandem
