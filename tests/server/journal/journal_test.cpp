// What a running journal records, when it is safe, and what it leads to when it is replayed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <random>

#include "tests/server/journal/journalled_engine.hpp"
#include "tests/support/error_of.hpp"

namespace tandem::test {
namespace {

using server::AppendStatus;
using ::testing::HasSubstr;
using Kept = MemoryLog::Kept;

constexpr int steps = 6'000;

RecordedCall make_list(std::uint64_t now_ns = 0) {
  return {1,
          1,
          ops::Manager::id,
          ops::Manager::Create::description.number,
          list("list", list(), list(list(1))).encoded,
          0,
          now_ns};
}
RecordedCall ask_for(std::string_view name) {
  return {1, 1, ops::Manager::id, ops::Manager::Exists::description.number, list(name).encoded};
}

std::vector<server::SessionId> open_sessions(const server::Engine& engine) {
  std::vector<server::SessionId> open;
  engine.registry().each_session([&](server::SessionId id, const auto&) { open.push_back(id); });
  return open;
}

/// An engine that has replayed the log.
class Replayed {
 public:
  explicit Replayed(MemoryLog& log)
      : engine_(JournalledEngine::small_limits(), Host::server_info(), server::hosted_types()) {
    recovered_ = server::recover(log, engine_);
  }
  server::Engine& engine() { return engine_; }
  const server::Recovered& recovered() const { return recovered_; }

 private:
  server::Engine engine_;
  server::Recovered recovered_;
};

class JournalOfSeed : public ::testing::TestWithParam<std::uint64_t> {};

/// The same bytes, wherever the batches end.
TEST_P(JournalOfSeed, LeadsToTheSameState) {
  MemoryLog log;
  JournalledEngine running(log);
  RandomInputs inputs(GetParam(), running.engine());
  std::minstd_rand random(static_cast<unsigned>(GetParam()));
  for (int i = 0; i < steps; ++i) {
    running.take(inputs.next());
    if (random() % 20 == 0) running.commit();
  }
  running.commit();
  Replayed again(log);
  EXPECT_EQ(again.recovered().index, running.journal().index());
  EXPECT_EQ(saved(again.engine()), saved(running.engine()));
  EXPECT_GT(log.kept().size(), 50u);
  EXPECT_LT(running.journal().index(), static_cast<std::uint64_t>(steps));  // reads are not recorded
}

TEST_P(JournalOfSeed, GoesOnAfterEveryEnd) {
  MemoryLog log;
  std::string before;
  std::uint64_t inputs_before = 0;
  for (std::uint64_t life = 0; life < 5; ++life) {
    JournalledEngine running(log);
    EXPECT_EQ(running.journal().start_number(), life + 1);
    EXPECT_EQ(running.journal().index(), inputs_before + 1);
    // The sessions of the life before are still open.
    for (const server::SessionId session : open_sessions(running.engine()))
      running.take(server::SessionClosed{session});
    RandomInputs inputs(GetParam() * 10 + life, running.engine());
    for (int i = 0; i < steps / 5; ++i) {
      Input input = inputs.next();
      if (auto* opened = std::get_if<server::SessionOpened>(&input))
        if (opened->session < running.engine().next_session()) continue;
      running.take(input);
      running.journal().hand_over();
    }
    if (life % 2 == 0) running.commit();
    else ASSERT_TRUE(running.stop());
    inputs_before = running.journal().index();
    before = saved(running.engine()).encoded;
    Replayed again(log);
    EXPECT_EQ(again.recovered().stopped_in_order, life % 2 == 1);
    ASSERT_EQ(saved(again.engine()).encoded, before);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JournalOfSeed, ::testing::Range(std::uint64_t{1}, std::uint64_t{6}));

class JournalTest : public ::testing::Test {
 protected:
  /// Starts, with one session.
  JournalledEngine& start(JournalLevel level = JournalLevel::disk,
                          const Limits& limits = JournalledEngine::small_limits(),
                          std::uint64_t wall_ns = 0) {
    running_.emplace(log_, level, limits, wall_ns);
    const server::SessionId session = running_->engine().next_session();
    running_->take(server::SessionOpened{session, 0, 0});
    running_->commit();
    return *running_;
  }
  void kill() { running_.reset(); }
  /// Commits until the journal has noticed it.
  void leave_room(std::uint64_t bytes) {
    log_.set_free_bytes(bytes);
    while (running_->journal().free_bytes() != bytes) {
      running_->take(server::SessionIdentified{1, 1});
      running_->commit();
    }
  }

  MemoryLog log_;
  std::optional<JournalledEngine> running_;
};

TEST_F(JournalTest, ReadsAreNotRecorded) {
  JournalledEngine& running = start();
  const std::uint64_t index = running.journal().index();
  EXPECT_EQ(running.take(ask_for("nobody")), Code::ok);
  EXPECT_EQ(running.journal().index(), index);
  EXPECT_EQ(running.journal().pending_bytes(), 0u);
  EXPECT_EQ(running.take(make_list()), Code::ok);
  EXPECT_EQ(running.journal().index(), index + 1);
  EXPECT_GT(running.journal().pending_bytes(), 0u);
}

TEST_F(JournalTest, OnDiskAnInputIsSafeWhenItsBatchIsSynced) {
  JournalledEngine& running = start();
  log_.stop_there();
  const int appends = log_.appends();
  running.take(make_list());
  running.journal().hand_over();
  log_.wait_for_appends(appends + 1);
  EXPECT_EQ(running.journal().safe_index(), running.journal().index() - 1);
  running.take(make_list());  // comes into the next batch
  running.journal().hand_over();
  log_.go_on();
  running.commit();
  EXPECT_EQ(running.journal().safe_index(), running.journal().index());
  EXPECT_TRUE(log_.kept().back().sync);
}

TEST_F(JournalTest, AtLevelProcessAnInputIsSafeWhenItsBatchIsWritten) {
  JournalledEngine& running = start(JournalLevel::process);
  running.take(make_list());
  EXPECT_EQ(running.journal().safe_index(), running.journal().index() - 1);
  running.commit();
  EXPECT_EQ(running.journal().safe_index(), running.journal().index());
  EXPECT_FALSE(log_.kept().back().sync);
}

TEST_F(JournalTest, RelaxedEverythingIsSafeAtOnce) {
  JournalledEngine& running = start(JournalLevel::relaxed);
  running.take(make_list());
  EXPECT_EQ(running.journal().safe_index(), running.journal().index());
}

TEST_F(JournalTest, WhatIsWrittenIsSyncedAfterAWhile) {
  Limits limits = JournalledEngine::small_limits();
  limits.journal_sync_ms = 1;
  JournalledEngine& running = start(JournalLevel::process, limits);
  running.take(make_list());
  running.commit();
  while (running.journal().synced_index() != running.journal().index()) std::this_thread::yield();
  const Kept last = log_.kept().back();
  EXPECT_TRUE(last.sync);
  EXPECT_EQ(last.batch.first, last.batch.last + 1);
  EXPECT_EQ(Replayed(log_).recovered().index, running.journal().index());
}

TEST_F(JournalTest, NoShortBatchWaitsForASyncAtLevelProcess) {
  std::promise<void> begun, may_end;
  bool is_first = true;
  log_.sync_apart_by([&] {
    if (std::exchange(is_first, false)) {
      begun.set_value();
      may_end.get_future().wait();
    }
    return true;
  });
  Limits limits = JournalledEngine::small_limits();
  limits.journal_sync_ms = 1;
  JournalledEngine running(log_, JournalLevel::process, limits, 0, true);
  running.take(server::SessionOpened{1, 0, 0});
  running.journal().hand_over();
  begun.get_future().wait();
  const std::uint64_t synced = running.journal().index();
  running.take(make_list());
  running.journal().hand_over();
  EXPECT_EQ(running.journal().safe_index(), running.journal().index());
  EXPECT_LT(running.journal().synced_index(), synced);
  may_end.set_value();
  // The second one is synced too, by the next.
  while (running.journal().synced_index() != running.journal().index()) std::this_thread::yield();
  for (const Kept& one : log_.kept()) EXPECT_EQ(one.sync, one.batch.number == 1) << one.batch.number;
  EXPECT_TRUE(running.stop());
}

TEST_F(JournalTest, ASyncThatFailsIsFatal) {
  log_.sync_apart_by([] { return false; });
  Limits limits = JournalledEngine::small_limits();
  limits.journal_sync_ms = 1;
  JournalledEngine& running = start(JournalLevel::process, limits);
  EXPECT_EQ(running.wait_for_fatal(), "as the test wants it");
  EXPECT_LT(running.journal().synced_index(), running.journal().index());
}

TEST_F(JournalTest, AStopMakesEverythingSafeAndSaysSo) {
  for (const JournalLevel level : {JournalLevel::relaxed, JournalLevel::process, JournalLevel::disk}) {
    JournalledEngine& running = start(level);
    running.take(make_list());
    EXPECT_TRUE(running.stop());
    EXPECT_EQ(running.journal().synced_index(), running.journal().index());
    kill();
    EXPECT_TRUE(Replayed(log_).recovered().stopped_in_order);
  }
}

// ---- on the engine's thread -------------------------------------------------------------------------------

TEST_F(JournalTest, ShortBatchesAreCommittedAtOnceWhereThatIsFast) {
  JournalledEngine running(log_, JournalLevel::process, JournalledEngine::small_limits(), 0, true);
  running.take(server::SessionOpened{1, 0, 0});
  running.journal().hand_over();
  EXPECT_EQ(running.journal().safe_index(), running.journal().index());
  EXPECT_FALSE(log_.kept().back().sync);
  EXPECT_TRUE(running.stop());
  EXPECT_EQ(running.journal().synced_index(), running.journal().index());
}

TEST_F(JournalTest, OnDiskAsSoonAsTheDiskHasProvenFast) {
  JournalledEngine running(log_, JournalLevel::disk, JournalledEngine::small_limits(), 0, true);
  running.take(server::SessionOpened{1, 0, 0});
  for (int i = 0; i < 20; ++i) {  // the first ones by the thread
    running.take(make_list());
    running.commit();
  }
  running.take(make_list());
  running.journal().hand_over();
  EXPECT_EQ(running.journal().safe_index(), running.journal().index());
  EXPECT_TRUE(log_.kept().back().sync);
}

TEST_F(JournalTest, SettlesAlthoughThereIsAlwaysMoreToCommit) {
  JournalledEngine& running = start();
  log_.stop_there();
  const int appends = log_.appends();
  running.take(make_list());
  running.journal().hand_over();
  log_.wait_for_appends(appends + 1);
  running.take(make_list());
  EXPECT_FALSE(running.journal().settle());
  log_.go_on();
  while (!running.journal().is_idle()) std::this_thread::yield();
  running.take(make_list());
  running.journal().hand_over();
  EXPECT_TRUE(running.journal().is_idle());
  EXPECT_TRUE(running.journal().has_open_batch());
  EXPECT_TRUE(running.journal().settle());
  EXPECT_EQ(running.journal().safe_index(), running.journal().index());
  running.take(make_list());
  running.journal().hand_over();
  EXPECT_FALSE(running.journal().has_open_batch());
}

TEST_F(JournalTest, AFullDiskIsLeftToTheThread) {
  JournalledEngine running(log_, JournalLevel::process, JournalledEngine::small_limits(), 0, true);
  log_.answer_with(AppendStatus::full);
  running.take(server::SessionOpened{1, 0, 0});
  running.journal().hand_over();
  EXPECT_LT(running.journal().safe_index(), running.journal().index());
  log_.wait_for_refusals(2);
  log_.answer_with(AppendStatus::ok);
  running.commit();
  EXPECT_EQ(running.journal().safe_index(), running.journal().index());
}

// ---- a full or broken disk --------------------------------------------------------------------------------

TEST_F(JournalTest, ABatchWithoutRoomIsTriedAgainUntilThereIsSome) {
  JournalledEngine& running = start();
  log_.answer_with(AppendStatus::full);
  running.take(make_list());
  running.journal().hand_over();
  log_.wait_for_refusals(2);
  EXPECT_EQ(running.journal().safe_index(), running.journal().index() - 1);
  EXPECT_EQ(running.journal().statistics().full_because, "as the test wants it");
  log_.answer_with(AppendStatus::ok);
  running.commit();
  EXPECT_EQ(running.journal().safe_index(), running.journal().index());
  EXPECT_EQ(running.journal().statistics().full_because, "");
  kill();
  EXPECT_EQ(Replayed(log_).engine().registry().size(), 1u);
}

TEST_F(JournalTest, AStopOnAFullDiskGivesUp) {
  JournalledEngine& running = start();
  log_.answer_with(AppendStatus::full);
  running.take(make_list());
  EXPECT_FALSE(running.stop());
  kill();
  EXPECT_EQ(Replayed(log_).engine().registry().size(), 0u);
}

TEST_F(JournalTest, ABrokenDiskIsFatal) {
  JournalledEngine& running = start();
  log_.answer_with(AppendStatus::broken);
  running.take(make_list());
  const std::uint64_t safe_index = running.journal().safe_index();
  running.journal().hand_over();
  EXPECT_EQ(running.wait_for_fatal(), "as the test wants it");
  EXPECT_EQ(running.journal().safe_index(), safe_index);
}

TEST_F(JournalTest, WithLittleRoomLeftWritesAreRefusedAndReadsAndFreesAreNot) {
  JournalledEngine& running = start();
  running.take(make_list());
  leave_room(500);
  std::uint64_t index = running.journal().index();
  EXPECT_EQ(running.take(make_list()), Code::resource_exhausted);
  EXPECT_EQ(running.journal().index(), index);
  EXPECT_EQ(running.take(ask_for("nobody")), Code::ok);
  const RecordedCall release{1, 1, ops::Manager::id, ops::Manager::Release::description.number,
                             list(2, 1).encoded};
  EXPECT_EQ(running.take(release), Code::ok);
  EXPECT_EQ(running.journal().index(), index + 1);

  leave_room(10);
  EXPECT_EQ(running.take(release), Code::resource_exhausted);
  EXPECT_EQ(running.take(ask_for("nobody")), Code::ok);

  log_.set_free_bytes(1'000'000);  // this is noticed without a commit
  while (running.journal().free_bytes() != 1'000'000) std::this_thread::yield();
  EXPECT_EQ(running.take(make_list()), Code::ok);
}

TEST_F(JournalTest, IsBehindWhileMoreWaitsThanIsAllowed) {
  Limits limits = JournalledEngine::small_limits();
  limits.journal_pending_bytes_max = 4096;
  JournalledEngine& running = start(JournalLevel::disk, limits);
  log_.stop_there();
  running.take(make_list());
  running.journal().hand_over();
  for (int i = 0; i < 100; ++i) running.take(make_list());
  EXPECT_FALSE(running.journal().is_behind());
  for (int i = 0; i < 300; ++i) running.take(make_list());
  EXPECT_TRUE(running.journal().is_behind());
  log_.go_on();
  running.commit();
  EXPECT_FALSE(running.journal().is_behind());
}

// ---- the next start ---------------------------------------------------------------------------------------

TEST_F(JournalTest, TimeNeverGoesBack) {
  constexpr std::uint64_t hour_ns = 3'600'000'000'000;
  start(JournalLevel::disk, JournalledEngine::small_limits(), 10 * hour_ns).take(make_list(5));
  running_->commit();
  const std::uint64_t before = running_->engine().now_ns();
  EXPECT_GE(before, 10 * hour_ns);
  kill();
  start(JournalLevel::disk, JournalledEngine::small_limits(), 9 * hour_ns);  // the clock was set back
  EXPECT_GT(running_->engine().now_ns(), before);
  EXPECT_LT(running_->engine().now_ns(), before + hour_ns);
  kill();
  start(JournalLevel::disk, JournalledEngine::small_limits(), 12 * hour_ns);  // two hours without a manager
  EXPECT_GE(running_->engine().now_ns(), 12 * hour_ns);
}

/// What was given away and forgotten is not given to another.
TEST_F(JournalTest, AfterACrashIdsAreSkippedIfSomeMayBeForgotten) {
  for (const JournalLevel level : {JournalLevel::relaxed, JournalLevel::process, JournalLevel::disk}) {
    const auto next = start(level).engine().registry().next_id();
    const auto session = running_->engine().next_session();
    kill();
    JournalledEngine& again = start(JournalLevel::disk);
    const bool may_have_lost = level != JournalLevel::disk;
    EXPECT_EQ(again.engine().registry().next_id() - next, may_have_lost ? std::uint64_t{1} << 32 : 0u);
    EXPECT_EQ(again.engine().next_session() - session, may_have_lost ? (std::uint64_t{1} << 32) + 1 : 1u);
    EXPECT_TRUE(again.stop());
    kill();
  }
}

TEST_F(JournalTest, AStartThatCannotBeRecordedFails) {
  start();
  kill();
  log_.answer_with(AppendStatus::full);
  try {
    start();
    FAIL();
  } catch (const JournalError& error) {
    EXPECT_THAT(error.what(), HasSubstr("a start cannot be recorded in the journal"));
  }
}

// ---- what is not believed ---------------------------------------------------------------------------------

class DamagedJournal : public JournalTest {
 protected:
  void SetUp() override {
    JournalledEngine& running = start();
    for (int i = 0; i < 10; ++i) {
      running.take(make_list());
      running.commit();
    }
    kill();
    batches_ = log_.kept();
  }
  std::string refusal() {
    log_.keep(batches_);
    try {
      Replayed again(log_);
    } catch (const JournalDamaged& damaged) {
      return damaged.what();
    }
    return "";
  }

  std::vector<Kept> batches_;
};

TEST_F(DamagedJournal, AsItWasItIsBelieved) {
  EXPECT_EQ(refusal(), "");
}

TEST_F(DamagedJournal, AnInputThatLeadsToSomethingElse) {
  std::swap(batches_[3].body, batches_[4].body);  // two lists get each other's ids: their times differ
  std::swap(batches_[3].batch, batches_[4].batch);
  batches_.erase(batches_.begin() + 2);
  EXPECT_THAT(refusal(), HasSubstr("batch"));
}

TEST_F(DamagedJournal, ABatchWithoutItsEnd) {
  batches_[5].body.resize(batches_[5].body.size() - 11);
  EXPECT_THAT(refusal(), HasSubstr("batch 6 of the journal, at input"));
}

TEST_F(DamagedJournal, OtherEffects) {
  batches_[5].body.back() = static_cast<char>(batches_[5].body.back() ^ 1);
  EXPECT_THAT(refusal(), HasSubstr("lead to other replies now than when it was written"));
}

TEST_F(DamagedJournal, ASessionThatIsNotOpen) {
  wire::Buffer body;
  server::RecordWriter writer;
  writer.write(body, server::SessionClosed{99, 1});
  writer.write(body, server::CheckRecord{0});
  batches_[5].body = wire::as_text(body.view());
  EXPECT_THAT(refusal(), HasSubstr("session 99 is not open"));
}

TEST_F(DamagedJournal, NoStart) {
  batches_.erase(batches_.begin());
  EXPECT_THAT(refusal(), HasSubstr("no start is recorded"));
}

TEST_F(DamagedJournal, AnotherMeaningIsAnErrorThatSaysWhatToDo) {
  wire::Buffer body;
  server::RecordWriter().write(
      body,
      server::StartRecord{
          {Host::server_info(), JournalledEngine::small_limits(), 1}, 1, 1'000'000, JournalLevel::disk, {}});
  batches_[0].body = wire::as_text(body.view());
  log_.keep(batches_);
  try {
    Replayed again(log_);
    FAIL();
  } catch (const JournalError& error) {
    EXPECT_THAT(error.what(), HasSubstr("written by tandem 1.2.3"));
  }
}

TEST_F(DamagedJournal, AnOperationOfALaterVersionIsAnErrorThatSaysWhatToDo) {
  wire::Buffer body;
  server::RecordWriter writer;
  const Packed arguments = list();
  writer.write(body, server::Call{1, 1, ops::Manager::id, 999, arguments.bytes()});
  writer.write(body, server::CheckRecord{0});
  batches_[5].body = wire::as_text(body.view());
  log_.keep(batches_);
  const std::string error = error_of<JournalError>([this] { Replayed again(log_); });
  EXPECT_THAT(error, HasSubstr("written by tandem 1.2.3"));
  EXPECT_THAT(error, HasSubstr("operation 999 of a manager that this version does not have"));
}

}  // namespace
}  // namespace tandem::test
