// Clients on other machines that stop being heard of, and come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "tandem/server.hpp"
#include "tandem/tandem.hpp"
#include "tests/support/child.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/relay.hpp"

namespace tandem {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class LeaseTest : public ::testing::Test {
 protected:
  static ServerOptions options(std::uint64_t lease_ms) {
    ServerOptions options;
    options.listen = {"tcp://127.0.0.1:0"};
    options.authkey = "a key for this test";
    options.log_level = LogLevel::off;
    options.limits.session_lease_ms = lease_ms;
    return options;
  }
  /// A lease that a client keeps also where the machine holds it up for a second or two.
  static constexpr std::uint64_t patient_ms = 3000;

  Manager attach(const std::string& address) { return Manager(address, {.authkey = "a key for this test"}); }
};

TEST_F(LeaseTest, AStoppedOwnerLosesItsLockAndLearnsOfIt) {
  Server server(options(300));
  server.start();
  Manager here = server.connect();
  Lock lock = here.lock("jobs");
  test::Signal locked;
  const std::string address = server.addresses().front();
  test::Child owner([&] {
    Manager manager = attach(address);
    std::atomic<int> calls{0};
    manager.on_session_lost([&](const SessionLost& lost) {
      EXPECT_THAT(lost.what(), HasSubstr("lock \"jobs\" (token 1)"));
      ++calls;
    });
    Lock mine = manager.lock("jobs");
    mine.lock();
    locked.send();
    raise(SIGSTOP);  // longer than the lease: whoever goes on with this process does so afterwards
    std::string text;
    try {
      mine.unlock();
    } catch (const SessionLost& lost) {
      text = lost.what();
    }
    EXPECT_THAT(text, HasSubstr("lock \"jobs\" (token 1)"));
    // On whichever thread learned of it first.
    test::eventually([&] { return calls != 0; }, "the callback for a lost session");
    EXPECT_THROW(manager.ping(), SessionLost);
    EXPECT_EQ(calls, 1);
    Manager anew = attach(address);
    EXPECT_TRUE(anew.exists("jobs"));
  });
  locked.wait();
  auto guard = lock.guard();
  EXPECT_TRUE(guard.previous_owner_died());
  ::kill(owner.pid(), SIGCONT);
  EXPECT_EQ(owner.join(), 0);
}

TEST_F(LeaseTest, AClientWithNothingToAskIsHeardOf) {
  Server server(options(patient_ms));
  server.start();
  Manager far = attach(server.addresses().front());
  Lock lock = far.lock("kept");
  lock.lock();
  Manager here = server.connect();
  // For longer than a lease nobody calls through `far` but its own thread.
  EXPECT_FALSE(here.lock("kept").try_lock_for(std::chrono::milliseconds(patient_ms) * 3 / 2));
  lock.unlock();
}

/// Both ways in which a path may be cut while its connections stay.
class CutPath : public LeaseTest, public ::testing::WithParamInterface<test::Relay::Path> {};
INSTANTIATE_TEST_SUITE_P(, CutPath, ::testing::Values(test::Relay::Path::swallows, test::Relay::Path::holds),
                         [](const auto& info) {
                           return info.param == test::Relay::Path::holds ? "Holds" : "Swallows";
                         });

TEST_P(CutPath, IsNoticedByTheClientsOwnLease) {
  Server server(options(1000));
  server.start();
  test::Relay relay(server.addresses().front());
  Manager far = attach(relay.address());
  std::atomic<int> calls{0};
  far.on_session_lost([&](const SessionLost& lost) {
    EXPECT_THAT(lost.what(), HasSubstr("session_lease_ms"));
    ++calls;
  });
  const Lock lock = far.lock("jobs");
  lock.lock();
  const auto queue = far.queue<int>();
  auto pipeline = far.pipeline();
  auto got = pipeline.call<ops::Queue::Get, std::optional<int>>(queue);
  pipeline.flush();
  std::thread waits([&] { EXPECT_THROW((void)queue.get(), SessionLost); });
  Manager here = server.connect();
  test::eventually([&] { return here.information().at("waiters") == 2; }, "both to wait");
  const auto cut_at = std::chrono::steady_clock::now();
  relay.set(GetParam());
  waits.join();
  const auto noticed = std::chrono::steady_clock::now() - cut_at;
  RecordProperty("noticed_ms", static_cast<int>(noticed / 1ms));
  EXPECT_THROW(got.get(), SessionLost);
  test::eventually([&] { return calls == 1; }, "the callback for a lost session");
  EXPECT_THROW(lock.unlock(), SessionLost);
  EXPECT_THROW(far.ping(), SessionLost);
  EXPECT_TRUE(here.lock("jobs").guard().previous_owner_died());
  relay.set(test::Relay::Path::open);
  EXPECT_THROW(far.ping(), SessionLost) << "also when the path is back";
  EXPECT_EQ(calls, 1);
}

TEST_F(LeaseTest, AnotherConnectionReplacesOneThatIsCutOff) {
  Server server(options(patient_ms));
  server.start();
  test::Relay relay(server.addresses().front());
  Manager far = attach(relay.address());
  std::atomic<bool> is_lost{false};
  far.on_session_lost([&](const SessionLost&) { is_lost = true; });
  const Lock lock = far.lock("kept");
  lock.lock();
  const std::size_t before = relay.connections();
  relay.set_present(test::Relay::Path::swallows);
  test::eventually([&] { return relay.connections() > before; },
                   "a connection in place of one that is silent");
  Manager here = server.connect();
  EXPECT_FALSE(here.lock("kept").try_lock_for(std::chrono::milliseconds(patient_ms) * 3 / 2));
  EXPECT_FALSE(is_lost);
}

TEST_F(LeaseTest, AForkedChildIsHeardOfToo) {
  Server server(options(patient_ms));
  server.start();
  Manager far = attach(server.addresses().front());
  auto list = far.list<int>({1});
  test::Signal go_on;
  test::Child child([&] {
    go_on.wait();
    EXPECT_EQ(list.size(), 1u);
  });
  Manager here = server.connect();
  Lock never = here.lock("never");
  never.lock();
  EXPECT_FALSE(far.lock("never").try_lock_for(std::chrono::milliseconds(patient_ms) * 3 / 2));
  go_on.send();
  EXPECT_EQ(child.join(), 0);
}

}  // namespace
}  // namespace tandem
