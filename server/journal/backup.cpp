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
#include "server/journal/sqlite_log.hpp"
#include "tandem/error.hpp"

namespace tandem::server {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view generation_prefix = "journal-";

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

std::vector<fs::path> generations_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with(generation_prefix)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());  // so a database comes before its write-ahead log
  return files;
}

void copy_all(const fs::path& folder, const fs::path& to) {
  // The witness first: it then says of the copy no more than there is.
  for (const char* name : {"store", "tail"}) copy_durably(folder / name, to);
  for (const fs::path& file : generations_in(folder)) copy_durably(file, to);
  sync_folder(to);
}

}  // namespace

LogPosition back_up(const std::string& folder, const std::string& to) {
  if (!exists(folder + "/store")) throw JournalError(folder + " has no journal");
  if (::mkdir(to.c_str(), S_IRWXU) != 0) throw JournalError(to + " cannot be made: " + os::errno_text());
  try {
    copy_all(folder, to);
  } catch (const fs::filesystem_error& error) {
    throw JournalError(std::string("the journal cannot be copied: ") + error.what());
  } catch (const StorageError& error) {
    throw JournalError(std::string("the journal cannot be copied: ") + error.what());
  }
  const std::unique_ptr<SqliteLog> log = SqliteLog::open(to, SqliteLog::Mode::use);
  log->read(1, [](const Batch&) { return true; });
  return log->tail();
}

}  // namespace tandem::server
