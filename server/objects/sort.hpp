#pragma once
// Python's list.sort(): stable, also when descending, and never out of bounds when the order is inconsistent
// (NaN).

#include "server/engine/call_context.hpp"
#include "server/structures/sequence.hpp"

namespace tandem::server {

/// Returns the positions of the items in sorted order, for Sequence::arrange(); type_error if two items
/// cannot be compared, resource_exhausted if they are too many for one step.
Result<std::vector<std::uint32_t>> sorted_order(CallContext& context, const Sequence& items, bool descending);

}  // namespace tandem::server
