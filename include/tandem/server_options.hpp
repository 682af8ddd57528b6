#pragma once
// How a manager runs: the flags of tandemd as a structure.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/hosted/type.hpp"
#include "tandem/journal_level.hpp"
#include "tandem/limits.hpp"

namespace tandem {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };

/// What happens to a wait without a time limit that closes a cycle of lock owners waiting for each other.
enum class OnDeadlock : std::uint8_t {
  raise,   // it is refused: DeadlockError
  report,  // it is logged and listed, and continues
};

struct ServerOptions {
  /// Addresses (address.hpp) to listen on; if empty, only connect() reaches the manager. A unix socket gets
  /// mode 0600; a stale one is replaced.
  std::vector<std::string> listen{};
  /// Key that clients must have too, or a file that contains it. Without a key, only this user and root may
  /// connect, and only over unix sockets. Trailing line ends of the file are ignored; a warning is logged if
  /// other users can read it.
  std::string authkey{};
  std::string authkey_file{};
  /// Allows TCP on addresses that other machines can reach, although nothing is encrypted.
  bool insecure_tcp = false;
  Limits limits{};
  /// Your own hosted types (hosted.hpp), in addition to tandem's.
  std::vector<HostedType> types{};
  /// Address of the debug endpoint (HTTP, JSON), as host:port; empty: none. On addresses that other machines
  /// can reach it requires a token, which requests carry as `Authorization: Bearer TOKEN`. It may come from a
  /// file, like the authkey.
  std::string debug{};
  std::string debug_token{};
  std::string debug_token_file{};
  /// How long the manager busy-waits for the next request, as long as that has paid off lately and nobody else wants
  /// the processors.
  std::chrono::microseconds busy_poll{50};
  /// Offers clients on a unix socket to continue through shared memory: ring_bytes (limits.hpp) each way, of
  /// which a channel occupies as much as it has used at once.
  bool ring = true;
  OnDeadlock on_deadlock = OnDeadlock::raise;
  /// Folder in which everything is kept that is hosted, so that it is there again at the next start; made if it is not there,
  /// for this user only. One manager uses it at a time. Empty: nothing is kept. All hosted types of your own need
  /// save() and load() then. If the journal can no longer be written, the process ends with status 74, after a log line
  /// that says why: what was not acknowledged may then be lost, and nothing else.
  std::string journal{};
  JournalLevel journal_level = JournalLevel::disk;
  /// Starts although the end of the journal is missing or damaged, without what is lost by that.
  bool journal_accept_loss = false;
  /// Called while a journal is being recovered, by the constructor of Server: at the beginning, and then about once a second,
  /// with how much of it is done.
  std::function<void(unsigned percent)> on_recovery{};
  LogLevel log_level = LogLevel::warning;
  /// Receives log lines, one at a time, on a thread for this purpose; if empty, they go to standard error. The
  /// manager does not wait for it: of lines that are not taken in time, some are dropped, and a line says how
  /// many. What clients caused over and over is logged a few times a minute and then counted. What others chose
  /// (names of objects) is escaped. ~Server returns after the last call has returned.
  std::function<void(LogLevel, std::string_view line)> log{};
};

}  // namespace tandem
