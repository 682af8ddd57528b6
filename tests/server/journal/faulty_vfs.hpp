#pragma once
// SQLite's interface to the file system (VFS) for tests: calls that fail, and power failures. Everything is
// passed on to the real one but for syncs, which take time and prove nothing here: what they would have made
// durable is recorded.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace tandem::test {

inline std::string contents_of(const std::string& path) {
  std::string contents(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(contents.data(), static_cast<std::streamsize>(contents.size()));
  return contents;
}

/// In place: some file systems sync a file that is truncated to nothing and written anew.
inline void set_contents(const std::string& path, const std::string& contents) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  if (!file) file.open(path, std::ios::binary | std::ios::out);
  file << contents << std::flush;
  std::filesystem::resize_file(path, contents.size());
}

/// What a file on a disk may contain after a power failure: all that was synced, and of each sector what was
/// there after any of the writes since.
class DiskFile {
 public:
  explicit DiskFile(std::string contents) : durable_(std::move(contents)) {}

  void write(std::size_t at, std::string data) { changes_.push_back({at, std::move(data), false}); }
  void truncate(std::size_t size) { changes_.push_back({size, {}, true}); }
  void sync() {
    for (const Change& change : changes_) apply(change, durable_);
    changes_.clear();
  }
  std::string current() const {
    std::string whole = durable_;
    for (const Change& change : changes_) apply(change, whole);
    return whole;
  }
  std::string after_power_cut(std::mt19937_64& random) const {
    std::string whole = durable_;
    std::vector<std::size_t> sizes{durable_.size()};
    for (const Change& change : changes_) {
      apply(change, whole);
      sizes.push_back(whole.size());
    }
    const std::size_t size = sizes[random() % sizes.size()];
    std::string torn(size, '\0');
    for (std::size_t at = 0; at < size; at += sector_bytes) keep_sector(torn, at, random() % sizes.size());
    return torn;
  }

 private:
  static constexpr std::size_t sector_bytes = 512;
  struct Change {
    std::size_t at;
    std::string data;
    bool is_truncation;
  };
  static void apply(const Change& change, std::string& contents) {
    if (change.is_truncation) return contents.resize(change.at);
    contents.resize(std::max(contents.size(), change.at + change.data.size()));
    contents.replace(change.at, change.data.size(), change.data);
  }
  /// As it was after that many of the changes.
  void keep_sector(std::string& torn, std::size_t begin, std::size_t changes) const {
    const std::size_t end = std::min(begin + sector_bytes, torn.size());
    const auto copy = [&](const std::string& from, std::size_t at) {
      const std::size_t low = std::max(begin, at);
      const std::size_t high = std::min(end, at + from.size());
      if (low < high) torn.replace(low, high - low, from, low - at, high - low);
    };
    copy(durable_, 0);
    for (std::size_t i = 0; i < changes; ++i)
      if (!changes_[i].is_truncation) copy(changes_[i].data, changes_[i].at);
  }

  std::string durable_;
  std::vector<Change> changes_;
};

enum class Fault : std::uint8_t {
  io_error,
  full,         // as if the file system were full; a sync or an open() fails with an I/O error
  short_write,  // half is written, then it is full
  quota,        // a write finds that the user's quota is used up; others fail with an I/O error
};

/// Counts the calls that may fail: open, write, truncate and sync. Used by one thread.
class FaultyVfs {
 public:
  FaultyVfs() : real_(sqlite3_vfs_find("unix")), vfs_(*real_) {
    vfs_.zName = name_.c_str();
    vfs_.pNext = nullptr;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.pAppData = this;
    vfs_.xOpen = open;
    EXPECT_EQ(sqlite3_vfs_register(&vfs_, 0), SQLITE_OK);
  }
  ~FaultyVfs() { sqlite3_vfs_unregister(&vfs_); }
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;
  const char* name() const { return vfs_.zName; }

  /// The n-th call from now fails, from 1 on; and all after it, if `for_good`, until heal().
  void fail_call(std::uint64_t n, Fault fault, bool for_good = false) {
    failing_call_ = calls_ + n;
    fault_ = fault;
    for_good_ = for_good;
    has_failed_ = false;
  }
  void heal() { failing_call_ = 0; }
  bool has_failed() const { return has_failed_; }
  std::uint64_t calls() const { return calls_; }
  std::uint64_t syncs() const { return syncs_; }

  /// Called before each of these calls.
  void on_call(std::function<void()> hook) { hook_ = std::move(hook); }

  /// Fills `image` with what may be left of `folder` if the power fails now. Files that are not SQLite's are
  /// copied.
  void cut_power(const std::string& folder, const std::string& image, std::mt19937_64& random) const {
    std::filesystem::remove_all(image);
    std::filesystem::create_directory(image);
    std::filesystem::permissions(image, std::filesystem::perms::owner_all);
    for (const auto& each : std::filesystem::directory_iterator(folder)) {
      std::string contents = contents_of(each.path());
      const auto known = disk_.find(number_of(each.path()));
      const bool is_of_sqlite = known != disk_.end() && known->second.current() == contents;
      if (is_of_sqlite) contents = known->second.after_power_cut(random);
      set_contents(image + "/" + each.path().filename().string(), contents);
    }
  }

 private:
  struct File {
    sqlite3_file base;
    FaultyVfs* vfs;
    DiskFile* disk;  // none for a file that is only read
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  static sqlite3_file* real(sqlite3_file* file) { return of(file).real(); }

  /// Returns whether the call that begins is to fail.
  bool fails() {
    if (hook_) hook_();
    ++calls_;
    const bool now = failing_call_ != 0 && (for_good_ ? calls_ >= failing_call_ : calls_ == failing_call_);
    has_failed_ |= now;
    return now;
  }
  /// Files keep their numbers when they are renamed. A number is used again after its file was removed.
  static ino_t number_of(const std::string& path) {
    struct stat file {};
    EXPECT_EQ(::stat(path.c_str(), &file), 0) << path;
    return file.st_ino;
  }
  DiskFile* disk_of(const std::string& path) {
    DiskFile& file = disk_.try_emplace(number_of(path), "").first->second;
    const std::string contents = contents_of(path);
    if (file.current() != contents) file = DiskFile(contents);
    return &file;
  }

  static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out) {
    auto& self = *static_cast<FaultyVfs*>(vfs->pAppData);
    File& opened = of(file);
    opened.base.pMethods = nullptr;
    if (self.fails()) return SQLITE_CANTOPEN;
    const int code = self.real_->xOpen(self.real_, name, opened.real(), flags, out);
    if (code != SQLITE_OK) return code;
    opened.base.pMethods = methods();
    opened.vfs = &self;
    const bool writes = (flags & SQLITE_OPEN_READONLY) == 0;
    opened.disk = writes ? self.disk_of(name) : nullptr;
    return SQLITE_OK;
  }
  static int close(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }
  static int read(sqlite3_file* file, void* to, int count, sqlite3_int64 at) {
    return real(file)->pMethods->xRead(real(file), to, count, at);
  }
  static int write(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
    FaultyVfs& self = *of(file).vfs;
    if (!self.fails()) return pass_on(file, from, count, at);
    if (self.fault_ == Fault::io_error || self.fault_ == Fault::quota) return SQLITE_IOERR_WRITE;
    if (self.fault_ == Fault::short_write) pass_on(file, from, count / 2, at);
    return SQLITE_FULL;
  }
  static int pass_on(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
    of(file).disk->write(static_cast<std::size_t>(at),
                         std::string(static_cast<const char*>(from), static_cast<std::size_t>(count)));
    return real(file)->pMethods->xWrite(real(file), from, count, at);
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (of(file).vfs->fails()) return SQLITE_IOERR_TRUNCATE;
    of(file).disk->truncate(static_cast<std::size_t>(size));
    return real(file)->pMethods->xTruncate(real(file), size);
  }
  static int sync(sqlite3_file* file, int) {
    if (of(file).vfs->fails()) return SQLITE_IOERR_FSYNC;
    ++of(file).vfs->syncs_;
    of(file).disk->sync();
    return SQLITE_OK;
  }
  static int file_size(sqlite3_file* file, sqlite3_int64* size) {
    return real(file)->pMethods->xFileSize(real(file), size);
  }
  static int lock(sqlite3_file* file, int level) { return real(file)->pMethods->xLock(real(file), level); }
  static int unlock(sqlite3_file* file, int level) {
    return real(file)->pMethods->xUnlock(real(file), level);
  }
  static int check_lock(sqlite3_file* file, int* is_locked) {
    return real(file)->pMethods->xCheckReservedLock(real(file), is_locked);
  }
  static int control(sqlite3_file* file, int op, void* argument) {
    const FaultyVfs& self = *of(file).vfs;
    if (op == SQLITE_FCNTL_LAST_ERRNO && self.has_failed_) {
      *static_cast<int*>(argument) = self.fault_ == Fault::quota ? EDQUOT : EIO;
      return SQLITE_OK;
    }
    return real(file)->pMethods->xFileControl(real(file), op, argument);
  }
  static int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
  static int characteristics(sqlite3_file* file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
  }
  static const sqlite3_io_methods* methods() {
    static constexpr sqlite3_io_methods all = [] {
      sqlite3_io_methods table{};
      table.iVersion = 1;  // without shared memory, which an exclusive lock makes unnecessary
      table.xClose = close;
      table.xRead = read;
      table.xWrite = write;
      table.xTruncate = truncate;
      table.xSync = sync;
      table.xFileSize = file_size;
      table.xLock = lock;
      table.xUnlock = unlock;
      table.xCheckReservedLock = check_lock;
      table.xFileControl = control;
      table.xSectorSize = sector_size;
      table.xDeviceCharacteristics = characteristics;
      return table;
    }();
    return &all;
  }

  const std::string name_ = "tandem-faulty";
  sqlite3_vfs* real_;
  sqlite3_vfs vfs_;
  std::uint64_t calls_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t failing_call_ = 0;  // 0: none
  Fault fault_ = Fault::io_error;
  bool for_good_ = false;
  bool has_failed_ = false;
  std::function<void()> hook_;
  std::map<ino_t, DiskFile> disk_;
};

}  // namespace tandem::test
