#pragma once
// Starting a process as this program run anew (Process::spawn).
//
// The environment of the child says how many descriptors it was given, from number 3 on (TANDEM_SPAWNED=4); all above them
// are closed. The first is a file in memory, which nobody else can open by a name. In it stands, as MessagePack,
//
//   array(8): text "tandem spawn 1", name, daemon, parent's name, parent's pid,
//             sessions (client/session/handover.cpp), function id, arguments
//
// The second is the parent's pidfd; the third, a daemon's, its lifeline; the others belong to sessions and arguments.

#include "client/process/process_tree.hpp"
#include "tandem/process.hpp"

namespace tandem::client {

/// Throws ValueError when main() has not called run_spawned(); what Process::spawn() throws.
void spawn(const ProcessStatePtr& child, const Task& task);

}  // namespace tandem::client
