// Frames from good clients and bad ones, in one piece, in many, and in parts.
#include "tests/server/session/fixture.hpp"

namespace tandem::server {
namespace {

using testing::Contains;
using testing::HasSubstr;

class Framing : public testing::Test {
 protected:
  Framing() : Framing(Limits{.memory_bytes_max = 1 << 30}) {}
  explicit Framing(Limits limits) : manager_({.limits = limits}), client_(manager_) { client_.shake_hands(); }

  std::string set(std::uint64_t dict, std::string_view key, std::string_view value, std::uint32_t request,
                  std::uint8_t flags = 0) {
    return request_frame({flags, ops::Dict::Set::description.number, request, 1, dict},
                         set_arguments(key, value));
  }
  static std::string set_arguments(std::string_view key, std::string_view value) {
    return packed([&](wire::Writer& out) {
      out.array(2);
      out.text(key);
      out.text(value);
    });
  }
  std::string at(std::uint64_t dict, std::string_view key, std::uint32_t request) {
    return request_frame({0, ops::Dict::At::description.number, request, 1, dict},
                         packed([&](wire::Writer& out) {
                           out.array(1);
                           out.text(key);
                         }));
  }
  std::int64_t size_of(std::uint64_t dict) {
    Heard reply = client_.ask(request_frame({0, ops::Dict::Size::description.number, 4242, 1, dict}, "\x90"));
    std::int64_t size = -1;
    wire::Reader reader(wire::as_bytes(reply.payload));
    EXPECT_TRUE(reader.int64(size)) << reply.payload;
    return size;
  }
  /// Says what breaks the protocol; expects to be told why, and the channel to be over.
  Heard fault(std::string_view bytes) {
    client_.say(bytes);
    std::vector<Heard> heard = client_.hear();
    EXPECT_TRUE(client_.channel().ending());
    EXPECT_EQ(manager_.service().statistics().protocol_errors, 1u);
    if (heard.empty() || heard.back().kind != wire::FrameKind::fault) {
      ADD_FAILURE() << "no fault";
      return {};
    }
    EXPECT_THAT(manager_.log(), Contains(HasSubstr(heard.back().payload)));
    return heard.back();
  }

  TestManager manager_;
  TestClient client_;
};

TEST_F(Framing, ARequestIsAnsweredUnderItsNumber) {
  Heard reply = client_.ask(ping(12345));
  EXPECT_EQ(reply.kind, wire::FrameKind::reply);
  EXPECT_EQ(reply.code, Code::ok);
  EXPECT_EQ(reply.request, 12345u);
  EXPECT_EQ(reply.payload, "\xc0");
}

TEST_F(Framing, ErrorsOfTheEngineAreRepliesAndTheChannelGoesOn) {
  Heard reply = client_.ask(request_frame({0, 0, 1, 1, 4711}, "\x90"));
  EXPECT_EQ(reply.code, Code::object_gone);
  EXPECT_THAT(reply.text(), HasSubstr("4711"));
  EXPECT_EQ(client_.ask(ping(2)).code, Code::ok);
}

TEST_F(Framing, RequestsMayComeByteByByte) {
  std::uint64_t dict = client_.create("dict");
  client_.say_slowly(set(dict, "a", "1", 1) + set(dict, "b", "2", 2));
  std::vector<Heard> replies = client_.hear();
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].request, 1u);
  EXPECT_EQ(replies[1].request, 2u);
  EXPECT_EQ(size_of(dict), 2);
}

TEST_F(Framing, CutAnywhereTheSameRequestsGiveTheSameReplies) {
  std::uint64_t dict = client_.create("dict");
  std::string said = set(dict, "a", "1", 1) + at(dict, "a", 2) + at(dict, "b", 3) + ping(4);
  client_.say(said);
  std::string wanted = client_.hear_bytes();
  std::string reset = request_frame({0, ops::Dict::Clear::description.number, 5, 1, dict}, "\x90");
  for (std::size_t cut = 0; cut <= said.size(); ++cut) {
    client_.ask(reset);
    client_.say(std::string_view(said).substr(0, cut));
    std::string heard = client_.hear_bytes();
    client_.say(std::string_view(said).substr(cut));
    EXPECT_EQ(heard + client_.hear_bytes(), wanted) << "cut at " << cut;
  }
}

TEST_F(Framing, ManyRequestsAtOnceAreAnsweredInTheirOrder) {
  std::string said;
  for (std::uint32_t request = 0; request < 5000; ++request) said += ping(request);
  client_.say(said);
  std::vector<Heard> replies = client_.hear();
  ASSERT_EQ(replies.size(), 5000u);
  for (std::uint32_t request = 0; request < 5000; ++request) EXPECT_EQ(replies[request].request, request);
}

TEST_F(Framing, AOneWayRequestIsCarriedOutAndNotAnswered) {
  std::uint64_t dict = client_.create("dict");
  client_.say(set(dict, "a", "1", 1, wire::flag_one_way));
  EXPECT_EQ(client_.hear_bytes(), "");
  EXPECT_EQ(size_of(dict), 1);
}

TEST_F(Framing, AOneWayRequestIsNotAnsweredWhateverTheOutcome) {
  client_.say(request_frame({wire::flag_one_way, 99, 1, 1, ops::Manager::id}, "\x90"));
  EXPECT_EQ(client_.hear_bytes(), "");
}

TEST_F(Framing, ReferencesInAReplyThatIsNotGivenAreNotHeld) {
  client_.say(
      request_frame({wire::flag_one_way, ops::Manager::Create::description.number, 1, 1, ops::Manager::id},
                    packed([](wire::Writer& out) {
                      out.array(3);
                      out.text("dict");
                      out.array(0);
                      out.array(0);
                    })));
  EXPECT_EQ(manager_.engine().registry().size(), 0u);
}

TEST_F(Framing, OperationsAreCountedAndTimed) {
  std::uint64_t dict = client_.create("dict");
  client_.ask(at(dict, "nothing", 1));
  client_.ask(set(dict, "a", "1", 2));
  client_.ask(at(dict, "a", 3));
  client_.ask(request_frame({0, 99, 4, 1, dict}, "\x90"));
  const Statistics& counted = manager_.service().statistics();
  for (std::size_t i = 0; i < manager_.engine().operations().size(); ++i) {
    const Engine::Operation& operation = manager_.engine().operations()[i];
    if (operation.type->name != "dict" || operation.op->name != "at") continue;
    EXPECT_EQ(counted.operations[i].count, 2u);
    EXPECT_EQ(counted.operations[i].errors, 1u);
    std::uint64_t timed = 0;
    for (std::uint64_t count : counted.operations[i].latency.counts()) timed += count;
    EXPECT_EQ(timed, 2u);
  }
  EXPECT_EQ(counted.unresolved.count, 1u);
  EXPECT_EQ(counted.unresolved.errors, 1u);
}

// ---- parts --------------------------------------------------------------------------------------------------------------

TEST_F(Framing, TheTransportLearnsHowManyRequestsWait) {
  const std::uint64_t queue = client_.create("queue");
  const std::string no_item = "\x90";
  client_.say(request_frame({0, ops::Queue::Get::description.number, 1, 1, queue}, no_item));
  client_.say(request_frame({0, ops::Queue::Get::description.number, 2, 2, queue}, no_item));
  client_.say(ping(3));
  EXPECT_EQ(client_.hear_one().request, 3u);
  EXPECT_THAT(client_.link().parked_counts, testing::ElementsAre(1, 2));
  // Shown before the answer is sent, so that a client never takes an answer for one that is late.
  client_.say(request_frame({0, ops::Queue::Put::description.number, 4, 1, queue}, "\x91\x07"));
  EXPECT_THAT(client_.link().parked_counts, testing::ElementsAre(1, 2, 1));
  EXPECT_EQ(client_.hear().size(), 2u);
  client_.say(short_frame(wire::FrameKind::cancel, 0, 2, ""));
  EXPECT_EQ(client_.hear_one().request, 2u);
  EXPECT_THAT(client_.link().parked_counts, testing::ElementsAre(1, 2, 1, 0));
}

TEST_F(Framing, ARequestMayComeInParts) {
  std::uint64_t dict = client_.create("dict");
  std::string arguments = set_arguments("key", std::string(1000, 'v'));
  client_.say(request_frame({wire::flag_more, ops::Dict::Set::description.number, 1, 1, dict},
                            arguments.substr(0, 3)));
  client_.say(part_frame(1, arguments.substr(3, 500), true));
  client_.say(part_frame(1, "", true));
  EXPECT_EQ(client_.hear_bytes(), "");
  Heard reply = client_.ask(part_frame(1, arguments.substr(503), false));
  EXPECT_EQ(reply.code, Code::ok) << reply.payload;
  EXPECT_EQ(client_.ask(at(dict, "key", 2)).payload,
            packed([](wire::Writer& out) { out.text(std::string(1000, 'v')); }));
  EXPECT_EQ(manager_.service().messages_bytes(), 0u);
}

TEST_F(Framing, PartsOfSeveralRequestsAndWholeOnesMayBeMixed) {
  std::uint64_t dict = client_.create("dict");
  std::string first = set_arguments("first", std::string(300, '1'));
  std::string second = set_arguments("second", std::string(300, '2'));
  constexpr std::uint16_t op = ops::Dict::Set::description.number;
  client_.say(request_frame({wire::flag_more, op, 1, 1, dict}, first.substr(0, 100)));
  client_.say(request_frame({wire::flag_more, op, 2, 1, dict}, second.substr(0, 50)));
  client_.say(part_frame(1, first.substr(100, 100), true) + ping(3));
  client_.say(part_frame(2, second.substr(50), false) + part_frame(1, first.substr(200), false));
  std::vector<Heard> replies = client_.hear();
  ASSERT_EQ(replies.size(), 3u);
  EXPECT_EQ(replies[0].request, 3u);
  EXPECT_EQ(replies[1].request, 2u);
  EXPECT_EQ(replies[2].request, 1u);
  EXPECT_EQ(size_of(dict), 2);
}

TEST_F(Framing, WhatAnUnfinishedRequestHoldsIsCountedAndGivenBackWithItsChannel) {
  client_.say(request_frame({wire::flag_more, 0, 1, 1, 1}, std::string(5000, 'x')));
  EXPECT_GE(manager_.service().messages_bytes(), 5000u);
  EXPECT_EQ(client_.channel().session()->requests_under_way, 1u);
  client_.leave();
  EXPECT_EQ(manager_.service().messages_bytes(), 0u);
}

class SmallFrames : public Framing {
 protected:
  SmallFrames()
      : Framing(Limits{.frame_bytes_max = 4096, .message_bytes_max = 20'000, .memory_bytes_max = 1 << 30}) {}
};

TEST_F(SmallFrames, ALongReplyIsCutIntoFramesOfAtMostThatLength) {
  std::uint64_t dict = client_.create("dict");
  std::string long_value;
  for (int i = 0; i < 18'000; ++i) long_value += static_cast<char>('a' + i % 26);
  std::string arguments = set_arguments("k", long_value);
  client_.say(request_frame({wire::flag_more, ops::Dict::Set::description.number, 1, 1, dict},
                            arguments.substr(0, 4000)));
  for (std::size_t from = 4000; from < arguments.size(); from += 4000)
    client_.say(part_frame(1, arguments.substr(from, 4000), from + 4000 < arguments.size()));
  EXPECT_EQ(client_.hear_one().code, Code::ok);

  Heard reply = client_.ask(at(dict, "k", 2));
  EXPECT_EQ(reply.frames, 5);
  EXPECT_EQ(reply.payload, packed([&](wire::Writer& out) { out.text(long_value); }));
}

TEST_F(SmallFrames, ARequestTooLongIsAnsweredAtOnceAndTheRestOfItDropped) {
  std::uint64_t dict = client_.create("dict");
  client_.say(request_frame({wire::flag_more, ops::Dict::Set::description.number, 1, 1, dict},
                            std::string(4000, 'x')));
  for (int part = 0; part < 4; ++part) client_.say(part_frame(1, std::string(4000, 'x'), true));
  EXPECT_EQ(client_.hear_bytes(), "") << "20,000 bytes are allowed";
  Heard reply = client_.ask(part_frame(1, "x", true));
  EXPECT_EQ(reply.code, Code::resource_exhausted);
  EXPECT_THAT(reply.text(), HasSubstr("message_bytes_max (20000)"));
  EXPECT_EQ(manager_.service().messages_bytes(), 0u);

  client_.say(part_frame(1, std::string(4000, 'x'), true) + part_frame(1, "x", false));
  EXPECT_EQ(client_.hear_bytes(), "");
  EXPECT_EQ(client_.ask(ping(1)).code, Code::ok) << "the number is free again";
  EXPECT_EQ(size_of(dict), 0);
}

TEST_F(SmallFrames, AOneWayRequestTooLongIsDroppedWithoutAWord) {
  client_.say(request_frame({wire::flag_more | wire::flag_one_way, 0, 1, 1, 1}, std::string(4000, 'x')));
  for (int part = 0; part < 6; ++part) client_.say(part_frame(1, std::string(4000, 'x'), part != 5));
  EXPECT_EQ(client_.hear_bytes(), "");
  EXPECT_EQ(manager_.service().statistics().requests_refused, 1u);
}

// ---- what breaks the protocol ---------------------------------------------------------------------------------------------

TEST_F(SmallFrames, AFrameTooLongIsAFaultBeforeItsBytesCome) {
  std::string head(4, '\0');
  wire::store_little(reinterpret_cast<std::uint8_t*>(head.data()), std::uint32_t{4096 - 4 + 1});
  Heard heard = fault(head);
  EXPECT_EQ(heard.code, Code::resource_exhausted);
  EXPECT_THAT(heard.payload, HasSubstr("frame_bytes_max (4096)"));
}

TEST_F(SmallFrames, TheLongestFrameIsNone) {
  Heard reply = client_.ask(
      request_frame({0, ops::Manager::Ping::description.number, 1, 1, 1}, std::string(4096 - 24, '\xc0')));
  EXPECT_EQ(reply.kind, wire::FrameKind::reply);
}

TEST_F(Framing, AFrameShorterThanItsHeaderIsAFault) {
  std::string frame = ping(1);
  wire::store_little(reinterpret_cast<std::uint8_t*>(frame.data()), std::uint32_t{7});
  EXPECT_EQ(fault(frame).code, Code::protocol_error);
}

TEST(FrameKinds, AnUnknownOneIsAFault) {
  for (std::uint8_t kind : {0, 8, 255}) {
    TestManager manager;
    TestClient client(manager);
    client.shake_hands();
    client.say(short_frame(static_cast<wire::FrameKind>(kind), 0, 1, ""));
    EXPECT_EQ(client.hear_one().kind, wire::FrameKind::fault) << int{kind};
  }
}

TEST_F(Framing, FramesOfTheManagerAreAFaultFromAClient) {
  EXPECT_THAT(fault(short_frame(wire::FrameKind::reply, 0, 1, "\xc0")).payload, HasSubstr("kind 3"));
}

TEST_F(Framing, APartOfNothingIsAFault) {
  EXPECT_THAT(fault(part_frame(5, "x", false)).payload, HasSubstr("request 5"));
}

TEST_F(Framing, APartBehindTheLastOneIsAFault) {
  client_.say(request_frame({wire::flag_more, ops::Manager::Ping::description.number, 5, 1, 1}, "") +
              part_frame(5, "\x90", false));
  EXPECT_EQ(client_.hear_one().code, Code::ok);
  fault(part_frame(5, "x", false));
}

TEST_F(Framing, ARequestThatBeginsTwiceIsAFault) {
  client_.say(request_frame({wire::flag_more, 0, 5, 1, 1}, "x"));
  EXPECT_THAT(fault(ping(5)).payload, HasSubstr("request 5"));
}

TEST_F(Framing, UnknownFlagsAreAFault) {
  EXPECT_THAT(fault(request_frame({32, ops::Manager::Ping::description.number, 1, 1, 1}, "\x90")).payload,
              HasSubstr("flags"));
}

TEST_F(Framing, UnknownFlagsOfAPartAreAFault) {
  client_.say(request_frame({wire::flag_more, 0, 5, 1, 1}, "x"));
  fault(short_frame(wire::FrameKind::request_part, wire::flag_one_way, 5, "x"));
}

TEST_F(Framing, AnIdentifyFrameWithMoreInItIsAFault) {
  fault(short_frame(wire::FrameKind::identify, 0, 1, "x"));
}

TEST_F(Framing, RequestsBeforeAFaultAreAnsweredAndThoseBehindItAreNot) {
  client_.say(ping(1) + part_frame(9, "x", false) + ping(2));
  std::vector<Heard> heard = client_.hear();
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].request, 1u);
  EXPECT_EQ(heard[1].kind, wire::FrameKind::fault);
}

TEST_F(Framing, AClientIsToldThatTheManagerStops) {
  client_.say(ping(1));
  client_.channel().shut_down();
  std::vector<Heard> heard = client_.hear();
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].code, Code::ok);
  EXPECT_EQ(heard[1].kind, wire::FrameKind::fault);
  EXPECT_EQ(heard[1].code, Code::shutting_down);
}

}  // namespace
}  // namespace tandem::server
