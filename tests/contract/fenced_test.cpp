// What fencing does, over every way to reach a manager.

#include "tests/support/contract.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;

class FencedContract : public ContractTest {};
TANDEM_CONTRACT_SUITE(FencedContract);

TEST_P(FencedContract, CallsAreMadeWhileTheLockIsHeld) {
  Lock lock = manager().lock();
  Dict<std::string, int> dict = manager().dict<std::string, int>();
  auto held = lock.guard();
  auto covered = fenced(dict, held);
  covered["a"] = 1;
  covered["a"] += 1;
  EXPECT_EQ(covered.at("a"), 2);
  held.unlock();
  EXPECT_THAT(error_of<StaleToken>([&] { covered["a"] = 3; }), HasSubstr(std::to_string(held.token())));
  EXPECT_THROW((void)covered.at("a"), StaleToken);
  EXPECT_EQ(dict.at("a"), 2);
  EXPECT_TRUE(covered == dict);
}

TEST_P(FencedContract, EveryKindOfProxyCanBeCovered) {
  Lock lock = manager().lock();
  auto held = lock.guard();
  auto list = fenced(manager().list<int>({1}), held);
  auto set = fenced(manager().set<int>({1}), held);
  auto names = fenced(manager().ns(), held);
  auto value = fenced(manager().value<int>(1), held);
  auto array = fenced(manager().array<int>({1, 2}), held);
  auto event = fenced(manager().event(), held);
  list.push_back(2);
  set.insert(2);
  names["x"] = 2;
  value += 1;
  array[0] = 2;
  event.set();
  held.unlock();
  EXPECT_THROW(list.push_back(3), StaleToken);
  EXPECT_THROW(set.insert(3), StaleToken);
  EXPECT_THROW(names["x"] = 3, StaleToken);
  EXPECT_THROW(value += 1, StaleToken);
  EXPECT_THROW(array[0] = 3, StaleToken);
  EXPECT_THROW(event.clear(), StaleToken);
}

TEST_P(FencedContract, AWriteThatComesAfterItsOwnersDeathIsRefused) {
  Dict<std::string, int> dict = manager().dict<std::string, int>("d");
  std::uint64_t token = 0;
  {
    const Manager other = connect();
    Lock theirs = other.lock("a");
    theirs.lock();
    token = theirs.grant().token;
    fenced(dict, token)["by"] = 1;  // anybody's that knows it
  }
  auto held = manager().lock("a").guard();
  EXPECT_TRUE(held.previous_owner_died());
  EXPECT_GT(held.token(), token);
  EXPECT_THROW((fenced(dict, token)["by"] = 2), StaleToken);
  fenced(dict, held)["by"] = 3;
  EXPECT_EQ(dict.at("by"), 3);
}

TEST_P(FencedContract, AGrantIsOverWhenItsLockIsRemoved) {
  auto held = manager().lock("a").guard();
  auto value = fenced(manager().value<int>(1), held);
  value += 1;
  manager().remove("a");
  EXPECT_THROW(value += 1, StaleToken);
}

TEST_P(FencedContract, EveryGrantHasATokenOfItsOwn) {
  auto a = manager().lock().guard();
  auto b = manager().rlock().guard();
  auto c = manager().shared_lock().guard();
  auto d = manager().shared_lock().shared_guard();
  auto e = manager().locks<int>().guard(1);
  auto f = manager().condition().guard();
  EXPECT_LT(a.token(), b.token());
  EXPECT_LT(b.token(), c.token());
  EXPECT_LT(c.token(), d.token());
  EXPECT_LT(d.token(), e.token());
  EXPECT_LT(e.token(), f.token());
  auto value = manager().value<int>(0);
  for (std::uint64_t token : {a.token(), b.token(), c.token(), d.token(), e.token(), f.token()})
    fenced(value, token) += 1;
  EXPECT_THROW((fenced(value, f.token() + 1) += 1), StaleToken);
}

TEST_P(FencedContract, NoTokenIsNoCover) {
  auto value = manager().value<int>(0);
  const Guard<Lock> none;
  EXPECT_THROW((void)fenced(value, none), ValueError);
  EXPECT_THROW((void)fenced(value, Grant{}), ValueError);
  EXPECT_THROW((void)fenced(Event(), 1), ValueError);
}

}  // namespace
}  // namespace tandem::test
