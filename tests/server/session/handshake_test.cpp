// The server's side of the handshake, with good clients and bad ones.
#include "tests/server/session/fixture.hpp"

namespace tandem::server {
namespace {

using testing::Contains;
using testing::HasSubstr;

/// What a client is told that was just refused, and only that.
RefusalHeard refused(TestManager& manager, TestClient& client, HandshakeFailure reason) {
  RefusalHeard heard = parse_refusal(client.hear_bytes());
  EXPECT_TRUE(client.channel().ending());
  EXPECT_FALSE(client.channel().wants_input());
  EXPECT_EQ(manager.failures(reason), 1u);
  EXPECT_THAT(manager.log(), Contains(HasSubstr(heard.text))) << "the log says what the client is told";
  EXPECT_EQ(manager.service().sessions().size(), 0u);
  return heard;
}

TEST(Handshake, TheManagerSpeaksFirst) {
  TestManager manager;
  TestClient client(manager);
  std::string hello = client.hear_bytes();
  ASSERT_EQ(hello.size(), wire::hello_bytes);
  const auto* at = reinterpret_cast<const std::uint8_t*>(hello.data());
  EXPECT_TRUE(wire::has_magic(at));
  EXPECT_EQ(wire::decode_hello(at).version, wire::protocol_version);
  EXPECT_EQ(wire::decode_hello(at).incarnation, manager.service().credentials().incarnation);
}

TEST(Handshake, EachChannelGetsANonceOfItsOwn) {
  TestManager manager;
  TestClient one(manager);
  TestClient other(manager);
  EXPECT_NE(one.hear_bytes(), other.hear_bytes());
}

TEST(Handshake, AProvenClientIsWelcomedAndToldTheLimits) {
  TestManager manager({.authkey = "a key"});
  TestClient client(manager);
  wire::Answer wanted;
  wanted.pid = 4711;
  wire::Welcome welcome = client.shake_hands(wanted);
  EXPECT_EQ(welcome.session, 1u);
  EXPECT_EQ(welcome.frame_bytes_max, manager.limits().frame_bytes_max);
  EXPECT_EQ(welcome.message_bytes_max, manager.limits().message_bytes_max);
  EXPECT_EQ(welcome.value_depth_max, manager.limits().value_depth_max);
  ASSERT_NE(client.channel().session(), nullptr);
  EXPECT_EQ(client.channel().session()->pid, 4711u);
  EXPECT_EQ(client.ask(ping(1)).code, Code::ok);
}

TEST(Handshake, TheManagerProvesThatItHoldsTheKeyToo) {
  TestManager manager({.authkey = "a key"});
  TestClient client(manager);
  std::string hello = client.hear_bytes();
  std::string answer = TestClient::answer(hello, "a key");
  client.say(answer);
  std::string welcome = client.hear_bytes();
  ASSERT_EQ(welcome.size(), wire::welcome_bytes);
  std::string_view covered = std::string_view(welcome).substr(0, wire::welcome_bytes - wire::proof_bytes);
  wire::Proof wanted =
      client::hmac_sha256("a key", {wire::as_bytes(wire::server_proof_label), wire::as_bytes(hello),
                                    wire::as_bytes(answer), wire::as_bytes(covered)});
  EXPECT_EQ(welcome.substr(covered.size()), text_of(wanted));
}

TEST(Handshake, TheAnswerMayComeByteByByteAndWithTheFirstRequestBehindIt) {
  TestManager manager;
  TestClient client(manager);
  client.say_slowly(TestClient::answer(client.hear_bytes(), ""));
  EXPECT_EQ(client.hear_bytes().size(), wire::welcome_bytes);

  TestClient hasty(manager);
  hasty.say(TestClient::answer(hasty.hear_bytes(), "") + ping(7));
  std::string heard = hasty.hear_bytes();
  std::vector<Heard> replies =
      parse_frames(heard.substr(wire::welcome_bytes), manager.limits().frame_bytes_max);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].request, 7u);
}

TEST(Handshake, AnotherKeyIsRefused) {
  TestManager manager({.authkey = "a key"});
  TestClient client(manager);
  client.say(TestClient::answer(client.hear_bytes(), "another key"));
  RefusalHeard heard = refused(manager, client, HandshakeFailure::authkey);
  EXPECT_EQ(heard.code, Code::authentication_error);
  EXPECT_THAT(heard.text, HasSubstr("authkey"));
}

TEST(Handshake, NoKeyWhereTheManagerWantsOneIsRefusedInOtherWords) {
  TestManager manager({.authkey = "a key"});
  TestClient client(manager);
  client.say(TestClient::answer(client.hear_bytes(), ""));
  EXPECT_THAT(refused(manager, client, HandshakeFailure::authkey).text,
              HasSubstr("this manager wants an authkey and none was given: "));
}

TEST(Handshake, AKeyWhereTheManagerHasNoneIsRefusedInOtherWords) {
  TestManager manager;
  TestClient client(manager);
  client.say(TestClient::answer(client.hear_bytes(), "a key"));
  EXPECT_THAT(refused(manager, client, HandshakeFailure::authkey).text, HasSubstr("this manager has none"));
}

TEST(Handshake, ABitChangedAnywhereInTheAnswerIsRefused) {
  for (std::size_t bit = 64; bit < wire::answer_bytes * 8; bit += 7) {  // behind magic and version
    TestManager manager({.authkey = "a key"});
    TestClient client(manager);
    std::string answer = TestClient::answer(client.hear_bytes(), "a key");
    answer[bit / 8] = static_cast<char>(answer[bit / 8] ^ (1 << (bit % 8)));
    client.say(answer);
    EXPECT_EQ(refused(manager, client, HandshakeFailure::authkey).code, Code::authentication_error)
        << "bit " << bit;
  }
}

TEST(Handshake, AnAnswerCannotBePlayedAgain) {
  TestManager manager({.authkey = "a key"});
  TestClient first(manager);
  std::string answer = TestClient::answer(first.hear_bytes(), "a key");
  first.say(answer);
  EXPECT_EQ(first.hear_bytes().size(), wire::welcome_bytes);
  TestClient second(manager);
  second.hear_bytes();
  second.say(answer);
  EXPECT_EQ(parse_refusal(second.hear_bytes()).code, Code::authentication_error);
}

TEST(Handshake, GarbageIsRefusedAtItsFirstWrongByte) {
  TestManager manager;
  TestClient client(manager);
  client.hear_bytes();
  client.say("TN");
  EXPECT_TRUE(client.channel().greeting());
  client.say("X");
  EXPECT_EQ(refused(manager, client, HandshakeFailure::garbage).code, Code::protocol_error);
}

TEST(Handshake, SomebodyWhoSpeaksHttpIsToldWhatThisIs) {
  TestManager manager;
  TestClient client(manager);
  client.hear_bytes();
  client.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(refused(manager, client, HandshakeFailure::garbage).text, HasSubstr("tandem manager"));
}

TEST(Handshake, AnotherVersionIsRefusedThoughItsAnswerBeShorter) {
  TestManager manager;
  TestClient client(manager);
  client.hear_bytes();
  client.say(std::string("TNDM\x07\x00", 6));
  RefusalHeard heard = refused(manager, client, HandshakeFailure::version);
  EXPECT_EQ(heard.code, Code::version_error);
  EXPECT_THAT(heard.text, HasSubstr("speaks version 2"));
  EXPECT_THAT(heard.text, HasSubstr("the client version 7"));
}

TEST(Handshake, AnUnknownPurposeIsRefused) {
  TestManager manager;
  TestClient client(manager);
  wire::Answer wanted;
  wanted.purpose = static_cast<wire::Purpose>(4);
  client.say(TestClient::answer(client.hear_bytes(), "", wanted));
  EXPECT_EQ(refused(manager, client, HandshakeFailure::garbage).code, Code::protocol_error);
}

TEST(Handshake, WithoutAKeyOnlyTheOwnUserAndRootMayConnect) {
  TestManager manager({.own_uid = 1000});
  for (std::uint32_t uid : {1000u, 0u}) {
    TestClient client(manager, {"test", uid});
    client.shake_hands();
    client.leave();
  }
  for (std::optional<std::uint32_t> uid : {std::optional(1001u), std::optional<std::uint32_t>()}) {
    TestClient client(manager, {"test", uid});
    client.say(TestClient::answer(client.hear_bytes(), ""));
    RefusalHeard heard = parse_refusal(client.hear_bytes());
    EXPECT_EQ(heard.code, Code::authentication_error);
    EXPECT_THAT(heard.text, HasSubstr("uid 1000"));
  }
  EXPECT_EQ(manager.failures(HandshakeFailure::uid), 2u);
}

TEST(Handshake, WithAKeyTheUserDoesNotMatter) {
  TestManager manager({.authkey = "a key", .own_uid = 1000});
  TestClient client(manager, {"test", 1001});
  client.shake_hands();
}

TEST(Handshake, SilenceIsRefusedWhenItsTimeIsOver) {
  TestManager manager;
  TestClient client(manager);
  client.hear_bytes();
  client.channel().handshake_timed_out();
  RefusalHeard heard = refused(manager, client, HandshakeFailure::timeout);
  EXPECT_EQ(heard.code, Code::timeout);
  EXPECT_THAT(heard.text, HasSubstr("handshake_ms_max"));
}

TEST(Handshake, TheTimeLimitIsNoMoreOnceHandsAreShaken) {
  TestManager manager;
  TestClient client(manager);
  client.shake_hands();
  client.channel().handshake_timed_out();
  EXPECT_EQ(client.ask(ping(1)).code, Code::ok);
}

TEST(Handshake, AClientThatGoesAwayInTheMiddleIsCounted) {
  TestManager manager;
  TestClient client(manager);
  client.say("TND");
  client.leave();
  EXPECT_EQ(manager.failures(HandshakeFailure::cut_short), 1u);
  EXPECT_TRUE(manager.service().channels().empty());
}

// ---- sessions -----------------------------------------------------------------------------------------------------------

TEST(Sessions, ChannelsJoinASessionByItsSecret) {
  TestManager manager;
  TestClient first(manager);
  wire::Welcome session = first.shake_hands();
  TestClient second(manager);
  EXPECT_EQ(second.join(session).session, session.session);
  EXPECT_EQ(manager.service().sessions().size(), 1u);
  EXPECT_EQ(first.channel().session()->channels.size(), 2u);
}

TEST(Sessions, AWrongSecretAndAnUnknownSessionAreRefused) {
  TestManager manager;
  TestClient first(manager);
  wire::Welcome session = first.shake_hands();
  for (wire::Purpose purpose : {wire::Purpose::join, wire::Purpose::inherit}) {
    wire::Answer wanted;
    wanted.purpose = purpose;
    wanted.session = session.session;
    wanted.secret = session.secret;
    wanted.secret[15] ^= 1;
    TestClient stranger(manager);
    stranger.say(TestClient::answer(stranger.hear_bytes(), "", wanted));
    EXPECT_EQ(parse_refusal(stranger.hear_bytes()).code, Code::authentication_error);

    wanted.session = 77;
    TestClient lost(manager);
    lost.say(TestClient::answer(lost.hear_bytes(), "", wanted));
    EXPECT_THAT(parse_refusal(lost.hear_bytes()).text, HasSubstr("session 77 is not open"));
  }
  EXPECT_EQ(manager.failures(HandshakeFailure::session), 4u);
  EXPECT_EQ(manager.service().sessions().size(), 1u);
}

TEST(Sessions, EndWithTheirLastChannelAndDropTheirReferences) {
  TestManager manager;
  TestClient first(manager);
  wire::Welcome session = first.shake_hands();
  TestClient second(manager);
  second.join(session);
  first.create("dict");
  first.leave();
  EXPECT_EQ(manager.engine().registry().size(), 1u) << "the other channel keeps the session";
  second.leave();
  EXPECT_EQ(manager.service().sessions().size(), 0u);
  EXPECT_EQ(manager.engine().registry().size(), 0u);
}

TEST(Sessions, AnInheritingSessionHoldsWhatItsParentHeld) {
  TestManager manager;
  TestClient parent(manager);
  wire::Welcome session = parent.shake_hands();
  std::uint64_t dict = parent.create("dict");
  TestClient child(manager);
  EXPECT_NE(child.join(session, wire::Purpose::inherit).session, session.session);
  parent.leave();
  EXPECT_EQ(manager.engine().registry().references_of(child.channel().session()->id), 1u);
  EXPECT_NE(manager.engine().registry().find(dict), nullptr);
  child.leave();
  EXPECT_EQ(manager.engine().registry().find(dict), nullptr);
}

TEST(Sessions, IdsAreNotUsedAgain) {
  TestManager manager;
  TestClient first(manager);
  EXPECT_EQ(first.shake_hands().session, 1u);
  first.leave();
  TestClient second(manager);
  EXPECT_EQ(second.shake_hands().session, 2u);
}

TEST(Sessions, OneTooManyIsRefusedAndRoomIsMadeByOneThatEnds) {
  Limits limits{.sessions_max = 2, .memory_bytes_max = 1 << 30};
  TestManager manager({.limits = limits});
  TestClient first(manager), second(manager);
  wire::Welcome session = first.shake_hands();
  second.shake_hands();
  TestClient third(manager);
  third.say(TestClient::answer(third.hear_bytes(), ""));
  RefusalHeard heard = parse_refusal(third.hear_bytes());
  EXPECT_EQ(heard.code, Code::resource_exhausted);
  EXPECT_THAT(heard.text, HasSubstr("sessions_max (2)"));
  EXPECT_EQ(manager.failures(HandshakeFailure::limit), 1u);

  TestClient joining(manager);
  EXPECT_EQ(joining.join(session).session, session.session) << "a channel more is not a session more";
  second.leave();
  TestClient fourth(manager);
  fourth.shake_hands();
}

TEST(Sessions, OneChannelTooManyIsRefused) {
  Limits limits{.channels_max = 1, .memory_bytes_max = 1 << 30};
  TestManager manager({.limits = limits});
  TestClient first(manager);
  first.shake_hands();
  TestClient second(manager);
  second.say(TestClient::answer(second.hear_bytes(), ""));
  EXPECT_THAT(parse_refusal(second.hear_bytes()).text, HasSubstr("channels_max (1)"));
  first.leave();
  TestClient third(manager);
  third.shake_hands();
}

TEST(Sessions, AreNotOpenedByAStoppingManager) {
  TestManager manager;
  TestClient waiting(manager);
  std::string hello = waiting.hear_bytes();
  manager.service().shut_down();
  EXPECT_EQ(waiting.link().wakes, 1);
  waiting.say(TestClient::answer(hello, ""));
  EXPECT_EQ(parse_refusal(waiting.hear_bytes()).code, Code::shutting_down);
  EXPECT_EQ(manager.failures(HandshakeFailure::shutting_down), 1u);
}

TEST(Sessions, AForkedChildSaysWhoItIs) {
  TestManager manager;
  TestClient client(manager);
  client.shake_hands();
  client.say(short_frame(wire::FrameKind::identify, 0, 815, ""));
  EXPECT_EQ(client.channel().session()->pid, 815u);
  EXPECT_EQ(client.hear_bytes(), "");
}

}  // namespace
}  // namespace tandem::server
