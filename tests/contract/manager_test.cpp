#include "tests/support/contract.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/eventually.hpp"

namespace tandem {
namespace {

using nlohmann::json;
using test::error_of;
using testing::HasSubstr;

class ManagerContract : public test::ContractTest {
 protected:
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const ObjectInfo& object : manager().objects()) all.push_back(object.name);
    return all;
  }
};
TANDEM_CONTRACT_SUITE(ManagerContract);

// ---- making objects ---------------------------------------------------------------------------------------

TEST_P(ManagerContract, MakesEveryTypeWithContents) {
  EXPECT_EQ((manager().dict<std::string, int>({{"a", 1}})), (std::map<std::string, int>{{"a", 1}}));
  EXPECT_EQ(manager().list<int>({1, 2}), (std::vector<int>{1, 2}));
  EXPECT_EQ(manager().set<int>({1, 2}), (std::set<int>{1, 2}));
  EXPECT_EQ(manager().value<int>(5), 5);
  EXPECT_EQ(manager().array<int>({1, 2}), (std::vector<int>{1, 2}));
  EXPECT_TRUE(manager().ns().empty());
  EXPECT_TRUE(manager().dict().empty());
  EXPECT_TRUE(manager().list().empty());
  EXPECT_TRUE(manager().set().empty());
  EXPECT_EQ(manager().dict(json{{"a", 1}}), (json{{"a", 1}}));
  EXPECT_EQ(manager().list(json{1, "a"}), (json{1, "a"}));
  EXPECT_EQ(objects_count(), 0U) << "each was gone at the end of its line";
}

TEST_P(ManagerContract, MakesObjectsFromOthers) {
  auto list = manager().list<int>({2, 1, 2});
  EXPECT_EQ(manager().set<int>(list), (std::set<int>{1, 2}));
  EXPECT_EQ(manager().list<int>(list), (std::vector<int>{2, 1, 2}));
  auto dict = manager().dict<std::string, int>({{"a", 1}});
  EXPECT_EQ((manager().dict<std::string, int>(dict)), (std::map<std::string, int>{{"a", 1}}));
  EXPECT_EQ(manager().list<std::string>(dict), std::vector<std::string>{"a"});
  EXPECT_THROW((manager().dict<int, int>(list)), TypeError);
}

TEST_P(ManagerContract, ContentsThatCannotBeLeaveNoObjectBehind) {
  EXPECT_THROW((void)manager().set(json{1, {2}}), TypeError);
  EXPECT_THROW((void)manager().set("name", json{1, {2}}), TypeError);
  EXPECT_EQ(objects_count(), 0U);
  EXPECT_FALSE(manager().exists("name"));
}

TEST_P(ManagerContract, IdsAreNeverUsedAgain) {
  std::uint64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t id = manager().list().id();
    EXPECT_GT(id, last);
    last = id;
  }
}

// ---- names ------------------------------------------------------------------------------------------------

TEST_P(ManagerContract, WhoeverSaysTheSameNameMeansTheSameObject) {
  auto hits = manager().dict<std::string, int>("hits", {{"home", 1}});
  auto same = connect().dict<std::string, int>("hits", {{"home", 100}});
  EXPECT_EQ(same["home"], 1) << "contents count only when it is made";
  same["home"] += 1;
  EXPECT_EQ(hits["home"], 2);
  EXPECT_EQ(hits.id(), same.id());
}

TEST_P(ManagerContract, ANamedObjectLivesUntilItIsRemoved) {
  EXPECT_FALSE(manager().exists("l"));
  EXPECT_EQ(manager().list<int>("l", {1}).size(), 1U);
  EXPECT_TRUE(manager().exists("l"));
  EXPECT_EQ(manager().list<int>("l"), std::vector<int>{1}) << "without anyone holding it";
  EXPECT_TRUE(manager().remove("l"));
  EXPECT_FALSE(manager().remove("l"));
  EXPECT_FALSE(manager().exists("l"));
}

TEST_P(ManagerContract, EveryTypeCanHaveAName) {
  (void)manager().dict<int, int>("d");
  (void)manager().list<int>("l");
  (void)manager().set<int>("s", {1});
  (void)manager().ns("n");
  (void)manager().value<int>("v", 1);
  (void)manager().array<int>("a", {1, 2});
  EXPECT_EQ((manager().get<Dict<int, int>>("d").type_name()), "dict");
  EXPECT_EQ(manager().get<List<int>>("l").type_name(), "list");
  EXPECT_EQ(manager().get<Set<int>>("s").type_name(), "set");
  EXPECT_EQ(manager().get<Namespace>("n").type_name(), "namespace");
  EXPECT_EQ(manager().get<Value<int>>("v").type_name(), "value");
  EXPECT_EQ(manager().get<Array<int>>("a").type_name(), "array");
  EXPECT_EQ(objects_count(), 6U);
}

TEST_P(ManagerContract, ANameThatIsAnotherTypesSaysWhichTypeItIs) {
  (void)manager().dict("d");
  EXPECT_THAT(error_of<TypeError>([&] { (void)manager().list("d"); }),
              HasSubstr("\"d\" is a dict, not a list"));
  EXPECT_THAT(error_of<TypeError>([&] { (void)manager().get<Set<>>("d"); }), HasSubstr("dict"));
  EXPECT_THAT(error_of<NotFound>([&] { (void)manager().get<Dict<>>("nobody"); }), HasSubstr("\"nobody\""));
}

TEST_P(ManagerContract, NamesAreTextOfSomeLength) {
  EXPECT_THROW((void)manager().list<int>(std::string_view("")), ValueError);
  EXPECT_THROW((void)manager().list<int>("\xff"), ValueError);
  EXPECT_THAT(error_of<ResourceExhausted>([&] { (void)manager().list<int>(std::string(2000, 'x')); }),
              HasSubstr("name_bytes_max"));
  EXPECT_EQ(manager().list<int>("爸爸", {1}).size(), 1U);
  EXPECT_EQ(names(), std::vector<std::string>{"爸爸"});
}

// ---- references -------------------------------------------------------------------------------------------

TEST_P(ManagerContract, AnObjectLivesAsLongAsItsLastProxy) {
  std::optional<List<int>> first = manager().list<int>({1});
  const std::uint64_t id = first->id();
  std::optional<List<int>> second = first;
  EXPECT_EQ(references(id), 1U) << "copies share one reference";
  first.reset();
  EXPECT_EQ(*second, std::vector<int>{1});
  second.reset();
  EXPECT_FALSE(is_there(id));
}

TEST_P(ManagerContract, EachSessionHoldsItsOwnReferences) {
  auto box = manager().dict("box");
  std::uint64_t id = 0;
  {
    Manager other = connect();
    auto list = other.list<int>({1, 2});
    id = list.id();
    other.dict("box")["list"] = list;
    EXPECT_EQ(references(id), 2U);
    auto ours = box.at<List<int>>("list");
    EXPECT_EQ(references(id), 3U);
    box.erase("list");
    EXPECT_EQ(references(id), 2U);
    EXPECT_NE(ours, manager().list<int>());
    box["list"] = ours;
  }
  // The other session ends with its last handle, which the manager may hear of a little later.
  test::eventually([&] { return references(id) <= 1; }, "the other session to give its reference back");
  EXPECT_EQ(box.at<List<int>>("list"), (std::vector<int>{1, 2}));
  box.clear();
  EXPECT_FALSE(is_there(id));
}

TEST_P(ManagerContract, ProxiesOfOneManagerMeanTheSameInEverySession) {
  Manager other = connect();
  auto list = manager().list<int>("l", {1});
  auto same = other.list<int>("l");
  EXPECT_EQ(list, same);
  auto box = manager().dict<std::string, List<int>>();
  box["l"] = same;
  EXPECT_EQ(box.at("l"), list);
  EXPECT_NE(list, other.list<int>());
}

TEST_P(ManagerContract, WhatASessionHeldAloneGoesWithIt) {
  {
    Manager other = connect();
    auto list = other.list<int>();
    EXPECT_TRUE(is_there(list.id()));
    auto keep_other_until_here = other.dict();
  }
  test::eventually([&] { return objects_count() == 0; }, "the objects of the session that ended to go");
}

TEST_P(ManagerContract, ManyObjectsComeAndGo) {
  for (int round = 0; round < 3; ++round) {
    std::vector<Dict<>> many;
    for (int i = 0; i < 1000; ++i) many.push_back(manager().dict());
    EXPECT_EQ(objects_count(), 1000U);
    many.clear();
    EXPECT_EQ(objects_count(), 0U);
  }
}

// ---- what there is ----------------------------------------------------------------------------------------

TEST_P(ManagerContract, ListsObjectsInTheOrderTheyWereMade) {
  auto d = manager().dict<std::string, int>("d", {{"a", 1}, {"b", 2}});
  auto l = manager().list<List<int>>();
  auto inner = manager().list<int>({1, 2, 3});
  l.push_back(inner);
  const std::vector<ObjectInfo> all = manager().objects();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].name, "d");
  EXPECT_EQ(all[0].type, "dict");
  EXPECT_EQ(all[0].size, 2U);
  EXPECT_EQ(all[0].references, 1U);
  EXPECT_EQ(all[0].id, d.id());
  EXPECT_GT(all[0].memory_bytes, 0U);
  EXPECT_EQ(all[1].name, "");
  EXPECT_EQ(all[1].type, "list");
  EXPECT_EQ(all[1].size, 1U);
  EXPECT_EQ(all[2].id, inner.id());
  EXPECT_EQ(all[2].size, 3U);
  EXPECT_EQ(all[2].references, 2U);
  EXPECT_EQ(manager().objects("dict").size(), 1U);
  EXPECT_EQ(manager().objects("set").size(), 0U);
}

TEST_P(ManagerContract, ListsMoreObjectsThanOnePageHas) {
  std::vector<List<>> many;
  for (int i = 0; i < 2500; ++i) many.push_back(manager().list());
  const std::vector<ObjectInfo> all = manager().objects();
  ASSERT_EQ(all.size(), many.size());
  for (std::size_t i = 0; i < many.size(); ++i) EXPECT_EQ(all[i].id, many[i].id());
}

TEST_P(ManagerContract, AnswersAndSaysWhatItIs) {
  manager().ping();
  auto l = manager().list();
  const json information = manager().information();
  EXPECT_EQ(information.at("objects"), 1);
  EXPECT_GE(information.at("sessions").get<int>(), 1);
  for (const char* name : {"version", "incarnation", "pid", "started_ms", "memory_bytes"})
    EXPECT_TRUE(information.contains(name)) << name;
  EXPECT_FALSE(manager().address().empty());
}

// ---- many at once -----------------------------------------------------------------------------------------

TEST_P(ManagerContract, ThreadsMayUseOneManagerAndItsProxies) {
  auto counts = manager().dict<std::string, int>();
  auto all = manager().list<int>();
  constexpr int threads = 4;
  constexpr int rounds = 200;
  std::vector<std::jthread> workers;
  for (int worker = 0; worker < threads; ++worker)
    workers.emplace_back([&, worker] {
      for (int i = 0; i < rounds; ++i) {
        counts["n"] += 1;
        all.push_back(worker);
        auto own = manager().list<int>({i});
        EXPECT_EQ(own.front(), i);
      }
    });
  workers.clear();
  EXPECT_EQ(counts["n"], threads * rounds);
  EXPECT_EQ(all.size(), std::size_t{threads} * rounds);
  for (int worker = 0; worker < threads; ++worker) EXPECT_EQ(all.count(worker), std::size_t{rounds});
  // The other threads' last words may still be under way.
  test::eventually([&] { return objects_count() == 2; }, "the threads' own objects to go");
}

// ---- references of others ---------------------------------------------------------------------------------

TEST_P(ManagerContract, HoldsWhatASessionIsToldOf) {
  using Remote = std::shared_ptr<client::RemoteObject>;
  auto hold = [](const Manager& by, const nlohmann::json& none, auto... proxies) {
    const client::RemoteObject object(by.session(), {ops::Manager::number, ops::Manager::id}, false);
    client::Call call(object, ops::Manager::Hold::description, 1);
    if (sizeof...(proxies) == 0) write_json(call.arguments().writer, none);
    else call.arguments().writer.array(sizeof...(proxies));
    (Codec<decltype(proxies)>::encode(call.arguments(), proxies), ...);
    std::vector<Remote> held;
    Decoder& from = call.send();
    std::uint32_t count = 0;
    EXPECT_TRUE(from.reader.array(count));
    for (; count != 0; --count) held.push_back(client::ResultOf<ops::Reference, Remote>::decode(from));
    return held;
  };
  const Manager other = connect();
  std::optional list = manager().list<int>({1, 2, 3});
  auto dict = manager().dict();
  const std::uint64_t id = list->id();
  auto held = hold(other, {}, *list, dict, *list);
  EXPECT_EQ(references(*list), 3U);
  EXPECT_EQ(references(dict), 2U);
  list.reset();
  EXPECT_EQ(List<int>(held[0]), (std::vector{1, 2, 3}));
  held.clear();
  test::eventually([&] { return !is_there(id); }, "the list to go");
  EXPECT_TRUE(hold(other, nlohmann::json::array()).empty());
  EXPECT_THROW(hold(other, nlohmann::json{1}), TypeError);
  EXPECT_THROW(hold(other, 1), TypeError);
  auto named = manager().list("named");
  manager().remove("named");
  EXPECT_THROW(hold(other, {}, dict, named), ObjectGone);
  test::eventually([&] { return references(dict) == 1; }, "what was held of the dict to be given back");
}

// ---- limits -----------------------------------------------------------------------------------------------

class SmallManagerContract : public test::ContractTest {
 protected:
  Limits limits() const override {
    Limits limits;
    limits.objects_max = 3;
    limits.name_bytes_max = 5;
    return limits;
  }
};
TANDEM_CONTRACT_SUITE(SmallManagerContract);

TEST_P(SmallManagerContract, MoreObjectsThanAllowedNameTheirLimit) {
  auto a = manager().list();
  auto b = manager().list();
  {
    auto c = manager().list();
    EXPECT_THAT(error_of<ResourceExhausted>([&] { (void)manager().list(); }), HasSubstr("objects_max"));
  }
  auto c = manager().list("named");
  EXPECT_THROW((void)manager().list("other"), ResourceExhausted);
  EXPECT_EQ(manager().list("named"), c) << "getting one that is there is no new object";
  EXPECT_THROW((void)manager().list("longer"), ResourceExhausted);
}

TEST_P(ManagerContract, TellsWhoWaitsAndWhoOwns) {
  Manager other = connect();
  Lock lock = manager().lock("jobs");
  Lock lock_of_other = other.lock("jobs");
  lock.lock();
  EXPECT_TRUE(manager().waits().empty());
  std::jthread waiter([&] { std::lock_guard held(lock_of_other); });
  wait_for_waiters(1);
  const std::vector<WaitInfo> waits = manager().waits();
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_EQ(waits[0].object, lock.id());
  EXPECT_EQ(waits[0].type, "lock");
  EXPECT_EQ(waits[0].name, "jobs");
  EXPECT_EQ(waits[0].operation, "lock.acquire");
  EXPECT_EQ(waits[0].left, std::nullopt);
  const std::vector<HoldingInfo> holdings = manager().holdings();
  ASSERT_EQ(holdings.size(), 1u);
  EXPECT_EQ(holdings[0].object, lock.id());
  EXPECT_EQ(holdings[0].mode, "exclusive");
  EXPECT_EQ(holdings[0].token, lock.grant().token);
  EXPECT_NE(holdings[0].session, waits[0].session);
  EXPECT_TRUE(manager().deadlocks().empty());
  lock.unlock();
}

TEST_P(ManagerContract, TellsOfDeadlocksThatHaveATimeLimit) {
  Lock lock = manager().lock("jobs");
  lock.lock();
  std::stop_source enough;
  std::jthread looker([&] {
    wait_for_waiters(1);
    const std::vector<std::string> deadlocks = manager().deadlocks();
    enough.request_stop();
    ASSERT_EQ(deadlocks.size(), 1u);
    EXPECT_THAT(deadlocks[0], HasSubstr("waits for lock \"jobs\", which it holds itself"));
  });
  EXPECT_FALSE(lock.try_lock_for(std::chrono::hours(1), enough.get_token()));
  lock.unlock();
}

// ---- errors ----------------------------------------------------------------------------------------------

TEST_P(ManagerContract, ErrorsNameTheirObject) {
  auto scores = manager().dict<std::string, std::int8_t>("scores");
  scores["a"] = 127;
  EXPECT_EQ(error_of<KeyError>([&] { (void)scores.at("b"); }), R"(dict "scores": no key "b")");
  EXPECT_EQ(error_of<OverflowError>([&] { scores["a"] += 1; }),
            R"(dict "scores": 128 is out of range for typecode b, at key "a")");
  auto log = manager().list<std::string>("log");
  log.push_back("x");
  EXPECT_THAT(error_of<IndexError>([&] { (void)log.at(5); }),
              testing::StartsWith(R"(list "log": list index 5)"));
  EXPECT_THAT(error_of<TypeError>([&] { List<int>(log.remote())[0] += 1; }),
              testing::AllOf(testing::StartsWith(R"(list "log": )"), testing::EndsWith("at index 0")));
  auto jobs = manager().queue<int>("jobs");
  jobs.close();
  EXPECT_THAT(error_of<Closed>([&] { (void)jobs.get(); }), testing::StartsWith(R"(queue "jobs": )"));
  auto batch = manager().batch();
  auto found = batch.call<ops::Dict::At>(scores, "b");
  batch.run();
  EXPECT_EQ(error_of<KeyError>([&] { found.get(); }), R"(dict "scores": no key "b")");
  EXPECT_THAT(
      error_of<KeyError>([&] { manager().atomically([&](Transaction& tx) { tx(scores).pop("b"); }); }),
      HasSubstr(R"("scores")"));
  auto unnamed = manager().dict();
  EXPECT_EQ(error_of<KeyError>([&] { (void)unnamed.at("b"); }), R"(no key "b")");
}

}  // namespace
}  // namespace tandem
