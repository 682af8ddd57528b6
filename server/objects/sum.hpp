#pragma once
// Sums that are computed in the manager.

#include <optional>
#include <string_view>

#include "server/engine/call_context.hpp"
#include "server/values/semantics.hpp"

namespace tandem::server {

/// Returns `before + delta`, or `delta` without a `before`, which may be in `out`. With a type code it is of
/// that type: type_error if the sum is of another kind, overflow if it is out of range.
Result<ValueView> sum_of(const CallContext& context, std::optional<ValueView> before, ValueView delta,
                         std::optional<std::string_view> typecode, wire::Buffer& out);

/// The failure of a sum, which says at which key.
inline Failure failure_at(ValueView key, Failure failure) {
  failure.text += ", at key " + describe(key);
  return failure;
}

}  // namespace tandem::server
