#pragma once

#include <string>

namespace tandem::client {

/// Returns the address at which tandemd listens by default: tandem.sock in $XDG_RUNTIME_DIR or else in
/// /tmp/tandem-UID. Throws ConnectionError if the folder in /tmp does not exist or does not belong to this
/// user alone.
std::string default_address();

}  // namespace tandem::client
