#include "server/journal/sqlite_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "server/journal/files.hpp"
#include "server/values/result.hpp"

namespace tandem::server {
namespace {

using Kind = StorageError::Kind;
using Access = Generation::Access;

std::string text_of(const LogPosition& position) {
  return "input " + std::to_string(position.index) + " (batch " + std::to_string(position.batch) + ")";
}

/// Runs `f`. What its caller gets is one of the public errors.
template <class F>
auto with_public_errors(const std::string& folder, const F& f) {
  try {
    return f();
  } catch (const StorageError& error) {
    if (error.kind() == Kind::damaged)
      throw JournalDamaged(std::string(error.what()) + "; `tandem journal verify " + folder + "` tells more");
    throw JournalError(error.what());
  }
}

}  // namespace

// ---- opening ----------------------------------------------------------------------------------------------

std::unique_ptr<SqliteLog> SqliteLog::open(const std::string& folder, Mode mode, const Options& options) {
  return with_public_errors(folder, [&] {
    std::unique_ptr<SqliteLog> log(new SqliteLog(folder, mode, options));
    log->load();
    return log;
  });
}

SqliteLog::SqliteLog(const std::string& folder, Mode mode, const Options& options)
    : mode_(mode), options_(options), folder_(folder, mode == Mode::use) {}

SqliteLog::~SqliteLog() {
  if (synced_ && !is_broken_) write_witness();
}

/// The store's file comes last: without it, nothing of this was ever used.
void SqliteLog::create() {
  const StoreId store = folder_.begin_store();
  Witness::create(folder_, store, LogPosition());
  Generation::create(folder_.generation_path(1), folder_.path(), {store, LogPosition()}, options_.vfs);
  folder_.finish_store();
}

/// Runs `f`; damage is tolerated where a tool looks.
template <class F>
void SqliteLog::report_or_tolerate(const F& f) const {
  try {
    f();
  } catch (const StorageError& error) {
    if (mode_ == Mode::use || error.kind() != Kind::damaged) throw;
  }
}

void SqliteLog::load() {
  is_suspect_ = folder_.is_suspect();
  if (is_suspect_ && mode_ == Mode::use) folder_.drop_cached();
  report_or_tolerate([&] {
    if (folder_.has_store()) return;
    if (mode_ == Mode::look) throw StorageError(Kind::other, folder_.path() + " has no journal");
    create();
  });
  report_or_tolerate([&] { store_ = folder_.read_store(); });
  load_files();
  load_tail();
  report_or_tolerate([&] { load_witness(); });
  if (mode_ == Mode::use) folder_.remove_leftovers();
}

Generation::Origin SqliteLog::origin_of(const File& file) const {
  const Generation::Origin origin = Generation::origin_of(file.path, options_.vfs);
  if (origin.before.index + 1 != file.first_index)
    throw StorageError(Kind::damaged, file.path + ": it begins with input " +
                                          std::to_string(origin.before.index + 1) + ", unlike its name says");
  if (knows_store() && origin.store != store_)
    throw StorageError(Kind::damaged, file.path + ": it belongs to another journal");
  return origin;
}

void SqliteLog::load_files() {
  files_.clear();
  for (const std::uint64_t first_index : folder_.generations()) {
    File& file = files_.emplace_back(File{first_index, folder_.generation_path(first_index), std::nullopt});
    report_or_tolerate([&] { file.origin = origin_of(file); });
    // The store's own file may be what is damaged.
    if (!knows_store() && file.origin) store_ = file.origin->store;
  }
  if (files_.empty()) report_or_tolerate([&] { report_no_files(); });
}

/// Appends go there from now on.
void SqliteLog::use(const File& file) {
  current_ = std::make_unique<Generation>(file.path, file.origin->before, Access::append, options_.vfs);
  current_->make_room_ahead(options_.room_ahead_bytes);
}

void SqliteLog::load_tail() {
  if (mode_ == Mode::use) {
    use(files_.back());
    tail_ = current_->tail();
    return;
  }
  tail_ = {};
  bool is_found = false;
  for (auto file = files_.rbegin(); file != files_.rend() && !is_found; ++file)
    report_or_tolerate([&] {
      if (!file->origin) return;
      tail_ = Generation(file->path, file->origin->before, Access::read, options_.vfs).tail();
      is_found = true;
    });
}

void SqliteLog::load_witness() {
  try {
    witness_.emplace(folder_, store_);
  } catch (const StorageError& error) {
    if (!options_.accept_loss || error.kind() != Kind::damaged) throw;
    has_lost_its_end_ = true;
  }
  if (mode_ == Mode::look) return;
  if (witness_ && witness_->position().batch > tail_.batch) {
    if (!options_.accept_loss) report_loss(tail_);
    has_lost_its_end_ = true;
  }
  if (!has_lost_its_end_) return check_witness();
  current_->sync();
  Witness::create(folder_, store_, tail_);
  witness_.emplace(folder_, store_);
}

/// The batch that the witness names is the one that is there. In files that are no longer in use, read() looks.
void SqliteLog::check_witness() const {
  const std::uint64_t batch = witness_->position().batch;
  if (batch >= files_.back().origin->before.batch) compare_with_witness(current_->position_before(batch + 1));
}

void SqliteLog::compare_with_witness(const LogPosition& position) const {
  if (witness_ && position.batch == witness_->position().batch && position != witness_->position())
    throw StorageError(Kind::damaged, folder_.path() + ": batch " + std::to_string(position.batch) +
                                          " is another one than was synced");
}

void SqliteLog::report_loss(const LogPosition& end) const {
  throw JournalDamaged(folder_.path() + ": the journal has lost its end: it ends at " + text_of(end) +
                       ", and " + text_of(witness_->position()) +
                       " was there; start with --journal-accept-loss to go on without what is missing");
}

void SqliteLog::report_no_files() const {
  throw StorageError(Kind::damaged, folder_.path() + ": no file of its log is there");
}

// ---- appending --------------------------------------------------------------------------------------------

AppendStatus SqliteLog::append(const Batch& batch, bool sync) {
  TANDEM_ASSERT(mode_ == Mode::use);
  TANDEM_ASSERT(batch.number == tail_.batch + 1 && batch.first == tail_.index + 1);
  TANDEM_ASSERT(batch.last + 1 >= batch.first);
  if (is_broken_) return AppendStatus::broken;
  const std::uint64_t chain = next_chain(tail_.chain, batch);
  try {
    current_->append(batch, chain, sync);
  } catch (const StorageError& error) {
    return failed(error, current_->roll_back());
  }
  tail_ = {batch.number, batch.last, chain};
  is_unsynced_ = !sync;
  if (sync) note_synced(tail_);
  return AppendStatus::ok;
}

/// SQLite's connection is for one thread, so the WAL is synced by a descriptor of our own. SQLite has no locks on that file,
/// which closing it would release. The folder has its name, maybe a new one.
std::optional<SyncApart> SqliteLog::begin_sync() {
  if (is_broken_ || !is_unsynced_ || std::string_view(options_.vfs) != default_vfs) return std::nullopt;
  try {
    const auto wal = std::make_shared<os::Descriptor>(open_file(files_.back().path + "-wal", O_RDWR));
    const auto folder = std::make_shared<os::Descriptor>(open_file(folder_.path(), O_RDONLY | O_DIRECTORY));
    if (!*wal || !*folder) return std::nullopt;
    return SyncApart{tail_,
                     [wal, folder] { return ::fdatasync(wal->get()) == 0 && ::fsync(folder->get()) == 0; }};
  } catch (const StorageError&) {
    return std::nullopt;  // no descriptor is left
  }
}

void SqliteLog::end_sync(const SyncApart& sync, bool succeeded) {
  if (!succeeded) {
    broken(files_.back().path + "-wal: disk I/O error while syncing");
    return;
  }
  if (is_broken_) return;
  if (sync.position == tail_) is_unsynced_ = false;
  note_synced(sync.position);
}

/// `is_undone`: nothing is left of what failed.
AppendStatus SqliteLog::failed(const StorageError& error, bool is_undone) {
  if (error.kind() != Kind::full || !is_undone) return broken(error.what());
  failure_ = error.what();
  return AppendStatus::full;
}

AppendStatus SqliteLog::broken(const std::string& why) {
  is_broken_ = true;
  failure_ = why;
  if (!folder_.mark_suspect()) failure_ += "; that cannot be noted in " + folder_.path() + "/suspect either";
  return AppendStatus::broken;
}

void SqliteLog::note_synced(const LogPosition& position) {
  if (position.batch <= witness_->position().batch || (synced_ && position.batch < synced_->batch)) return;
  synced_ = position;
  if (Clock::now() - witness_written_ >= options_.witness_interval) write_witness();
}

/// If that fails, the witness stays at a position before, and the next sync tries again.
void SqliteLog::write_witness() {
  if (witness_->write(*synced_)) synced_.reset();
  witness_written_ = Clock::now();
}

AppendStatus SqliteLog::rotate() {
  TANDEM_ASSERT(mode_ == Mode::use);
  if (is_broken_) return AppendStatus::broken;
  // Without inputs in this one, the next one's name would be the same.
  if (files_.back().first_index == tail_.index + 1) return AppendStatus::ok;
  const File next{tail_.index + 1, folder_.generation_path(tail_.index + 1),
                  Generation::Origin{store_, tail_}};
  try {
    sync_before_rotation();
    Generation::create(next.path, folder_.path(), *next.origin, options_.vfs);
  } catch (const StorageError& error) {
    return failed(error, true);
  }
  try {
    use(next);
  } catch (const StorageError& error) {
    return broken(error.what());
  }
  files_.push_back(next);
  return AppendStatus::ok;
}

/// A power failure must not leave the next file without the end of this one.
void SqliteLog::sync_before_rotation() {
  if (is_unsynced_) current_->sync();
  is_unsynced_ = false;
  synced_ = tail_;
  write_witness();
}

bool SqliteLog::trim_one(std::uint64_t before) {
  TANDEM_ASSERT(mode_ == Mode::use);
  if (files_.size() == 1 || files_[1].origin->before.batch >= before) return false;
  break_if_it_fails([&] {
    folder_.remove_generation(files_[0].first_index);
    files_.erase(files_.begin());
  });
  return true;
}

void SqliteLog::clear_suspect() {
  TANDEM_ASSERT(mode_ == Mode::use);
  break_if_it_fails([&] { folder_.clear_suspect(); });
  is_suspect_ = false;
}

/// What `f` syncs must not be synced again after that failed.
template <class F>
void SqliteLog::break_if_it_fails(const F& f) {
  if (is_broken_) throw JournalError(failure_);
  try {
    f();
  } catch (const StorageError& error) {
    broken(error.what());
    throw JournalError(failure_);
  }
}

std::uint64_t SqliteLog::bytes() const {
  return with_public_errors(folder_.path(), [&] { return folder_.bytes(); });
}

std::uint64_t SqliteLog::free_bytes() const {
  return with_public_errors(folder_.path(), [&] { return folder_.free_bytes(); });
}

// ---- reading ----------------------------------------------------------------------------------------------

std::uint64_t SqliteLog::first_batch() const {
  return files_.empty() || !files_.front().origin ? 1 : files_.front().origin->before.batch + 1;
}

LogPosition SqliteLog::position_before(std::uint64_t batch) {
  return with_public_errors(folder_.path(), [&]() -> LogPosition {
    if (files_.empty()) report_no_files();
    const File& file = files_[file_with(batch)];
    if (batch <= origin_of(file).before.batch + 1) return file.origin->before;
    if (current_ && &file == &files_.back()) return current_->position_before(batch);
    return Generation(file.path, file.origin->before, Access::read, options_.vfs).position_before(batch);
  });
}

void SqliteLog::read(std::uint64_t from, const std::function<bool(const Batch&)>& sink) {
  with_public_errors(folder_.path(), [&] { read_files(from, sink); });
}

void SqliteLog::read_files(std::uint64_t from, const std::function<bool(const Batch&)>& sink) {
  bool is_stopped = false;
  const Generation::Sink watched = [&](const Batch& batch, const LogPosition& behind) {
    compare_with_witness(behind);
    is_stopped = !sink(batch);
    return !is_stopped;
  };
  std::optional<LogPosition> end;
  for (std::size_t i = file_with(from); i < files_.size() && !is_stopped; ++i)
    end = read_file(files_[i], end, from, watched);
  if (!is_stopped) check_end(end);
}

/// The last file that begins with this batch or one before it; the first one if there is none.
std::size_t SqliteLog::file_with(std::uint64_t batch) const {
  std::size_t found = 0;
  for (std::size_t i = 0; i < files_.size(); ++i)
    if (files_[i].origin && files_[i].origin->before.batch < batch) found = i;
  return found;
}

/// `end`: of the file before, if that was read.
LogPosition SqliteLog::read_file(const File& file, const std::optional<LogPosition>& end, std::uint64_t from,
                                 const Generation::Sink& sink) {
  const LogPosition before = origin_of(file).before;
  if (end && *end != before)
    throw StorageError(Kind::damaged, file.path + ": it begins behind " + text_of(before) +
                                          ", and the file before it ends at " + text_of(*end) +
                                          (end->batch == before.batch ? " with other contents" : ""));
  if (current_ && &file == &files_.back()) return current_->read(from, sink);
  return Generation(file.path, before, Access::read, options_.vfs).read(from, sink);
}

/// What load() tolerates where a tool looks is reported here.
void SqliteLog::check_end(const std::optional<LogPosition>& end) {
  if (!end) report_no_files();
  if (mode_ == Mode::use) {
    if (*end == tail_) return;
    throw StorageError(Kind::damaged, files_.back().path + ": it ends at " + text_of(*end) +
                                          ", and should end at " + text_of(tail_));
  }
  (void)folder_.read_store();
  if (!witness_) witness_.emplace(folder_, store_);
  if (witness_->position().batch > end->batch) report_loss(*end);
  compare_with_witness(*end);
}

// ---- removing ---------------------------------------------------------------------------------------------

/// The witness is changed first, and the last file is removed first: after a crash, the same can be done again.
void SqliteLog::cut(std::uint64_t batch) {
  with_public_errors(folder_.path(), [&] {
    std::size_t kept = 0;
    while (kept < files_.size() && files_[kept].origin &&
           (kept == 0 || files_[kept].origin->before.batch < batch))
      ++kept;
    if (kept == 0) throw StorageError(Kind::damaged, folder_.path() + ": nothing of its log can be read");
    current_.reset();
    cut_behind(files_[kept - 1], batch);
    witness_.reset();
    synced_.reset();
    load();
  });
}

void SqliteLog::cut_behind(const File& kept, std::uint64_t batch) {
  Generation last(kept.path, kept.origin->before, Access::append, options_.vfs);
  folder_.write_store(store_);
  Witness::create(folder_, store_, last.position_before(batch));
  while (&files_.back() != &kept) {
    folder_.remove_generation(files_.back().first_index);
    files_.pop_back();
  }
  last.cut(batch);
}

}  // namespace tandem::server
