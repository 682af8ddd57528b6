// Long requests, received straight to where they are put together, and long replies, sent from the object itself.
#include "tests/server/session/fixture.hpp"

namespace tandem::server {
namespace {

using testing::HasSubstr;

std::string text_of(std::size_t length, unsigned seed = 0) {
  std::string text(length, ' ');
  for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 4093 + seed) % 26);
  return text;
}
std::string packed_text(std::string_view text) {
  return packed([&](wire::Writer& out) { out.text(text); });
}

class LongFrames : public testing::Test {
 protected:
  LongFrames() : LongFrames(Limits{.memory_bytes_max = 1 << 30}) {}
  explicit LongFrames(Limits limits) : manager_({.limits = limits}), client_(manager_) {
    client_.shake_hands();
    dict_ = client_.create("dict");
  }
  wire::RequestHeader header_of_set(std::uint32_t request, std::uint8_t flags = 0) const {
    return {flags, ops::Dict::Set::description.number, request, 1, dict_};
  }
  static std::string arguments(std::string_view key, std::string_view value) {
    return packed([&](wire::Writer& out) {
      out.array(2);
      out.text(key);
      out.text(value);
    });
  }
  std::string set(std::uint32_t request, std::string_view key, std::string_view value) const {
    return request_frame(header_of_set(request), arguments(key, value));
  }
  std::string at(std::uint32_t request, std::string_view key) const {
    return request_frame({0, ops::Dict::At::description.number, request, 1, dict_},
                         packed([&](wire::Writer& out) {
                           out.array(1);
                           out.text(key);
                         }));
  }

  TestManager manager_;
  TestClient client_;
  std::uint64_t dict_ = 0;
};

TEST_F(LongFrames, MayComeInPiecesOfAnyLength) {
  const std::string value = text_of(100'000);
  const std::string bytes = set(1, "key", value);
  for (std::size_t first = 0; first < 64; ++first) {
    for (const std::size_t second : {std::size_t{1}, std::size_t{30'000}, bytes.size() - first - 1}) {
      client_.say(std::string_view(bytes).substr(0, first));
      client_.say(std::string_view(bytes).substr(first, second));
      client_.say(std::string_view(bytes).substr(first + second));
      EXPECT_EQ(client_.hear_one().code, Code::ok);
      EXPECT_TRUE(client_.ask(at(2, "key")).payload == packed_text(value)) << first << "+" << second;
    }
  }
}

TEST_F(LongFrames, WhatFollowsInTheSamePieceIsNotLost) {
  const std::string value = text_of(70'000);
  client_.say(set(1, "a", value) + set(2, "b", "short") + set(3, "c", value) + at(4, "b") + at(5, "c"));
  const std::vector<Heard> heard = client_.hear();
  ASSERT_EQ(heard.size(), 5u);
  EXPECT_EQ(heard[3].payload, packed_text("short"));
  EXPECT_TRUE(heard[4].payload == packed_text(value));
}

TEST_F(LongFrames, OtherRequestsMayComeBetweenTheirParts) {
  const std::string value = text_of(300'000);
  const std::string whole = arguments("a", value);
  const std::string_view all = whole;
  client_.say(request_frame(header_of_set(1, wire::flag_more), all.substr(0, 100'000)));
  client_.say(request_frame(header_of_set(2, wire::flag_more), all.substr(0, 20)));
  EXPECT_EQ(client_.ask(ping(3)).request, 3u);
  client_.say(part_frame(1, all.substr(100'000, 120'000), true));
  EXPECT_EQ(client_.ask(set(4, "b", value)).request, 4u);
  client_.say(part_frame(2, all.substr(20, 200'000), true));
  EXPECT_EQ(client_.ask(part_frame(1, all.substr(220'000), false)).request, 1u);
  EXPECT_TRUE(client_.ask(at(5, "a")).payload == packed_text(value));
  EXPECT_EQ(client_.ask(part_frame(2, all.substr(200'020), false)).request, 2u);
  EXPECT_TRUE(client_.ask(at(5, "a")).payload == packed_text(value));
}

TEST_F(LongFrames, AreRefusedByTheirHeader) {
  std::string bytes = request_frame(header_of_set(1, 0x80), text_of(100'000));
  client_.say(std::string_view(bytes).substr(0, wire::request_header_bytes));
  EXPECT_THAT(client_.hear_one().text(), HasSubstr("unknown flags"));
  EXPECT_TRUE(client_.channel().ending());
}

TEST_F(LongFrames, APartOfNoRequestIsRefusedByItsHeader) {
  std::string bytes = part_frame(17, text_of(100'000), false);
  client_.say(std::string_view(bytes).substr(0, wire::short_header_bytes));
  EXPECT_THAT(client_.hear_one().text(), HasSubstr("a part of request 17, which is not under way"));
}

TEST_F(LongFrames, AClientMayGoInTheMiddle) {
  client_.say(set(1, "a", text_of(100'000)).substr(0, 50'000));
  client_.leave();
  TestClient next(manager_);
  next.shake_hands();
  EXPECT_EQ(next.ask(ping(1)).code, Code::ok);
}

TEST_F(LongFrames, ThoseThatMayNotBeStoredAreDropped) {
  class Small : public LongFrames {
   public:
    Small() : LongFrames(Limits{.message_bytes_max = 80'000, .memory_bytes_max = 1 << 30}) {}
    void TestBody() override {
      client_.say(set(1, "a", text_of(90'000)).substr(0, 40'000));
      EXPECT_THAT(client_.hear_one().text(), HasSubstr("message_bytes_max"));
      client_.say(set(1, "a", text_of(90'000)).substr(40'000));
      EXPECT_EQ(client_.ask(set(2, "a", text_of(79'000))).code, Code::ok);
      client_.say(request_frame(header_of_set(3, wire::flag_more), arguments("b", text_of(70'000))));
      EXPECT_THAT(client_.ask(part_frame(3, text_of(40'000), true)).text(), HasSubstr("message_bytes_max"));
      client_.say(part_frame(3, text_of(50'000), false));
      EXPECT_TRUE(client_.ask(at(4, "a")).payload == packed_text(text_of(79'000)));
    }
  } small;
  small.TestBody();
}

// What is on its way is what the object contained when it was asked.
TEST_F(LongFrames, AReplyOutlivesTheObjectsContents) {
  for (const std::size_t length : {std::size_t{40'000}, std::size_t{1'000'000}}) {
    const std::string before = text_of(length), after = text_of(length, 1);
    client_.ask(set(1, "a", before));
    client_.say(at(2, "a"));
    const std::string beginning = client_.hear_bytes(1000);
    TestClient other(manager_);
    other.shake_hands();
    EXPECT_EQ(other.ask(set(1, "a", after)).code, Code::ok);
    EXPECT_TRUE(other.ask(at(2, "a")).payload == packed_text(after));
    const std::vector<Heard> heard =
        parse_frames(beginning + client_.hear_bytes(), manager_.limits().frame_bytes_max);
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_TRUE(heard[0].payload == packed_text(before));
    other.leave();
  }
}

TEST_F(LongFrames, RepliesAreCountedUntilTheyAreRead) {
  class Small : public LongFrames {
   public:
    Small() : LongFrames(Limits{.outbox_bytes_max = 200'000, .memory_bytes_max = 1 << 30}) {}
    void TestBody() override {
      client_.ask(set(1, "a", text_of(150'000)));
      client_.say(at(2, "a") + ping(3));
      EXPECT_FALSE(client_.channel().wants_input()) << "a client that does not read is not served";
      const std::vector<Heard> heard = client_.hear();
      ASSERT_EQ(heard.size(), 2u);
      EXPECT_TRUE(heard[0].payload == packed_text(text_of(150'000)));
      TestClient other(manager_);
      client_.ask(set(4, "b", text_of(199'000)));
      EXPECT_EQ(client_.ask(at(5, "b")).code, Code::ok);
    }
  } small;
  small.TestBody();
}

TEST_F(LongFrames, AFencedRequestAndOneWithoutAReply) {
  const std::string value = text_of(60'000);
  client_.say(request_frame(header_of_set(1, wire::flag_one_way), arguments("a", value)));
  EXPECT_TRUE(client_.ask(at(2, "a")).payload == packed_text(value));
  std::string fenced(wire::token_bytes, '\0');
  fenced[0] = 99;
  const Heard reply =
      client_.ask(request_frame(header_of_set(3, wire::flag_fenced), fenced + arguments("a", value)));
  EXPECT_EQ(reply.code, Code::stale_token);
}

}  // namespace
}  // namespace tandem::server
