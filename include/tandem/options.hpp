#pragma once
// What a client may choose.

#include <chrono>
#include <string>

namespace tandem {

/// How to reach a manager. Time limits of zero mean none.
struct Options {
  // Shared with the manager; any bytes. It is never sent.
  std::string authkey{};
  // Or the file that holds it, as given to tandemd: line ends behind it do not count.
  std::string authkey_file{};
  std::chrono::milliseconds connect_timeout{5000};  // for each channel, its handshake included
  std::chrono::milliseconds call_timeout{0};        // for each operation
  std::chrono::milliseconds start_timeout{10000};   // for a private manager to become ready
  // How long a call may wait for its answer without sleeping. Quicker by far where answers come soon; a call stops
  // doing so by itself where they do not. Zero saves processor time at the cost of speed.
  std::chrono::microseconds busy_poll{50};
  // Through shared memory instead of a unix socket, where the manager offers that: several times quicker.
  bool ring = true;
};

}  // namespace tandem
