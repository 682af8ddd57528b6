// Long replies, received straight into the result, from a manager that sends them in every way there is, and wrongly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "client/session/session.hpp"
#include "tandem/call/call.hpp"
#include "tandem/call/long_result.hpp"
#include "tandem/ops/list.hpp"
#include "tests/support/fake_manager.hpp"

namespace tandem::client {
namespace {

using test::FakeChannel;
using test::FakeManager;
using test::SeenRequest;
using ::testing::HasSubstr;

constexpr wire::Reference the_list{ops::List::number, 17};

std::string text_of(std::size_t length) {
  std::string text(length, ' ');
  for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 4093) % 26);
  return text;
}
wire::Buffer packed_text(std::string_view text) {
  wire::Buffer buffer;
  wire::Writer(buffer).text(text);
  return buffer;
}

class LongReplyTest : public ::testing::Test {
 protected:
  void start(FakeManager::Behaviour behaviour, std::chrono::milliseconds call_timeout = {}) {
    manager_.emplace(std::move(behaviour));
    manager_->welcome.frame_bytes_max = 1 << 20;
    session_ = Session::open(manager_->connector(),
                             {.connect_timeout = std::chrono::hours(1), .call_timeout = call_timeout});
    list_ = std::make_shared<RemoteObject>(session_, the_list, false);
  }
  std::string at() const {
    Call call(*list_, ops::List::At::description, 1);
    call.arguments().writer.integer(0);
    return result_of<ops::Any, std::string>(call, [&]() -> Decoder& { return call.send(); });
  }
  template <class E>
  std::string error_of_at() const {
    try {
      at();
    } catch (const E& error) {
      return error.what();
    }
    ADD_FAILURE() << "no such exception";
    return "";
  }
  /// Sends `payload` as a reply in frames with so many bytes of it each; `between` is called after each but the last.
  template <class F>
  static void say_in_parts(FakeChannel& channel, const SeenRequest& to, wire::Bytes payload,
                           std::size_t part_bytes, F&& between) {
    auto kind = wire::FrameKind::reply;
    while (!payload.empty()) {
      const wire::Bytes part = payload.first(std::min(part_bytes, payload.size()));
      payload = payload.subspan(part.size());
      channel.say_frame(kind, Code::ok, payload.empty() ? 0 : wire::flag_more, to.header.request, part);
      kind = wire::FrameKind::reply_part;
      if (!payload.empty()) between();
    }
  }

  std::optional<FakeManager> manager_;
  SessionPtr session_;
  std::shared_ptr<RemoteObject> list_;
};

TEST_F(LongReplyTest, ArrivesInPartsOfAnyLength) {
  const std::string text = text_of(200'000);
  std::size_t part_bytes = 0;
  start([&](FakeChannel& channel, const SeenRequest& request) {
    say_in_parts(channel, request, packed_text(text).view(), part_bytes, [] {});
  });
  for (const std::size_t bytes :
       {1'000'000u, 199'999u, 100'000u, 65'537u, 40'000u, 33'000u, 32'756u, 32'755u, 9'000u, 100u}) {
    part_bytes = bytes;
    EXPECT_TRUE(at() == text) << bytes;
  }
}

TEST_F(LongReplyTest, MayBecomeCompleteAtAnyMoment) {
  const std::string text = text_of(60'000);
  bool is_text = true;
  start([&](FakeChannel& channel, const SeenRequest& request) {
    wire::Buffer bytes;
    wire::Writer(bytes).bytes(wire::as_bytes(text));
    channel.reply(request, is_text ? packed_text(text).view() : bytes.view());
  });
  for (std::size_t first = 1; first < 40; ++first) {
    for (const std::size_t second : {std::size_t{1}, std::size_t{20'000}, std::size_t{1'000'000}}) {
      manager_->limit_receives({first, second});
      is_text = true;
      EXPECT_TRUE(at() == text) << first << "+" << second;
      manager_->limit_receives({first, second});
      is_text = false;
      EXPECT_THAT(error_of_at<TypeError>(), HasSubstr("text"));
    }
  }
}

TEST_F(LongReplyTest, OtherRepliesMayComeBetweenItsParts) {
  const std::string text = text_of(200'000);
  start([&](FakeChannel& channel, const SeenRequest& request) {
    say_in_parts(channel, request, packed_text(text).view(), 50'000, [&] {
      // To requests that nobody awaits any longer, short and long.
      channel.say_frame(wire::FrameKind::reply, Code::ok, 0, 77'777, packed_text("late").view());
      say_in_parts(channel, {0, {.request = 88'888}, "", 1}, packed_text(text_of(90'000)).view(), 60'000,
                   [] {});
    });
  });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(at() == text);
}

TEST_F(LongReplyTest, AnErrorIsNoLongResult) {
  start([&](FakeChannel& channel, const SeenRequest& request) {
    channel.refuse(request, Code::value_error, text_of(100'000));
  });
  EXPECT_EQ(error_of_at<ValueError>(), text_of(100'000));
}

TEST_F(LongReplyTest, BytesAreNoText) {
  start([&](FakeChannel& channel, const SeenRequest& request) {
    wire::Buffer payload;
    wire::Writer(payload).bytes(wire::as_bytes(text_of(100'000)));
    channel.reply(request, payload.view());
  });
  for (int i = 0; i < 2; ++i) EXPECT_THAT(error_of_at<TypeError>(), HasSubstr("text"));
}

TEST_F(LongReplyTest, AfterATimeoutInTheMiddleTheRestIsSkipped) {
  const std::string text = text_of(300'000);
  const wire::Buffer payload = packed_text(text);
  for (const std::size_t said : {std::size_t{20}, std::size_t{150'000}, std::size_t{180'012},
                                 std::size_t{180'020}, std::size_t{290'000}}) {
    std::promise<void> timed_out;
    bool first = true;
    start(
        [&](FakeChannel& channel, const SeenRequest& request) {
          if (!std::exchange(first, false)) return channel.reply(request, packed_text("next").view());
          wire::Buffer frames;  // two, of which some bytes come in time
          const wire::Bytes all = payload.view();
          for (const bool is_first : {true, false}) {
            const wire::Bytes part = is_first ? all.first(180'000) : all.subspan(180'000);
            std::uint8_t* header = frames.extend(wire::short_header_bytes);
            wire::store_short_header(header, wire::short_header_bytes + part.size(),
                                     is_first ? wire::FrameKind::reply : wire::FrameKind::reply_part, 0,
                                     is_first ? wire::flag_more : std::uint8_t{0}, request.header.request);
            frames.append(part);
          }
          channel.say(frames.view().first(said));
          timed_out.get_future().wait();
          channel.say(frames.view().subspan(said));
        },
        std::chrono::milliseconds{50});
    EXPECT_THAT(error_of_at<Timeout>(), HasSubstr("no answer within 50 ms")) << said;
    timed_out.set_value();
    std::string next;
    test::eventually(
        [&] {
          try {
            next = at();
          } catch (const Timeout&) {  // a busy machine
          }
          return !next.empty();
        },
        "an answer within the time limit");
    EXPECT_EQ(next, "next");
    list_.reset();
    session_.reset();
  }
}

TEST_F(LongReplyTest, ManagerThatGoesInTheMiddle) {
  start([&](FakeChannel& channel, const SeenRequest& request) {
    const wire::Buffer payload = packed_text(text_of(300'000));
    channel.say_frame(wire::FrameKind::reply, Code::ok, wire::flag_more, request.header.request,
                      payload.view().first(100'000));
    channel.hang_up();
  });
  EXPECT_THAT(error_of_at<ConnectionError>(), HasSubstr("closed the connection"));
}

TEST_F(LongReplyTest, ReasonOfAFaultBetweenThePartsIsTold) {
  start([&](FakeChannel& channel, const SeenRequest& request) {
    const wire::Buffer payload = packed_text(text_of(300'000));
    channel.say_frame(wire::FrameKind::reply, Code::ok, wire::flag_more, request.header.request,
                      payload.view().first(100'000));
    channel.fault(Code::shutting_down, "the manager is stopping");
  });
  EXPECT_THAT(error_of_at<ConnectionError>(), HasSubstr("the manager is stopping"));
}

TEST_F(LongReplyTest, PartsThatAreNotAsLongAsWasSaidEndTheChannel) {
  const wire::Buffer payload = packed_text(text_of(300'000));
  for (const std::size_t second : {std::size_t{0}, std::size_t{100}, std::size_t{250'000}}) {
    for (const bool more : {false, true}) {
      if (second == 100 && more) continue;  // as it may be
      start([&](FakeChannel& channel, const SeenRequest& request) {
        channel.say_frame(wire::FrameKind::reply, Code::ok, wire::flag_more, request.header.request,
                          payload.view().first(100'000));
        channel.say_frame(wire::FrameKind::reply_part, Code::ok, more ? wire::flag_more : 0,
                          request.header.request, payload.view().first(second));
      });
      EXPECT_THAT(error_of_at<ConnectionError>(), HasSubstr("the parts of a reply")) << second << more;
      list_.reset();
      session_.reset();
    }
  }
}

}  // namespace
}  // namespace tandem::client
