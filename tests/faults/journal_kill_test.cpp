// A manager with a journal, killed and started again: what it had acknowledged is there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <thread>

#include "tandem/tandem.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"
#include "tests/support/raw_client.hpp"

namespace tandem {
namespace {

using test::Program;
using testing::ElementsAre;
using testing::HasSubstr;

class JournalKillTest : public testing::TestWithParam<JournalLevel> {
 protected:
  void start(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{test::beside_the_test("tandemd"),
                                       "--listen",
                                       address(),
                                       "--journal",
                                       folder(),
                                       "--log-level",
                                       "error",
                                       "--journal-level",
                                       std::string(name_of(level()))};
    arguments.insert(arguments.end(), more.begin(), more.end());
    program_.emplace(arguments);
    ready_ = program_->read_line();
  }
  void kill() {
    program_->signal(SIGKILL);
    program_->wait();
  }
  int stop() {
    program_->signal(SIGTERM);
    return program_->wait();
  }
  virtual JournalLevel level() const { return GetParam(); }
  std::string address() const { return "unix:" + folder_.path("socket"); }
  std::string folder() const { return folder_.path("journal"); }

  test::TemporaryFolder folder_;
  std::optional<Program> program_;
  std::string ready_;
};

/// Of clients that do not outlive their manager.
Options of_one_life() {
  return {.reconnect = std::chrono::milliseconds{0}};
}

/// What one client was told, and what it may have done besides.
struct Told {
  std::int64_t done = 0;
  std::int64_t in_doubt = 0;
};

/// Adds until the manager is gone, and pushes the number of each addition.
Told add_until_it_breaks(const std::string& address, int who, std::atomic<int>& under_way) {
  Told told;
  try {
    Manager manager(address, of_one_life());
    auto sums = manager.dict<int, std::int64_t>("sums");
    auto numbers = manager.list<std::int64_t>("numbers of " + std::to_string(who));
    for (;;) {
      told.in_doubt = 1;
      sums[who] += 1;
      told = {told.done + 1, 0};
      ++under_way;
      if (told.done % 7 == 0) numbers.push_back(told.done);
    }
  } catch (const Error&) {  // it was killed
  }
  return told;
}

TEST_P(JournalKillTest, NothingAcknowledgedIsLostAndNothingIsDoneTwice) {
  constexpr int cycles = 5;
  constexpr int clients = 8;
  std::array<std::int64_t, clients> at_least{}, at_most{};
  std::minstd_rand random(11);
  for (int cycle = 0; cycle < cycles; ++cycle) {
    start();
    std::atomic<int> under_way{0};
    std::array<Told, clients> told;
    std::vector<std::thread> threads;
    for (int who = 0; who < clients; ++who)
      threads.emplace_back([&, who] { told[who] = add_until_it_breaks(address(), who, under_way); });
    const int enough = 50 + static_cast<int>(random() % 500);
    test::eventually([&] { return under_way >= enough; }, "enough additions");
    kill();
    for (std::thread& thread : threads) thread.join();

    start();
    Manager manager(address());
    auto sums = manager.dict<int, std::int64_t>("sums");
    for (int who = 0; who < clients; ++who) {
      const std::int64_t sum = sums.get(who, 0);
      EXPECT_GE(sum, at_least[who] + told[who].done) << "client " << who << " in cycle " << cycle;
      EXPECT_LE(sum, at_most[who] + told[who].done + told[who].in_doubt) << "client " << who;
      at_least[who] = at_most[who] = sum;
    }
    kill();
  }
}

TEST_P(JournalKillTest, EveryTypeIsThereAgain) {
  start();
  {
    Manager manager(address(), of_one_life());
    manager.dict<std::string, int>("dict")["a"] = 1;
    manager.list<int>("list").push_back(2);
    manager.set<std::string>("set").insert("b");
    manager.queue<int>("queue").put(3);
    manager.value<int>("value", 4);
    manager.array<double>("array", {1.5, 2.5});
    manager.semaphore("semaphore", 5);
    manager.ns("namespace")["x"] = 6;
    manager.lock("lock").lock();
    manager.event("event").set();
    kill();
  }
  start();
  Manager manager(address());
  EXPECT_EQ((manager.dict<std::string, int>("dict").at("a")), 1);
  EXPECT_THAT(manager.list<int>("list").snapshot(), ElementsAre(2));
  EXPECT_TRUE(manager.set<std::string>("set").contains("b"));
  EXPECT_EQ(manager.queue<int>("queue").get(), 3);
  EXPECT_EQ(manager.value<int>("value", 0).load(), 4);
  EXPECT_THAT(manager.array<double>("array", 2).snapshot(), ElementsAre(1.5, 2.5));
  EXPECT_EQ(int{manager.ns("namespace")["x"]}, 6);
  EXPECT_TRUE(manager.event("event").is_set());
  // Its owner's session has ended.
  EXPECT_TRUE(manager.lock("lock").try_lock_for(std::chrono::seconds(60)));
}

TEST_P(JournalKillTest, UnnamedObjectsGoWithTheirSessionsAndNamedOnesKeepWhatTheyContain) {
  start();
  {
    Manager manager(address());
    auto inner = manager.list<int>({1, 2});
    auto lost = manager.list<int>({3});
    manager.dict<std::string, List<int>>("outer")["inner"] = inner;
    kill();
  }
  // Of this process, which lives and might come back.
  start({"--session-grace-ms", "1"});
  Manager manager(address());
  test::eventually([&] { return manager.objects().size() == 2; }, "the session of the last start to end");
  EXPECT_THAT((manager.dict<std::string, List<int>>("outer").at("inner").snapshot()), ElementsAre(1, 2));
}

TEST_P(JournalKillTest, AStopInOrderLosesNothingAtAnyLevel) {
  for (int times = 1; times < 4; ++times) {
    start();
    Manager manager(address());
    EXPECT_EQ((manager.dict<std::string, int>("d").add("n", 1, 0)), times);
    EXPECT_EQ(stop(), 0);
  }
}

TEST_P(JournalKillTest, TokensOnlyGrow) {
  std::uint64_t before = 0;
  for (int times = 0; times < 4; ++times) {
    start();
    Manager manager(address(), of_one_life());
    auto lock = manager.lock("lock");
    const auto guard = lock.guard();
    const std::uint64_t token = guard.grant().token;
    EXPECT_GT(token, before);
    before = token;
    kill();
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, JournalKillTest, testing::Values(JournalLevel::process, JournalLevel::disk),
                         [](const auto& info) { return std::string(name_of(info.param)); });

class JournalledTandemd : public JournalKillTest {
 protected:
  JournalLevel level() const override { return JournalLevel::disk; }
  std::string refusal(int status) {
    start();
    EXPECT_EQ(program_->wait(), status);
    return program_->errors;
  }
};

TEST_F(JournalledTandemd, ASecondOneIsToldWhoHasTheFolder) {
  start();
  const std::string pid = std::to_string(program_->pid());
  Program second(
      {test::beside_the_test("tandemd"), "--listen", "unix:" + folder_.path("other"), "--journal", folder()});
  EXPECT_EQ(second.wait(), 1);
  EXPECT_THAT(second.errors, HasSubstr("in use by process " + pid));
}

TEST_F(JournalledTandemd, ADamagedOneIsRefusedWithAStatusOfItsOwn) {
  start();
  {
    Manager manager(address());
    for (int i = 0; i < 10; ++i) manager.list<int>("list").push_back(i);
  }
  kill();
  std::filesystem::resize_file(folder() + "/journal-00000000000000000001.db-wal", 20'000);
  EXPECT_THAT(refusal(65), HasSubstr("the journal has lost its end"));
  start({"--journal-accept-loss"});
  Manager manager(address());
  EXPECT_LT(manager.list<int>("list").size(), 10u);
}

TEST_F(JournalledTandemd, AfterAnIOErrorItStartsAgainOnceEverythingWasReadFromTheDisk) {
  start();
  { Manager(address()).list<int>("list").push_back(1); }
  kill();
  const std::string suspect = folder_.write("journal/suspect", "");
  start();
  EXPECT_EQ(Manager(address()).list<int>("list").size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(suspect));
}

// ---- snapshots ----------------------------------------------------------------------------------------------

class SnapshottedTandemd : public JournalledTandemd {
 protected:
  void start() { JournalledTandemd::start({"--recovery-ms-max", "100"}); }
  std::vector<std::string> snapshots() const { return test::files_in(folder(), ".tds"); }
  /// Gives the engine so much to do that a replay would take long.
  static void work(const Manager& manager) {
    auto busy = manager.list<int>("busy");
    busy.assign(std::vector<int>(50'000, 7));
    for (int i = 0; i < 10; ++i) busy.sort();
  }
  /// Until there are two new ones.
  void work_until_snapshots() {
    Manager manager(address());
    const std::vector<std::string> before = snapshots();
    test::eventually(
        [&] {
          work(manager);
          const std::vector<std::string> now = snapshots();
          return now.size() == 2 && (before.empty() || now.front() > before.back());
        },
        "two snapshots");
  }
  static void flip_a_bit(const std::string& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(200);
    const char byte = static_cast<char>(file.get() ^ 16);
    file.seekp(200);
    file.put(byte);
  }
};

/// Clients write all the time; what they were told is there, however often the manager is killed.
TEST_F(SnapshottedTandemd, MadeWhileClientsWriteTheyLoseNothing) {
  std::array<std::int64_t, 4> at_least{}, at_most{};
  for (int cycle = 0; cycle < 3; ++cycle) {
    start();
    std::atomic<int> under_way{0};
    std::array<Told, 4> told;
    std::vector<std::thread> threads;
    for (int who = 0; who < 4; ++who)
      threads.emplace_back([&, who] { told[who] = add_until_it_breaks(address(), who, under_way); });
    work_until_snapshots();
    kill();
    for (std::thread& thread : threads) thread.join();
    start();
    Manager manager(address());
    auto sums = manager.dict<int, std::int64_t>("sums");
    for (int who = 0; who < 4; ++who) {
      const std::int64_t sum = sums.get(who, 0);
      EXPECT_GE(sum, at_least[who] + told[who].done);
      EXPECT_LE(sum, at_most[who] + told[who].done + told[who].in_doubt);
      at_least[who] = at_most[who] = sum;
    }
    kill();
  }
}

TEST_F(SnapshottedTandemd, TheLogBeforeThemIsRemoved) {
  start();
  work_until_snapshots();
  work_until_snapshots();
  test::eventually([&] { return !std::filesystem::exists(folder() + "/journal-00000000000000000001.db"); },
                   "the first file of the log to be removed");
  kill();
  start();
  EXPECT_EQ(Manager(address()).list<int>("busy").size(), 50'000u);
}

class LargeTandemd : public SnapshottedTandemd {
 protected:
  /// With the bound on a recovery that is the default.
  void start() { JournalledTandemd::start({"--debug", "127.0.0.1:0"}); }
  nlohmann::json journal() const {
    test::RawClient http("tcp://" + ready_.substr(ready_.find("http://") + 7));
    http.say("GET /journal HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const std::string answer = http.hear_to_the_end();
    return nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n"))).at("journal");
  }
  static std::string value_of(int entry) {
    return std::to_string(entry) + std::string(16'384, static_cast<char>('a' + entry % 26));
  }
  void write(int first, int end) const {
    Manager manager(address(), of_one_life());
    const auto entries = manager.dict<int, std::string>("entries");
    Pipeline pipeline = manager.pipeline();
    for (int entry = first; entry < end; ++entry)
      pipeline.send<ops::Dict::Set>(entries, entry, value_of(entry));
    pipeline.wait();
  }
};

/// It is made because the log is long, not because a recovery would be.
TEST_F(LargeTandemd, AllIsThereAgainAndWhatIsInTheSnapshotIsNotReplayed) {
  constexpr int many = 5'000;  // more than 64 MiB
  constexpr int few = 100;
  start();
  write(0, many);
  test::eventually([&] { return snapshots().size() == 1; }, "a snapshot");
  write(many, many + few);
  kill();
  start();
  EXPECT_GE(journal().at("recovered_inputs"), few);
  EXPECT_LT(journal().at("recovered_inputs"), many);
  const Manager manager(address());
  const auto entries = manager.dict<int, std::string>("entries");
  ASSERT_EQ(entries.size(), std::size_t{many + few});
  for (int entry = 0; entry < many + few; ++entry) ASSERT_EQ(entries.at(entry), value_of(entry));
}

TEST_F(SnapshottedTandemd, ADamagedOneIsSetAsideAndCostsNothing) {
  start();
  work_until_snapshots();
  work_until_snapshots();
  kill();
  const std::string newest = snapshots().back();
  flip_a_bit(newest);
  start();
  EXPECT_EQ(Manager(address()).list<int>("busy").size(), 50'000u);
  EXPECT_TRUE(std::filesystem::exists(newest + ".damaged"));
  EXPECT_FALSE(std::filesystem::exists(newest));
  kill();
  EXPECT_THAT(program_->errors, HasSubstr("a snapshot is not used"));
}

TEST_F(SnapshottedTandemd, WithoutASnapshotAndTheLogBeforeItThereIsNoStart) {
  start();
  work_until_snapshots();
  work_until_snapshots();
  test::eventually([&] { return !std::filesystem::exists(folder() + "/journal-00000000000000000001.db"); },
                   "the first file of the log to be removed");
  kill();
  for (const std::string& path : snapshots()) flip_a_bit(path);
  EXPECT_THAT(refusal(65), HasSubstr("no snapshot can be used"));
}

TEST_F(SnapshottedTandemd, AStopInOrderLeavesNothingToReplay) {
  start();
  EXPECT_EQ(stop(), 0);
  EXPECT_EQ(snapshots().size(), 1u);  // though no client came
  start();
  { Manager(address()).list<int>("list").push_back(1); }
  EXPECT_EQ(stop(), 0);
  EXPECT_EQ(snapshots().size(), 2u);
  Program verify({test::beside_the_test("tandem"), "journal", "verify", folder(), "--json"});
  EXPECT_EQ(verify.wait(), 0);
  EXPECT_THAT(verify.out, HasSubstr("\"stopped_in_order\":true"));
  start();
  EXPECT_EQ(Manager(address()).list<int>("list").size(), 1u);
}

TEST_F(JournalledTandemd, AFolderForOthersIsRefused) {
  std::filesystem::create_directory(folder());
  std::filesystem::permissions(folder(), std::filesystem::perms::all);
  EXPECT_THAT(refusal(1), HasSubstr("chmod 700"));
}

}  // namespace
}  // namespace tandem
