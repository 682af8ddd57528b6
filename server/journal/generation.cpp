#include "server/journal/generation.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "server/journal/checksum.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::server {
namespace {

using Kind = StorageError::Kind;
using wire::store_little;

constexpr std::uint64_t application_id = 0x544E444D;  // TNDM
// A commit writes at least one page. Smaller ones would make long batches slow.
constexpr const char* set_page_size = "PRAGMA page_size = 1024";
constexpr const char* create_meta = "CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID";
constexpr const char* create_log =
    "CREATE TABLE log(row INTEGER PRIMARY KEY, batch INTEGER, first INTEGER, last INTEGER, "
    "engine_us INTEGER, chain INTEGER, body BLOB)";

template <std::size_t N>
std::uint64_t checksum_of_numbers(const std::array<std::uint64_t, N>& numbers) {
  std::array<std::uint8_t, N * sizeof(std::uint64_t)> bytes;
  for (std::size_t i = 0; i < N; ++i) store_little(bytes.data() + i * sizeof(std::uint64_t), numbers[i]);
  return checksum(bytes);
}

std::uint64_t checksum_of(const Generation::Origin& origin) {
  const LogPosition& before = origin.before;
  return checksum_of_numbers<5>(
      {checksum(origin.store), store_format, before.index + 1, before.batch + 1, before.chain});
}

[[noreturn]] void refuse(const std::string& file, const std::string& what) {
  throw StorageError(Kind::damaged, file + ": " + what);
}

std::uint64_t pragma(const Database& database, const char* sql) {
  Statement statement(database, sql);
  return statement.step() ? statement.integer(0) : 0;
}

// ---- creation ---------------------------------------------------------------------------------------------

void insert_origin(const Database& database, const Generation::Origin& origin) {
  Statement insert(database, "INSERT INTO meta VALUES(?, ?)");
  const auto put = [&](std::string_view name, std::uint64_t value) {
    insert.bind(1, name).bind(2, value).run();
  };
  insert.bind(1, std::string_view("store")).bind(2, wire::Bytes(origin.store)).run();
  put("format", store_format);
  put("first_index", origin.before.index + 1);
  put("first_batch", origin.before.batch + 1);
  put("chain", origin.before.chain);
  put("checksum", checksum_of(origin));
}

void fill(Database& database, const Generation::Origin& origin) {
  database.run("PRAGMA synchronous = OFF");  // it is synced once, at the end
  database.run("PRAGMA locking_mode = EXCLUSIVE");
  database.run(set_page_size);
  database.run(("PRAGMA application_id = " + std::to_string(application_id)).c_str());
  database.run(("PRAGMA user_version = " + std::to_string(store_format)).c_str());
  database.run("PRAGMA journal_mode = WAL");
  database.run("BEGIN");
  database.run(create_meta);
  database.run(create_log);
  insert_origin(database, origin);
  database.run("COMMIT");
  if (pragma(database, "PRAGMA wal_checkpoint(TRUNCATE)") != 0) database.fail(SQLITE_BUSY);
  database.sync(SQLITE_FCNTL_FILE_POINTER);
}

void remove_parts(const std::string& part) {
  for (const char* suffix : {"", "-wal", "-journal"}) remove_file(part + suffix);
}

// ---- the description --------------------------------------------------------------------------------------

void check_tables(const Database& database) {
  if (pragma(database, "PRAGMA application_id") != application_id ||
      pragma(database, "PRAGMA user_version") != store_format)
    refuse(database.file(), "its header is damaged");
  Statement tables(database, "SELECT sql FROM sqlite_master ORDER BY rowid");
  for (const std::string_view expected : {create_meta, create_log})
    if (!tables.step() || tables.text(0) != expected) refuse(database.file(), "its tables are damaged");
  if (tables.step()) refuse(database.file(), "it has a table too many");
}

Generation::Origin read_origin(const Database& database) {
  Statement select(database, "SELECT value FROM meta WHERE name = ?");
  const auto find = [&](std::string_view name) {
    select.reset();
    if (!select.bind(1, name).step()) refuse(database.file(), "its description is damaged");
  };
  const auto number = [&](std::string_view name) {
    find(name);
    return select.integer(0);
  };
  Generation::Origin origin;
  find("store");
  const wire::Bytes store = select.bytes(0);
  std::copy_n(store.begin(), std::min(store.size(), origin.store.size()), origin.store.begin());
  origin.before.index = number("first_index") - 1;
  origin.before.batch = number("first_batch") - 1;
  origin.before.chain = number("chain");
  if (number("format") != store_format || number("checksum") != checksum_of(origin))
    refuse(database.file(), "its description is damaged");
  return origin;
}

std::unique_ptr<Database> open_to_read(const std::string& file, const char* vfs) {
  // SQLite would create the WAL if there is none.
  if (!exists(file + "-wal")) return std::unique_ptr<Database>(new Database(Database::immutable(file, vfs)));
  return std::make_unique<Database>(file, SQLITE_OPEN_READWRITE, vfs);
}

}  // namespace

std::uint64_t next_chain(std::uint64_t before, const Batch& batch) {
  const std::uint64_t seed =
      checksum_of_numbers<5>({before, batch.number, batch.first, batch.last, batch.engine_us});
  return checksum(batch.body, seed);
}

void Generation::create(const std::string& file, const std::string& folder, const Origin& origin,
                        const char* vfs) {
  const std::string part = file + ".part";
  remove_parts(part);
  try {
    (void)open_file(part, O_WRONLY | O_CREAT);  // SQLite's own files would be readable by others
    {
      Database database(part, SQLITE_OPEN_READWRITE, vfs);
      fill(database, origin);
    }
    remove_file(part + "-wal");                           // which is empty
    if (remove_file(file + "-wal")) sync_folder(folder);  // of a generation that was removed
    rename_file(part, file);
  } catch (const StorageError& error) {
    if (error.kind() == Kind::full) remove_parts(part);
    if (error.kind() != Kind::damaged) throw;
    throw StorageError(Kind::other, error.what());  // nothing was there that could be damaged
  }
  sync_folder(folder);
}

Generation::Origin Generation::origin_of(const std::string& file, const char* vfs) {
  const Database database = Database::immutable(file, vfs);
  check_tables(database);
  return read_origin(database);
}

// ---- appending --------------------------------------------------------------------------------------------

struct Generation::Statements {
  explicit Statements(const Database& database)
      : begin(database, "BEGIN IMMEDIATE"),
        insert(database, "INSERT INTO log VALUES(?, ?, ?, ?, ?, ?, ?)"),
        commit(database, "COMMIT"),
        roll_back(database, "ROLLBACK") {}
  Statement begin, insert, commit, roll_back;
};

Generation::Generation(const std::string& file, const LogPosition& before, Access access, const char* vfs)
    : before_(before),
      database_(access == Access::append ? std::make_unique<Database>(file, SQLITE_OPEN_READWRITE, vfs)
                                         : open_to_read(file, vfs)) {
  database_->run("PRAGMA locking_mode = EXCLUSIVE");  // before the WAL is opened: its index is in memory then
  rows_ = last_row();
  if (access == Access::read) return;
  Statement mode(*database_, "PRAGMA journal_mode");
  if (!mode.step() || mode.text(0) != "wal") damaged("its header is damaged");
  database_->set_page_bytes(pragma(*database_, "PRAGMA page_size"));
  statements_ = std::make_unique<Statements>(*database_);
}

Generation::~Generation() = default;

/// The safety level is a property of the connection; SQLite sets it when it compiles the statement.
void Generation::set_synchronous(bool full) {
  if (is_synchronous_ == full) return;
  is_synchronous_.reset();
  database_->run(full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  is_synchronous_ = full;
}

void Generation::insert_rows(const Batch& batch, std::uint64_t chain) {
  wire::Bytes rest = batch.body;
  std::uint64_t row = rows_;
  bool is_last = false;
  while (!is_last) {
    is_last = rest.size() < row_bytes_max;
    const wire::Bytes body = rest.first(is_last ? rest.size() : row_bytes_max);
    rest = rest.subspan(body.size());
    Statement& insert = statements_->insert;
    insert.bind(1, ++row).bind(2, batch.number).bind(3, batch.first).bind(4, batch.last);
    insert.bind(5, batch.engine_us).bind(6, chain).bind(7, body).run();
  }
}

void Generation::append(const Batch& batch, std::uint64_t chain, bool sync) {
  set_synchronous(sync);
  if (sync) database_->extend_wal(room_ahead_bytes_);
  if (batch.body.size() < row_bytes_max) {
    insert_rows(batch, chain);  // one row is a transaction by itself
  } else {
    statements_->begin.run();
    insert_rows(batch, chain);
    statements_->commit.run();
  }
  rows_ += batch.body.size() / row_bytes_max + 1;
}

bool Generation::roll_back() noexcept {
  try {
    // After some errors SQLite has done so itself.
    if (database_->in_transaction()) statements_->roll_back.run();
    return last_row() == rows_;
  } catch (const StorageError&) {
    return false;
  }
}

void Generation::sync() {
  database_->sync(SQLITE_FCNTL_JOURNAL_POINTER);
}

// ---- reading ----------------------------------------------------------------------------------------------

void Generation::damaged(const std::string& what) const {
  refuse(database_->file(), what);
}

std::uint64_t Generation::last_row() {
  return pragma(*database_, "SELECT max(row) FROM log");
}

std::uint64_t Generation::batch_of(std::uint64_t row) {
  Statement select(*database_, "SELECT batch FROM log WHERE row = ?");
  if (!select.bind(1, row).step()) damaged("row " + std::to_string(row) + " is missing");
  return select.integer(0);
}

/// The first row of the first batch with this number or a higher one; behind the last row if there is none.
std::uint64_t Generation::first_row_from(std::uint64_t batch) {
  std::uint64_t low = 1;
  std::uint64_t high = rows_ + 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (batch_of(middle) < batch) low = middle + 1;
    else high = middle;
  }
  return low;
}

LogPosition Generation::position_before_row(std::uint64_t row) {
  if (row == 1) return before_;
  Statement select(*database_, "SELECT batch, last, chain FROM log WHERE row = ?");
  if (!select.bind(1, row - 1).step()) damaged("row " + std::to_string(row - 1) + " is missing");
  return {.batch = select.integer(0), .index = select.integer(1), .chain = select.integer(2)};
}

LogPosition Generation::position_before(std::uint64_t batch) {
  return position_before_row(first_row_from(batch));
}

LogPosition Generation::tail() {
  if (rows_ == 0) return before_;
  return read(batch_of(rows_), [](const Batch&, const LogPosition&) { return true; });
}

/// Puts the rows together.
class Generation::Reader {
 public:
  Reader(const Generation& generation, std::uint64_t row, const LogPosition& position)
      : generation_(generation),
        rows_(*generation.database_,
              "SELECT batch, first, last, engine_us, chain, body FROM log WHERE row >= ? ORDER BY row"),
        position_(position) {
    rows_.bind(1, row);
  }

  /// Valid until the next call; nullptr at the end.
  const Batch* next();
  /// Behind the last batch that next() returned.
  const LogPosition& position() const { return position_; }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    generation_.damaged("batch " + std::to_string(position_.batch + 1) + ", from input " +
                        std::to_string(position_.index + 1) + " on: " + what);
  }
  void join_rows();
  void check_numbers() const;

  const Generation& generation_;
  Statement rows_;
  LogPosition position_;
  Batch batch_;
  wire::Buffer joined_;
};

const Batch* Generation::Reader::next() {
  if (!rows_.step()) return nullptr;
  batch_ = {rows_.integer(0), rows_.integer(1), rows_.integer(2), rows_.integer(3), rows_.bytes(5)};
  check_numbers();
  const std::uint64_t chain = rows_.integer(4);
  if (batch_.body.size() >= row_bytes_max) join_rows();
  if (next_chain(position_.chain, batch_) != chain)
    damaged("it is not what was written, or does not belong behind the batch before");
  position_ = {batch_.number, batch_.last, chain};
  return &batch_;
}

void Generation::Reader::check_numbers() const {
  if (batch_.number != position_.batch + 1)
    damaged("batch " + std::to_string(batch_.number) + " is there instead");
  if (batch_.first != position_.index + 1 || batch_.last + 1 < batch_.first)
    damaged("it has inputs " + std::to_string(batch_.first) + " to " + std::to_string(batch_.last));
}

void Generation::Reader::join_rows() {
  joined_.clear();
  joined_.append(batch_.body);
  std::size_t row_bytes = row_bytes_max;
  while (row_bytes == row_bytes_max) {
    if (!rows_.step() || rows_.integer(0) != batch_.number) damaged("its end is missing");
    row_bytes = rows_.bytes(5).size();
    joined_.append(rows_.bytes(5));
  }
  batch_.body = joined_.view();
}

LogPosition Generation::read(std::uint64_t from, const Sink& sink) {
  const std::uint64_t row = first_row_from(from);
  Reader reader(*this, row, position_before_row(row));
  for (const Batch* batch = reader.next(); batch != nullptr; batch = reader.next())
    if (!sink(*batch, reader.position())) break;
  return reader.position();
}

// ---- removing ---------------------------------------------------------------------------------------------

void Generation::cut(std::uint64_t batch) {
  set_synchronous(true);
  const std::uint64_t row = first_row_from(batch);
  Statement(*database_, "DELETE FROM log WHERE row >= ?").bind(1, row).run();
  rows_ = row - 1;
  sync();  // nothing was removed if only what SQLite cannot read was to be cut
}

}  // namespace tandem::server
