// What the hosted pool does, over every way to reach a manager: tasks, outcomes, and who dies in between.

#include <thread>

#include "tandem/proxy/task_pool.hpp"
#include "tests/support/contract.hpp"
#include "tests/support/eventually.hpp"

namespace tandem::test {
namespace {

using client::TaskPool;
using nlohmann::json;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class PoolContract : public ContractTest {
 protected:
  TaskPool make() { return manager().create<TaskPool>(); }
  /// The same pool for another client process.
  static TaskPool of(const Manager& client, const std::string& name) { return client.create<TaskPool>(name); }

  /// What is written by `to_json` of it, as items of a request.
  class Items {
   public:
    Items() = default;
    Items(std::initializer_list<json> items) : Items(std::vector<json>(items)) {}
    explicit Items(const std::vector<json>& items) : count_(items.size()) {
      wire::Writer writer(bytes_);
      for (const json& item : items) write_json(writer, item);
    }
    operator client::EncodedItems() const { return {count_, bytes_.view()}; }

   private:
    std::size_t count_ = 0;
    wire::Buffer bytes_;
  };
  static json read(const client::EncodedResult& result) {
    Decoder from{wire::Reader(result.bytes.view()), nullptr};
    return Codec<json>::decode(from);
  }
  static json collect(const TaskPool& pool, std::int64_t submitter) {
    return read(pool.collect(submitter, client::at_once));
  }
  static json work(const TaskPool& pool, const std::vector<json>& done = {}) {
    return read(pool.work(Items(done), client::at_once));
  }
  static void submit(const TaskPool& pool, std::int64_t submitter, const std::vector<json>& tasks,
                     std::int64_t retries = 0) {
    pool.submit(submitter, retries, Items(tasks));
  }
  static void enlist(const TaskPool& pool) { (void)pool.enlist(std::nullopt, std::nullopt); }
  static std::vector<std::int64_t> counts(const TaskPool& pool) {
    const PoolProgress p = pool.progress();
    return {p.queued, p.running, p.done, p.failed, p.retried, p.workers};
  }
};
TANDEM_CONTRACT_SUITE(PoolContract);

using Counts = std::vector<std::int64_t>;

TEST_P(PoolContract, TasksGoToAWorkerAndTheirOutcomesBack) {
  TaskPool pool = make();
  const std::int64_t submitter = pool.enter();
  submit(pool, submitter, {json{7, 2, "first"}, json{8, 1, "second"}});
  EXPECT_EQ(counts(pool), (Counts{3, 0, 0, 0, 0, 0}));
  enlist(pool);
  EXPECT_EQ(work(pool), (json{{1, 1, 2, "first"}}));
  EXPECT_EQ(counts(pool), (Counts{1, 2, 0, 0, 0, 1}));
  EXPECT_EQ(work(pool, {json{1, 1, "a result"}}), (json{{2, 1, 1, "second"}}));
  EXPECT_EQ(collect(pool, submitter), (json{{7, 0, "a result"}}));
  EXPECT_EQ(collect(pool, submitter), json::array());
  pool.quit(Items{json{2, 0, nullptr}});
  EXPECT_EQ(collect(pool, submitter), (json{{8, 0, nullptr}}));
  EXPECT_EQ(counts(pool), (Counts{0, 0, 2, 1, 0, 0}));
}

TEST_P(PoolContract, WorkersAndCollectorsWait) {
  TaskPool pool = of(manager(), "pool");
  const std::int64_t submitter = pool.enter();
  json task;
  std::jthread worker([&, client = connect()] {
    TaskPool its = of(client, "pool");
    enlist(its);
    task = read(its.work(Items{}, client::no_limit));
    its.quit(Items{json{1, 0, "done"}});
  });
  wait_for_waiters(1);
  submit(pool, submitter, {json{1, 1, "work"}});
  EXPECT_EQ(read(pool.collect(submitter, client::no_limit)), (json{{1, 0, "done"}}));
  worker.join();
  EXPECT_EQ(task, (json{{1, 1, 1, "work"}}));
  manager().remove("pool");
}

TEST_P(PoolContract, LimitsAndStopsEndTheWaits) {
  TaskPool pool = make();
  const std::int64_t submitter = pool.enter();
  enlist(pool);
  EXPECT_EQ(read(pool.collect(submitter, 1ms)), json::array());
  EXPECT_EQ(read(pool.work(Items{}, 1ms)), json::array());
  json outcomes;
  std::jthread collector(
      [&](const std::stop_token& stop) { outcomes = read(pool.collect(submitter, client::no_limit, stop)); });
  wait_for_waiters(1);
  collector.request_stop();
  collector.join();
  EXPECT_EQ(outcomes, json::array());
}

TEST_P(PoolContract, ADeadWorkersTaskFails) {
  TaskPool pool = of(manager(), "pool");
  const std::int64_t submitter = pool.enter();
  submit(pool, submitter, {json{1, 3, "work"}});
  {
    const Manager other = connect();
    TaskPool its = of(other, "pool");
    enlist(its);
    EXPECT_EQ(work(its), (json{{1, 1, 3, "work"}}));
  }
  const json outcome = read(pool.collect(submitter, client::no_limit)).at(0);
  EXPECT_EQ(outcome.at(0), 1);
  EXPECT_EQ(outcome.at(1), static_cast<int>(Code::worker_died));
  EXPECT_THAT(outcome.at(2).get<std::string>(), HasSubstr("ended in one of these 3 tasks"));
  EXPECT_EQ(outcome.at(4), nullptr);
  EXPECT_EQ(counts(pool), (Counts{0, 0, 0, 3, 0, 0}));
  manager().remove("pool");
}

TEST_P(PoolContract, ADeadWorkersTaskIsTriedAgainBeforeAllOthers) {
  TaskPool pool = of(manager(), "pool");
  const std::int64_t submitter = pool.enter();
  submit(pool, submitter, {json{1, 1, "first"}, json{2, 1, "second"}, json{3, 1, "third"}}, 1);
  {
    const Manager other = connect();
    TaskPool its = of(other, "pool");
    enlist(its);
    EXPECT_EQ(work(its), (json{{1, 1, 1, "first"}}));
  }
  eventually([&] { return pool.progress().retried != 0; }, "the worker's end to be heard of");
  enlist(pool);
  EXPECT_EQ(read(pool.work(Items{}, client::no_limit)).at(0).at(0), 1);
  pool.quit(Items{});  // gives it back: that was its last chance
  const json outcome = collect(pool, submitter).at(0);
  EXPECT_EQ(outcome.at(1), static_cast<int>(Code::worker_died));
  EXPECT_THAT(outcome.at(2).get<std::string>(), HasSubstr("tried 2 times"));
  EXPECT_EQ(counts(pool), (Counts{2, 0, 0, 1, 1, 0}));
  manager().remove("pool");
}

TEST_P(PoolContract, ASupervisorTellsHowAWorkerEnded) {
  TaskPool pool = of(manager(), "pool");
  const std::int64_t submitter = pool.enter();
  const std::int64_t supervisor =
      pool.supervise(submitter, Items{json("initializer")}.operator client::EncodedItems().bytes);
  submit(pool, submitter, {json{1, 1, "work"}});
  {
    const Manager other = connect();
    TaskPool its = of(other, "pool");
    EXPECT_EQ(read(its.enlist(supervisor, 4711)), "initializer");
    EXPECT_EQ(work(its).size(), 1u);
  }
  EXPECT_TRUE(pool.reap(supervisor, 4711, -9));
  const json outcome = read(pool.collect(submitter, client::no_limit)).at(0);
  EXPECT_THAT(outcome.at(2).get<std::string>(),
              HasSubstr("process 4711, was killed by signal 9 in the task"));
  EXPECT_EQ(outcome.at(3), 4711);
  EXPECT_EQ(outcome.at(4), -9);
  pool.close();
  EXPECT_FALSE(pool.reap(supervisor, 4712, 0));
  manager().remove("pool");
}

TEST_P(PoolContract, WorkersThatDieEarlyEndItAll) {
  TaskPool pool = make();
  const std::int64_t submitter = pool.enter();
  const std::int64_t supervisor = pool.supervise(submitter, {});
  submit(pool, submitter, {json{1, 1, "work"}});
  for (int pid = 1; pid < 10; ++pid) EXPECT_TRUE(pool.reap(supervisor, pid, 3));
  EXPECT_FALSE(pool.reap(supervisor, 10, 3));
  const std::string text = collect(pool, submitter).at(0).at(2);
  EXPECT_THAT(
      text,
      HasSubstr("10 workers in a row died before they were ready; the last one ended with exit code 3"));
  EXPECT_EQ(error_of<WorkerDied>([&] { submit(pool, submitter, {json{2, 1, "work"}}); }), text);
}

TEST_P(PoolContract, WorkersThatCannotWorkSaySo) {
  TaskPool pool = make();
  const std::int64_t submitter = pool.enter();
  const std::int64_t supervisor = pool.supervise(submitter, {});
  submit(pool, submitter, {json{1, 1, "work"}});
  pool.fail(supervisor, "no database");
  EXPECT_EQ(collect(pool, submitter), (json{{1, static_cast<int>(Code::remote_error), "no database"}}));
  EXPECT_EQ(error_of<RemoteError>([&] { submit(pool, submitter, {json{2, 1, "work"}}); }), "no database");
  const std::int64_t other = pool.enter();
  submit(pool, other, {json{1, 1, "another's"}});
  EXPECT_THROW(pool.fail(99, "x"), NotFound);
}

TEST_P(PoolContract, WithoutTheSupervisorNothingBegins) {
  TaskPool pool = of(manager(), "pool");
  const std::int64_t submitter = pool.enter();
  submit(pool, submitter, {json{1, 1, "work"}});
  {
    const Manager other = connect();
    of(other, "pool").supervise(submitter, {});
  }
  const json outcome = read(pool.collect(submitter, client::no_limit)).at(0);
  EXPECT_THAT(outcome.at(2).get<std::string>(), HasSubstr("looks after the pool's workers has ended"));
  manager().remove("pool");
}

TEST_P(PoolContract, ASubmittersTasksGoWithIt) {
  TaskPool pool = make();
  const std::int64_t first = pool.enter();
  const std::int64_t second = pool.enter();
  submit(pool, first, {json{1, 1, "a"}});
  submit(pool, second, {json{1, 1, "b"}});
  enlist(pool);
  EXPECT_EQ(work(pool), (json{{1, 1, 1, "a"}}));
  pool.exit(first);
  EXPECT_EQ(work(pool, {json{1, 0, "nobody's"}}), (json{{2, 1, 1, "b"}}));
  EXPECT_THROW((void)collect(pool, first), NotOwner);
  EXPECT_EQ(collect(pool, second), json::array());
}

TEST_P(PoolContract, OthersNumbersAreRefused) {
  TaskPool pool = of(manager(), "pool");
  const std::int64_t submitter = pool.enter();
  const std::int64_t supervisor = pool.supervise(submitter, {});
  const Manager other = connect();
  TaskPool its = of(other, "pool");
  EXPECT_THROW(submit(its, submitter, {}), NotOwner);
  EXPECT_THROW((void)collect(its, submitter), NotOwner);
  EXPECT_THROW(its.exit(submitter), NotOwner);
  EXPECT_THROW((void)its.reap(supervisor, 1, 0), NotOwner);
  EXPECT_THROW((void)its.supervise(99, {}), NotFound);
  EXPECT_THROW((void)its.enlist(99, 1), NotFound);
  EXPECT_THROW((void)work(its), NotOwner);
  EXPECT_THROW(its.quit(Items{}), NotOwner);
  enlist(its);
  EXPECT_THROW(enlist(its), ValueError);
  manager().remove("pool");
}

TEST_P(PoolContract, WhatIsNoTaskIsRefused) {
  TaskPool pool = make();
  const std::int64_t submitter = pool.enter();
  for (const json& bad : {json(1), json{1, 1}, json{"tag", 1, "work"}, json{1, "calls", "work"}})
    EXPECT_THROW(submit(pool, submitter, {json{1, 1, "good"}, bad}), TypeError) << bad;
  EXPECT_THROW(submit(pool, submitter, {json{1, 0, "work"}}), ValueError);
  EXPECT_THROW(submit(pool, submitter, {json{1, 1, "work"}}, -1), ValueError);
  EXPECT_EQ(counts(pool), (Counts{0, 0, 0, 0, 0, 0}));
  submit(pool, submitter, {json{1, 1, "work"}});
  enlist(pool);
  (void)work(pool);
  EXPECT_THROW((void)work(pool, {json{1, 0}}), TypeError);
  EXPECT_THROW((void)work(pool, {json{1, 2, "more than there were"}}), ValueError);
  EXPECT_EQ(work(pool, {json{1, 0, "good"}, json{1, 0, "twice"}, json{99, 0, "nobody's"}}), json::array());
  EXPECT_EQ(collect(pool, submitter), (json{{1, 0, "good"}}));
}

TEST_P(PoolContract, ClosingLetsTasksEnd) {
  TaskPool pool = make();
  const std::int64_t submitter = pool.enter();
  submit(pool, submitter, {json{1, 1, "work"}});
  EXPECT_FALSE(pool.is_closed());
  pool.close();
  EXPECT_TRUE(pool.is_closed());
  EXPECT_THROW(submit(pool, submitter, {json{2, 1, "work"}}), Closed);
  EXPECT_THROW(pool.enter(), Closed);
  enlist(pool);
  EXPECT_EQ(work(pool), (json{{1, 1, 1, "work"}}));
  EXPECT_THROW((void)work(pool, {json{1, 0, "done"}}), Closed);
  EXPECT_EQ(collect(pool, submitter), (json{{1, 0, "done"}}));
}

TEST_P(PoolContract, ThatHasEndedItHasNoName) {
  TaskPool pool = of(manager(), "pool");
  const std::int64_t submitter = pool.enter();
  enlist(pool);
  submit(pool, submitter, {json{1, 1, "work"}});
  pool.close();
  EXPECT_EQ(of(manager(), "pool"), pool);
  EXPECT_EQ(work(pool), (json{{1, 1, 1, "work"}}));
  EXPECT_TRUE(manager().exists("pool"));
  EXPECT_THROW((void)work(pool, {json{1, 0, "done"}}), Closed);
  EXPECT_FALSE(manager().exists("pool"));
  EXPECT_THROW(enlist(pool), Closed);
  EXPECT_EQ(collect(pool, submitter), (json{{1, 0, "done"}}));
  EXPECT_NE(of(manager(), "pool"), pool);
  manager().remove("pool");
}

TEST_P(PoolContract, ThatIsTerminatedItHasNoName) {
  TaskPool pool = of(manager(), "pool");
  submit(pool, pool.enter(), {json{1, 1, "work"}});
  pool.terminate();
  EXPECT_FALSE(manager().exists("pool"));
}

TEST_P(PoolContract, AnIdleWorkerOfAClosedPoolWaitsForWhatMayComeBack) {
  TaskPool pool = of(manager(), "pool");
  const std::int64_t submitter = pool.enter();
  submit(pool, submitter, {json{1, 1, "work"}}, 1);
  const Manager other = connect();
  TaskPool its = of(other, "pool");
  enlist(its);
  EXPECT_EQ(work(its).size(), 1u);
  pool.close();
  enlist(pool);
  json task;
  std::jthread idle([&] {
    const Manager third = connect();
    TaskPool again = of(third, "pool");
    enlist(again);
    task = read(again.work(Items{}, client::no_limit));
    EXPECT_THROW((void)again.work(Items{json{1, 0, "done"}}, client::no_limit), Closed);
  });
  wait_for_waiters(1);
  its.quit(Items{});
  idle.join();
  EXPECT_EQ(task, (json{{1, 2, 1, "work"}}));
  EXPECT_EQ(collect(pool, submitter), (json{{1, 0, "done"}}));
  manager().remove("pool");
}

TEST_P(PoolContract, TerminatingEndsTasks) {
  TaskPool pool = make();
  const std::int64_t submitter = pool.enter();
  submit(pool, submitter, {json{1, 1, "runs"}, json{2, 1, "waits"}});
  enlist(pool);
  (void)work(pool);
  pool.terminate();
  const int closed = static_cast<int>(Code::closed);
  EXPECT_EQ(collect(pool, submitter),
            (json{{2, closed, "the pool was terminated"}, {1, closed, "the pool was terminated"}}));
  EXPECT_THROW((void)work(pool, {json{1, 0, "late"}}), Closed);
  EXPECT_EQ(collect(pool, submitter), json::array());
  EXPECT_EQ(counts(pool), (Counts{0, 0, 0, 2, 0, 1}));
}

}  // namespace
}  // namespace tandem::test
