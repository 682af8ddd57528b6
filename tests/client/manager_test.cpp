// Managers as their users get them: private ones from their start to their end, attached ones, and the ways to objects.
#include "tandem/manager.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <thread>

#include "client/private_manager.hpp"
#include "tandem/server.hpp"
#include "tests/support/child.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"

namespace tandem {
namespace {

using client::PrivateManager;
using test::Child;
using test::error_of;
using test::Signal;
using test::Watched;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

pid_t pid_of(const Manager& manager) {
  return manager.information().at("pid").get<pid_t>();
}

/// A file for the length of a test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& contents, mode_t mode = 0600) {
    int descriptor = mkstemp(path.data());
    EXPECT_GE(descriptor, 0);
    EXPECT_EQ(write(descriptor, contents.data(), contents.size()), static_cast<ssize_t>(contents.size()));
    EXPECT_EQ(fchmod(descriptor, mode), 0);
    close(descriptor);
  }
  ~TemporaryFile() { unlink(path.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  std::string path = "/tmp/tandem-test-XXXXXX";
};

// ---- a private manager -------------------------------------------------------------------------------------

TEST(PrivateManager, IsReadyWhenMadeAndGoneWithTheLastHandle) {
  std::optional<Manager> manager(std::in_place);
  EXPECT_THAT(manager->address(), StartsWith("unix:@"));
  manager->ping();
  Watched tandemd(pid_of(*manager));
  std::optional copy = manager;
  manager.reset();
  copy->ping();
  EXPECT_FALSE(tandemd.is_gone());
  copy.reset();
  EXPECT_TRUE(tandemd.is_gone());
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // not even a zombie
  EXPECT_EQ(errno, ECHILD);
}

TEST(PrivateManager, ProxiesDoNotKeepIt) {
  std::optional<Manager> manager(std::in_place);
  auto list = manager->list<int>({1});
  std::string address = manager->address();
  manager.reset();
  EXPECT_THAT(error_of<ConnectionError>([&] { list.push_back(2); }),
              HasSubstr("list.append on object " + std::to_string(list.id()) + " at " + address));
  EXPECT_THAT(error_of<ConnectionError>([&] { list.push_back(2); }), HasSubstr("cannot connect"));
}

TEST(PrivateManager, ShutdownEndsItForAllHandles) {
  Manager manager;
  Manager copy = manager;
  Watched tandemd(pid_of(manager));
  copy.shutdown();
  EXPECT_TRUE(tandemd.is_gone());
  EXPECT_THROW(manager.ping(), ConnectionError);
  manager.shutdown();
}

TEST(PrivateManager, ManyThreadsShutItDownAtOnce) {
  Manager manager;
  Watched tandemd(pid_of(manager));
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        manager.shutdown();
        EXPECT_TRUE(tandemd.is_gone());
      });
  }
}

TEST(PrivateManager, SeveralAtOnceShareNothing) {
  Manager one;
  Manager other;
  EXPECT_NE(one.address(), other.address());
  one.list("l");
  EXPECT_TRUE(one.exists("l"));
  EXPECT_FALSE(other.exists("l"));
}

TEST(PrivateManager, ItsKeyIsNowhereToBeRead) {
  PrivateManager manager(client::find_tandemd(), {.start_timeout = 1h});
  std::string process = "/proc/" + std::to_string(manager.pid());
  ASSERT_EQ(manager.authkey().size(), 32u);
  EXPECT_THAT(contents_of(process + "/cmdline"), HasSubstr("--private-fd"));
  EXPECT_EQ(contents_of(process + "/cmdline").find(manager.authkey()), std::string::npos);
  EXPECT_EQ(contents_of(process + "/environ").find(manager.authkey()), std::string::npos);
  EXPECT_THAT(error_of<AuthenticationError>([&] { Manager(manager.address().to_string()); }),
              HasSubstr("authkey"));
  EXPECT_THAT(error_of<AuthenticationError>(
                  [&] { Manager(manager.address().to_string(), {.authkey = std::string(32, 'x')}); }),
              HasSubstr("authkey"));
  Manager(manager.address().to_string(), {.authkey = manager.authkey()}).ping();
}

TEST(PrivateManager, CtrlCInTheTerminalDoesNotReachIt) {
  Manager manager;
  pid_t tandemd = pid_of(manager);
  EXPECT_EQ(getsid(tandemd), tandemd);
  EXPECT_EQ(kill(tandemd, SIGINT), 0);
  manager.ping();
}

TEST(PrivateManager, KeepsNoDescriptorOfItsCreatorsOpen) {
  Signal signal;
  int inherited = dup(STDERR_FILENO);  // without close-on-exec, as many programs have some
  Manager manager;
  std::string open = "/proc/" + std::to_string(pid_of(manager)) + "/fd/" + std::to_string(inherited);
  char target[256];
  ssize_t length = readlink(open.c_str(), target, sizeof target);
  char ours[256];
  ssize_t our_length = readlink(("/proc/self/fd/" + std::to_string(inherited)).c_str(), ours, sizeof ours);
  EXPECT_NE(std::string(target, static_cast<std::size_t>(std::max<ssize_t>(length, 0))),
            std::string(ours, static_cast<std::size_t>(our_length)));
  close(inherited);
}

TEST(PrivateManager, GoesWhenItsCreatorIsKilled) {
  Signal told;
  Child creator([&] {
    Manager manager;
    told.send_number(pid_of(manager));
    pause();
  });
  Watched tandemd(told.wait_for_number());
  EXPECT_FALSE(tandemd.is_gone());
  creator.kill();
  tandemd.wait_until_gone();
}

TEST(PrivateManager, GoesWhenItsCreatorIsKilledThoughAWorkerLives) {
  Signal told;
  Signal may_end;
  Child creator([&] {
    Manager manager;
    auto list = manager.list<int>();
    Child worker([&] {
      list.push_back(1);
      told.send_number(pid_of(manager));
      may_end.wait();
    });
    worker.join();
  });
  Watched tandemd(told.wait_for_number());
  creator.kill();
  tandemd.wait_until_gone();
  may_end.send();
}

TEST(PrivateManager, ThatHangsIsKilledInTheEnd) {
  std::optional<Manager> manager(std::in_place);
  Watched tandemd(pid_of(*manager));
  ASSERT_EQ(kill(pid_of(*manager), SIGSTOP), 0);
  manager.reset();
  EXPECT_TRUE(tandemd.is_gone());
}

TEST(PrivateManager, TakesNoKeyOfOurs) {
  EXPECT_THAT(error_of<ValueError>([] { Manager(Options{.authkey = "mine"}); }),
              HasSubstr("a key of its own"));
}

// ---- starting fails ----------------------------------------------------------------------------------------

TEST(Launch, SaysWhereItLooked) {
  EXPECT_EQ(
      error_of<ConnectionError>([] {
        client::find_tandemd({"/nowhere/tandemd", "/etc/passwd", "/tmp"});
      }),
      "cannot start a manager: there is no tandemd (TANDEM_TANDEMD can name one) at\n  /nowhere/tandemd\n  "
      "/etc/passwd\n  /tmp");
}

TEST(Launch, LooksOnlyWhereTheEnvironmentSays) {
  Child([] {
    setenv("TANDEM_TANDEMD", "/nowhere/tandemd", 1);
    EXPECT_THAT(client::tandemd_search_path(), ElementsAre("/nowhere/tandemd"));
    EXPECT_THAT(error_of<ConnectionError>([] { Manager(); }), HasSubstr("\n  /nowhere/tandemd"));
  });
}

TEST(Launch, LooksBesideTheProgramFirstAndInPath) {
  Child([] {
    unsetenv("TANDEM_TANDEMD");
    setenv("PATH", "/first::/second", 1);
    auto places = client::tandemd_search_path();
    std::string program(4096, '\0');
    program.resize(static_cast<std::size_t>(readlink("/proc/self/exe", program.data(), program.size())));
    EXPECT_EQ(places.front(), program.substr(0, program.rfind('/')) + "/tandemd");
    EXPECT_EQ(places.at(places.size() - 2), "/first/tandemd");
    EXPECT_EQ(places.back(), "/second/tandemd");
  });
}

std::string error_of_starting(const std::string& sink, std::chrono::milliseconds timeout = 1h) {
  TemporaryFile program("#!/bin/sh\n" + sink + "\n", 0700);
  std::string text =
      error_of<ConnectionError>([&] { PrivateManager(program.path, {.start_timeout = timeout}); });
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
  std::size_t at = text.find(program.path);
  return at == text.npos ? text : text.replace(at, program.path.size(), "PROGRAM");
}

TEST(Launch, ProgramThatExits) {
  EXPECT_EQ(error_of_starting("exit 3"),
            "cannot start a manager: PROGRAM exited with status 3 before it was ready");
  EXPECT_EQ(error_of_starting("kill -9 $$"),
            "cannot start a manager: PROGRAM was ended by signal 9 before it was ready");
}

TEST(Launch, ProgramThatReportsAnError) {
  EXPECT_EQ(error_of_starting("echo error no room >&3"), "cannot start a manager: PROGRAM: no room");
}

TEST(Launch, ProgramThatIsNoTandemd) {
  EXPECT_EQ(error_of_starting("echo hello >&3; exec sleep 1000"),
            "cannot start a manager: PROGRAM said \"hello\"; is it a tandemd?");
}

TEST(Launch, ProgramThatSaysNothing) {
  EXPECT_EQ(error_of_starting("exec sleep 1000", 50ms),
            "cannot start a manager: PROGRAM was not ready within 50 ms (start_timeout)");
}

TEST(Launch, FileThatCannotBeRun) {
  TemporaryFile program(
      "\x7f"
      "ELF of nothing",
      0700);
  EXPECT_THAT(error_of<ConnectionError>([&] { PrivateManager(program.path, {.start_timeout = 1h}); }),
              HasSubstr("cannot be run"));
}

// ---- attaching -----------------------------------------------------------------------------------------------

TEST(Attach, ToWhatDoesNotListen) {
  EXPECT_THAT(error_of<ConnectionError>([] { Manager("unix:/nowhere/socket"); }),
              HasSubstr("unix:/nowhere/socket: cannot connect"));
  EXPECT_THAT(error_of<ConnectionError>([] { Manager("unix:@tandem-nobody-has-this-name"); }),
              HasSubstr("is a manager listening there?"));
  EXPECT_THAT(error_of<ConnectionError>([] { Manager("tcp://127.0.0.1:1"); }),
              HasSubstr("tcp://127.0.0.1:1: cannot connect"));
  EXPECT_THAT(error_of<ValueError>([] { Manager("127.0.0.1:1"); }),
              HasSubstr("begins with neither unix: nor tcp://"));
}

TEST(Attach, WithKeysInOptionsFilesAndTheEnvironment) {
  TemporaryFile file("the key\n");
  ServerOptions options;
  options.listen = {"tcp://127.0.0.1:0", "tcp://[::1]:0"};
  options.authkey = "the key";
  Server server(std::move(options));
  server.start();
  for (const std::string& address : server.addresses()) {
    Manager(address, {.authkey = "the key"}).ping();
    Manager(address, {.authkey_file = file.path}).ping();
    EXPECT_THAT(error_of<AuthenticationError>([&] { Manager(address, {.authkey = "another key"}); }),
                StartsWith(address + ": "));
    EXPECT_THROW(Manager(address, {}), AuthenticationError);
    setenv("TANDEM_ADDRESS", address.c_str(), 1);
    setenv("TANDEM_AUTHKEY_FILE", file.path.c_str(), 1);
    Manager::from_environment().ping();
  }
  unsetenv("TANDEM_AUTHKEY_FILE");
  EXPECT_THROW(Manager::from_environment(), AuthenticationError);
  unsetenv("TANDEM_ADDRESS");
  EXPECT_THAT(error_of<ValueError>([] { Manager::from_environment(); }),
              HasSubstr("TANDEM_ADDRESS is not set"));
}

TEST(Attach, KeyFilesThatAreNone) {
  TemporaryFile empty("\n");
  EXPECT_THAT(error_of<ValueError>([&] { Manager("unix:@x", {.authkey_file = empty.path}); }),
              HasSubstr("it holds no key"));
  EXPECT_THAT(error_of<ValueError>([] { Manager("unix:@x", {.authkey_file = "/nowhere/key"}); }),
              HasSubstr("authkey file \"/nowhere/key\": No such file"));
  EXPECT_THROW(Manager("unix:@x", {.authkey = "a", .authkey_file = "b"}), ValueError);
}

// ---- a manager in trouble ------------------------------------------------------------------------------------

/// Stopped processes read nothing, so that a call stays under way for sure.
void stop_and_wait(pid_t pid) {
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  test::eventually([&] { return test::is_stopped(pid); }, "process " + std::to_string(pid) + " to stop");
}

/// Does `act` again, which has a short time limit, until it ends within it: a busy machine may take longer.
template <class F>
void despite_timeouts(F&& act, std::string_view what) {
  test::eventually(
      [&] {
        try {
          act();
          return true;
        } catch (const Timeout&) {
          return false;
        }
      },
      what);
}

TEST(Trouble, ManagerKilledInTheMiddleOfACall) {
  Manager manager;
  auto list = manager.list<int>();
  pid_t tandemd = pid_of(manager);
  std::string call = "list.append on object " + std::to_string(list.id()) + " at " + manager.address() + ": ";
  stop_and_wait(tandemd);
  std::jthread killer([&] { EXPECT_EQ(kill(tandemd, SIGKILL), 0); });
  EXPECT_EQ(error_of<ConnectionError>([&] { list.push_back(1); }),
            call + "the manager closed the connection");
  // It may still be closing what it listens on.
  EXPECT_THAT(error_of<ConnectionError>([&] { list.push_back(1); }), StartsWith(call));
}

TEST(Trouble, CallsTimeOutWhileTheManagerSleepsAndGoOnLater) {
  Manager manager(Options{.call_timeout = 200ms});
  List<std::string> list;
  despite_timeouts([&] { list = manager.list<std::string>(); }, "a list to be made");
  pid_t tandemd = pid_of(manager);
  stop_and_wait(tandemd);
  EXPECT_THAT(error_of<Timeout>([&] { list.push_back("a"); }),
              HasSubstr("no answer within 200 ms (call_timeout)"));
  EXPECT_THROW(list.size(), Timeout);
  EXPECT_THROW(list.push_back(std::string(1 << 20, 'x')), Timeout);  // in the middle of its parts
  ASSERT_EQ(kill(tandemd, SIGCONT), 0);
  std::optional<std::vector<std::string>> items;
  despite_timeouts([&] { items = list.snapshot(); }, "the contents of the list");
  EXPECT_THAT(*items, ElementsAre("a", std::string(1 << 20, 'x')));
}

TEST(Trouble, ConnectingToAManagerThatSleepsTimesOut) {
  PrivateManager own(client::find_tandemd(), {.start_timeout = 1h});
  stop_and_wait(own.pid());
  EXPECT_THAT(error_of<Timeout>([&] {
                Manager(own.address().to_string(), {.authkey = own.authkey(), .connect_timeout = 50ms});
              }),
              HasSubstr("no handshake within 50 ms (connect_timeout)"));
  ASSERT_EQ(kill(own.pid(), SIGCONT), 0);
}

// The manager is woken only after both have ended: neither waits for it longer than connect_timeout.
TEST(Trouble, ForkAndDropAreShortWhileTheManagerSleeps) {
  PrivateManager own(client::find_tandemd(), {.start_timeout = 1h});
  std::optional<Manager> manager;
  const Options options{.authkey = own.authkey(), .connect_timeout = 50ms};
  List<int> list;
  despite_timeouts(
      [&] {
        manager.emplace(own.address().to_string(), options);
        list = manager->list<int>();
      },
      "a list to be made");
  stop_and_wait(own.pid());
  Child([&] { EXPECT_TRUE(list.valid()); });
  std::jthread([dropped = std::move(list)]() mutable { dropped = {}; }).join();
  ASSERT_EQ(kill(own.pid(), SIGCONT), 0);
  despite_timeouts(
      [&] {
        test::eventually([&] { return manager->objects().empty(); }, "the dropped list to be released");
      },
      "an answer");
}

TEST(Trouble, WorkersKilledInTheMiddleOfCallsLeaveNothing) {
  Manager manager;
  for (int i = 0; i < 5; ++i) {
    auto list = manager.list<std::string>();
    Signal calling;
    Child worker([&] {
      list.push_back("first");
      calling.send();
      while (true) manager.dict<std::string, std::string>({{"big", std::string(100'000, 'x')}}).snapshot();
    });
    calling.wait();
    worker.kill();
    EXPECT_EQ(list.front(), "first");
  }
  test::eventually([&] { return manager.objects().empty(); }, "all objects to go");
}

// ---- values and threads --------------------------------------------------------------------------------------

TEST(Values, OfManyMegabytesTravelBothWays) {
  Manager manager;
  std::string text(20'000'000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(' ' + (i * 31 + i / 4096) % 90);
  auto list = manager.list<std::string>();
  list.push_back(text);
  EXPECT_TRUE(list.at(0) == text);
  std::vector<int> numbers(1'000'000);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(i);
  EXPECT_TRUE(manager.list<int>(numbers) == numbers);
}

TEST(Threads, ManyShareOneManager) {
  Manager manager;
  auto counts = manager.dict<std::string, int>();
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          counts["all"] += 1;
          auto own = manager.list<int>({t, i});
          EXPECT_THAT(own.snapshot(), ElementsAre(t, i));
        }
      });
  }
  EXPECT_EQ(counts.at("all"), 800);
  test::eventually([&] { return manager.objects().size() == 1; }, "all objects but the dict to go");
}

// ---- ways to objects -----------------------------------------------------------------------------------------

class Factories : public ::testing::Test {
 protected:
  Manager manager;
};

TEST_F(Factories, BracesAreContentsAndTextIsAName) {
  EXPECT_EQ(manager.list<int>({0, 1, 2}), (std::vector{0, 1, 2}));
  EXPECT_EQ(manager.list<int>({0}), (std::vector{0}));
  EXPECT_EQ(manager.list<int>({0, 1}), (std::vector{0, 1}));
  EXPECT_EQ(manager.list<std::string>({"a", "b"}), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(manager.list<std::string>({"a"}), (std::vector<std::string>{"a"}));
  EXPECT_EQ(manager.list({1, "a", nullptr}), nlohmann::json({1, "a", nullptr}));
  EXPECT_EQ(manager.set<std::string>({"a", "b"}).size(), 2u);
  EXPECT_EQ((manager.dict<std::string, int>({{"a", 1}, {"b", 2}}).at("b")), 2);
  EXPECT_EQ((manager.dict<std::string, std::string>({{"a", "b"}}).at("a")), "b");
  EXPECT_EQ((manager.dict<int, int>({{1, 2}}).at(1)), 2);
  EXPECT_EQ(manager.dict({{"a", 1}, {2, "b"}}).at(2), "b");
  EXPECT_EQ(manager.array<int>({5}), (std::vector{5}));
  EXPECT_EQ(manager.array<int>({5, 6}), (std::vector{5, 6}));
  EXPECT_EQ(manager.array<double>(3), (std::vector{0.0, 0.0, 0.0}));
  EXPECT_EQ(manager.value<int>(5).load(), 5);
  EXPECT_EQ(manager.value<std::string>("text").load(), "text");
  EXPECT_TRUE(manager.objects().empty() || manager.objects().at(0).name.empty());

  manager.list<int>("l").push_back(1);
  manager.list<std::string>(std::string("m")).push_back("x");
  manager.dict<std::string, int>("d")["x"] = 1;
  manager.set<int>("s").insert(1);
  manager.ns("n").set("x", 1);
  manager.value<int>("v", 7);
  manager.array<short>("a", 4);
  for (const char* name : {"l", "m", "d", "s", "n", "v", "a"}) EXPECT_TRUE(manager.exists(name)) << name;
}

TEST_F(Factories, RangesAndProxiesAreContents) {
  std::map<std::string, int> map{{"a", 1}, {"b", 2}};
  auto dict = manager.dict<std::string, int>(map);
  EXPECT_EQ(dict.size(), 2u);
  EXPECT_EQ((manager.dict<std::string, int>(dict).at("b")), 2);
  EXPECT_EQ(manager.list<std::string>(dict), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(manager.dict(nlohmann::json{{"a", 1}}).at("a"), 1);
  std::vector<int> numbers{3, 1, 3};
  EXPECT_EQ(manager.list<int>(numbers), numbers);
  EXPECT_EQ(manager.list(nlohmann::json{1, 2}).size(), 2u);
  EXPECT_EQ(manager.set<int>(numbers).size(), 2u);
  EXPECT_EQ(manager.array<double>(numbers), (std::vector{3.0, 1.0, 3.0}));
}

TEST_F(Factories, NamesAreForEverybodyAndContentsForTheFirst) {
  auto first = manager.list<int>("l", {1, 2});
  EXPECT_EQ(manager.list<int>("l", {9}), (std::vector{1, 2}));
  EXPECT_EQ(manager.list<int>("l"), first);
  EXPECT_EQ(manager.get<List<int>>("l"), first);
  EXPECT_EQ((manager.dict<std::string, int>("d", {{"a", 1}}).at("a")), 1);
  EXPECT_EQ((manager.dict<std::string, int>("d", std::map<std::string, int>{{"a", 2}}).at("a")), 1);
  EXPECT_EQ(manager.set<int>("s", std::vector{1, 2}).size(), 2u);
  manager.value<int>("v", 7).store(8);
  EXPECT_EQ(manager.value<int>("v", 7).load(), 8);

  EXPECT_TRUE(manager.remove("l"));
  EXPECT_FALSE(manager.remove("l"));
  EXPECT_FALSE(manager.exists("l"));
  EXPECT_THROW(first.size(), ObjectGone);
  EXPECT_THAT(error_of<NotFound>([&] { manager.get<List<int>>("l"); }), HasSubstr("\"l\""));
}

TEST_F(Factories, ANameOfAnotherType) {
  manager.dict("d");
  EXPECT_THAT(error_of<TypeError>([&] { manager.list<int>("d"); }), HasSubstr("\"d\" is a dict, not a list"));
  EXPECT_THAT(error_of<TypeError>([&] { manager.get<List<int>>("d"); }), HasSubstr("\"d\" is a dict"));
  manager.array<int>("a", {1, 2, 3});
  EXPECT_EQ(manager.array<int>("a", 3), (std::vector{1, 2, 3}));
  EXPECT_THAT(error_of<TypeError>([&] { manager.array<double>("a", 3); }), HasSubstr("typecode"));
  EXPECT_EQ(error_of<ValueError>([&] { manager.array<int>("a", 4); }),
            "asked for array \"a\" of 4 elements, found one of 3");
}

TEST_F(Factories, CreatingIsOneRoundTripAndCountsOneReference) {
  auto list = manager.list<int>({1, 2, 3});
  auto named = manager.dict<int, int>("named", {{1, 1}});
  auto objects = manager.objects();
  ASSERT_EQ(objects.size(), 2u);
  EXPECT_EQ(objects[0].id, list.id());
  EXPECT_EQ(objects[0].name, "");
  EXPECT_EQ(objects[0].type, "list");
  EXPECT_EQ(objects[0].size, 3u);
  EXPECT_EQ(objects[0].references, 1u);
  EXPECT_GT(objects[0].memory_bytes, 0u);
  EXPECT_EQ(objects[1].name, "named");
  EXPECT_EQ(manager.objects("dict").size(), 1u);
  EXPECT_TRUE(manager.objects("set").empty());
}

TEST_F(Factories, AllObjectsAreListedHoweverMany) {
  std::vector<Value<int>> values;
  for (int i = 0; i < 2500; ++i) values.push_back(manager.value<int>(i));
  auto objects = manager.objects();
  ASSERT_EQ(objects.size(), 2500u);
  for (std::size_t i = 0; i < objects.size(); ++i) EXPECT_EQ(objects[i].id, values[i].id());
}

TEST(Handles, MovedFromHasNothing) {
  Manager manager;
  Manager other = std::move(manager);
  EXPECT_THROW(manager.ping(), ValueError);  // NOLINT(bugprone-use-after-move)
  other.ping();
}

}  // namespace
}  // namespace tandem
