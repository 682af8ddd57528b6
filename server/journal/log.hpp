#pragma once
// Where a journal is kept: batches of logged inputs, in order. One process has it open at a time.

#include <cstdint>
#include <functional>
#include <optional>

#include "tandem/wire/buffer.hpp"

namespace tandem::server {

/// What is committed together. Inputs are numbered 1, 2, 3, … for the life of the journal: that number is the input's
/// index.
struct Batch {
  std::uint64_t number = 0;     // 1, 2, 3, …
  std::uint64_t first = 0;      // index of its first input
  std::uint64_t last = 0;       // of its last one; first - 1: it has no inputs
  std::uint64_t engine_us = 0;  // what the engine took for them
  wire::Bytes body;             // its records (record.hpp)
};

/// About what a batch takes in the log.
constexpr std::uint64_t log_bytes_of(std::size_t body_bytes) {
  constexpr std::uint64_t page_bytes = 1'024;
  return (body_bytes / page_bytes + 1) * page_bytes;
}

/// A place in the journal: behind a batch.
struct LogPosition {
  std::uint64_t batch = 0;
  std::uint64_t index = 0;
  /// Over all batches up to here: of two journals with the same chain at the same batch everything before is the same.
  std::uint64_t chain = 0;
  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

enum class AppendStatus : std::uint8_t {
  ok,
  full,    // no room: nothing was written, and the same batch may be appended again
  broken,  // an I/O error: what is on the disk is not known, and nothing more may be appended
};

/// Makes what was appended up to `position` durable.
struct SyncApart {
  LogPosition position;
  /// Blocks for as long as that takes; returns whether it succeeded. On any thread, while the log is used.
  std::function<bool()> run;
};

/// Used by one thread at a time. Errors other than those of append() are thrown: JournalError, and JournalDamaged if
/// what is there cannot be what was written.
class Log {
 public:
  virtual ~Log() = default;

  /// Appends the batch that follows the last one. It survives the end of this process; with `sync`, it and all
  /// before it survive a power failure too. Blocks for as long as that takes.
  virtual AppendStatus append(const Batch& batch, bool sync) = 0;
  /// For a sync that does not keep others from appending. None: that cannot be; append() with `sync` does it.
  virtual std::optional<SyncApart> begin_sync() { return std::nullopt; }
  /// It was run. After one that failed nothing more may be appended.
  virtual void end_sync(const SyncApart& /*sync*/, bool /*succeeded*/) {}
  /// Of the last append() that was not ok, for people.
  virtual const std::string& failure() const = 0;
  /// Passes on the batches from number `from` (or the first that there is) in order, until `sink` returns false.
  /// `batch.body` is valid during the call only.
  virtual void read(std::uint64_t from, const std::function<bool(const Batch&)>& sink) = 0;
  /// Behind the last batch.
  virtual LogPosition tail() const = 0;
  /// Before batch `batch`, which is there or follows the last one.
  virtual LogPosition position_before(std::uint64_t batch) = 0;
  /// The first batch that there is; that behind the last if there is none.
  virtual std::uint64_t first_batch() const = 0;
  /// Further batches go into a new file, so that those before can be trimmed.
  virtual AppendStatus rotate() = 0;
  /// Forgets the first file if all its batches are before this number. Returns whether it was so.
  virtual bool trim_one(std::uint64_t before) = 0;
  /// Bytes that the journal occupies, and that its file system has left.
  virtual std::uint64_t bytes() const = 0;
  virtual std::uint64_t free_bytes() const = 0;
};

}  // namespace tandem::server
