#pragma once
// Authkeys in files, read alike by clients and by tandemd.

#include <string>

namespace tandem::client {

/// The key in a file: its contents without line ends behind them. Throws ValueError naming the file when it cannot be
/// read or holds no key.
std::string read_authkey_file(const std::string& path);

}  // namespace tandem::client
