#include "server/journal/sqlite.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <vector>

#include "client/os/signals.hpp"

namespace tandem::server {
namespace {

// Of SQLite's WAL format.
constexpr std::uint64_t wal_header_bytes = 32;
constexpr std::uint64_t wal_frame_header_bytes = 24;
constexpr std::uint64_t zeros_bytes_max = 64 * 1024;  // written at once; SQLite writes less than 128 KiB

using Kind = StorageError::Kind;

/// `system_error`: the errno behind it, if it is known.
Kind kind_of(int code, int system_error) {
  if ((code == SQLITE_IOERR_WRITE || (code & 0xff) == SQLITE_CANTOPEN) && is_shortage(system_error))
    return Kind::full;
  if (code == SQLITE_IOERR_NOMEM) return Kind::other;
  switch (code & 0xff) {
    case SQLITE_FULL: return Kind::full;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Kind::in_use;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    // The statements are right, so the tables are not those that they are for.
    case SQLITE_ERROR: return Kind::damaged;
    default: return Kind::other;
  }
}

std::string text_of(const std::string& file, const std::string& what, int code, int system_error) {
  std::string text = file + ": " + what;
  switch (code) {
    case SQLITE_IOERR_READ: text += " while reading"; break;
    case SQLITE_IOERR_WRITE: text += " while writing"; break;
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC: text += " while syncing"; break;
    default: break;
  }
  text += " (SQLite error " + std::to_string(code);
  if (system_error != 0) text += ", " + os::errno_text(system_error);
  return text + ")";
}

/// Of an absolute path, with a parameter.
std::string uri_of(const std::string& path, const char* parameter) {
  constexpr std::string_view kept = "/-_.";
  constexpr char hex[] = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char each : path) {
    const auto byte = static_cast<unsigned char>(each);
    if ((byte < 0x80 && std::isalnum(byte)) || kept.find(each) != std::string_view::npos) {
      uri += each;
    } else {
      uri += '%';
      uri += hex[byte >> 4];
      uri += hex[byte & 15];
    }
  }
  return uri + "?" + parameter;
}

}  // namespace

// ---- databases --------------------------------------------------------------------------------------------

Database::Database(std::string file, int flags, const char* vfs) : Database(file, file, flags, vfs) {}

Database Database::immutable(const std::string& file, const char* vfs) {
  return {file, uri_of(file, "immutable=1"), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, vfs};
}

Database::Database(std::string file, const std::string& name, int flags, const char* vfs)
    : file_(std::move(file)) {
  const int code = sqlite3_open_v2(name.c_str(), &handle_, flags | SQLITE_OPEN_NOMUTEX, vfs);
  if (code == SQLITE_OK) {
    configure();
    return;
  }
  // A handle may exist nevertheless, and no destructor closes it.
  struct Close {
    sqlite3* handle;
    ~Close() { sqlite3_close(handle); }
  } const close{handle_};
  fail(code);
}

void Database::configure() {
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_wal_hook(handle_, note_commit, this);  // in place of the one that would checkpoint
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void Database::run(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

/// The database or its WAL; nullptr if SQLite does not have it open.
sqlite3_file* Database::open_file(int file) const {
  sqlite3_file* open = nullptr;
  if (sqlite3_file_control(handle_, "main", file, &open) != SQLITE_OK) return nullptr;
  return open != nullptr && open->pMethods != nullptr ? open : nullptr;
}

void Database::sync(int file) {
  sqlite3_file* open = open_file(file);
  if (open == nullptr)
    throw StorageError(Kind::other, file_ + ": cannot be synced, since SQLite does not have it open");
  const int code = open->pMethods->xSync(open, SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK)
    throw StorageError(Kind::other, text_of(file_, "disk I/O error", code, system_error()));
}

int Database::note_commit(void* database, sqlite3*, const char*, int wal_pages) {
  auto& self = *static_cast<Database*>(database);
  self.wal_bytes_ =
      wal_header_bytes + static_cast<std::uint64_t>(wal_pages) * (self.page_bytes_ + wal_frame_header_bytes);
  return SQLITE_OK;
}

void Database::extend_wal(std::uint64_t ahead_bytes) {
  if (!may_extend_wal_ || wal_bytes_ == 0 || wal_end_ >= wal_bytes_ + ahead_bytes / 4) return;
  sqlite3_file* wal = open_file(SQLITE_FCNTL_JOURNAL_POINTER);
  sqlite3_int64 size = 0;
  may_extend_wal_ = wal != nullptr && wal->pMethods->xFileSize(wal, &size) == SQLITE_OK;
  if (!may_extend_wal_) return;
  wal_end_ = std::max(wal_bytes_, static_cast<std::uint64_t>(size));
  const std::vector<std::uint8_t> zeros(std::min<std::uint64_t>(ahead_bytes, zeros_bytes_max));
  while (wal_end_ < wal_bytes_ + ahead_bytes) {
    const int code = wal->pMethods->xWrite(wal, zeros.data(), static_cast<int>(zeros.size()),
                                           static_cast<sqlite3_int64>(wal_end_));
    if (code == SQLITE_FULL) {
      may_extend_wal_ = false;
      return;
    }
    if (code != SQLITE_OK)
      throw StorageError(Kind::other, text_of(file_, "disk I/O error", code, system_error()));
    wal_end_ += zeros.size();
  }
}

/// The errno behind an I/O error; 0 if it is not known. SQLite itself keeps it only for some.
int Database::system_error() const {
  for (const int file : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* open = open_file(file);
    int error = 0;
    if (open != nullptr && open->pMethods->xFileControl(open, SQLITE_FCNTL_LAST_ERRNO, &error) == SQLITE_OK &&
        error != 0)
      return error;
  }
  return sqlite3_system_errno(handle_);
}

void Database::fail(int code) const {
  if (handle_ == nullptr) throw StorageError(kind_of(code, 0), text_of(file_, sqlite3_errstr(code), code, 0));
  const int extended = sqlite3_extended_errcode(handle_);
  const bool is_of_system = (extended & 0xff) == SQLITE_IOERR || (extended & 0xff) == SQLITE_CANTOPEN;
  const std::string what = sqlite3_errmsg(handle_);
  const int error = is_of_system ? system_error() : 0;
  throw StorageError(kind_of(extended, error), text_of(file_, what, extended, error));
}

// ---- statements -------------------------------------------------------------------------------------------

Statement::Statement(const Database& database, std::string_view sql) : database_(database) {
  check(sqlite3_prepare_v3(database.get(), sql.data(), static_cast<int>(sql.size()), 0, &handle_, nullptr));
}

Statement& Statement::bind(int parameter, std::uint64_t value) {
  check(sqlite3_bind_int64(handle_, parameter, static_cast<sqlite3_int64>(value)));
  return *this;
}

Statement& Statement::bind(int parameter, wire::Bytes value) {
  if (value.empty()) check(sqlite3_bind_zeroblob(handle_, parameter, 0));  // a null pointer would be NULL
  else check(sqlite3_bind_blob64(handle_, parameter, value.data(), value.size(), SQLITE_STATIC));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view value) {
  check(sqlite3_bind_text64(handle_, parameter, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail(code);
  return false;
}

void Statement::run() {
  struct Reset {
    Statement& statement;
    ~Reset() { statement.reset(); }
  } const reset{*this};
  while (step()) continue;
}

std::uint64_t Statement::integer(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(handle_, column));
}

wire::Bytes Statement::bytes(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(handle_, column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

}  // namespace tandem::server
