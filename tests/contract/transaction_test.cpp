// Transactions, over every way to reach a manager.

#include <barrier>
#include <thread>

#include "tests/support/contract.hpp"

namespace tandem::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Accounts = Dict<std::string, int>;

class TransactionContract : public ContractTest {};
TANDEM_CONTRACT_SUITE(TransactionContract);

TEST_P(TransactionContract, WritesTogetherWhatItsFunctionDid) {
  auto alices = manager().dict<std::string, int>({{"cash", 10}});
  auto bobs = manager().dict<std::string, int>({{"cash", 1}});
  auto log = manager().list<std::string>();
  const int left = manager().atomically([&](Transaction& tx) {
    auto from = tx(alices);
    from["cash"] -= 5;
    tx(bobs)["cash"] += 5;
    tx(log).push_back("5 from alice to bob");
    EXPECT_EQ(alices.at("cash"), 10) << "nobody sees anything yet";
    EXPECT_TRUE(log.empty());
    return from.at("cash");
  });
  EXPECT_EQ(left, 5);
  EXPECT_EQ(alices.at("cash"), 5);
  EXPECT_EQ(bobs.at("cash"), 6);
  EXPECT_EQ(log.size(), 1u);
}

TEST_P(TransactionContract, ReadsItsOwnWrites) {
  auto list = manager().list<int>({3, 1, 2});
  auto set = manager().set<int>();
  auto dict = manager().dict<int, int>();
  manager().atomically([&](Transaction& tx) {
    auto l = tx(list);
    l.sort();
    l.push_back(4);
    EXPECT_EQ(l.snapshot(), (std::vector<int>{1, 2, 3, 4}));
    EXPECT_EQ(l.pop(0), 1);
    EXPECT_EQ(l.size(), 3u);
    auto s = tx(set);
    s.update(list);
    EXPECT_EQ(s.size(), 3u) << "an operand is taken as it would be by then";
    tx(dict)[7] = 8;
    std::vector<std::pair<int, int>> seen;
    for (const auto& entry : tx(dict)) seen.push_back(entry);
    EXPECT_EQ(seen, (std::vector<std::pair<int, int>>{{7, 8}}));
  });
  EXPECT_EQ(list, (std::vector<int>{2, 3, 4}));
  EXPECT_EQ(set, (std::set<int>{2, 3, 4}));
  EXPECT_EQ(dict.at(7), 8);
}

TEST_P(TransactionContract, AReadWithAWrittenOperandSeesItAsWritten) {
  auto a = manager().set<int>({1, 2, 3});
  auto b = manager().set<int>({1});
  manager().atomically([&](Transaction& tx) {
    (void)tx(b).insert(2);
    EXPECT_EQ(tx(a).set_intersection(b), (std::set<int>{1, 2}));
  });
}

TEST_P(TransactionContract, EveryContainerTakesPart) {
  auto dict = manager().dict<std::string, int>({{"a", 1}});
  auto list = manager().list<int>({1, 2});
  auto set = manager().set<int>({1, 2});
  auto space = manager().ns();
  auto value = manager().value<int>(1);
  auto array = manager().array<int>({1, 2, 3});
  const auto change = [&](Transaction& tx) {
    tx(dict)["a"] += 1;
    tx(list).reverse();
    tx(set).clear();
    tx(space)["x"] = 5;
    tx(value) += 2;
    tx(array).fill(7);
  };
  EXPECT_THROW(manager().atomically([&](Transaction& tx) {
    change(tx);
    throw std::runtime_error("no");
  }),
               std::runtime_error);
  EXPECT_EQ(dict.at("a"), 1);
  EXPECT_EQ(list, (std::vector<int>{1, 2}));
  EXPECT_EQ(set.size(), 2u);
  EXPECT_TRUE(space.empty());
  EXPECT_EQ(value, 1);
  EXPECT_EQ(array, (std::vector<int>{1, 2, 3}));
  manager().atomically(change);
  EXPECT_EQ(dict.at("a"), 2);
  EXPECT_EQ(list, (std::vector<int>{2, 1}));
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(space.get<int>("x"), 5);
  EXPECT_EQ(value, 3);
  EXPECT_EQ(array, (std::vector<int>{7, 7, 7}));
}

TEST_P(TransactionContract, RunsAgainWhenWhatItReadHasChanged) {
  auto value = manager().value<int>(1);
  auto other = manager().value<int>(0);
  int runs = 0;
  manager().atomically([&](Transaction& tx) {
    const int found = tx(value).load();
    if (++runs < 4) value += 10;  // somebody else, as far as the transaction knows
    tx(other) = found;
  });
  EXPECT_EQ(runs, 4);
  EXPECT_EQ(other, 31);
}

TEST_P(TransactionContract, WhatChangesNoResultIsNoConflict) {
  auto accounts = manager().dict<std::string, int>({{"a", 1}, {"b", 2}});
  int runs = 0;
  manager().atomically([&](Transaction& tx) {
    ++runs;
    const int a = tx(accounts).at("a");
    accounts["b"] = 3;
    accounts["a"] = 1;
    tx(accounts)["c"] = a;
  });
  EXPECT_EQ(runs, 1);
}

TEST_P(TransactionContract, WhatIsNotReadIsNoConflict) {
  auto accounts = manager().dict<std::string, int>({{"a", 1}});
  int runs = 0;
  manager().atomically([&](Transaction& tx) {
    ++runs;
    tx.call<ops::Dict::Add>(accounts, "a", 5, std::nullopt);
    accounts["a"] += 100;
    (void)tx(accounts).size();
    accounts["a"] += 100;
  });
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(accounts.at("a"), 206);
}

TEST_P(TransactionContract, AnAbsentKeyIsAResultToo) {
  auto names = manager().dict<std::string, int>();
  int runs = 0;
  manager().atomically([&](Transaction& tx) {
    ++runs;
    try {
      (void)tx(names).at("x");
    } catch (const KeyError& error) {
      EXPECT_STREQ(error.what(), "no key \"x\"");
      if (runs == 1) names["x"] = 5;
      tx(names)["x"] = 1;
    }
  });
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(names.at("x"), 5) << "the first run's write was built on what was so no more";
}

TEST_P(TransactionContract, TwoReadsAreOfOneMoment) {
  auto a = manager().value<int>(1);
  auto b = manager().value<int>(1);
  int runs = 0;
  const auto [x, y] = manager().atomically([&](Transaction& tx) {
    const int first = tx(a).load();
    if (++runs == 1) a = 2, b = 2;
    return std::pair(first, tx(b).load());
  });
  EXPECT_EQ(x, y);
  EXPECT_EQ(runs, 2);
}

TEST_P(TransactionContract, AnExceptionWritesNothingAndComesOut) {
  auto list = manager().list<int>();
  EXPECT_EQ(error_of<std::logic_error>([&] {
              manager().atomically([&](Transaction& tx) {
                tx(list).push_back(1);
                throw std::logic_error("changed my mind");
              });
            }),
            "changed my mind");
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(error_of<KeyError>([&] {
              manager().atomically([&](Transaction& tx) { return tx(manager().dict<int, int>()).at(1); });
            }),
            "no key 1");
}

TEST_P(TransactionContract, AnExceptionOutOfStaleReadsIsNone) {
  auto a = manager().value<int>(1);
  auto b = manager().value<int>(1);
  int runs = 0;
  manager().atomically([&](Transaction& tx) {
    const int first = tx(a).load();
    if (++runs == 1) a = 2, b = 2;
    if (tx(b).load() != first) throw std::logic_error("a and b are always the same");
  });
  EXPECT_EQ(runs, 2);
}

TEST_P(TransactionContract, AnErrorOfAWriteComesOutWithNothingWritten) {
  auto list = manager().list<int>({1});
  const std::string text = error_of<IndexError>([&] {
    manager().atomically([&](Transaction& tx) {
      tx(list).push_back(2);
      tx(list).erase(9);
    });
  });
  EXPECT_THAT(text, HasSubstr("step 2 of 2, list.erase on object " + std::to_string(list.id())));
  EXPECT_THAT(text, HasSubstr("nothing was changed"));
  EXPECT_EQ(list, (std::vector<int>{1}));
  EXPECT_THAT(error_of<IndexError>([&] {
                manager().atomically([&](Transaction& tx) {
                  tx(list).erase(9);
                  (void)tx(list).size();
                });
              }),
              HasSubstr("step 1 of 2"));
}

TEST_P(TransactionContract, GivesUpAfterSoManyConflicts) {
  auto value = manager().value<int>(1);
  int runs = 0;
  const std::string text = error_of<Conflict>([&] {
    manager().atomically(
        [&](Transaction& tx) {
          ++runs;
          tx(value) += 1;
          value += 1;
        },
        {.attempts_max = 5, .pause_max = 1us});
  });
  EXPECT_EQ(runs, 5);
  EXPECT_EQ(value, 6) << "only what was done outside of it";
  EXPECT_THAT(text, HasSubstr("5 times"));
  EXPECT_THAT(text, HasSubstr("value.fetch_add on object " + std::to_string(value.id())));
}

TEST_P(TransactionContract, WhoeverCatchesAConflictRunsAgainAllTheSame) {
  auto value = manager().value<int>(1);
  auto other = manager().list<int>();
  int runs = 0;
  manager().atomically([&](Transaction& tx) {
    const int found = tx(value).load();
    if (++runs == 1) value += 1;
    tx(other).push_back(found);
    try {
      (void)tx(other).size();
      (void)tx(other).size();
    } catch (const Conflict&) {
      EXPECT_THROW(tx(other).push_back(5), Conflict);
    }
  });
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(other, (std::vector<int>{2}));
}

TEST_P(TransactionContract, VersionsTakePart) {
  auto list = manager().list<int>();
  const std::uint64_t before = list.version();
  int runs = 0;
  manager().atomically([&](Transaction& tx) {
    if (tx(list).version() != before && runs == 0) ADD_FAILURE();
    if (++runs == 1) list.push_back(1);
    tx(list).push_back(2);
  });
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(list.version(), before + 2) << "one change by each, and none by what was taken back";
}

TEST_P(TransactionContract, ProxiesAreReadAndWritten) {
  auto outer = manager().dict<std::string, List<int>>();
  {
    auto inner = manager().list<int>({1});
    manager().atomically([&](Transaction& tx) {
      tx(outer)["x"] = inner;
      auto back = tx(outer).at("x");
      EXPECT_EQ(back, inner);
      tx(back).push_back(2);
    });
    EXPECT_EQ(inner, (std::vector<int>{1, 2}));
    EXPECT_EQ(references(inner), 2u);
    manager().atomically([&](Transaction& tx) { EXPECT_EQ(tx(outer).pop("x"), inner); });
    EXPECT_EQ(references(inner), 1u);
  }
  EXPECT_EQ(objects_count(), 1u);
}

TEST_P(TransactionContract, WhatIsMadeForItLivesUntilItsEnd) {
  auto outer = manager().dict<std::string, List<int>>();
  manager().atomically([&](Transaction& tx) {
    tx(outer)["x"] = manager().list<int>({1});
    tx(manager().list<int>()).push_back(5);
    EXPECT_EQ(objects_count(), 3u);
  });
  EXPECT_EQ(outer.at("x"), (std::vector<int>{1}));
  EXPECT_EQ(objects_count(), 2u);
}

TEST_P(TransactionContract, ResultsThatOnlyMoveAndReferencesComeThrough) {
  auto value = manager().value<int>(7);
  auto owned = manager().atomically([&](Transaction& tx) { return std::make_unique<int>(tx(value).load()); });
  EXPECT_EQ(*owned, 7);
  int number = 0;
  int& same = manager().atomically([&](Transaction& tx) -> int& {
    number = tx(value).load();
    return number;
  });
  EXPECT_EQ(&same, &number);
}

TEST_P(TransactionContract, WhatATransactionCannotDoIsRefused) {
  auto event = manager().event();
  auto list = manager().list<int>();
  auto run = [&](auto function) { manager().atomically(function); };
  EXPECT_THAT(error_of<TypeError>([&] { run([&](Transaction& tx) { tx(event).set(); }); }),
              HasSubstr("cannot be undone"));
  EXPECT_THAT(error_of<TypeError>([&] { run([&](Transaction& tx) { tx(event).wait(); }); }),
              HasSubstr("nothing waits"));
  EXPECT_THAT(error_of<TypeError>([&] { run([&](Transaction& tx) { tx(list).wait_for_change(0, 1ms); }); }),
              HasSubstr("nothing waits"));
  run([&](Transaction& tx) { EXPECT_FALSE(tx(event).is_set()); });
  error_of<ValueError>([&] { run([&](Transaction& tx) { tx(List<int>()); }); });
  EXPECT_THAT(error_of<ValueError>([&] { run([&](Transaction&) { run([](Transaction&) {}); }); }),
              HasSubstr("within another"));
  auto elsewhere = make_host(Reach::engine, {});
  Manager other = elsewhere->connect();
  auto others = other.list<int>();
  EXPECT_THAT(error_of<ValueError>([&] { run([&](Transaction& tx) { tx(others); }); }),
              HasSubstr("lives in another"));
  error_of<ValueError>([&] { manager().atomically([](Transaction&) {}, {.attempts_max = 0}); });
  run([](Transaction&) {});
}

TEST_P(TransactionContract, ItsProxiesEndWithIt) {
  auto list = manager().list<int>();
  List<int> kept;
  manager().atomically([&](Transaction& tx) { kept = tx(list); });
  EXPECT_THAT(error_of<ValueError>([&] { kept.push_back(1); }), HasSubstr("has ended"));
  EXPECT_THAT(error_of<ValueError>([&] { kept.size(); }), HasSubstr("has ended"));
  EXPECT_TRUE(list.empty());
}

TEST_P(TransactionContract, AnotherSessionsProxyOfTheSameManagerTakesPart) {
  auto list = manager().list<int>("shared");
  Manager other = connect();
  auto theirs = other.list<int>("shared");
  manager().atomically([&](Transaction& tx) { tx(theirs).push_back(1); });
  EXPECT_EQ(list.size(), 1u);
}

TEST_P(TransactionContract, ARemovedObjectFailsIt) {
  auto list = manager().list<int>();
  auto gone = manager().list<int>("gone");
  manager().remove("gone");
  EXPECT_THAT(error_of<ObjectGone>([&] {
                manager().atomically([&](Transaction& tx) {
                  tx(list).push_back(1);
                  tx(gone).push_back(1);
                });
              }),
              HasSubstr("step 2 of 2"));
  EXPECT_TRUE(list.empty());
}

TEST_P(TransactionContract, WatchersAreToldOfTheWholeOnce) {
  auto list = manager().list<int>();
  const std::uint64_t seen = list.version();
  std::vector<int> found;
  std::jthread watcher([&] {
    list.wait_for_change(seen);
    found = list.snapshot();
  });
  wait_for_waiters(1);
  manager().atomically([&](Transaction& tx) {
    tx(list).push_back(1);
    (void)tx(list).size();
    EXPECT_EQ(manager().information().at("waiters"), 1) << "a trial tells nobody";
    tx(list).push_back(2);
  });
  watcher.join();
  EXPECT_EQ(found, (std::vector<int>{1, 2}));
}

TEST_P(TransactionContract, MoneyMovedByManyThreadsIsConserved) {
  constexpr int threads = 4;
  constexpr int transfers = 50;
  auto left = manager().dict<int, int>();
  auto right = manager().dict<int, int>();
  for (int i = 0; i < 3; ++i) left[i] = 100, right[i] = 100;
  std::atomic<int> moved{0};
  {
    std::vector<std::jthread> movers;
    for (int n = 0; n < threads; ++n)
      movers.emplace_back([&, n] {
        for (int i = 0; i < transfers; ++i) {
          const bool enough = manager().atomically([&](Transaction& tx) {
            auto from = tx(n % 2 == 0 ? left : right);
            auto to = tx(n % 2 == 0 ? right : left);
            if (from.at(i % 3) < 7) return false;
            from[i % 3] -= 7;
            to[(i + n) % 3] += 7;
            return true;
          });
          moved += enough ? 1 : 0;
          const auto sum = manager().atomically([&](Transaction& tx) {
            int all = 0;
            for (int each : tx(left).values()) all += each;
            for (int each : tx(right).values()) all += each;
            return all;
          });
          EXPECT_EQ(sum, 600);
        }
      });
  }
  EXPECT_GT(moved, 0);
}

}  // namespace
}  // namespace tandem::test
