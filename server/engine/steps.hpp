#pragma once
// Several operations in one step of the engine: a batch, a transaction's commit, or its trial.

#include "server/engine/call_context.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem::server {

/// What the manager's `run` does (ops/manager.hpp has its operands). Writes the result into the turn's reply. Fails only
/// where nothing is left of the steps: they cannot be read, or all have been undone.
Result<void> run_steps(CallContext& context, ItemsView steps, ops::RunMode mode);

}  // namespace tandem::server
