// Connections, channels and calls against a manager that does what it is told.
#include "client/session/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>
#include <future>
#include <optional>
#include <thread>

#include "tandem/call/call.hpp"
#include "tandem/ops/list.hpp"
#include "tandem/ops/manager.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fake_manager.hpp"

namespace tandem::client {
namespace {

using test::FakeChannel;
using test::FakeManager;
using test::SeenRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const auto answer_42 = [](FakeChannel& channel, const SeenRequest& request) {
  channel.reply_integer(request, 42);
};
constexpr wire::Reference list_17{ops::List::number, 17};

class SessionTest : public ::testing::Test {
 protected:
  void start(FakeManager::Behaviour behaviour) { manager_.emplace(std::move(behaviour)); }
  void connect(std::chrono::milliseconds call_timeout = {}) {
    session_ = Session::open(manager_->connector(),
                             {.connect_timeout = std::chrono::hours(1), .call_timeout = call_timeout});
    list_ = std::make_shared<RemoteObject>(session_, list_17, false);
  }
  /// list.size(): one request, an integer back.
  std::int64_t size() {
    Call call(*list_, ops::List::Size::description, 0);
    std::int64_t value = 0;
    EXPECT_TRUE(call.send().reader.int64(value));
    return value;
  }
  /// list.append(text).
  void append(std::string_view text) {
    Call call(*list_, ops::List::Append::description, 1);
    call.arguments().writer.text(text);
    call.send();
  }
  /// The text of the E that list.size() throws.
  template <class E>
  std::string error_of_size() {
    try {
      size();
    } catch (const E& error) {
      return error.what();
    }
    ADD_FAILURE() << "no such exception";
    return "";
  }

  /// size(), again until it is answered within the time limit: a busy machine may take longer.
  std::int64_t size_despite_timeouts() {
    std::optional<std::int64_t> value;
    test::eventually(
        [&] {
          try {
            value = size();
          } catch (const Timeout&) {
          }
          return value.has_value();
        },
        "an answer within the time limit");
    return *value;
  }

  std::optional<FakeManager> manager_;
  SessionPtr session_;
  std::shared_ptr<RemoteObject> list_;
};

// ---- one call -------------------------------------------------------------------------------------------

TEST_F(SessionTest, RequestNamesOperationObjectAndArguments) {
  start(answer_42);
  connect();
  {
    Call call(*list_, ops::List::Insert::description, 2);
    call.arguments().writer.integer(std::int64_t{-1});
    call.arguments().writer.text("x");
    std::int64_t value = 0;
    EXPECT_TRUE(call.send().reader.int64(value));
    EXPECT_EQ(value, 42);
  }
  SeenRequest seen = manager_->requests().at(0);
  EXPECT_EQ(seen.header.op, ops::List::Insert::description.number);
  EXPECT_EQ(seen.header.object, 17u);
  EXPECT_EQ(seen.header.flags, wire::flag_has_read_all);
  EXPECT_EQ(seen.payload, "\x92\xff\xa1x");
}

TEST_F(SessionTest, ACallIsOneSendAndOneReceive) {
  start(answer_42);
  connect(std::chrono::hours(1));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(size(), 42);
  EXPECT_EQ(manager_->sends(), 100u);
  EXPECT_EQ(manager_->receives(), 100u);
}

TEST_F(SessionTest, EveryOutcomeIsTheExceptionOfItsCode) {
  std::atomic<Code> code = Code::ok;
  start([&](FakeChannel& channel, const SeenRequest& request) { channel.refuse(request, code, "because"); });
  connect();
  for (int number = 1; number <= static_cast<int>(Code::shutting_down); ++number) {
    code = static_cast<Code>(number);
    try {
      size();
      ADD_FAILURE() << "no exception for " << name_of(code);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      EXPECT_STREQ(error.what(), "because");
    }
  }
}

TEST_F(SessionTest, ArgumentsThatCannotBeWrittenLeaveNothingBehind) {
  start(answer_42);
  connect();
  try {
    Call call(*list_, ops::List::Append::description, 1);
    call.arguments().writer.text("half of");
    throw ValueError("the user's to_json failed");
  } catch (const ValueError&) {
  }
  EXPECT_EQ(size(), 42);
  EXPECT_EQ(manager_->requests().size(), 1u);
  EXPECT_EQ(session_->channels_count(), 1u);
}

// ---- long messages --------------------------------------------------------------------------------------

TEST_F(SessionTest, LongRequestsTravelInParts) {
  start(answer_42);
  connect();
  std::string text(100'000, ' ');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  append(text);
  SeenRequest seen = manager_->requests().at(0);
  wire::Buffer expected;
  wire::Writer writer(expected);
  writer.array(1);
  writer.text(text);
  EXPECT_TRUE(seen.payload == wire::as_text(expected.view()));
  EXPECT_EQ(seen.frames, (seen.payload.size() + 12 + 4083) / 4084);  // the first frame's header is longer
  EXPECT_EQ(size(), 42);
}

TEST_F(SessionTest, EveryLengthAroundAFrameArrives) {
  start(answer_42);
  connect();
  for (std::size_t length = 4096 - 40; length < 4096 + 10; ++length) {
    append(std::string(length, 'x'));
    EXPECT_EQ(manager_->requests().back().payload.size(), length + 4);
  }
  for (std::size_t length = 2 * 4096 - 60; length < 2 * 4096 + 10; ++length) {
    append(std::string(length, 'x'));
    EXPECT_EQ(manager_->requests().back().payload.size(), length + 4);
  }
}

TEST_F(SessionTest, TooLongARequestIsRefusedBeforeAnythingIsSent) {
  start(answer_42);
  manager_->welcome.message_bytes_max = 10'000;
  connect();
  append(std::string(9'996, 'x'));
  try {
    append(std::string(9'997, 'x'));
    ADD_FAILURE() << "no exception";
  } catch (const ResourceExhausted& error) {
    EXPECT_STREQ(
        error.what(),
        "message_bytes_max: the arguments of list.append on object 17 at fake have 10001 bytes, and the "
        "manager takes at most 10000");
  }
  EXPECT_EQ(size(), 42);
  EXPECT_EQ(manager_->requests().size(), 2u);
}

TEST_F(SessionTest, RepliesInPartsAreJoinedThoughOthersComeBetween) {
  start([](FakeChannel& channel, const SeenRequest& request) {
    std::uint32_t id = request.header.request;
    auto say = [&](wire::FrameKind kind, std::uint32_t to, bool more, std::string_view text) {
      channel.say_frame(kind, Code::ok, more ? wire::flag_more : 0, to, wire::as_bytes(text));
    };
    say(wire::FrameKind::reply, id + 1000, true, "somebody else's");
    say(wire::FrameKind::reply, id, true,
        "\xa6"
        "ab");
    say(wire::FrameKind::reply_part, id + 1000, false, "noise");
    say(wire::FrameKind::reply_part, id, true, "cd");
    say(wire::FrameKind::reply, id + 2000, false, "noise");
    say(wire::FrameKind::reply_part, id, false, "ef");
  });
  connect();
  for (int i = 0; i < 3; ++i) {
    Call call(*list_, ops::List::At::description, 0);
    std::string_view text;
    EXPECT_TRUE(call.send().reader.text(text));
    EXPECT_EQ(text, "abcdef");
  }
}

TEST_F(SessionTest, ALongReplyArrivesWhole) {
  const std::string text(3'000'000, 'y');
  start([&](FakeChannel& channel, const SeenRequest& request) {
    wire::Buffer payload;
    wire::Writer(payload).text(text);
    wire::Bytes rest = payload.view();
    auto kind = wire::FrameKind::reply;
    while (!rest.empty()) {
      wire::Bytes part = rest.first(std::min<std::size_t>(rest.size(), 4096 - wire::short_header_bytes));
      rest = rest.subspan(part.size());
      channel.say_frame(kind, Code::ok, rest.empty() ? 0 : wire::flag_more, request.header.request, part);
      kind = wire::FrameKind::reply_part;
    }
  });
  connect();
  Call call(*list_, ops::List::At::description, 0);
  std::string_view found;
  EXPECT_TRUE(call.send().reader.text(found));
  EXPECT_TRUE(found == text);
}

// ---- time limits ----------------------------------------------------------------------------------------

TEST_F(SessionTest, AfterATimeoutTheChannelIsGoodForTheNextCall) {
  std::optional<SeenRequest> unanswered;
  start([&](FakeChannel& channel, const SeenRequest& request) {
    if (!unanswered) {
      unanswered = request;
      return;
    }
    channel.reply_integer(*unanswered, 1);
    channel.reply_integer(request, 2);
  });
  connect(std::chrono::milliseconds(50));
  EXPECT_EQ(error_of_size<Timeout>(),
            "list.size on object 17 at fake: no answer within 50 ms (call_timeout); it may have been done, "
            "or may be "
            "done yet");
  EXPECT_EQ(size_despite_timeouts(), 2);
  EXPECT_EQ(manager_->opened().size(), 1u);
}

TEST_F(SessionTest, ATimeoutOfAnOperationThatWaitsEndsTheSessionAndSaysSo) {
  start([](FakeChannel& channel, const SeenRequest& request) {
    if (request.header.op == ops::List::Size::description.number) channel.reply_integer(request, 42);
  });
  connect(std::chrono::milliseconds(20));
  EXPECT_EQ(size_despite_timeouts(), 42);
  int calls = 0;
  session_->on_session_lost([&](const SessionLost& lost) {
    EXPECT_THAT(lost.what(), HasSubstr("no answer within 20 ms (call_timeout)"));
    ++calls;
  });
  try {
    Call call(*list_, ops::Manager::WaitForChange::description, 0);
    call.wait(std::chrono::microseconds(0), {});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Timeout& timeout) {
    EXPECT_THAT(timeout.what(), HasSubstr("the session has been ended"));
  }
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(error_of_size<SessionLost>(), HasSubstr("no answer within 20 ms (call_timeout)"));
  EXPECT_THAT(error_of_size<SessionLost>(), HasSubstr("make a new Manager"));
  EXPECT_EQ(calls, 1);
}

TEST_F(SessionTest, AfterATimeoutInTheMiddleOfARequestTheRestGoesFirst) {
  std::promise<void> wake_up;
  start([&, asleep = wake_up.get_future().share()](FakeChannel& channel, const SeenRequest& request) {
    asleep.wait();
    channel.reply_integer(request, 42);
  });
  manager_->welcome.message_bytes_max = 100 << 20;
  connect(std::chrono::milliseconds(50));
  EXPECT_THROW(size(), Timeout);
  EXPECT_THROW(append(std::string(30 << 20, 'x')), Timeout);  // more than a socket holds
  EXPECT_THROW(append("of which nothing goes out"), Timeout);
  wake_up.set_value();
  size_despite_timeouts();
  auto seen = manager_->requests();
  EXPECT_EQ(seen.at(1).header.op, ops::List::Append::description.number);
  EXPECT_EQ(seen.at(1).payload.size(), (30u << 20) + 6);
  EXPECT_EQ(seen.at(2).header.op, ops::List::Size::description.number);
  EXPECT_EQ(manager_->opened().size(), 1u);
}

// ---- the end of a channel ---------------------------------------------------------------------------------

TEST_F(SessionTest, ManagerThatGoesInTheMiddleOfACall) {
  start([](FakeChannel& channel, const SeenRequest&) { channel.hang_up(); });
  connect();
  EXPECT_EQ(error_of_size<ConnectionError>(),
            "list.size on object 17 at fake: the manager closed the connection");
}

TEST_F(SessionTest, ReasonOfAFaultFrameIsTold) {
  start(
      [](FakeChannel& channel, const SeenRequest&) { channel.fault(Code::protocol_error, "no such frame"); });
  connect();
  EXPECT_EQ(
      error_of_size<ConnectionError>(),
      "list.size on object 17 at fake: the manager closed the connection: no such frame (protocol_error)");
}

TEST_F(SessionTest, ReasonOfAFaultFrameIsToldThoughSendingFailsFirst) {
  start(answer_42);
  connect();
  manager_->channel(0).fault(Code::shutting_down, "going home");
  EXPECT_EQ(error_of_size<ConnectionError>(),
            "list.size on object 17 at fake: the manager closed the connection: going home (shutting_down)");
}

TEST_F(SessionTest, WhatIsNoFrameEndsTheChannel) {
  using namespace std::string_view_literals;
  constexpr std::string_view said[] = {
      "\xff\xff\xff\xff"sv,                                      // longer than a frame may be
      "\0\0\0\0"sv,                                              // shorter than its header
      "\x08\0\0\0\x63\0\0\0\0\0\0\0"sv,                          // of a kind that is none
      "\x14\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"sv,  // a request
  };
  start(
      [&](FakeChannel& channel, const SeenRequest&) { channel.say(wire::as_bytes(said[channel.number()])); });
  connect();
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(error_of_size<ConnectionError>(), HasSubstr("what is no frame of the protocol"));
  EXPECT_THAT(error_of_size<ConnectionError>(), HasSubstr("a frame that only clients send"));
}

TEST_F(SessionTest, NextCallJoinsTheSessionWithAnotherChannel) {
  start([](FakeChannel& channel, const SeenRequest& request) {
    if (channel.number() == 0) return channel.hang_up();
    channel.reply_integer(request, 42);
  });
  manager_->welcome.secret = {1, 2, 3};
  connect();
  EXPECT_THROW(size(), ConnectionError);
  EXPECT_EQ(size(), 42);
  EXPECT_EQ(manager_->requests().size(), 2u);  // the first was not run again
  client::OpenRequest join = manager_->opened().at(1);
  EXPECT_EQ(join.purpose, wire::Purpose::join);
  EXPECT_EQ(join.session, 1u);
  EXPECT_EQ(join.secret, manager_->welcome.secret);
}

TEST_F(SessionTest, ASessionThatHasEndedIsNotReplacedSilently) {
  start([](FakeChannel& channel, const SeenRequest&) { channel.hang_up(); });
  connect();
  EXPECT_THROW(size(), ConnectionError);
  manager_->admit = [](const OpenRequest&) { throw SessionLost("fake: session 1 has ended"); };
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(error_of_size<SessionLost>(),
              "list.size on object 17 at fake: session 1 has ended; make a new Manager");
}

// ---- threads ----------------------------------------------------------------------------------------------

TEST_F(SessionTest, ThreadsCallAtTheSameTime) {
  std::barrier both_under_way(2);
  start([&](FakeChannel& channel, const SeenRequest& request) {
    both_under_way.arrive_and_wait();
    channel.reply_integer(request, 42);
  });
  connect();
  {
    std::jthread other([&] { EXPECT_EQ(size(), 42); });
    EXPECT_EQ(size(), 42);
  }
  auto seen = manager_->requests();
  EXPECT_NE(seen[0].channel, seen[1].channel);
  EXPECT_NE(seen[0].header.actor, seen[1].header.actor);
}

TEST_F(SessionTest, AThreadKeepsItsActor) {
  start(answer_42);
  connect();
  size();
  size();
  auto seen = manager_->requests();
  EXPECT_EQ(seen[0].header.actor, seen[1].header.actor);
}

TEST_F(SessionTest, ThreadsOneAfterTheOtherShareAChannel) {
  start(answer_42);
  connect();
  for (int i = 0; i < 5; ++i) std::jthread([&] { EXPECT_EQ(size(), 42); }).join();
  EXPECT_EQ(size(), 42);
  EXPECT_EQ(manager_->opened().size(), 1u);
}

TEST_F(SessionTest, AThreadsEndIsToldAndNotWaitedFor) {
  start([](FakeChannel& channel, const SeenRequest& request) {
    if (request.header.op == ops::List::Size::description.number) channel.reply_integer(request, 42);
  });
  connect();
  std::uint32_t actor = 0;
  std::thread([&] {
    EXPECT_EQ(size(), 42);
    actor = this_thread_number();
  }).join();
  const SeenRequest told = manager_->wait_for_requests(2).back();
  EXPECT_EQ(told.header.object, ops::Manager::id);
  EXPECT_EQ(told.header.op, ops::Manager::EndThread::description.number);
  EXPECT_TRUE((told.header.flags & wire::flag_one_way) != 0);
  std::int64_t thread = 0;
  std::uint32_t count = 0;
  wire::Reader reader(wire::as_bytes(told.payload));
  EXPECT_TRUE(reader.array(count) && reader.int64(thread));
  EXPECT_EQ(thread, actor);
}

TEST_F(SessionTest, AThreadsEndIsToldThoughItsChannelBroke) {
  start([](FakeChannel& channel, const SeenRequest& request) {
    if (channel.number() == 1) channel.hang_up();
    else channel.reply_integer(request, 42);
  });
  connect();
  EXPECT_EQ(size(), 42);
  std::thread([&] { EXPECT_THROW(size(), ConnectionError); }).join();
  const auto is_end = [](const SeenRequest& request) {
    return request.header.op == ops::Manager::EndThread::description.number;
  };
  test::eventually(
      [&] {
        const std::vector<SeenRequest> all = manager_->requests();
        return std::any_of(all.begin(), all.end(), is_end);
      },
      "the thread's end to be told");
}

TEST_F(SessionTest, SomeChannelsOfManyThreadsAreKept) {
  constexpr int threads = 20;
  std::barrier all_have_one(threads);
  start(answer_42);
  connect();
  {
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i)
      running.emplace_back([&] {
        Call call(*list_, ops::List::Size::description, 0);
        all_have_one.arrive_and_wait();
        call.send();
      });
  }
  EXPECT_EQ(manager_->opened().size(), 20u);
  EXPECT_EQ(session_->channels_count(), 8u);
  EXPECT_EQ(manager_->wait_for_closed_channels(12).size(), 12u);
}

TEST_F(SessionTest, ACallWithinACallBorrowsAChannel) {
  start(answer_42);
  connect();
  for (int i = 0; i < 3; ++i) {
    Call outer(*list_, ops::List::Append::description, 1);
    EXPECT_EQ(size(), 42);  // as a user's to_json may do
    outer.arguments().writer.integer(std::int64_t{7});
    EXPECT_EQ(size(), 42);
    Decoder& result = outer.send();
    EXPECT_EQ(size(), 42);  // as a user's from_json may do
    std::int64_t value = 0;
    EXPECT_TRUE(result.reader.int64(value));
    EXPECT_EQ(value, 42);
  }
  EXPECT_EQ(manager_->opened().size(), 2u);
  for (const SeenRequest& seen : manager_->requests())
    EXPECT_EQ(seen.channel, seen.header.op == ops::List::Size::description.number ? 1u : 0u);
}

TEST_F(SessionTest, AThreadUsesSeveralConnections) {
  start(answer_42);
  connect();
  auto second = Session::open(manager_->connector(), {});
  auto second_list = std::make_shared<RemoteObject>(second, list_17, false);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(size(), 42);
    Call(*second_list, ops::List::Size::description, 0).send();
  }
  EXPECT_EQ(manager_->opened().size(), 2u);
  second_list.reset();
  second.reset();
  EXPECT_THAT(manager_->wait_for_closed_channels(1), ElementsAre(1u));
  EXPECT_EQ(size(), 42);
}

TEST_F(SessionTest, TheSessionEndsWithTheLastProxy) {
  start(answer_42);
  connect();
  size();
  session_.reset();
  size();
  EXPECT_TRUE(manager_->closed_channels().empty());
  list_.reset();
  EXPECT_EQ(manager_->wait_for_closed_channels(1).size(), 1u);
}

// ---- references -------------------------------------------------------------------------------------------

class ReferenceTest : public SessionTest {
 protected:
  ReferenceTest() {
    start(answer_42);
    connect();
  }
  std::shared_ptr<RemoteObject> hold() { return std::make_shared<RemoteObject>(session_, list_17, true); }
  static void expect_release(const SeenRequest& seen) {
    EXPECT_EQ(seen.header.op, ops::Manager::Release::description.number);
    EXPECT_EQ(seen.header.object, ops::Manager::id);
    EXPECT_EQ(seen.header.flags, wire::flag_one_way);
    EXPECT_EQ(seen.payload, "\x92\x11\x01");
  }
};

TEST_F(ReferenceTest, TheLastCopyGivesItBackAndNobodyWaits) {
  auto held = hold();
  auto copy = held;
  held.reset();
  size();
  EXPECT_EQ(manager_->requests().size(), 1u);
  copy.reset();
  expect_release(manager_->wait_for_requests(2).at(1));
  EXPECT_EQ(manager_->receives(), 1u);
}

TEST_F(ReferenceTest, WhatTheManagerDidNotCountIsNotGivenBack) {
  std::make_shared<RemoteObject>(session_, list_17, false).reset();
  size();
  EXPECT_EQ(manager_->requests().size(), 1u);
}

TEST_F(ReferenceTest, GivenBackWhileACallIsPutTogether) {
  auto held = hold();
  Call call(*list_, ops::List::Append::description, 1);
  call.arguments().writer.text("a");
  held.reset();
  call.send();
  auto seen = manager_->requests();
  expect_release(seen.at(0));
  EXPECT_EQ(seen.at(1).payload,
            "\x91\xa1"
            "a");
}

TEST_F(ReferenceTest, GivenBackByAThreadThatNeverCalled) {
  auto held = hold();
  std::jthread([&] { held.reset(); }).join();
  expect_release(manager_->wait_for_requests(1).at(0));
  EXPECT_EQ(manager_->opened().size(), 1u);
}

TEST_F(ReferenceTest, GivenBackWhileAllChannelsAreInUse) {
  auto held = hold();
  Call under_way(*list_, ops::List::Size::description, 0);
  std::jthread([&] { held.reset(); }).join();
  expect_release(manager_->wait_for_requests(1).at(0));
  EXPECT_EQ(manager_->opened().size(), 2u);
}

TEST_F(ReferenceTest, GivenBackWithTheNextCallWhenNoChannelIsToBeHad) {
  auto held = hold();
  {
    Call under_way(*list_, ops::List::Size::description, 0);
    manager_->admit = [](const OpenRequest&) { throw Timeout("fake: no handshake"); };
    std::jthread([&] { held.reset(); }).join();
    under_way.send();
  }
  EXPECT_EQ(manager_->requests().size(), 1u);
  size();
  expect_release(manager_->requests().at(1));
}

TEST_F(ReferenceTest, GivenBackAfterTheThreadsOwnChannelIsGone) {
  std::jthread([&] {
    // Made before the thread has a channel, so destroyed after it gave that back.
    static thread_local std::shared_ptr<RemoteObject> held;
    held = hold();
    size();
  }).join();
  expect_release(manager_->wait_for_requests(2).at(1));
}

TEST_F(ReferenceTest, TheCallAfterwardsTellsWhyTheManagerIsGone) {
  auto held = hold();
  size();
  manager_->channel(0).fault(Code::shutting_down, "going home");
  held.reset();
  EXPECT_THAT(error_of_size<ConnectionError>(), HasSubstr("going home (shutting_down)"));
}

TEST_F(ReferenceTest, NothingHappensWhenTheManagerIsGone) {
  auto held = hold();
  auto held_elsewhere = hold();
  manager_->channel(0).hang_up();
  EXPECT_THROW(size(), ConnectionError);
  held.reset();
  std::jthread([&] { held_elsewhere.reset(); }).join();
  EXPECT_EQ(manager_->opened().size(), 1u);
}

}  // namespace
}  // namespace tandem::client
