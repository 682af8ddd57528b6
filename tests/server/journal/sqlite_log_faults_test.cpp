// The log with SQLite when the disk is not well: calls that fail, bits that flip, files that are cut, and power
// failures. Everything that was acknowledged is read again, or its loss is reported.
#include "server/journal/sqlite_log.hpp"

#include <gtest/gtest.h>

#include "tests/server/journal/faulty_vfs.hpp"
#include "tests/server/journal/sqlite_log_fixture.hpp"

namespace tandem::test {
namespace {

namespace fs = std::filesystem;

// ---- I/O errors -------------------------------------------------------------------------------------------

class SqliteLogFaultTest : public SqliteLogTest {
 protected:
  /// Opens, appends and rotates until everything is done or the log is broken. Returns false if it could not be
  /// opened.
  bool run() {
    try {
      open(over(vfs_));
    } catch (const JournalError&) {
      close();
      return false;
    }
    for (const std::size_t bytes : sizes_) {
      if (broken_) return true;
      const bool sync = log_->tail().batch % 3 != 1;
      step(sync, [&] { return try_append(bytes, sync); });
      if (!broken_ && log_->tail().batch % 3 == 0) step(false, [&] { return log_->rotate(); });
    }
    return true;
  }
  /// What was full is done again when there is room.
  template <class F>
  void step(bool sync, const F& f) {
    AppendStatus status = f();
    for (int attempts = 0; status == AppendStatus::full; ++attempts) {
      was_full_ = true;
      EXPECT_NE(log_->failure(), "");
      for (const std::string& name : names()) EXPECT_FALSE(name.ends_with(".part")) << name;
      ASSERT_LT(attempts, 4);
      if (attempts == 3) vfs_.heal();
      status = f();
    }
    if (status == AppendStatus::broken) return expect_broken();
    if (sync) safe_ = log_->tail().batch;
  }
  void expect_broken() {
    broken_ = true;
    const std::uint64_t syncs = vfs_.syncs();
    const std::string why = log_->failure();
    const LogPosition tail = log_->tail();
    EXPECT_EQ(log_->append({tail.batch + 1, tail.index + 1, tail.index, 0, {}}, true), AppendStatus::broken);
    EXPECT_EQ(log_->rotate(), AppendStatus::broken);
    EXPECT_EQ(log_->failure(), why);
    close();
    EXPECT_EQ(vfs_.syncs(), syncs);
    EXPECT_TRUE(fs::exists(file("suspect")));
  }
  void expect_recovery() {
    vfs_.heal();
    reopen();
    EXPECT_EQ(log_->suspect(), broken_);
    EXPECT_GE(log_->tail().batch, safe_);
    const std::vector<std::uint64_t> numbers = read();
    EXPECT_EQ(numbers, range(1, log_->tail().batch));
    append(10);
    EXPECT_EQ(read().size(), numbers.size() + 1);
    if (!broken_) return;
    log_->clear_suspect();
    EXPECT_FALSE(log_->suspect());
    reopen();
    EXPECT_FALSE(log_->suspect());
  }
  void start_anew() {
    close();
    fs::remove_all(folder_);
    history_ = BatchHistory();
    safe_ = 0;
    broken_ = false;
    was_full_ = false;
  }

  void fail_calls(Fault fault, bool for_good, std::uint64_t step) {
    bool has_failed = true;
    for (std::uint64_t n = 1; has_failed && !HasFailure(); n += step) {
      SCOPED_TRACE("call " + std::to_string(n));
      start_anew();
      vfs_.fail_call(n, fault, for_good);
      const bool opened = run();
      has_failed = vfs_.has_failed();
      EXPECT_TRUE(opened || has_failed);
      times_full_ += was_full_ ? 1 : 0;
      times_broken_ += broken_ ? 1 : 0;
      expect_recovery();
    }
  }

  FaultyVfs vfs_;
  std::vector<std::size_t> sizes_{300, 0, 3000, 10, 300, 300, 10, 10};
  std::uint64_t safe_ = 0;  // the last batch of an append with sync that returned ok
  bool broken_ = false;
  bool was_full_ = false;
  int times_full_ = 0;
  int times_broken_ = 0;
};

TEST_F(SqliteLogFaultTest, AnyCallMayFail) {
  for (const bool for_good : {false, true}) fail_calls(Fault::io_error, for_good, 1);
  EXPECT_EQ(times_full_, 0);
  EXPECT_GT(times_broken_, 50);
}

TEST_F(SqliteLogFaultTest, AnyCallMayFindNoRoom) {
  fail_calls(Fault::full, false, 1);
  fail_calls(Fault::short_write, true, 1);
  EXPECT_GT(times_full_, 50);
  fail_calls(Fault::quota, false, 7);
  EXPECT_GT(times_full_, 60);
}

/// SQLite writes a part of such a batch before it is committed.
TEST_F(SqliteLogFaultTest, AnyCallOfALongBatchMayFail) {
  sizes_ = {10, 3 * mebibyte, 10};
  fail_calls(Fault::io_error, false, 97);
  EXPECT_GT(times_broken_, 10);
  for (const bool for_good : {false, true}) fail_calls(Fault::short_write, for_good, 97);
  EXPECT_GT(times_full_, 20);
}

// ---- all kinds of damage ----------------------------------------------------------------------------------

class SqliteLogDamageTest : public SqliteLogTest {
 protected:
  /// 100 batches in two files.
  void write_log() {
    open(witness_every_time());
    for (int i = 0; i < 100; ++i) {
      append(static_cast<std::size_t>(i) % 50, true, static_cast<std::uint64_t>(i) % 3);
      if (i == 40) rotate();
    }
    close();
  }
  /// A file without batches shows all of a database, which the WAL's newer pages hide else.
  void leave_an_empty_file() {
    open(witness_every_time());
    rotate();
    trim(history_.size() + 1);
    close();
    ASSERT_EQ(generation_files().size(), 2u);
  }
  /// Reads everything: the right batches, and all of them or those before a reported damage.
  void expect_no_silent_loss(const std::string& what) {
    std::uint64_t last = 0;
    try {
      open();
      last = log_->first_batch() - 1;
      log_->read(1, [&](const Batch& batch) {
        EXPECT_EQ(batch.number, ++last) << what;
        EXPECT_TRUE(history_.has(batch)) << what << ", batch " << batch.number;
        return true;
      });
      EXPECT_EQ(last, history_.size()) << what;
      ++found_good_;
    } catch (const JournalDamaged&) {
      ++found_damaged_;
    } catch (const std::exception& error) {
      ADD_FAILURE() << what << ": " << error.what();
    }
    close();
  }
  void with_flipped_bit(const std::string& name, std::size_t bit) {
    if (HasFailure()) return;
    flip_bit(file(name), bit / 8, static_cast<int>(bit % 8));
    expect_no_silent_loss("bit " + std::to_string(bit) + " of " + name);
    flip_bit(file(name), bit / 8, static_cast<int>(bit % 8));
  }
  void flip_every_bit(const std::string& name) {
    for (std::size_t bit = 0; bit < 8 * fs::file_size(file(name)); ++bit) with_flipped_bit(name, bit);
  }
  void flip_some_bits(const std::string& name, int samples) {
    for (int i = 0; i < samples; ++i) with_flipped_bit(name, random_() % (8 * fs::file_size(file(name))));
  }
  /// Not of the zeros that fill most of a database.
  std::vector<std::size_t> bits_in_use(const std::string& name) const {
    const std::string contents = contents_of(file(name));
    std::vector<std::size_t> bits;
    for (std::size_t at = 0; at < contents.size(); ++at)
      for (std::size_t bit = 0; contents[at] != 0 && bit < 8; ++bit) bits.push_back(8 * at + bit);
    return bits;
  }
  void cut_file(const std::string& name, std::size_t size) {
    const std::string before = contents_of(file(name));
    if (size >= before.size()) return;
    fs::resize_file(file(name), size);
    expect_no_silent_loss(name + " cut to " + std::to_string(size));
    set_contents(file(name), before);
  }
  void cut_file_anywhere(const std::string& name, std::size_t samples) {
    const std::size_t bytes = fs::file_size(file(name));
    for (std::size_t i = 0; i < std::min(bytes, samples) && !HasFailure(); ++i)
      cut_file(name, bytes <= samples ? i : random_() % bytes);
  }
  /// Around the ends of some pages or frames.
  void cut_file_at_ends(const std::string& name, std::size_t begin, std::size_t step) {
    const std::size_t bytes = fs::file_size(file(name));
    for (std::size_t at = begin; at <= bytes && !HasFailure(); at += step * (1 + random_() % 5))
      for (const std::size_t size : {at - 1, at, at + 1}) cut_file(name, size);
  }
  void append_if_possible() {
    try {
      open(witness_every_time());
      if (try_append() != AppendStatus::ok) history_.forget_after(100);
    } catch (const JournalDamaged&) {
    }
    close();
  }
  std::vector<std::string> generation_files() const {
    std::vector<std::string> all;
    for (const std::string& name : names())
      if (name.starts_with("journal-")) all.push_back(name);
    return all;
  }

  std::mt19937_64 random_{7};
  int found_good_ = 0;
  int found_damaged_ = 0;
};

TEST_F(SqliteLogDamageTest, AnyBitMayFlip) {
  write_log();
  flip_every_bit("store");
  EXPECT_EQ(found_good_, 0);
  flip_every_bit("tail");
  EXPECT_EQ(found_good_, 2 * 32 * 8);  // the other slot is good
  for (const std::string& name : generation_files()) flip_some_bits(name, 400);
  EXPECT_GT(found_damaged_, 800);
}

TEST_F(SqliteLogDamageTest, AnyBitOfADatabaseMayFlip) {
  write_log();
  leave_an_empty_file();
  const std::string name = generation_files().front();
  for (const std::size_t bit : bits_in_use(name)) with_flipped_bit(name, bit);
  flip_some_bits(name, 300);
  EXPECT_GT(found_damaged_, found_good_);
}

TEST_F(SqliteLogDamageTest, WhatIsAppendedToADamagedDatabaseIsReadOrRefused) {
  write_log();
  leave_an_empty_file();
  const std::string name = generation_files().front();
  const std::vector<std::size_t> bits = bits_in_use(name);
  const std::string original = folder_;
  folder_ = temporary_.path("copy");
  for (std::size_t i = random_() % 8; i < bits.size() && !HasFailure(); i += 1 + random_() % 8) {
    fs::remove_all(folder_);
    fs::copy(original, folder_);
    fs::permissions(folder_, fs::perms::owner_all);
    flip_bit(file(name), bits[i] / 8, static_cast<int>(bits[i] % 8));
    history_.forget_after(100);
    append_if_possible();
    expect_no_silent_loss("bit " + std::to_string(bits[i]));
  }
  EXPECT_GT(found_good_, 20);
}

TEST_F(SqliteLogDamageTest, AnyByteMayBeTheLast) {
  write_log();
  cut_file_anywhere("store", SIZE_MAX);
  EXPECT_EQ(found_good_, 0);
  cut_file_anywhere("tail", SIZE_MAX);
  EXPECT_EQ(found_good_, 32);
  for (const std::string& name : generation_files()) {
    cut_file_anywhere(name, 150);
    if (name.ends_with("wal")) cut_file_at_ends(name, 32, 24 + 1024);
    else cut_file_at_ends(name, 1024, 1024);
  }
}

// ---- power failures ---------------------------------------------------------------------------------------

class SqliteLogPowerTest : public SqliteLogTest {
 protected:
  /// Of what is there now, one out of `one_in` times.
  void maybe_cut_power(unsigned one_in) {
    remember_witness();
    if (random_() % one_in != 0 || HasFailure()) return;
    const std::string image = temporary_.path("image");
    vfs_.cut_power(folder_, image, random_);
    // The witness is never synced, so an older one may be left.
    if (!witnesses_.empty() && random_() % 2 == 0)
      set_contents(image + "/tail", witnesses_[random_() % witnesses_.size()]);
    expect_all_safe(image);
    ++cuts_;
  }
  void remember_witness() {
    if (log_ == nullptr) return;
    const std::string now = contents_of(file("tail"));
    if (witnesses_.empty() || witnesses_.back() != now) witnesses_.push_back(now);
  }
  void expect_all_safe(const std::string& image) {
    try {
      const auto log = SqliteLog::open(image, Mode::use);
      std::uint64_t last = log->first_batch() - 1;
      log->read(1, [&](const Batch& batch) {
        EXPECT_EQ(batch.number, ++last);
        EXPECT_TRUE(history_.has(batch)) << "batch " << batch.number;
        return true;
      });
      EXPECT_GE(last, safe_);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what() << "; safe: " << safe_;
    }
  }
  void append_some(bool sync) {
    append(random_() % 50 == 0 ? mebibyte + random_() % mebibyte : random_() % 3000, sync, random_() % 4);
    if (sync) safe_ = log_->tail().batch;
  }

  FaultyVfs vfs_;
  std::mt19937_64 random_{11};
  std::uint64_t safe_ = 0;
  std::vector<std::string> witnesses_;
  int cuts_ = 0;
};

TEST_F(SqliteLogPowerTest, WhatIsSyncedSurvives) {
  vfs_.on_call([&] { maybe_cut_power(log_ == nullptr ? 1 : 48); });
  open(over(vfs_));
  for (int i = 0; i < 200 && !HasFailure(); ++i) {
    append_some(random_() % 3 != 0);
    if (i % 60 == 59) rotate();
    if (i == 150) trim(100);
    if (i % 40 == 0) reopen(over(vfs_));
  }
  EXPECT_GT(cuts_, 200);
}

}  // namespace
}  // namespace tandem::test
