#pragma once
// Several operations in one engine step: a batch, a transaction's commit, or its trial.

#include "server/engine/call_context.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem::server {

/// Implements the manager's `run` (ops/manager.hpp describes its operands). Writes the result into the
/// context's reply. Fails only if the steps cannot be read or all of them were rolled back.
Result<void> run_steps(CallContext& context, ItemsView steps, ops::RunMode mode);

}  // namespace tandem::server
