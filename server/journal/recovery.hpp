#pragma once
// Brings a new engine into the state that a journal leads to.

#include <functional>

#include "server/engine/engine.hpp"
#include "server/journal/log.hpp"
#include "server/journal/record.hpp"
#include "tandem/server_options.hpp"

namespace tandem::server {

/// What a journal has led to.
struct Recovered {
  std::uint64_t index = 0;                  // of the last input
  std::uint64_t now_ns = 0;                 // the engine's time, of the last record
  std::uint64_t start = 0;                  // number of the last start; 0: the journal is empty
  std::uint32_t semantics = 0;              // of the last start
  std::uint64_t inputs = 0;                 // replayed
  std::uint64_t took_ms = 0;                // for the caller to set
  JournalLevel level = JournalLevel::disk;  // of the last start
  bool stopped_in_order = true;             // so everything that was answered is here
  std::uint64_t snapshot_batch = 0;         // where the replay began; 0: from nothing
  std::uint64_t snapshot_bytes = 0;
  std::uint64_t load_us = 0;      // what its loading took
  std::uint64_t log_bytes = 0;    // about, of what was replayed
  std::uint64_t engine_us = 0;    // what the engine took for what was replayed, when it was recorded
  bool may_lack_its_end = false;  // for the caller to set: it goes on without what is missing
};

/// Called before each record is taken in, with what came before it.
using RecordVisitor = std::function<void(const Record& record, const Recovered& so_far)>;

/// Replays all batches behind `from`, which the engine is in. Every batch must lead to what it led to before. Throws JournalDamaged if not, or if a batch cannot be
/// read; JournalError if this program gives the inputs another meaning, or has no such type or operation.
Recovered recover(
    Log& log, Engine& engine, const Recovered& from = {},
    const RecordVisitor& visit = [](const Record&, const Recovered&) {});

}  // namespace tandem::server
