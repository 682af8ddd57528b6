// Queues, where the sessions of those who wait or hold leases end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/values/semantics.hpp"
#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"

namespace tandem::test {
namespace {

using Do = ops::QueueOperations;

class QueueTest : public ::testing::Test {
 protected:
  QueueTest() {
    host.open(2);
    host.open(3);
  }
  ~QueueTest() override { expect_consistent(host.engine()); }

  /// What has been answered since the last time, as texts: "ok [1]".
  std::vector<std::string> answers() {
    server::Deliveries taken;
    host.engine().take_deliveries(taken);
    std::vector<std::string> all;
    for (const auto& one : taken.all())
      all.push_back(std::string(name_of(one.code)) + ' ' +
                    nlohmann::json::from_msgpack(std::string(wire::as_text(taken.payload(one)))).dump());
    return all;
  }
  template <class Op, class... T>
  void parks(SessionId session, ObjectId object, const T&... arguments) {
    const std::size_t before = host.engine().waits().size();
    EXPECT_EQ((host.as(session).call<Op>(object, arguments...)), (Reply{Code::ok, {}}));
    EXPECT_EQ(host.engine().waits().size(), before + 1);
  }

  Host host;
};

using Answers = std::vector<std::string>;

TEST_F(QueueTest, AGetIsAnsweredInTheStepOfThePut) {
  const ObjectId queue = host.make<ops::Queue>();
  parks<Do::Get>(2, queue);
  host.as(1).call<Do::Put>(queue, 7);
  EXPECT_EQ(answers(), (Answers{"ok [7]"}));
}

TEST_F(QueueTest, AGetterWhoseSessionEndsGetsNothing) {
  const ObjectId queue = host.make_named<ops::Queue>("queue");
  parks<Do::Get>(2, queue);
  parks<Do::GetLeased>(2, queue, 5);
  parks<Do::Get>(3, queue);
  host.close(2);
  host.as(1).call<Do::Put>(queue, 7);
  EXPECT_EQ(answers(), (Answers{"ok [7]"}));
  EXPECT_EQ(host.as(1).call<Do::Size>(queue), gives(0));
}

TEST_F(QueueTest, APutterWhoseSessionEndsPutsNothing) {
  const ObjectId queue = host.make_named<ops::Queue>("queue", 1);
  const std::uint64_t before = host.memory_bytes();
  host.as(1).call<Do::Put>(queue, 0);
  parks<Do::PutMany>(2, queue, list(1, std::string(1000, 'x')));
  parks<Do::Put>(3, queue, 2);
  EXPECT_GT(host.memory_bytes(), before + 1000);
  host.close(2);
  EXPECT_EQ(host.as(1).call<Do::Get>(queue), gives(list(0)));
  EXPECT_EQ(answers(), (Answers{"ok true"}));
  EXPECT_EQ(host.as(1).call<Do::Get>(queue), gives(list(2)));
  EXPECT_EQ(host.memory_bytes(), before);
}

TEST_F(QueueTest, LeasesOfASessionThatEndsServeWhoWaits) {
  const ObjectId queue = host.make_named<ops::Queue>("queue");
  host.as(1).call<Do::PutMany>(queue, list(1, 2, 3));
  host.as(2).call<Do::GetLeased>(queue, 3);
  parks<Do::GetLeased>(3, queue, 2);
  parks<Do::Join>(1, queue);
  host.close(2);
  EXPECT_EQ(answers(), (Answers{"ok [[4,2,1],[5,2,2]]"})) << "in the old order, for the second time";
  host.as(3).call<Do::Done>(queue, list(4, 5));
  EXPECT_EQ(host.as(3).call<Do::GetLeased>(queue, 2), gives(list(list(6, 2, 3))));
  host.as(3).call<Do::Done>(queue, list(6));
  EXPECT_EQ(answers(), (Answers{"ok true"}));
}

TEST_F(QueueTest, LeasesEndAllOrNone) {
  const ObjectId queue = host.make<ops::Queue>();
  host.call<Do::PutMany>(queue, list(1, 2));
  host.call<Do::GetLeased>(queue, 2);
  EXPECT_EQ(host.call<Do::Done>(queue, list(1, 9)), fails(Code::not_owner));
  EXPECT_EQ(host.call<Do::Done>(queue, list(1, 2, 1)), fails(Code::value_error));
  EXPECT_EQ(host.call<Do::GiveBack>(queue, list("1")), fails(Code::type_error));
  EXPECT_EQ(host.as(2).call<Do::Done>(queue, list(1)), fails(Code::not_owner));
  EXPECT_EQ(host.as(1).call<Do::Leased>(queue), gives(2));
  EXPECT_EQ(host.call<Do::Done>(queue, list()), gives_nothing());
}

TEST_F(QueueTest, WhatAClosedQueueHadOnLeaseIsGivenOutAgain) {
  const ObjectId queue = host.make_named<ops::Queue>("queue");
  host.as(1).call<Do::Put>(queue, 1);
  host.as(2).call<Do::GetLeased>(queue, 1);
  host.as(1).call<Do::Close>(queue);
  parks<Do::Get>(3, queue);
  parks<Do::Get>(1, queue);
  EXPECT_EQ(answers(), Answers());
  host.close(2);
  EXPECT_EQ(answers(), (Answers{"ok [1]", R"(closed "queue \"queue\": the queue is closed")"}));
}

TEST_F(QueueTest, NothingComesBackToAQueueThatWasClosedAtOnce) {
  const ObjectId queue = host.make_named<ops::Queue>("queue");
  host.as(1).call<Do::PutMany>(queue, list(1, 2));
  host.as(2).call<Do::GetLeased>(queue, 2);
  parks<Do::Join>(1, queue);
  host.as(2).call<Do::GiveBack>(queue, list(1));
  host.as(1).call<Do::Close>(queue, true);
  EXPECT_EQ(answers(), Answers());
  EXPECT_EQ(host.as(3).call<Do::Get>(queue), fails(Code::closed));
  host.close(2);
  EXPECT_EQ(answers(), (Answers{"ok true"}));
  EXPECT_EQ(host.as(1).call<Do::Size>(queue), gives(0));
}

/// Items given back one by one between thousands of others, in an order that is none.
TEST_F(QueueTest, ItemsGivenBackStandWhereTheyStood) {
  constexpr int count = 20'000;
  for (const bool newest_first : {false, true}) {
    const ObjectId queue = newest_first ? host.make<ops::LifoQueue>() : host.make<ops::Queue>();
    for (int i = 0; i < count; ++i) host.call<Do::Put>(queue, i);
    std::vector<int> leases;
    while (host.call<Do::Size>(queue) != gives(0)) {
      const Reply reply = host.call<Do::GetLeased>(queue, 10'000);
      for (const auto& lease : nlohmann::json::from_msgpack(reply.value.encoded)) leases.push_back(lease[0]);
    }
    ASSERT_EQ(leases.size(), count);
    for (int i = 0; i < count; ++i)  // 7919 has no divisor in common with their number
      EXPECT_EQ((host.call<Do::GiveBack>(queue, list(leases[static_cast<std::size_t>(i) * 7'919 % count]))),
                gives_nothing());
    const Reply page = host.call<Do::Page>(queue, 5'000, 3);
    EXPECT_EQ(page, newest_first ? gives(list(5'003, list(count - 5'001, count - 5'002, count - 5'003)))
                                 : gives(list(5'003, list(5'000, 5'001, 5'002))));
    for (int i = 0; i < count; ++i)
      ASSERT_EQ((host.call<Do::Get>(queue)), gives(list(newest_first ? count - 1 - i : i)));
    host.release(queue);
  }
}

TEST_F(QueueTest, ALargeOneGoesPieceByPiece) {
  const ObjectId value = host.make<ops::Value>(0);
  for (const int kind : {0, 1, 2}) {
    const std::uint64_t before = host.memory_bytes();
    const ObjectId queue = kind == 2 ? host.make<ops::PriorityQueue>() : host.make<ops::Queue>();
    for (int i = 0; i < 20'000; ++i)
      host.call<Do::Put>(queue,
                         kind == 2 ? list(i, std::string(30, 'x')) : reference(ops::Value::number, value));
    if (kind == 1) host.call<Do::Close>(queue, true);
    host.release(queue);
    int steps = 0;
    for (; !host.engine().registry().is_clean(); ++steps) host.engine().step(server::Tick{});
    EXPECT_GE(steps, 3);
    EXPECT_EQ(host.memory_bytes(), before);
    EXPECT_EQ(host.references(value), 1u);
  }
}

TEST_F(QueueTest, ReferencesAreHeldByTheQueueTheLeaseAndThePutterWhoWaits) {
  const ObjectId queue = host.make_named<ops::Queue>("queue", 1);
  const ObjectId value = host.as(2).make<ops::Value>(0);
  const Packed item = reference(ops::Value::number, value);
  host.as(2).call<Do::Put>(queue, item);
  parks<Do::Put>(2, queue, item);
  EXPECT_EQ(host.references(value), 3u);
  host.as(3).call<Do::GetLeased>(queue, 1);
  EXPECT_EQ(host.references(value), 4u) << "session 2, the lease, session 3, the queue";
  expect_consistent(host.engine());
  host.close(3);
  EXPECT_EQ(host.references(value), 3u);
  host.close(2);
  EXPECT_EQ(host.references(value), 2u);
  host.as(1).call<Do::Close>(queue, true);
  EXPECT_FALSE(host.exists(value));
}

TEST_F(QueueTest, AnItemThatNoReplyHasRoomForIsNotLetIn) {
  Limits limits;
  limits.outbox_bytes_max = 10'000;
  Host small(limits);
  const ObjectId queue = small.make<ops::Queue>();
  EXPECT_EQ(small.call<Do::Put>(queue, std::string(10'000, 'x')), fails(Code::resource_exhausted));
  EXPECT_EQ(small.call<Do::PutMany>(queue, list(1, std::string(10'000, 'x'))),
            fails(Code::resource_exhausted));
  EXPECT_EQ(small.call<Do::Size>(queue), gives(0));
  for (int i = 0; i < 3; ++i) small.call<Do::Put>(queue, std::string(4'000, 'x'));
  EXPECT_EQ(small.call<Do::GetMany>(queue, 3), gives(list(std::string(4'000, 'x'))));
}

TEST_F(QueueTest, AnItemOfABatchThatCannotBeComparedWhenItsTimeComes) {
  const ObjectId queue = host.make<ops::PriorityQueue>(2);
  parks<Do::PutMany>(2, queue, list(1, 2, std::string(100, 't'), 3));
  EXPECT_EQ(host.as(1).call<Do::Get>(queue), gives(list(1)));
  const Answers told = answers();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0], ::testing::StartsWith("type_error"));
  EXPECT_THAT(told[0], ::testing::HasSubstr("the 2 items before it were put"));
  EXPECT_EQ(host.call<Do::Get>(queue), gives(list(2)));
  EXPECT_EQ(host.call<Do::Size>(queue), gives(0));
  EXPECT_EQ(host.engine().registry().find(queue)->memory_bytes(), 0u);
}

TEST_F(QueueTest, AnItemGivenBackThatCannotBeComparedIsNotLost) {
  const ObjectId queue = host.make<ops::PriorityQueue>();
  host.call<Do::Put>(queue, list(1, "a"));
  host.call<Do::GetLeased>(queue, 1);
  host.call<Do::PutMany>(queue, list(list(1, 2), list(0, 0)));
  EXPECT_EQ(host.call<Do::GiveBack>(queue, list(1)), gives_nothing());
  EXPECT_EQ(host.call<Do::Get>(queue), gives(list(list(0, 0))));
  EXPECT_EQ(host.call<Do::Get>(queue), gives(list(list(1, "a"))))
      << "the older one of two that count as equal";
  EXPECT_EQ(host.call<Do::Get>(queue), gives(list(list(1, 2))));
}

TEST_F(QueueTest, ShowsItsItemsInTheOrderInWhichTheyCome) {
  const ObjectId queue = host.make<ops::LifoQueue>();
  host.call<Do::PutMany>(queue, list(1, 2, 3));
  EXPECT_EQ(host.call<Do::Page>(queue, 0, 2), gives(list(2, list(3, 2))));
  EXPECT_EQ(host.call<Do::Page>(queue, 2, 2), gives(list(-1, list(1))));
  EXPECT_EQ(host.call<Do::Page>(queue, 9, 2), gives(list(-1, list())));
  EXPECT_EQ(host.call<Do::Page>(queue, -1, 2), fails(Code::value_error));
  const server::Object* object = host.engine().registry().find(queue);
  std::vector<std::string> shown;
  auto next = object->visit_elements(1, [&](server::ValueView, server::ValueView item) {
    shown.push_back(server::describe(item));
    return false;
  });
  EXPECT_EQ(shown, (std::vector<std::string>{"2"}));
  EXPECT_EQ(next, 2u);
}

TEST_F(QueueTest, TellsWhoHoldsLeases) {
  const ObjectId queue = host.make<ops::Queue>();
  host.as(1).call<Do::PutMany>(queue, list(1, 2, 3));
  host.as(2).call<Do::GetLeased>(queue, 2);
  host.as(3).call<Do::GetLeased>(queue, 1);
  std::vector<std::pair<SessionId, std::uint64_t>> held;
  host.engine().registry().find(queue)->each_holding([&](const server::Holding& one) {
    EXPECT_EQ(one.mode, "leased");
    held.emplace_back(one.owner.session, one.count);
  });
  EXPECT_EQ(held, (std::vector<std::pair<SessionId, std::uint64_t>>{{2, 2}, {3, 1}}));
}

}  // namespace
}  // namespace tandem::test
