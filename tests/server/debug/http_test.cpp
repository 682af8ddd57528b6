// The endpoint over real HTTP, with clients of all kinds.

#include <httplib.h>
#include <poll.h>

#include <atomic>

#include "server/debug/endpoint.hpp"
#include "tandem/error.hpp"
#include "tests/server/debug/exposition_parser.hpp"
#include "tests/server/debug/fixture.hpp"
#include "tests/server/debug/raw_client.hpp"
#include "tests/support/eventually.hpp"

namespace tandem::server {
namespace {

using nlohmann::json;

class HttpTest : public DebugTest {
 protected:
  void start(DebugOptions options = {}) {
    start_unready(std::move(options));
    endpoint_->ready({});
  }
  void start_unready(DebugOptions options = {}) {
    if (options.address.empty()) options.address = "127.0.0.1:0";
    endpoint_.emplace(std::move(options), post(), view_);
    endpoint_->start();
  }
  EngineQuery::Post post() {
    return [this](std::function<void()> work) { thread_.post(std::move(work)); };
  }
  httplib::Client client() { return httplib::Client("http://" + endpoint_->address()); }
  json get_json(const std::string& target, int status = 200) {
    httplib::Result result = client().Get(target);
    EXPECT_TRUE(result) << target << ": " << httplib::to_string(result.error());
    if (!result) return {};
    EXPECT_EQ(result->status, status) << target << result->body;
    EXPECT_EQ(result->get_header_value("Content-Type"), "application/json");
    EXPECT_EQ(result->get_header_value("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(result->get_header_value("Cache-Control"), "no-store");
    return json::parse(result->body);
  }
  /// The same where the endpoint has short time limits: asked again, since a busy machine may miss them.
  json get_json_in_time(const std::string& target) {
    std::string body;
    test::eventually(
        [&] {
          const httplib::Result result = client().Get(target);
          if (result) body = result->body;
          return result && result->status == 200;
        },
        target + " to be answered in time");
    return json::parse(body);
  }
  /// The answer to raw bytes: its status, and the JSON of its body.
  std::pair<int, json> answer_to(const std::string& bytes) {
    RawClient raw(endpoint_->address());
    raw.send(bytes);
    std::string response = raw.read_all();
    std::size_t body = response.find("\r\n\r\n");
    EXPECT_NE(body, response.npos) << response;
    return {std::stoi(response.substr(9, 3)), json::parse(response.substr(body + 4))};
  }

  std::optional<DebugEndpoint> endpoint_;
};

TEST_F(HttpTest, EveryEndpointAnswers) {
  create("dict", "scores", {{{"a", 1}}});
  view_.all_sessions.emplace_back().id = 7;
  start();
  EXPECT_EQ(get_json("/")["service"], "tandem");
  EXPECT_EQ(get_json("/healthz")["status"], "ok");
  EXPECT_EQ(get_json("/info")["version"], "1.2.3");
  EXPECT_EQ(get_json("/objects")["objects"][0]["name"], "scores");
  EXPECT_EQ(get_json("/objects/scores")["entries"], (json::array({{"a", 1}})));
  EXPECT_EQ(get_json("/sessions")["sessions"].size(), 1u);
  EXPECT_EQ(get_json("/ops")["operations"].size(), engine_.operations().size());
  httplib::Result metrics = client().Get("/metrics");
  ASSERT_TRUE(metrics);
  EXPECT_EQ(metrics->get_header_value("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(Exposition::parse(metrics->body).problems, std::vector<std::string>());
  get_json("/nothing", 404);
  get_json("/objects/nobody", 404);
  get_json("/objects?limit=x", 400);
}

TEST_F(HttpTest, NamesTravelPercentEncoded) {
  ObjectId id = create("list", "a/b?c=d&%+ 爸");
  start();
  EXPECT_EQ(get_json("/objects/a%2Fb%3Fc%3Dd%26%25+%20%E7%88%B8")["id"], id);
}

TEST_F(HttpTest, WritingIsNotAllowed) {
  start();
  httplib::Client http = client();
  std::string body(100'000, 'x');
  auto expect_refused = [](const httplib::Result& result) {
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, 405);
    EXPECT_EQ(result->get_header_value("Allow"), "GET, HEAD");
    EXPECT_EQ(json::parse(result->body)["error"]["status"], 405);
  };
  expect_refused(http.Post("/objects", body, "text/plain"));
  expect_refused(http.Put("/objects", body, "text/plain"));
  expect_refused(http.Patch("/objects", body, "text/plain"));
  expect_refused(http.Delete("/objects"));
  expect_refused(http.Options("/objects"));
  httplib::Result head = client().Head("/objects");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->body, "");
}

TEST_F(HttpTest, BadRequestsGetJson) {
  DebugOptions options;
  options.http.head_bytes_max = 16 * 1024;
  start(std::move(options));
  EXPECT_EQ(answer_to("rubbish\r\n\r\n").first, 400);
  EXPECT_EQ(answer_to("GET / HTTP/1.1\r\n\r\n").first, 400);
  EXPECT_EQ(answer_to("GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n").first, 400);
  EXPECT_EQ(answer_to("GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n").first, 400);
  std::string request = "GET /";
  request.append(10'000, 'a').append(" HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(answer_to(request).first, 414);
  EXPECT_EQ(answer_to(std::string(200'000, 'a')).first, 431);
  EXPECT_EQ(answer_to("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").first, 200);
}

TEST_F(HttpTest, AnotherHostIsMisdirected) {
  start();
  for (const char* host : {"evil.example", "evil.example:80", "127.0.0.1.evil.example"}) {
    httplib::Result result = client().Get("/objects", httplib::Headers{{"Host", host}});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, 421);
    EXPECT_EQ(json::parse(result->body)["error"]["status"], 421);
  }
  httplib::Result result = client().Get("/objects", httplib::Headers{{"Host", "localhost:1234"}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
}

TEST_F(HttpTest, WithATokenEveryRequestNeedsIt) {
  DebugOptions options;
  options.token = "0123456789abcdef";
  start(std::move(options));
  EXPECT_EQ(get_json("/healthz", 401)["error"]["status"], 401);
  httplib::Result refused = client().Get("/", httplib::Headers{{"Authorization", "Bearer 0123456789abcdeX"}});
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401);
  EXPECT_EQ(refused->get_header_value("WWW-Authenticate"), "Bearer");
  httplib::Result taken = client().Get(
      "/", httplib::Headers{{"Authorization", "Bearer 0123456789abcdef"}, {"Host", "any.example"}});
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->status, 200);
}

TEST_F(HttpTest, UntilTheManagerIsReadyEveryAnswerSaysSo) {
  start_unready();
  for (const char* target : {"/healthz", "/", "/objects", "/metrics"})
    EXPECT_EQ(get_json(target, 503)["error"]["message"], "the manager is starting") << target;
  endpoint_->recovering(43);
  EXPECT_EQ(get_json("/healthz", 503)["error"]["message"],
            "the manager is starting: 43 % of its journal is recovered");
  endpoint_->ready({});
  EXPECT_EQ(get_json("/healthz")["status"], "ok");
}

TEST_F(HttpTest, AddressesAreChecked) {
  auto make = [&](std::string address, std::string token) {
    DebugOptions options;
    options.address = std::move(address);
    options.token = std::move(token);
    DebugEndpoint endpoint(std::move(options), post(), view_);
    return endpoint.address();
  };
  EXPECT_THROW(make("0.0.0.0:0", ""), ValueError);
  EXPECT_THROW(make("[::]:0", ""), ValueError);
  EXPECT_THROW(make("nonsense", ""), ValueError);
  EXPECT_THROW(make("127.0.0.1:70000", ""), ValueError);
  EXPECT_THROW(make("127.0.0.1:0", "short"), ValueError);
  EXPECT_THROW(make("192.0.2.1:0", "0123456789abcdef"), ConnectionError);  // no machine has this address
  EXPECT_TRUE(make("0.0.0.0:0", "0123456789abcdef").starts_with("0.0.0.0:"));
  EXPECT_TRUE(make("127.0.0.2:0", "").starts_with("127.0.0.2:"));
  EXPECT_FALSE(make("localhost:0", "").ends_with(":0"));
  start();
  EXPECT_THROW(make(endpoint_->address(), ""), ConnectionError);
}

TEST_F(HttpTest, ListensOnIpv6) {
  DebugOptions options;
  options.address = "[::1]:0";
  start(std::move(options));
  EXPECT_TRUE(endpoint_->address().starts_with("[::1]:"));
  EXPECT_EQ(get_json("/healthz")["status"], "ok");
}

// ---- hostile clients -------------------------------------------------------------------------------------

TEST_F(HttpTest, AClientThatStallsDoesNotKeepOthersWaiting) {
  start();
  RawClient silent(endpoint_->address());
  RawClient stalled(endpoint_->address());
  stalled.send("G");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get_json("/healthz")["status"], "ok");
}

TEST_F(HttpTest, AClientThatStallsIsToldSo) {
  DebugOptions options;
  options.http.head_ms_max = 50;
  start(std::move(options));
  EXPECT_EQ(answer_to("G").first, 408);
  EXPECT_EQ(answer_to("GET / HTTP/1.1\r\nHost: localhost\r\n").first, 408);
}

TEST_F(HttpTest, StalledClientsOnEveryThreadGiveThemBack) {
  DebugOptions options;
  options.http.threads = 2;
  options.http.head_ms_max = 50;
  start(std::move(options));
  std::vector<RawClient> stalled;
  for (int i = 0; i < 10; ++i) {
    stalled.emplace_back(endpoint_->address());
    stalled.back().send("GET / HT");
  }
  EXPECT_EQ(get_json_in_time("/healthz")["status"], "ok");
}

TEST_F(HttpTest, AClientThatDoesNotReadDoesNotKeepOthersWaiting) {
  create("list", "big", {{json::array_t(100'000, json("x"))}});
  DebugOptions options;
  options.http.threads = 1;
  options.http.response_ms_max = 50;
  start(std::move(options));
  RawClient lazy(endpoint_->address(), 4096);
  lazy.send("GET /objects/big HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(get_json_in_time("/healthz")["status"], "ok");
}

/// The JSON of a 503 that the client was sent.
json refusal_of(RawClient& client) {
  const std::string response = client.read_all();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << response;
  return json::parse(response.substr(response.find("\r\n\r\n") + 4))["error"];
}

TEST_F(HttpTest, TheSlowestToSendGivesWayToTheNext) {
  DebugOptions options;
  options.http.connections_reading_max = 2;
  options.http.head_ms_max = 600'000;
  start(std::move(options));
  std::vector<RawClient> stalled;
  for (int i = 0; i < 5; ++i) stalled.emplace_back(endpoint_->address());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(refusal_of(stalled[static_cast<std::size_t>(i)])["status"], 503);
  EXPECT_EQ(get_json("/")["service"], "tandem");
}

TEST_F(HttpTest, RequestsBeyondThoseThatWaitAreRefused) {
  DebugOptions options;
  options.http.threads = 1;
  options.http.connections_waiting_max = 1;
  options.query_ms_max = std::chrono::hours(1);
  start(std::move(options));
  std::mutex busy;
  busy.lock();
  thread_.post([&] { std::lock_guard wait(busy); });
  std::vector<RawClient> asking;
  for (int i = 0; i < 3; ++i) {
    asking.emplace_back(endpoint_->address());
    asking.back().send("GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  // One is served, one waits; which of them is refused is up to the threads.
  std::vector<pollfd> watched;
  for (const RawClient& one : asking) watched.push_back({one.socket(), POLLIN, 0});
  ASSERT_GT(::poll(watched.data(), watched.size(), -1), 0);
  for (std::size_t i = 0; i < watched.size(); ++i)
    if (watched[i].revents != 0) {
      EXPECT_EQ(refusal_of(asking[i])["status"], 503);
    }
  busy.unlock();
  thread_.run_now([] {});
}

TEST_F(HttpTest, HealthIsAnsweredHoweverManyAreSlow) {
  create("list", "big", {{json::array_t(100'000, json("x"))}});
  DebugOptions options;
  options.http.threads = 2;
  options.http.connections_waiting_max = 4;
  options.http.head_ms_max = options.http.response_ms_max = 600'000;
  start(std::move(options));
  std::vector<RawClient> slow;
  for (int i = 0; i < 100; ++i) {
    slow.emplace_back(endpoint_->address(), 4096);
    slow.back().send(i % 2 == 0 ? "GET /heal"
                                : "GET /objects/big?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    if (i % 10 == 0) {
      EXPECT_EQ(get_json("/healthz")["status"], "ok");
    }
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get_json("/healthz?")["status"], "ok");
  endpoint_->stop();
}

TEST_F(HttpTest, StoppingClosesEveryConnection) {
  DebugOptions options;
  options.http.threads = 1;
  options.http.head_ms_max = 600'000;
  start(std::move(options));
  RawClient served(endpoint_->address());
  RawClient waiting(endpoint_->address());
  served.send("GET /");
  waiting.send("GET /");
  endpoint_->stop();
  EXPECT_EQ(served.read_all(), "");
  EXPECT_EQ(waiting.read_all(), "");
  endpoint_->stop();
}

TEST_F(HttpTest, ABusyEngineMeans503) {
  DebugOptions options;
  options.query_ms_max = std::chrono::milliseconds(20);
  start(std::move(options));
  std::mutex busy;
  busy.lock();
  thread_.post([&] { std::lock_guard wait(busy); });
  EXPECT_EQ(get_json("/healthz", 503)["error"]["status"], 503);
  get_json("/", 200);
  busy.unlock();
  EXPECT_EQ(get_json_in_time("/info")["version"], "1.2.3");
}

TEST_F(HttpTest, StoppingDoesNotWaitForTheEngine) {
  DebugOptions options;
  options.query_ms_max = std::chrono::hours(1);
  start(std::move(options));
  std::mutex busy;
  busy.lock();
  thread_.post([&] { std::lock_guard wait(busy); });
  RawClient asking(endpoint_->address());
  asking.send("GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n");
  endpoint_->stop();
  busy.unlock();
  thread_.run_now([] {});
}

TEST_F(HttpTest, ManyLookWhileOperationsRun) {
  ObjectId id = create("dict", "counts");
  start();
  std::atomic<bool> stop = false;
  std::thread working([&] {
    for (int i = 0; !stop; ++i) call<ops::Dict::Set>(id, {i % 1000, i});
  });
  std::vector<std::thread> looking;
  for (int i = 0; i < 4; ++i)
    looking.emplace_back([&] {
      for (int n = 0; n < 25; ++n) {
        json page = get_json("/objects/counts?limit=1000");
        EXPECT_EQ(page["entries"].size(), page["size"]);
        for (const json& entry : page["entries"]) EXPECT_EQ(entry[1].get<int>() % 1000, entry[0].get<int>());
        get_json("/ops");
      }
    });
  for (std::thread& one : looking) one.join();
  stop = true;
  working.join();
}

}  // namespace
}  // namespace tandem::server
