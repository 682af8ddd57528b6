#pragma once
// How far a journal was once synced, kept apart from it: SQLite drops all that follows a damaged part of its
// log without an error, and only the witness shows that something was there.
//
//   tail: slot slot          written in turn, so a torn write leaves the other one; the later one counts
//   slot: index:u64 chain:u64 batch:u64 checksum:u64 (of the 24 bytes before, seeded with the store's id)
//
// Integers are little-endian.

#include <array>
#include <optional>
#include <string>

#include "client/os/descriptor.hpp"
#include "server/journal/log.hpp"
#include "server/journal/store_folder.hpp"

namespace tandem::server {

class Witness {
 public:
  /// Creates or replaces the file, which is durable on return. Throws StorageError.
  static void create(const StoreFolder& folder, const StoreId& store, const LogPosition& position);
  /// Throws StorageError: `damaged` if the file is missing or none of its slots is good.
  Witness(const StoreFolder& folder, const StoreId& store);

  const LogPosition& position() const { return position_; }
  /// `position`: of what is synced. The write itself is not synced: a power failure may bring back the position
  /// before. Returns whether it succeeded; a write that fails leaves the position before.
  bool write(const LogPosition& position);

 private:
  static constexpr std::size_t slots = 2;

  std::uint64_t seed_;
  os::Descriptor file_;
  LogPosition position_;
  std::size_t next_slot_ = 0;
};

}  // namespace tandem::server
