// The debug endpoint of a whole manager, over HTTP, with clients on a socket.

#include <httplib.h>

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

#include "server/debug/objects.hpp"
#include "tandem/server.hpp"
#include "tandem/tandem.hpp"
#include "tests/server/debug/exposition_parser.hpp"
#include "tests/server/debug/raw_client.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"

namespace tandem::server {
namespace {

using nlohmann::json;

class DebugServerTest : public testing::Test {
 protected:
  DebugServerTest() : address_("unix:" + folder_.path("socket")) {
    server_.emplace(options());
    server_->start();
    manager_.emplace(address_);
  }
  ServerOptions options() {
    ServerOptions options;
    options.listen = {address_};
    options.debug = "127.0.0.1:0";
    options.log_level = LogLevel::off;
    return options;
  }
  static std::string get(const std::string& debug_address, const std::string& target, int status = 200,
                         const httplib::Headers& headers = {}) {
    httplib::Result result = httplib::Client(debug_address).Get(target, headers);
    EXPECT_TRUE(result) << target << ": " << httplib::to_string(result.error());
    if (!result) return "{}";
    EXPECT_EQ(result->status, status) << target << result->body;
    return result->body;
  }
  json get(const std::string& target) { return json::parse(get(server_->debug_address(), target)); }
  json operation(const std::string& type, const std::string& name) {
    json page = get("/ops?type=" + type);
    for (const json& one : page["operations"])
      if (one["name"] == name) return one;
    ADD_FAILURE() << "no operation " << type << "." << name;
    return {};
  }

  test::TemporaryFolder folder_;
  std::string address_;
  std::optional<tandem::Server> server_;
  std::optional<Manager> manager_;
};

TEST_F(DebugServerTest, SaysWhatItIs) {
  json info = get("/info");
  EXPECT_EQ(info["pid"], ::getpid());
  EXPECT_EQ(info["sessions"], 1);
  EXPECT_EQ(info["flags"]["listen"], json{address_});
  EXPECT_EQ(info["incarnation"], manager_->information()["incarnation"]);
  EXPECT_GT(info["limits"]["memory_bytes_max"].get<std::uint64_t>(), 0u);
}

// Not only when something changes.
TEST_F(DebugServerTest, WaitsAndHoldingsGrowOlderInAnIdleManager) {
  Lock lock = manager_->lock("lock");
  lock.lock();
  auto waiter = std::async(std::launch::async, [&] {
    if (lock.try_lock_for(std::chrono::hours(1))) lock.unlock();
  });
  test::eventually([&] { return get("/waits")["waiters"].size() == 1; }, "a wait");
  test::eventually(
      [&] {
        const json page = get("/waits");
        return page["waiters"][0]["waited_ms"] > 30.0 && page["holdings"][0]["held_ms"] > 30.0;
      },
      "a wait and a holding that are 30 ms old");
  lock.unlock();
  waiter.get();
}

TEST_F(DebugServerTest, ShowsSessions) {
  auto list = manager_->list<int>();
  auto dict = manager_->dict("d");
  std::thread([&] {  // a second channel, for as long as its thread lives
    manager_->ping();
    json session = get("/sessions")["sessions"][0];
    EXPECT_EQ(session["pid"], ::getpid());
    EXPECT_EQ(session["uid"], ::geteuid());
    EXPECT_EQ(session["peer"], address_);
    EXPECT_EQ(session["channels"], 2);
    EXPECT_EQ(session["threads"], 2);
    EXPECT_EQ(session["references"], 2);
    EXPECT_EQ(session["requests_under_way"], 0);
  })
      .join();
  Manager second(address_);
  json page = get("/sessions?limit=1");
  json next = get("/sessions?limit=1&cursor=" + page["next_cursor"].dump());
  EXPECT_EQ(next["sessions"].size(), 1u);
  EXPECT_NE(next["sessions"][0]["id"], page["sessions"][0]["id"]);
  EXPECT_EQ(next["next_cursor"], nullptr);
}

TEST_F(DebugServerTest, CountsOperations) {
  auto dict = manager_->dict<std::string, int>("d");
  for (int i = 0; i < 10; ++i) dict["k"] = i;
  EXPECT_THROW(dict.at("none"), KeyError);
  json set = operation("dict", "set");
  EXPECT_EQ(set["count"], 10);
  EXPECT_EQ(set["errors"], 0);
  std::uint64_t in_buckets = 0;
  for (const json& bucket : set["latency"]["buckets"]) in_buckets += bucket["count"].get<std::uint64_t>();
  EXPECT_EQ(in_buckets, 10u);
  EXPECT_GT(set["latency"]["sum_ns"].get<std::uint64_t>(), 0u);
  EXPECT_EQ(operation("dict", "at")["errors"], 1);

  Exposition metrics = Exposition::parse(get(server_->debug_address(), "/metrics"));
  EXPECT_EQ(metrics.problems, std::vector<std::string>());
  EXPECT_EQ(metrics.value("tandem_operations_total", {{"type", "dict"}, {"op", "set"}}), 10);
  EXPECT_EQ(metrics.value("tandem_operation_seconds_count", {{"type", "dict"}, {"op", "set"}}), 10);
  EXPECT_EQ(metrics.value("tandem_sessions", {}), 1);
  EXPECT_EQ(metrics.value("tandem_objects", {}), 1);
  EXPECT_EQ(metrics.value("tandem_connections_accepted_total", {}), 1);
  EXPECT_EQ(metrics.value("tandem_handshakes_failed_total", {{"reason", "authkey"}}), 0);
}

TEST_F(DebugServerTest, ShowsObjectsAsTheyAre) {
  auto inner = manager_->list<int>({1, 2});
  auto dict = manager_->dict("d");
  dict["inner"] = inner;
  dict[0.25] = json::binary({0, 1, 2});
  json page = get("/objects/d");
  EXPECT_EQ(page["entries"],
            (json{{"inner", {{"$ref", inner.id()}, {"$type", "list"}}}, {0.25, {{"$bytes", "AAEC"}}}}));
  EXPECT_EQ(get("/objects/id:" + std::to_string(inner.id()))["references"], 2);
}

TEST_F(DebugServerTest, ALargeObjectIsReadWhileItIsUsed) {
  constexpr int count = 200'000;
  std::map<int, int> entries;
  for (int i = 0; i < count; ++i) entries[i] = i;
  auto dict = manager_->dict<int, int>("big");
  dict.update(entries);
  std::atomic<bool> stop = false;
  int added = 0;
  std::thread using_it([&] {
    for (; !stop; ++added) dict.add(count, 1);
  });
  int seen = 0;
  for (json cursor = 0; !cursor.is_null();) {
    json page = get("/objects/big?limit=1000&cursor=" + cursor.dump());
    for (const json& entry : page["entries"]) {
      EXPECT_TRUE(entry[0] == seen && (entry[1] == seen || seen == count)) << entry << seen;
      ++seen;
    }
    cursor = page["next_cursor"];
  }
  stop = true;
  using_it.join();
  EXPECT_GE(seen, count);
  EXPECT_EQ(dict.get(count, 0), added);
}

TEST_F(DebugServerTest, StalledHttpClientsDoNotStopOperations) {
  std::vector<RawClient> stalled;
  for (int i = 0; i < 100; ++i) {
    stalled.emplace_back(server_->debug_address());
    stalled.back().send("GET /objects HTTP/1.1\r\n");
  }
  auto list = manager_->list<int>();
  for (int i = 0; i < 1000; ++i) list.push_back(i);
  EXPECT_EQ(list.size(), 1000u);
  server_->stop();
}

TEST_F(DebugServerTest, IsGoneWithTheManager) {
  const std::string where = server_->debug_address();
  server_->stop();
  EXPECT_FALSE(httplib::Client(where).Get("/"));
}

TEST_F(DebugServerTest, OnOtherAddressesATokenIsNeeded) {
  ServerOptions open = options();
  open.listen.clear();
  open.debug = "0.0.0.0:0";
  EXPECT_THROW(tandem::Server{open}, ValueError);
  open.debug_token = "0123456789abcdef";
  tandem::Server server(open);
  server.start();
  const std::string where = server.debug_address();
  const std::string reachable = "http://127.0.0.1" + where.substr(where.rfind(':'));
  get(reachable, "/healthz", 401);
  get(reachable, "/healthz", 200, {{"Authorization", "Bearer 0123456789abcdef"}});
}

TEST(DebugFlags, OfTandemdOpenTheEndpoint) {
  test::TemporaryFolder folder;
  const std::string token = folder.path("token");
  std::ofstream(token) << "0123456789abcdef\n";
  test::Program tandemd({test::beside_the_test("tandemd"), "--listen", "unix:" + folder.path("socket"),
                         "--debug", "127.0.0.1:0", "--debug-token-file", token, "--log-level", "off"});
  const std::string ready = tandemd.read_line();
  ASSERT_THAT(ready, testing::HasSubstr(" debug http://127.0.0.1:"));
  httplib::Client client(ready.substr(ready.rfind("http://")));
  httplib::Result refused = client.Get("/healthz");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401);
  httplib::Result taken =
      client.Get("/healthz", httplib::Headers{{"Authorization", "Bearer 0123456789abcdef"}});
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->status, 200);
  tandemd.signal(SIGTERM);
  EXPECT_EQ(tandemd.wait(), 0);
}

TEST(DebugFlags, ThatCannotBeAreRefused) {
  test::TemporaryFolder folder;
  for (const char* address : {"0.0.0.0:0", "nonsense", "127.0.0.1:99999"}) {
    test::Program tandemd({test::beside_the_test("tandemd"), "--listen", "unix:" + folder.path("socket"),
                           "--debug", address, "--log-level", "off"});
    EXPECT_EQ(tandemd.wait(), 1) << address;
    EXPECT_THAT(tandemd.errors, testing::HasSubstr("debug"));
  }
}

}  // namespace
}  // namespace tandem::server
