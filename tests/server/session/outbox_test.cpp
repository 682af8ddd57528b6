// Replies built in place, cut into parts, sent in pieces.
#include "server/session/outbox.hpp"

#include <random>

#include "tests/server/session/fixture.hpp"

namespace tandem::server {
namespace {

std::string payload_of(std::size_t bytes) {
  std::string payload;
  for (std::size_t i = 0; i < bytes; ++i) payload += static_cast<char>('a' + i % 23);
  return payload;
}
void reply(Outbox& outbox, std::uint32_t request, std::string_view payload,
           std::size_t frame_bytes_max = 4096) {
  std::size_t at = outbox.begin_reply();
  outbox.buffer().append(wire::as_bytes(payload));
  outbox.finish_reply(at, Code::key_error, request, frame_bytes_max);
}

TEST(Outbox, CutsAtEveryLengthAroundTheEndOfAPart) {
  constexpr std::size_t frame_bytes_max = 64;
  constexpr std::size_t part = frame_bytes_max - wire::short_header_bytes;
  for (std::size_t bytes : {std::size_t{0}, std::size_t{1}, part - 1, part, part + 1, 2 * part - 1, 2 * part,
                            2 * part + 1, 10 * part, 10 * part + 5}) {
    Outbox outbox;
    reply(outbox, 1, "before", frame_bytes_max);
    reply(outbox, 7, payload_of(bytes), frame_bytes_max);
    std::vector<Heard> heard = parse_frames(wire::as_text(outbox.unsent()), frame_bytes_max);
    ASSERT_EQ(heard.size(), 2u);
    EXPECT_EQ(heard[0].payload, "before");
    EXPECT_EQ(heard[1].payload, payload_of(bytes));
    EXPECT_EQ(heard[1].code, Code::key_error);
    EXPECT_EQ(heard[1].frames, static_cast<int>(bytes == 0 ? 1 : (bytes + part - 1) / part));
    EXPECT_EQ(outbox.unread_replies(), 2u);
  }
}

TEST(Outbox, SharedBytesEndRepliesAndAreCountedAsTheOthers) {
  for (std::size_t piece : {1u, 5u, 12u, 13u, 100u, 100'000u}) {
    for (std::size_t bytes : {88u, 89u, 500u, 3000u}) {
      Outbox outbox;
      std::vector<std::string> wanted;
      for (std::uint32_t request = 0; request < 9; ++request) {
        const std::string prefix(request % 3, 'p'), tail = payload_of(bytes + request);
        wanted.push_back(prefix + (request % 2 == 0 ? tail : ""));
        const std::size_t at = outbox.begin_reply();
        outbox.buffer().append(wire::as_bytes(prefix));
        if (request % 2 == 0)
          outbox.finish_long_reply(at, Code::ok, request, 100, SharedBytes::copy(wire::as_bytes(tail)));
        else outbox.finish_reply(at, Code::ok, request, 100);
      }
      std::string got;
      std::size_t left = outbox.unsent_bytes();
      while (outbox.unsent_bytes() != 0) {
        const std::string_view next = wire::as_text(outbox.unsent()).substr(0, piece);
        ASSERT_FALSE(next.empty());
        got += next;
        outbox.sent(next.size());
        ASSERT_EQ(outbox.unsent_bytes(), left -= next.size());
      }
      EXPECT_EQ(outbox.unread_replies(), 0u);
      const std::vector<Heard> heard = parse_frames(got, 100);
      ASSERT_EQ(heard.size(), wanted.size());
      for (std::size_t i = 0; i < heard.size(); ++i) EXPECT_EQ(heard[i].payload, wanted[i]);
    }
  }
}

TEST(Outbox, SentInPiecesOfAnyLengthNothingIsLostOrCountedTwice) {
  for (std::size_t piece : {1u, 5u, 11u, 12u, 13u, 100u, 1000u}) {
    Outbox outbox;
    std::string wanted, got;
    outbox.append_raw(wire::as_bytes("handshake"));
    for (std::uint32_t request = 0; request < 40; ++request)
      reply(outbox, request, payload_of(request * 7), 100);
    wanted = wire::as_text(outbox.unsent());
    EXPECT_EQ(outbox.unread_replies(), 40u);
    std::uint64_t before = 40;
    while (outbox.unsent_bytes() != 0) {
      std::string_view next = wire::as_text(outbox.unsent()).substr(0, piece);
      got += next;
      outbox.sent(next.size());
      EXPECT_LE(outbox.unread_replies(), before);
      before = outbox.unread_replies();
    }
    EXPECT_EQ(got, wanted);
    EXPECT_EQ(outbox.unread_replies(), 0u);
  }
}

TEST(Outbox, ThatIsNeverQuiteEmptyDoesNotGrowForEver) {
  Outbox outbox;
  std::string wanted, got;
  reply(outbox, 0, payload_of(1000));
  wanted = wire::as_text(outbox.unsent());
  for (std::uint32_t request = 1; request < 2000; ++request) {
    std::size_t before = outbox.unsent_bytes();
    reply(outbox, request, payload_of(1000));
    wanted += wire::as_text(outbox.unsent()).substr(before);
    std::string_view next = wire::as_text(outbox.unsent()).substr(0, 1012);
    got += next;
    outbox.sent(next.size());
    EXPECT_EQ(outbox.unread_replies(), 1u);
  }
  got += wire::as_text(outbox.unsent());
  EXPECT_EQ(got, wanted);
  EXPECT_LT(outbox.buffer().capacity(), 512u * 1024) << "two million bytes went through";
}

TEST(Outbox, GivesALongReplysMemoryBackOnceItIsSent) {
  Outbox outbox;
  reply(outbox, 1, payload_of(1'000'000), 1 << 20);
  outbox.sent(outbox.unsent_bytes());
  EXPECT_LE(outbox.buffer().capacity(), 64u * 1024);
}

TEST(Outbox, AnAbandonedReplyLeavesNothing) {
  Outbox outbox;
  reply(outbox, 1, "one");
  std::size_t before = outbox.unsent_bytes();
  std::size_t at = outbox.begin_reply();
  outbox.buffer().append(wire::as_bytes("half of a re"));
  outbox.abandon_reply(at);
  EXPECT_EQ(outbox.unsent_bytes(), before);
  EXPECT_EQ(outbox.unread_replies(), 1u);
}

// ---- what is held -------------------------------------------------------------------------------------------

std::string sendable(const Outbox& outbox) {
  return std::string(wire::as_text(outbox.unsent()));
}

TEST(Outbox, WhatIsHeldIsSentOnceItsIndexIsSafe) {
  Outbox outbox;
  reply(outbox, 1, "one");
  const std::string first = sendable(outbox);
  outbox.hold(5, 4);
  reply(outbox, 2, "two");
  outbox.hold(6, 4);
  EXPECT_EQ(sendable(outbox), "");
  EXPECT_TRUE(outbox.holds());
  EXPECT_EQ(outbox.unsent_bytes(), 2 * first.size());
  outbox.release(5);
  EXPECT_EQ(sendable(outbox), first);
  outbox.sent(first.size());
  EXPECT_EQ(sendable(outbox), "");
  outbox.release(6);
  EXPECT_FALSE(outbox.holds());
  EXPECT_EQ(parse_frames(sendable(outbox), 4096).at(0).payload, "two");
}

TEST(Outbox, WhatIsSafeAlreadyIsNotHeldAndDoesNotDelayWhatFollows) {
  Outbox outbox;
  reply(outbox, 1, "one");
  outbox.hold(5, 5);
  EXPECT_FALSE(outbox.holds());
  const std::string first = sendable(outbox);
  outbox.sent(3);
  reply(outbox, 2, "two");
  outbox.hold(6, 5);
  EXPECT_EQ(sendable(outbox), first.substr(3));
}

TEST(Outbox, NothingOvertakesWhatIsHeld) {
  Outbox outbox;
  reply(outbox, 1, "a write");
  outbox.hold(9, 4);
  reply(outbox, 2, "a read");
  outbox.hold(9, 4);
  EXPECT_EQ(sendable(outbox), "");
  outbox.release(8);
  EXPECT_EQ(sendable(outbox), "");
  outbox.release(9);
  EXPECT_EQ(parse_frames(sendable(outbox), 4096).size(), 2u);
}

/// Replies of all kinds, held and released at random, arrive whole and in order, and never before they are safe.
TEST(Outbox, HeldAtRandomEverythingArrivesInOrderAndNothingTooEarly) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::minstd_rand random(seed + 1);
    Outbox outbox;
    std::string got, wanted;
    std::vector<std::pair<std::size_t, std::uint64_t>> ends;  // how much may be sent when this index is safe
    std::size_t appended = 0;
    std::uint64_t index = 0, safe_index = 0;
    const auto send = [&] {
      const std::string_view next = wire::as_text(outbox.unsent()).substr(0, random() % 400);
      got += next;
      outbox.sent(next.size());
      for (const auto& [end, needed] : ends) {
        if (needed > safe_index) {
          EXPECT_LE(got.size(), end);
        }
      }
    };
    for (std::uint32_t request = 0; request < 200; ++request) {
      const std::size_t before = outbox.unsent_bytes();
      const std::size_t start = appended;
      if (random() % 3 == 0) {
        const std::size_t at = outbox.begin_reply();
        outbox.finish_long_reply(at, Code::ok, request, 300,
                                 SharedBytes::copy(wire::as_bytes(payload_of(200 + random() % 900))));
      } else {
        reply(outbox, request, payload_of(random() % 100), 300);
      }
      appended += outbox.unsent_bytes() - before;
      index += random() % 2;
      outbox.hold(index, safe_index);
      if (index > safe_index) ends.emplace_back(start, index);
      if (random() % 4 == 0) {
        safe_index += random() % (index - safe_index + 1);
        outbox.release(safe_index);
      }
      if (random() % 2 == 0) send();
    }
    safe_index = index;
    outbox.release(index);
    while (outbox.unsent_bytes() != 0) send();
    EXPECT_EQ(outbox.unread_replies(), 0u);
    EXPECT_EQ(got.size(), appended);
    const std::vector<Heard> heard = parse_frames(got, 300);
    ASSERT_EQ(heard.size(), 200u);
    for (std::uint32_t request = 0; request < 200; ++request) EXPECT_EQ(heard[request].request, request);
  }
}

}  // namespace
}  // namespace tandem::server
