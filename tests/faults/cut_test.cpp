// A connection over TCP is cut: at every byte of a conversation, and a thousand times. The manager keeps no journal.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tandem/server.hpp"
#include "tandem/tandem.hpp"
#include "tandem/wire/handshake.hpp"
#include "tests/support/cutting_relay.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/sanitized.hpp"

namespace tandem {
namespace {

using test::CuttingRelay;
using testing::ElementsAre;
using Direction = CuttingRelay::Direction;
using How = CuttingRelay::How;

class CutTest : public testing::TestWithParam<std::tuple<Direction, How>> {
 protected:
  CutTest() { server_.start(); }

  static ServerOptions options() {
    ServerOptions made{.listen = {"tcp://127.0.0.1:0"}, .authkey = "key", .log_level = LogLevel::off};
    made.limits.session_resume_ms = 86'400'000;  // however slow the machine is
    return made;
  }
  std::string address() const { return server_.addresses().front(); }
  static Manager attach(const CuttingRelay& relay) {
    return Manager(relay.address(), {.authkey = "key", .reconnect = std::chrono::hours(1)});
  }
  /// Every call of it shows whether one before it was carried out twice, or not at all.
  static void converse(const Manager& manager) {
    auto sums = manager.dict<std::string, int>();
    auto list = manager.list<int>();
    auto queue = manager.queue<int>();
    auto lock = manager.lock();
    EXPECT_EQ(sums.add("n", 1, 0), 1);
    list.push_back(1);
    queue.put(7);
    queue.put(8);
    EXPECT_EQ(queue.get(), 7);
    EXPECT_TRUE(lock.try_lock());
    EXPECT_EQ(sums.add("n", 1), 2);
    lock.unlock();
    EXPECT_THROW(lock.unlock(), NotOwner);
    manager.atomically([&](Transaction& tx) {
      auto inside = tx(sums);
      inside["n"] += 1;
      inside.insert_or_assign("m", inside.at("n"));
    });
    EXPECT_EQ(sums.at("m"), 3);
    {
      Pipeline pipeline = manager.pipeline();
      auto piped = pipeline(list);
      for (int i = 2; i < 5; ++i) piped.push_back(i);
      auto last = pipeline.call<ops::Queue::Get, std::optional<int>>(queue);
      EXPECT_EQ(last.get(), 8);
      pipeline.wait();
    }
    EXPECT_EQ(list.pop(0), 1);
    EXPECT_THAT(list.snapshot(), ElementsAre(2, 3, 4));
    {
      const auto copy = manager.list<int>({9});
      EXPECT_EQ(copy.size(), 1u);
    }
    EXPECT_EQ(queue.size(), 0u);
  }
  /// In the test's direction, the handshake included. A session that is not open yet cannot be resumed.
  static std::uint64_t bytes_of_handshake() {
    return std::get<Direction>(GetParam()) == Direction::to_manager ? wire::answer_bytes
                                                                    : wire::hello_bytes + wire::welcome_bytes;
  }
  std::uint64_t bytes_of_conversation() const {
    CuttingRelay relay(address(), {});
    const Manager manager = attach(relay);
    converse(manager);
    return relay.bytes(std::get<Direction>(GetParam()));
  }

  Server server_{options()};
};

TEST_P(CutTest, AtEveryByteOfAConversationNothingIsLostOrDoneTwice) {
  const auto [direction, how] = GetParam();
  const std::uint64_t end = bytes_of_conversation();
  ASSERT_GT(end, bytes_of_handshake() + 400);
  const std::uint64_t step = test::sanitized ? 11 : std::get<How>(GetParam()) == How::both_ends ? 1 : 3;
  std::uint64_t runs = 0, cuts = 0;
  for (std::uint64_t at = bytes_of_handshake() + 1; at < end && !HasFailure(); at += step, ++runs) {
    SCOPED_TRACE("cut after " + std::to_string(at) + " bytes");
    CuttingRelay relay(address(), {direction, at, how});
    const Manager manager = attach(relay);
    converse(manager);
    cuts += relay.has_cut() ? 1 : 0;
  }
  EXPECT_GT(cuts,
            runs / 10 * 9);  // the last bytes are of messages without a reply, and may still be on their way
  // Every client has gone in order, so nothing is left of them.
  Manager here = server_.connect();
  test::eventually([&] { return here.information().at("sessions") == 1 && here.objects().empty(); },
                   "the sessions to end");
}

std::string name_of_cut(const testing::TestParamInfo<std::tuple<Direction, How>>& info) {
  const auto [direction, how] = info.param;
  return std::string(direction == Direction::to_manager ? "ToManager" : "ToClient") +
         (how == How::both_ends     ? "BothEnds"
          : how == How::client_only ? "ClientOnly"
                                    : "ManagerOnly");
}

INSTANTIATE_TEST_SUITE_P(, CutTest,
                         testing::Combine(testing::Values(Direction::to_manager, Direction::to_client),
                                          testing::Values(How::both_ends, How::client_only,
                                                          How::manager_only)),
                         name_of_cut);

class ManyCutsTest : public CutTest {};
INSTANTIATE_TEST_SUITE_P(, ManyCutsTest, testing::Values(std::tuple(Direction::to_manager, How::both_ends)),
                         name_of_cut);

TEST_P(ManyCutsTest, AThousandTimesUnderThreadsThatCount) {
  constexpr int cuts = 1'000;
  constexpr int threads = 4;
  CuttingRelay relay(address(), {});
  const Manager manager = attach(relay);
  auto counts = manager.dict<int, std::int64_t>("counts");
  std::atomic<int> reconnections{0};
  manager.on_reconnect([&](const Reconnection& one) {
    EXPECT_FALSE(one.restarted);
    ++reconnections;
  });
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> calls{0};
  std::array<std::int64_t, threads> counted{};
  std::vector<std::thread> counters;
  for (int who = 0; who < threads; ++who)
    counters.emplace_back([&, who] {
      for (; !stop; ++counted[who], ++calls) counts[who] += 1;
    });
  for (int i = 0; i < cuts; ++i) {
    const std::int64_t before = calls;
    test::eventually([&] { return calls > before; }, "a call to succeed");
    relay.cut_all();
  }
  stop = true;
  for (std::thread& counter : counters) counter.join();
  for (int who = 0; who < threads; ++who) EXPECT_EQ(counts.get(who, 0), counted[who]);
  EXPECT_GE(reconnections, cuts);
}

}  // namespace
}  // namespace tandem
