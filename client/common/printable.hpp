#pragma once
// Text that others chose (names, keys, error texts), made safe for log files and terminals.

#include <string>
#include <string_view>

namespace tandem::client {

/// Returns `text` with everything escaped that could end a line, move a terminal's cursor or reorder what is
/// shown: control characters (C0, DEL, C1), line and paragraph separators and bidirectional formatting as
/// \n, \r, \t or \u009b, bytes that are no UTF-8 as \xff. All else is unchanged, quotes and backslashes too,
/// so that JSON without line ends stays the same JSON.
std::string printable(std::string_view text);
/// The same, but line feeds stay.
std::string printable_lines(std::string_view text);

}  // namespace tandem::client
