// The log with SQLite: what was appended is read again, and what is missing or changed is reported.
#include "server/journal/sqlite_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "server/journal/checksum.hpp"
#include "server/journal/sqlite.hpp"
#include "tests/server/journal/sqlite_log_fixture.hpp"
#include "tests/support/child.hpp"

namespace tandem::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// ---- appending and reading --------------------------------------------------------------------------------

TEST_F(SqliteLogTest, ANewOneIsEmpty) {
  open();
  EXPECT_EQ(log_->tail(), LogPosition());
  EXPECT_EQ(log_->first_batch(), 1u);
  EXPECT_NE(log_->store(), server::StoreId());
  EXPECT_FALSE(log_->suspect());
  expect_all();
}

TEST_F(SqliteLogTest, WhatWasAppendedIsReadAgain) {
  open();
  const server::StoreId store = log_->store();
  for (int i = 0; i < 5; ++i) {
    append(100, i % 2 == 0);
    append(5000, i % 3 == 0, 7);
    const LogPosition tail = log_->tail();
    expect_all();
    reopen();
    EXPECT_EQ(log_->tail(), tail);
    EXPECT_EQ(log_->store(), store);
  }
  expect_all();
}

TEST_F(SqliteLogTest, BatchesMayBeEmptyAndLong) {
  open();
  for (const std::uint64_t inputs : {1u, 0u, 0u, 3u, 0u}) append(0, true, inputs);
  for (const std::size_t bytes : {3 * mebibyte + 5, mebibyte, mebibyte - 1, mebibyte + 1, 2 * mebibyte})
    append(bytes);
  append(10);
  expect_all();
  reopen();
  expect_all();
}

TEST_F(SqliteLogTest, ReadsFromAnyBatchAsFarAsIsWanted) {
  open();
  for (int i = 0; i < 20; ++i) {
    append(i % 4 == 0 ? mebibyte : 10);
    if (i % 8 == 7) rotate();
  }
  for (std::uint64_t from = 0; from <= 22; ++from)
    EXPECT_EQ(read(from), range(std::max<std::uint64_t>(from, 1), 20));
  EXPECT_EQ(read(7, 4), range(7, 10));
}

TEST_F(SqliteLogTest, WhatWasAppendedSurvivesTheEndOfTheProcess) {
  open();
  append_many(3);
  close();
  for (int i = 0; i < 5; ++i) history_.after(history_.size(), 100, 2);
  Child child([&] {
    open();
    for (std::uint64_t number = 4; number <= 8; ++number)
      ASSERT_EQ(log_->append(history_[number], false), AppendStatus::ok);
    log_.release();  // NOLINT: nothing is closed
  });
  ASSERT_EQ(child.join(), 0);
  open();
  expect_all();
}

TEST_F(SqliteLogTest, TwoLogsWithTheSameBatchesHaveTheSameChain) {
  open();
  append_many(3);
  const LogPosition tail = log_->tail();
  close();
  folder_ = temporary_.path("other");
  history_ = BatchHistory();
  open();
  append_many(2);
  EXPECT_NE(log_->tail(), tail);
  append();
  EXPECT_EQ(log_->tail(), tail);
  history_.forget_after(2);
  history_.diverge();
  reopen();
}

// ---- generations ------------------------------------------------------------------------------------------

TEST_F(SqliteLogTest, GoesOnInANewFile) {
  open();
  append_many(3);
  rotate();
  EXPECT_TRUE(fs::exists(database(7)));
  append_many(2);
  rotate();
  expect_all();
  append();
  expect_all();
  reopen();
  append();
  expect_all();
  EXPECT_THAT(names(), testing::IsSupersetOf({"store", "tail", "lock"}));
  EXPECT_EQ(names().size(), 3u + 3 * 2);
}

TEST_F(SqliteLogTest, AFileWithoutInputsIsNotEnded) {
  open();
  rotate();
  append(10, true, 0);
  rotate();
  EXPECT_FALSE(fs::exists(database(2)));
  append();
  rotate();
  rotate();
  append(10, true, 0);
  rotate();
  reopen();
  expect_all();
  EXPECT_EQ(names().size(), 3u + 2 * 2);
}

TEST_F(SqliteLogTest, TrimsFilesWhollyBeforeABatch) {
  open();
  for (int i = 0; i < 3; ++i) {
    append_many(3);
    rotate();
  }
  trim(3);
  EXPECT_EQ(log_->first_batch(), 1u);
  trim(4);
  EXPECT_EQ(log_->first_batch(), 4u);
  EXPECT_FALSE(fs::exists(database(1)) || fs::exists(wal(1)));
  trim(100);
  EXPECT_EQ(log_->first_batch(), 10u);
  const LogPosition tail = log_->tail();
  reopen();
  EXPECT_EQ(log_->tail(), tail);
  expect_all();
  append();
  expect_all();
}

TEST_F(SqliteLogTest, CountsBytes) {
  open();
  const std::uint64_t before = log_->bytes();
  append(mebibyte);
  rotate();
  EXPECT_GE(log_->bytes(), before + mebibyte);
  trim(2);
  EXPECT_LT(log_->bytes(), before + mebibyte);
  EXPECT_GT(log_->free_bytes(), 0u);
}

TEST_F(SqliteLogTest, AnUnsyncedEndIsSyncedBeforeTheNextFileBegins) {
  FaultyVfs vfs;
  open(over(vfs));
  append(10, false);
  std::mt19937_64 random(1);
  vfs.on_call([&] {
    if (names().contains(fs::path(database(3)).filename().string()))
      vfs.cut_power(folder_, temporary_.path("image"), random);
  });
  rotate();
  vfs.on_call({});
  go_on_in("image");
  open();
  expect_all();
}

// ---- the folder -------------------------------------------------------------------------------------------

TEST_F(SqliteLogTest, ASecondOpenerIsRefused) {
  open();
  const std::string expected = folder_ + " is in use by process " + std::to_string(::getpid());
  const auto error_here = [&](Mode mode) {
    return error_of<JournalError>([&] { SqliteLog::open(folder_, mode); });
  };
  EXPECT_THAT(error_here(Mode::use), HasSubstr(expected));
  EXPECT_THAT(error_here(Mode::look), HasSubstr(expected));
  // The refused ones have not ended the lock.
  const auto refused = [&] {
    EXPECT_THAT(error_here(Mode::use), HasSubstr(expected));
    EXPECT_THAT(error_here(Mode::look), HasSubstr(expected));
  };
  EXPECT_EQ(Child(refused).join(), 0);
  close();
  EXPECT_EQ(Child([&] { open(); }).join(), 0);
  open();
}

TEST_F(SqliteLogTest, AForkedChildDoesNotKeepTheFolderInUse) {
  open();
  append();
  Signal may_end;
  Child child([&] {
    may_end.wait();
    log_.release();  // NOLINT: a child must not use it
  });
  reopen();
  expect_all();
  may_end.send();
}

TEST_F(SqliteLogTest, NamesOfPathsMayContainAnything) {
  folder_ = temporary_.path("a %41?b=c#d \"e'é");
  open();
  append_many(2);
  rotate();
  reopen();
  expect_all();
}

TEST_F(SqliteLogTest, EverythingIsForThisUserAlone) {
  const mode_t before = ::umask(0);
  open();
  append();
  rotate();
  append();
  ::umask(before);
  EXPECT_EQ(fs::status(folder_).permissions(), fs::perms::owner_all);
  for (const std::string& name : names())
    EXPECT_EQ(fs::status(file(name)).permissions(), fs::perms::owner_read | fs::perms::owner_write) << name;
}

TEST_F(SqliteLogTest, AFolderThatOthersCanUseIsRefused) {
  fs::create_directory(folder_);
  for (const fs::perms others : {fs::perms::group_read, fs::perms::others_exec, fs::perms::group_write}) {
    fs::permissions(folder_, fs::perms::owner_all | others);
    EXPECT_THAT(error_of<JournalError>([&] { open(); }), HasSubstr("run chmod 700 " + folder_));
  }
  fs::permissions(folder_, fs::perms::owner_all);
  open();
}

TEST_F(SqliteLogTest, AFolderOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  fs::create_directory(folder_);
  fs::permissions(folder_, fs::perms::owner_all);
  ASSERT_EQ(::chown(folder_.c_str(), 12345, 12345), 0);
  EXPECT_THAT(error_of<JournalError>([&] { open(); }), HasSubstr("belongs to user 12345"));
}

TEST_F(SqliteLogTest, AFolderThatCannotBeMadeIsRefused) {
  folder_ = temporary_.path("missing/journal");
  EXPECT_THAT(error_of<JournalError>([&] { open(); }), HasSubstr("cannot be created"));
  folder_ = temporary_.path("file");
  set_contents(folder_, "");
  EXPECT_THAT(error_of<JournalError>([&] { open(); }), HasSubstr("is not a folder"));
}

TEST_F(SqliteLogTest, WhatACrashLeftOfANewOrOldFileIsRemoved) {
  open();
  append();
  close();
  const std::set<std::string> before = names();
  for (const char* suffix : {".part", ".part-wal", ".part-journal", "-wal"})
    set_contents(database(99) + suffix, "anything");
  set_contents(file("snapshot-1.tds"), "not the log's");
  open();
  expect_all();
  fs::remove(file("snapshot-1.tds"));
  EXPECT_EQ(names(), before);
}

TEST_F(SqliteLogTest, ACreationThatDidNotEndBeginsAnew) {
  open();
  close();
  fs::rename(file("store"), file("store.part"));
  EXPECT_THAT(error_of<JournalError>([&] { look(); }), HasSubstr("has no journal"));
  for (const char* missing : {"", "tail", "journal-00000000000000000001.db"}) {
    if (*missing != 0) fs::remove(file(missing));
    open();
    append();
    expect_all();
    history_ = BatchHistory();
    close();
    fs::rename(file("store"), file("store.part"));
  }
}

TEST_F(SqliteLogTest, AStoreOfAnotherFormatIsRefused) {
  open();
  close();
  std::string store = contents_of(file("store"));
  store[8] = 2;
  const std::uint64_t sum = server::checksum(wire::as_bytes(store).first(28));
  std::memcpy(store.data() + 28, &sum, sizeof sum);
  set_contents(file("store"), store);
  EXPECT_THAT(error_of<JournalError>([&] { open(); }), HasSubstr("is of format 2"));
}

// ---- the witness ------------------------------------------------------------------------------------------

TEST_F(SqliteLogTest, ALostEndIsReportedUnlessThatIsAccepted) {
  open(witness_every_time());
  append_many(4);
  const std::string shorter = contents_of(wal(1));
  append_many(3);
  close();
  set_contents(wal(1), shorter);
  EXPECT_EQ(damage_when_opened(),
            folder_ +
                ": the journal has lost its end: it ends at input 8 (batch 4), and input 14 "
                "(batch 7) was there; start with --journal-accept-loss to go on without what "
                "is missing");
  EXPECT_THAT(damage_when_opened(), HasSubstr("has lost its end"));  // it is not reported once only
  history_.forget_after(4);
  open(accepting_loss());
  EXPECT_TRUE(log_->has_lost_its_end());
  expect_all();
  reopen();
  EXPECT_FALSE(log_->has_lost_its_end());
  append();
  expect_all();
}

TEST_F(SqliteLogTest, TheWitnessIsWrittenNowAndThenAndAtTheEnd) {
  open(witness_at_close());
  append_many(3);
  const std::string new_one = contents_of(file("tail"));
  copy_to("copy");
  append(10, false);
  close();
  EXPECT_NE(contents_of(file("tail")), new_one);
  fs::resize_file(wal(1), 0);
  EXPECT_THAT(damage_when_opened(), HasSubstr("input 6 (batch 3) was there"));
  go_on_in("copy");
  fs::resize_file(wal(1), 0);  // which nothing shows
  history_ = BatchHistory();
  open();
  expect_all();
}

TEST_F(SqliteLogTest, AWitnessOfOtherBatchesIsDamage) {
  open(witness_every_time());
  append_many(3);
  copy_to("copy");
  append_many(2);
  const std::string tail = contents_of(file("tail"));
  go_on_in("copy");
  history_.forget_after(3);
  history_.diverge();
  open();
  append_many(3);
  close();
  set_contents(file("tail"), tail);
  EXPECT_THAT(damage_when_opened(), HasSubstr("batch 5 is another one than was synced"));
  EXPECT_THAT(damage_when_opened(accepting_loss()), HasSubstr("batch 5 is another one"));
  look();
  EXPECT_THAT(damage_when_read(), HasSubstr("batch 5 is another one"));
}

TEST_F(SqliteLogTest, AWitnessOfOtherBatchesInAFileBeforeIsFoundByReading) {
  open(witness_every_time());
  append_many(3);
  copy_to("copy");
  append_many(2);
  const std::string tail = contents_of(file("tail"));
  go_on_in("copy");
  history_.forget_after(3);
  history_.diverge();
  open();
  append_many(3);
  rotate();
  append();
  close();
  set_contents(file("tail"), tail);
  open();
  EXPECT_THAT(damage_when_read(), HasSubstr("batch 5 is another one"));
}

TEST_F(SqliteLogTest, AMissingWitnessIsDamage) {
  open();
  append();
  close();
  fs::remove(file("tail"));
  EXPECT_THAT(damage_when_opened(), HasSubstr("tail: is missing; `tandem journal verify " + folder_ + "`"));
  open(accepting_loss());
  EXPECT_TRUE(log_->has_lost_its_end());
  reopen();
  expect_all();
}

TEST_F(SqliteLogTest, TheWitnessOfAnotherStoreIsDamage) {
  open();
  append();
  close();
  const std::string tail = contents_of(file("tail"));
  folder_ = temporary_.path("other");
  open();
  append();
  close();
  set_contents(file("tail"), tail);
  EXPECT_THAT(damage_when_opened(), HasSubstr("or that of another journal"));
}

// ---- damage -----------------------------------------------------------------------------------------------

TEST_F(SqliteLogTest, MissingFilesAreFound) {
  open();
  for (int i = 0; i < 3; ++i) {
    append_many(2);
    if (i < 2) rotate();
  }
  close();
  copy_to("middle");
  copy_to("wal");
  copy_to("store");
  fs::remove(database(9));
  EXPECT_THAT(damage_when_opened(), HasSubstr("has lost its end: it ends at input 8 (batch 4), and"));
  fs::remove(database(5));
  fs::remove(database(1));
  EXPECT_THAT(damage_when_opened(), HasSubstr("no file of its log is there"));
  go_on_in("middle");
  fs::remove(database(5));
  open();
  EXPECT_THAT(damage_when_read(),
              HasSubstr(database(9) + ": it begins behind input 8 (batch 4), and the file "
                                      "before it ends at input 4 (batch 2)"));
  go_on_in("wal");
  fs::remove(wal(5));
  open();
  EXPECT_THAT(damage_when_read(), HasSubstr(database(9) + ": it begins behind input 8"));
  EXPECT_FALSE(fs::exists(wal(5)));
  go_on_in("store");
  fs::remove(file("store"));
  EXPECT_THAT(damage_when_opened(), HasSubstr("store: is missing"));
}

TEST_F(SqliteLogTest, AnEmptyFileIsNoNewLog) {
  open();
  append();
  close();
  fs::resize_file(database(1), 0);
  const auto before = everything();
  EXPECT_THAT(damage_when_opened(), HasSubstr(database(1)));
  EXPECT_THAT(damage_when_opened(accepting_loss()), HasSubstr(database(1)));
  EXPECT_EQ(everything(), before);
}

TEST_F(SqliteLogTest, AFileOfAnotherLogIsFound) {
  open();
  append_many(2);
  rotate();
  close();
  const std::string others = contents_of(database(5));
  folder_ = temporary_.path("other");
  open();
  append_many(2);
  rotate();
  close();
  set_contents(database(5), others);
  EXPECT_THAT(damage_when_opened(), HasSubstr("it belongs to another journal"));
  fs::rename(database(5), database(3));
  EXPECT_THAT(damage_when_opened(), HasSubstr("it begins with input 5, unlike its name says"));
}

TEST_F(SqliteLogTest, AChangedBatchIsFound) {
  open();
  append_many(5);
  close();
  {
    server::Database database(this->database(1), SQLITE_OPEN_READWRITE, "unix");
    database.run("PRAGMA locking_mode = EXCLUSIVE; UPDATE log SET engine_us = engine_us + 1 WHERE batch = 3");
  }
  open();
  EXPECT_THAT(damage_when_read(), HasSubstr("batch 3, from input 5 on: it is not what was written"));
  EXPECT_EQ(read(4), range(4, 5));
}

// ---- tools ------------------------------------------------------------------------------------------------

TEST_F(SqliteLogTest, LookingChangesNothing) {
  EXPECT_THAT(error_of<JournalError>([&] { look(); }), HasSubstr(folder_));
  EXPECT_FALSE(fs::exists(folder_));
  open();
  append_many(3);
  rotate();
  append_many(3);
  close();
  set_contents(file("suspect"), "");
  set_contents(database(99) + ".part", "left by a crash");
  fs::copy_file(database(7), temporary_.path("saved"));
  const auto before = everything();
  look();
  EXPECT_EQ(log_->tail().batch, 6u);
  EXPECT_TRUE(log_->suspect());
  expect_all();
  close();
  EXPECT_EQ(everything(), before);
  fs::remove(file("lock"));
  fs::remove(wal(7));
  look();
  EXPECT_EQ(log_->tail().batch, 3u);
  EXPECT_THAT(damage_when_read(), HasSubstr("has lost its end"));
  close();
  EXPECT_FALSE(fs::exists(file("lock")) || fs::exists(wal(7)));
}

TEST_F(SqliteLogTest, LookingShowsWhatIsBeforeTheDamage) {
  open();
  for (int i = 0; i < 3; ++i) {
    append_many(2);
    if (i < 2) rotate();
  }
  close();
  fs::resize_file(database(5), 100);
  EXPECT_THAT(damage_when_opened(), HasSubstr(database(5)));
  look();
  std::uint64_t last = 0;
  EXPECT_THROW(log_->read(1,
                          [&](const Batch& batch) {
                            last = batch.number;
                            return true;
                          }),
               JournalDamaged);
  EXPECT_EQ(last, 2u);
  EXPECT_EQ(log_->tail().batch, 6u);
}

TEST_F(SqliteLogTest, CutsAtAnyBatch) {
  open();
  for (int i = 0; i < 12; ++i) {
    append(i == 5 ? mebibyte : 10);
    if (i % 4 == 3) rotate();
  }
  append(10, true, 0);
  for (std::uint64_t batch = 14; batch > 0; --batch) {
    log_->cut(batch);
    history_.forget_after(batch - 1);
    expect_all();
    reopen();
    expect_all();
  }
  append_many(3);
  rotate();
  append();
  reopen();
  expect_all();
}

TEST_F(SqliteLogTest, IsSyncedWhileOthersAppend) {
  open();
  append(100, false);
  std::optional<server::SyncApart> sync = log_->begin_sync();
  ASSERT_TRUE(sync);
  EXPECT_EQ(sync->position, log_->tail());
  append(100, false);
  EXPECT_TRUE(sync->run());
  log_->end_sync(*sync, true);
  append(100, false);
  sync = log_->begin_sync();
  rotate();  // and is synced by that
  append(100, false);
  EXPECT_TRUE(sync->run());
  log_->end_sync(*sync, true);
  sync = log_->begin_sync();
  EXPECT_TRUE(sync->run());
  log_->end_sync(*sync, true);
  EXPECT_FALSE(log_->begin_sync());  // there is nothing to sync
  reopen();
  expect_all();
}

TEST_F(SqliteLogTest, ASyncThatFailedIsTheEnd) {
  open();
  append(100, false);
  const std::optional<server::SyncApart> sync = log_->begin_sync();
  ASSERT_TRUE(sync);
  log_->end_sync(*sync, false);
  EXPECT_EQ(try_append(), AppendStatus::broken);
  EXPECT_THAT(log_->failure(), HasSubstr("syncing"));
  EXPECT_TRUE(fs::exists(file("suspect")));
}

TEST_F(SqliteLogTest, CutsWhatIsDamaged) {
  open();
  for (int i = 0; i < 3; ++i) {
    append_many(4);
    if (i < 2) rotate();
  }
  close();
  constexpr std::uintmax_t header_bytes = 32, frame_bytes = 24 + 1024;
  flip_bit(wal(9), header_bytes + 2 * frame_bytes + frame_bytes / 2);
  flip_bit(file("store"), 20);
  fs::resize_file(database(17), 0);
  fs::remove(file("tail"));
  EXPECT_THAT(damage_when_opened(), HasSubstr("store: is damaged"));
  look();
  EXPECT_THAT(damage_when_read(), HasSubstr(database(17)));
  const std::uint64_t end = log_->tail().batch;
  EXPECT_TRUE(end >= 4 && end < 8) << end;
  log_->cut(end + 1);
  history_.forget_after(end);
  expect_all();
  reopen();
  append();
  expect_all();
}

TEST_F(SqliteLogTest, CutsAfterTrimming) {
  open();
  append_many(4);
  rotate();
  append_many(4);
  trim(5);
  log_->cut(1);
  history_.forget_after(4);
  EXPECT_EQ(log_->tail().batch, 4u);
  expect_all();
  append();
  reopen();
  expect_all();
}

}  // namespace
}  // namespace tandem::test
