#pragma once

#include <string>

namespace tandem::client {

/// Where tandemd listens when no flag says so: tandem.sock in $XDG_RUNTIME_DIR or else in /tmp/tandem-UID.
/// Throws ConnectionError when there is no such folder, or when somebody else may have put it there.
std::string default_address();

}  // namespace tandem::client
