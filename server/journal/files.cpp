#include "server/journal/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "client/os/signals.hpp"
#include "client/os/standard_descriptors.hpp"

namespace tandem::server {
namespace {

using Kind = StorageError::Kind;

constexpr mode_t owner_only = 0600;

[[noreturn]] void fail(const std::string& path, const char* what, Kind kind, int error = errno) {
  throw StorageError(kind, path + ": " + what + " (" + os::errno_text(error) + ")");
}

/// Of a call that writes, or opens.
Kind kind_of(int error) {
  return is_shortage(error) ? Kind::full : Kind::other;
}

void write_all(const os::Descriptor& file, wire::Bytes rest, const std::string& path) {
  while (!rest.empty()) {
    const ssize_t count = ::write(file.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, "cannot be written", kind_of(errno));
    rest = rest.subspan(static_cast<std::size_t>(count));
  }
}

// Never repeated after it failed: the kernel then takes the lost pages for clean, and a second call would
// succeed.
void sync(const os::Descriptor& file, const std::string& path) {
  if (::fsync(file.get()) != 0) fail(path, "cannot be synced", Kind::other);
}

}  // namespace

bool is_shortage(int error) {
  return error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE;
}

os::Descriptor open_file(const std::string& path, int flags) {
  os::Descriptor file(os::above_standard(::open(path.c_str(), flags | O_CLOEXEC, owner_only)));
  const bool may_be_absent = (flags & O_CREAT) == 0;
  if (!file && !(errno == ENOENT && may_be_absent)) fail(path, "cannot be opened", kind_of(errno));
  return file;
}

std::optional<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const os::Descriptor file = open_file(path, O_RDONLY);
  if (!file) return std::nullopt;
  std::string contents(bytes_max, '\0');
  std::size_t size = 0;
  while (size < bytes_max) {
    const ssize_t count = ::read(file.get(), contents.data() + size, bytes_max - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, "cannot be read", errno == EIO ? Kind::damaged : Kind::other);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  contents.resize(size);
  return contents;
}

void write_file(const std::string& path, wire::Bytes contents) {
  const os::Descriptor file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  write_all(file, contents, path);
  sync(file, path);
}

bool shorten_file(const std::string& path, std::uint64_t bytes) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) fail(path, "cannot be examined", Kind::other);
  const auto size = static_cast<std::uint64_t>(file.st_size);
  if (size <= bytes) return false;
  if (::truncate(path.c_str(), static_cast<off_t>(size - bytes)) != 0)
    fail(path, "cannot be shortened", Kind::other);
  return true;
}

bool remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return true;
  if (errno != ENOENT) fail(path, "cannot be removed", Kind::other);
  return false;
}

void rename_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) fail(from, "cannot be renamed", kind_of(errno));
}

bool exists(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) == 0) return true;
  if (errno != ENOENT) fail(path, "cannot be examined", Kind::other);
  return false;
}

void sync_folder(const std::string& path) {
  const os::Descriptor folder = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!folder) fail(path, "cannot be synced", Kind::other);
  sync(folder, path);
}

}  // namespace tandem::server
