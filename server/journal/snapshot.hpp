#pragma once
// The engine's state in a file, so that a start need not replay everything from the beginning.
//
//   snapshot  magic:8 = "TNDMSNAP" format:u32 semantics:u32 store:16 batch:u64 index:u64 chain:u64 start:u64 now_ns:u64
//             level:u8 checksum:u64 (of the bytes before)                                       89 bytes
//   frame     size:u32 payload checksum:u64 (of the payload, seeded with the frame's number)    up to 1 MiB and a value each
//   end       0:u32 frames:u64 checksum:u64 (of the 12 bytes before)
//
// Integers are little-endian. The frames together are what Engine::save() writes. A file without its end is none.

#include <optional>
#include <string>

#include "server/engine/engine.hpp"
#include "server/journal/files.hpp"
#include "server/journal/log.hpp"
#include "server/journal/store_folder.hpp"
#include "tandem/journal_level.hpp"

namespace tandem::server {

/// Which state it is.
struct SnapshotHeader {
  StoreId store{};
  LogPosition position;  // behind the batch that led to it
  std::uint64_t start = 0;
  std::uint64_t now_ns = 0;
  std::uint32_t semantics = 0;
  JournalLevel level = JournalLevel::disk;  // of the last start
};

/// Writes and syncs the file, for this user alone. The engine must have nothing left to free. In a forked child, this
/// needs nothing but memory and the file system. Throws StorageError.
void write_snapshot(const std::string& path, const SnapshotHeader& header, const Engine& engine);

class SnapshotReader {
 public:
  /// Reads the header and checks that the whole file is as it was written. Throws StorageError, `damaged` if it is not.
  explicit SnapshotReader(const std::string& path);
  const SnapshotHeader& header() const { return header_; }
  std::uint64_t bytes() const { return bytes_; }
  /// Hands out the frames, once. The reader must outlive it.
  StateReader::Source source();

 private:
  wire::Bytes next_frame();
  void read_header();
  wire::Bytes read(std::size_t bytes);
  [[noreturn]] void damaged(const std::string& what) const;

  const std::string path_;
  os::Descriptor file_;
  SnapshotHeader header_;
  std::uint64_t bytes_ = 0;  // read so far
  std::uint64_t frames_ = 0;
  bool is_at_end_ = false;
  wire::Buffer buffer_;
};

}  // namespace tandem::server
