#pragma once
// A manager's inside for tests of the debug endpoint: a real engine on a thread of its own, and a view with
// sessions and counts that the test writes.

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "server/debug/pages.hpp"
#include "server/objects/all.hpp"
#include "tandem/json.hpp"
#include "tandem/ops/all.hpp"

namespace tandem::server {

/// Runs what is posted, one after the other, as an engine's thread does.
class WorkThread {
 public:
  WorkThread() : thread_([this] { run(); }) {}
  ~WorkThread() {
    post(nullptr);
    thread_.join();
  }
  void post(std::function<void()> work) {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    arrived_.notify_one();
  }
  /// Runs `work` there and waits for it.
  template <class F>
  void run_now(F&& work) {
    std::mutex mutex;
    std::condition_variable finished;
    bool done = false;
    post([&] {
      work();
      std::lock_guard lock(mutex);
      done = true;
      finished.notify_one();
    });
    std::unique_lock lock(mutex);
    finished.wait(lock, [&] { return done; });
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return !queue_.empty(); });
      std::function<void()> work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      if (!work) return;
      work();
    }
  }

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> queue_;
  std::thread thread_;
};

class FakeView final : public View {
 public:
  explicit FakeView(const Engine& engine) : engine_(engine), operations(engine.operations().size()) {}
  const Engine& engine() const override { return engine_; }
  std::uint64_t now_ns() const override { return engine_.now_ns(); }
  std::uint64_t sessions_count() const override { return all_sessions.size(); }
  std::vector<ClientInfo> sessions(std::uint64_t after, std::size_t limit) const override {
    std::vector<ClientInfo> found;
    for (const ClientInfo& session : all_sessions)
      if (session.id > after && found.size() < limit) found.push_back(session);
    return found;
  }
  OperationCounts operation(std::size_t index) const override { return operations.at(index); }
  OperationCounts unresolved() const override { return unresolved_counts; }
  std::vector<Metric> metrics() const override { return others; }

 private:
  const Engine& engine_;

 public:  // for the test to fill
  std::vector<ClientInfo> all_sessions;
  std::vector<OperationCounts> operations;
  OperationCounts unresolved_counts;
  std::vector<Metric> others;
};

class DebugTest : public testing::Test {
 protected:
  static constexpr SessionId session = 1;

  DebugTest() : engine_(limits_, server_info(), hosted_types()), view_(engine_) {
    engine_.step(SessionOpened{session, 0, 0});
  }

  static ServerInfo server_info() {
    ServerInfo server_info;
    server_info.version = "1.2.3";
    server_info.incarnation_hex = "00ff";
    server_info.pid = 4711;
    server_info.started_ms = 1'700'000'000'500;
    return server_info;
  }

  /// Calls an operation on the engine's thread; arguments and result are display JSON.
  template <class Op>
  nlohmann::json call(ObjectId object, const std::vector<nlohmann::json>& arguments = {}) {
    wire::Buffer encoded;
    wire::Writer writer(encoded);
    writer.array(arguments.size());
    for (const nlohmann::json& argument : arguments) write_json(writer, argument);
    return call_encoded<Op>(object, encoded.view());
  }
  template <class Op>
  nlohmann::json call_encoded(ObjectId object, wire::Bytes arguments) {
    wire::Buffer reply;
    Outcome outcome;
    thread_.run_now([&] {
      outcome = engine_.step(Call{session, 1, object, Op::description.number, arguments}, reply);
    });
    EXPECT_EQ(outcome.code, Code::ok) << to_display_json(reply.view());
    return to_display_json(reply.view());
  }
  /// Calls an operation without arguments on another thread of the session, which has to wait.
  template <class Op>
  void park(ObjectId object, std::uint32_t actor) {
    wire::Buffer arguments, reply;
    wire::Writer(arguments).array(0);
    Outcome outcome;
    thread_.run_now([&] {
      outcome = engine_.step(Call{session, actor, object, Op::description.number, arguments.view()}, reply);
    });
    EXPECT_NE(outcome.parked, 0u);
  }
  ObjectId create(std::string_view type, std::optional<std::string> name,
                  const std::vector<nlohmann::json>& arguments = {}) {
    nlohmann::json maybe = nlohmann::json::array();
    if (name) maybe.push_back(*name);
    return call<ops::Manager::Create>(ops::Manager::id, {type, maybe, arguments})[0]["$ref"];
  }

  Answer answer(const std::string& target, const std::string& method = "GET") {
    return answer_request(Request{method, target, {"localhost"}, ""}, startup_info_, query_);
  }
  /// The JSON of an answer with this status.
  nlohmann::json get(const std::string& target, int status = 200) {
    Answer got = answer(target);
    EXPECT_EQ(got.status, status) << target << ": " << got.body;
    EXPECT_EQ(got.content_type, "application/json");
    nlohmann::json json = nlohmann::json::parse(got.body);
    if (status != 200) {
      EXPECT_EQ(json["error"]["status"], status);
    }
    return json;
  }
  std::string error(const std::string& target, int status) { return get(target, status)["error"]["message"]; }

  Limits limits_;
  Engine engine_;
  FakeView view_;
  WorkThread thread_;
  StartupInfo startup_info_;
  EngineQuery query_{[this](std::function<void()> work) { thread_.post(std::move(work)); }, view_,
                     std::chrono::hours(1)};
};

}  // namespace tandem::server
