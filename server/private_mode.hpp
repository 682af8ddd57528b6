#pragma once
// A manager that one client starts for itself and its workers. They speak over a socket pair:
//
//   client → manager   32 bytes      the authkey, random; so it stands in no file, argument or environment
//   manager → client   "ready unix:@NAME\n"     where it listens; or "error TEXT\n", and it ends
//   client → manager   "stop\n"      end at once
//
// Afterwards the pair is the manager's lifeline. When the client closes its end without a word, or its process is gone
// (a worker forked from it may still hold a copy of the descriptor), other clients get a moment to finish.

#include "tandem/server.hpp"

namespace tandem::server {

/// Runs such a manager to its end and gives the program's exit status. `descriptor`: our end of the pair.
int run_private(ServerOptions options, int descriptor);

}  // namespace tandem::server
