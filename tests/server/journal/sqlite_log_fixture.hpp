#pragma once
// A log with SQLite in a folder of its own, for tests, and what should be in it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "server/journal/sqlite_log.hpp"
#include "tandem/error.hpp"
#include "tests/server/journal/faulty_vfs.hpp"
#include "tests/support/error_of.hpp"

namespace tandem::test {

inline constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// The batches of one log, numbered from 1, whose contents follow from their numbers and sizes.
class BatchHistory {
 public:
  /// The one that follows number `last`.
  const server::Batch& after(std::uint64_t last, std::size_t body_bytes, std::uint64_t inputs) {
    forget_after(last);
    const std::uint64_t first = last == 0 ? 1 : all_.back().batch.last + 1;
    Made& made = all_.emplace_back();
    std::mt19937_64 random(last + salt_);
    made.body.resize(body_bytes);
    for (std::size_t i = 0; i < body_bytes; i += 1 + i / 100) made.body[i] = static_cast<char>(random());
    made.batch = {last + 1, first, first + inputs - 1, random() % 1000, wire::as_bytes(made.body)};
    return made.batch;
  }
  /// Further batches differ from those of another history.
  void diverge() { ++salt_; }
  void forget_after(std::uint64_t last) { all_.resize(last); }
  std::uint64_t size() const { return all_.size(); }
  const server::Batch& operator[](std::uint64_t number) const { return all_[number - 1].batch; }
  bool has(const server::Batch& batch) const {
    if (batch.number == 0 || batch.number > size()) return false;
    const server::Batch& made = (*this)[batch.number];
    return batch.first == made.first && batch.last == made.last && batch.engine_us == made.engine_us &&
           std::equal(batch.body.begin(), batch.body.end(), made.body.begin(), made.body.end());
  }

 private:
  struct Made {
    server::Batch batch;
    std::string body;
  };
  std::deque<Made> all_;  // a body never moves
  std::uint64_t salt_ = 0;
};

/// A folder that is removed at the end: in memory if there is such a file system, since a busy disk takes long
/// to sync.
class MemoryFolder {
 public:
  MemoryFolder() {
    std::string pattern =
        ::access("/dev/shm", W_OK) == 0 ? "/dev/shm/tandem-test-XXXXXX" : "/tmp/tandem-test-XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~MemoryFolder() { std::filesystem::remove_all(path_); }
  MemoryFolder(const MemoryFolder&) = delete;
  MemoryFolder& operator=(const MemoryFolder&) = delete;
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class SqliteLogTest : public ::testing::Test {
 protected:
  using AppendStatus = server::AppendStatus;
  using Batch = server::Batch;
  using LogPosition = server::LogPosition;
  using SqliteLog = server::SqliteLog;
  using Mode = SqliteLog::Mode;

  static SqliteLog::Options witness_every_time() {
    return {.witness_interval = std::chrono::milliseconds(0)};
  }
  static SqliteLog::Options witness_at_close() { return {.witness_interval = std::chrono::hours(1'000'000)}; }
  static SqliteLog::Options accepting_loss() { return {.accept_loss = true}; }
  static SqliteLog::Options over(const FaultyVfs& vfs) {
    return {.witness_interval = std::chrono::milliseconds(0), .vfs = vfs.name()};
  }

  void open(SqliteLog::Options options = {}) {
    options.room_ahead_bytes = 10'000;  // files are small, and are extended often
    log_ = SqliteLog::open(folder_, Mode::use, options);
  }
  void look() { log_ = SqliteLog::open(folder_, Mode::look); }
  void close() { log_.reset(); }
  void reopen(const SqliteLog::Options& options = {}) {
    close();
    open(options);
  }

  AppendStatus try_append(std::size_t body_bytes = 100, bool sync = true, std::uint64_t inputs = 2) {
    return log_->append(history_.after(log_->tail().batch, body_bytes, inputs), sync);
  }
  void append(std::size_t body_bytes = 100, bool sync = true, std::uint64_t inputs = 2) {
    ASSERT_EQ(try_append(body_bytes, sync, inputs), AppendStatus::ok) << log_->failure();
  }
  void append_many(int count) {
    for (int i = 0; i < count; ++i) append();
  }
  void trim(std::uint64_t before) {
    while (log_->trim_one(before)) continue;
  }
  void rotate() { ASSERT_EQ(log_->rotate(), AppendStatus::ok) << log_->failure(); }

  /// The numbers of the batches that are read. Each of them is what was written.
  std::vector<std::uint64_t> read(std::uint64_t from = 1, std::size_t count_max = SIZE_MAX) {
    std::vector<std::uint64_t> numbers;
    log_->read(from, [&](const Batch& batch) {
      EXPECT_TRUE(history_.has(batch)) << "batch " << batch.number;
      numbers.push_back(batch.number);
      return numbers.size() < count_max;
    });
    return numbers;
  }
  static std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t last) {
    std::vector<std::uint64_t> numbers;
    for (; first <= last; ++first) numbers.push_back(first);
    return numbers;
  }
  void expect_all() {
    EXPECT_EQ(read(), range(log_->first_batch(), history_.size()));
    EXPECT_EQ(log_->tail().batch, history_.size());
    EXPECT_EQ(log_->tail().index, history_.size() == 0 ? 0 : history_[history_.size()].last);
  }
  std::string damage_when_opened(const SqliteLog::Options& options = {}) {
    close();
    return error_of<JournalDamaged>([&] { open(options); });
  }
  std::string damage_when_read() {
    return error_of<JournalDamaged>([&] { read(); });
  }

  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  std::string database(std::uint64_t first_index) const {
    std::string digits = std::to_string(first_index);
    return file("journal-" + std::string(20 - digits.size(), '0') + digits + ".db");
  }
  std::string wal(std::uint64_t first_index) const { return database(first_index) + "-wal"; }
  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& each : std::filesystem::directory_iterator(folder_)) all.insert(each.path().filename());
    return all;
  }
  std::map<std::string, std::string> everything() const {
    std::map<std::string, std::string> all;
    for (const std::string& name : names()) all[name] = contents_of(file(name));
    return all;
  }
  /// What a power failure that loses nothing would leave.
  void copy_to(const std::string& name) const { std::filesystem::copy(folder_, temporary_.path(name)); }
  void go_on_in(const std::string& name) {
    close();
    folder_ = temporary_.path(name);
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
  }
  static void flip_bit(const std::string& path, std::size_t at, int bit = 0) {
    std::fstream stream(path, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekg(static_cast<std::streamoff>(at));
    const int byte = stream.get();
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(static_cast<char>(byte ^ (1 << bit)));
  }

  MemoryFolder temporary_;
  std::string folder_ = temporary_.path("journal");
  BatchHistory history_;
  std::unique_ptr<SqliteLog> log_;
};

}  // namespace tandem::test
