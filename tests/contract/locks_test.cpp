// What keyed locks do, over every way to reach a manager.

#include <atomic>
#include <mutex>
#include <thread>

#include "tests/support/contract.hpp"
#include "tests/support/eventually.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class LocksContract : public ContractTest {
 protected:
  template <class F>
  static void elsewhere(F body) {
    std::jthread(body).join();
  }
  std::uint64_t memory_bytes(const Proxy& proxy) const {
    for (const ObjectInfo& object : manager().objects())
      if (object.id == proxy.id()) return object.memory_bytes;
    return 0;
  }
};
TANDEM_CONTRACT_SUITE(LocksContract);

TEST_P(LocksContract, EachKeyHasALockOfItsOwn) {
  auto locks = manager().locks<std::string>();
  locks.lock("a");
  EXPECT_TRUE(locks.locked("a"));
  EXPECT_FALSE(locks.locked("b"));
  elsewhere([&] {
    EXPECT_FALSE(locks.try_lock("a"));
    EXPECT_FALSE(locks.try_lock_for("a", 1ms));
    EXPECT_FALSE(locks.try_lock_until("a", std::chrono::steady_clock::now()));
    EXPECT_THROW(locks.unlock("a"), NotOwner);
    EXPECT_TRUE(locks.try_lock("b"));
    EXPECT_EQ(locks.size(), 2u);
    EXPECT_EQ(locks.owners("b").size(), 1u);
    locks.unlock("b");
  });
  EXPECT_TRUE(locks.owners("b").empty());
  locks.unlock("a");
  EXPECT_EQ(locks.size(), 0u);
  EXPECT_THAT(error_of<NotOwner>([&] { locks.unlock("a"); }), HasSubstr("key \"a\""));
}

TEST_P(LocksContract, KeysAreWhatADictsAre) {
  auto locks = manager().locks<>();
  locks.lock(1);
  EXPECT_TRUE(locks.locked(1.0));
  EXPECT_TRUE(locks.locked(true));
  EXPECT_FALSE(locks.locked("1"));
  locks.unlock(1.0);
  locks.lock(nullptr);
  locks.lock(0.5);
  EXPECT_EQ(locks.size(), 2u);
  EXPECT_THROW(locks.lock(nlohmann::json::array({1})), TypeError);
  EXPECT_THROW((void)locks.locked(nlohmann::json::object()), TypeError);
  EXPECT_THROW(locks.lock_all({1, nlohmann::json::array()}), TypeError);
  EXPECT_FALSE(locks.locked(1));
  locks.unlock_all({0.5, nullptr});
}

TEST_P(LocksContract, AProxyCanBeAKey) {
  auto locks = manager().locks<Event>();
  std::optional<Event> event = manager().event();
  const std::uint64_t id = event->id();
  auto held = locks.guard(*event);
  EXPECT_TRUE(locks.locked(*event));
  EXPECT_EQ(references(id), 2u);
  held.unlock();
  EXPECT_EQ(references(id), 1u);
}

TEST_P(LocksContract, AKeysLockIsLockable) {
  auto locks = manager().locks<std::string>();
  KeyLock<std::string> doc = locks["doc-42"];
  {
    const std::lock_guard held(doc);
    EXPECT_TRUE(locks.locked("doc-42"));
    EXPECT_EQ(doc.grant().token, locks.grant("doc-42").token);
    EXPECT_EQ(doc.owners().at(0).token, doc.grant().token);
  }
  EXPECT_EQ(doc.key(), "doc-42");
  const std::unique_lock held(doc, 1s);
  EXPECT_TRUE(held.owns_lock());
  EXPECT_TRUE(doc.locked());
  elsewhere([&] {
    EXPECT_FALSE(doc.try_lock());
    EXPECT_FALSE(doc.try_guard());
    EXPECT_FALSE(doc.try_lock_until(std::chrono::steady_clock::now()));
    EXPECT_FALSE(locks.try_guard_for("doc-42", 1ms));
    EXPECT_FALSE(locks.try_guard_until("doc-42", std::chrono::steady_clock::now()));
  });
}

TEST_P(LocksContract, ServesEachKeysLineInOrder) {
  auto locks = manager().locks<int>();
  std::vector<int> order;  // guarded by key 1
  std::vector<std::jthread> workers;
  locks.lock(1);
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&, i] {
      auto held = locks.guard(1);
      order.push_back(i);
    });
    wait_for_waiters(static_cast<std::uint64_t>(i) + 1);
  }
  elsewhere([&] { EXPECT_TRUE(locks.try_guard(2)); });
  locks.unlock(1);
  workers.clear();
  EXPECT_THAT(order, ::testing::ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(locks.size(), 0u);
}

TEST_P(LocksContract, SeveralAtOnceAreAllOrNone) {
  auto locks = manager().locks<int>();
  {
    auto held = locks.guard_all({3, 1, 2, 1});
    EXPECT_EQ(locks.size(), 3u);
    EXPECT_EQ(locks.grant(2).token, held.token());
    elsewhere([&] {
      EXPECT_FALSE(locks.try_lock_all({4, 2}));
      EXPECT_FALSE(locks.try_lock_all_for({4, 2}, 5ms));
      EXPECT_FALSE(locks.try_lock_all_until({4, 2}, std::chrono::steady_clock::now() + 1ms));
      EXPECT_FALSE(locks.try_guard_all({4, 2}));
      EXPECT_FALSE(locks.try_guard_all_for({4, 2}, 1ms));
      EXPECT_FALSE(locks.try_guard_all_until({4, 2}, std::chrono::steady_clock::now()));
      EXPECT_FALSE(locks.locked(4));
      EXPECT_THROW(locks.unlock_all({1, 4}), NotOwner);
    });
    EXPECT_THROW(locks.unlock_all({1, 4}), NotOwner);
    EXPECT_TRUE(locks.locked(1));
  }
  EXPECT_EQ(locks.size(), 0u);
  EXPECT_THROW(locks.lock_all({}), ValueError);
}

TEST_P(LocksContract, WhoWaitsForSeveralGetsThemOneByOne) {
  auto locks = manager().locks<int>();
  for (int key = 0; key < 8; ++key) locks.lock(key);
  std::atomic<bool> served = false;
  std::jthread waiter([&] {
    auto held = locks.guard_all({7, 6, 5, 4, 3, 2, 1, 0});
    served = true;
    EXPECT_EQ(locks.size(), 8u);
  });
  wait_for_waiters(1);
  for (int key = 0; key < 8; ++key) {
    EXPECT_FALSE(served);
    locks.unlock(key);
  }
  waiter.join();
  EXPECT_EQ(locks.size(), 0u);
}

TEST_P(LocksContract, WhoGivesUpWaitingForSeveralKeepsNone) {
  auto locks = manager().locks<int>();
  // Whatever the order of taking is: each key is the one that is missing once.
  for (int key = 0; key < 4; ++key) {
    locks.lock(key);
    std::jthread waiter([&](const std::stop_token& stop) {
      EXPECT_FALSE(locks.lock_all({0, 1, 2, 3}, stop));
    });
    wait_for_waiters(1);
    waiter.request_stop();
    waiter.join();
    EXPECT_EQ(locks.size(), 1u);
    locks.unlock(key);
  }
  EXPECT_EQ(locks.size(), 0u);
}

TEST_P(LocksContract, ThoseWhoAskForAllAtOnceNeverCloseACycle) {
  auto locks = manager().locks<int>();
  int total = 0;  // guarded by key 0
  std::vector<std::jthread> workers;
  for (int i = 0; i < 4; ++i)
    workers.emplace_back([&, i] {
      for (int n = 0; n < 25; ++n) {
        auto held = i % 2 == 0 ? locks.guard_all({0, 1, 2, i + 3}) : locks.guard_all({i + 3, 2, 1, 0});
        ++total;
      }
    });
  workers.clear();
  EXPECT_EQ(total, 100);
  EXPECT_EQ(locks.size(), 0u);
}

TEST_P(LocksContract, ADeadOwnersKeysPassOn) {
  auto locks = manager().locks<std::string>("l");
  auto other = std::make_unique<Manager>(connect());
  std::optional<Locks<std::string>> theirs = other->locks<std::string>("l");
  theirs->lock("a");
  theirs->lock_all({"b", "c"});
  bool died = false;
  std::jthread waiter([&] { died = locks.guard("b").previous_owner_died(); });
  wait_for_waiters(1);
  theirs.reset();
  other.reset();
  waiter.join();
  EXPECT_TRUE(died);
  EXPECT_EQ(locks.size(), 2u);  // of these nobody has been told
  {
    auto all = locks.guard_all({"a", "b", "d"});
    EXPECT_TRUE(all.previous_owner_died());
    EXPECT_TRUE(locks.grant("a").previous_owner_died);
    EXPECT_FALSE(locks.grant("b").previous_owner_died);
  }
  EXPECT_FALSE(locks.guard("a").previous_owner_died());
  EXPECT_TRUE(locks.guard("c").previous_owner_died());
  EXPECT_EQ(locks.size(), 0u);
}

TEST_P(LocksContract, WhoGivesUpDoesNotHideADeath) {
  auto locks = manager().locks<int>("l");
  {
    const Manager other = connect();
    other.locks<int>("l").lock_all({1, 2, 3});
  }
  eventually([&] { return !locks.locked(1); }, "the locks of the session that ended to be free");
  locks.lock(0);
  elsewhere([&] { EXPECT_FALSE(locks.try_lock_all_for({0, 1, 2, 3}, 5ms)); });
  locks.unlock(0);
  EXPECT_TRUE(locks.guard_all({1}).previous_owner_died());
  EXPECT_TRUE(locks.guard_all({2, 1}).previous_owner_died());
  EXPECT_TRUE(locks.guard(3).previous_owner_died());
}

TEST_P(LocksContract, NothingIsKeptForFreeKeys) {
  auto locks = manager().locks<std::string>();
  const std::uint64_t before = memory_bytes(locks);
  std::vector<std::string> keys;
  for (int i = 0; i < 20'000; ++i)
    keys.push_back("a key that is longer than fits into a value " + std::to_string(i));
  locks.lock_all(keys);
  EXPECT_EQ(locks.size(), 20'000u);
  EXPECT_GT(memory_bytes(locks), 20'000u * 50);
  locks.unlock_all(keys);
  EXPECT_EQ(locks.size(), 0u);
  EXPECT_LT(memory_bytes(locks), before + 4'096);
  for (int i = 0; i < 100; ++i) locks.guard(keys[static_cast<std::size_t>(i)]).unlock();
  EXPECT_LT(memory_bytes(locks), before + 4'096);
}

TEST_P(LocksContract, RemovingThemEndsTheWait) {
  auto locks = manager().locks<int>("l");
  locks.lock(1);
  std::jthread waiter([&] { EXPECT_THROW(locks.lock(1), ObjectGone); });
  std::jthread of_several([&] { EXPECT_THROW(locks.lock_all({0, 1, 2}), ObjectGone); });
  wait_for_waiters(2);
  manager().remove("l");
}

}  // namespace
}  // namespace tandem::test
