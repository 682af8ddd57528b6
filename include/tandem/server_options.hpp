#pragma once
// How a manager runs: what tandemd's flags say, as a structure.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/hosted/type.hpp"
#include "tandem/limits.hpp"

namespace tandem {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };

/// What becomes of a wait without a time limit that closes a cycle of lock owners who wait for each other.
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

}  // namespace tandem
