#pragma once
// Every hosted type, listed by hand.

#include <span>

#include "server/engine/object.hpp"

namespace tandem::server {

/// Returns all types, the manager's first, as Engine requires.
std::span<const Type* const> hosted_types();

}  // namespace tandem::server
