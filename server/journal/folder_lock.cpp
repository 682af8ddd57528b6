#include "server/journal/folder_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <vector>

#include "client/os/signals.hpp"
#include "server/journal/files.hpp"

namespace tandem::server {
namespace {

using Kind = StorageError::Kind;

struct Locked {
  dev_t device;
  ino_t inode;
  pid_t process;  // a forked child has its parent's list, and none of its locks
  friend bool operator==(const Locked&, const Locked&) = default;
};

struct LockedFolders {
  std::mutex mutex;
  std::vector<Locked> list;
};

// Global, since record locks are the process's too. Never destroyed: a manager in a static variable is
// destroyed during the program's exit.
LockedFolders& locked_folders() {
  static LockedFolders& all = *new LockedFolders;
  return all;
}

/// Returns false if this process has the folder locked already.
bool enter(const Locked& folder) {
  LockedFolders& all = locked_folders();
  const std::lock_guard lock(all.mutex);
  if (std::find(all.list.begin(), all.list.end(), folder) != all.list.end()) return false;
  all.list.push_back(folder);
  return true;
}

void leave(const Locked& folder) {
  LockedFolders& all = locked_folders();
  const std::lock_guard lock(all.mutex);
  std::erase(all.list, folder);
}

[[noreturn]] void refuse(const std::string& folder, pid_t process) {
  throw StorageError(
      Kind::in_use,
      folder + " is in use by " + (process > 0 ? "process " + std::to_string(process) : "another process"));
}

struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

/// The process that has the lock; 0 if it is not known here, for example since it is in another container.
pid_t holder_of(const os::Descriptor& file) {
  struct flock lock = whole_file();
  if (::fcntl(file.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
  return lock.l_pid;
}

}  // namespace

FolderLock::FolderLock(const std::string& folder, bool create) {
  struct stat found {};
  if (::stat(folder.c_str(), &found) != 0)
    throw StorageError(Kind::other, folder + ": cannot be opened (" + os::errno_text() + ")");
  const Locked entry{found.st_dev, found.st_ino, ::getpid()};
  if (!enter(entry)) refuse(folder, entry.process);
  device_ = found.st_dev;
  inode_ = found.st_ino;
  try {
    lock_file(folder, create);
  } catch (...) {
    file_ = os::Descriptor();
    leave(entry);
    throw;
  }
}

void FolderLock::lock_file(const std::string& folder, bool create) {
  file_ = open_file(folder + "/lock", O_RDWR | (create ? O_CREAT : 0));
  if (!file_) return;
  struct flock lock = whole_file();
  if (::fcntl(file_.get(), F_SETLK, &lock) == 0) return;
  if (errno == EACCES || errno == EAGAIN) refuse(folder, holder_of(file_));
  throw StorageError(Kind::other, folder + "/lock: cannot be locked (" + os::errno_text() + ")");
}

FolderLock::~FolderLock() {
  file_ = os::Descriptor();  // before another part of the process may lock it
  leave({device_, inode_, ::getpid()});
}

}  // namespace tandem::server
