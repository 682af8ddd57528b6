#pragma once
// A manager that one client starts for itself and its workers. The two use a socket pair:
//
//   client → manager   32 bytes              the authkey, random; it is in no file, argument or environment
//   manager → client   "ready unix:@NAME\n"  where it listens; or "error TEXT\n", and it exits
//   client → manager   "stop\n"              stop at once
//
// Afterwards the pair is the manager's lifeline. When the client closes its end without "stop", or its
// process has ended (a forked worker may still hold a copy of the descriptor), other clients get a moment to
// finish.

#include "tandem/server.hpp"

namespace tandem::server {

/// Runs such a manager to its end. Returns the program's exit status. `descriptor`: the manager's end of the
/// pair.
int run_private(ServerOptions options, int descriptor);

}  // namespace tandem::server
