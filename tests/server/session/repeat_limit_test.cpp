// What clients cause over and over is logged a few times, and then counted.
#include "server/session/repeat_limit.hpp"

#include "tests/server/session/fixture.hpp"

namespace tandem::server {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t minute = RepeatLimit::window_ns;

TEST(RepeatLimits, AFewAMinuteAreAdmittedAndTheOthersCounted) {
  RepeatLimit limit;
  unsigned admitted = 0;
  for (int i = 0; i < 700; ++i) admitted += limit.admit("authkey", "tcp://10.0.0.1", 100) ? 1 : 0;
  EXPECT_EQ(admitted, RepeatLimit::logged_max);
  EXPECT_EQ(limit.next_ns(), 100 + minute);
  EXPECT_TRUE(limit.report(99 + minute).empty());
  const auto repeated = limit.report(100 + minute);
  ASSERT_EQ(repeated.size(), 1u);
  EXPECT_EQ(repeated[0].reason, "authkey");
  EXPECT_EQ(repeated[0].source, "tcp://10.0.0.1");
  EXPECT_EQ(repeated[0].count, 700 - RepeatLimit::logged_max);
  EXPECT_EQ(limit.next_ns(), never_ns);
  EXPECT_TRUE(limit.admit("authkey", "tcp://10.0.0.1", 101 + minute));
}

TEST(RepeatLimits, AReasonAndASourceHideNoOthers) {
  RepeatLimit limit;
  for (int i = 0; i < 100; ++i) limit.admit("authkey", "tcp://10.0.0.1", 0);
  EXPECT_TRUE(limit.admit("version", "tcp://10.0.0.1", 0));
  EXPECT_TRUE(limit.admit("authkey", "tcp://10.0.0.2", 0));
}

TEST(RepeatLimits, ManySourcesTogetherAreFewLines) {
  RepeatLimit limit;
  std::size_t admitted = 0;
  for (int i = 0; i < 100'000; ++i)
    admitted += limit.admit("authkey", "tcp://[::" + std::to_string(i) + "]", 0) ? 1 : 0;
  EXPECT_LE(admitted, RepeatLimit::sources_max + RepeatLimit::logged_max);
  const auto repeated = limit.report(minute);
  ASSERT_EQ(repeated.size(), 1u);
  EXPECT_EQ(repeated[0].source, "further addresses");
  EXPECT_EQ(repeated[0].count + admitted, 100'000u);
}

TEST(RepeatLimits, StrangersFillNoLog) {
  TestManager manager({.authkey = "a key"});
  auto fail = [&](const std::string& address) {
    TestClient stranger(manager, {address, std::nullopt});
    stranger.say(TestClient::answer(stranger.hear_bytes(), "a guess"));
  };
  for (int port = 1; port <= 700; ++port) fail("tcp://10.0.0.1:" + std::to_string(port));
  EXPECT_EQ(manager.failures(HandshakeFailure::authkey), 700u);
  EXPECT_EQ(manager.log().size(), RepeatLimit::logged_max) << "whatever the port";
  fail("tcp://10.0.0.2:1");
  EXPECT_THAT(manager.log().back(), HasSubstr("tcp://10.0.0.2:1"));
  manager.service().tick(never_ns - 1);
  EXPECT_THAT(manager.log().back(), HasSubstr("failed handshake (authkey), tcp://10.0.0.1: 695 more times"));
}

}  // namespace
}  // namespace tandem::server
