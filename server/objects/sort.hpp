#pragma once
// Python's list.sort(): stable, also when descending, and never reading outside where the order makes no sense (NaN).

#include "server/structures/sequence.hpp"

namespace tandem::server {

/// Which item comes where, as Sequence::arrange() takes it; type_error where two items have no order.
Result<std::vector<std::uint32_t>> sorted_order(const Sequence& items, bool descending);

}  // namespace tandem::server
