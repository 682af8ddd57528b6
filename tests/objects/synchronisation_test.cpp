// Semaphores, barriers and latches, where the sessions of those who wait or hold end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/consistency.hpp"
#include "tests/engine/host.hpp"

namespace tandem::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SynchronisationTest : public ::testing::Test {
 protected:
  SynchronisationTest() {
    host.open(2);
    host.open(3);
  }
  ~SynchronisationTest() override { expect_consistent(host.engine()); }

  std::vector<std::string> answers() {
    server::Deliveries taken;
    host.engine().take_deliveries(taken);
    std::vector<std::string> all;
    for (const auto& one : taken.all())
      all.push_back(std::string(name_of(one.code)) + ' ' +
                    nlohmann::json::from_msgpack(std::string(wire::as_text(taken.payload(one)))).dump());
    return all;
  }

  Host host;
};

TEST_F(SynchronisationTest, PermitsOfASessionThatEndsServeWhoWaits) {
  const ObjectId semaphore = host.make_named<ops::Semaphore>("slots", 3);
  host.as(2).call<ops::Semaphore::Acquire>(semaphore, 2);
  host.as(3).call<ops::Semaphore::Acquire>(semaphore, 3);
  host.as(1).call<ops::Semaphore::Acquire>(semaphore, 1);
  EXPECT_EQ(host.engine().waits().size(), 2u);
  std::vector<std::string> held;
  host.engine().registry().find(semaphore)->each_holding([&](const server::Holding& one) {
    held.push_back(std::string(one.how) + ' ' + std::to_string(one.who.session) + ' ' + std::to_string(one.count));
  });
  EXPECT_THAT(held, ElementsAre("permits 2 2"));
  host.close(2);
  EXPECT_THAT(answers(), ElementsAre("ok true")) << "the first in line has all three";
  EXPECT_EQ(host.as(3).call<ops::Semaphore::Held>(semaphore), gives(3));
  host.close(3);
  EXPECT_THAT(answers(), ElementsAre("ok true"));
  EXPECT_EQ(host.as(1).call<ops::Semaphore::Value>(semaphore), gives(2));
}

TEST_F(SynchronisationTest, WhoWaitsForPermitsAndEndsMakesWay) {
  const ObjectId semaphore = host.make_named<ops::Semaphore>("slots", 2);
  host.as(1).call<ops::Semaphore::Acquire>(semaphore, 1);
  host.as(2).call<ops::Semaphore::Acquire>(semaphore, 2);
  host.as(3).call<ops::Semaphore::Acquire>(semaphore, 1);
  EXPECT_THAT(answers(), IsEmpty());
  host.close(2);
  EXPECT_THAT(answers(), ElementsAre("ok true"));
  EXPECT_EQ(host.engine().waits().size(), 0u);
}

TEST_F(SynchronisationTest, PermitsOfAllThreadsOfASessionAreItsOwn) {
  const ObjectId semaphore = host.make<ops::Semaphore>(3);
  auto call = [&](std::uint32_t actor, const ops::OpDescription& op, int permits) {
    wire::Buffer reply;
    return host.engine().step(server::Call{1, actor, semaphore, op.number, list(permits).bytes()}, reply).code;
  };
  EXPECT_EQ(call(1, ops::Semaphore::Acquire::description, 1), Code::ok);
  EXPECT_EQ(call(2, ops::Semaphore::Acquire::description, 2), Code::ok);
  EXPECT_EQ(call(1, ops::Semaphore::Release::description, 4), Code::not_owner);
  EXPECT_EQ(call(1, ops::Semaphore::Release::description, 2), Code::ok);
  EXPECT_EQ(host.call<ops::Semaphore::Held>(semaphore), gives(1));
  EXPECT_EQ(call(1, ops::Semaphore::Release::description, 1), Code::ok);
  EXPECT_EQ(host.call<ops::Semaphore::Value>(semaphore), gives(3));
}

TEST_F(SynchronisationTest, ASessionThatEndsAtABarrierBreaksItForAll) {
  const ObjectId barrier = host.make_named<ops::Barrier>("meeting", 4);
  for (SessionId session : {2, 3, 1}) host.as(session).call<ops::Barrier::Wait>(barrier);
  EXPECT_EQ(host.engine().waits().size(), 3u);
  host.close(2);
  EXPECT_THAT(answers(), ElementsAre(HasSubstr("session 2 ended"), HasSubstr("session 2 ended")));
  const Reply later = host.as(1).call<ops::Barrier::Wait>(barrier);
  EXPECT_EQ(later.code, Code::broken_barrier);
  EXPECT_THAT(later.text(), HasSubstr("session 2 ended while it waited"));
  EXPECT_EQ(host.call<ops::Barrier::Reset>(barrier), gives_nothing());
  EXPECT_EQ(host.call<ops::Barrier::IsBroken>(barrier), gives(false));
}

TEST_F(SynchronisationTest, AllThreadsOfASessionThatEndsLeaveABarrier) {
  const ObjectId barrier = host.make_named<ops::Barrier>("meeting", 4);
  host.as(2).call<ops::Barrier::Wait>(barrier);
  host.as(2).call<ops::Barrier::Wait>(barrier);
  host.close(2);
  EXPECT_EQ(host.engine().waits().size(), 0u);
  EXPECT_EQ(host.as(1).call<ops::Barrier::IsBroken>(barrier), gives(true));
}

TEST_F(SynchronisationTest, ASessionThatEndsAtALatchIsMissedByNobody) {
  const ObjectId latch = host.make_named<ops::Latch>("start", 2);
  host.as(2).call<ops::Latch::ArriveAndWait>(latch);
  host.as(3).call<ops::Latch::Wait>(latch);
  host.close(2);
  EXPECT_THAT(answers(), IsEmpty());
  EXPECT_EQ(host.as(1).call<ops::Latch::CountDown>(latch), gives_nothing());
  EXPECT_THAT(answers(), ElementsAre("ok true"));
}

}  // namespace
}  // namespace tandem::test
