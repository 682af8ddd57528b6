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
  std::uint64_t inputs = 0;                 // replayed
  std::uint64_t took_ms = 0;                // for the caller to set
  JournalLevel level = JournalLevel::disk;  // of the last start
  bool stopped_in_order = true;             // so everything that was answered is here
  bool may_lack_its_end = false;            // for the caller to set: it goes on without what is missing
};

/// Called before each record is taken in, with what came before it.
using RecordVisitor = std::function<void(const Record& record, const Recovered& so_far)>;

/// Replays all batches. Every batch must lead to what it led to before. Throws JournalDamaged if not, or if a batch cannot be
/// read; JournalError if this program gives the inputs another meaning, or has no such type.
Recovered recover(
    Log& log, Engine& engine, const RecordVisitor& visit = [](const Record&, const Recovered&) {});

}  // namespace tandem::server
