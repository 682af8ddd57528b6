// Journals that are kept in the repository (golden.hpp) lead to what they led to when they were recorded, in every
// build. A change of what operations mean is found here, and so is a difference between compilers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/server/journal/golden_recorder.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/program.hpp"

namespace tandem::test {
namespace {

namespace fs = std::filesystem;
using server::Recovered;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* record_variable = "TANDEM_RECORD_GOLDEN";

std::string number_text(std::uint32_t semantics = ops::semantics) {
  return std::to_string(semantics);
}
std::string folder_of(std::uint32_t semantics) {
  return std::string(TANDEM_GOLDEN_JOURNALS) + "/" + number_text(semantics);
}

struct Golden {
  std::uint32_t semantics = 0;
  std::string name;
  std::string path() const { return folder_of(semantics) + "/" + name; }
};
void PrintTo(const Golden& golden, std::ostream* out) {
  *out << golden.path();
}

std::vector<Golden> goldens_of(std::uint32_t semantics) {
  std::vector<Golden> found;
  if (!fs::exists(folder_of(semantics))) return found;
  for (const auto& entry : fs::directory_iterator(folder_of(semantics)))
    found.push_back({semantics, entry.path().filename().string()});
  std::sort(found.begin(), found.end(), [](const Golden& a, const Golden& b) { return a.name < b.name; });
  return found;
}
std::vector<Golden> all_goldens() {
  std::vector<Golden> all;
  for (std::uint32_t number = 1; number <= ops::semantics; ++number)
    for (Golden& one : goldens_of(number)) all.push_back(std::move(one));
  return all;
}

std::string how_to_record() {
  return std::string(record_variable) + "=1 build/bin/journal_test --gtest_filter='GoldenRecording.*'";
}
std::string what_to_do() {
  return "\nRecorded inputs have another meaning now: a manager that was killed could not be started again "
         "with this "
         "version. Keep what they did and what they were answered, error texts included. If that must "
         "change, raise "
         "`semantics` in include/tandem/ops/semantics.hpp to " +
         number_text(ops::semantics + 1) + ", and record journals of that number:\n  " + how_to_record() +
         "\nIf builds by other compilers pass, the engine is not deterministic, and the number has nothing "
         "to do with it.";
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

/// The first input that is answered otherwise than when the journal was recorded.
std::string difference(const std::vector<std::string>& recorded, const std::vector<std::string>& now) {
  const auto [was, is] = std::mismatch(recorded.begin(), recorded.end(), now.begin(), now.end(),
                                       [](const std::string& a, const std::string& b) {
                                         return a.compare(0, hash_digits, b, 0, hash_digits) == 0;
                                       });
  if (was == recorded.end() && is == now.end()) return "no input is answered otherwise";
  const auto text = [](auto line, auto end) {
    return line == end ? std::string("nothing") : line->substr(hash_digits + 1);
  };
  const std::string before = text(was, recorded.end());
  const std::string after = text(is, now.end());
  const std::string one_before = was == recorded.begin() ? "" : text(was - 1, recorded.end());
  return "the first input that is answered otherwise is " + std::to_string(was - recorded.begin() + 1) +
         "\n  before it: " + one_before + "\n  recorded:  " + before + "\n  now:       " + after +
         (before == after ? ", with other bytes" : "");
}

class GoldenJournal : public ::testing::TestWithParam<Golden> {
 protected:
  void SetUp() override {
    copy_journal(GetParam().path(), path_);
    log_ = open_golden(path_);
  }
  bool is_of_this_number() const { return GetParam().semantics == ops::semantics; }
  std::vector<std::string> recorded_answers() const { return lines_of(path_ + "/answers"); }
  void remove_snapshots() {
    const server::Snapshots snapshots(path_);
    for (const std::uint64_t batch : snapshots.batches()) fs::remove(snapshots.path(batch));
  }
  /// Brings a new engine into the state, as a server does.
  Recovered recover() {
    engine_ = engine_for_replay();
    return server::Snapshots(path_).recover_newest(
        *log_, log_->store(), *engine_, [](const server::Record&, const Recovered&) {},
        [](std::uint64_t, const std::string& why) { ADD_FAILURE() << "a snapshot is not used: " << why; });
  }
  /// The same, and fails with what to do if the journal is refused.
  std::optional<Recovered> expect_recovery() {
    try {
      return recover();
    } catch (const std::exception& error) {
      ADD_FAILURE() << GetParam().path() << " is refused: " << error.what() << "\nIn it "
                    << difference(recorded_answers(), Answers(*log_).lines()) << what_to_do();
      return std::nullopt;
    }
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.path("journal");
  std::unique_ptr<server::SqliteLog> log_;
  std::unique_ptr<server::Engine> engine_;
};

TEST_P(GoldenJournal, LeadsToTheSameReplies) {
  if (!is_of_this_number()) return;
  const std::optional<Recovered> recovered = expect_recovery();
  if (!recovered) return;
  EXPECT_GT(recovered->snapshot_batch, 0u);
  EXPECT_GT(recovered->inputs, 0u);
  EXPECT_FALSE(recovered->stopped_in_order);
  EXPECT_EQ(recovered->index, recorded_answers().size());
}

/// The snapshot has the state that the inputs before it led to when it was made.
TEST_P(GoldenJournal, LeadsToTheSameState) {
  if (!is_of_this_number() || !expect_recovery()) return;
  const Packed state = saved(*engine_);
  remove_snapshots();
  const std::optional<Recovered> recovered = expect_recovery();
  if (!recovered) return;
  EXPECT_EQ(recovered->snapshot_batch, 0u);
  EXPECT_EQ(recovered->inputs, recovered->index);
  EXPECT_TRUE(saved(*engine_) == state)
      << GetParam().path() << " leads from its beginning to another state than from its snapshot."
      << what_to_do();
}

TEST_P(GoldenJournal, AfterAKillIsRefusedByALaterNumber) {
  if (is_of_this_number()) return;
  const std::string error = error_of<JournalError>([this] { recover(); });
  EXPECT_THAT(error, HasSubstr("was written by tandem 1.2.3"));
  EXPECT_THAT(error, HasSubstr("an older meaning (" + number_text(GetParam().semantics) + ")"));
}

/// As the snapshot stands for a stop in order: nothing follows it.
TEST_P(GoldenJournal, AfterAStopGoesOnUnderThisNumber) {
  log_->cut(server::Snapshots(path_).batches().front() + 1);
  Recovered recovered = recover();
  EXPECT_EQ(recovered.inputs, 0u);
  EXPECT_EQ(recovered.semantics, GetParam().semantics);
  server::Journal::Options options;
  options.on_progress = [] {};
  options.on_fatal = [](const std::string& why) { ADD_FAILURE() << why; };
  {
    server::Journal journal(*engine_, *log_, recovered, options);
    journal.start(Host::server_info(), JournalledEngine::small_limits(), {}, 0, 0);
    journal.step(server::SessionOpened{engine_->next_session(), 0, 0});
    journal.settle();
  }
  recovered = recover();
  EXPECT_EQ(recovered.inputs, 2u);
  EXPECT_EQ(recovered.semantics, ops::semantics);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenJournal, ::testing::ValuesIn(all_goldens()), [](const auto& golden) {
  return number_text(golden.param.semantics) + "_" + golden.param.name;
});

TEST(GoldenJournals, AreThereForThisNumber) {
  EXPECT_FALSE(goldens_of(ops::semantics).empty())
      << folder_of(ops::semantics)
      << " has no journals. They are recorded once, before a version with this number is released:\n  "
      << how_to_record();
}

/// Numbers are given in ascending order, so types and operations with higher ones than any that the journals have were
/// added later.
TEST(GoldenJournals, HaveEveryOperationThatWasThereWhenTheyWereRecorded) {
  std::map<std::uint8_t, std::set<std::uint16_t>> found;  // by the numbers of types
  for (const Golden& golden : goldens_of(ops::semantics)) {
    const TemporaryFolder folder;
    copy_journal(golden.path(), folder.path("journal"));
    const std::unique_ptr<server::SqliteLog> log = open_golden(folder.path("journal"));
    const std::vector<server::Engine::Operation> operations = Answers(*log).operations();
    for (const server::Engine::Operation& one : operations) found[one.type->number].insert(one.op->number);
  }
  std::set<std::string> missing;
  const std::unique_ptr<server::Engine> engine = engine_for_replay();
  for (const server::Engine::Operation& one : engine->operations()) {
    if (found.empty() || one.type->number > found.rbegin()->first || one.op->number == 0) continue;
    const std::set<std::uint16_t>& of_type = found[one.type->number];
    const bool is_later = !of_type.empty() && one.op->number > *of_type.rbegin();
    if (!is_later && !of_type.contains(one.op->number))
      missing.insert(std::string(one.type->name) + '.' + std::string(one.op->name));
  }
  EXPECT_THAT(missing, IsEmpty());
}

// ---- recording --------------------------------------------------------------------------------------------

std::set<std::string> not_succeeded_in(const GoldenRecorder& recorder) {
  std::set<std::string> names;
  const std::unique_ptr<server::Engine> engine = engine_for_replay();
  for (std::uint16_t i = 0; i < engine->operations().size(); ++i)
    if (engine->operations()[i].op->number != 0 && !recorder.has_succeeded(i))
      names.insert(name_of_operation(*engine, i));
  return names;
}

/// One in which every operation succeeds, and one in which memory is scarce.
void record_for_the_repository() {
  const std::string into = folder_of(ops::semantics);
  ASSERT_FALSE(fs::exists(into))
      << "those of a released version stay as they are; if none has this number, remove them";
  const TemporaryFolder folder;
  constexpr std::uint64_t seeds = 30;
  for (std::uint64_t seed = 1; seed <= seeds && !fs::exists(into); ++seed) {
    const std::string name = std::to_string(seed);
    GoldenRecorder recorder(folder.path("every" + name), {.seed = seed, .candidates = 200'000});
    recorder.record(folder.path(name));
    if (!not_succeeded_in(recorder).empty()) continue;
    fs::create_directories(into);
    fs::copy(folder.path(name), into + "/every_operation");
  }
  ASSERT_TRUE(fs::exists(into)) << "with none of " << seeds << " seeds every operation succeeds";
  GoldenRecorder::Options scarce{.level = JournalLevel::process, .candidates = 8'000};
  scarce.limits.memory_bytes_max = 12'000;
  GoldenRecorder(folder.path("scarce"), scarce).record(into + "/scarce_memory");
}

TEST(GoldenRecording, CanBeReplayed) {
  if (std::getenv(record_variable) != nullptr) return record_for_the_repository();
  const TemporaryFolder folder;
  GoldenRecorder recorder(folder.path("running"), {.candidates = 2'000});
  recorder.record(folder.path("recorded"));
  const std::unique_ptr<server::SqliteLog> log = open_golden(folder.path("recorded"));
  const std::unique_ptr<server::Engine> engine = engine_for_replay();
  const Recovered recovered = server::recover(*log, *engine);
  EXPECT_EQ(recovered.start, 2u);
  const Answers answers(*log);
  EXPECT_EQ(answers.lines(), lines_of(folder.path("recorded") + "/answers"));
  EXPECT_EQ(recovered.index, answers.lines().size());
}

}  // namespace
}  // namespace tandem::test
