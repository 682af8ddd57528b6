// Semaphores, barriers and latches, where the sessions of those who wait or hold end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"

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
    held.push_back(std::string(one.mode) + ' ' + std::to_string(one.owner.session) + ' ' +
                   std::to_string(one.count));
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
    return host.engine()
        .step(server::Call{1, actor, semaphore, op.number, list(permits).bytes()}, reply)
        .code;
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

// ---- keyed locks ------------------------------------------------------------------------------------------

constexpr int keys_at_once = 10'000;
constexpr int all_keys = 1'000'000;

class MillionKeysTest : public SynchronisationTest {
 protected:
  MillionKeysTest() : locks(host.make_named<ops::Locks>("locks")), bytes_before(bytes()) {}

  /// Calls Op for all keys, so many in each request.
  template <class Op>
  void for_all_keys() {
    for (int first = 0; first < all_keys; first += keys_at_once) {
      const Packed keys = packed_by([&](wire::Writer& to) {
        to.array(keys_at_once);
        for (int key = first; key < first + keys_at_once; ++key) to.integer(key);
      });
      ASSERT_EQ((host.call<Op>(locks, keys).code), Code::ok);
    }
  }
  std::uint64_t bytes() { return host.engine().registry().find(locks)->memory_bytes(); }
  Reply size() { return host.call<ops::Locks::Size>(locks); }
  void expect_nothing_kept() {
    EXPECT_EQ(size(), gives(0));
    EXPECT_LT(bytes(), bytes_before + 4'096);
    EXPECT_EQ(host.engine().state().tokens.living(), 0u);
  }

  const ObjectId locks;
  const std::uint64_t bytes_before;
};

TEST_F(MillionKeysTest, AreKeptOnlyWhileTheyAreHeld) {
  for_all_keys<ops::Locks::AcquireAll>();
  EXPECT_EQ(size(), gives(all_keys));
  EXPECT_LT((bytes() - bytes_before) / all_keys, 300u);
  EXPECT_EQ(host.call<ops::Locks::Locked>(locks, all_keys - 1), gives(true));
  EXPECT_EQ(host.call<ops::Locks::Locked>(locks, all_keys), gives(false));
  host.as(2).call<ops::Locks::Acquire>(locks, all_keys / 2);
  EXPECT_EQ(host.engine().waits().size(), 1u);
  host.as(1);
  for_all_keys<ops::Locks::ReleaseAll>();
  EXPECT_EQ(answers().size(), 1u);
  EXPECT_EQ(size(), gives(1));
  EXPECT_EQ(host.as(2).call<ops::Locks::Release>(locks, all_keys / 2), gives_nothing());
  expect_nothing_kept();
}

TEST_F(MillionKeysTest, OfASessionThatEndsAreFreeAtOnce) {
  host.as(2);
  for_all_keys<ops::Locks::AcquireAll>();
  host.as(3).call<ops::Locks::Acquire>(locks, 17);
  host.close(2);
  EXPECT_THAT(answers(), ElementsAre(HasSubstr("true]"))) << "the previous owner died";
  EXPECT_EQ(host.as(3).call<ops::Locks::Release>(locks, 17), gives_nothing());
  EXPECT_EQ(host.call<ops::Locks::Locked>(locks, 18), gives(false));
  EXPECT_EQ(size(), gives(Limits().orphaned_keys_max)) << "so many next owners are to be told";
  for_all_keys<ops::Locks::AcquireAll>();
  for_all_keys<ops::Locks::ReleaseAll>();
  expect_nothing_kept();
}

}  // namespace
}  // namespace tandem::test
