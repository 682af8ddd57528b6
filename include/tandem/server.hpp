#pragma once
// A manager inside your own process: what tandemd is, as an object. Link tandem::server.
//
//   tandem::Server server({.listen = {"unix:/run/user/1000/scores"}});
//   server.start();
//   auto scores = server.connect().dict<std::string, int>("scores");   // without a socket
//
// Other processes attach to its addresses as to any manager.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/hosted/type.hpp"
#include "tandem/limits.hpp"
#include "tandem/manager.hpp"

namespace tandem {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };

/// What becomes of a wait without a time limit that closes a circle of lock owners who wait for each other.
enum class OnDeadlock : std::uint8_t {
  raise,   // it is refused: DeadlockError
  report,  // it is logged and listed, and goes on
};

struct ServerOptions {
  /// Addresses (address.hpp) to listen on; none: only connect() reaches the manager. A unix socket gets mode 0600, a
  /// stale one is taken over.
  std::vector<std::string> listen{};
  /// What clients must hold too, or a file that has it. Without one, only this user and root may connect, and only
  /// over unix sockets. Of a file, line ends at its end do not count; one that other users can read is warned about.
  std::string authkey{};
  std::string authkey_file{};
  /// Allows TCP on addresses that other machines can reach, though nothing is encrypted.
  bool insecure_tcp = false;
  Limits limits{};
  /// Hosted types of your own (hosted.hpp), beside tandem's.
  std::vector<HostedType> types{};
  /// Address of the debug endpoint (HTTP, JSON), as host:port; empty: none. On addresses that other machines can reach
  /// it needs a token, which requests carry as `Authorization: Bearer TOKEN`; or a file that has it, as an authkey's.
  std::string debug{};
  std::string debug_token{};
  std::string debug_token_file{};
  /// How long the manager looks for the next request without sleeping, as long as that has been paying lately.
  std::chrono::microseconds busy_poll{50};
  /// Offers clients that come by a unix socket to go on through shared memory: ring_bytes (limits.hpp) each way, of
  /// which a channel takes as much as it has used at once.
  bool ring = true;
  OnDeadlock on_deadlock = OnDeadlock::raise;
  LogLevel log_level = LogLevel::warning;
  /// Where log lines go, called on the manager's threads; empty: to standard error.
  std::function<void(LogLevel, std::string_view line)> log{};
};

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
  /// Throws what Manager's constructors throw.
  Manager connect(const Options& options = {});

  /// Where it listens, with the real ports.
  const std::vector<std::string>& addresses() const;
  /// The debug endpoint's, with the real port, as http://host:port; empty if there is none.
  const std::string& debug_address() const;

 private:
  struct Parts;
  std::shared_ptr<Parts> parts_;
};

}  // namespace tandem
