#pragma once
// The folder of a journal: which files it has, and what they are called. For the user alone (0700, files 0600).
//
//   store                           magic:8 = "TNDMSTOR" format:u32 id:16 checksum:u64 (of the bytes before);
//                                   called store.part until everything else of a new journal is there
//   journal-<index:20 digits>.db    a generation: see generation.hpp; named by the index of its first input
//   journal-<index:20 digits>.db-wal
//   tail                            see witness.hpp
//   suspect                         empty; there if an I/O error ended the last use
//   lock                            empty; see folder_lock.hpp
//
// Integers are little-endian. Other files belong to others. Functions throw StorageError.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/journal/folder_lock.hpp"

namespace tandem::server {

/// Random; the same for the life of a journal.
using StoreId = std::array<std::uint8_t, 16>;

/// The version of all these files.
inline constexpr std::uint32_t store_format = 1;

class StoreFolder {
 public:
  /// Locks the folder. `create`: creates it if it does not exist.
  StoreFolder(const std::string& path, bool create);

  /// The absolute path.
  const std::string& path() const { return path_; }
  std::string witness_path() const { return path_ + "/tail"; }
  std::string generation_path(std::uint64_t first_index) const;

  // ---- the store --------------------------------------------------------------------------------------------

  /// Returns false if there is no journal, or one whose creation did not end.
  bool has_store() const;
  /// Returns the id of a new store, after removing what the creation of another one has left behind.
  StoreId begin_store() const;
  /// To be called when everything else is there and durable.
  void finish_store() const;
  StoreId read_store() const;
  /// Replaces a damaged one.
  void write_store(const StoreId& id) const;

  // ---- generations ------------------------------------------------------------------------------------------

  /// Returns the first index of each, ascending.
  std::vector<std::uint64_t> generations() const;
  /// If a crash ends it halfway, nothing is left that looks like a generation without its contents.
  void remove_generation(std::uint64_t first_index) const;
  /// Removes files of generations that were being created or removed when a process ended.
  void remove_leftovers() const;

  // ---- the rest ---------------------------------------------------------------------------------------------

  bool is_suspect() const;
  /// Returns false if that fails.
  bool mark_suspect() const noexcept;
  void clear_suspect() const;
  /// Drops what the kernel has in memory of all files, so that they are read from the disk: after an I/O error it
  /// may differ from the disk and never be written. None of the files may be open.
  void drop_cached() const;
  /// Returns the size of all files.
  std::uint64_t bytes() const;
  /// Returns what the file system has left for this user.
  std::uint64_t free_bytes() const;

 private:
  void write_part(const StoreId& id) const;
  std::string file(const char* name) const { return path_ + "/" + name; }

  std::string path_;
  FolderLock lock_;
};

}  // namespace tandem::server
