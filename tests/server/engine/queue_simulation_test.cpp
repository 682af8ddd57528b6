// Thousands of workers that put, get, take on lease, give up and die, in an order that a seed decides, against one queue
// after the other. No item is lost or handled twice, nobody waits who could be served, nobody overtakes.
//
// A failure names its seed; TANDEM_SEED=that runs it alone.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"
#include "tests/server/engine/seeds.hpp"

namespace tandem::test {
namespace {

using Do = ops::QueueOperations;
using server::Ticket;

constexpr SessionId observer = 1;

class QueueSimulation {
 public:
  static constexpr std::uint64_t seeds = 300;
  static constexpr int steps = 600;

  explicit QueueSimulation(std::uint64_t seed) : random_(seed) {
    maxsize_ = below(3) == 0 ? 0 : 1 + below(4);
    switch (below(3)) {
      case 0: queue_ = host_.make_named<ops::Queue>("queue", maxsize_); break;
      case 1: queue_ = host_.make_named<ops::LifoQueue>("queue", maxsize_); break;
      default: queue_ = host_.make_named<ops::PriorityQueue>("queue", maxsize_); sorted_ = true;
    }
  }

  void run() {
    for (int i = 0; i < steps && !::testing::Test::HasFatalFailure(); ++i) {
      one_step();
      check();
    }
    finish();
  }

 private:
  enum class Item { asked, put, leased, handled };  // asked: its putter has no answer yet, or none any more
  enum class Kind { put, get, lease, join };
  struct Asked {
    SessionId session = 0;
    std::uint16_t op = 0;
    std::vector<int> items;  // to be put
  };
  struct Leased {
    SessionId session = 0;
    int item = 0;
  };

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  SessionId worker() {
    auto at = workers_.begin();
    std::advance(at, below(workers_.size()));
    return *at;
  }

  void one_step() {
    now_ns_ += below(2'000);
    if (workers_.empty() || (workers_.size() < 5 && below(15) == 0)) {
      workers_.insert(next_worker_);
      return host_.open(next_worker_++);
    }
    const SessionId session = worker();
    switch (below(20)) {
      case 0: return die(session);
      case 1: host_.engine().step(server::Tick{now_ns_}); return deliver();
      case 2:
        host_.engine().step(server::Cancel{below(host_.engine().waits().next_ticket())});
        return deliver();
      case 3:
      case 4:
      case 5:
      case 6: return ask<Do::Put>(session, {next_item_++});
      case 7:
      case 8: {
        std::vector<int> batch;
        for (std::uint64_t count = below(6); count != 0; --count) batch.push_back(next_item_++);
        return ask<Do::PutMany>(session, batch);
      }
      case 9:
      case 10: return ask<Do::Get>(session, {});
      case 11: return ask<Do::GetMany>(session, {});
      case 12:
      case 13:
      case 14: return ask<Do::GetLeased>(session, {});
      case 15: return ask<Do::Join>(session, {});
      default: return end_lease(session);
    }
  }

  Packed limit() {
    switch (below(4)) {
      case 0: return pack(0);
      case 1: return pack(1 + below(50));
      default: return pack(nullptr);
    }
  }
  template <class Op>
  void ask(SessionId session, const std::vector<int>& items) {
    for (int item : items) items_[item] = Item::asked;
    std::vector<Packed> arguments;
    if constexpr (std::is_same_v<Op, Do::Put>) arguments.push_back(pack(items[0]));
    if constexpr (std::is_same_v<Op, Do::PutMany>) arguments.push_back(list_of(items));
    if constexpr (std::is_same_v<Op, Do::GetMany> || std::is_same_v<Op, Do::GetLeased>)
      arguments.push_back(pack(1 + below(3)));
    arguments.push_back(limit());
    const Asked asked{session, Op::description.number, items};
    const Packed packed = list_of(arguments);
    wire::Buffer reply;
    const server::Outcome outcome =
        host_.engine().step(server::Call{session, static_cast<std::uint32_t>(below(3)), queue_, asked.op,
                                         packed.bytes(), 0, now_ns_},
                            reply);
    if (outcome.parked != 0) waiting_[outcome.parked] = asked;
    else answered(asked, outcome.code, reply.view());
    deliver();
  }

  void deliver() {
    server::Deliveries taken;
    host_.engine().take_deliveries(taken);
    for (const auto& one : taken.all()) {
      auto node = waiting_.extract(one.ticket);
      ASSERT_FALSE(node.empty()) << "nobody waits with ticket " << one.ticket;
      const bool served = was_served(node.mapped(), taken.payload(one));
      for (const auto& [ticket, other] : waiting_) {
        const bool overtaken = served && ticket < one.ticket && same_line(other, node.mapped());
        EXPECT_FALSE(overtaken) << "ticket " << ticket << " by ticket " << one.ticket;
      }
      answered(node.mapped(), one.code, taken.payload(one));
    }
  }
  static Kind kind_of(std::uint16_t op) {
    if (op == Do::Put::description.number || op == Do::PutMany::description.number) return Kind::put;
    if (op == Do::Join::description.number) return Kind::join;
    return op == Do::GetLeased::description.number ? Kind::lease : Kind::get;
  }
  static bool same_line(const Asked& a, const Asked& b) {
    auto line = [](const Asked& one) { return kind_of(one.op) == Kind::lease ? Kind::get : kind_of(one.op); };
    return line(a) == line(b);
  }
  static bool was_served(const Asked& asked, wire::Bytes reply) {
    const auto json = nlohmann::json::from_msgpack(std::string(wire::as_text(reply)));
    if (json.is_boolean()) return json.get<bool>();
    if (json.is_number()) return json.get<std::size_t>() == asked.items.size();
    return !json.empty();
  }

  void answered(const Asked& asked, Code code, wire::Bytes reply) {
    ASSERT_EQ(code, Code::ok) << wire::as_text(reply);
    const auto json = nlohmann::json::from_msgpack(std::string(wire::as_text(reply)));
    if (asked.op == Do::Put::description.number) return was_put(asked, json.get<bool>() ? 1 : 0);
    if (asked.op == Do::PutMany::description.number) return was_put(asked, json.get<std::size_t>());
    if (asked.op == Do::Join::description.number) return;
    for (const auto& one : json) {
      if (asked.op != Do::GetLeased::description.number) {
        handled(one.get<int>());
        ++to_tell_done_;
        continue;
      }
      const int item = one.at(2).get<int>();
      EXPECT_EQ(one.at(1).get<int>(), ++deliveries_[item]) << "of item " << item;
      taken(item, Item::leased);
      leases_[one.at(0).get<std::int64_t>()] = {asked.session, item};
    }
  }
  /// An item of a batch may be taken before its putter, who waits with the rest, has an answer.
  void was_put(const Asked& asked, std::size_t count) {
    for (std::size_t i = 0; i < asked.items.size(); ++i) {
      Item& state = items_.at(asked.items[i]);
      EXPECT_TRUE(i < count || state == Item::asked) << "item " << asked.items[i] << " was not put";
      if (i < count && state == Item::asked) state = Item::put;
    }
  }
  void taken(int item, Item state) {
    EXPECT_TRUE(items_.at(item) == Item::asked || items_.at(item) == Item::put)
        << "item " << item << " twice";
    items_[item] = state;
  }
  void handled(int item) { taken(item, Item::handled); }

  void end_lease(SessionId session) {
    std::vector<std::int64_t> ids;
    for (const auto& [id, lease] : leases_)
      if (lease.session == session && below(2) == 0) ids.push_back(id);
    const bool done = below(3) != 0;
    host_.as(session);
    const Reply reply =
        done ? host_.call<Do::Done>(queue_, list_of(ids)) : host_.call<Do::GiveBack>(queue_, list_of(ids));
    ASSERT_EQ(reply.code, Code::ok) << reply.text();
    for (std::int64_t id : ids) {
      const int item = leases_.at(id).item;
      items_[item] = Item::put;
      if (done) handled(item);
      leases_.erase(id);
    }
    if (below(3) == 0 && to_tell_done_ != 0) {
      EXPECT_EQ((host_.call<Do::TaskDone>(queue_, to_tell_done_)), gives_nothing());
      to_tell_done_ = 0;
    }
    deliver();
  }

  void die(SessionId session) {
    std::erase_if(waiting_, [&](const auto& one) { return one.second.session == session; });
    std::erase_if(leases_, [&](const auto& one) {
      if (one.second.session == session) items_[one.second.item] = Item::put;
      return one.second.session == session;
    });
    workers_.erase(session);
    host_.close(session);
    deliver();
  }

  nlohmann::json ask_observer(const Reply& reply) {
    EXPECT_EQ(reply.code, Code::ok) << reply.text();
    return nlohmann::json::from_msgpack(reply.value.encoded);
  }
  void check() {
    host_.as(observer);
    const auto inside = ask_observer(host_.call<Do::Page>(queue_, 0, 10'000)).at(1).get<std::vector<int>>();
    EXPECT_TRUE(!sorted_ || std::is_sorted(inside.begin(), inside.end()));
    std::set<int> present(inside.begin(), inside.end());
    EXPECT_EQ(present.size(), inside.size()) << "an item is in the queue twice";
    for (const auto& [item, state] : items_) {
      const bool there = present.count(item) != 0;
      EXPECT_TRUE(state == Item::asked || there == (state == Item::put)) << "item " << item;
    }
    EXPECT_EQ(ask_observer(host_.call<Do::Leased>(queue_)), leases_.size());
    const std::uint64_t unfinished = ask_observer(host_.call<Do::Unfinished>(queue_));
    EXPECT_EQ(unfinished, inside.size() + leases_.size() + to_tell_done_);
    for (const auto& [ticket, asked] : waiting_) {
      switch (kind_of(asked.op)) {
        case Kind::put:
          EXPECT_TRUE(maxsize_ != 0 && inside.size() >= maxsize_) << "a putter waits, and there is room";
          break;
        case Kind::join: EXPECT_NE(unfinished, 0u) << "a joiner waits, and all is done"; break;
        default: EXPECT_TRUE(inside.empty()) << "a getter waits, and there is an item";
      }
    }
    EXPECT_EQ(host_.engine().waits().size(), waiting_.size());
    expect_consistent(host_.engine());
  }

  /// All workers die; what is left is drained by one more.
  void finish() {
    while (!workers_.empty()) die(*workers_.begin());
    check();
    host_.as(observer);
    EXPECT_EQ((host_.call<Do::Close>(queue_)), gives_nothing());
    while (true) {
      const Reply reply = host_.call<Do::Get>(queue_);
      if (reply.code == Code::closed) break;
      ASSERT_EQ(reply.code, Code::ok) << reply.text();
      handled(nlohmann::json::from_msgpack(reply.value.encoded).at(0).get<int>());
    }
    for (const auto& [item, state] : items_) EXPECT_NE(state, Item::put) << "item " << item << " is lost";
    EXPECT_EQ(host_.call<ops::Manager::Remove>(ops::Manager::id, "queue"), gives(true));
    EXPECT_EQ(host_.objects(), 0u);
    EXPECT_EQ(host_.memory_bytes(), Host().memory_bytes() + server::Registry::reference_bytes)
        << "the observer's, to the removed queue";
  }

  std::mt19937_64 random_;
  Host host_;
  ObjectId queue_ = 0;
  std::uint64_t maxsize_ = 0;
  bool sorted_ = false;
  std::uint64_t now_ns_ = 1;
  std::set<SessionId> workers_;
  SessionId next_worker_ = observer + 1;
  int next_item_ = 0;
  std::map<int, Item> items_;
  std::map<int, int> deliveries_;
  std::map<Ticket, Asked> waiting_;
  std::map<std::int64_t, Leased> leases_;
  std::uint64_t to_tell_done_ = 0;
};

TEST(QueueSimulation, NoItemIsLostOrHandledTwice) {
  for_each_seed(QueueSimulation::seeds, [](std::uint64_t seed) { QueueSimulation(seed).run(); });
}

}  // namespace
}  // namespace tandem::test
