// Clients on other machines that stop being heard of, and come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "tandem/server.hpp"
#include "tandem/tandem.hpp"
#include "tests/support/child.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/relay.hpp"

namespace tandem {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr int held_up = 77;  // the exit code of a child that the machine held up

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
  /// Runs `scenario(lease_ms)`, which returns whether clients kept their sessions. A machine that holds them up
  /// for longer than a lease is given a longer one.
  template <class F>
  static void with_patience(F scenario) {
    for (std::uint64_t lease_ms = 500; lease_ms <= 60'000; lease_ms *= 2) {
      try {
        if (scenario(lease_ms)) return;
      } catch (const SessionLost&) {
      }
    }
    ADD_FAILURE() << "a client is not heard of, however long its lease";
  }

  /// Repeats what a machine that is slow to run a client makes fail.
  template <class F>
  static auto despite_losses(F act) {
    for (;;) {
      try {
        return act();
      } catch (const SessionLost&) {
      }
    }
  }

  static Manager attach(const std::string& address) {
    return Manager(address, {.authkey = "a key for this test"});
  }
};

TEST_F(LeaseTest, AStoppedOwnerLosesItsLockAndLearnsOfIt) {
  Server server(options(300));
  server.start();
  Manager here = server.connect();
  Lock lock = here.lock("jobs");
  test::Signal locked;
  const std::string address = server.addresses().front();
  test::Child owner([&] {
    std::atomic<int> calls{0};
    auto own = [&] {
      Manager manager = attach(address);
      Lock mine = manager.lock("jobs");
      mine.lock();
      return std::pair(manager, mine);
    };
    auto [manager, mine] = despite_losses(own);
    const std::string described = "lock \"jobs\" (token ";
    manager.on_session_lost([&](const SessionLost& lost) {
      EXPECT_THAT(lost.what(), HasSubstr(described));
      ++calls;
    });
    locked.send();
    raise(SIGSTOP);  // longer than the lease: whoever goes on with this process does so afterwards
    std::string text;
    try {
      mine.unlock();
    } catch (const SessionLost& lost) {
      text = lost.what();
    }
    EXPECT_THAT(text, HasSubstr(described));
    // On whichever thread learned of it first.
    test::eventually([&] { return calls != 0; }, "the callback for a lost session");
    EXPECT_THROW(manager.ping(), SessionLost);
    EXPECT_EQ(calls, 1);
    EXPECT_TRUE(despite_losses([&] { return attach(address).exists("jobs"); }));
  });
  locked.wait();
  auto guard = lock.guard();
  EXPECT_TRUE(guard.previous_owner_died());
  ::kill(owner.pid(), SIGCONT);
  EXPECT_EQ(owner.join(), 0);
}

TEST_F(LeaseTest, AClientWithNothingToAskIsHeardOf) {
  with_patience([](std::uint64_t lease_ms) {
    Server server(options(lease_ms));
    server.start();
    Manager far = attach(server.addresses().front());
    Lock lock = far.lock("kept");
    lock.lock();
    Manager here = server.connect();
    // For longer than a lease nobody calls through `far` but its own thread.
    if (here.lock("kept").try_lock_for(std::chrono::milliseconds(lease_ms) * 3 / 2)) return false;
    lock.unlock();
    return true;
  });
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
  with_patience([](std::uint64_t lease_ms) {
    Server server(options(lease_ms));
    server.start();
    test::Relay relay(server.addresses().front());
    Manager far = attach(relay.address());
    std::atomic<bool> is_lost{false};
    far.on_session_lost([&](const SessionLost&) { is_lost = true; });
    const Lock lock = far.lock("kept");
    lock.lock();
    const std::size_t before = relay.connections();
    relay.set_present(test::Relay::Path::swallows);
    test::eventually([&] { return is_lost || relay.connections() > before; },
                     "a connection in place of one that is silent");
    Manager here = server.connect();
    const bool is_passed_on = here.lock("kept").try_lock_for(std::chrono::milliseconds(lease_ms) * 3 / 2);
    return !is_passed_on && !is_lost;
  });
}

TEST_F(LeaseTest, AForkedChildIsHeardOfToo) {
  with_patience([](std::uint64_t lease_ms) {
    Server server(options(lease_ms));
    server.start();
    Manager far = attach(server.addresses().front());
    auto list = far.list<int>({1});
    test::Signal go_on;
    test::Child child([&] {
      go_on.wait();
      try {
        EXPECT_EQ(list.size(), 1u);
      } catch (const Error&) {
        _exit(held_up);
      }
    });
    Manager here = server.connect();
    Lock never = here.lock("never");
    never.lock();
    EXPECT_FALSE(far.lock("never").try_lock_for(std::chrono::milliseconds(lease_ms) * 3 / 2));
    go_on.send();
    const int code = child.join();
    EXPECT_TRUE(code == 0 || code == held_up) << code;
    return code == 0;
  });
}

}  // namespace
}  // namespace tandem
