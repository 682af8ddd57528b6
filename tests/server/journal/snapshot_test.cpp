// Snapshots: written, read, distrusted, and used at a start.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "server/journal/checksum.hpp"
#include "server/journal/snapshots.hpp"
#include "tandem/ops/semantics.hpp"
#include "tests/server/journal/journalled_engine.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/program.hpp"

namespace tandem::test {
namespace {

using server::LogPosition;
using server::Recovered;
using server::SnapshotHeader;
using server::SnapshotReader;
using server::Snapshots;
using server::StorageError;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write_all(const std::string& path, std::string_view contents) {
  std::ofstream(path, std::ios::binary) << contents;
}

class SnapshotTest : public ::testing::Test {
 protected:
  static constexpr server::StoreId store{7};

  SnapshotTest() : snapshots_(folder_.path("")) { running_.emplace(log_); }

  /// Random inputs, up to a state with nothing left to free. Returns the number of the batch that led there.
  std::uint64_t go_on(std::uint64_t seed, int steps = 2'000) {
    for (const server::SessionId session : open_sessions()) running_->take(server::SessionClosed{session});
    RandomInputs inputs(seed, running_->engine());
    for (int i = 0; i < steps; ++i) {
      Input input = inputs.next();
      const auto* opened = std::get_if<server::SessionOpened>(&input);
      if (opened == nullptr || opened->session >= running_->engine().next_session()) running_->take(input);
      if (i % 50 == 0) running_->commit();
    }
    while (!running_->engine().registry().is_clean()) running_->take(server::Tick{});
    running_->commit();
    return log_.tail().batch;
  }
  std::uint64_t make_snapshot(std::uint64_t seed) {
    const std::uint64_t batch = go_on(seed);
    SnapshotHeader header = running_->journal().describe_state();
    header.store = store;
    write_snapshot(snapshots_.part_path(batch), header, running_->engine());
    first_needed_ = snapshots_.keep(batch);
    while (snapshots_.remove_some_old()) continue;
    return batch;
  }
  std::uint64_t make_snapshot_of_another_meaning() {
    const std::uint64_t batch = go_on(1);
    SnapshotHeader header = running_->journal().describe_state();
    header.store = store;
    header.semantics += 1;
    write_snapshot(snapshots_.part_path(batch), header, running_->engine());
    snapshots_.keep(batch);
    return batch;
  }
  /// A new engine's state at the next start, and what was said of snapshots that were not used.
  std::string recover() {
    server::Engine engine(JournalledEngine::small_limits(), Host::server_info(), server::hosted_types());
    not_used_.clear();
    recovered_ = snapshots_.recover_newest(
        log_, store, engine, [](const server::Record&, const Recovered&) {},
        [&](std::uint64_t, const std::string& why) { not_used_.push_back(why); });
    return saved(engine).encoded;
  }
  std::string state() { return saved(running_->engine()).encoded; }
  void damage(std::uint64_t batch) {
    std::string bytes = read_all(snapshots_.path(batch));
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    write_all(snapshots_.path(batch), bytes);
  }
  std::vector<server::SessionId> open_sessions() {
    std::vector<server::SessionId> open;
    running_->engine().registry().each_session(
        [&](server::SessionId id, const auto&) { open.push_back(id); });
    return open;
  }

  TemporaryFolder folder_;
  MemoryLog log_;
  Snapshots snapshots_;
  std::optional<JournalledEngine> running_;
  std::uint64_t first_needed_ = 0;
  Recovered recovered_;
  std::vector<std::string> not_used_;
};

TEST_F(SnapshotTest, WithWhatFollowsInTheLogItLeadsToTheSameState) {
  for (std::uint64_t seed = 1; seed < 5; ++seed) {
    const std::uint64_t batch = make_snapshot(seed);
    go_on(seed + 100);
    EXPECT_EQ(recover(), state());
    EXPECT_EQ(recovered_.snapshot_batch, batch);
    EXPECT_EQ(recovered_.index, running_->journal().index());
    EXPECT_EQ(recovered_.now_ns, running_->engine().now_ns());
    EXPECT_THAT(not_used_, IsEmpty());
  }
}

TEST_F(SnapshotTest, WithNothingBehindItNothingIsReplayed) {
  make_snapshot(1);
  EXPECT_EQ(recover(), state());
  EXPECT_EQ(recovered_.inputs, 0u);
}

/// So a version that gives operations another meaning goes on from where an old one was stopped in order.
TEST_F(SnapshotTest, OfAnotherMeaningItIsUsedUnlessAnInputFollows) {
  make_snapshot_of_another_meaning();
  EXPECT_EQ(recover(), state());
  go_on(2, 10);
  EXPECT_THAT(error_of<JournalError>([&] { recover(); }), HasSubstr("a newer meaning"));
}

TEST_F(SnapshotTest, AfterAStopUnderAnotherMeaningTheJournalGoesOnUnderThisOne) {
  const std::uint64_t batch = make_snapshot_of_another_meaning();
  ASSERT_TRUE(running_->stop());
  EXPECT_EQ(recover(), state());
  EXPECT_TRUE(recovered_.stopped_in_order);
  EXPECT_EQ(recovered_.semantics, ops::semantics + 1);
  running_.reset();
  running_.emplace(log_);
  go_on(2, 10);
  EXPECT_EQ(recover(), state());
  EXPECT_EQ(recovered_.snapshot_batch, batch);
  EXPECT_EQ(recovered_.semantics, ops::semantics);
}

/// Not set aside, and not passed over: the version that wrote it can use it.
TEST_F(SnapshotTest, OneOfAnotherFormatIsAnErrorThatNamesIt) {
  constexpr std::size_t format_at = 8;
  constexpr std::size_t checksum_at = 81;
  const std::uint64_t batch = make_snapshot(1);
  std::string bytes = read_all(snapshots_.path(batch));
  bytes[format_at] = 9;
  const std::uint64_t sum = server::checksum(wire::as_bytes(bytes).first(checksum_at), 0);
  wire::store_little(reinterpret_cast<std::uint8_t*>(bytes.data()) + checksum_at, sum);
  write_all(snapshots_.path(batch), bytes);
  EXPECT_THAT(error_of<JournalError>([&] { recover(); }),
              HasSubstr("its format is 9, and this program reads"));
  EXPECT_THAT(not_used_, IsEmpty());
}

TEST_F(SnapshotTest, TwoAreKept) {
  const std::uint64_t first = make_snapshot(1);
  EXPECT_EQ(first_needed_, 1u);
  const std::uint64_t second = make_snapshot(2);
  EXPECT_EQ(first_needed_, first + 1);
  const std::uint64_t third = make_snapshot(3);
  EXPECT_EQ(first_needed_, second + 1);
  EXPECT_THAT(snapshots_.batches(), ElementsAre(third, second));
}

TEST_F(SnapshotTest, InPlaceOfADamagedOneTheOneBeforeIsUsed) {
  const std::uint64_t first = make_snapshot(1);
  const std::uint64_t second = make_snapshot(2);
  go_on(3);
  damage(second);
  EXPECT_EQ(recover(), state());
  EXPECT_EQ(recovered_.snapshot_batch, first);
  EXPECT_THAT(not_used_, ElementsAre(HasSubstr("is damaged")));
  damage(first);
  EXPECT_EQ(recover(), state());
  EXPECT_EQ(recovered_.snapshot_batch, 0u);
  EXPECT_EQ(not_used_.size(), 2u);
}

TEST_F(SnapshotTest, WithoutAnyAndWithoutTheBeginningOfTheLogThereIsNoStart) {
  damage(make_snapshot(1));
  log_.trim_one(5);
  EXPECT_THAT(error_of<JournalDamaged>([&] { recover(); }), HasSubstr("no snapshot can be used"));
}

TEST_F(SnapshotTest, OneOfAnotherJournalIsNotUsed) {
  const std::uint64_t batch = go_on(1);
  write_snapshot(snapshots_.part_path(batch), running_->journal().describe_state(), running_->engine());
  snapshots_.keep(batch);
  EXPECT_EQ(recover(), state());
  EXPECT_THAT(not_used_, ElementsAre(HasSubstr("another journal")));
}

TEST_F(SnapshotTest, OneThatTheLogDoesNotReachIsNotUsed) {
  make_snapshot(1);
  std::vector<MemoryLog::Kept> batches = log_.kept();
  batches.resize(batches.size() / 2);
  log_.keep(batches);
  recover();
  EXPECT_THAT(not_used_, ElementsAre(HasSubstr("the log ends before it")));
}

TEST_F(SnapshotTest, WhatWasBeingWrittenWhenAProcessEndedIsRemoved) {
  const std::uint64_t batch = make_snapshot(1);
  write_all(snapshots_.part_path(batch + 1), "half");
  write_all(folder_.path("snapshot-notes.part"), "another's");
  snapshots_.remove_parts();
  EXPECT_FALSE(std::filesystem::exists(snapshots_.part_path(batch + 1)));
  EXPECT_TRUE(std::filesystem::exists(folder_.path("snapshot-notes.part")));
  EXPECT_THAT(snapshots_.batches(), ElementsAre(batch));
}

TEST_F(SnapshotTest, CutAnywhereItIsNone) {
  const std::uint64_t batch = make_snapshot(1);
  const std::string whole = read_all(snapshots_.path(batch));
  for (std::size_t size = 0; size < whole.size(); size += size < 300 ? 1 : 97) {
    write_all(snapshots_.path(batch), std::string_view(whole).substr(0, size));
    EXPECT_THAT(error_of<StorageError>([&] { SnapshotReader reader(snapshots_.path(batch)); }),
                HasSubstr("its end is missing"))
        << size;
  }
  write_all(snapshots_.path(batch), whole + "x");
  EXPECT_THAT(error_of<StorageError>([&] { SnapshotReader reader(snapshots_.path(batch)); }),
              HasSubstr("bytes follow"));
}

TEST_F(SnapshotTest, EveryFlippedBitIsNoticed) {
  const std::uint64_t batch = make_snapshot(1);
  const std::string whole = read_all(snapshots_.path(batch));
  for (std::size_t at = 0; at < whole.size(); at += at < 300 || at + 50 > whole.size() ? 1 : 101) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      write_all(snapshots_.path(batch), damaged);
      EXPECT_THROW(SnapshotReader reader(snapshots_.path(batch)), StorageError) << at;
    }
  }
}

TEST_F(SnapshotTest, ManyFramesAndLongValuesAreReadAsTheyWereWritten) {
  const std::string long_text(5'000'000, 'x');
  Limits limits;
  limits.memory_bytes_max = 1'000'000'000;
  running_.emplace(log_, JournalLevel::disk, limits);
  running_->take(server::SessionOpened{running_->engine().next_session(), 0, 0});
  const server::SessionId session = running_->engine().next_session() - 1;
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(
        running_->take(RecordedCall{session, 1, ops::Manager::id, ops::Manager::Create::description.number,
                                    list("list", list(), list(list(long_text, i))).encoded}),
        Code::ok);
  running_->commit();
  SnapshotHeader header = running_->journal().describe_state();
  header.store = store;
  write_snapshot(snapshots_.part_path(header.position.batch), header, running_->engine());
  snapshots_.keep(header.position.batch);
  EXPECT_EQ(recover(), state());
  EXPECT_GT(recovered_.snapshot_bytes, 30'000'000u);
}

TEST_F(SnapshotTest, OnAFullFileSystemItFailsAsFull) {
  const std::uint64_t batch = go_on(1);
  (void)batch;
  try {
    write_snapshot("/dev/full", running_->journal().describe_state(), running_->engine());
    FAIL();
  } catch (const StorageError& error) {
    EXPECT_EQ(error.kind(), StorageError::Kind::full);
  }
}

}  // namespace
}  // namespace tandem::test
