#pragma once
// A folder that one process uses at a time, and one part of that process.
//
// The lock is a record lock (fcntl F_SETLK) of the file `lock`. A lock of flock() would belong to the open
// file, which forked children share: a snapshot's child that outlives its manager would keep the next one out.
// A record lock belongs to the process alone, ends with it, and the system knows the number of that process.
// It does not exclude this process itself, and ends when any descriptor of the file is closed; so the process
// keeps a list of the folders that it has locked, and reads it before it opens the file.

#include <sys/types.h>

#include <string>

#include "client/os/descriptor.hpp"

namespace tandem::server {

class FolderLock {
 public:
  /// Throws StorageError: `in_use`, which names the process, or why there is no lock. Without `create`, a
  /// folder that has no lock file, which no manager has ever used, is not locked against other processes.
  FolderLock(const std::string& folder, bool create);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  void lock_file(const std::string& folder, bool create);

  dev_t device_ = 0;
  ino_t inode_ = 0;
  os::Descriptor file_;
};

}  // namespace tandem::server
