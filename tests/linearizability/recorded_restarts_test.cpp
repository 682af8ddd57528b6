// Histories of real processes whose manager is killed and started again in the middle: no call fails, and what each returned
// is explained by one order of all, as if nothing had happened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tandem/tandem.hpp"
#include "tests/linearizability/explanation.hpp"
#include "tests/linearizability/models.hpp"
#include "tests/linearizability/workers.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"

namespace tandem::test {
namespace {

using ::testing::Each;

/// A tandemd that is killed whenever clients have done some operations more, and started again.
class RestartedHistory : public ::testing::TestWithParam<JournalLevel> {
 protected:
  static constexpr std::size_t clients = 4, operations = 200;

  RestartedHistory() { start(); }

  std::string address() const { return "unix:" + folder_.path("socket"); }
  /// Also while it is being started.
  Manager connect() const {
    std::optional<Manager> manager;
    eventually(
        [&] {
          try {
            manager.emplace(address(), Options{.reconnect = std::chrono::minutes(10)});
          } catch (const ConnectionError&) {
          }
          return manager.has_value();
        },
        "the manager to be reached");
    return *manager;
  }

  void start() {
    tandemd_.emplace(std::vector<std::string>{beside_the_test("tandemd"), "--listen", address(), "--journal",
                                              folder_.path("journal"), "--journal-level",
                                              std::string(name_of(GetParam())), "--log-level", "error"});
    ASSERT_NE(tandemd_->read_line(), "") << tandemd_->errors;
  }
  /// Runs the workers; returns how often the manager was killed meanwhile.
  template <class Model, class Work>
  int run(Recording<Model>& recording, Work&& work) {
    const auto done = [&] {
      std::size_t sum = 0;
      for (std::size_t client = 0; client < clients; ++client) sum += recording.returned_count(client);
      return sum;
    };
    int restarts = 0;
    std::thread killer([&] {
      constexpr std::size_t operations_between = 30;
      for (std::size_t next = operations_between; next < clients * operations; next += operations_between) {
        eventually([&] { return done() >= next; }, "operations to be done");
        tandemd_->signal(SIGKILL);
        tandemd_->wait();
        start();
        ++restarts;
      }
      // The manager ends with the thread that started it.
      eventually([&] { return done() == clients * operations; }, "all operations to be done");
    });
    EXPECT_THAT(run_workers<Model>(recording, clients, std::forward<Work>(work)), Each(0));
    killer.join();
    EXPECT_EQ(recording.history().size(), clients * operations);
    return restarts;
  }

  TemporaryFolder folder_;
  std::optional<Program> tandemd_;
};

INSTANTIATE_TEST_SUITE_P(, RestartedHistory, ::testing::Values(JournalLevel::process, JournalLevel::disk),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST_P(RestartedHistory, OfAValueIsLinearizable) {
  using Kind = ValueModel::Kind;
  Recording<ValueModel> recording(clients, operations);
  const int restarts = run(recording, [&](auto& client, std::size_t, Random& random) {
    const Manager manager = connect();
    auto value = manager.value<std::int64_t>("value", 0);
    for (std::size_t i = 0; i < operations; ++i) {
      const ValueModel::Call call{random.one_in(2) ? Kind::fetch_add : Kind::exchange, random.below(5),
                                  random.below(5)};
      client.record(call, [&]() -> Outcome {
        if (call.kind == Kind::fetch_add) return {true, value.fetch_add(call.argument)};
        return {true, value.exchange(call.argument)};
      });
    }
  });
  EXPECT_GT(restarts, 10);
  EXPECT_EQ(refusal_of(recording.history()), "");
}

TEST_P(RestartedHistory, OfAQueueIsLinearizable) {
  using Kind = QueueModel::Kind;
  Recording<QueueModel> recording(clients, operations);
  const int restarts = run(recording, [&](auto& client, std::size_t n, Random& random) {
    const Manager manager = connect();
    auto list = manager.list<std::int64_t>("list");
    for (std::size_t i = 0; i < operations; ++i) {
      const QueueModel::Call call{random.one_in(2) ? Kind::put : Kind::try_get,
                                  static_cast<std::int64_t>(n * operations + i)};
      client.record(call, [&]() -> Outcome {
        if (call.kind == Kind::put) return list.push_back(call.argument), Outcome{true, 0};
        try {
          return {true, list.pop(0)};
        } catch (const IndexError&) {
          return {false, 0};
        }
      });
    }
  });
  EXPECT_GT(restarts, 10);
  EXPECT_EQ(refusal_of(recording.history()), "");
}

}  // namespace
}  // namespace tandem::test
