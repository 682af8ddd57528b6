#pragma once
// SQLite's C interface: databases and statements that are closed on destruction, and its errors as
// StorageError.
//
// A program that embeds a manager may use SQLite itself. So nothing here changes the library's configuration,
// and the default file system interface (VFS), which such a program may have replaced, is not used.

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "server/journal/files.hpp"

namespace tandem::server {

/// A WAL is never checkpointed, unless a statement does so.
class Database {
 public:
  /// `file`: an absolute path. `flags`: SQLITE_OPEN_…; used by one thread at a time.
  Database(std::string file, int flags, const char* vfs);
  /// Opens a file to read what it contains without its WAL. No lock is taken: nothing else may change the file.
  static Database immutable(const std::string& file, const char* vfs);
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs statements whose results are not of interest.
  void run(const char* sql);
  /// Makes durable what was written: to the database file, with SQLITE_FCNTL_FILE_POINTER, or to the WAL, with
  /// SQLITE_FCNTL_JOURNAL_POINTER. Must not be called again after it failed.
  void sync(int file);
  /// Fills the WAL with zeros behind what it contains, `ahead_bytes` at a time. A sync of what overwrites them need not make a
  /// longer file durable too, which takes as long again. Does nothing more once there is no room.
  void extend_wal(std::uint64_t ahead_bytes);
  /// For that: the size of its pages.
  void set_page_bytes(std::uint64_t bytes) { page_bytes_ = bytes; }
  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  const std::string& file() const { return file_; }
  sqlite3* get() const { return handle_; }
  /// Throws what the last call on this database reported.
  [[noreturn]] void fail(int code) const;

 private:
  Database(std::string file, const std::string& name, int flags, const char* vfs);
  void configure();
  static int note_commit(void* database, sqlite3* handle, const char* name, int wal_pages);
  sqlite3_file* open_file(int file) const;
  int system_error() const;

  std::string file_;
  sqlite3* handle_ = nullptr;
  std::uint64_t page_bytes_ = 0;
  std::uint64_t wal_bytes_ = 0;  // of what it contains, as of the last commit; 0: there was none
  std::uint64_t wal_end_ = 0;    // of the file, if it was extended
  bool may_extend_wal_ = true;
};

/// Must be destroyed before its database.
class Statement {
 public:
  Statement(const Database& database, std::string_view sql);
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Parameters are numbered from 1, and columns from 0, as in SQLite. A value must stay valid until run() has
  /// returned.
  Statement& bind(int parameter, std::uint64_t value);
  Statement& bind(int parameter, wire::Bytes value);
  Statement& bind(int parameter, std::string_view value);
  /// Returns whether there is another row.
  bool step();
  void reset() { sqlite3_reset(handle_); }
  /// Runs it to its end, ready for the next time.
  void run();

  /// Valid until the next step().
  std::uint64_t integer(int column) const;
  wire::Bytes bytes(int column) const;
  std::string_view text(int column) const { return wire::as_text(bytes(column)); }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) database_.fail(code);
  }

  const Database& database_;
  sqlite3_stmt* handle_ = nullptr;
};

}  // namespace tandem::server
