#pragma once
// What operations mean, as a number: a manager replays a journal only if it gives every input in it the meaning that it
// had.

#include "tandem/cxx20.hpp"

#include <cstdint>

namespace tandem::ops {

/// Raised by any change of what an input did or was answered before, texts of errors included. New operations alone do
/// not raise it.
inline constexpr std::uint32_t semantics = 1;

}  // namespace tandem::ops
