// Requests that are sent again: what was carried out is answered as before, and carried out once.
#include "server/engine/kept_replies.hpp"

#include <gmock/gmock.h>

#include <random>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"

namespace tandem::test {
namespace {

using server::KeptReplies;
using server::KeptReply;
using server::Lane;
using server::LaneId;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ---- the table, beside a plain one ------------------------------------------------------------------------

/// What a client and a manager that forget nothing would know of one lane.
struct ModelLane {
  std::vector<KeptReply> replies;  // in the order in which they are read
};

std::vector<std::uint32_t> requests_of(const Lane& lane) {
  std::vector<std::uint32_t> requests;
  for (const KeptReply& reply : lane.replies()) requests.push_back(reply.request);
  return requests;
}

class KeptRepliesModel : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(KeptRepliesModel, IsThePlainTable) {
  constexpr std::uint64_t bytes_max = 2'000, all_bytes_max = 3'000;
  std::mt19937_64 random(GetParam());
  auto below = [&](std::uint64_t bound) { return random() % bound; };
  KeptReplies kept;
  std::map<std::pair<std::uint64_t, LaneId>, ModelLane> model;
  for (std::uint64_t session : {1u, 2u}) {
    kept.open(session);
    for (int lane = 1; lane < 3; ++lane) kept.add_lane(session);
    for (LaneId lane : {1u, 2u, 3u}) model[{session, lane}];
  }
  std::uint32_t next = 0xffff'ff00;  // its end is passed
  for (int i = 0; i < 3'000; ++i) {
    auto at = model.begin();
    std::advance(at, below(model.size()));
    auto& [key, wanted] = *at;
    Lane* const lane = kept.find(key.first, key.second);
    ASSERT_NE(lane, nullptr);
    const std::uint32_t known =
        wanted.replies.empty() ? next : wanted.replies[below(wanted.replies.size())].request;
    switch (below(10)) {
      case 0: {
        const bool was = kept.acknowledge(*lane, known);
        EXPECT_EQ(was, !wanted.replies.empty());
        while (was && wanted.replies.front().request != known) wanted.replies.erase(wanted.replies.begin());
        if (was) wanted.replies.erase(wanted.replies.begin());
        break;
      }
      case 1: {
        std::size_t count = below(wanted.replies.size() + 1);
        const std::size_t dropped = kept.acknowledge_all(*lane, count);
        while (count != 0 && wanted.replies[count - 1].one_way) --count;
        EXPECT_EQ(dropped, count);
        wanted.replies.erase(wanted.replies.begin(),
                             wanted.replies.begin() + static_cast<std::ptrdiff_t>(count));
        break;
      }
      case 2:
        if (!wanted.replies.empty()) {
          kept.move_to_end(*lane, known);
          const auto found = std::find_if(wanted.replies.begin(), wanted.replies.end(),
                                          [&](const KeptReply& one) { return one.request == known; });
          std::rotate(found, found + 1, wanted.replies.end());
        }
        break;
      default: {
        KeptReply reply;
        reply.request = next++;
        reply.one_way = below(3) == 0;
        const std::string payload(reply.one_way ? 0 : below(300), 'x');
        const std::size_t place = below(3) == 0 ? below(wanted.replies.size() + 1) : wanted.replies.size();
        std::uint64_t bytes = 0;
        for (const auto& [other, of_lane] : model)
          if (other.first == key.first)
            for (const KeptReply& one : of_lane.replies)
              bytes += KeptReplies::reply_bytes + one.payload.size();
        EXPECT_EQ(kept.memory_bytes(key.first), bytes);
        const std::size_t cut = below(payload.size() + 1);
        const wire::Bytes whole = wire::as_bytes(payload);
        const std::uint64_t more = KeptReplies::reply_bytes + payload.size();
        const bool fits = bytes + more <= bytes_max && kept.memory_bytes() + more <= all_bytes_max;
        kept.keep(*lane, place, reply, whole.first(cut), whole.subspan(cut), {bytes_max, all_bytes_max});
        if (fits) reply.payload = payload;
        else reply.lost = payload.size();
        wanted.replies.insert(wanted.replies.begin() + static_cast<std::ptrdiff_t>(place), reply);
      }
    }
    ASSERT_EQ(lane->replies().size(), wanted.replies.size());
    for (std::size_t j = 0; j < wanted.replies.size(); ++j) {
      const KeptReply& one = lane->replies()[j];
      EXPECT_EQ(std::tuple(one.request, one.one_way, one.payload, one.lost),
                std::tuple(wanted.replies[j].request, wanted.replies[j].one_way, wanted.replies[j].payload,
                           wanted.replies[j].lost));
      EXPECT_EQ(lane->find(one.request), &one);
    }
    EXPECT_EQ(lane->find(next), nullptr);
  }
  const std::uint64_t of_first = kept.memory_bytes(1);
  EXPECT_EQ(kept.memory_bytes(), of_first + kept.memory_bytes(2));
  kept.close(2);
  EXPECT_EQ(kept.memory_bytes(), of_first);
  EXPECT_EQ(kept.find(2, 1), nullptr);
  for (LaneId lane : {1u, 2u, 3u}) kept.end_lane(1, lane);
  EXPECT_EQ(kept.memory_bytes(), 0u);
  EXPECT_EQ(kept.find(1, 1), nullptr);
  EXPECT_EQ(kept.next_lane(1), 4u);  // no lane is given twice
}

INSTANTIATE_TEST_SUITE_P(Seeds, KeptRepliesModel, ::testing::Range(std::uint64_t{1}, std::uint64_t{6}));

// ---- in the engine ----------------------------------------------------------------------------------------

class LaneTest : public ::testing::Test {
 protected:
  LaneTest() {
    host_.engine().step(server::SessionOpened{7, 0, 0, {}, true});
    host_.as(7);
    list_ = host_.make_named<ops::List>("list", list());
    queue_ = host_.make_named<ops::Queue>("queue");
    dict_ = host_.make_named<ops::Dict>("dict");
  }

  struct Sent {
    Reply reply;
    server::Outcome outcome;
  };
  server::Call call(std::uint32_t request, ObjectId object, std::uint16_t op, const Packed& arguments) {
    server::Call made{7, 1, object, op, arguments.bytes()};
    made.sent_as = {lane_, request};
    return made;
  }
  Sent send(const server::Call& call) {
    wire::Buffer out;
    const server::Outcome outcome = host_.engine().step(call, out);
    return {{outcome.code, {std::string(wire::as_text(out.view()))}}, outcome};
  }
  Sent append(std::uint32_t request, int item, bool again = false, bool has_read_all = false) {
    const Packed arguments = list(item);
    server::Call made = call(request, list_, ops::List::Append::description.number, arguments);
    if (again) made.flags |= wire::flag_again;
    if (has_read_all) made.flags |= wire::flag_has_read_all;
    return send(made);
  }
  Sent pop(std::uint32_t request, bool again = false) {
    const Packed arguments = list(-1);
    server::Call made = call(request, list_, ops::List::Pop::description.number, arguments);
    if (again) made.flags |= wire::flag_again;
    return send(made);
  }
  Sent get(std::uint32_t request, bool again = false) {
    const Packed arguments = list();
    server::Call made = call(request, queue_, ops::Queue::Get::description.number, arguments);
    if (again) made.flags |= wire::flag_again;
    return send(made);
  }
  void put(std::uint32_t request, int item) {
    const Packed arguments = list(item);
    (void)send(call(request, queue_, ops::Queue::Put::description.number, arguments));
  }
  std::uint64_t length() {
    const Reply reply = host_.call<ops::List::Size>(list_);
    std::uint64_t count = 0;
    wire::Reader(reply.value.bytes()).uint64(count);
    return count;
  }
  std::vector<std::uint32_t> kept() { return requests_of(*host_.engine().kept().find(7, lane_)); }

  Host host_;
  LaneId lane_ = 1;
  ObjectId list_ = 0, queue_ = 0, dict_ = 0;
};

TEST_F(LaneTest, WhatIsSentAgainIsAnsweredAsBeforeAndNotCarriedOut) {
  EXPECT_EQ(append(1, 10).reply, gives_nothing());
  EXPECT_EQ(append(2, 20).reply, gives_nothing());
  EXPECT_EQ(pop(3).reply, gives(20));
  EXPECT_EQ(pop(3, true).reply, gives(20));
  EXPECT_EQ(append(1, 10, true).reply, gives_nothing());
  EXPECT_EQ(length(), 1u);
}

TEST_F(LaneTest, WhatWasNeverCarriedOutIsCarriedOutThoughItIsSentAgain) {
  EXPECT_EQ(append(5, 1, true).reply, gives_nothing());
  EXPECT_EQ(length(), 1u);
  EXPECT_EQ(append(5, 1, true).reply, gives_nothing());
  EXPECT_EQ(length(), 1u);
}

TEST_F(LaneTest, AFailureThatChangedSomethingIsKeptAsWell) {
  const Sent failed =
      pop(1);  // of an empty list; an operation that writes is recorded, whatever becomes of it
  EXPECT_EQ(failed.reply.code, Code::index_error);
  append(2, 1);
  EXPECT_EQ(pop(1, true).reply.code, Code::index_error);
  EXPECT_EQ(pop(1, true).reply.text(), failed.reply.text());
  EXPECT_EQ(length(), 1u);
}

TEST_F(LaneTest, ReadsAreNotKept) {
  const Packed none = list();
  const Sent size = send(call(1, list_, ops::List::Size::description.number, none));
  EXPECT_FALSE(size.outcome.changed);
  EXPECT_THAT(kept(), ElementsAre());
}

TEST_F(LaneTest, WithoutALaneNothingIsKept) {
  lane_ = 0;
  EXPECT_EQ(append(1, 1, true).reply, gives_nothing());
  EXPECT_EQ(append(1, 1, true).reply, gives_nothing());
  EXPECT_EQ(length(), 2u);
  EXPECT_EQ(host_.engine().kept().memory_bytes(), 0u);
}

TEST_F(LaneTest, ARequestThatHasReadAllDropsWhatCameBeforeIt) {
  append(1, 1);
  append(2, 2);
  append(3, 3, false, true);
  EXPECT_THAT(kept(), ElementsAre(3u));
}

TEST_F(LaneTest, OneWayRequestsBehindTheLastReplyAreNotDropped) {
  const Packed released = list(list_, 1);
  auto release = [&](std::uint32_t request) {
    server::Call made = call(request, ops::Manager::id, ops::Manager::Release::description.number, released);
    made.flags |= wire::flag_one_way;
    (void)send(made);
  };
  release(1);
  append(2, 1);
  release(3);
  append(4, 2, false, true);  // its client has not read anything behind 2
  EXPECT_THAT(kept(), ElementsAre(3u, 4u));
  append(5, 3, false, true);
  EXPECT_THAT(kept(), ElementsAre(5u));
}

TEST_F(LaneTest, AnAcknowledgementDropsTheReplyAndThoseBeforeIt) {
  for (std::uint32_t request : {1u, 2u, 3u, 4u}) append(request, 1);
  EXPECT_TRUE(host_.engine().step(server::Acknowledged{7, {1, 2}}));
  EXPECT_THAT(kept(), ElementsAre(3u, 4u));
  EXPECT_FALSE(host_.engine().step(server::Acknowledged{7, {1, 2}}));
  // 3 is sent again: it will be read behind 4.
  append(3, 1, true);
  EXPECT_TRUE(host_.engine().step(server::Acknowledged{7, {1, 4}}));
  EXPECT_THAT(kept(), ElementsAre(3u));
}

TEST_F(LaneTest, AWaitThatIsSentAgainIsTheSameWait) {
  const Sent first = get(1);
  EXPECT_NE(first.outcome.parked, 0u);
  const Sent again = get(1, true);
  EXPECT_EQ(again.outcome.parked, first.outcome.parked);
  EXPECT_FALSE(again.outcome.changed);
  EXPECT_EQ(host_.engine().waits().size(), 1u);
}

TEST_F(LaneTest, AWaitThatWasAnsweredMeanwhileIsAnsweredSoAgain) {
  get(1);
  put(2, 42);
  const Sent again = get(1, true);
  EXPECT_EQ(again.reply, gives(list(42)));
  EXPECT_EQ(again.outcome.parked, 0u);
  put(3, 43);
  EXPECT_EQ(get(1, true).reply, gives(list(42)));
}

/// The client reads the reply to the put before the item of the get that the same step has answered.
TEST_F(LaneTest, RepliesToWaitsComeBehindThatOfTheStep) {
  get(1);
  put(2, 42);
  EXPECT_THAT(kept(), ElementsAre(2u, 1u));
  host_.engine().step(server::Acknowledged{7, {1, 2}});
  EXPECT_EQ(get(1, true).reply, gives(list(42)));
}

TEST_F(LaneTest, TheEndOfALaneCancelsItsWaitsAndDropsItsReplies) {
  host_.engine().step(server::LaneOpened{7});
  lane_ = 2;
  get(1);
  append(2, 1);
  lane_ = 1;
  const Sent other = get(3);
  host_.engine().step(server::LaneEnded{7, 2});
  EXPECT_EQ(host_.engine().kept().find(7, 2), nullptr);
  ASSERT_EQ(host_.engine().waits().size(), 1u);
  EXPECT_NE(host_.engine().waits().find(other.outcome.parked), nullptr);
  put(4, 5);
  EXPECT_EQ(get(3, true).reply, gives(list(5)));  // nobody took it for the lane that has ended
}

TEST_F(LaneTest, WhatIsTooMuchToKeepIsToldSo) {
  Limits limits;
  limits.replies_kept_bytes_max = 1'000;
  host_.engine().step(server::Started{host_.engine().server_info(), limits});
  const Packed text = list(std::string(2'000, 'x'));
  (void)send(call(1, list_, ops::List::Append::description.number, text));
  EXPECT_EQ(pop(2).reply, gives(std::string(2'000, 'x')));
  const Sent again = pop(2, true);
  EXPECT_EQ(again.reply.code, Code::reply_lost);
  EXPECT_THAT(again.reply.text(), HasSubstr("carried out"));
  EXPECT_THAT(again.reply.text(), HasSubstr("replies_kept_bytes_max (1000)"));
  EXPECT_EQ(length(), 0u);
}

/// It would fill the memory, of which nothing here counts.
TEST_F(LaneTest, AClientThatNeverSaysWhatItHasReadIsRefused) {
  Limits limits;
  limits.requests_under_way_max = 10;
  host_.engine().step(server::Started{host_.engine().server_info(), limits});
  std::uint32_t request = 0;
  Sent last = append(++request, 1);
  while (last.reply.code == Code::ok && request < 10'000) last = append(++request, 1);
  EXPECT_EQ(last.reply.code, Code::resource_exhausted);
  EXPECT_FALSE(last.outcome.changed);
  EXPECT_THAT(last.reply.text(), HasSubstr("requests_under_way_max (10)"));
  EXPECT_EQ(length(), request - 1);
  EXPECT_EQ(append(1, 1, true).reply, gives_nothing());  // what is known is still answered
  host_.engine().step(server::Acknowledged{7, {1, request - 1}});
  EXPECT_EQ(append(request, 1).reply, gives_nothing());
}

TEST_F(LaneTest, ASessionsEndTakesAllWithIt) {
  append(1, 1);
  get(2);
  host_.close(7);
  EXPECT_EQ(host_.engine().kept().memory_bytes(), 0u);
  EXPECT_EQ(host_.engine().waits().size(), 0u);
}

TEST_F(LaneTest, IsSavedAndLoaded) {
  append(1, 10);
  get(2);
  get(3);
  put(4, 42);
  host_.tick_until_clean();
  const Packed saved = host_.saved();
  Host loaded;
  server::Engine engine({}, Host::server_info(), server::hosted_types());
  ASSERT_TRUE(engine.load(pieces_of(saved.encoded, 7)));
  EXPECT_EQ(test::saved(engine), saved);
  wire::Buffer out;
  const Packed none = list();
  server::Call again = call(2, queue_, ops::Queue::Get::description.number, none);
  again.flags |= wire::flag_again;
  const server::Outcome outcome = engine.step(again, out);
  EXPECT_EQ(outcome.code, Code::ok);
  EXPECT_EQ(Packed{std::string(wire::as_text(out.view()))}, list(42));
  again.sent_as.request = 3;
  EXPECT_NE(engine.step(again, out).parked, 0u);
}

}  // namespace
}  // namespace tandem::test
