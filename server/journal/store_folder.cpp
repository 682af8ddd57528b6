#include "server/journal/store_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "client/common/crypto.hpp"
#include "client/os/signals.hpp"
#include "server/journal/checksum.hpp"
#include "server/journal/files.hpp"
#include "server/values/result.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::server {
namespace {

using Kind = StorageError::Kind;
using wire::load_little;
using wire::store_little;

constexpr std::string_view magic = "TNDMSTOR";
constexpr std::size_t format_at = magic.size();
constexpr std::size_t id_at = format_at + sizeof(std::uint32_t);
constexpr std::size_t checksum_at = id_at + sizeof(StoreId);
constexpr std::size_t store_bytes = checksum_at + sizeof(std::uint64_t);

constexpr std::string_view name_prefix = "journal-";
constexpr std::string_view name_suffix = ".db";
constexpr std::size_t index_digits = 20;
constexpr std::size_t name_bytes = name_prefix.size() + index_digits + name_suffix.size();
constexpr mode_t folder_mode = 0700;

std::string generation_name(std::uint64_t first_index) {
  std::string digits = std::to_string(first_index);
  digits.insert(0, index_digits - digits.size(), '0');
  return std::string(name_prefix) + digits + std::string(name_suffix);
}

/// The first index of the generation whose files' names begin as this one does.
std::optional<std::uint64_t> index_in(const std::string& name) {
  if (name.size() < name_bytes) return std::nullopt;
  std::uint64_t index = 0;
  for (const char digit : name.substr(name_prefix.size(), index_digits))
    index = index * 10 + static_cast<std::uint64_t>(digit - '0');
  if (generation_name(index) != name.substr(0, name_bytes)) return std::nullopt;
  return index;
}

template <class F>
void for_each_file(const std::string& folder, const F& f) {
  try {
    for (const auto& each : std::filesystem::directory_iterator(folder)) f(each.path().filename().string());
  } catch (const std::filesystem::filesystem_error& error) {
    throw StorageError(is_shortage(error.code().value()) ? Kind::full : Kind::other,
                       folder + ": cannot be read (" + error.code().message() + ")");
  }
}

/// Returns whether it was not there.
bool make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), folder_mode) == 0) return true;
  if (errno == EEXIST) return false;
  throw StorageError(Kind::other, path + ": cannot be created (" + os::errno_text() + ")");
}

void check_owner(const std::string& path) {
  struct stat folder {};
  if (::stat(path.c_str(), &folder) != 0)
    throw StorageError(Kind::other, path + ": cannot be opened (" + os::errno_text() + ")");
  if (!S_ISDIR(folder.st_mode)) throw StorageError(Kind::other, path + " is not a folder");
  if (folder.st_uid != ::geteuid())
    throw StorageError(Kind::other, path + " belongs to user " + std::to_string(folder.st_uid) +
                                        ": only that user may use it, and this is user " +
                                        std::to_string(::geteuid()));
  if ((folder.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    throw StorageError(Kind::other, path + " is accessible to other users: run chmod 700 " + path);
}

std::string open_folder(const std::string& path, bool create) {
  const bool is_new = create && make_folder(path);
  check_owner(path);
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::canonical(path, error);
  if (error) throw StorageError(Kind::other, path + ": cannot be opened (" + error.message() + ")");
  if (is_new) sync_folder(absolute.parent_path().string());
  return absolute.string();
}

}  // namespace

StoreFolder::StoreFolder(const std::string& path, bool create)
    : path_(open_folder(path, create)), lock_(path_, create) {}

std::string StoreFolder::generation_path(std::uint64_t first_index) const {
  return path_ + "/" + generation_name(first_index);
}

// ---- the store --------------------------------------------------------------------------------------------

bool StoreFolder::has_store() const {
  if (exists(file("store"))) return true;
  if (exists(file("store.part"))) return false;
  if (!generations().empty() || exists(witness_path()))
    throw StorageError(Kind::damaged, file("store") + ": is missing");
  return false;
}

StoreId StoreFolder::begin_store() const {
  TANDEM_ASSERT(!has_store());
  for (const std::uint64_t first_index : generations()) remove_generation(first_index);
  remove_leftovers();
  remove_file(witness_path());
  StoreId id;
  client::random_bytes(id);
  write_part(id);
  return id;
}

void StoreFolder::write_part(const StoreId& id) const {
  std::array<std::uint8_t, store_bytes> bytes;
  std::copy(magic.begin(), magic.end(), bytes.begin());
  store_little(bytes.data() + format_at, store_format);
  std::copy(id.begin(), id.end(), bytes.begin() + id_at);
  store_little(bytes.data() + checksum_at, checksum(wire::Bytes(bytes).first(checksum_at)));
  write_file(file("store.part"), bytes);
  sync_folder(path_);
}

void StoreFolder::finish_store() const {
  rename_file(file("store.part"), file("store"));
  sync_folder(path_);
}

void StoreFolder::write_store(const StoreId& id) const {
  write_part(id);
  finish_store();
}

StoreId StoreFolder::read_store() const {
  const std::optional<std::string> contents = read_file(file("store"), store_bytes);
  if (!contents) throw StorageError(Kind::damaged, file("store") + ": is missing");
  const wire::Bytes bytes = wire::as_bytes(*contents);
  if (bytes.size() != store_bytes || !contents->starts_with(magic) ||
      load_little<std::uint64_t>(bytes.data() + checksum_at) != checksum(bytes.first(checksum_at)))
    throw StorageError(Kind::damaged, file("store") + ": is damaged");
  const auto format = load_little<std::uint32_t>(bytes.data() + format_at);
  if (format != store_format)
    throw StorageError(Kind::other, file("store") + ": is of format " + std::to_string(format) +
                                        "; this version of tandem knows format " +
                                        std::to_string(store_format));
  StoreId id;
  std::copy_n(bytes.begin() + id_at, id.size(), id.begin());
  return id;
}

// ---- generations ------------------------------------------------------------------------------------------

std::vector<std::uint64_t> StoreFolder::generations() const {
  std::vector<std::uint64_t> all;
  for_each_file(path_, [&](const std::string& name) {
    const std::optional<std::uint64_t> index = index_in(name);
    if (index && name.size() == name_bytes) all.push_back(*index);
  });
  std::sort(all.begin(), all.end());
  return all;
}

void StoreFolder::remove_generation(std::uint64_t first_index) const {
  const std::string database = generation_path(first_index);
  remove_file(database);
  sync_folder(path_);
  remove_file(database + "-wal");
}

void StoreFolder::remove_leftovers() const {
  std::vector<std::string> leftovers;
  for_each_file(path_, [&](const std::string& name) {
    const std::optional<std::uint64_t> index = index_in(name);
    if (!index || name.size() == name_bytes) return;
    const bool is_in_use = name.substr(name_bytes) == "-wal" && exists(generation_path(*index));
    if (!is_in_use) leftovers.push_back(path_ + "/" + name);
  });
  for (const std::string& each : leftovers) remove_file(each);
  if (!leftovers.empty()) sync_folder(path_);
}

// ---- the rest ---------------------------------------------------------------------------------------------

bool StoreFolder::is_suspect() const {
  return exists(file("suspect"));
}

bool StoreFolder::mark_suspect() const noexcept {
  try {
    (void)open_file(file("suspect"), O_WRONLY | O_CREAT);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void StoreFolder::clear_suspect() const {
  if (remove_file(file("suspect"))) sync_folder(path_);
}

void StoreFolder::drop_cached() const {
  for_each_file(path_, [&](const std::string& name) {
    if (name == "lock") return;  // whose lock would end
    const os::Descriptor opened = open_file(file(name.c_str()), O_RDONLY);
    if (!opened) return;
    // What still waits to be written cannot be dropped.
    if (::fsync(opened.get()) != 0)
      throw StorageError(Kind::other, file(name.c_str()) + ": cannot be synced (" + os::errno_text() + ")");
    ::posix_fadvise(opened.get(), 0, 0, POSIX_FADV_DONTNEED);
  });
}

std::uint64_t StoreFolder::bytes() const {
  std::uint64_t sum = 0;
  for_each_file(path_, [&](const std::string& name) {
    struct stat found {};
    if (::stat(file(name.c_str()).c_str(), &found) == 0) sum += static_cast<std::uint64_t>(found.st_size);
  });
  return sum;
}

std::uint64_t StoreFolder::free_bytes() const {
  struct statvfs found {};
  if (::statvfs(path_.c_str(), &found) != 0)
    throw StorageError(Kind::other,
                       path_ + ": its file system cannot be examined (" + os::errno_text() + ")");
  return std::uint64_t{found.f_bavail} * found.f_frsize;
}

}  // namespace tandem::server
