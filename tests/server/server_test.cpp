// tandem::Server: a manager inside this process, over every transport.
#include "tandem/server.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "tandem/tandem.hpp"
#include "tests/support/child.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"
#include "tests/support/raw_client.hpp"

namespace tandem {
namespace {

using namespace std::chrono_literals;
using server::Heard;
using server::ping;
using test::RawClient;
using testing::HasSubstr;
using testing::SizeIs;

class ServerTest : public testing::Test {
 protected:
  ServerOptions options() {
    ServerOptions options;
    options.listen = {"unix:" + path_};
    options.log_level = LogLevel::debug;
    options.log = [this](LogLevel, std::string_view line) {
      std::lock_guard lock(mutex_);
      log_.emplace_back(line);
    };
    return options;
  }
  void wait_for_log(std::string_view text) {
    test::eventually(
        [&] {
          std::lock_guard lock(mutex_);
          return std::any_of(log_.begin(), log_.end(),
                             [&](const std::string& line) { return line.find(text) != line.npos; });
        },
        "\"" + std::string(text) + "\" in the log");
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_.path("socket");

 private:
  std::mutex mutex_;
  std::vector<std::string> log_;
};

/// The id of a named object.
std::uint64_t id_of(RawClient& client, std::string_view name) {
  client.say(server::request_frame({0, ops::Manager::Get::description.number, 0, 1, ops::Manager::id},
                                   server::packed([&](wire::Writer& out) {
                                     out.array(1);
                                     out.text(name);
                                   })));
  std::string payload = client.hear().payload;
  wire::Reader reader(wire::as_bytes(payload));
  wire::Reference reference;
  EXPECT_TRUE(reader.reference(reference));
  return reference.id;
}

/// A request for the whole of a dict.
std::string snapshot(std::uint64_t dict, std::uint32_t request) {
  return server::request_frame({0, ops::Dict::Snapshot::description.number, request, 1, dict}, "\x90");
}

TEST_F(ServerTest, ServesEveryTransportFromOneState) {
  ServerOptions wanted = options();
  wanted.authkey = "a key";
  wanted.listen.push_back("unix:@" + path_);
  wanted.listen.push_back("tcp://127.0.0.1:0");
  Server server(std::move(wanted));
  server.start();
  ASSERT_THAT(server.addresses(), SizeIs(3));
  auto here = server.connect().dict<std::string, int>("shared");
  int n = 0;
  for (const std::string& address : server.addresses()) {
    Manager manager(address, {.authkey = "a key"});
    manager.dict<std::string, int>("shared")[address] = ++n;
  }
  EXPECT_EQ(here.size(), 3u);
  EXPECT_EQ(here.at(server.addresses()[2]), 3);
}

TEST_F(ServerTest, ADeadlockIsLoggedAndRefused) {
  Server server(options());
  server.start();
  Lock lock = server.connect().lock("a");
  lock.lock();
  EXPECT_THROW(lock.lock(), DeadlockError);
  wait_for_log("a cycle of waits, refused: session 1 (process " + std::to_string(::getpid()) + ") thread ");
}

TEST_F(ServerTest, ADeadlockMayBeOnlyLogged) {
  ServerOptions wanted = options();
  wanted.on_deadlock = OnDeadlock::report;
  Server server(std::move(wanted));
  server.start();
  Manager manager = server.connect();
  Lock lock = manager.lock("a");
  std::jthread party([&](const std::stop_token& stop) {
    const std::lock_guard held(lock);
    EXPECT_FALSE(lock.lock(stop));
  });
  test::eventually([&] { return manager.information().at("waiters") == 1; }, "the other thread to wait");
  wait_for_log("not refused: session 1");
}

TEST_F(ServerTest, AnotherKeyIsRefusedAndLogged) {
  ServerOptions wanted = options();
  wanted.authkey = "a key";
  Server server(std::move(wanted));
  server.start();
  EXPECT_THROW(Manager("unix:" + path_, {.authkey = "another"}), AuthenticationError);
  wait_for_log("(authkey)");
}

TEST_F(ServerTest, OptionsThatCannotBeAreRefused) {
  ServerOptions wrong = options();
  wrong.limits.frame_bytes_max = 10;
  EXPECT_THROW(
      {
        try {
          Server server(wrong);
        } catch (const ValueError& error) {
          EXPECT_THAT(error.what(), HasSubstr("frame_bytes_max"));
          throw;
        }
      },
      ValueError);
  wrong = options();
  wrong.authkey = "a key";
  wrong.authkey_file = "/dev/null";
  EXPECT_THROW(Server{wrong}, ValueError);
  wrong = options();
  wrong.listen = {"nonsense"};
  EXPECT_THROW(Server{wrong}, ValueError);
  wrong = options();
  wrong.listen = {"tcp://127.0.0.1:0"};
  EXPECT_THROW(Server{wrong}, ConnectionError);
  wrong = options();
  wrong.debug = "nonsense";
  EXPECT_THROW(Server{wrong}, ValueError);
}

TEST_F(ServerTest, AnAuthkeyFileThatOthersCanReadIsWarnedAbout) {
  std::string file = folder_.write("key", "secret\n");
  std::filesystem::permissions(file, std::filesystem::perms::group_read, std::filesystem::perm_options::add);
  ServerOptions wanted = options();
  wanted.authkey_file = file;
  Server server(std::move(wanted));
  wait_for_log(file);
  server.start();
  Manager("unix:" + path_, {.authkey = "secret"}).ping();
}

TEST_F(ServerTest, TheDebugEndpointTellsItsRealPort) {
  ServerOptions wanted = options();
  wanted.debug = "127.0.0.1:0";
  Server server(std::move(wanted));
  server.start();
  server.connect().dict<std::string, int>("scores");
  ASSERT_THAT(server.debug_address(), testing::StartsWith("http://127.0.0.1:"));
  RawClient http("tcp://" + server.debug_address().substr(7));
  http.say("GET /objects HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::string answer = http.hear_to_the_end();
  EXPECT_THAT(answer, HasSubstr("200"));
  EXPECT_THAT(answer, HasSubstr("scores"));
}

TEST_F(ServerTest, TheDebugEndpointShowsSessions) {
  ServerOptions wanted = options();
  wanted.debug = "127.0.0.1:0";
  Server server(std::move(wanted));
  server.start();
  Manager manager = server.connect();
  auto dict = manager.dict();
  std::jthread([&] { dict.size(); }).join();
  RawClient http("tcp://" + server.debug_address().substr(7));
  http.say("GET /sessions HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::string answer = http.hear_to_the_end();
  nlohmann::json sessions = nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4)).at("sessions");
  ASSERT_EQ(sessions.size(), 1u);
  EXPECT_EQ(sessions[0]["pid"], ::getpid());
  EXPECT_EQ(sessions[0]["uid"], ::geteuid());
  EXPECT_EQ(sessions[0]["peer"], "in-process");
  EXPECT_EQ(sessions[0]["references"], 1);
  EXPECT_GE(sessions[0]["channels"], 1);
  EXPECT_GE(sessions[0]["threads"], 1);
}

// ---- the handshake's limits, on real sockets ------------------------------------------------------------------------------

TEST_F(ServerTest, ASilentClientIsToldWhyItIsClosed) {
  ServerOptions wanted = options();
  wanted.limits.handshake_ms_max = 20;
  Server server(std::move(wanted));
  server.start();
  RawClient silent("unix:" + path_);
  silent.hear_bytes(wire::hello_bytes);
  server::RefusalHeard heard = server::parse_refusal(silent.hear_to_the_end());
  EXPECT_EQ(heard.code, Code::timeout);
  EXPECT_THAT(heard.text, HasSubstr("handshake_ms_max (20)"));
}

TEST_F(ServerTest, WhoeverSendsGarbageOverTcpCanStillReadWhy) {
  ServerOptions wanted = options();
  wanted.authkey = "a key";
  wanted.listen = {"tcp://127.0.0.1:0"};
  Server server(std::move(wanted));
  server.start();
  RawClient rude(server.addresses().front());
  rude.hear_bytes(wire::hello_bytes);
  rude.say(std::string(100'000, 'x'));
  EXPECT_EQ(server::parse_refusal(rude.hear_to_the_end()).code, Code::protocol_error);
}

TEST_F(ServerTest, ABrokenFrameIsAnsweredByAFaultAndTheEnd) {
  Server server(options());
  server.start();
  RawClient client("unix:" + path_);
  client.shake_hands();
  client.say(ping(1) + server::part_frame(7, "x", false) + std::string(50'000, 'x'));
  EXPECT_EQ(client.hear().request, 1u);
  Heard fault = client.hear();
  EXPECT_EQ(fault.kind, wire::FrameKind::fault);
  EXPECT_EQ(client.hear_to_the_end(), "");
}

TEST_F(ServerTest, ChannelsBeyondTheLimitAreToldSoAndRoomIsReused) {
  ServerOptions wanted = options();
  wanted.limits.channels_max = 2;
  Server server(std::move(wanted));
  server.start();
  for (int round = 0; round < 50; ++round) {
    RawClient first("unix:" + path_), second("unix:" + path_), third("unix:" + path_);
    first.shake_hands();
    second.shake_hands();
    EXPECT_THROW(third.shake_hands(), ResourceExhausted);
    for (RawClient* client : {&first, &second}) {
      client->say(server::part_frame(1, "a fault ends the channel", false));
      client->hear_to_the_end();
    }
  }
}

TEST_F(ServerTest, FarBeyondTheLimitTheOldestThatHasProvenNothingIsClosed) {
  ServerOptions wanted = options();
  wanted.limits.channels_max = 1;
  wanted.limits.handshake_ms_max = 600'000;
  Server server(std::move(wanted));
  server.start();
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 65; ++i) {
    silent.push_back(std::make_unique<RawClient>("unix:" + path_));
    silent.back()->hear_bytes(wire::hello_bytes);
  }
  RawClient proven("unix:" + path_);
  proven.shake_hands();
  wait_for_log("channels_max is reached, and others want to connect");
  silent.front()->hear_to_the_end();
}

// ---- clients that do not read ---------------------------------------------------------------------------------------------

TEST_F(ServerTest, AClientThatDoesNotReadHarmsOnlyItself) {
  Server server(options());
  server.start();
  auto dict = server.connect().dict<std::string, std::string>("big");
  dict["k"] = std::string(500'000, 'v');
  RawClient lazy("unix:" + path_);
  lazy.shake_hands();
  std::uint64_t id = id_of(lazy, "big");
  constexpr std::uint32_t requests = 200;  // of half a megabyte each
  for (std::uint32_t request = 0; request < requests; ++request) lazy.say(snapshot(id, request));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(dict.size(), 1u);
  for (std::uint32_t request = 0; request < requests; ++request) {
    Heard reply = lazy.hear();
    ASSERT_EQ(reply.code, Code::ok);
    ASSERT_EQ(reply.request, request);
    ASSERT_GT(reply.payload.size(), 500'000u);
  }
}

TEST_F(ServerTest, AClientThatFloodsWithoutReadingIsStopped) {
  Server server(options());
  server.start();
  RawClient flood("unix:" + path_);
  flood.shake_hands();
  std::string many;
  for (std::uint32_t request = 0; request < 1000; ++request) many += ping(request);
  // Once nothing more goes in, the manager has stopped reading and still serves others.
  std::size_t said = 0;
  Manager other = server.connect();
  for (int refused_in_a_row = 0; refused_in_a_row < 200;) {
    std::size_t now = flood.say_now(std::string_view(many).substr(said % many.size()));
    said += now;
    refused_in_a_row = now == 0 ? refused_in_a_row + 1 : 0;
    if (now == 0) other.ping();
  }
  EXPECT_GT(said, 100'000u);
  std::uint64_t whole_requests = said / ping(0).size();
  for (std::uint64_t i = 0; i < whole_requests; ++i) ASSERT_EQ(flood.hear().request, i % 1000);
}

TEST_F(ServerTest, AWaitBeyondTheClocksRangeIsNobodyElsesProblem) {
  Server server(options());
  server.start();
  Manager waiting("unix:" + path_);
  Manager other("unix:" + path_);
  Queue<int> queue = waiting.queue<int>("queue");
  auto pipeline = waiting.pipeline();
  // 300 years from now cannot be told in signed nanoseconds, but in unsigned ones.
  constexpr std::int64_t limit_us = std::int64_t{300} * 365 * 24 * 3600 * 1'000'000;
  Future<std::optional<int>> item = pipeline.call<ops::Queue::Get, std::optional<int>>(queue, limit_us);
  pipeline.flush();
  test::eventually([&] { return !other.waits().empty(); }, "the wait");
  for (int i = 0; i < 100; ++i) other.ping();
  EXPECT_EQ(other.waits().size(), 1u);
  other.queue<int>("queue").put(7);
  EXPECT_EQ(item.get(), 7);
}

TEST_F(ServerTest, LongValuesGoBothWaysInProcess) {
  Server server(options());
  server.start();
  auto list = server.connect().list<std::string>();
  list.push_back(std::string(5'000'000, 'x'));
  EXPECT_EQ(list.at(0).size(), 5'000'000u);
}

TEST_F(ServerTest, ManyThreadsInProcess) {
  Server server(options());
  server.start();
  Manager manager = server.connect();
  auto counter = manager.value<std::int64_t>(0);
  std::vector<std::jthread> threads;
  for (int n = 0; n < 8; ++n)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) counter += 1;
    });
  threads.clear();
  EXPECT_EQ(counter.load(), 1600);
}

// ---- starting and stopping ------------------------------------------------------------------------------------------------

TEST_F(ServerTest, StoppingAnswersWhatIsUnderWayAndSaysGoodbye) {
  Server server(options());
  server.start();
  RawClient client("unix:" + path_);
  client.shake_hands();
  std::string many;
  for (std::uint32_t request = 0; request < 100; ++request) many += ping(request);
  client.say(many);
  server.stop();
  for (std::uint32_t request = 0; request < 100; ++request) EXPECT_EQ(client.hear().request, request);
  Heard last = client.hear();
  EXPECT_EQ(last.kind, wire::FrameKind::fault);
  EXPECT_EQ(last.code, Code::shutting_down);
  EXPECT_EQ(client.hear_to_the_end(), "");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ServerTest, StoppingDoesNotWaitForeverForAClientThatDoesNotRead) {
  Server server(options());
  server.start();
  auto dict = server.connect().dict<std::string, std::string>("big");
  dict["k"] = std::string(900'000, 'v');
  RawClient lazy("unix:" + path_);
  lazy.shake_hands();
  std::uint64_t id = id_of(lazy, "big");
  for (std::uint32_t request = 0; request < 10; ++request) lazy.say(snapshot(id, request));
  server.stop(50ms);
  wait_for_log("did not take their replies");
}

TEST_F(ServerTest, StoppingEndsWhatWaitsInThisProcess) {
  Server server(options());
  server.start();
  const Manager manager = server.connect();
  const Lock lock = manager.lock();
  const auto queue = manager.queue<int>();
  const Event event = manager.event();
  const Barrier barrier = manager.barrier(2);
  const auto list = manager.list<int>();
  lock.lock();
  const std::vector<std::function<void()>> waits = {[&] { lock.lock(); }, [&] { (void)queue.get(); },
                                                    [&] { event.wait(); }, [&] { barrier.wait(); },
                                                    [&] { list.wait_for_change(list.version()); }};
  std::atomic<std::size_t> ended = 0;
  std::vector<std::jthread> threads;
  for (const auto& wait : waits)
    threads.emplace_back([&] {
      EXPECT_THROW(wait(), ConnectionError);
      ++ended;
    });
  test::eventually([&] { return manager.information().at("waiters") == waits.size(); },
                   "all threads to wait");
  server.stop();
  threads.clear();
  EXPECT_EQ(ended, waits.size());
}

TEST_F(ServerTest, StopsOnceHoweverOftenItIsTold) {
  Server server(options());
  server.start();
  {
    std::jthread one([&] { server.stop(); });
    std::jthread other([&] { server.stop(); });
  }
  server.stop();
  EXPECT_THROW(server.start(), ValueError);
  EXPECT_THROW(server.connect(), ConnectionError);
}

TEST_F(ServerTest, MayBeStoppedBeforeItIsStarted) {
  Server server(options());
  EXPECT_TRUE(std::filesystem::exists(path_));
  server.stop();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ServerTest, RunsOnTheCallingThreadToo) {
  Server server(options());
  auto ended = std::async(std::launch::async, [&] { server.run(); });
  Manager manager("unix:" + path_);
  manager.ping();
  server.stop();
  ended.get();
  EXPECT_THROW(manager.ping(), Error);
}

TEST_F(ServerTest, CanWaitUntilNobodyUsesIt) {
  Server server(options());
  server.start();
  std::optional<Manager> manager(std::in_place, "unix:" + path_);
  manager->ping();
  auto stopped = std::async(std::launch::async, [&] { server.stop_when_unused(24h); });
  for (int i = 0; i < 100; ++i) manager->ping();
  manager.reset();
  stopped.get();
}

TEST_F(ServerTest, DoesNotWaitWhenNobodyUsesIt) {
  Server server(options());
  server.start();
  server.stop_when_unused(24h);
}

TEST_F(ServerTest, OutlivedByAManagerItLeavesAnError) {
  std::optional<Manager> manager;
  {
    Server server(options());
    server.start();
    manager.emplace(server.connect());
    manager->ping();
  }
  EXPECT_THROW(manager->ping(), Error);
  EXPECT_THROW(manager->ping(), ConnectionError);
}

// ---- forks ------------------------------------------------------------------------------------------------

TEST_F(ServerTest, IsTheParentsAloneAfterAFork) {
  Server server(options());
  server.start();
  Manager manager = server.connect();
  manager.ping();
  {
    test::Child child([&] {
      EXPECT_THROW(manager.ping(), ConnectionError);
      EXPECT_THROW(server.connect(), ConnectionError);
      Manager("unix:" + path_).ping();
      // What the child destroys is only its copy.
      std::destroy_at(&server);
    });
  }
  EXPECT_TRUE(std::filesystem::exists(path_));
  manager.ping();
  Manager("unix:" + path_).ping();
}

TEST_F(ServerTest, AForkedChildHasNoneOfItsDescriptors) {
  test::Signal began, connected, asked;
  std::string debug;
  ServerOptions wanted = options();
  wanted.listen.push_back("unix:" + folder_.path("second"));
  wanted.listen.push_back("tcp://127.0.0.1:0");
  wanted.authkey = "a key";
  wanted.debug = "127.0.0.1:0";
  wanted.log_level = LogLevel::off;
  const std::set<int> earlier = test::descriptors();
  const std::size_t before = test::open_descriptors();
  std::optional<Server> server(std::move(wanted));
  // A client of each kind, in a process without copies of the server's ends.
  test::Child clients([&] {
    const std::string address = server->addresses().back();
    began.wait();
    Manager ring("unix:" + path_, {.authkey = "a key"});
    Manager socket("unix:" + path_, {.authkey = "a key", .ring = false});
    Manager tcp(address, {.authkey = "a key"});
    RawClient silent("unix:" + path_);
    RawClient debug("tcp://" + server->debug_address().substr(std::string("http://").size()));
    for (Manager* each : {&ring, &socket, &tcp}) each->ping();
    connected.send();
    asked.wait();
  });
  server->start();
  began.send();
  connected.wait();
  EXPECT_GE(test::open_descriptors(), before + 12);
  // Programs that are executed, by system() for instance, have none either.
  for (const int descriptor : test::descriptors()) {
    if (earlier.count(descriptor) != 0) continue;
    EXPECT_NE(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0) << "descriptor " << descriptor;
  }
  test::Child child([&] {
    EXPECT_EQ(test::open_descriptors(), before);
    server->stop();
    EXPECT_THROW(server->start(), ValueError);
    EXPECT_THROW(server->run(), ValueError);
    // Numbers that the parent's copies of these objects had are others' now.
    test::Signal own;
    std::destroy_at(&*server);
    own.send();
    own.wait();
    Server another({.listen = {"unix:" + folder_.path("third")}});
    another.start();
    Manager("unix:" + folder_.path("third")).ping();
  });
  EXPECT_EQ(child.join(), 0);
  asked.send();
}

TEST_F(ServerTest, ItsAddressesAreFreeOnceItHasStoppedWhileChildrenLive) {
  test::Signal may_end;
  ServerOptions wanted = options();
  wanted.listen.push_back("tcp://127.0.0.1:0");
  wanted.authkey = "a key";
  wanted.debug = "127.0.0.1:0";
  std::optional<Server> server(wanted);
  server->start();
  Manager(server->addresses().back(), {.authkey = "a key"}).ping();
  test::Child child([&] { may_end.wait(); });
  wanted.listen = server->addresses();
  wanted.debug = server->debug_address().substr(std::string("http://").size());
  server->stop();
  EXPECT_THROW(Manager(wanted.listen.back(), {.authkey = "a key"}), ConnectionError);
  server.emplace(wanted);
  server->start();
  Manager(server->addresses().back(), {.authkey = "a key"}).ping();
  may_end.send();
}

TEST_F(ServerTest, WhenItsProgramIsKilledCallsEndAtOnceThoughAnotherWorkerLives) {
  for (const bool tcp : {false, true}) {
    for (const bool ring : {false, true}) {
      if (tcp && ring) continue;
      SCOPED_TRACE((tcp ? "tcp" : "unix") + std::string(ring ? ", ring" : ""));
      test::Signal caller_pid, both_began, may_end;
      test::Child program([&] {
        ServerOptions wanted = options();
        if (tcp) wanted.listen = {"tcp://127.0.0.1:0"};
        wanted.authkey = "a key";
        wanted.log = nullptr;
        wanted.log_level = LogLevel::off;
        Server server(wanted);
        server.start();
        Manager inside = server.connect();
        test::Child caller([&] {
          Manager manager(server.addresses().front(), {.authkey = "a key", .ring = ring});
          EXPECT_THROW(manager.queue<int>("queue").get(), ConnectionError);
        });
        test::eventually([&] { return inside.waits().size() == 1; }, "a worker in get()");
        test::Child other([&] { may_end.wait(); });
        caller_pid.send_number(caller.pid());
        both_began.wait();
      });
      const test::Watched caller(caller_pid.wait_for_number());
      program.kill();
      caller.wait_until_gone();
      may_end.send();
    }
  }
}

}  // namespace
}  // namespace tandem
