// One thread of a session ends: what it owned passes on and its waits end, while the session's other threads keep theirs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"

namespace tandem::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EndedThreadTest : public ::testing::Test {
 protected:
  EndedThreadTest() { host_.open(2); }
  ~EndedThreadTest() override { expect_consistent(host_.engine()); }

  /// A call by a thread of session 1.
  template <class Op, class... T>
  Reply call(std::uint32_t actor, ObjectId object, const T&... arguments) {
    wire::Buffer out;
    const server::Outcome outcome = host_.engine().step(
        server::Call{1, actor, object, Op::description.number, list(arguments...).bytes()}, out);
    return {outcome.code, {std::string(wire::as_text(out.view()))}};
  }
  void end(std::int64_t actor) {
    EXPECT_EQ(host_.as(1).call<ops::Manager::EndThread>(ops::Manager::id, actor), gives_nothing());
  }
  std::vector<std::string> answers() {
    server::Deliveries taken;
    host_.engine().take_deliveries(taken);
    std::vector<std::string> all;
    for (const auto& one : taken.all())
      all.push_back(std::string(name_of(one.code)) + ' ' +
                    nlohmann::json::from_msgpack(std::string(wire::as_text(taken.payload(one)))).dump());
    return all;
  }
  std::size_t owned() { return host_.engine().state().holdings.of({1, std::nullopt}).size(); }

  Host host_ = Host(limits());

 private:
  static Limits limits() {
    Limits made;
    made.orphaned_keys_max = 3;
    return made;
  }
};

TEST_F(EndedThreadTest, WhatItOwnsPassesOnAsAtASessionsEnd) {
  const ObjectId lock = host_.make<ops::Lock>();
  const ObjectId rlock = host_.make<ops::RLock>();
  const ObjectId shared = host_.make<ops::SharedLock>();
  const ObjectId locks = host_.make<ops::Locks>();
  for (int depth = 0; depth < 2; ++depth) call<ops::RLock::Acquire>(5, rlock);
  call<ops::Lock::Acquire>(5, lock);
  call<ops::SharedLock::AcquireShared>(5, shared);
  call<ops::SharedLock::AcquireShared>(6, shared);
  call<ops::Locks::AcquireAll>(5, locks, list("a", "b"));
  call<ops::Locks::Acquire>(6, locks, "c");
  EXPECT_EQ(owned(), 4u);
  call<ops::Lock::Acquire>(6, lock);
  call<ops::RLock::Acquire>(6, rlock);
  call<ops::SharedLock::Acquire>(7, shared);
  call<ops::Locks::Acquire>(6, locks, "b");
  EXPECT_THAT(answers(), IsEmpty());
  end(5);
  EXPECT_THAT(answers(), ElementsAre(HasSubstr("true]"), HasSubstr("true]"), HasSubstr("true]")));
  EXPECT_EQ(call<ops::Locks::Locked>(6, locks, "c"), gives(true));
  EXPECT_EQ(call<ops::Locks::Locked>(6, locks, "a"), gives(false));
  end(6);
  EXPECT_THAT(answers(), ElementsAre(HasSubstr("false]"))) << "the last reader let the writer in";
  EXPECT_EQ(owned(), 1u);
  end(7);
  EXPECT_EQ(owned(), 0u);
  EXPECT_EQ(host_.engine().state().tokens.living(), 0u);
}

TEST_F(EndedThreadTest, OfKeysWhoseOwnerEndedTheLatestAreKept) {
  const ObjectId locks = host_.make<ops::Locks>();
  for (int key = 0; key < 5; ++key) call<ops::Locks::Acquire>(10 + key, locks, key);
  for (int key = 0; key < 5; ++key) end(10 + key);
  EXPECT_EQ(call<ops::Locks::Size>(6, locks), gives(3));
  const auto previous_owner_died = [&](int key) {
    const Reply reply = call<ops::Locks::Acquire>(6, locks, key);
    return nlohmann::json::from_msgpack(std::string(wire::as_text(reply.value.bytes()))).at(1).get<bool>();
  };
  EXPECT_FALSE(previous_owner_died(0)) << "forgotten";
  EXPECT_TRUE(previous_owner_died(3)) << "a key from the middle";
  EXPECT_TRUE(previous_owner_died(4)) << "the newest";
  EXPECT_EQ(call<ops::Locks::Size>(6, locks), gives(4));
  for (int key = 5; key < 9; ++key) call<ops::Locks::Acquire>(10 + key, locks, key);
  for (int key = 5; key < 9; ++key) end(10 + key);
  EXPECT_EQ(call<ops::Locks::Size>(6, locks), gives(6));
  EXPECT_FALSE(previous_owner_died(2)) << "the oldest had to give way";
  for (const int key : {0, 2, 3, 4}) call<ops::Locks::Release>(6, locks, key);
  for (const int key : {6, 7, 8}) {
    EXPECT_TRUE(previous_owner_died(key));
    call<ops::Locks::Release>(6, locks, key);
  }
  EXPECT_EQ(call<ops::Locks::Size>(6, locks), gives(0));
}

TEST_F(EndedThreadTest, ItsWaitsEndAndOthersMoveUp) {
  const ObjectId lock = host_.make<ops::Lock>();
  const ObjectId queue = host_.make<ops::Queue>();
  call<ops::Lock::Acquire>(5, lock);
  call<ops::Lock::Acquire>(6, lock);
  call<ops::Queue::Get>(6, queue);
  call<ops::Lock::Acquire>(7, lock);
  call<ops::Queue::Get>(7, queue);
  call<ops::Manager::WaitForChange>(6, ops::Manager::id, reference(ops::Queue::number, queue), 0);
  end(6);
  EXPECT_THAT(answers(), ElementsAre("not_owner \"the thread that made this request has ended\"",
                                     HasSubstr("not_owner"), HasSubstr("not_owner")));
  call<ops::Queue::Put>(5, queue, 3);
  EXPECT_THAT(answers(), ElementsAre("ok [3]"));
  end(5);
  EXPECT_THAT(answers(), ElementsAre("ok [2,true]"));
  EXPECT_EQ(host_.engine().waits().size(), 0u);
}

TEST_F(EndedThreadTest, AWaiterOfACondition) {
  const ObjectId condition = host_.make<ops::Condition>();
  for (const std::uint32_t actor : {5, 6}) {
    call<ops::Condition::Acquire>(actor, condition);
    call<ops::Condition::Wait>(actor, condition);
  }
  call<ops::Condition::Acquire>(7, condition);
  EXPECT_EQ(call<ops::Condition::Notify>(7, condition), gives(1));
  end(5);  // notified, and waiting for the lock again: another one is notified in its place
  EXPECT_THAT(answers(), ElementsAre(HasSubstr("not_owner")));
  call<ops::Condition::Release>(7, condition);
  EXPECT_THAT(answers(), ElementsAre(HasSubstr("ok [true,")));
  end(6);
  EXPECT_EQ(owned(), 0u);
}

TEST_F(EndedThreadTest, PermitsLeasesAndPartsOfPoolsAreTheSessions) {
  const ObjectId semaphore = host_.make<ops::Semaphore>(2);
  const ObjectId queue = host_.make<ops::Queue>();
  const ObjectId pool = host_.make<ops::Pool>();
  call<ops::Semaphore::Acquire>(5, semaphore, 2);
  call<ops::Queue::Put>(5, queue, 3);
  call<ops::Queue::GetLeased>(5, queue, 1);
  EXPECT_EQ(call<ops::Pool::Enter>(5, pool), gives(1));
  end(5);
  EXPECT_EQ(owned(), 3u);
  EXPECT_EQ(call<ops::Semaphore::Release>(6, semaphore, 2), gives_nothing());
  EXPECT_EQ(call<ops::Queue::Done>(6, queue, list(1)), gives_nothing());
  EXPECT_EQ(call<ops::Pool::Exit>(6, pool, 1), gives_nothing());
  EXPECT_EQ(owned(), 0u);
}

TEST_F(EndedThreadTest, ATaskOfAWorkerIsTriedAgain) {
  const ObjectId pool = host_.make<ops::Pool>();
  call<ops::Pool::Enter>(1, pool);
  const int retries = 1;
  call<ops::Pool::Submit>(1, pool, 1, retries, list(list(0, 1, "work")));
  call<ops::Pool::Enlist>(5, pool);
  call<ops::Pool::Work>(5, pool, list());
  call<ops::Pool::Enlist>(6, pool);
  call<ops::Pool::Work>(6, pool, list());
  EXPECT_THAT(answers(), IsEmpty());
  end(5);
  EXPECT_THAT(answers(), ElementsAre(HasSubstr("work")));
}

TEST_F(EndedThreadTest, AnEndedOwnerIsInNoCycle) {
  const ObjectId a = host_.make<ops::Lock>();
  const ObjectId b = host_.make<ops::Lock>();
  call<ops::Lock::Acquire>(5, a);
  call<ops::Lock::Acquire>(6, b);
  call<ops::Lock::Acquire>(6, a);
  end(6);
  EXPECT_THAT(answers(), ElementsAre(HasSubstr("not_owner")));
  EXPECT_THAT(call<ops::Lock::Acquire>(5, b).code, Code::ok);
  EXPECT_THAT(host_.engine().take_deadlocks_found(), IsEmpty());
}

TEST_F(EndedThreadTest, OtherSessionsHaveOtherThreads) {
  const ObjectId lock = host_.make_named<ops::Lock>("lock");
  call<ops::Lock::Acquire>(1, lock);
  host_.as(2).call<ops::Manager::EndThread>(ops::Manager::id, 1);
  EXPECT_EQ(call<ops::Lock::Locked>(1, lock), gives(true));
  EXPECT_EQ(host_.as(2).call<ops::Manager::EndThread>(ops::Manager::id, -1).code, Code::value_error);
  EXPECT_EQ(host_.as(2).call<ops::Manager::EndThread>(ops::Manager::id, std::int64_t{1} << 32).code,
            Code::value_error);
}

TEST_F(EndedThreadTest, ManyThreadsThatOwnedSomethingLeaveNoMemory) {
  const ObjectId locks = host_.make<ops::Locks>();
  for (std::uint32_t actor = 1; actor <= 10'000; ++actor) {
    call<ops::Locks::Acquire>(actor, locks, actor);
    if (actor % 2 == 0) call<ops::Locks::Release>(actor, locks, actor);
    else end(actor);
  }
  EXPECT_EQ(owned(), 0u);
  EXPECT_EQ(call<ops::Locks::Size>(1, locks), gives(3)) << "those whose next owner will be told";
}

}  // namespace
}  // namespace tandem::test
