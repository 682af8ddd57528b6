#pragma once
// Reading authkey files, the same way in clients and in tandemd.

#include <string>

namespace tandem::client {

/// Returns the key in a file: its contents without trailing line ends. Throws ValueError naming the file if
/// it cannot be read or holds no key.
std::string read_authkey_file(const std::string& path);

}  // namespace tandem::client
