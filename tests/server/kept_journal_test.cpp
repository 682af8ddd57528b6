// A Server, or a private manager, with a journal.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tandem/hosted.hpp"
#include "tandem/server.hpp"
#include "tandem/tandem.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"
#include "tests/support/raw_client.hpp"

namespace tandem {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

struct TallyOps {
  static constexpr std::string_view type = "tally";
  static constexpr std::uint8_t number = 200;
  using Create = ops::Op<0, "create()", ops::Effect::writes, void()>;
  using Add = ops::Op<1, "add(n)", ops::Effect::writes, ops::Int(ops::Int)>;
  using All = ops::OpList<Create, Add>;
};
class Tally {
 public:
  using Ops = TallyOps;
  void on(Ops::Create) {}
  std::int64_t on(Ops::Add, std::int64_t n) {
    if (n < 0) throw std::bad_alloc();
    if (before_add) before_add();
    return sum_ += n;
  }
  inline static std::function<void()> before_add;
  std::int64_t save() const { return sum_; }
  void load(std::int64_t sum) { sum_ = sum; }

 private:
  std::int64_t sum_ = 0;
};
class ForgetfulTally {
 public:
  using Ops = TallyOps;
  void on(Ops::Create) {}
  std::int64_t on(Ops::Add, std::int64_t n) { return n; }
};
struct TallyProxy : ProxyOf<TallyOps> {
  using ProxyOf::ProxyOf;
  std::int64_t add(std::int64_t n) { return call<TallyOps::Add, std::int64_t>(n); }
};

class KeptJournalTest : public testing::Test {
 protected:
  ServerOptions options() const {
    ServerOptions made;
    made.journal = folder_.path("journal");
    made.log_level = LogLevel::off;
    return made;
  }

  test::TemporaryFolder folder_;
};

TEST_F(KeptJournalTest, AServersContentsAreThereInTheNextOne) {
  for (int times = 1; times < 4; ++times) {
    Server server(options());
    server.start();
    Manager manager = server.connect();
    EXPECT_EQ((manager.dict<std::string, int>("d").add("n", 1, 0)), times);
  }
}

TEST_F(KeptJournalTest, OneThatNeverRanHasKeptWhatWasThere) {
  {
    Server server(options());
    server.start();
    server.connect().list<int>("list").push_back(1);
  }
  { const Server never(options()); }
  Server server(options());
  server.start();
  EXPECT_THAT(server.connect().list<int>("list").snapshot(), ElementsAre(1));
}

TEST_F(KeptJournalTest, AFolderInUseIsRefusedInTheSameProcess) {
  const Server server(options());
  EXPECT_THAT(error_of<JournalError>([&] { Server second(options()); }), HasSubstr("in use"));
}

TEST_F(KeptJournalTest, AForkedChildDoesNotKeepTheFolder) {
  std::optional<Server> server(std::in_place, options());
  server->start();
  Process child([] { ::pause(); });
  server.reset();
  Server second(options());
  child.kill();
  child.join();
}

TEST_F(KeptJournalTest, TheReferencesOfALaterRunMeanTheSameObjects) {
  {
    Server server(options());
    server.start();
    Manager manager = server.connect();
    manager.dict<std::string, List<int>>("outer")["inner"] = manager.list<int>({1, 2});
  }
  Server server(options());
  server.start();
  Manager manager = server.connect();
  EXPECT_THAT((manager.dict<std::string, List<int>>("outer").at("inner").snapshot()), ElementsAre(1, 2));
}

TEST_F(KeptJournalTest, ALongLogIsKeptInSeveralFiles) {
  ServerOptions wanted = options();
  const std::string value(1 << 20, 'x');
  {
    Server server(wanted);
    server.start();
    auto list = server.connect().list<std::string>("list");
    for (int i = 0; i < 40; ++i) list.push_back(value);
    test::eventually([&] { return test::files_in(wanted.journal, ".db").size() > 1; },
                     "a second file of the log");
    list.push_back("end");
    // As it would be after a kill: all is synced, so nothing more is written.
    std::filesystem::copy(wanted.journal, folder_.path("copy"));
  }
  wanted.journal = folder_.path("copy");
  Server server(wanted);
  server.start();
  auto list = server.connect().list<std::string>("list");
  EXPECT_EQ(list.size(), 41u);
  EXPECT_EQ(list.back(), "end");
}

/// The whole answer of a debug endpoint.
std::string debug_answer(const std::string& debug_address, const std::string& target) {
  test::RawClient http("tcp://" + debug_address.substr(std::string_view("http://").size()));
  http.say("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  return http.hear_to_the_end();
}

TEST_F(KeptJournalTest, TheDebugEndpointTellsHowFarItIsRecovered) {
  ServerOptions wanted = options();
  wanted.types = {hosted<Tally>()};
  wanted.debug = "127.0.0.1:0";
  std::string debug_address;
  {
    Server server(wanted);
    server.start();
    server.connect().create<TallyProxy>().add(1);
    debug_address = server.debug_address();
    // As it would be after a kill.
    std::filesystem::copy(wanted.journal, folder_.path("copy"));
  }
  wanted.journal = folder_.path("copy");
  wanted.debug = debug_address.substr(std::string_view("http://").size());
  std::vector<std::string> answers;
  Tally::before_add = [&] {
    answers = {debug_answer(debug_address, "/healthz"), debug_answer(debug_address, "/info")};
  };
  Server server(wanted);
  Tally::before_add = nullptr;
  EXPECT_THAT(answers,
              testing::Each(AllOf(HasSubstr(" 503 "), HasSubstr("0 % of its journal is recovered"))));
  EXPECT_EQ(answers.size(), 2u);
  server.start();
  EXPECT_THAT(debug_answer(debug_address, "/healthz"), HasSubstr(" 200 "));
  EXPECT_THAT(debug_answer(debug_address, "/info"), HasSubstr("copy"));
}

TEST_F(KeptJournalTest, TheDebugEndpointShowsIt) {
  ServerOptions with_debug = options();
  with_debug.debug = "127.0.0.1:0";
  Server server(with_debug);
  server.start();
  Manager manager = server.connect();
  manager.list<int>("list").push_back(1);
  const std::string answer = debug_answer(server.debug_address(), "/journal");
  const auto journal = nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n"))).at("journal");
  EXPECT_EQ(journal.at("folder"), options().journal);
  EXPECT_EQ(journal.at("level"), "disk");
  EXPECT_EQ(journal.at("start"), 1);
  EXPECT_GT(journal.at("index"), 2);
  EXPECT_GT(journal.at("commits"), 0);
  EXPECT_GT(journal.at("log_bytes"), 1024);
}

TEST_F(KeptJournalTest, APrivateManagerKeepsItsContentsForTheProgramsNextRun) {
  for (int times = 1; times < 4; ++times) {
    Options options;
    options.journal = folder_.path("journal");
    Manager manager(options);
    EXPECT_EQ((manager.dict<std::string, int>("d").add("n", 1, 0)), times);
  }
}

// ---- hosted types of the program's own ----------------------------------------------------------------------

TEST_F(KeptJournalTest, ATypeOfOnesOwnIsThereAgain) {
  ServerOptions with_type = options();
  with_type.types = {hosted<Tally>()};
  for (int times = 1; times < 4; ++times) {
    Server server(with_type);
    server.start();
    Manager manager = server.connect();
    EXPECT_EQ(manager.create<TallyProxy>("tally").add(5), times * 5);
  }
  EXPECT_THAT(error_of<JournalError>([&] { Server without(options()); }),
              HasSubstr("which this manager does not have"));
}

TEST_F(KeptJournalTest, ATypeThatCannotBeSavedIsRefusedByName) {
  ServerOptions with_type = options();
  with_type.types = {hosted<ForgetfulTally>()};
  EXPECT_THAT(error_of<ValueError>([&] { Server server(with_type); }),
              HasSubstr("hosted type tally has no save()"));
}

/// A part of the work may be done, which no replay would repeat: so the process ends, and what it had acknowledged is there.
TEST_F(KeptJournalTest, AHandlerThatGetsNoMemoryEndsTheProcess) {
  ServerOptions with_type = options();
  with_type.types = {hosted<Tally>()};
  Process process([&] {
    Server server(with_type);
    server.start();
    Manager manager = server.connect();
    auto tally = manager.create<TallyProxy>("tally");
    tally.add(7);
    tally.add(-1);
  });
  process.join();
  EXPECT_EQ(process.exit_code(), 74);
  Server server(with_type);
  server.start();
  EXPECT_EQ(server.connect().create<TallyProxy>("tally").add(0), 7);
}

TEST_F(KeptJournalTest, AFolderThatCannotBeMadeIsNamed) {
  ServerOptions nowhere = options();
  nowhere.journal = folder_.path("no/such/folder");
  EXPECT_THAT(error_of<JournalError>([&] { Server server(nowhere); }), HasSubstr("no/such/folder"));
}

}  // namespace
}  // namespace tandem
