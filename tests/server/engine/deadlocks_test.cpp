// Finding cycles of waiters: which waits are refused, which are only told of, and what the list of them has.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/server/engine/host.hpp"

namespace tandem::test {
namespace {

using server::Ticket;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DeadlocksTest : public ::testing::Test {
 protected:
  DeadlocksTest() {
    for (SessionId session = 2; session < 10; ++session) host_.open(session);
  }

  /// Has `session` ask for a lock; none: for ever.
  template <class Op = ops::Lock::Acquire>
  void acquire(SessionId session, ObjectId lock, std::optional<int> limit_us = std::nullopt) {
    if (limit_us) host_.as(session).call<Op>(lock, *limit_us);
    else host_.as(session).call<Op>(lock, nullptr);
  }
  std::size_t waiters() { return host_.engine().waits().size(); }
  /// Codes of the replies that were given to those who had waited.
  std::vector<Code> delivered() {
    server::Deliveries taken;
    host_.engine().take_deliveries(taken);
    std::vector<Code> codes;
    for (const auto& one : taken.all()) codes.push_back(one.code);
    return codes;
  }
  std::vector<std::string> told() { return host_.engine().take_deadlocks_found(); }

  Host host_;
};

TEST_F(DeadlocksTest, WhoClosesOneIsRefused) {
  const ObjectId a = host_.make<ops::Lock>();
  const ObjectId b = host_.make<ops::Lock>();
  acquire(1, a);
  acquire(2, b);
  acquire(2, a);
  EXPECT_THAT(delivered(), IsEmpty());
  acquire(1, b);
  EXPECT_THAT(delivered(), ElementsAre(Code::deadlock));
  EXPECT_EQ(waiters(), 1u);
  EXPECT_THAT(told(), ElementsAre(HasSubstr("refused: session 1 thread 1 waits for lock")));
  EXPECT_THAT(host_.engine().deadlocks(), IsEmpty());
}

TEST_F(DeadlocksTest, ALongOneIsFoundByTheLast) {
  std::vector<ObjectId> locks;
  for (SessionId session = 1; session < 10; ++session) {
    locks.push_back(host_.as(session).make<ops::Lock>());
    acquire(session, locks.back());
  }
  for (SessionId session = 1; session < 9; ++session) acquire(session, locks[session]);
  EXPECT_THAT(told(), IsEmpty());
  acquire(9, locks[0]);
  EXPECT_THAT(delivered(), ElementsAre(Code::deadlock));
}

TEST_F(DeadlocksTest, OneWithATimeLimitIsToldAndListed) {
  const ObjectId a = host_.make<ops::Lock>();
  const ObjectId b = host_.make<ops::Lock>();
  acquire(1, a);
  acquire(2, b);
  acquire(2, a, 1'000);
  acquire(1, b);
  EXPECT_THAT(delivered(), IsEmpty());
  EXPECT_THAT(told(), ElementsAre(HasSubstr("has a time limit: session 1 thread 1 waits for")));
  ASSERT_THAT(host_.engine().deadlocks(), SizeIs(1));
  EXPECT_THAT(host_.engine().deadlocks()[0].links, SizeIs(2));
  EXPECT_FALSE(host_.engine().deadlocks()[0].for_ever());
  host_.engine().step(server::Tick{2'000'000});
  EXPECT_THAT(host_.engine().deadlocks(), IsEmpty());
}

TEST_F(DeadlocksTest, AnEndlessOneIsFoundBesideOneWithATimeLimit) {
  const ObjectId a = host_.make<ops::SharedLock>();
  const ObjectId b = host_.make<ops::Lock>();
  acquire<ops::SharedLock::AcquireShared>(2, a);
  acquire<ops::SharedLock::AcquireShared>(3, a);
  acquire(1, b);
  acquire(2, b, 1'000);
  acquire(3, b);
  EXPECT_THAT(told(), IsEmpty());
  acquire<ops::SharedLock::Acquire>(1, a);  // for 2, which gives up, and for 3, which does not
  EXPECT_THAT(delivered(), ElementsAre(Code::deadlock));
}

TEST_F(DeadlocksTest, AWriterThatWillGiveUpIsNoReasonToRefuseAReader) {
  const ObjectId lock = host_.make<ops::SharedLock>();
  acquire<ops::SharedLock::AcquireShared>(1, lock);
  acquire<ops::SharedLock::Acquire>(2, lock, 1'000);
  acquire<ops::SharedLock::AcquireShared>(1, lock);
  EXPECT_THAT(delivered(), IsEmpty());
  host_.engine().step(server::Tick{2'000'000});
  EXPECT_THAT(delivered(), ElementsAre(Code::ok, Code::ok));
  EXPECT_EQ(waiters(), 0u);
}

TEST_F(DeadlocksTest, WhoComesBackFromAConditionIsServedAndAnotherRefused) {
  const ObjectId kept = host_.make<ops::Lock>();
  const ObjectId lock = host_.make<ops::Lock>();
  const ObjectId condition = host_.make<ops::Condition>(reference(ops::Lock::number, lock));
  acquire(1, kept);
  acquire(1, lock);
  host_.as(1).call<ops::Condition::Wait>(condition, 1'000);
  acquire(2, lock);
  acquire(2, kept);
  EXPECT_THAT(told(), IsEmpty());
  host_.engine().step(server::Tick{2'000'000});  // now 1 wants the lock again, which 2 holds
  EXPECT_THAT(delivered(), ElementsAre(Code::deadlock));
  EXPECT_THAT(told(), ElementsAre(HasSubstr("refused: session 1")));
  EXPECT_EQ(waiters(), 1u);
  host_.as(2).call<ops::Lock::Release>(lock);
  EXPECT_THAT(delivered(), ElementsAre(Code::ok));
}

TEST_F(DeadlocksTest, TheEndOfASessionEndsItsDeadlock) {
  const ObjectId a = host_.make<ops::Lock>();
  const ObjectId b = host_.make<ops::Lock>();
  acquire(1, a);
  acquire(2, b, 0);
  acquire(2, a, 1'000);
  acquire(1, b, 1'000);
  EXPECT_THAT(host_.engine().deadlocks(), SizeIs(1));
  host_.close(2);
  EXPECT_THAT(delivered(), ElementsAre(Code::ok));
  EXPECT_THAT(host_.engine().deadlocks(), IsEmpty());
}

TEST_F(DeadlocksTest, ThoseApartAreListedApart) {
  for (SessionId session : {1, 3, 5}) {
    const ObjectId a = host_.as(session).make<ops::Lock>();
    const ObjectId b = host_.make<ops::Lock>();
    acquire(session, a);
    acquire(session + 1, b);
    acquire(session, b, 1'000);
    acquire(session + 1, a, 1'000);
  }
  acquire(7, host_.as(7).make<ops::Lock>());
  EXPECT_THAT(host_.engine().deadlocks(), SizeIs(3));
}

TEST_F(DeadlocksTest, TheOtherWaitsOfAnOwnerCostNothing) {
  // Going through the 30,000 waits for a lock in each of the 5,000 searches would take a minute.
  const ObjectId queue = host_.make<ops::Queue>();
  const ObjectId lock = host_.as(2).make<ops::Lock>();
  const ObjectId other = host_.as(4).make<ops::Lock>();
  acquire(2, lock);
  acquire(4, other);
  for (int i = 0; i < 30'000; ++i) {
    host_.as(2).call<ops::Queue::Get>(queue);
    acquire(2, other);
  }
  const std::size_t before = waiters();
  for (SessionId session = 10; session < 5'010; ++session) {
    host_.open(session);
    acquire(session, lock);
  }
  EXPECT_EQ(waiters(), before + 5'000);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(DeadlocksTest, OneThroughAReaderBehindAWriterIsFound) {
  // Session 3's writer waits for 2's reading, and 2 asks to read a lock that is blocked by 3's writer only.
  const ObjectId shared = host_.as(1).make<ops::SharedLock>();
  const ObjectId lock = host_.make<ops::Lock>();
  acquire<ops::SharedLock::AcquireShared>(1, shared);
  acquire(2, lock);
  acquire<ops::SharedLock::Acquire>(3, shared);
  acquire<ops::SharedLock::AcquireShared>(2, shared);
  EXPECT_THAT(told(), IsEmpty());
  acquire(3, lock);
  EXPECT_THAT(told(), ElementsAre(HasSubstr("refused: session 3 thread 1 waits for lock")));
}

// ---- the search for all of them, without an engine --------------------------------------------------------

server::WaitEdge edge(Ticket ticket, SessionId from, SessionId to) {
  return {ticket, {from, 1}, {to, 1}};
}

TEST(AllDeadlocks, AreFoundInTimeThatGrowsWithTheEdgesOnly) {
  constexpr SessionId count = 300'000;
  std::vector<server::WaitEdge> edges;
  for (SessionId i = 1; i < count; ++i) edges.push_back(edge(i, i, i + 1));
  EXPECT_THAT(server::find_cycles(edges), IsEmpty());
  edges.push_back(edge(count, count, 1));
  auto found = server::find_cycles(edges);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0], SizeIs(count));
  for (SessionId i = 1; i < count; ++i) edges.push_back(edge(count + i, i + 1, i));  // many more, of two each
  found = server::find_cycles(edges);
  EXPECT_GE(found.size(), 1u);
}

TEST(AllDeadlocks, HaveEveryWaiterThatIsInOne) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2'000; ++round) {
    const SessionId threads = 2 + random() % 7;
    std::vector<server::WaitEdge> edges;
    const std::size_t waiters = 1 + random() % 10;
    for (Ticket ticket = 1; ticket <= waiters; ++ticket) {
      const SessionId from = 1 + random() % threads;
      for (std::size_t blockers = 1 + random() % 2; blockers-- > 0;)
        edges.push_back(edge(ticket, from, 1 + random() % threads));
    }
    // Whether one thread can be reached from another.
    std::vector<std::vector<bool>> reaches(threads + 1, std::vector<bool>(threads + 1, false));
    for (SessionId i = 1; i <= threads; ++i) reaches[i][i] = true;
    for (SessionId i = 0; i < threads; ++i)
      for (const server::WaitEdge& one : edges)
        for (SessionId to = 1; to <= threads; ++to)
          if (reaches[one.blocker.session][to]) reaches[one.owner.session][to] = true;
    std::set<Ticket> wanted, listed;
    for (const server::WaitEdge& one : edges)
      if (reaches[one.blocker.session][one.owner.session]) wanted.insert(one.ticket);
    for (const auto& cycle : server::find_cycles(edges))
      for (std::size_t i = 0; i < cycle.size(); ++i) {
        EXPECT_EQ(cycle[i].blocker, cycle[(i + 1) % cycle.size()].owner);
        listed.insert(cycle[i].ticket);
      }
    EXPECT_EQ(listed, wanted);
  }
}

TEST(DeadlocksReported, AreToleratedWhereTheyAreNotRefused) {
  server::ServerInfo server_info = Host::server_info();
  server_info.refuse_deadlocks = false;
  Host host({}, server_info);
  host.open(2);
  const ObjectId a = host.make<ops::Lock>();
  const ObjectId b = host.make<ops::Lock>();
  host.as(1).call<ops::Lock::Acquire>(a);
  host.as(2).call<ops::Lock::Acquire>(b);
  host.as(1).call<ops::Lock::Acquire>(b);
  host.as(2).call<ops::Lock::Acquire>(a);
  EXPECT_EQ(host.engine().waits().size(), 2u);
  EXPECT_THAT(host.engine().take_deadlocks_found(),
              ElementsAre(HasSubstr("not refused: session 2 thread 1 waits for")));
  ASSERT_THAT(host.engine().deadlocks(), SizeIs(1));
  EXPECT_TRUE(host.engine().deadlocks()[0].for_ever());
  EXPECT_THAT(host.engine().describe(host.engine().deadlocks()[0]),
              HasSubstr("session 1 thread 1 waits for lock"));
}

}  // namespace
}  // namespace tandem::test
