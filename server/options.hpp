#pragma once
// tandemd's command line and config file.

#include <optional>
#include <string>

#include "tandem/server_options.hpp"

namespace tandem::server {

struct ProgramOptions {
  ServerOptions server;
  /// Started by a client as its private manager, which it tells by this socket (see private_mode.hpp).
  std::optional<int> private_descriptor;
};

/// Reads flags and the config file they name. Gives an exit status instead, when there is nothing more to do:
/// after --help, --version, or an error that was printed.
std::optional<int> read_options(int argc, char** argv, ProgramOptions& options);

/// Where tandemd listens when no flag says so: tandem.sock in $XDG_RUNTIME_DIR or else in /tmp/tandem-UID, which is made,
/// readable by this user only. Throws ConnectionError when that folder is another user's.
std::string default_address();

}  // namespace tandem::server
