#include "server/journal/snapshots.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>

#include "tandem/error.hpp"

namespace tandem::server {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view snapshot_prefix = "snapshot-";
constexpr std::string_view snapshot_suffix = ".tds";
constexpr std::size_t snapshot_digits = 20;
constexpr std::size_t snapshots_kept = 2;
constexpr std::uint64_t removed_at_once = std::uint64_t{64} << 20;

/// The batch that a snapshot's file is named by; none if it is no snapshot.
std::optional<std::uint64_t> batch_in(const std::string& name) {
  if (name.size() != snapshot_prefix.size() + snapshot_digits + snapshot_suffix.size() ||
      !name.starts_with(snapshot_prefix) || !name.ends_with(snapshot_suffix))
    return std::nullopt;
  std::uint64_t batch = 0;
  const char* begin = name.data() + snapshot_prefix.size();
  const auto [end, error] = std::from_chars(begin, begin + snapshot_digits, batch);
  if (error != std::errc() || end != begin + snapshot_digits) return std::nullopt;
  return batch;
}

}  // namespace

std::string Snapshots::path(std::uint64_t batch) const {
  const std::string number = std::to_string(batch);
  return folder_ + "/" + std::string(snapshot_prefix) + std::string(snapshot_digits - number.size(), '0') +
         number + std::string(snapshot_suffix);
}

std::vector<std::uint64_t> Snapshots::batches() const {
  std::vector<std::uint64_t> all;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_))
    if (const auto batch = batch_in(entry.path().filename().string())) all.push_back(*batch);
  std::sort(all.rbegin(), all.rend());
  return all;
}

std::uint64_t Snapshots::keep(std::uint64_t batch) const {
  rename_file(part_path(batch), path(batch));
  sync_folder(folder_);
  const std::vector<std::uint64_t> all = batches();
  return all.size() < snapshots_kept ? 1 : all[snapshots_kept - 1] + 1;
}

bool Snapshots::remove_some_old() const {
  const std::vector<std::uint64_t> all = batches();
  if (all.size() <= snapshots_kept) return false;
  const std::string oldest = path(all.back());
  if (!shorten_file(oldest, removed_at_once)) remove_file(oldest);
  return true;
}

void Snapshots::set_aside(std::uint64_t batch) const {
  rename_file(path(batch), path(batch) + ".damaged");
  sync_folder(folder_);
}

void Snapshots::remove_parts() const {
  std::vector<fs::path> parts;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_))
    if (entry.path().extension() == ".part" && batch_in(entry.path().stem().string()))
      parts.push_back(entry.path());
  for (const fs::path& part : parts) remove_file(part);
}

// ---- recovery ---------------------------------------------------------------------------------------------

Recovered Snapshots::load(std::uint64_t batch, Log& log, const StoreId& store, Engine& engine) const {
  using Kind = StorageError::Kind;
  const auto since = std::chrono::steady_clock::now();
  SnapshotReader reader(path(batch));
  const SnapshotHeader& header = reader.header();
  if (header.store != store)
    throw StorageError(Kind::damaged, path(batch) + ": it belongs to another journal");
  if (header.position.batch > log.tail().batch)
    throw StorageError(Kind::damaged, path(batch) + ": the log ends before it");
  if (log.position_before(header.position.batch + 1) != header.position)
    throw StorageError(Kind::damaged, path(batch) + ": it does not belong to what is in the log");
  // From here on the file is right: what fails is not mended by another one.
  if (Result<void> loaded = engine.load(reader.source()); !loaded)
    throw JournalError(path(batch) + ": " + loaded.failure().text);
  Recovered recovered;
  recovered.index = header.position.index;
  recovered.now_ns = header.now_ns;
  recovered.start = header.start;
  recovered.semantics = header.semantics;
  recovered.level = header.level;
  recovered.stopped_in_order = false;
  recovered.snapshot_batch = header.position.batch;
  recovered.snapshot_bytes = reader.bytes();
  recovered.load_us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - since)
          .count());
  return recovered;
}

Recovered Snapshots::recover_newest(
    Log& log, const StoreId& store, Engine& engine, const RecordVisitor& visit,
    const std::function<void(std::uint64_t, const std::string&)>& why_not) const {
  std::string damaged;
  for (const std::uint64_t batch : batches()) {
    try {
      return recover(log, engine, load(batch, log, store, engine), visit);
    } catch (const StorageError& error) {
      // One that another version can read is not to be set aside.
      if (error.kind() != StorageError::Kind::damaged) throw JournalError(error.what());
      why_not(batch, error.what());
      damaged = error.what();
    }
  }
  if (log.first_batch() != 1)
    throw JournalDamaged("no snapshot can be used, and what the log had before batch " +
                         std::to_string(log.first_batch()) +
                         " was removed: " + (damaged.empty() ? folder_ + " has none" : damaged));
  return recover(log, engine, Recovered(), visit);
}

}  // namespace tandem::server
