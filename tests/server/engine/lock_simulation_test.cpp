// Threads of many sessions that lock, wait, notify, meet at barriers, give up and die, in an order that a seed decides.
// Nothing is owned twice, nobody waits who could be served, no cycle of endless waits stays; and when all are dead,
// nothing is owned or waited for any more.
//
// A failure names its seed; TANDEM_SEED=that runs it alone.

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "server/engine/deadlocks.hpp"
#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"
#include "tests/server/engine/seeds.hpp"

namespace tandem::test {
namespace {

using server::Owner;
using server::Ticket;

class LockSimulation {
 public:
  static constexpr std::uint64_t seeds = 400;
  static constexpr int steps = 500;

  explicit LockSimulation(std::uint64_t seed) : random_(seed) {
    lock_ = host_.make_named<ops::Lock>("lock");
    rlock_ = host_.make_named<ops::RLock>("rlock");
    shared_ = host_.make_named<ops::SharedLock>("shared");
    locks_ = host_.make_named<ops::Locks>("locks");
    condition_ = host_.make_named<ops::Condition>("condition");
    semaphore_ = host_.make_named<ops::Semaphore>("semaphore", 2);
    barrier_ = host_.make_named<ops::Barrier>("barrier", 3);
  }

  void run() {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      one_step();
      check();
    }
    for (SessionId session : sessions_) {
      end(session);
      check();
    }
    EXPECT_EQ(host_.engine().waits().size(), 0u);
    each_object([](const server::Object& object) {
      object.each_holding([&](const server::Holding& holding) {
        ADD_FAILURE() << object.name() << " is owned by session " << holding.owner.session
                      << ", which is gone";
      });
    });
    expect_all_are_free();
    expect_consistent(host_.engine());
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void one_step() {
    now_ns_ += below(2'000);
    if (sessions_.size() < 2 || (sessions_.size() < 5 && below(20) == 0)) {
      host_.open(next_session_);
      sessions_.insert(next_session_++);
      return;
    }
    auto at = sessions_.begin();
    std::advance(at, below(sessions_.size()));
    const SessionId session = *at;
    switch (below(40)) {
      case 0: sessions_.erase(at); return end(session);
      case 1:
      case 2: host_.engine().step(server::Tick{now_ns_}); return deliver();
      case 3:
        host_.engine().step(server::Cancel{below(host_.engine().waits().next_ticket())});
        return deliver();
      default: break;
    }
    const Owner who{session, static_cast<std::uint32_t>(1 + below(3))};
    for (const auto& [ticket, other] : asleep_)
      if (other == who) return;  // a thread does one thing at a time
    act(who);
    deliver();
  }

  void end(SessionId session) {
    host_.close(session);
    deliver();  // maybe to threads of the dead themselves, whom another of them left alone at the barrier
    std::erase_if(asleep_, [&](const auto& one) { return one.second.session == session; });
  }

  void act(Owner who) {
    switch (below(22)) {
      case 0:
      case 1: return ask<ops::Lock::Acquire>(who, lock_, limit());
      case 2:
      case 3: return ask<ops::Lock::Release>(who, lock_);
      case 4: return ask<ops::RLock::Acquire>(who, rlock_, limit());
      case 5: return ask<ops::RLock::Release>(who, rlock_);
      case 6: return ask<ops::SharedLock::Acquire>(who, shared_, limit());
      case 7:
      case 8: return ask<ops::SharedLock::AcquireShared>(who, shared_, limit());
      case 9: return ask<ops::SharedLock::Release>(who, shared_);
      case 10:
      case 11: return ask<ops::SharedLock::ReleaseShared>(who, shared_);
      case 12: return ask<ops::Locks::Acquire>(who, locks_, pack(below(4)), limit());
      case 13: return ask<ops::Locks::AcquireAll>(who, locks_, list(below(4), 4 + below(2)), limit());
      case 14:
      case 15: return ask<ops::Locks::Release>(who, locks_, pack(below(6)));
      case 16: return ask<ops::Condition::Acquire>(who, condition_, limit());
      case 17: return ask<ops::Condition::Wait>(who, condition_, limit());
      case 18: return ask<ops::Condition::Notify>(who, condition_, pack(1 + below(2)));
      case 19: return ask<ops::Condition::Release>(who, condition_);
      case 20:
        return below(2) == 0 ? ask<ops::Semaphore::Acquire>(who, semaphore_, pack(1 + below(2)), limit())
                             : ask<ops::Semaphore::Release>(who, semaphore_, pack(1));
      default:
        return below(8) == 0 ? ask<ops::Barrier::Reset>(who, barrier_)
                             : ask<ops::Barrier::Wait>(who, barrier_, limit());
    }
  }
  Packed limit() {
    switch (below(4)) {
      case 0: return pack(0);
      case 1: return pack(1 + below(50));
      default: return pack(nullptr);
    }
  }
  template <class Op, class... A>
  void ask(Owner who, ObjectId object, const A&... arguments) {
    const Packed packed = list(arguments...);
    wire::Buffer reply;
    const server::Outcome outcome = host_.engine().step(
        server::Call{who.session, who.actor, object, Op::description.number, packed.bytes(), 0, now_ns_},
        reply);
    if (outcome.parked != 0) asleep_[outcome.parked] = who;
    const std::set<Code> expected{Code::ok, Code::not_owner, Code::deadlock, Code::value_error,
                                  Code::broken_barrier};
    EXPECT_EQ(expected.count(outcome.code), 1u)
        << name_of(outcome.code) << ' ' << wire::as_text(reply.view());
  }
  void deliver() {
    server::Deliveries taken;
    host_.engine().take_deliveries(taken);
    for (const auto& one : taken.all())
      EXPECT_EQ(asleep_.erase(one.ticket), 1u) << "nobody waits with this ticket";
  }

  template <class F>
  void each_object(F f) {
    host_.engine().registry().each(ops::Manager::id,
                                   [&](const server::Object& object) { return f(object), true; });
  }
  void check() {
    each_object([](const server::Object& object) {
      std::set<std::string> exclusive;
      std::size_t shared = 0;
      std::size_t all = 0;
      object.each_holding([&](const server::Holding& holding) {
        ++all;
        if (holding.mode == "shared") ++shared;
        if (holding.mode != "exclusive") return;
        const bool first = exclusive.insert(std::string(wire::as_text(holding.key.bytes))).second;
        EXPECT_TRUE(first) << object.name() << " is owned twice";
      });
      if (object.type().number == ops::SharedLock::number && shared != 0) {
        EXPECT_TRUE(exclusive.empty()) << "read while it is written";
      }
      const bool plain = object.type().number == ops::Lock::number ||
                         object.type().number == ops::RLock::number ||
                         object.type().number == ops::SharedLock::number;
      if (plain && all == 0) {
        EXPECT_EQ(object.waiters(), 0u) << object.name() << " is free, and waited for";
      }
    });
    EXPECT_EQ(host_.engine().waits().size(), asleep_.size());
    for (const server::WaitCycle& cycle : host_.engine().deadlocks())
      EXPECT_FALSE(cycle.for_ever()) << "a cycle of endless waits";
  }
  void expect_all_are_free() {
    host_.as(1);
    for (ObjectId object : {lock_, rlock_, shared_}) {
      const Reply got = host_.call<ops::Lock::Acquire>(object, 0);
      EXPECT_EQ(got.code, Code::ok);
      EXPECT_NE(got.value, list(0, false)) << "object " << object << " cannot be locked";
    }
    EXPECT_NE((host_.call<ops::Condition::Acquire>(condition_, 0)).value, list(0, false));
    EXPECT_EQ((host_.call<ops::Semaphore::Value>(semaphore_)), gives(2));
    EXPECT_EQ((host_.call<ops::Barrier::Waiting>(barrier_)), gives(0));
    for (int key = 0; key < 6; ++key)
      EXPECT_NE((host_.call<ops::Locks::Acquire>(locks_, key, 0)).value, list(0, false));
  }

  std::mt19937_64 random_;
  Host host_;
  ObjectId lock_, rlock_, shared_, locks_, condition_, semaphore_, barrier_;
  std::set<SessionId> sessions_;
  SessionId next_session_ = 2;
  std::uint64_t now_ns_ = 1;
  std::map<Ticket, Owner> asleep_;
};

TEST(LockSimulation, NothingIsOwnedTwiceAndNothingStaysOwned) {
  for_each_seed(LockSimulation::seeds, [](std::uint64_t seed) { LockSimulation(seed).run(); });
}

}  // namespace
}  // namespace tandem::test
