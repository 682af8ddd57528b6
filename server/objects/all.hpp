#pragma once
// Every hosted type, listed by hand.

#include <span>

#include "server/engine/object.hpp"

namespace tandem::server {

/// The manager's first, as Engine wants them.
std::span<const Type* const> hosted_types();

}  // namespace tandem::server
