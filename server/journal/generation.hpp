#pragma once
// One file of the log: an SQLite database with its write-ahead log (WAL). The database itself is written once,
// when it is created, and contains nothing but its description; all batches are in the WAL, which is never
// checkpointed: each byte is written once, and no sync takes long.
//
//   meta  name, value   store: blob of 16; format; first_index, first_batch: of what comes first; chain: over
//                       the batches of all generations before; checksum: over these, see checksum_of()
//   log   a batch is one transaction, whose rows have all columns but `row` and `body` in common. Its body is
//         cut into rows of row_bytes_max bytes; a shorter row, which may be empty, is its last. Rows are
//         numbered 1, 2, 3, …
//
// SQLite's integers are signed: numbers are stored as the same 64 bits. Functions throw StorageError, `damaged`
// if what is there cannot be what was written.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/journal/log.hpp"
#include "server/journal/sqlite.hpp"
#include "server/journal/store_folder.hpp"

namespace tandem::server {

inline constexpr std::size_t row_bytes_max = std::size_t{1} << 20;

/// The chain at a batch, given the one before it. It covers everything in the batch.
std::uint64_t next_chain(std::uint64_t before, const Batch& batch);

class Generation {
 public:
  /// Where a generation belongs.
  struct Origin {
    StoreId store{};
    LogPosition before;  // it continues from here
  };
  enum class Access : std::uint8_t { append, read };
  /// Returns false to stop.
  using Sink = std::function<bool(const Batch&, const LogPosition& behind)>;

  /// Creates an empty one, under a temporary name until it is complete. It is durable on return. If there is no
  /// room, nothing is left of it. `folder` is the file's.
  static void create(const std::string& file, const std::string& folder, const Origin& origin,
                     const char* vfs);
  /// Reads the database without its WAL. To be called before a Generation is made: SQLite takes an empty file
  /// for a new database, and removes its WAL.
  static Origin origin_of(const std::string& file, const char* vfs);

  /// `before`: as its origin has it. With Access::read, no file is created or changed.
  Generation(const std::string& file, const LogPosition& before, Access access, const char* vfs);
  ~Generation();

  /// Syncs take half the time if the file has room ahead, of so many bytes; 0: none is made.
  void make_room_ahead(std::uint64_t bytes) { room_ahead_bytes_ = bytes; }
  /// Appends the batch that follows the last one. After an error, roll_back() must be called.
  void append(const Batch& batch, std::uint64_t chain, bool sync);
  /// Returns false if what is appended next would not follow what is there.
  bool roll_back() noexcept;
  /// Makes durable what was appended without sync. Must not be called again after it failed.
  void sync();

  /// Passes on the batches from number `from` on, each verified. Returns the position behind the last one that
  /// was read, or behind the last one of all if there is none.
  LogPosition read(std::uint64_t from, const Sink& sink);
  /// Returns the position behind the last batch, which is verified.
  LogPosition tail();
  /// Returns the position before batch `batch`, or behind the last one if there is no such batch.
  LogPosition position_before(std::uint64_t batch);
  /// Removes that batch and all behind it, which is durable on return.
  void cut(std::uint64_t batch);

 private:
  class Reader;

  void set_synchronous(bool full);
  void insert_rows(const Batch& batch, std::uint64_t chain);
  std::uint64_t last_row();
  std::uint64_t batch_of(std::uint64_t row);
  std::uint64_t first_row_from(std::uint64_t batch);
  LogPosition position_before_row(std::uint64_t row);
  [[noreturn]] void damaged(const std::string& what) const;

  const LogPosition before_;
  std::unique_ptr<Database> database_;
  std::optional<bool> is_synchronous_;
  std::uint64_t rows_ = 0;
  std::uint64_t room_ahead_bytes_ = 0;

  struct Statements;
  std::unique_ptr<Statements> statements_;
};

}  // namespace tandem::server
