#include "server/journal/backup.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "client/os/signals.hpp"
#include "server/journal/files.hpp"
#include "server/journal/snapshots.hpp"
#include "server/journal/sqlite_log.hpp"
#include "tandem/error.hpp"

namespace tandem::server {
namespace {

namespace fs = std::filesystem;

constexpr int attempts_max = 20;

void sync_file(const fs::path& file) {
  const os::Descriptor opened = open_file(file, O_RDONLY | O_CLOEXEC);
  if (!opened || ::fsync(opened.get()) != 0)
    throw StorageError(StorageError::Kind::other, file.string() + ": " + os::errno_text());
}

void copy_durably(const fs::path& file, const fs::path& to) {
  fs::copy_file(file, to / file.filename());
  fs::permissions(to / file.filename(), fs::perms::owner_read | fs::perms::owner_write);
  sync_file(to / file.filename());
}

std::vector<fs::path> files_with(std::string_view prefix, const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const fs::path name = entry.path().filename();
    if (name.string().starts_with(prefix) && name.extension() != ".part" && name.extension() != ".damaged")
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());  // so a database comes before its write-ahead log
  return files;
}

/// The witness first: it then says of the copy no more than there is. Snapshots before the log, which then goes on at least as
/// far.
void copy_all(const fs::path& folder, const fs::path& to) {
  for (const char* name : {"store", "tail"}) copy_durably(folder / name, to);
  for (const char* prefix : {"snapshot-", "journal-"})
    for (const fs::path& file : files_with(prefix, folder)) copy_durably(file, to);
  sync_folder(to);
}

/// A manager removes files that it no longer needs: then everything is copied again.
void copy_until_whole(const fs::path& folder, const fs::path& to) {
  for (int attempt = 1;; ++attempt) {
    try {
      return copy_all(folder, to);
    } catch (const fs::filesystem_error& error) {
      if (error.code() != std::errc::no_such_file_or_directory || attempt == attempts_max) throw;
      for (const fs::directory_entry& entry : fs::directory_iterator(to)) fs::remove(entry.path());
    }
  }
}

/// Reads all of it.
LogPosition check(const std::string& folder) {
  const std::unique_ptr<SqliteLog> log = SqliteLog::open(folder, SqliteLog::Mode::use);
  for (const std::uint64_t batch : Snapshots(folder).batches())
    (void)SnapshotReader(Snapshots(folder).path(batch));
  log->read(log->first_batch(), [](const Batch&) { return true; });
  return log->tail();
}

}  // namespace

LogPosition back_up(const std::string& folder, const std::string& to) {
  if (!exists(folder + "/store")) throw JournalError(folder + " has no journal");
  if (::mkdir(to.c_str(), S_IRWXU) != 0) throw JournalError(to + " cannot be made: " + os::errno_text());
  try {
    copy_until_whole(folder, to);
    return check(to);
  } catch (const fs::filesystem_error& error) {
    throw JournalError(std::string("the journal cannot be copied: ") + error.what());
  } catch (const StorageError& error) {
    throw JournalError(std::string("the journal cannot be copied: ") + error.what());
  }
}

}  // namespace tandem::server
