#pragma once
// tandemd's command line and config file.

#include <optional>
#include <string>

#include "tandem/server_options.hpp"

namespace tandem::server {

struct ProgramOptions {
  ServerOptions server;
  /// Set if a client started this process as its private manager: the socket to it (see private_mode.hpp).
  std::optional<int> private_descriptor;
};

/// Reads flags and the config file they name. Returns an exit status if the program is to end: after --help,
/// --version, or an error that was printed.
std::optional<int> read_options(int argc, char** argv, ProgramOptions& options);

/// Where tandemd listens without --listen: tandem.sock in $XDG_RUNTIME_DIR or else in /tmp/tandem-UID, which
/// is created, accessible to this user only. Throws ConnectionError if that folder cannot be created or is
/// not this user's alone.
std::string default_address();

}  // namespace tandem::server
