#pragma once
// Options of a client.

#include "tandem/cxx20.hpp"

#include <chrono>
#include <string>

#include "tandem/journal_level.hpp"

namespace tandem {

/// How to reach a manager. A time limit of zero means no limit. The defaults leave room for a machine that stalls: a
/// manager that has ended is noticed at once.
struct Options {
  // Secret shared with the manager; any bytes. It is never sent. Without one, only a manager of this user or of
  // root is trusted, on a unix socket.
  std::string authkey{};
  // Or the file that contains it, as given to tandemd; trailing line ends are ignored.
  std::string authkey_file{};
  std::chrono::milliseconds connect_timeout{30000};  // for each channel, its handshake included
  // For each operation; zero: none. The time that an operation may wait in the manager is not part of it: a wait
  // with a limit may take as much longer, one without a limit is not ended by call_timeout. One that waits ends
  // the session (SessionLost), since it may be granted later what nobody would give back.
  std::chrono::milliseconds call_timeout{0};
  // How long a call goes on when its connection has broken, until the manager can be reached again: if that keeps a journal,
  // it may have been started again meanwhile, and over TCP it may just have been the network. Every operation is carried out
  // once all the same, and what this process owns stays its own. Zero: calls fail with ConnectionError at once.
  std::chrono::milliseconds reconnect{10000};
  std::chrono::milliseconds start_timeout{60000};  // for a private manager to become ready
  // For a private manager: the folder in which it keeps everything that is hosted, so that the program's next run finds it
  // there; empty: nothing is kept. See ServerOptions::journal.
  std::string journal{};
  JournalLevel journal_level = JournalLevel::disk;
  // How long a call may busy-wait for its reply. Much faster if replies arrive soon; a call stops
  // busy-waiting if they do not, or if others want the processors. Zero saves processor time at the cost of speed.
  std::chrono::microseconds busy_poll{50};
  // Use shared memory instead of a unix socket if the manager offers it: several times faster.
  bool ring = true;
};

}  // namespace tandem
