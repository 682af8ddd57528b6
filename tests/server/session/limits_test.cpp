// What happens at the limits, and to clients that do not read.
#include <unistd.h>

#include <deque>
#include <fstream>

#include "tests/server/session/fixture.hpp"
#include "tests/support/sanitized.hpp"

namespace tandem::server {
namespace {

using testing::HasSubstr;

/// A dict whose snapshot takes about `bytes`.
std::uint64_t make_dict(TestClient& client, std::size_t bytes) {
  return client.create("dict", packed([&](wire::Writer& out) {
                         out.array(1);
                         out.map(1);
                         out.text("k");
                         out.text(std::string(bytes, 'v'));
                       }));
}
std::string snapshot(std::uint64_t dict, std::uint32_t request) {
  return request_frame({0, ops::Dict::Snapshot::description.number, request, 1, dict}, "\x90");
}

TEST(BackPressure, AClientThatDoesNotReadIsNotReadFromEither) {
  TestManager manager;
  TestClient client(manager);
  client.shake_hands();
  std::uint64_t dict = make_dict(client, 300'000);
  std::string said;
  for (std::uint32_t request = 0; request < 20; ++request) said += snapshot(dict, request);
  client.say(said);
  EXPECT_FALSE(client.channel().wants_input());
  EXPECT_GT(client.channel().unsent().size(), Channel::unsent_bytes_high);
  EXPECT_LT(client.channel().unsent().size(), Channel::unsent_bytes_high + 310'000)
      << "requests that came in one piece with others are held back too";

  std::vector<Heard> replies = client.hear();
  EXPECT_TRUE(client.channel().wants_input()) << "once it reads, it is served";
  ASSERT_EQ(replies.size(), 20u);
  for (const Heard& reply : replies) EXPECT_EQ(reply.code, Code::ok);
  EXPECT_EQ(manager.service().messages_bytes(), 0u);
}

TEST(BackPressure, OthersAreServedMeanwhile) {
  TestManager manager;
  TestClient lazy(manager);
  TestClient other(manager);
  lazy.shake_hands();
  other.shake_hands();
  std::uint64_t dict = make_dict(lazy, 900'000);
  lazy.say(snapshot(dict, 1) + snapshot(dict, 2));
  EXPECT_FALSE(lazy.channel().wants_input());
  EXPECT_EQ(other.ask(ping(1)).code, Code::ok);
}

TEST(BackPressure, UnreadRepliesAreCountedPerSessionUntilTheyAreRead) {
  TestManager manager;
  TestClient client(manager);
  client.shake_hands();
  for (std::uint32_t request = 0; request < 10; ++request) client.say(ping(request));
  const Session& session = *client.channel().session();
  EXPECT_EQ(session.requests_under_way, 10u);
  EXPECT_EQ(session.outbox_bytes, 130u);
  EXPECT_EQ(manager.service().messages_bytes(), 130u);
  client.hear_bytes(13 * 4 + 5);
  EXPECT_EQ(session.requests_under_way, 6u) << "four are read, the fifth in part";
  EXPECT_EQ(session.outbox_bytes, 130u - 57u);
  client.hear_bytes();
  EXPECT_EQ(session.requests_under_way, 0u);
  EXPECT_EQ(session.outbox_bytes, 0u);
}

TEST(BackPressure, AChannelThatGoesTakesItsUnreadRepliesAlong) {
  TestManager manager;
  TestClient stays(manager);
  wire::Welcome session = stays.shake_hands();
  TestClient goes(manager);
  goes.join(session);
  goes.say(ping(1));
  goes.leave();
  EXPECT_EQ(stays.channel().session()->requests_under_way, 0u);
  EXPECT_EQ(stays.channel().session()->outbox_bytes, 0u);
  EXPECT_EQ(manager.service().messages_bytes(), 0u);
}

// ---- outbox_bytes_max -----------------------------------------------------------------------------------------------------

TEST(OutboxLimit, AReplyLongerThanThatIsRefusedAndTheChannelGoesOn) {
  TestManager manager({.limits = {.outbox_bytes_max = 100'000, .memory_bytes_max = 1 << 30}});
  TestClient client(manager);
  client.shake_hands();
  std::uint64_t dict = make_dict(client, 200'000);
  Heard reply = client.ask(snapshot(dict, 1));
  EXPECT_EQ(reply.code, Code::resource_exhausted);
  EXPECT_THAT(reply.text(), HasSubstr("outbox_bytes_max (100000)"));
  EXPECT_EQ(client.ask(ping(2)).code, Code::ok);
}

TEST(OutboxLimit, IsForAllChannelsOfASessionTogether) {
  TestManager manager({.limits = {.outbox_bytes_max = 100'000, .memory_bytes_max = 1 << 30}});
  TestClient first(manager);
  wire::Welcome session = first.shake_hands();
  TestClient second(manager), third(manager);
  second.join(session);
  third.join(session);
  std::uint64_t dict = make_dict(first, 40'000);
  first.say(snapshot(dict, 1));
  second.say(snapshot(dict, 2));
  Heard reply = third.ask(snapshot(dict, 3));
  EXPECT_EQ(reply.code, Code::resource_exhausted);
  EXPECT_THAT(reply.text(), HasSubstr("outbox_bytes_max (100000)"));
  EXPECT_EQ(manager.service().statistics().replies_refused, 1u);

  EXPECT_EQ(first.hear_one().code, Code::ok);
  EXPECT_EQ(third.ask(snapshot(dict, 4)).code, Code::ok) << "there is room again";
  TestClient stranger(manager);
  stranger.shake_hands();
  EXPECT_EQ(stranger.ask(snapshot(dict, 5)).code, Code::ok) << "another session has its own";
}

TEST(OutboxLimit, ReferencesInAWithheldReplyAreNotHeld) {
  TestManager manager({.limits = {.outbox_bytes_max = 100'000, .memory_bytes_max = 1 << 30}});
  TestClient first(manager);
  wire::Welcome session = first.shake_hands();
  TestClient second(manager), third(manager);
  second.join(session);
  third.join(session);
  std::uint64_t inner = first.create("dict");
  std::uint64_t outer = first.create("dict", packed([&](wire::Writer& out) {
                                       out.array(1);
                                       out.map(2);
                                       out.text("reference");
                                       out.reference({ops::Dict::number, inner});
                                       out.text("filling");
                                       out.text(std::string(40'000, 'x'));
                                     }));
  first.say(snapshot(outer, 1));
  second.say(snapshot(outer, 2));
  SessionId id = first.channel().session()->id;
  std::uint64_t before = manager.engine().registry().references_of(id);
  EXPECT_EQ(third.ask(snapshot(outer, 3)).code, Code::resource_exhausted);
  EXPECT_EQ(manager.engine().registry().references_of(id), before);
}

// ---- requests_under_way_max -------------------------------------------------------------------------------------------------

TEST(UnderWayLimit, OneTooManyIsRefusedAndNotCarriedOut) {
  TestManager manager({.limits = {.requests_under_way_max = 3, .memory_bytes_max = 1 << 30}});
  TestClient client(manager);
  client.shake_hands();
  std::uint64_t dict = client.create("dict");
  std::string said;
  for (std::uint32_t request = 0; request < 5; ++request)
    said += request_frame({0, ops::Dict::Set::description.number, request, 1, dict},
                          packed([&](wire::Writer& out) {
                            out.array(2);
                            out.unsigned_integer(request);
                            out.nil();
                          }));
  client.say(said);
  std::vector<Heard> replies = client.hear();
  ASSERT_EQ(replies.size(), 5u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(replies[i].code, Code::ok);
  for (int i = 3; i < 5; ++i) {
    EXPECT_EQ(replies[i].code, Code::resource_exhausted);
    EXPECT_THAT(replies[i].text(), HasSubstr("requests_under_way_max (3)"));
  }
  EXPECT_EQ(manager.service().statistics().requests_refused, 2u);
  EXPECT_EQ(manager.engine().registry().find(dict)->size(), 3u);
  EXPECT_EQ(client.ask(ping(9)).code, Code::ok);
}

TEST(UnderWayLimit, CountsUnfinishedRequestsOfAllChannels) {
  TestManager manager({.limits = {.requests_under_way_max = 2, .memory_bytes_max = 1 << 30}});
  TestClient first(manager);
  wire::Welcome session = first.shake_hands();
  TestClient second(manager);
  second.join(session);
  first.say(request_frame({wire::flag_more, 0, 1, 1, 1}, "x"));
  first.say(request_frame({wire::flag_more, 0, 2, 1, 1}, "x"));
  EXPECT_EQ(second.ask(ping(3)).code, Code::resource_exhausted);
  EXPECT_EQ(second.ask(request_frame({wire::flag_more, 0, 4, 1, 1}, "x")).code, Code::resource_exhausted);
  second.say(part_frame(4, "x", false));
  EXPECT_EQ(second.hear_bytes(), "") << "a refused request's parts are dropped";
}

TEST(UnderWayLimit, MoreUnfinishedRequestsThanThatOnOneChannelAreAFault) {
  TestManager manager({.limits = {.requests_under_way_max = 2, .memory_bytes_max = 1 << 30}});
  TestClient client(manager);
  client.shake_hands();
  for (std::uint32_t request = 0; request < 3; ++request)
    client.say(request_frame({wire::flag_more, 0, request, 1, 1}, "x"));
  Heard heard = client.hear_one();
  EXPECT_EQ(heard.kind, wire::FrameKind::fault);
  EXPECT_THAT(heard.payload, HasSubstr("requests_under_way_max (2)"));
}

// ---- memory_bytes_max -----------------------------------------------------------------------------------------------------

TEST(MemoryLimit, CountsUnfinishedRequests) {
  TestManager manager({.limits = {.memory_bytes_max = 3'200'000}});
  TestClient client(manager);
  client.shake_hands();
  client.say(request_frame({wire::flag_more, 0, 1, 1, 1}, std::string(900'000, 'x')));
  EXPECT_EQ(client.hear_bytes(), "");
  client.say(request_frame({wire::flag_more, 0, 2, 1, 1}, std::string(900'000, 'x')));
  EXPECT_EQ(client.hear_bytes(), "");
  client.say(part_frame(2, std::string(900'000, 'x'), true));
  EXPECT_EQ(client.hear_bytes(), "");
  Heard reply = client.ask(part_frame(1, std::string(900'000, 'x'), true));
  EXPECT_EQ(reply.request, 1u);
  EXPECT_EQ(reply.code, Code::resource_exhausted);
  EXPECT_THAT(reply.text(), HasSubstr("memory_bytes_max (3200000)"));
  EXPECT_EQ(client.ask(ping(3)).code, Code::ok);
}

TEST(MemoryLimit, CountsUnreadReplies) {
  TestManager manager({.limits = {.memory_bytes_max = 2'000'000}});
  TestClient first(manager), second(manager);
  first.shake_hands();
  second.shake_hands();
  std::uint64_t dict = make_dict(first, 700'000);
  first.say(snapshot(dict, 1));
  Heard reply = second.ask(snapshot(dict, 2));
  EXPECT_EQ(reply.code, Code::resource_exhausted);
  EXPECT_THAT(reply.text(), HasSubstr("memory_bytes_max (2000000)"));
  EXPECT_EQ(first.hear_one().code, Code::ok);
  EXPECT_EQ(second.ask(snapshot(dict, 3)).code, Code::ok);
}

std::uint64_t resident_bytes() {
  std::uint64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

TEST(MemoryLimit, ASizeFieldAloneCostsNone) {
  TestManager manager;
  std::deque<TestClient> clients;
  for (int i = 0; i < 100; ++i) clients.emplace_back(manager).shake_hands();
  const std::string frame = request_frame({0, 0, 1, 1, 1}, std::string(900'000, 'x'));
  const std::uint64_t counted = manager.service().messages_bytes();
  const std::uint64_t before = resident_bytes();
  for (TestClient& client : clients) client.say(frame.substr(0, 100));
  EXPECT_LE(manager.service().messages_bytes(), counted + 100 * 100);
  if (!test::sanitized) {
    EXPECT_LT(resident_bytes(), before + 10'000'000);
  }
}

}  // namespace
}  // namespace tandem::server
