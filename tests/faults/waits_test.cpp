// Every operation that waits, ended in every way there is: it is served, its time limit runs out, a stop is requested,
// its client is killed, its object is removed, the manager ends. Real clients of a real tandemd. Afterwards nobody waits,
// and whoever waits next is served: a wait that ended otherwise has taken nothing with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>
#include <future>
#include <set>
#include <thread>

#include "tandem/ops/all.hpp"
#include "tandem/proxy/task_pool.hpp"
#include "tandem/tandem.hpp"
#include "tests/support/child.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"
#include "tests/support/reach.hpp"

namespace tandem {
namespace {

using namespace std::chrono_literals;
using Limit = std::chrono::microseconds;
using Stop = std::stop_token;
using test::Program;

constexpr Limit for_ever = Limit::max();
const std::string name = "x";  // of what is waited for

/// One operation that waits.
struct Wait {
  std::string label;
  std::vector<std::string> operations;  // as the manager calls them
  /// By a first client, who has whatever is missed.
  std::function<void(const Manager&)> prepare;
  /// By another one: gives whether it was served, and has given back what it got.
  std::function<bool(const Manager&, Limit, const Stop&)> wait;
  /// By the first: what one who waits is served by.
  std::function<void(const Manager&)> serve;
  std::string given_up = "given up";
  /// By the first: what has to be done after one who waited is gone.
  std::function<void(const Manager&)> repair = [](const Manager&) {};
};

template <class L>
bool lock_and_unlock(const L& lock, Limit limit, const Stop& stop) {
  const bool served = lock.try_lock_for(limit, stop);
  if (served) lock.unlock();
  return served;
}

void add_locks(std::vector<Wait>& all) {
  all.push_back({"Lock",
                 {"lock.acquire"},
                 [](const Manager& m) { m.lock(name).lock(); },
                 [](const Manager& m, Limit l, const Stop& s) { return lock_and_unlock(m.lock(name), l, s); },
                 [](const Manager& m) { m.lock(name).unlock(); }});
  all.push_back(
      {"RLock",
       {"rlock.acquire"},
       [](const Manager& m) { m.rlock(name).lock(); },
       [](const Manager& m, Limit l, const Stop& s) { return lock_and_unlock(m.rlock(name), l, s); },
       [](const Manager& m) { m.rlock(name).unlock(); }});
  all.push_back(
      {"SharedLockToWrite",
       {"shared_lock.acquire"},
       [](const Manager& m) { m.shared_lock(name).lock_shared(); },
       [](const Manager& m, Limit l, const Stop& s) { return lock_and_unlock(m.shared_lock(name), l, s); },
       [](const Manager& m) { m.shared_lock(name).unlock_shared(); }});
  all.push_back({"SharedLockToRead",
                 {"shared_lock.acquire_shared"},
                 [](const Manager& m) { m.shared_lock(name).lock(); },
                 [](const Manager& m, Limit l, const Stop& s) {
                   return m.shared_lock(name).try_shared_guard_for(l, s).owns_lock();
                 },
                 [](const Manager& m) { m.shared_lock(name).unlock(); }});
  all.push_back(
      {"KeyLock",
       {"locks.acquire"},
       [](const Manager& m) { m.locks<int>(name).lock(1); },
       [](const Manager& m, Limit l, const Stop& s) { return lock_and_unlock(m.locks<int>(name)[1], l, s); },
       [](const Manager& m) { m.locks<int>(name).unlock(1); }});
  all.push_back({"KeyLocks",
                 {"locks.acquire_all"},
                 [](const Manager& m) { m.locks<int>(name).lock(2); },
                 [](const Manager& m, Limit l, const Stop& s) {
                   return m.locks<int>(name).try_guard_all_for({1, 2, 3}, l, s).owns_lock();
                 },
                 [](const Manager& m) { m.locks<int>(name).unlock(2); }});
  all.push_back(
      {"ConditionsLock",
       {"condition.acquire"},
       [](const Manager& m) { m.condition(name).lock(); },
       [](const Manager& m, Limit l, const Stop& s) { return lock_and_unlock(m.condition(name), l, s); },
       [](const Manager& m) { m.condition(name).unlock(); }});
}

bool wait_to_be_notified(const Manager& m, Limit limit, const Stop& stop) {
  const Condition condition = m.condition(name);
  condition.lock();
  const bool notified = condition.wait_for(limit, stop).notified;
  condition.unlock();
  return notified;
}

void add_signals(std::vector<Wait>& all) {
  all.push_back({"Condition",
                 {"condition.wait"},
                 [](const Manager& m) { m.condition(name); },
                 wait_to_be_notified,
                 [](const Manager& m) {
                   const auto held = m.condition(name).guard();
                   m.condition(name).notify_one();
                 }});
  all.push_back({"Semaphore",
                 {"semaphore.acquire"},
                 [](const Manager& m) { m.semaphore(name, 1).acquire(); },
                 [](const Manager& m, Limit l, const Stop& s) {
                   return static_cast<bool>(m.semaphore(name).try_guard_for(l, 1, s));
                 },
                 [](const Manager& m) { m.semaphore(name).release(); }});
  all.push_back({"BoundedSemaphore",
                 {"semaphore.acquire"},
                 [](const Manager& m) { m.bounded_semaphore(name, 2).acquire(2); },
                 [](const Manager& m, Limit l, const Stop& s) {
                   return static_cast<bool>(m.semaphore(name).try_guard_for(l, 2, s));
                 },
                 [](const Manager& m) { m.semaphore(name).release(2); }});
  all.push_back({"Event",
                 {"event.wait"},
                 [](const Manager& m) { m.event(name); },
                 [](const Manager& m, Limit l, const Stop& s) { return m.event(name).wait_for(l, s); },
                 [](const Manager& m) { m.event(name).set(); }});
  all.push_back(
      {"Barrier",
       {"barrier.wait"},
       [](const Manager& m) { m.barrier(name, 2); },
       [](const Manager& m, Limit l, const Stop& s) { return m.barrier(name, 2).wait_for(l, s) == 0; },
       [](const Manager& m) { m.barrier(name, 2).wait(); },
       "BrokenBarrierError",
       [](const Manager& m) { m.barrier(name, 2).reset(); }});
  all.push_back({"Latch",
                 {"latch.wait"},
                 [](const Manager& m) { m.latch(name, 1); },
                 [](const Manager& m, Limit l, const Stop& s) { return m.latch(name, 1).wait_for(l, s); },
                 [](const Manager& m) { m.latch(name, 1).count_down(); }});
  all.push_back(
      {"LatchOfWhoArrives",
       {"latch.arrive_and_wait"},
       [](const Manager& m) { m.latch(name, 9); },
       [](const Manager& m, Limit l, const Stop& s) { return m.latch(name, 9).arrive_and_wait_for(l, 1, s); },
       [](const Manager& m) { m.latch(name, 9).count_down(m.latch(name, 9).count()); }});
}

/// `make(manager)` gives the queue, which has room for one item.
template <class Make>
void add_queue(std::vector<Wait>& all, const std::string& label, const std::string& type, Make make) {
  const auto add = [&](const char* what, const char* operation, auto prepare, auto wait, auto serve) {
    all.push_back({label + what,
                   {type + operation},
                   [=](const Manager& m) { prepare(make(m)); },
                   [=](const Manager& m, Limit l, const Stop& s) { return wait(make(m), l, s); },
                   [=](const Manager& m) { serve(make(m)); }});
  };
  const auto nothing = [](const auto&) {};
  const auto put = [](const auto& queue) { queue.put(0); };
  const auto get = [](const auto& queue) { (void)queue.get(); };
  add(
      "Put", ".put", put, [](const auto& q, Limit l, const Stop& s) { return q.put_for(1, l, s); }, get);
  add(
      "PutMany", ".put_many", put,
      [](const auto& q, Limit l, const Stop& s) { return q.put_many_for({1}, l, s) == 1; }, get);
  add(
      "Get", ".get", nothing,
      [](const auto& q, Limit l, const Stop& s) { return q.get_for(l, s).has_value(); }, put);
  add(
      "GetMany", ".get_many", nothing,
      [](const auto& q, Limit l, const Stop& s) { return q.get_many_for(2, l, s).size() == 1; }, put);
  add(
      "GetLeased", ".get_leased", nothing,
      [](const auto& q, Limit l, const Stop& s) { return bool(q.get_leased_for(l, s)); }, put);
  add(
      "Join", ".join", put, [](const auto& q, Limit l, const Stop& s) { return q.join_for(l, s); },
      [](const auto& q) { q.task_done(); });
}

void add_watching(std::vector<Wait>& all) {
  const auto changes = [](const Container& object, Limit l, const Stop& s) {
    return object.wait_for_change(object.version(), l, s).has_value();
  };
  all.push_back({"ListsChange",
                 {"manager.wait_for_change"},
                 [](const Manager& m) { m.list<int>(name); },
                 [=](const Manager& m, Limit l, const Stop& s) { return changes(m.list<int>(name), l, s); },
                 [](const Manager& m) { m.list<int>(name).push_back(1); }});
  all.push_back({"QueuesChange",
                 {"manager.wait_for_change"},
                 [](const Manager& m) { m.queue<int>(name); },
                 [=](const Manager& m, Limit l, const Stop& s) { return changes(m.queue<int>(name), l, s); },
                 [](const Manager& m) { m.queue<int>(name).put(1); }});
}

client::TaskPool pool_of(const Manager& m) {
  return m.create<client::TaskPool>(name);
}
/// A task of the submitter: its tag, how many calls it is, what to do.
void submit(const client::TaskPool& pool, std::int64_t submitter) {
  const auto task = nlohmann::json::to_msgpack({1, 1, "work"});
  pool.submit(submitter, 0, client::EncodedItems(1, task));
}
bool has_any(const client::EncodedResult& items) {
  return !nlohmann::json::from_msgpack(wire::as_text(items.bytes.view())).empty();
}

void add_pool(std::vector<Wait>& all) {
  all.push_back({"PoolCollect",
                 {"pool.collect"},
                 [](const Manager& m) { pool_of(m); },
                 [](const Manager& m, Limit l, const Stop& s) {
                   const client::TaskPool pool = pool_of(m);
                   const std::int64_t submitter = pool.enter();
                   submit(pool, submitter);
                   return has_any(pool.collect(submitter, For(l), s));
                 },
                 [](const Manager& m) { pool_of(m).terminate(); }});
  all.push_back({"PoolWork",
                 {"pool.work"},
                 [](const Manager& m) { pool_of(m); },
                 [](const Manager& m, Limit l, const Stop& s) {
                   const client::TaskPool pool = pool_of(m);
                   (void)pool.enlist(std::nullopt, std::nullopt);
                   return has_any(pool.work(client::EncodedItems(0, {}), For(l), s));
                 },
                 [](const Manager& m) { submit(pool_of(m), pool_of(m).enter()); }});
}

const std::vector<Wait>& all_waits() {
  static const std::vector<Wait> all = [] {
    std::vector<Wait> made;
    add_locks(made);
    add_signals(made);
    add_queue(made, "Queue", "queue", [](const Manager& m) { return m.queue<int>(name, 1); });
    add_queue(made, "LifoQueue", "lifo_queue", [](const Manager& m) { return m.lifo_queue<int>(name, 1); });
    add_queue(made, "PriorityQueue", "priority_queue",
              [](const Manager& m) { return m.priority_queue<int>(name, 1); });
    add_watching(made);
    add_pool(made);
    return made;
  }();
  return all;
}

TEST(Waits, TheTableHasEveryOperationThatWaits) {
  std::set<std::string> waiting, tested;
  ops::AllTypes::with_types([&]<class... T>() {
    const auto add = [&]<class One>() {
      for (const ops::OpDescription& op : One::All::descriptions)
        if (op.effect == ops::Effect::waits)
          waiting.insert(std::string(One::type) + "." + std::string(op.name));
    };
    (add.template operator()<T>(), ...);
  });
  for (const Wait& wait : all_waits()) tested.insert(wait.operations.begin(), wait.operations.end());
  EXPECT_EQ(tested, waiting);
}

using test::Reach;

class EndOfWait : public testing::TestWithParam<std::tuple<Reach, std::size_t>> {
 protected:
  EndOfWait()
      : tandemd_({test::beside_the_test("tandemd"), "--listen", "unix:" + folder_.path("socket"), "--listen",
                  "tcp://127.0.0.1:0", "--authkey-file", folder_.write("key", "secret"), "--log-level", "off",
                  "--session-resume-ms", "50"}) {
    const std::string ready = tandemd_.read_line();
    const std::size_t address = ready.find(std::get<Reach>(GetParam()) == Reach::tcp ? "tcp://" : "unix:");
    address_ = ready.substr(address, ready.find(' ', address) - address);
    manager_.emplace(connect());
    wait().prepare(*manager_);
  }

  static const Wait& wait() { return all_waits().at(std::get<std::size_t>(GetParam())); }
  Manager connect() const {
    return Manager(address_, {.authkey = "secret", .ring = std::get<Reach>(GetParam()) == Reach::ring});
  }
  const Manager& manager() const { return *manager_; }

  /// What comes of the wait of one more client.
  std::string outcome(Limit limit, const Stop& stop) const {
    try {
      return wait().wait(connect(), limit, stop) ? "served" : "given up";
    } catch (const ObjectGone&) {
      return "ObjectGone";
    } catch (const ConnectionError&) {
      return "ConnectionError";
    } catch (const BrokenBarrierError&) {
      return "BrokenBarrierError";
    } catch (const std::exception& error) {
      return error.what();
    }
  }
  std::future<std::string> begin(const Stop& stop = {}) const {
    auto outcome_to_come = std::async(std::launch::async, [=, this] { return outcome(for_ever, stop); });
    wait_for_waiters(1);
    return outcome_to_come;
  }
  void wait_for_waiters(int count) const {
    test::eventually([&] { return manager().information().at("waiters") == count; },
                     std::to_string(count) + " waiting requests");
  }
  void expect_that_the_next_is_served() const {
    wait_for_waiters(0);
    auto next = begin();
    wait().serve(manager());
    EXPECT_EQ(next.get(), "served");
    wait_for_waiters(0);
  }

  test::TemporaryFolder folder_;
  Program tandemd_;
  std::string address_;
  std::optional<Manager> manager_;
};

INSTANTIATE_TEST_SUITE_P(, EndOfWait,
                         testing::Combine(testing::ValuesIn(test::reaches(test::Between::kernel)),
                                          testing::Range(std::size_t{0}, all_waits().size())),
                         [](const auto& info) {
                           return all_waits().at(std::get<std::size_t>(info.param)).label + "_" +
                                  std::string(name_of(std::get<Reach>(info.param)));
                         });

TEST_P(EndOfWait, Served) {
  auto waits = begin();
  wait().serve(manager());
  EXPECT_EQ(waits.get(), "served");
  wait_for_waiters(0);
}

TEST_P(EndOfWait, TimedOut) {
  EXPECT_EQ(outcome(5ms, {}), wait().given_up);
  wait().repair(manager());
  expect_that_the_next_is_served();
}

TEST_P(EndOfWait, Cancelled) {
  std::stop_source stop;
  auto waits = begin(stop.get_token());
  stop.request_stop();
  EXPECT_EQ(waits.get(), wait().given_up);
  wait().repair(manager());
  expect_that_the_next_is_served();
}

TEST_P(EndOfWait, ClientKilled) {
  test::Child child([this] { (void)wait().wait(connect(), for_ever, {}); });
  wait_for_waiters(1);
  child.kill();
  wait_for_waiters(0);
  wait().repair(manager());
  expect_that_the_next_is_served();
}

TEST_P(EndOfWait, ObjectRemoved) {
  auto waits = begin();
  EXPECT_TRUE(manager().remove(name));
  EXPECT_EQ(waits.get(), "ObjectGone");
  wait_for_waiters(0);
}

TEST_P(EndOfWait, ServerStopped) {
  auto waits = begin();
  tandemd_.signal(SIGTERM);
  EXPECT_EQ(waits.get(), "ConnectionError");
  EXPECT_EQ(tandemd_.wait(), 0);
}

TEST_P(EndOfWait, ServerKilled) {
  auto waits = begin();
  tandemd_.signal(SIGKILL);
  EXPECT_EQ(waits.get(), "ConnectionError");
}

}  // namespace
}  // namespace tandem
