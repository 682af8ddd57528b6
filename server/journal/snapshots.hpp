#pragma once
// The snapshots in a journal's folder: snapshot-<batch:20 digits>.tds, named by the batch that led to the state. Two are kept:
// should the newest be damaged, the one before it and the log behind that lead to the same state.

#include <string>
#include <vector>

#include "server/journal/recovery.hpp"
#include "server/journal/snapshot.hpp"

namespace tandem::server {

class Snapshots {
 public:
  explicit Snapshots(std::string folder) : folder_(std::move(folder)) {}

  /// The batches of those that are there, newest first.
  std::vector<std::uint64_t> batches() const;
  /// Where one is written, before it counts.
  std::string part_path(std::uint64_t batch) const { return path(batch) + ".part"; }
  std::string path(std::uint64_t batch) const;
  /// From now on it counts. What is in the log before the batch that is returned is no longer needed: number of the first that
  /// is, for the newest two. Throws StorageError.
  std::uint64_t keep(std::uint64_t batch) const;
  /// Removes a part of those but the newest two: a large file takes tenths of a second. Returns whether there is more.
  /// Throws StorageError.
  bool remove_some_old() const;
  /// Sets a damaged one aside, so that it does not count.
  void set_aside(std::uint64_t batch) const;
  /// Removes what was being written when a process ended.
  void remove_parts() const;

  /// Brings a new engine into the state of the newest snapshot that is as it was written, and then takes in what the log has
  /// behind it; everything if there is none. Throws JournalDamaged if there is no snapshot and the log does not go back to its
  /// beginning, JournalError, and what recover() throws. `why_not` is called for snapshots that are not used.
  Recovered recover_newest(
      Log& log, const StoreId& store, Engine& engine, const RecordVisitor& visit,
      const std::function<void(std::uint64_t batch, const std::string& why)>& why_not) const;

 private:
  Recovered load(std::uint64_t batch, Log& log, const StoreId& store, Engine& engine) const;

  std::string folder_;
};

}  // namespace tandem::server
