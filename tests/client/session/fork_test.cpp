// What becomes of connections and proxies at a fork.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <thread>

#include "client/session/session.hpp"
#include "tandem/manager.hpp"
#include "tandem/ops/list.hpp"
#include "tests/support/child.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fake_manager.hpp"

namespace tandem {
namespace {

using client::Call;
using client::RemoteObject;
using client::Session;
using test::Child;
using test::FakeChannel;
using test::FakeManager;
using test::SeenRequest;
using test::Signal;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// ---- channels, as a manager sees them -------------------------------------------------------------------

class ForkedConnectionTest : public ::testing::Test {
 protected:
  void connect(FakeManager::Behaviour behaviour) {
    manager_.emplace(std::move(behaviour));
    session_ = Session::open(manager_->connector(), {});
    manager_object_ = std::make_shared<RemoteObject>(
        session_, wire::Reference{ops::Manager::number, ops::Manager::id}, false);
  }
  void connect() {
    connect([](FakeChannel& channel, const SeenRequest& request) { channel.reply_integer(request, 42); });
  }
  std::shared_ptr<RemoteObject> hold(std::uint64_t id = 17) {
    return std::make_shared<RemoteObject>(session_, wire::Reference{ops::List::number, id}, true);
  }
  std::int64_t ask() {
    Call call(*manager_object_, ops::Manager::Ping::description, 0);
    std::int64_t value = 0;
    EXPECT_TRUE(call.send().reader.int64(value));
    return value;
  }

  std::optional<FakeManager> manager_;
  client::SessionPtr session_;
  std::shared_ptr<RemoteObject> manager_object_;
};

TEST_F(ForkedConnectionTest, ChildInheritsTheSessionOnAChannelOfItsOwn) {
  connect();
  auto held = hold();
  ask();
  Child child([&] {
    EXPECT_EQ(ask(), 42);
    EXPECT_EQ(session_->id(), 2u);
  });
  pid_t pid = child.pid();
  ASSERT_EQ(child.join(), 0);
  EXPECT_EQ(ask(), 42);
  EXPECT_EQ(session_->id(), 1u);

  auto opened = manager_->opened();
  ASSERT_EQ(opened.size(), 2u);
  EXPECT_EQ(opened[1].purpose, wire::Purpose::inherit);
  EXPECT_EQ(opened[1].session, 1u);
  std::vector<std::size_t> channels;
  for (const SeenRequest& seen : manager_->requests()) channels.push_back(seen.channel);
  EXPECT_THAT(channels, ElementsAre(0u, 1u, 0u));
  EXPECT_THAT(manager_->identified(),
              ElementsAre(std::pair(std::size_t{1}, static_cast<std::uint32_t>(pid))));
  EXPECT_THAT(manager_->wait_for_closed_channels(1), ElementsAre(1u));
}

TEST_F(ForkedConnectionTest, WithoutReferencesNothingIsInherited) {
  connect();
  hold().reset();
  Child(
      [&] { EXPECT_THROW(ask(), ConnectionError); });  // a new session, which this manager has no way to give
  EXPECT_EQ(manager_->opened().size(), 1u);
  EXPECT_EQ(ask(), 42);
}

TEST_F(ForkedConnectionTest, ParentAndChildEachGiveTheirReferenceBack) {
  connect();
  auto held = hold();
  Child child([&] { held.reset(); });
  ASSERT_EQ(child.join(), 0);
  manager_->wait_for_requests(1);
  held.reset();
  auto seen = manager_->wait_for_requests(2);
  EXPECT_EQ(seen[0].channel, 1u);
  EXPECT_EQ(seen[1].channel, 0u);
  EXPECT_EQ(seen[0].payload, seen[1].payload);
}

TEST_F(ForkedConnectionTest, AChildThatUsesNothingLeavesNothing) {
  connect();
  auto held = hold();
  Child([] {}).join();
  EXPECT_THAT(manager_->wait_for_closed_channels(1), ElementsAre(1u));
  EXPECT_THAT(manager_->identified(), IsEmpty());
  EXPECT_EQ(ask(), 42);
}

/// A way to a manager that opens one session, and then does not answer any more.
class SilentConnector final : public client::Connector {
 public:
  using Limits = std::vector<std::chrono::milliseconds>;
  SilentConnector(std::unique_ptr<Connector> first, Limits& asked)
      : first_(std::move(first)), asked_(asked) {}
  client::Opened open(const client::OpenRequest& request, std::chrono::milliseconds timeout) override {
    if (request.purpose != wire::Purpose::inherit) return first_->open(request, timeout);
    asked_.push_back(timeout);
    std::this_thread::sleep_for(timeout);
    throw Timeout("no answer");
  }
  std::string address() const override { return first_->address(); }

 private:
  std::unique_ptr<Connector> first_;
  Limits& asked_;
};

TEST_F(ForkedConnectionTest, ManagersThatDoNotAnswerDelayItOnceAndNotOnceEach) {
  connect();
  const std::chrono::milliseconds limit(600);
  const std::chrono::milliseconds brief(250);
  SilentConnector::Limits first_asked, second_asked;
  const auto make = [&](SilentConnector::Limits& asked) {
    return Session::open(std::make_unique<SilentConnector>(manager_->connector(), asked),
                         {.connect_timeout = limit});
  };
  const client::SessionPtr first = make(first_asked);
  const client::SessionPtr second = make(second_asked);
  const RemoteObject held(first, wire::Reference{ops::List::number, 17}, true);
  const RemoteObject held_too(second, wire::Reference{ops::List::number, 18}, true);
  for (int i = 0; i < 2; ++i) Child([] {});
  // Whatever was before it takes time as well.
  ASSERT_EQ(first_asked.size(), 2u);
  EXPECT_LE(first_asked[0], limit);
  EXPECT_GT(first_asked[0], brief);
  EXPECT_EQ(first_asked[1], brief);
  EXPECT_THAT(second_asked, ElementsAre(brief, brief));
}

TEST_F(ForkedConnectionTest, CallUnderWayInAnotherThreadGetsItsReply) {
  std::promise<void> asked;
  std::promise<void> may_answer;
  connect([&, answer = may_answer.get_future().share()](FakeChannel& channel, const SeenRequest& request) {
    if (channel.number() == 0) {
      asked.set_value();
      answer.wait();
    }
    channel.reply_integer(request, static_cast<std::int64_t>(channel.number()));
  });
  auto held = hold();
  std::jthread other([&] { EXPECT_EQ(ask(), 0); });
  asked.get_future().wait();
  Child([&] { EXPECT_EQ(ask(), 1); });
  may_answer.set_value();
}

TEST_F(ForkedConnectionTest, ForkWhileACallIsPutTogether) {
  connect();
  auto held = hold();
  {
    Call call(*manager_object_, ops::Manager::Ping::description, 0);
    Child child([&] {
      EXPECT_EQ(ask(), 42);
      EXPECT_THROW(call.send(), ConnectionError);
      EXPECT_EQ(ask(), 42);
    });
    ASSERT_EQ(child.join(), 0);
    call.send();
  }
  EXPECT_EQ(ask(), 42);
}

TEST_F(ForkedConnectionTest, ForkGoesOnWhenTheManagerIsGone) {
  connect();
  auto held = hold();
  manager_->admit = [](const client::OpenRequest&) { throw ConnectionError("fake: nobody there"); };
  Child([&] {
    EXPECT_THROW(ask(), ConnectionError);
    held.reset();
  });
  EXPECT_EQ(ask(), 42);
}

TEST_F(ForkedConnectionTest, ForksAmongThreadsThatCall) {
  connect();
  auto held = hold();
  std::atomic<bool> enough{false};
  std::vector<std::jthread> callers;
  for (int i = 0; i < 3; ++i)
    callers.emplace_back([&] {
      while (!enough) {
        EXPECT_EQ(ask(), 42);
        hold(18).reset();
      }
    });
  for (int i = 0; i < 20; ++i) Child([&] { EXPECT_EQ(ask(), 42); });
  enough = true;
}

// ---- proxies, with a real manager -------------------------------------------------------------------------

/// The manager hears of a dropped proxy a moment later.
void wait_until_empty(const Manager& manager) {
  test::eventually([&] { return manager.objects().empty(); }, "all objects to go");
}

TEST(ForkedProxies, WhatTheParentDropsLivesOnForTheChild) {
  Manager manager;
  std::optional list = manager.list<int>({1, 2, 3});
  Signal dropped;
  {
    Child child([&] {
      dropped.wait();
      list->push_back(4);
      EXPECT_EQ(*list, (std::vector{1, 2, 3, 4}));
    });
    list.reset();
    test::eventually([&] { return manager.objects().at(0).references == 1; },
                     "the parent's reference to be given back");
    dropped.send();
  }
  wait_until_empty(manager);
}

TEST(ForkedProxies, AChildThatIsKilledLeavesNothingBehind) {
  Manager manager;
  std::optional list = manager.list<int>();
  Signal ready;
  Child child([&] {
    auto own = manager.dict();
    list->push_back(1);
    ready.send();
    pause();
  });
  ready.wait();
  list.reset();
  EXPECT_EQ(manager.objects().size(), 2u);
  child.kill();
  wait_until_empty(manager);
}

TEST(ForkedProxies, AChildOwnsNothingThatItsParentHolds) {
  Manager manager;
  const Lock lock = manager.lock();
  const RLock rlock = manager.rlock();
  const SharedLock writes = manager.shared_lock();
  const SharedLock reads = manager.shared_lock();
  const auto keys = manager.locks<std::string>();
  const Condition condition = manager.condition();
  const Semaphore semaphore = manager.semaphore(1);
  auto queue = manager.queue<int>();
  queue.put(7);
  lock.lock();
  rlock.lock();
  rlock.lock();
  writes.lock();
  reads.lock_shared();
  keys.lock("a");
  condition.lock();
  semaphore.acquire();
  auto lease = queue.get_leased();
  const auto try_to_give_back = [&] {
    EXPECT_THROW(lock.unlock(), NotOwner);
    EXPECT_THROW(rlock.unlock(), NotOwner);
    EXPECT_THROW(writes.unlock(), NotOwner);
    EXPECT_THROW(reads.unlock_shared(), NotOwner);
    EXPECT_THROW(keys.unlock("a"), NotOwner);
    EXPECT_THROW(condition.notify_all(), NotOwner);
    EXPECT_THROW(condition.unlock(), NotOwner);
    EXPECT_THROW(semaphore.release(), NotOwner);
    EXPECT_THROW(lease.done(), NotOwner);
  };
  const auto try_to_take = [&] {
    EXPECT_FALSE(lock.try_lock());
    EXPECT_FALSE(rlock.try_lock());
    EXPECT_FALSE(writes.try_lock_shared());
    EXPECT_FALSE(reads.try_lock());
    EXPECT_TRUE(reads.try_lock_shared()) << "as any other reader";
    EXPECT_FALSE(keys.try_lock("a"));
    EXPECT_FALSE(condition.try_lock());
    EXPECT_FALSE(semaphore.try_acquire());
    EXPECT_FALSE(queue.try_get());
  };
  Signal waits_to_be_killed;
  Child ends([&] {
    try_to_give_back();
    try_to_take();
  });
  Child dies([&] {
    try_to_give_back();
    try_to_take();
    waits_to_be_killed.send();
    lock.lock();
  });
  EXPECT_EQ(ends.join(), 0);
  waits_to_be_killed.wait();
  dies.kill();
  test::eventually([&] { return manager.information().at("sessions") == 1; },
                   "the children's sessions to end");

  std::jthread([&] {  // another thread, which owns nothing either
    EXPECT_FALSE(lock.try_lock());
    EXPECT_FALSE(rlock.try_lock());
    EXPECT_FALSE(writes.try_lock_shared());
    EXPECT_FALSE(reads.try_lock());
    EXPECT_FALSE(keys.try_lock("a"));
    EXPECT_FALSE(condition.try_lock());
    EXPECT_FALSE(semaphore.try_acquire());
    EXPECT_FALSE(queue.try_get());
  })
      .join();
  EXPECT_FALSE(lock.grant().previous_owner_died);
  lock.unlock();
  rlock.unlock();
  rlock.unlock();
  writes.unlock();
  reads.unlock_shared();
  keys.unlock("a");
  condition.unlock();
  semaphore.release();
  lease.done();
  EXPECT_EQ(queue.unfinished(), 0u);
  EXPECT_FALSE(lock.locked() || rlock.locked() || reads.locked() || condition.locked() || keys.locked("a"));
}

TEST(ForkedProxies, GrandchildrenInheritToo) {
  Manager manager;
  auto list = manager.list<int>();
  Child([&] {
    list.push_back(1);
    Child([&] {
      list.push_back(2);
      Child([&] { list.push_back(3); });
    });
    list.push_back(4);
  });
  list.push_back(5);
  EXPECT_EQ(list, (std::vector{1, 2, 3, 4, 5}));
}

TEST(ForkedProxies, ChildrenMayUseThreads) {
  Manager manager;
  auto counts = manager.dict<std::string, int>();
  Child([&] {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int n = 0; n < 50; ++n) counts["n"] += 1;
      });
  });
  EXPECT_EQ(counts.at("n"), 200);
}

TEST(ForkedProxies, ChildrenWithoutProxiesUseTheManager) {
  Manager manager;
  Child([&] { manager.dict<std::string, int>("shared")["from the child"] = 7; });
  EXPECT_EQ((manager.dict<std::string, int>("shared").at("from the child")), 7);
}

TEST(ForkedProxies, AChildDoesNotEndItsParentsManager) {
  std::optional<Manager> manager(std::in_place);
  auto list = manager->list<int>({1});
  Child([&] {
    list.push_back(2);
    manager->shutdown();
    manager.reset();
    list.push_back(3);
  });
  EXPECT_EQ(list, (std::vector{1, 2, 3}));
}

TEST(ForkedProxies, AChildMayHaveAManagerOfItsOwn) {
  Manager manager;
  auto list = manager.list<int>({1});
  Child([&] {
    Manager own;
    auto own_list = own.list<int>({9});
    EXPECT_NE(own.address(), manager.address());
    list.push_back(own_list.at(0));
  });
  EXPECT_EQ(list, (std::vector{1, 9}));
}

}  // namespace
}  // namespace tandem
