// Workers that take tasks, hand in results, quit and die, supervisors that reap them or die too, submitters that come and
// go, in an order that a seed decides. Each task of a submitter that lives has exactly one outcome, is begun no more often
// than was asked for, and is carried out by nobody after its outcome is known; nobody waits who could be served.
//
// A failure names its seed; TANDEM_SEED=that runs it alone.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"
#include "tests/server/engine/seeds.hpp"

namespace tandem::test {
namespace {

using Do = ops::Pool;
using nlohmann::json;
using server::Ticket;

constexpr SessionId observer = 1;

class PoolSimulation {
 public:
  static constexpr std::uint64_t seeds = 300;
  static constexpr int steps = 500;

  explicit PoolSimulation(std::uint64_t seed) : random_(seed) {
    pool_ = host_.make_named<ops::Pool>("pool");
    new_submitter(observer);
  }

  void run() {
    for (int i = 0; i < steps && !::testing::Test::HasFatalFailure(); ++i) {
      one_step();
      check();
    }
    finish();
  }

 private:
  struct Submitter {
    SessionId session = 0;
    bool broken = false;  // its supervisor died, or gave up
  };
  struct Task {
    std::int64_t submitter = 0;
    std::int64_t retries = 0;
    std::int64_t begun = 0;
    bool over = false;  // its outcome was collected
    bool handed_in = false;
  };
  struct Worker {
    std::int64_t supervisor = 0;  // 0: none
    std::int64_t pid = 0;
    std::int64_t task = 0;  // the engine's number of what it has; 0: none
    std::int64_t tag = 0;
    bool waits = false;
  };

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  template <class M>
  typename M::iterator any(M& from) {
    return std::next(from.begin(), static_cast<std::ptrdiff_t>(below(from.size())));
  }
  json value_of(const Reply& reply) {
    EXPECT_EQ(reply.code, Code::ok) << reply.text();
    return json::from_msgpack(reply.value.encoded);
  }
  template <class Op, class... A>
  Reply ask(SessionId session, const A&... arguments) {
    Reply reply = host_.as(session).call<Op>(pool_, arguments...);
    deliver();
    return reply;
  }
  SessionId open() {
    host_.open(next_session_);
    return next_session_++;
  }
  void new_submitter(SessionId session) {
    submitters_[value_of(ask<Do::Enter>(session)).get<std::int64_t>()] = {session};
  }

  void one_step() {
    now_ns_ += below(2'000);
    switch (below(24)) {
      case 0:
      case 1: return workers_.size() < 6 ? new_worker() : void();
      case 2: return submitters_.size() < 3 ? new_submitter(open()) : void();
      case 3: return supervisors_.size() < 3 ? new_supervisor() : void();
      case 4:
      case 5:
      case 6:
      case 7: return submit();
      case 8:
      case 9: return collect();
      case 10: return workers_.empty() ? void() : kill_worker(any(workers_)->first);
      case 11: return workers_.empty() ? void() : quit(any(workers_)->first);
      case 12:
      case 13: return reap();
      case 14: return below(6) == 0 ? kill_a_supervisor() : void();
      case 15: return below(6) == 0 ? kill_a_submitter() : void();
      case 16: host_.engine().step(server::Tick{now_ns_}); return deliver();
      default: return workers_.empty() ? void() : work(any(workers_)->first);
    }
  }

  void new_worker() {
    const SessionId session = open();
    Worker& worker = workers_[session];
    if (!supervisors_.empty() && below(3) != 0) worker.supervisor = any(supervisors_)->first;
    worker.pid = static_cast<std::int64_t>(session);
    const Packed supervisor = worker.supervisor == 0 ? pack(nullptr) : pack(worker.supervisor);
    EXPECT_EQ((ask<Do::Enlist>(session, supervisor, worker.pid)).code, Code::ok);
  }
  void new_supervisor() {
    const std::int64_t submitter = any(submitters_)->first;
    const SessionId session = open();
    supervisors_[value_of(ask<Do::Supervise>(session, submitter)).get<std::int64_t>()] = {session, submitter};
  }
  void submit() {
    auto [number, submitter] = *any(submitters_);
    std::vector<Packed> tasks;
    const std::int64_t retries = static_cast<std::int64_t>(below(3));
    for (std::uint64_t count = 1 + below(3); count != 0; --count) {
      if (!submitter.broken) tasks_[next_tag_] = {number, retries};
      tasks.push_back(list(next_tag_, 1, next_tag_));
      ++next_tag_;
    }
    const Reply reply = ask<Do::Submit>(submitter.session, number, retries, list_of(tasks));
    EXPECT_EQ(reply.code, submitter.broken ? Code::worker_died : Code::ok) << reply.text();
  }

  /// Hands in what the worker has, if anything, and asks for more.
  void work(SessionId session) {
    Worker& worker = workers_.at(session);
    if (worker.waits) return;
    const Packed arguments = list(done(worker), below(4) == 0 ? pack(0) : pack(nullptr));
    wire::Buffer reply;
    const server::Outcome outcome = host_.engine().step(
        server::Call{session, 1, pool_, Do::Work::description.number, arguments.bytes(), 0, now_ns_}, reply);
    EXPECT_EQ(outcome.code, Code::ok);
    if (outcome.parked != 0) {
      worker.waits = true;
      waiting_[outcome.parked] = session;
    } else {
      given(session, reply.view());
    }
    deliver();
  }
  Packed done(Worker& worker) {
    std::vector<Packed> all;
    if (worker.task != 0) {
      all.push_back(list(worker.task, 0, worker.tag));
      tasks_.at(worker.tag).handed_in = true;
    }
    worker.task = worker.tag = 0;
    return list_of(all);
  }
  void given(SessionId session, wire::Bytes reply) {
    const json items = json::from_msgpack(std::string(wire::as_text(reply)));
    if (items.empty()) return;
    ASSERT_EQ(items.size(), 1u);
    Worker& worker = workers_.at(session);
    worker.task = items[0].at(0);
    worker.tag = items[0].at(3);
    Task& task = tasks_.at(worker.tag);
    EXPECT_FALSE(task.over || task.handed_in) << "task " << worker.tag << " is done a second time";
    EXPECT_EQ(items[0].at(1).get<std::int64_t>(), ++task.begun);
    EXPECT_LE(task.begun, task.retries + 1) << "task " << worker.tag;
  }
  void deliver() {
    server::Deliveries taken;
    host_.engine().take_deliveries(taken);
    for (const auto& one : taken.all()) {
      auto node = waiting_.extract(one.ticket);
      ASSERT_FALSE(node.empty());
      ASSERT_EQ(one.code, Code::ok) << wire::as_text(taken.payload(one));
      workers_.at(node.mapped()).waits = false;
      given(node.mapped(), taken.payload(one));
    }
  }

  void gone(SessionId session) {
    const Worker& worker = workers_.at(session);
    if (worker.supervisor != 0) to_reap_[worker.pid] = worker.supervisor;
    workers_.erase(session);
  }
  void kill_worker(SessionId session) {
    std::erase_if(waiting_, [&](const auto& one) { return one.second == session; });
    // Who starts it may know of its end before the manager does.
    const Worker worker = workers_.at(session);
    gone(session);
    if (worker.supervisor != 0 && below(2) == 0) reap();
    host_.close(session);
    deliver();
  }
  void quit(SessionId session) {
    Worker& worker = workers_.at(session);
    if (worker.waits) return;
    EXPECT_EQ((ask<Do::Quit>(session, below(2) == 0 ? list() : done(worker))), gives_nothing());
    gone(session);
    host_.close(session);
    deliver();
  }
  void reap() {
    if (to_reap_.empty()) return;
    const auto [pid, supervisor] = *any(to_reap_);
    to_reap_.erase(pid);
    auto found = supervisors_.find(supervisor);
    if (found == supervisors_.end()) return;
    const Reply reply = ask<Do::Reap>(found->second.first, supervisor, pid, std::int64_t{-9});
    EXPECT_EQ(reply.code, Code::ok) << reply.text();
    // Ten in a row that never asked for a task, and it is given up.
    if (reply == gives(false) && submitters_.count(found->second.second) != 0)
      submitters_.at(found->second.second).broken = true;
  }
  void kill_a_supervisor() {
    if (supervisors_.empty()) return;
    auto at = any(supervisors_);
    const auto [session, submitter] = at->second;
    supervisors_.erase(at);
    host_.close(session);
    if (auto its = submitters_.find(submitter); its != submitters_.end()) its->second.broken = true;
    deliver();
  }
  void kill_a_submitter() {
    auto at = any(submitters_);
    if (at->second.session == observer) return;
    const auto [number, submitter] = *at;
    submitters_.erase(at);
    if (below(2) == 0) {
      EXPECT_EQ((ask<Do::Exit>(submitter.session, number)), gives_nothing());
    }
    host_.close(submitter.session);
    deliver();
  }
  void collect() {
    auto [number, submitter] = *any(submitters_);
    for (const json& outcome : value_of(ask<Do::Collect>(submitter.session, number, 0))) {
      const std::int64_t tag = outcome.at(0);
      Task& task = tasks_.at(tag);
      EXPECT_EQ(task.submitter, number);
      EXPECT_FALSE(task.over) << "task " << tag << " has two outcomes";
      task.over = true;
      if (outcome.at(1) == 0) {
        EXPECT_TRUE(task.handed_in);
        EXPECT_EQ(outcome.at(2), tag);
      } else {
        EXPECT_EQ(outcome.at(1).get<int>(), static_cast<int>(Code::worker_died));
        EXPECT_TRUE(submitter.broken || task.begun == task.retries + 1)
            << "task " << tag << " was not tried again";
        EXPECT_FALSE(task.handed_in) << "task " << tag << " was done, and failed";
      }
    }
  }

  void check() {
    const json counts = value_of(ask<Do::Progress>(observer));
    std::int64_t running = 0;
    for (const auto& [session, worker] : workers_) running += worker.task != 0 ? 1 : 0;
    EXPECT_EQ(counts.at(1), running);
    EXPECT_EQ(counts.at(5), workers_.size());
    EXPECT_TRUE(waiting_.empty() || counts.at(0) == 0) << "a worker waits, and there is a task";
    EXPECT_EQ(host_.engine().waits().size(), waiting_.size());
    expect_consistent(host_.engine());
  }

  /// All workers die; two more do what is left.
  void finish() {
    while (!workers_.empty()) kill_worker(workers_.begin()->first);
    while (!to_reap_.empty()) reap();
    new_worker();
    const SessionId last = workers_.begin()->first;
    workers_.at(last).supervisor = 0;
    EXPECT_EQ((ask<Do::Close>(observer)), gives_nothing());
    for (;;) {
      const Reply reply = ask<Do::Work>(last, done(workers_.at(last)));
      if (reply.code == Code::closed) break;
      ASSERT_EQ(reply.code, Code::ok) << reply.text();
      given(last, reply.value.bytes());
    }
    for (int i = 0; i < 100; ++i) collect();
    for (const auto& [tag, task] : tasks_)
      EXPECT_TRUE(task.over || submitters_.count(task.submitter) == 0) << "task " << tag << " is lost";
    EXPECT_EQ(host_.as(observer).call<ops::Manager::Exists>(ops::Manager::id, "pool"), gives(false));
    host_.as(observer).release(pool_);
    EXPECT_EQ(host_.objects(), 0u);
  }

  std::mt19937_64 random_;
  Host host_;
  ObjectId pool_ = 0;
  std::uint64_t now_ns_ = 1;
  SessionId next_session_ = observer + 1;
  std::int64_t next_tag_ = 1;
  std::map<std::int64_t, Submitter> submitters_;
  std::map<std::int64_t, std::pair<SessionId, std::int64_t>> supervisors_;  // their submitters
  std::map<SessionId, Worker> workers_;
  std::map<Ticket, SessionId> waiting_;
  std::map<std::int64_t, std::int64_t> to_reap_;  // pid, supervisor
  std::map<std::int64_t, Task> tasks_;            // by tag
};

TEST(PoolSimulation, NoTaskIsLostOrDoneTwice) {
  for_each_seed(PoolSimulation::seeds, [](std::uint64_t seed) { PoolSimulation(seed).run(); });
}

}  // namespace
}  // namespace tandem::test
