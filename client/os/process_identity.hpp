#pragma once
// Which process it is: a process id alone is given to another process sooner or later, and in a container it is the same at
// every start.

#include <sys/types.h>

#include <string>

namespace tandem::os {

/// Identifies this run of the machine; empty if the system does not tell.
std::string boot_id();

/// Identifies a process of this machine, over the runs of the machine and for all processes that see its process ids as
/// this one does; empty if there is none, or the system does not tell.
std::string process_identity(pid_t pid);

/// Whether it is certain that the process with this identity has ended.
bool has_ended(const std::string& identity);

}  // namespace tandem::os
