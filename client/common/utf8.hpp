#pragma once
// Text is UTF-8 wherever it goes: to a manager, which checks it itself, and between processes.

#include "tandem/wire/msgpack.hpp"

namespace tandem::client {

/// Checks zero or more encoded values that no manager sees. Throws ValueError, as a manager would, if they
/// contain a text that is not UTF-8.
void check_texts(wire::Bytes values);

}  // namespace tandem::client
