// Sessions that are resumed, by seeds: connections are cut and the manager is killed in the middle of everything, and clients
// notice nothing. Every call returns what it returns without faults. TANDEM_SIMULATION_SEEDS says how many seeds are run.

#include <cstdlib>
#include <deque>

#include "tandem/tandem.hpp"
#include "tests/simulation/simulated_manager.hpp"
#include "tests/support/sanitized.hpp"

namespace tandem::test {
namespace {

constexpr int clients = 3;
constexpr int steps = 120;

/// What the clients have done so far, as one thread knows it.
class Script {
 public:
  explicit Script(SimulatedManager& manager) : manager_(manager) {
    for (int i = 0; i < clients; ++i) clients_.push_back(std::make_unique<Client>(manager.connect()));
  }

  void step() {
    Client& client = any();
    switch (manager_.below(14)) {
      case 0: return add(client);
      case 1: return push(client);
      case 2: return pop(client);
      case 3: return lock(client);
      case 4: return unlock(client);
      case 5: return put(client);
      case 6: return take(client);
      case 7: return lease(client);
      case 8: return end_lease(client);
      case 9: return transfer(client);
      case 10: return pipeline(client);
      case 11: return wait(client, any());
      case 12: return make_and_forget(client);
      default: return batch(client);
    }
  }
  void check() {
    Client& client = any();
    EXPECT_EQ(client.sums.get("all", 0), sum_);
    EXPECT_EQ(client.list.snapshot(), std::vector<int>(list_.begin(), list_.end()));
    EXPECT_EQ(client.queue.size(), queue_.size());
    EXPECT_EQ(client.accounts.at("a") + client.accounts.at("b"), 0);
    EXPECT_EQ(client.accounts.at("a"), balance_);
  }
  /// What was made and forgotten is gone; what is not is there.
  void check_objects() {
    for (const auto& client : clients_) client->manager.ping();  // ahead of which goes what was not sent yet
    EXPECT_EQ(any().manager.objects().size(), 7u);
  }

 private:
  struct Client {
    explicit Client(Manager of)
        : manager(std::move(of)),
          sums(manager.dict<std::string, int>("sums")),
          list(manager.list<int>("list")),
          queue(manager.queue<int>("queue")),
          mutex(manager.lock("lock")),
          accounts(manager.dict<std::string, int>("accounts")),
          signals(manager.queue<int>("signals")),
          nested(manager.dict<std::string, List<int>>("nested")) {
      (void)accounts.get_or_insert("a", 0);
      (void)accounts.get_or_insert("b", 0);
    }
    Manager manager;
    Dict<std::string, int> sums;
    List<int> list;
    Queue<int> queue;
    Lock mutex;
    Dict<std::string, int> accounts;
    Queue<int> signals;
    Dict<std::string, List<int>> nested;
    std::vector<Lease<int>> leases;
  };
  Client& any() { return *clients_[manager_.below(clients_.size())]; }

  void add(Client& client) {
    client.sums["all"] += 1;
    ++sum_;
  }
  void push(Client& client) {
    client.list.push_back(++next_);
    list_.push_back(next_);
  }
  void pop(Client& client) {
    if (list_.empty()) return;
    EXPECT_EQ(client.list.pop(0), list_.front());
    list_.pop_front();
  }
  void lock(Client& client) {
    const bool is_granted = client.mutex.try_lock();
    EXPECT_EQ(is_granted, owner_ == nullptr);
    if (!is_granted) return;
    const Grant grant = client.mutex.grant();
    EXPECT_GT(grant.token, token_);
    EXPECT_FALSE(grant.previous_owner_died);
    token_ = grant.token;
    owner_ = &client;
  }
  void unlock(Client& client) {
    if (owner_ == &client) {
      client.mutex.unlock();
      owner_ = nullptr;
    } else {
      EXPECT_THROW(client.mutex.unlock(), NotOwner);
    }
  }
  void put(Client& client) {
    client.queue.put(++next_);
    queue_.push_back(next_);
  }
  void take(Client& client) {
    const std::optional<int> item = client.queue.try_get();
    EXPECT_EQ(item.has_value(), !queue_.empty());
    if (!item) return;
    EXPECT_EQ(*item, queue_.front());
    queue_.pop_front();
  }
  void lease(Client& client) {
    Lease<int> lease = client.queue.try_get_leased();
    EXPECT_EQ(static_cast<bool>(lease), !queue_.empty());
    if (!lease) return;
    EXPECT_EQ(*lease, queue_.front());
    queue_.pop_front();
    client.leases.push_back(std::move(lease));
  }
  void end_lease(Client& client) {
    if (client.leases.empty()) return;
    client.leases.back().done();
    client.leases.pop_back();
  }
  void transfer(Client& client) {
    const int amount = static_cast<int>(manager_.below(100)) - 50;
    client.manager.atomically([&](Transaction& tx) {
      auto accounts = tx(client.accounts);
      accounts["a"] -= amount;
      accounts["b"] += amount;
    });
    balance_ -= amount;
  }
  void pipeline(Client& client) {
    Pipeline pipeline = client.manager.pipeline();
    auto list = pipeline(client.list);
    for (std::uint64_t i = 1 + manager_.below(60); i != 0; --i) {
      list.push_back(++next_);
      list_.push_back(next_);
    }
    pipeline.wait();
  }
  /// One client waits for what another sends.
  void wait(Client& client, Client& other) {
    Pipeline pipeline = client.manager.pipeline();
    auto signal = pipeline.call<ops::Queue::Get, std::optional<int>>(client.signals);
    pipeline.flush();
    other.signals.put(++next_);
    EXPECT_EQ(signal.get(), next_);
  }
  /// References that are given back by messages without a reply.
  void make_and_forget(Client& client) {
    for (std::uint64_t i = manager_.below(5); i != 0; --i) {
      const List<int> made = client.manager.list<int>({1, 2});
      client.nested.insert_or_assign("one", made);
      EXPECT_EQ(any().nested.at("one").size(), 2u);
    }
    client.nested.clear();
  }
  void batch(Client& client) {
    Batch batch = client.manager.batch();
    auto list = batch(client.list);
    for (int i = 0; i < 3; ++i) {
      list.push_back(++next_);
      list_.push_back(next_);
    }
    batch.run();
  }

  SimulatedManager& manager_;
  std::vector<std::unique_ptr<Client>> clients_;
  int next_ = 0;
  int sum_ = 0;
  int balance_ = 0;
  std::deque<int> list_;
  std::deque<int> queue_;
  Client* owner_ = nullptr;
  std::uint64_t token_ = 0;
};

struct Totals {
  int cuts = 0;
  int crashes = 0;
};

Totals run(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  SimulatedManager manager(seed);
  {
    Script script(manager);
    manager.faults = {20 + manager.below(150), 50 + manager.below(200), 50 + manager.below(500)};
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      script.step();
      if (i % 40 == 0) script.check();
    }
    script.check();
    script.check_objects();
    manager.faults = {};
  }
  // Lanes that were opened by connections which were cut at once.
  manager.service().tick(os::clock_ns() + SimulatedManager::resume_ns + 1'000'000);
  EXPECT_EQ(manager.engine().registry().sessions_count(), 0u);
  EXPECT_EQ(manager.engine().waits().size(), 0u);
  EXPECT_EQ(manager.engine().kept().memory_bytes(), 0u);
  return {manager.cuts, manager.crashes()};
}

std::uint64_t seeds_wanted() {
  const char* wanted = std::getenv("TANDEM_SIMULATION_SEEDS");
  return wanted == nullptr ? (test::sanitized ? 64 : 400) : std::strtoull(wanted, nullptr, 10);
}

// In parts, so that they can run side by side.
constexpr std::uint64_t parts = 16;

class ResumeSimulation : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ResumeSimulation, ClientsNoticeNothing) {
  Totals totals;
  int runs = 0;
  for (std::uint64_t seed = GetParam(); seed < seeds_wanted() && !HasFailure(); seed += parts, ++runs) {
    const Totals one = run(seed);
    totals.cuts += one.cuts;
    totals.crashes += one.crashes;
  }
  EXPECT_GT(totals.cuts, runs);
  EXPECT_GT(totals.crashes, runs);
}

INSTANTIATE_TEST_SUITE_P(Parts, ResumeSimulation, testing::Range(std::uint64_t{0}, parts));

}  // namespace
}  // namespace tandem::test
