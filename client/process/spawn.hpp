#pragma once
// Starting a process by executing this program again (Process::spawn).
//
// The child's environment states the number of descriptors passed to it, from number 3 on (TANDEM_SPAWNED=4);
// all higher ones are closed. The first is an anonymous file in memory, which contains, as MessagePack,
//
//   array(8): text "tandem spawn 1", name, daemon, parent's name, parent's pid,
//             sessions (client/session/handover.cpp), function id, arguments
//
// The second is the parent's pidfd; the third, for a daemon only, its lifeline; the others belong to sessions
// and arguments.

#include "client/process/process_tree.hpp"
#include "tandem/process.hpp"

namespace tandem::client {

/// Throws ValueError if main() has not called run_spawned(), and what Process::spawn() throws.
void spawn(const ProcessStatePtr& child, const Task& task);

}  // namespace tandem::client
