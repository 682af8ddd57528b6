// Batches, over every way to reach a manager.

#include <thread>

#include "tests/support/contract.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;
using Scores = Dict<std::string, int>;

class BatchContract : public ContractTest {};
TANDEM_CONTRACT_SUITE(BatchContract);

TEST_P(BatchContract, OperationsAreDoneInTheirOrder) {
  auto scores = manager().dict<std::string, int>({{"bob", 7}});
  auto log = manager().list<std::string>();
  auto batch = manager().batch();
  batch(scores)["alice"] = 1;
  batch(log).push_back("alice scored");
  auto before = batch.call<ops::Dict::At, int>(scores, "bob");
  batch(scores)["bob"] = 8;
  auto after = batch.call<ops::Dict::At, int>(scores, "bob");
  auto erased = batch.call<ops::Dict::Erase>(scores, "eve");
  EXPECT_EQ(batch.size(), 6u);
  EXPECT_TRUE(log.empty()) << "nothing is done before it is run";
  EXPECT_FALSE(before.ready());
  batch.run();
  EXPECT_EQ(before.get(), 7);
  EXPECT_EQ(after.get(), 8);
  EXPECT_FALSE(erased.get());
  EXPECT_EQ(scores, (std::map<std::string, int>{{"alice", 1}, {"bob", 8}}));
  EXPECT_EQ(log, (std::vector<std::string>{"alice scored"}));
}

TEST_P(BatchContract, CanBeFilledAgain) {
  auto list = manager().list<int>();
  auto batch = manager().batch();
  batch.run();
  batch(list).push_back(1);
  batch.run();
  EXPECT_TRUE(batch.empty());
  batch(list).push_back(2);
  batch.run();
  EXPECT_EQ(list, (std::vector<int>{1, 2}));
}

TEST_P(BatchContract, WhatWasNotRunIsNotDone) {
  auto list = manager().list<int>();
  { manager().batch()(list).push_back(1); }
  EXPECT_TRUE(list.empty());
}

TEST_P(BatchContract, EachErrorIsThatOfItsOperation) {
  auto list = manager().list<int>({1});
  auto batch = manager().batch();
  auto first = batch.call<ops::List::At, int>(list, 5);
  auto second = batch.call<ops::List::At, int>(list, 0);
  auto third = batch.call<ops::List::Erase>(list, 7);
  auto wrong_type = batch.call<ops::List::At, std::string>(list, 0);
  batch.run();
  EXPECT_THAT(error_of<IndexError>([&] { first.get(); }), HasSubstr("list index 5 is out of range"));
  EXPECT_EQ(second.get(), 1);
  error_of<IndexError>([&] { third.get(); });
  error_of<TypeError>([&] { wrong_type.get(); });
}

TEST_P(BatchContract, ErrorsThatNobodyKeepsAreThrownWhenAllIsDone) {
  auto list = manager().list<int>();
  auto batch = manager().batch();
  batch(list).erase(3);
  batch(list).push_back(1);
  batch(list).erase(4);
  (void)batch.call<ops::List::At>(list, 5);
  batch(list).push_back(2);
  const std::string text = error_of<IndexError>([&] { batch.run(); });
  EXPECT_THAT(text, HasSubstr("operation 1 of 5, list.erase on object " + std::to_string(list.id())));
  EXPECT_THAT(text, HasSubstr("and 2 more failed"));
  EXPECT_EQ(list, (std::vector<int>{1, 2}));
}

TEST_P(BatchContract, AllOrNothing) {
  auto list = manager().list<int>({1});
  auto dict = manager().dict<std::string, int>({{"a", 1}, {"b", 2}});
  auto batch = manager().batch();
  batch(list).push_back(2);
  batch(dict).clear();
  auto size = batch.call<ops::List::Size>(list);
  auto failing = batch.call<ops::Dict::At, int>(dict, "a");
  batch(list).push_back(3);
  const std::uint64_t version = list.version();
  const std::string text = error_of<KeyError>([&] { batch.run(all_or_nothing); });
  EXPECT_THAT(text,
              HasSubstr("step 4 of 5, dict.at on object " + std::to_string(dict.id()) + ": no key \"a\""));
  EXPECT_THAT(text, HasSubstr("nothing was changed"));
  EXPECT_EQ(error_of<KeyError>([&] { size.get(); }), text);
  EXPECT_EQ(error_of<KeyError>([&] { failing.get(); }), text);
  EXPECT_EQ(list, (std::vector<int>{1}));
  EXPECT_EQ(dict, (std::map<std::string, int>{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(list.version(), version);

  batch(list).push_back(2);
  auto popped = batch.call<ops::Dict::Pop, int>(dict, "a");
  batch.run(all_or_nothing);
  EXPECT_EQ(popped.get(), 1);
  EXPECT_EQ(list, (std::vector<int>{1, 2}));
}

TEST_P(BatchContract, AllOrNothingRefusesWhatCannotBeUndone) {
  auto list = manager().list<int>();
  auto event = manager().event();
  auto batch = manager().batch();
  batch(list).push_back(1);
  batch(event).set();
  EXPECT_THAT(error_of<TypeError>([&] { batch.run(all_or_nothing); }), HasSubstr("cannot be undone"));
  EXPECT_TRUE(list.empty());
  EXPECT_FALSE(event.is_set());
  batch(event).set();
  auto is_set = batch.call<ops::Event::IsSet>(event);
  batch.run();
  EXPECT_TRUE(is_set.get());
  auto read = batch.call<ops::Event::IsSet>(event);
  batch.run(all_or_nothing);
  EXPECT_TRUE(read.get()) << "what only reads has nothing to undo";
}

TEST_P(BatchContract, WhoWaitsIsServedOnceAllIsDone) {
  auto list = manager().list<int>();
  const std::uint64_t seen = list.version();
  std::uint64_t told = 0;
  std::jthread watcher([&] { told = list.wait_for_change(seen); });
  wait_for_waiters(1);
  auto batch = manager().batch();
  batch(list).push_back(1);
  (void)batch.call<ops::List::At>(list, 7);
  error_of<IndexError>([&] { batch.run(all_or_nothing); });
  EXPECT_EQ(manager().information().at("waiters"), 1);
  batch(list).push_back(1);
  batch(list).push_back(2);
  batch.run();
  watcher.join();
  EXPECT_EQ(told, seen + 2);
}

TEST_P(BatchContract, AResultIsReadAsItsOwnType) {
  auto dict = manager().dict<std::string, int>({{"a", 1}});
  auto batch = manager().batch();
  auto size = batch.call<ops::Dict::Size>(dict);
  auto found = batch.call<ops::Dict::Find>(dict, "b");
  auto all = batch.call<ops::Dict::Snapshot>(dict);
  auto cleared = batch.call<ops::Dict::Clear>(dict);
  batch.run();
  static_assert(std::is_same_v<decltype(size.get()), const std::int64_t&>);
  EXPECT_EQ(size.get(), 1);
  EXPECT_EQ(found.get(), std::nullopt);
  EXPECT_EQ(all.get(), (nlohmann::json{{"a", 1}}));
  cleared.get();
  EXPECT_TRUE(dict.empty());
}

TEST_P(BatchContract, ProxiesComeAndGoInBatches) {
  auto outer = manager().dict<std::string, List<int>>();
  {
    auto inner = manager().list<int>({1});
    auto batch = manager().batch();
    batch(outer)["x"] = inner;
    auto back = batch.call<ops::Dict::At, List<int>>(outer, "x");
    auto unread = batch.call<ops::Dict::Pop, nlohmann::json>(outer, "x");
    batch.run();
    EXPECT_EQ(back.get(), inner);
    back.get().snapshot();
    EXPECT_EQ(references(inner), 2u) << "ours, and the one read";
  }
  EXPECT_EQ(objects_count(), 1u);
}

TEST_P(BatchContract, WhatIsMadeForItLivesUntilItIsRun) {
  auto outer = manager().dict<std::string, List<int>>();
  {
    auto batch = manager().batch();
    batch(outer)["x"] = manager().list<int>({1});
    batch(manager().list<int>()).push_back(5);
    EXPECT_EQ(objects_count(), 3u);
    batch.run();
    EXPECT_EQ(objects_count(), 2u);
    batch(outer)["y"] = manager().list<int>({1});
  }
  EXPECT_EQ(outer.at("x"), (std::vector<int>{1}));
  EXPECT_EQ(objects_count(), 2u);
}

TEST_P(BatchContract, WhatABatchCannotDoIsRefused) {
  auto dict = manager().dict<std::string, int>({{"a", 1}});
  auto event = manager().event();
  auto batch = manager().batch();
  EXPECT_THAT(error_of<TypeError>([&] { batch(dict).at("a"); }), HasSubstr("batch.call"));
  EXPECT_THAT(error_of<TypeError>([&] { batch(event).wait(); }), HasSubstr("nothing waits in a batch"));
  error_of<ValueError>([&] { batch(Scores()); });
  error_of<ValueError>([&] { (void)batch.call<ops::Dict::Size>(Scores()); });
  auto result = batch.call<ops::Dict::Size>(dict);
  EXPECT_THAT(error_of<ValueError>([&] { result.get(); }), HasSubstr("has not been run"));
  auto elsewhere = make_host(Reach::engine, {});
  Manager other = elsewhere->connect();
  auto others = other.dict<std::string, int>();
  EXPECT_THAT(error_of<ValueError>([&] { batch(others); }), HasSubstr("lives in another"));
}

TEST_P(BatchContract, ARemovedObjectFailsItsOwnOperationsOnly) {
  auto list = manager().list<int>();
  auto gone = manager().list<int>("gone");
  auto batch = manager().batch();
  batch(list).push_back(1);
  auto size = batch.call<ops::List::Size>(gone);
  manager().remove("gone");
  batch.run();
  error_of<ObjectGone>([&] { size.get(); });
  EXPECT_EQ(list.size(), 1u);
}

TEST_P(BatchContract, ManyOperations) {
  auto dict = manager().dict<int, int>();
  auto batch = manager().batch();
  for (int i = 0; i < 10'000; ++i) batch(dict)[i] = i;
  batch.run();
  EXPECT_EQ(dict.size(), 10'000u);
  for (int i = 0; i < 10'000; ++i) (void)batch.call<ops::Dict::Erase>(dict, i);
  batch(dict).update(std::map<int, int>{{1, 1}});
  batch.run(all_or_nothing);
  EXPECT_EQ(dict, (std::map<int, int>{{1, 1}}));
}

}  // namespace
}  // namespace tandem::test
