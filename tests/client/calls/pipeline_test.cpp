// Pipelines, over every kind of channel.

#include "tandem/pipeline.hpp"

#include <signal.h>

#include <future>
#include <limits>
#include <map>

#include "client/session/session.hpp"
#include "tests/support/child.hpp"
#include "tests/support/contract.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fake_manager.hpp"

namespace tandem::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Scores = Dict<std::string, int>;

class Pipelines : public ContractTest {
 protected:
  static std::size_t channels_of(const Proxy& proxy) { return proxy.remote()->session()->channels_count(); }
};
TANDEM_CHANNEL_SUITE(Pipelines);

TEST_P(Pipelines, OperationsAreDoneInTheirOrder) {
  auto scores = manager().dict<std::string, int>({{"bob", 7}});
  auto log = manager().list<std::string>();
  auto pipeline = manager().pipeline();
  pipeline(scores)["alice"] = 1;
  pipeline(log).push_back("alice scored");
  auto before = pipeline.call<ops::Dict::At, int>(scores, "bob");
  pipeline.send<ops::Dict::Set>(scores, "bob", 8);
  auto after = pipeline.call<ops::Dict::At, int>(scores, "bob");
  auto erased = pipeline.call<ops::Dict::Erase>(scores, "eve");
  EXPECT_EQ(pipeline.under_way(), 6u);
  EXPECT_FALSE(before.ready());
  EXPECT_EQ(after.get(), 8);
  EXPECT_TRUE(before.ready()) << "answers come in order";
  EXPECT_EQ(before.get(), 7);
  EXPECT_FALSE(erased.get());
  EXPECT_EQ(pipeline.under_way(), 0u);
  pipeline.wait();
  EXPECT_EQ(scores, (std::map<std::string, int>{{"alice", 1}, {"bob", 8}}));
  EXPECT_EQ(log, (std::vector<std::string>{"alice scored"}));
}

TEST_P(Pipelines, EachErrorIsThatOfItsOperation) {
  auto list = manager().list<int>({1});
  auto pipeline = manager().pipeline();
  auto first = pipeline.call<ops::List::At, int>(list, 5);
  auto second = pipeline.call<ops::List::At, int>(list, 0);
  auto wrong_type = pipeline.call<ops::List::At, std::string>(list, 0);
  auto last = pipeline.call<ops::List::Size>(list);
  pipeline.wait();
  EXPECT_THAT(error_of<IndexError>([&] { first.get(); }), HasSubstr("list index 5 is out of range"));
  EXPECT_EQ(second.get(), 1);
  EXPECT_THAT(error_of<TypeError>([&] { wrong_type.get(); }),
              HasSubstr("list.at on object " + std::to_string(list.id()) + ": asked for text"));
  EXPECT_EQ(last.get(), 1);
}

TEST_P(Pipelines, SumsKeepToTheTypeOfTheirProxy) {
  auto scores = manager().dict<std::string, int>({{"a", std::numeric_limits<int>::max()}});
  auto pipeline = manager().pipeline();
  auto sum = pipeline.call<ops::Dict::Add, int>(scores, "a", 1, std::nullopt);
  pipeline.send<ops::Dict::Add>(scores, "a", 1, std::nullopt);
  EXPECT_THROW(sum.get(), OverflowError);
  EXPECT_THROW(pipeline.wait(), OverflowError);
  EXPECT_EQ(scores["a"], std::numeric_limits<int>::max());
}

TEST_P(Pipelines, ErrorsThatNobodyKeepsAreThrownOnce) {
  auto list = manager().list<int>();
  auto pipeline = manager().pipeline();
  pipeline(list).push_back(0);
  pipeline(list).erase(3);
  pipeline(list).push_back(1);
  pipeline.send<ops::List::At>(list, 4);
  (void)pipeline.call<ops::List::At>(list, 5);
  pipeline(list).push_back(2);
  pipeline.flush();
  auto kept = pipeline.call<ops::List::At>(list, 6);
  EXPECT_THAT(error_of<IndexError>([&] { pipeline.wait(); }),
              AllOf(HasSubstr("operation 2, list.erase on object " + std::to_string(list.id())),
                    HasSubstr("and 2 more failed")));
  pipeline.wait();
  pipeline.flush();
  error_of<IndexError>([&] { kept.get(); });
  EXPECT_EQ(list, (std::vector<int>{0, 1, 2}));
}

TEST_P(Pipelines, WhatGoesOutOfScopeIsDoneAllTheSame) {
  auto list = manager().list<int>({7});
  Future<std::int64_t> size;
  Future<int> none;
  {
    auto pipeline = manager().pipeline();
    pipeline(list).push_back(1);
    size = pipeline.call<ops::List::Size>(list);
    none = pipeline.call<ops::List::At, int>(list, 7);
    pipeline(list).erase(9);
  }
  EXPECT_EQ(list, (std::vector<int>{7, 1}));
  EXPECT_EQ(size.get(), 2);
  error_of<IndexError>([&] { none.get(); });
  EXPECT_FALSE(Future<int>().valid());
  error_of<ValueError>([] { Future<int>().get(); });
}

TEST_P(Pipelines, TheChannelIsUsedAgain) {
  auto list = manager().list<int>();
  { manager().pipeline()(list).push_back(0); }
  const std::size_t channels = channels_of(list);
  for (int i = 1; i < 20; ++i) {
    auto pipeline = manager().pipeline();
    pipeline(list).push_back(i);
    pipeline(list).erase(100);
  }
  EXPECT_EQ(channels_of(list), channels);
  EXPECT_EQ(list.size(), 20u);
  auto first = manager().pipeline();
  auto second = manager().pipeline();
  first(list).push_back(1);
  second(list).push_back(2);
  second = std::move(first);
  EXPECT_EQ(list.size(), 21u) << "the second's own is done when it goes";
  second.wait();
  EXPECT_EQ(list.size(), 22u);
}

TEST_P(Pipelines, AProxyBoundToAPipelineThatHasGoneIsRefused) {
  auto list = manager().list<int>();
  std::optional pipeline = manager().pipeline();
  auto bound = (*pipeline)(list);
  pipeline.reset();
  EXPECT_THAT(error_of<ValueError>([&] { bound.push_back(1); }), HasSubstr("has gone"));
}

// ---- waits --------------------------------------------------------------------------------------------------

TEST_P(Pipelines, WhatWaitsLetsOthersGoOn) {
  auto jobs = manager().queue<int>();
  auto list = manager().list<int>();
  auto pipeline = manager().pipeline();
  auto job = pipeline.call<ops::Queue::Get, std::optional<int>>(jobs);
  auto second = pipeline.call<ops::Queue::Get, std::optional<int>>(jobs);
  pipeline(list).push_back(1);
  auto size = pipeline.call<ops::List::Size>(list);
  EXPECT_EQ(size.get(), 1);
  EXPECT_FALSE(job.ready());
  EXPECT_FALSE(job.wait_for(std::chrono::milliseconds{0}));
  jobs.put(5);
  EXPECT_EQ(job.get(), 5);
  pipeline.send<ops::Queue::Put>(jobs, 6);
  EXPECT_EQ(second.get(), 6);
  auto nothing = pipeline.call<ops::Queue::Get, std::optional<int>>(jobs, 1000);
  EXPECT_EQ(nothing.get(), std::nullopt);
}

TEST_P(Pipelines, AWaitCanBeCancelled) {
  auto jobs = manager().queue<int>();
  auto pipeline = manager().pipeline();
  auto first = pipeline.call<ops::Queue::Get, std::optional<int>>(jobs);
  auto second = pipeline.call<ops::Queue::Get, std::optional<int>>(jobs);
  first.cancel();
  EXPECT_EQ(first.get(), std::nullopt);
  jobs.put(1);
  second.cancel();
  EXPECT_EQ(second.get(), 1) << "it was served before";
  second.cancel();
  auto size = pipeline.call<ops::Queue::Size>(jobs);
  size.cancel();
  EXPECT_EQ(size.get(), 0);
}

TEST_P(Pipelines, WaitsEndWithThePipeline) {
  auto jobs = manager().queue<int>();
  Future<std::optional<int>> served;
  Future<std::optional<int>> not_served;
  {
    auto pipeline = manager().pipeline();
    served = pipeline.call<ops::Queue::Get, std::optional<int>>(jobs);
    not_served = pipeline.call<ops::Queue::Get, std::optional<int>>(jobs);
    pipeline.send<ops::Queue::Put>(jobs, 1);
  }
  EXPECT_EQ(served.get(), 1);
  EXPECT_EQ(not_served.get(), std::nullopt);
  EXPECT_EQ(manager().information().at("waiters"), 0);
}

TEST_P(Pipelines, ALockIsTheThreads) {
  auto lock = manager().lock();
  auto pipeline = manager().pipeline();
  auto grant = pipeline.call<ops::Lock::Acquire, std::pair<std::uint64_t, bool>>(lock);
  EXPECT_NE(grant.get().first, 0u);
  EXPECT_EQ(lock.grant().token, grant.get().first);
  auto list = manager().list<int>();
  auto covered = fenced(list, grant.get().first);
  pipeline(covered).push_back(2);
  pipeline.wait();
  pipeline(lock).unlock();
  pipeline.wait();
  EXPECT_FALSE(lock.locked());
  pipeline(covered).push_back(3);
  EXPECT_THROW(pipeline.wait(), StaleToken);
  EXPECT_EQ(list.size(), 1u);
}

// ---- amounts ------------------------------------------------------------------------------------------------

TEST_P(Pipelines, ManyOperations) {
  constexpr int count = 100'000;
  auto dict = manager().dict<int, int>();
  auto pipeline = manager().pipeline();
  auto fast = pipeline(dict);
  std::vector<Future<int>> found;
  for (int i = 0; i < count; ++i) {
    pipeline.send<ops::Dict::Set>(dict, i, i * 2);
    found.push_back(pipeline.call<ops::Dict::At, int>(dict, i));
  }
  fast.clear();
  pipeline.wait();
  for (int i = 0; i < count; ++i) ASSERT_EQ(found[static_cast<std::size_t>(i)].get(), i * 2);
  EXPECT_TRUE(dict.empty());
}

/// Both sides' buffers are full at once: whoever would only send, or only receive, would never end.
TEST_P(Pipelines, LargeValuesInBothDirections) {
  const std::string large(std::size_t{3} << 20, 'x');
  auto list = manager().list<std::string>();
  auto pipeline = manager().pipeline();
  std::vector<Future<std::string>> found;
  for (int i = 0; i < 20; ++i) {
    pipeline(list).push_back(large + std::to_string(i));
    found.push_back(pipeline.call<ops::List::At, std::string>(list, i));
    found.push_back(pipeline.call<ops::List::At, std::string>(list, 0));
  }
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_EQ(found[i].get(), large + std::to_string(i % 2 == 0 ? i / 2 : 0));
}

TEST_P(Pipelines, LargeValuesWhileOnlyWaitsAreUnderWay) {
  const std::string large(std::size_t{3} << 20, 'x');
  auto jobs = manager().queue<std::string>();
  auto pipeline = manager().pipeline();
  std::vector<Future<std::optional<std::string>>> found;
  for (int i = 0; i < 10; ++i)
    found.push_back(pipeline.call<ops::Queue::Get, std::optional<std::string>>(jobs));
  for (int i = 0; i < 10; ++i) pipeline.send<ops::Queue::Put>(jobs, large + std::to_string(i));
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i].get(), large + std::to_string(i));
}

TEST_P(Pipelines, ManyWaits) {
  constexpr int count = 10'000;
  auto jobs = manager().queue<int>();
  auto pipeline = manager().pipeline();
  std::vector<Future<std::optional<int>>> found;
  for (int i = 0; i < count; ++i) found.push_back(pipeline.call<ops::Queue::Get, std::optional<int>>(jobs));
  pipeline.flush();
  std::vector<int> items(count / 2);
  for (int i = 0; i < count / 2; ++i) items[static_cast<std::size_t>(i)] = i;
  jobs.put_many(items);
  for (std::size_t i = count / 2; i < count; ++i) found[i].cancel();
  for (int i = 0; i < count; ++i) {
    const std::optional<int> expected = i < count / 2 ? std::optional(i) : std::nullopt;
    ASSERT_EQ(found[static_cast<std::size_t>(i)].get(), expected);
  }
}

class FewRequests : public ContractTest {
 protected:
  Limits limits() const override {
    Limits limits;
    limits.requests_under_way_max = 8;
    return limits;
  }
};
TANDEM_CHANNEL_SUITE(FewRequests);

TEST_P(FewRequests, APipelineStaysBelowTheManagersLimit) {
  auto list = manager().list<int>();
  auto jobs = manager().queue<int>();
  auto pipeline = manager().pipeline();
  auto other = manager().pipeline();
  std::vector<Future<std::optional<int>>> waits;
  for (int i = 0; i < 3; ++i) waits.push_back(pipeline.call<ops::Queue::Get, std::optional<int>>(jobs));
  for (int i = 0; i < 1000; ++i) {
    pipeline(list).push_back(i);
    other(list).push_back(i);
  }
  EXPECT_GE(list.size(), 1u) << "others have room";
  for (int i = 0; i < 3; ++i) pipeline.send<ops::Queue::Put>(jobs, i);
  other.wait();
  pipeline.wait();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(waits[static_cast<std::size_t>(i)].get(), i);
  EXPECT_EQ(list.size(), 2000u);
}

// ---- proxies, refusals ----------------------------------------------------------------------------------------

TEST_P(Pipelines, ProxiesComeAndGo) {
  auto outer = manager().dict<std::string, List<int>>();
  {
    auto inner = manager().list<int>({1});
    auto pipeline = manager().pipeline();
    pipeline(outer)["x"] = inner;
    auto back = pipeline.call<ops::Dict::At, List<int>>(outer, "x");
    (void)pipeline.call<ops::Dict::At, List<int>>(outer, "x");
    pipeline.send<ops::Dict::At>(outer, "x");
    auto wrong_type = pipeline.call<ops::Dict::At, int>(outer, "x");
    auto unread = pipeline.call<ops::Dict::Pop, nlohmann::json>(outer, "x");
    pipeline.wait();
    EXPECT_EQ(back.get(), inner);
    EXPECT_EQ(back.get().snapshot(), (std::vector<int>{1}));
    eventually([&] { return references(inner) == 2; }, "our reference and the one read to be all");
    error_of<TypeError>([&] { wrong_type.get(); });
  }
  EXPECT_EQ(objects_count(), 1u);
}

TEST_P(Pipelines, WhatIsMadeForItLivesUntilItIsDone) {
  auto outer = manager().dict<std::string, List<int>>();
  {
    auto pipeline = manager().pipeline();
    pipeline(outer)["x"] = manager().list<int>({1});
    pipeline(manager().list<int>()).push_back(5);
    auto size = pipeline.call<ops::List::Size>(manager().list<int>({1, 2}));
    EXPECT_EQ(objects_count(), 4u);
    pipeline.wait();
    EXPECT_EQ(size.get(), 2);
    eventually([&] { return objects_count() == 2; }, "what was made for the pipeline to go");
  }
  EXPECT_EQ(outer.at("x"), (std::vector<int>{1}));
}

TEST_P(Pipelines, ARemovedObjectFailsItsOwnOperationsOnly) {
  auto list = manager().list<int>();
  auto gone = manager().list<int>("gone");
  auto pipeline = manager().pipeline();
  pipeline(list).push_back(1);
  auto size = pipeline.call<ops::List::Size>(gone);
  pipeline(gone).push_back(1);
  manager().remove("gone");
  EXPECT_THROW(pipeline.wait(), ObjectGone);
  error_of<ObjectGone>([&] { size.get(); });
  EXPECT_EQ(list.size(), 1u);
}

TEST_P(Pipelines, WhatItCannotDoIsRefused) {
  auto dict = manager().dict<std::string, int>({{"a", 1}});
  auto event = manager().event();
  auto pipeline = manager().pipeline();
  EXPECT_THAT(error_of<TypeError>([&] { pipeline(dict).at("a"); }), HasSubstr("pipeline.call"));
  EXPECT_THAT(error_of<TypeError>([&] { pipeline(event).wait(); }), HasSubstr("pipeline.call"));
  error_of<ValueError>([&] { pipeline(Scores()); });
  error_of<ValueError>([&] { (void)pipeline.call<ops::Dict::Size>(Scores()); });
  auto elsewhere = make_host(Reach::engine, {});
  Manager other = elsewhere->connect();
  auto others = other.dict<std::string, int>();
  EXPECT_THAT(error_of<ValueError>([&] { pipeline(others); }), HasSubstr("lives in another"));
  EXPECT_THAT(error_of<ValueError>([&] { pipeline.send<ops::Dict::Clear>(others); }),
              HasSubstr("lives in another"));
  EXPECT_THROW(pipeline.send<ops::Dict::Update>(dict, others), ValueError);
  EXPECT_EQ(pipeline.under_way(), 0u);
  auto size = pipeline.call<ops::Dict::Size>(dict);
  EXPECT_EQ(size.get(), 1) << "nothing of them is left";
}

class ShortMessages : public ContractTest {
 protected:
  Limits limits() const override {
    Limits limits;
    limits.frame_bytes_max = 4096;
    limits.message_bytes_max = 10'000;
    return limits;
  }
};
TANDEM_CHANNEL_SUITE(ShortMessages);

TEST_P(ShortMessages, TravelInParts) {
  auto list = manager().list<std::string>();
  auto pipeline = manager().pipeline();
  std::vector<std::string> texts;
  for (std::size_t bytes = 0; bytes < 9'900; bytes += 97) texts.emplace_back(bytes, 'x');
  for (const std::string& text : texts) pipeline(list).push_back(text);
  EXPECT_THAT(error_of<ResourceExhausted>([&] { pipeline(list).push_back(std::string(10'000, 'x')); }),
              HasSubstr("message_bytes_max"));
  auto all = pipeline.call<ops::List::Snapshot, std::vector<std::string>>(list);
  EXPECT_EQ(all.get(), texts);
}

// ---- a user's code in between ----------------------------------------------------------------------------------

struct Calling {
  static inline std::function<void()> calls;
};
void to_json(nlohmann::json& to, const Calling&) {
  to = 1;
  Calling::calls();
}
void from_json(const nlohmann::json&, Calling&) {
  Calling::calls();
}

TEST_P(Pipelines, CodeThatIsRunForAnOperationCannotUseThePipeline) {
  auto list = manager().list<int>({1});
  auto pipeline = manager().pipeline();
  Calling::calls = [&] { pipeline(list).push_back(1); };
  EXPECT_THAT(error_of<ValueError>([&] { pipeline.send<ops::List::Append>(list, Calling()); }),
              HasSubstr("being put into this pipeline"));
  auto found = pipeline.call<ops::List::At, Calling>(list, 0);
  EXPECT_THAT(error_of<ValueError>([&] { found.get(); }), HasSubstr("being read from this pipeline"));
  Calling::calls = [&] { list.push_back(2); };
  pipeline.send<ops::List::Append>(list, Calling());
  auto again = pipeline.call<ops::List::At, Calling>(list, 0);
  again.get();
  EXPECT_EQ(list.size(), 4u) << "others may be called";
  Calling::calls = {};
}

// ---- the end of a manager, of a session; forks -------------------------------------------------------------------

TEST(PipelineEnds, AKilledManager) {
  Manager manager;
  auto list = manager.list<int>();
  auto jobs = manager.queue<int>();
  auto pipeline = manager.pipeline();
  auto job = pipeline.call<ops::Queue::Get, std::optional<int>>(jobs);
  auto size = pipeline.call<ops::List::Size>(list);
  EXPECT_EQ(size.get(), 0);
  EXPECT_EQ(::kill(manager.information().at("pid").get<pid_t>(), SIGKILL), 0);
  EXPECT_THAT(error_of<ConnectionError>([&] { job.get(); }),
              AllOf(HasSubstr("queue.get on object"), HasSubstr("closed the connection")));
  EXPECT_EQ(size.get(), 0);
  EXPECT_THAT(error_of<ConnectionError>([&] { pipeline(list).push_back(1); }),
              HasSubstr("the pipeline has ended"));
  pipeline.wait();
}

TEST(PipelineEnds, AManagerKilledWhileItIsSentTo) {
  Manager manager;
  auto list = manager.list<int>();
  auto pipeline = manager.pipeline();
  EXPECT_EQ(::kill(manager.information().at("pid").get<pid_t>(), SIGKILL), 0);
  const std::string text = error_of<ConnectionError>([&] {
    while (true) pipeline(list).push_back(1);
  });
  EXPECT_THAT(text, HasSubstr("the pipeline has ended"));
  EXPECT_THAT(error_of<ConnectionError>([&] { pipeline.wait(); }), HasSubstr("more failed"));
}

TEST(PipelineEnds, AChildHasNoPartInIt) {
  Manager manager;
  auto list = manager.list<int>();
  auto jobs = manager.queue<int>();
  auto pipeline = manager.pipeline();
  auto job = pipeline.call<ops::Queue::Get, std::optional<int>>(jobs);
  pipeline.flush();
  pipeline(list).push_back(1);
  auto size = pipeline.call<ops::List::Size>(list);
  {
    Child child([&] {
      EXPECT_THAT(error_of<ConnectionError>([&] { size.get(); }), HasSubstr("forked"));
      EXPECT_THAT(error_of<ConnectionError>([&] { job.get(); }), HasSubstr("forked"));
      EXPECT_THAT(error_of<ConnectionError>([&] { pipeline(list).push_back(2); }), HasSubstr("forked"));
      auto own = manager.pipeline();
      own(list).push_back(3);
      own.wait();
      pipeline = std::move(own);
      EXPECT_EQ(list, (std::vector<int>{3})) << "what the parent has not sent is the parent's to send";
    });
    ASSERT_EQ(child.join(), 0);
  }
  EXPECT_EQ(size.get(), 2);
  jobs.put(5);
  EXPECT_EQ(job.get(), 5);
}

// ---- what a manager sees --------------------------------------------------------------------------------------

class SeenPipelines : public ::testing::Test {
 protected:
  /// The manager answers as `behaviour` says.
  void connect(FakeManager::Behaviour behaviour) {
    manager_.emplace(std::move(behaviour));
    session_ = client::Session::open(manager_->connector(), options_);
    list_ = List<int>(
        std::make_shared<client::RemoteObject>(session_, wire::Reference{ops::List::number, 17}, false));
  }

  Options options_;
  std::optional<FakeManager> manager_;
  client::SessionPtr session_;
  List<int> list_;
};

TEST_F(SeenPipelines, SmallOperationsGoOutTogether) {
  connect([](FakeChannel& channel, const SeenRequest& request) { channel.reply_integer(request, 1); });
  Pipeline pipeline(session_);
  const std::size_t sends = manager_->sends();
  for (int i = 0; i < 200; ++i) pipeline.send<ops::List::Append>(list_, i);
  EXPECT_EQ(manager_->sends(), sends);
  pipeline.flush();
  EXPECT_EQ(manager_->sends(), sends + 1);
  pipeline.wait();
  EXPECT_EQ(pipeline.under_way(), 0u);
}

/// Replies in any order, the parts of several mixed, a reply to nothing in between.
TEST_F(SeenPipelines, RepliesMayComeInAnyOrder) {
  std::vector<SeenRequest> seen;
  connect([&seen](FakeChannel& channel, const SeenRequest& request) {
    seen.push_back(request);
    if (seen.size() != 3) return;
    wire::Buffer whole;
    wire::Writer(whole).text("abcdef");
    channel.say_frame(wire::FrameKind::reply, Code::ok, wire::flag_more, seen[2].header.request,
                      whole.view().first(3));
    channel.say_frame(wire::FrameKind::reply, Code::ok, wire::flag_more, seen[0].header.request,
                      whole.view().first(1));
    channel.say_frame(wire::FrameKind::reply, Code::ok, 0, 123'456, whole.view());
    channel.say_frame(wire::FrameKind::reply_part, Code::ok, 0, seen[2].header.request,
                      whole.view().subspan(3));
    channel.reply_integer(seen[1], 5);
    channel.say_frame(wire::FrameKind::reply_part, Code::ok, wire::flag_more, seen[0].header.request,
                      whole.view().subspan(1, 2));
    channel.say_frame(wire::FrameKind::reply_part, Code::ok, 0, seen[0].header.request,
                      whole.view().subspan(3));
  });
  Pipeline pipeline(session_);
  auto first = pipeline.call<ops::List::At, std::string>(list_, 0);
  auto second = pipeline.call<ops::List::At, int>(list_, 1);
  auto third = pipeline.call<ops::List::At, std::string>(list_, 2);
  EXPECT_EQ(third.get(), "abcdef");
  EXPECT_EQ(second.get(), 5);
  EXPECT_EQ(first.get(), "abcdef");
  pipeline.wait();
}

TEST_F(SeenPipelines, ATimeLimitForAnswers) {
  std::promise<void> may_answer;
  options_.call_timeout = std::chrono::milliseconds{30};
  connect([answer = may_answer.get_future().share()](FakeChannel& channel, const SeenRequest& request) {
    answer.wait();
    channel.reply_integer(request, 5);
  });
  Pipeline pipeline(session_);
  auto size = pipeline.call<ops::List::Size>(list_);
  EXPECT_THAT(error_of<Timeout>([&] { size.get(); }),
              AllOf(HasSubstr("list.size on object 17"), HasSubstr("30 ms (call_timeout)")));
  EXPECT_FALSE(size.ready());
  may_answer.set_value();
  eventually([&] { return size.wait_for(std::chrono::milliseconds{1}); }, "the answer that came later");
  EXPECT_EQ(size.get(), 5) << "the answer came later";
}

TEST_F(SeenPipelines, ATimeLimitForRoom) {
  std::promise<void> may_answer;
  options_.call_timeout = std::chrono::milliseconds{30};
  connect([answer = may_answer.get_future().share()](FakeChannel&, const SeenRequest&) { answer.wait(); });
  {
    Pipeline pipeline(session_);
    EXPECT_THAT(error_of<Timeout>([&] {
                  while (true) pipeline.send<ops::List::Append>(list_, 1);
                }),
                HasSubstr("the pipeline has ended"));
  }
  may_answer.set_value();
}

TEST_F(SeenPipelines, ALostSessionIsToldToAll) {
  connect([](FakeChannel& channel, const SeenRequest&) {
    channel.fault(Code::session_lost, "it held the lock 'a'");
  });
  Pipeline pipeline(session_);
  std::string told;
  session_->on_session_lost([&](const SessionLost& lost) { told = lost.what(); });
  auto size = pipeline.call<ops::List::Size>(list_);
  pipeline.send<ops::List::Clear>(list_);
  EXPECT_THROW(pipeline.wait(), SessionLost);
  EXPECT_THAT(error_of<SessionLost>([&] { size.get(); }), HasSubstr("it held the lock 'a'"));
  EXPECT_THROW(pipeline.send<ops::List::Clear>(list_), SessionLost);
  EXPECT_THAT(told, HasSubstr("the lock 'a'"));
}

}  // namespace
}  // namespace tandem::test
