#include "server/debug/pages.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tests/server/debug/fixture.hpp"

namespace tandem::server {
namespace {

using nlohmann::json;

TEST_F(DebugTest, TheIndexListsWhatThereIs) {
  json index = get("/");
  EXPECT_EQ(index["service"], "tandem");
  std::vector<std::string> paths;
  for (const json& one : index["endpoints"]) {
    paths.push_back(one["path"]);
    EXPECT_FALSE(one["description"].get<std::string>().empty());
  }
  EXPECT_EQ(paths, (std::vector<std::string>{"/", "/healthz", "/info", "/objects", "/objects/{name or id:ID}",
                                             "/sessions", "/waits", "/ops", "/journal", "/metrics"}));
  for (const std::string& path : paths)
    if (path.find('{') == path.npos) {
      EXPECT_EQ(answer(path).status, 200) << path;
    }
  EXPECT_EQ(index["endpoints"][3]["parameters"], (json{"type", "name", "limit", "cursor"}));
}

TEST_F(DebugTest, HealthIsTheEnginesAnswer) {
  EXPECT_EQ(get("/healthz"), (json{{"status", "ok"}}));
}

TEST_F(DebugTest, ABusyEngineIsUnavailable) {
  EngineQuery impatient([](std::function<void()>) {}, view_, std::chrono::milliseconds(1));
  for (const char* path :
       {"/healthz", "/info", "/objects", "/objects/x", "/sessions", "/waits", "/ops", "/metrics"}) {
    Answer got = answer_request(Request{"GET", path, {}, ""}, startup_info_, impatient);
    EXPECT_EQ(got.status, 503) << path;
    EXPECT_EQ(json::parse(got.body)["error"]["status"], 503);
  }
}

TEST_F(DebugTest, InfoTellsWhatTheManagerIs) {
  startup_info_.flags = {{"listen", {"unix:/tmp/x"}}, {"log_level", "info"}};
  view_.all_sessions.resize(3);
  create("dict", "scores");
  json info = get("/info");
  EXPECT_EQ(info["version"], "1.2.3");
  EXPECT_EQ(info["pid"], 4711);
  EXPECT_EQ(info["incarnation"], "00ff");
  EXPECT_EQ(info["started_ms"], 1'700'000'000'500);
  EXPECT_GE(info["uptime_s"].get<double>(), 0.0);
  EXPECT_EQ(info["objects"], 1);
  EXPECT_EQ(info["sessions"], 3);
  EXPECT_GT(info["memory_bytes"].get<std::uint64_t>(), 0u);
  EXPECT_EQ(info["flags"]["listen"][0], "unix:/tmp/x");
  EXPECT_EQ(info["limits"].size(), limit_descriptions.size());
  for (const LimitDescription& limit : limit_descriptions)
    EXPECT_EQ(info["limits"][std::string(limit.name)], limits_.*limit.member) << limit.name;
}

TEST_F(DebugTest, WaitsAreShownWithWhoOwns) {
  ObjectId lock = create("lock", "jobs");
  ObjectId event = create("event", std::nullopt);
  call<ops::Lock::Acquire>(lock);
  park<ops::Lock::Acquire>(lock, 2);
  park<ops::Event::Wait>(event, 3);
  json page = get("/waits");
  ASSERT_EQ(page["waiters"].size(), 2u);
  const json& waiter = page["waiters"][0];
  EXPECT_EQ(waiter["name"], "jobs");
  EXPECT_EQ(waiter["operation"], "lock.acquire");
  EXPECT_EQ(waiter["session"], session);
  EXPECT_EQ(waiter["actor"], 2);
  EXPECT_EQ(waiter["left_ms"], nullptr);
  EXPECT_EQ(page["waiters"][1]["object"], event);
  EXPECT_EQ(page["next_cursor"], nullptr);
  ASSERT_EQ(page["holdings"].size(), 1u);
  const json& holding = page["holdings"][0];
  EXPECT_EQ(holding["object"], lock);
  EXPECT_EQ(holding["mode"], "exclusive");
  EXPECT_EQ(holding["actor"], 1);
  EXPECT_EQ(holding["token"], 1);
  EXPECT_GE(holding["held_ms"].get<double>(), 0.0);

  json first = get("/waits?limit=1");
  ASSERT_EQ(first["waiters"].size(), 1u);
  json second = get("/waits?limit=1&cursor=" + first["next_cursor"].dump());
  ASSERT_EQ(second["waiters"].size(), 1u);
  EXPECT_EQ(second["waiters"][0]["object"], event);
  EXPECT_EQ(second["next_cursor"], nullptr);
}

TEST_F(DebugTest, HoldingsComeByPagesThatEnd) {
  const ObjectId lock = create("lock", "first");
  call<ops::Lock::Acquire>(lock);
  const ObjectId locks = create("locks", "keys");
  for (int key = 0; key < 5'000; ++key) call<ops::Locks::Acquire>(locks, std::vector<json>{json(key)});
  const ObjectId last = create("lock", "last");
  call<ops::Lock::Acquire>(last);
  EXPECT_LT(answer("/waits?limit=1").body.size(), 1'000u);

  for (const int limit : {1, 999, 1000}) {
    std::vector<ObjectId> objects;
    std::set<std::string> keys;
    std::string cursor;
    for (int pages = 0; pages < (limit == 1 ? 3 : 20); ++pages) {
      const json page = get("/waits?limit=" + std::to_string(limit) + "&holdings_cursor=" + cursor);
      EXPECT_LE(page["holdings"].size(), static_cast<std::size_t>(limit));
      for (const json& holding : page["holdings"]) {
        objects.push_back(holding["object"]);
        if (holding["object"] == locks) {
          EXPECT_TRUE(keys.insert(holding["key"]).second);
        }
      }
      if (page["next_holdings_cursor"].is_null()) break;
      cursor = page["next_holdings_cursor"];
    }
    EXPECT_EQ(objects.front(), lock);
    EXPECT_TRUE(std::is_sorted(objects.begin(), objects.end()));
    if (limit == 1) continue;
    EXPECT_EQ(keys.size(), 5'000u);
    EXPECT_EQ(objects.size(), 5'002u);
    EXPECT_EQ(objects.back(), last);
  }
  EXPECT_THAT(error("/waits?holdings_cursor=1:2", 400), testing::HasSubstr("holdings_cursor"));
}

TEST_F(DebugTest, AKeyThatIsLongIsShownCut) {
  const ObjectId locks = create("locks", "keys");
  call<ops::Locks::Acquire>(locks, std::vector<json>{json(std::string(1'000'000, 'k'))});
  EXPECT_LT(answer("/waits").body.size(), 5'000u);
}

TEST_F(DebugTest, ALongChainOfWaitsIsManyShortQuestions) {
  // Each thread has a lock and waits for that of the one before it.
  constexpr std::uint32_t count = 20'000;
  std::vector<ObjectId> locks;
  auto step_as = [&](std::uint32_t actor, ObjectId lock, std::optional<int> limit_us) {
    wire::Buffer arguments, reply;
    wire::Writer writer(arguments);
    writer.array(limit_us ? 1 : 0);
    if (limit_us) writer.integer(*limit_us);
    engine_.step(Call{session, actor, lock, ops::Lock::Acquire::description.number, arguments.view()}, reply);
  };
  for (std::uint32_t i = 0; i < count; ++i) locks.push_back(create("lock", std::nullopt));
  thread_.run_now([&] {
    for (std::uint32_t i = 0; i < count; ++i) step_as(i + 1, locks[i], std::nullopt);
    for (std::uint32_t i = count; i-- > 1;) step_as(i + 1, locks[i - 1], std::nullopt);
  });
  int questions = 0;
  EngineQuery counted([&](std::function<void()> work) { ++questions, thread_.post(std::move(work)); }, view_,
                      std::chrono::hours(1));
  json page =
      json::parse(answer_request({"GET", "/waits?limit=1", {"localhost"}, ""}, startup_info_, counted).body);
  EXPECT_EQ(page["deadlocks"], json::array());
  EXPECT_EQ(page["deadlocks_complete"], true);
  EXPECT_GE(questions, 5) << "each about some thousands of waits";

  thread_.run_now([&] { step_as(1, locks[count - 1], 1'000'000); });  // closes the cycle
  page = get("/waits?limit=1");
  ASSERT_EQ(page["deadlocks"].size(), 1u);
  const std::string text = page["deadlocks"][0];
  EXPECT_LT(text.size(), 20'000u);
  EXPECT_THAT(text, testing::HasSubstr("and so on through " + std::to_string(count - 100) + " more"));
  EXPECT_EQ(page["next_deadlocks_cursor"], nullptr);
}

TEST_F(DebugTest, DeadlocksComeByPages) {
  for (std::uint32_t pair = 0; pair < 3; ++pair) {
    const ObjectId a = create("lock", std::nullopt), b = create("lock", std::nullopt);
    auto acquire = [&](std::uint32_t actor, ObjectId lock) {
      wire::Buffer arguments, reply;
      wire::Writer writer(arguments);
      writer.array(1);
      writer.integer(std::int64_t{1'000'000});
      thread_.run_now([&] {
        engine_.step(Call{session, actor, lock, ops::Lock::Acquire::description.number, arguments.view()},
                     reply);
      });
    };
    acquire(10 * pair + 1, a);
    acquire(10 * pair + 2, b);
    acquire(10 * pair + 1, b);
    acquire(10 * pair + 2, a);
  }
  std::set<std::string> seen;
  std::string cursor = "0";
  for (int pages = 0; pages < 3; ++pages) {
    const json page = get("/waits?limit=1&deadlocks_cursor=" + cursor);
    ASSERT_EQ(page["deadlocks"].size(), 1u);
    EXPECT_TRUE(seen.insert(page["deadlocks"][0]).second);
    EXPECT_EQ(page["next_deadlocks_cursor"].is_null(), pages == 2);
    cursor = page["next_deadlocks_cursor"].dump();
  }
}

TEST_F(DebugTest, SessionsAreShownByPages) {
  view_.all_sessions.push_back({5, 100, 1000, "unix:/tmp/x", 2, {{"ring", 2}}, 3, 4, 6, 7});
  view_.all_sessions.push_back({7, 101, std::nullopt, "tcp://127.0.0.1:4000", 1, {}, 1, 0, 0, 0});
  view_.all_sessions.push_back({9, 102, std::nullopt, "\xff is no UTF-8", 1, {}, 1, 0, 0, 0});
  json page = get("/sessions?limit=2");
  EXPECT_EQ(page["sessions"][0], (json{{"id", 5},
                                       {"pid", 100},
                                       {"uid", 1000},
                                       {"peer", "unix:/tmp/x"},
                                       {"channels", 2},
                                       {"paths", {{"ring", 2}}},
                                       {"threads", 3},
                                       {"requests_under_way", 4},
                                       {"references", 6},
                                       {"outbox_bytes", 7},
                                       {"lanes_left", 0}}));
  EXPECT_EQ(page["sessions"][1]["uid"], nullptr);
  EXPECT_EQ(page["next_cursor"], 7);
  page = get("/sessions?limit=2&cursor=7");
  EXPECT_EQ(page["sessions"].size(), 1u);
  EXPECT_EQ(page["sessions"][0]["peer"], "\xef\xbf\xbd is no UTF-8");
  EXPECT_EQ(page["next_cursor"], nullptr);
}

TEST_F(DebugTest, OpsAreTheTableWithCounts) {
  auto operations = engine_.operations();
  std::size_t index = 0;
  while (operations[index].type->name != "dict" || operations[index].op->name != "set") ++index;
  OperationCounts& counts = view_.operations[index];
  counts.count = 4;
  counts.errors = 1;
  counts.latency_sum_ns = 1600;
  counts.latency_counts[7] = 3;
  counts.latency_counts[39] = 1;
  view_.unresolved_counts.count = 11;

  json ops = get("/ops");
  ASSERT_EQ(ops["operations"].size(), operations.size());
  json set = ops["operations"][index];
  EXPECT_EQ(set["type"], "dict");
  EXPECT_EQ(set["name"], "set");
  EXPECT_EQ(set["number"], ops::Dict::Set::description.number);
  EXPECT_EQ(set["signature"], "set(key, value)");
  EXPECT_EQ(set["effect"], "writes");
  EXPECT_EQ(set["count"], 4);
  EXPECT_EQ(set["errors"], 1);
  EXPECT_EQ(set["latency"],
            (json{{"sum_ns", 1600},
                  {"p50_below_ns", 128},
                  {"p90_below_ns", 1ull << 39},
                  {"p99_below_ns", 1ull << 39},
                  {"buckets", {{{"below_ns", 128}, {"count", 3}}, {{"below_ns", nullptr}, {"count", 1}}}}}));
  EXPECT_EQ(ops["operations"][index + 1]["latency"]["p50_below_ns"], nullptr);
  EXPECT_EQ(ops["unresolved"]["count"], 11);

  json dict = get("/ops?type=dict");
  EXPECT_EQ(dict["operations"].size(), ops::Dict::All::size);
  EXPECT_EQ(error("/ops?type=dikt", 400), "there is no hosted type 'dikt'");
}

TEST_F(DebugTest, ErrorsAreJson) {
  EXPECT_EQ(error("/nothing", 404), "there is no /nothing here; / lists what there is");
  EXPECT_EQ(error("/healthz/x", 404), "there is no /healthz/x here; / lists what there is");
  error("/%zz", 400);
  error("/info?x=1", 400);
  error("/healthz?x=1", 400);
  error("/?x=1", 400);
  error("/metrics?x=1", 400);
  error("/sessions?limit=0", 400);
  error("/sessions?limit=1001", 400);
  error("/sessions?cursor=x", 400);
  error("/objects?limit=0", 400);
  error("/objects?offset=0", 400);
}

TEST_F(DebugTest, OnlyReadingIsPossible) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"}) {
    Answer got = answer("/objects", method);
    EXPECT_EQ(got.status, 405) << method;
    EXPECT_EQ(got.headers[0].second, "GET, HEAD");
    EXPECT_EQ(json::parse(got.body)["error"]["status"], 405);
  }
  EXPECT_EQ(answer("/objects", "HEAD").status, 200);
}

}  // namespace
}  // namespace tandem::server
