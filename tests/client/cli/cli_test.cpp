// The command line as a process, against a tandemd.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "tandem/tandem.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"
#include "tests/support/raw_client.hpp"

namespace tandem {
namespace {

using nlohmann::json;
using test::Environment;
using test::Program;
using testing::HasSubstr;
using testing::StartsWith;

class CommandLineTest : public testing::Test {
 protected:
  struct Ended {
    int status;
    std::string out;
    std::string errors;
  };

  CommandLineTest() : address_("unix:" + folder_.path("socket")) {}

  Manager& manager() {
    if (!manager_) {
      start({test::beside_the_test("tandemd"), "--listen", address_, "--log-level", "off"});
      manager_.emplace(address_);
    }
    return *manager_;
  }
  void start(const std::vector<std::string>& arguments, const Environment& environment = {}) {
    tandemd_.emplace(arguments, environment);
    ASSERT_THAT(tandemd_->read_line(), StartsWith("tandemd "));
  }
  static Ended run_with(const Environment& environment, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), test::beside_the_test("tandem"));
    Program program(arguments, environment);
    int status = program.wait();
    return {status, program.out, program.errors};
  }
  Ended run(std::vector<std::string> arguments) {
    return run_with({{"TANDEM_ADDRESS", address_}}, std::move(arguments));
  }

  /// What a command that succeeds prints.
  std::string output(std::vector<std::string> arguments) {
    manager();
    Ended ended = run(arguments);
    EXPECT_EQ(ended.status, 0) << ended.errors;
    EXPECT_EQ(ended.errors, "");
    return ended.out;
  }
  json json_output(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    return json::parse(output(std::move(arguments)));
  }
  /// What a command that fails says.
  std::string failure(std::vector<std::string> arguments, int status = 1) {
    manager();
    Ended ended = run(std::move(arguments));
    EXPECT_EQ(ended.status, status) << ended.errors;
    EXPECT_EQ(ended.out, "");
    return ended.errors;
  }

  test::TemporaryFolder folder_;
  std::string address_;
  std::optional<Program> tandemd_;
  std::optional<Manager> manager_;
};

TEST_F(CommandLineTest, ShowsHowFarAPoolIs) {
  Pool pool(manager(), "farm", {.workers = 1});
  pool.map([](int n) { return n; }, {1, 2, 3});
  EXPECT_EQ(json_output({"get", "farm"}).at("entries").dump(),
            R"([["queued",0],["running",0],["done",3],["failed",0],["retried",0],["workers",1]])");
  EXPECT_EQ(json_output({"ls", "--type", "pool"}).at(0).at("name"), "farm");
}

TEST_F(CommandLineTest, ListsObjects) {
  EXPECT_EQ(json_output({"ls"}), json::array());
  auto scores = manager().dict("scores");
  auto inner = manager().list<int>({1, 2});
  scores["inner"] = inner;
  manager().list<int>("a \"name\"\n", {1});
  EXPECT_EQ(json_output({"ls"}).size(), 3u);
  json listed = json_output({"ls", "--type", "dict"});
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_GT(listed[0]["memory_bytes"].get<int>(), 0);
  listed[0].erase("memory_bytes");
  EXPECT_EQ(
      listed[0],
      (json{{"id", scores.id()}, {"name", "scores"}, {"type", "dict"}, {"size", 1}, {"references", 1}}));

  std::istringstream lines(output({"ls"}));
  std::string line;
  std::getline(lines, line);
  EXPECT_THAT(line, testing::ContainsRegex("^ *ID TYPE +SIZE +REFERENCES +MEMORY_BYTES NAME$"));
  std::getline(lines, line);
  EXPECT_THAT(line,
              testing::ContainsRegex("^ *" + std::to_string(scores.id()) + " dict +1 +1 +[0-9]+ scores$"));
  std::getline(lines, line);
  EXPECT_THAT(line, testing::ContainsRegex("^ *" + std::to_string(inner.id()) + " list +2 +2 +[0-9]+ -$"));
  std::getline(lines, line);
  EXPECT_THAT(line, testing::ContainsRegex(R"( "a \\"name\\"\\n"$)"));
}

TEST_F(CommandLineTest, WhatOthersNamedDoesNotReachATerminalAsItIs) {
  const std::string evil = "x\x1b]0;title\x07\u009b2J\u202e";
  manager().dict<std::string, std::string>(evil)[evil] = evil;
  Lock lock = manager().lock("\u009b" + evil);
  lock.lock();
  const std::string safe = R"(x\u001b]0;title\u0007\u009b2J\u202e)";
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"ls"},
                                             {"ls", "--json"},
                                             {"get", evil},
                                             {"get", evil, evil},
                                             {"get", evil, "--json"},
                                             {"waits"}}) {
    const std::string printed = output(command);
    EXPECT_THAT(printed, HasSubstr(safe));
    EXPECT_EQ(printed.find_first_of("\x1b\x07\x9b\xae"), printed.npos) << printed;
  }
  EXPECT_EQ(json_output({"ls", "--type", "dict"}).at(0).at("name"), evil) << "JSON means the same";
  EXPECT_THAT(failure({"get", "\x1b[2J"}), HasSubstr(R"(\u001b[2J)"));
}

TEST_F(CommandLineTest, GetsEveryType) {
  auto scores = manager().dict("scores", {{"a", 1}, {0.25, nullptr}, {17, {1, "x"}}});
  manager().list<json>("numbers", {0, 1.0, "two"});
  manager().set<std::string>("tags", {"b", "a"});
  manager().ns("space")["x"] = 1.5;
  manager().value<json>("cell", "text");
  manager().array<std::int16_t>("shorts", {-1, 300});
  manager().array<double>("doubles", {0.5});
  manager().array<std::uint64_t>("words", {~std::uint64_t{0}});

  EXPECT_EQ(output({"get", "scores"}), "\"a\": 1\n0.25: null\n17: [1, \"x\"]\n");
  EXPECT_EQ(output({"get", "numbers"}), "0\n1.0\n\"two\"\n");
  EXPECT_EQ(output({"get", "tags"}), "\"b\"\n\"a\"\n");
  EXPECT_EQ(output({"get", "space"}), "\"x\": 1.5\n");
  EXPECT_EQ(output({"get", "cell"}), "\"text\"\n");
  EXPECT_EQ(output({"get", "shorts"}), "-1\n300\n");

  EXPECT_EQ(json_output({"get", "scores"}),
            (json{{"type", "dict"}, {"entries", {{"a", 1}, {0.25, nullptr}, {17, {1, "x"}}}}}));
  EXPECT_EQ(json_output({"get", "numbers"}), (json{{"type", "list"}, {"items", {0, 1.0, "two"}}}));
  EXPECT_EQ(json_output({"get", "tags"}), (json{{"type", "set"}, {"items", {"b", "a"}}}));
  EXPECT_EQ(json_output({"get", "space"}),
            (json{{"type", "namespace"}, {"entries", json::array({{"x", 1.5}})}}));
  EXPECT_EQ(json_output({"get", "cell"}), (json{{"type", "value"}, {"value", "text"}}));
  EXPECT_EQ(json_output({"get", "doubles"}), (json{{"type", "array"}, {"items", {0.5}}}));
  EXPECT_EQ(json_output({"get", "words"}), (json{{"type", "array"}, {"items", {~std::uint64_t{0}}}}));
}

TEST_F(CommandLineTest, EmptyObjectsAreNoTrouble) {
  manager().dict("d");
  manager().list("l");
  manager().array<int>("a", 0);
  for (const char* name : {"d", "l", "a"}) EXPECT_EQ(output({"get", name}), "") << name;
  EXPECT_EQ(json_output({"get", "d"}), (json{{"type", "dict"}, {"entries", json::array()}}));
  EXPECT_EQ(json_output({"get", "a"}), (json{{"type", "array"}, {"items", json::array()}}));
}

TEST_F(CommandLineTest, GetsOneElement) {
  auto scores = manager().dict("scores", {{"1", "text"}, {1, "number"}, {"a b", nullptr}});
  scores[std::pair(1, "x")] = "tuple";
  scores["bytes"] = json::binary({0, 1, 2});
  manager().list<int>("numbers", {10, 11, 12});
  manager().ns("space")["x"] = 1.5;
  manager().array<float>("floats", {1.5f});

  EXPECT_EQ(output({"get", "scores", "1"}), "\"text\"\n");
  EXPECT_EQ(output({"get", "scores", "1", "--json-key"}), "\"number\"\n");
  EXPECT_EQ(output({"get", "scores", "\"1\"", "--json-key"}), "\"text\"\n");
  EXPECT_EQ(output({"get", "scores", R"({"$tuple": [1, "x"]})", "--json-key"}), "\"tuple\"\n");
  EXPECT_EQ(output({"get", "scores", "a b"}), "null\n");
  EXPECT_EQ(json_output({"get", "scores", "bytes"}), (json{{"$bytes", "AAEC"}}));
  EXPECT_EQ(output({"get", "numbers", "1"}), "11\n");
  EXPECT_EQ(output({"get", "numbers", "-1"}), "12\n");
  EXPECT_EQ(output({"get", "floats", "0"}), "1.5\n");
  EXPECT_EQ(output({"get", "space", "x"}), "1.5\n");
  EXPECT_EQ(output({"get", "--id", std::to_string(scores.id()), "1"}), "\"text\"\n");
}

TEST_F(CommandLineTest, SaysWhatIsNotThere) {
  manager().dict("scores");
  manager().list("numbers");
  manager().set("tags");
  manager().ns("space");
  EXPECT_THAT(failure({"get", "nobody"}), AllOf(StartsWith("tandem: "), HasSubstr("nobody")));
  EXPECT_THAT(failure({"get", "scores", "a"}), HasSubstr("\"a\""));
  EXPECT_THAT(failure({"get", "numbers", "0"}), HasSubstr("out of range"));
  EXPECT_THAT(failure({"get", "numbers", "x"}), HasSubstr("an index is an integer"));
  EXPECT_THAT(failure({"get", "tags", "x"}), HasSubstr("a set have no keys"));
  EXPECT_THAT(failure({"get", "space", "17", "--json-key"}), HasSubstr("texts"));
  EXPECT_THAT(failure({"get", "--id", "99"}), HasSubstr("no object with the id 99"));
  EXPECT_THAT(failure({"get", "--id", "1"}), HasSubstr("no object with the id 1"));
  EXPECT_THAT(failure({"get", "--id", "x"}), HasSubstr("an id is a number"));
  EXPECT_THAT(failure({"ls", "--type", "dikt"}), HasSubstr("dikt"));
}

TEST_F(CommandLineTest, LargeObjectsComeByPages) {
  constexpr int count = 25'000;
  std::vector<int> items(count);
  std::map<int, int> entries;
  for (int i = 0; i < count; ++i) entries[i] = items[i] = i;
  manager().list<int>("list", items);
  manager().array<int>("array", items);
  manager().dict<int, int>("dict", entries);
  std::string lines;
  for (int i = 0; i < count; ++i) lines += std::to_string(i) + "\n";
  EXPECT_EQ(output({"get", "list"}), lines);
  EXPECT_EQ(output({"get", "array"}), lines);
  EXPECT_EQ(json_output({"get", "list"})["items"], json(items));
  EXPECT_EQ(json_output({"get", "array"})["items"], json(items));
  EXPECT_EQ(json_output({"get", "dict"})["entries"].size(), std::size_t{count});
}

TEST_F(CommandLineTest, TellsAboutTheManager) {
  json information = json_output({"info"});
  EXPECT_EQ(information["address"], address_);
  EXPECT_EQ(information["objects"], 0);
  EXPECT_THAT(output({"info"}), HasSubstr("version "));
  json ping = json_output({"ping"});
  EXPECT_EQ(ping["address"], address_);
  EXPECT_GT(ping["round_trip_us"].get<double>(), 0.0);
  EXPECT_THAT(output({"ping"}), StartsWith(address_ + " answers in "));
}

TEST_F(CommandLineTest, OptionsMayStandInFrontOrBehind) {
  manager();
  EXPECT_EQ(run_with({}, {"--json", "-a", address_, "ls"}).out, "[]\n");
  EXPECT_EQ(run_with({}, {"ls", "--address", address_, "--json"}).out, "[]\n");
  EXPECT_EQ(run_with({{"TANDEM_ADDRESS", "unix:/nowhere"}}, {"ls", "--address", address_, "--json"}).out,
            "[]\n");
}

TEST_F(CommandLineTest, UsageErrorsAreTwo) {
  for (std::vector<std::string> bad : {std::vector<std::string>{},
                                       {"frobnicate"},
                                       {"get"},
                                       {"get", "a", "b", "c"},
                                       {"ls", "--frob"},
                                       {"ping", "--timeout", "soon"},
                                       {"get", "a", "--json-key"},
                                       {"get", "a", "{bad", "--json-key"}})
    EXPECT_NE(failure(bad, 2), "");
  EXPECT_THAT(output({"--help"}), HasSubstr("ping"));
  EXPECT_THAT(output({"get", "--help"}), HasSubstr("KEY"));
  EXPECT_THAT(output({"--version"}), StartsWith("tandem "));
}

TEST_F(CommandLineTest, SaysThatNobodyIsThere) {
  EXPECT_EQ(run({"ping"}).status, 1);
  EXPECT_THAT(run({"ping"}).errors, HasSubstr(address_));
  EXPECT_EQ(run_with({{"TANDEM_ADDRESS", "nonsense"}}, {"ping"}).status, 1);
  EXPECT_EQ(run_with({{"XDG_RUNTIME_DIR", folder_.path("")}}, {"ping"}).status, 1);
}

TEST_F(CommandLineTest, FindsTandemdWhereItListensByItself) {
  const Environment environment{{"XDG_RUNTIME_DIR", folder_.path("")}};
  start({test::beside_the_test("tandemd"), "--log-level", "off"}, environment);
  EXPECT_EQ(run_with(environment, {"ping"}).status, 0);
}

TEST_F(CommandLineTest, NeedsTheKeyOfTheManager) {
  const std::string key = folder_.path("key"), other = folder_.path("other");
  std::ofstream(key) << "secret\n";
  std::ofstream(other) << "another\n";
  start(
      {test::beside_the_test("tandemd"), "--listen", address_, "--authkey-file", key, "--log-level", "off"});
  EXPECT_EQ(run({"ping", "--authkey-file", key}).status, 0);
  EXPECT_EQ(run_with({{"TANDEM_ADDRESS", address_}, {"TANDEM_AUTHKEY_FILE", key}}, {"ping"}).status, 0);
  EXPECT_EQ(run({"ping"}).status, 1);
  EXPECT_EQ(run({"ping", "--authkey-file", other}).status, 1);
  EXPECT_THAT(run({"ping", "--authkey-file", folder_.path("none")}).errors, HasSubstr("none"));
}

TEST_F(CommandLineTest, OutputThatCannotBeWrittenIsAnError) {
  manager().list<int>("numbers", {1, 2, 3});
  Program program({test::beside_the_test("tandem"), "get", "numbers"}, {{"TANDEM_ADDRESS", address_}},
                  "/dev/full");
  EXPECT_EQ(program.wait(), 1);
  EXPECT_THAT(program.errors, HasSubstr("cannot be written"));
}

TEST_F(CommandLineTest, WaitsShowsWhoWaitsAndWhoOwns) {
  EXPECT_EQ(output({"waits"}), "");
  Lock lock = manager().lock("jobs");
  lock.lock();
  std::jthread waiter([&](const std::stop_token& stop) { EXPECT_FALSE(manager().lock("jobs").lock(stop)); });
  test::eventually([&] { return !manager().waits().empty(); }, "the other thread to wait");
  const std::string pid = std::to_string(::getpid());
  const std::string text = output({"waits"});
  EXPECT_THAT(text, HasSubstr("pid " + pid + " thread "));
  EXPECT_THAT(text, HasSubstr(" waits for lock jobs (lock.acquire) since "));
  EXPECT_THAT(text, HasSubstr(" owns lock jobs (exclusive), token 1, for "));
  const json document = json_output({"waits"});
  ASSERT_EQ(document["waiters"].size(), 1u);
  EXPECT_EQ(document["waiters"][0]["name"], "jobs");
  EXPECT_EQ(document["waiters"][0]["pid"], ::getpid());
  ASSERT_EQ(document["holdings"].size(), 1u);
  EXPECT_EQ(document["holdings"][0]["token"], 1);
}

// ---- cycles of waits -------------------------------------------------------------------------------------

/// Two clients of a tandemd, each of which holds a lock and waits, without limit, for the other's.
class DeadlocksTest : public CommandLineTest {
 protected:
  struct Party {
    Party(const std::string& address, const std::string& has, const std::string& wants)
        : manager(address), held(manager.lock(has)), wanted(manager.lock(wants)) {}
    Manager manager;
    Lock held;
    Lock wanted;
    std::string outcome;  // of the wait
    std::promise<void> go{};
    std::jthread thread{};

    void take() {
      std::promise<void> taken;
      thread = std::jthread([&](const std::stop_token& stop) {
        held.lock();
        taken.set_value();
        go.get_future().wait();
        try {
          if (wanted.lock(stop)) wanted.unlock(), outcome = "served";
          else outcome = "stopped";
        } catch (const DeadlockError& error) {
          outcome = error.what();
        }
        held.unlock();
      });
      taken.get_future().wait();
    }
    void wait() { go.set_value(); }
  };

  /// With these flags besides; gives the address of its debug endpoint.
  std::string start_tandemd(std::vector<std::string> flags) {
    std::vector<std::string> arguments = {test::beside_the_test("tandemd"),
                                          "--listen",
                                          address_,
                                          "--debug",
                                          "127.0.0.1:0",
                                          "--log-level",
                                          "info"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    tandemd_.emplace(arguments);
    const std::string line = tandemd_->read_line();
    manager_.emplace(address_);
    return "tcp://" + line.substr(line.find("http://") + 7);
  }
  /// Both have their locks, and the first waits for the second's.
  void half_a_cycle() {
    for (Party* party : {&first_.emplace(address_, "a", "b"), &second_.emplace(address_, "b", "a")})
      party->take();
    first_->wait();
    wait_for_waiters(1);
  }
  void wait_for_waiters(std::size_t count) {
    test::eventually([&] { return manager_->waits().size() == count; },
                     std::to_string(count) + " waiting requests");
  }
  json waits_page(const std::string& endpoint) {
    test::RawClient http(endpoint);
    http.say("GET /waits HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const std::string answer = http.hear_to_the_end();
    return json::parse(answer.substr(answer.find("\r\n\r\n")));
  }
  /// What it logged, once it has ended.
  std::string log() {
    tandemd_->signal(SIGTERM);
    EXPECT_EQ(tandemd_->wait(), 0);
    return tandemd_->errors;
  }

  std::optional<Party> first_;
  std::optional<Party> second_;
};

TEST_F(DeadlocksTest, AreReportedAndGoOnWhereTheManagerIsToldSo) {
  const std::string endpoint = start_tandemd({"--on-deadlock", "report"});
  half_a_cycle();
  EXPECT_EQ(waits_page(endpoint).at("deadlocks"), json::array());
  second_->wait();
  wait_for_waiters(2);
  const auto names_both = testing::AllOf(HasSubstr("waits for lock \"a\", held by session"),
                                         HasSubstr("waits for lock \"b\", held by session"),
                                         HasSubstr("process " + std::to_string(::getpid())));
  const json page = waits_page(endpoint);
  EXPECT_EQ(page.at("waiters").size(), 2u);
  ASSERT_EQ(page.at("deadlocks").size(), 1u);
  EXPECT_THAT(page["deadlocks"][0].get<std::string>(), names_both);
  EXPECT_THAT(output({"waits"}), testing::AllOf(HasSubstr("cycle: "), names_both));
  EXPECT_EQ(json_output({"waits"}).at("deadlocks"), page["deadlocks"]);
  EXPECT_EQ(manager_->deadlocks().size(), 1u);
  EXPECT_EQ(manager_->waits().size(), 2u) << "both go on waiting";

  second_->thread.request_stop();
  first_->thread.join();
  second_->thread.join();
  EXPECT_EQ(second_->outcome, "stopped");
  EXPECT_EQ(first_->outcome, "served") << "as soon as the other gives way";
  EXPECT_EQ(waits_page(endpoint).at("deadlocks"), json::array());
  EXPECT_THAT(log(), testing::AllOf(HasSubstr("a cycle of waits, not refused: "), names_both));
}

TEST_F(DeadlocksTest, AreRefusedOtherwise) {
  const std::string endpoint = start_tandemd({});
  half_a_cycle();
  second_->wait();
  second_->thread.join();
  first_->thread.join();
  EXPECT_THAT(second_->outcome, HasSubstr("this wait would never end: session "));
  EXPECT_EQ(first_->outcome, "served");
  EXPECT_EQ(waits_page(endpoint).at("waiters"), json::array());
  EXPECT_THAT(log(), HasSubstr("a cycle of waits, refused: "));
}

// ---- journals -----------------------------------------------------------------------------------------------

class JournalCommandTest : public CommandLineTest {
 protected:
  std::string journal() const { return folder_.path("journal"); }
  void start_with_journal() {
    start({test::beside_the_test("tandemd"), "--listen", address_, "--log-level", "off", "--journal",
           journal()});
    manager_.emplace(address_);
  }
  void kill() {
    manager_.reset();
    tandemd_->signal(SIGKILL);
    tandemd_->wait();
  }
  /// Three entries, and a manager that was killed.
  void make_journal() {
    start_with_journal();
    auto scores = manager_->dict<std::string, int>("scores");
    for (const char* key : {"a", "b", "c"}) scores[key] = 7;
    kill();
  }
  std::string printed(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "journal");
    Ended ended = run(std::move(arguments));
    EXPECT_EQ(ended.status, 0) << ended.errors;
    return ended.out;
  }
  std::string refused(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "journal");
    Ended ended = run(std::move(arguments));
    EXPECT_EQ(ended.status, 1) << ended.out;
    return ended.errors;
  }
};

TEST_F(JournalCommandTest, VerifySaysWhatItLeadsTo) {
  make_journal();
  EXPECT_THAT(printed({"verify", journal()}),
              HasSubstr("everything is there and leads to what it led to before"));
  const json told = json::parse(printed({"verify", journal(), "--json"}));
  EXPECT_EQ(told["starts"], 1);
  EXPECT_EQ(told["objects"], 1);
  EXPECT_EQ(told["stopped_in_order"], false);
}

TEST_F(JournalCommandTest, DumpShowsCallsAsTheyWereMade) {
  make_journal();
  const std::string all = printed({"dump", journal()});
  EXPECT_THAT(all, HasSubstr("start 1: tandem "));
  EXPECT_THAT(all, HasSubstr(R"(manager 1.create("dict", ["scores"], [])"));
  EXPECT_THAT(all, HasSubstr(R"('scores'.set("b", 7))"));
  EXPECT_THAT(printed({"dump", journal(), "--raw"}), HasSubstr("calls operation"));
  std::istringstream lines(printed({"dump", journal(), "--from", "4", "--json"}));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(json::parse(line)["index"], 4);
}

TEST_F(JournalCommandTest, OneThatAManagerUsesIsOnlyBackedUp) {
  start_with_journal();
  manager_->list<int>("list").push_back(5);
  EXPECT_THAT(refused({"verify", journal()}), HasSubstr("in use by process"));
  EXPECT_THAT(printed({"backup", journal(), folder_.path("copy")}), HasSubstr("has everything of"));
  manager_->list<int>("list").push_back(6);
  kill();
  EXPECT_THAT(printed({"verify", folder_.path("copy")}), HasSubstr("1 objects"));
  EXPECT_THAT(refused({"backup", journal(), folder_.path("copy")}), HasSubstr("File exists"));
}

TEST_F(JournalCommandTest, CutRemovesABatchAndAllThatFollow) {
  make_journal();
  const json before = json::parse(printed({"verify", journal(), "--json"}));
  const json after = json::parse(printed({"cut", journal(), "3", "--json"}));
  EXPECT_EQ(after["batches"], 2);
  EXPECT_LT(after["inputs"], before["inputs"]);
  EXPECT_EQ(json::parse(printed({"verify", journal(), "--json"}))["inputs"], after["inputs"]);
  start_with_journal();
  manager_->ping();
}

TEST_F(JournalCommandTest, WhatIsNoJournalIsRefused) {
  EXPECT_THAT(refused({"verify", folder_.path("nothing")}), HasSubstr("nothing"));
  EXPECT_THAT(refused({"backup", folder_.path("nothing"), folder_.path("copy")}),
              HasSubstr("has no journal"));
}

}  // namespace
}  // namespace tandem
