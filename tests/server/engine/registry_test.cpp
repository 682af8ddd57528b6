// Names, ids and who holds what: of sessions and of containers.

#include "server/engine/registry.hpp"

#include <gtest/gtest.h>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"

namespace tandem::test {
namespace {

using ops::Dict;
using ops::List;
using ops::Manager;
using ops::Set;

class RegistryTest : public ::testing::Test {
 protected:
  Host host_;
};

TEST_F(RegistryTest, IdsAreNeverReused) {
  ObjectId last = Manager::id;
  for (int i = 0; i < 20; ++i) {
    const ObjectId id = host_.make<List>();
    EXPECT_GT(id, last);
    last = id;
    host_.release(id);
    EXPECT_FALSE(host_.exists(id));
  }
  EXPECT_EQ(host_.objects(), 0u);
}

TEST_F(RegistryTest, AFailedCreationLeavesNothing) {
  EXPECT_EQ((host_.call<Manager::Create>(Manager::id, "array", list(), list("q", -1))),
            fails(Code::value_error));
  EXPECT_EQ((host_.call<Manager::Create>(Manager::id, "array", list("named"), list("x", 1))),
            fails(Code::value_error));
  EXPECT_EQ((host_.call<Manager::Create>(Manager::id, "set", list(), list(list(list(1))))),
            fails(Code::type_error));
  EXPECT_EQ((host_.call<Manager::Create>(Manager::id, "dict", list(), list(1, 2))), fails(Code::type_error));
  EXPECT_EQ((host_.call<Manager::Create>(Manager::id, "manager", list(), list())), fails(Code::type_error));
  EXPECT_EQ((host_.call<Manager::Create>(Manager::id, "tree", list(), list())), fails(Code::type_error));
  EXPECT_EQ((host_.call<Manager::Exists>(Manager::id, "named")), gives(false));
  EXPECT_EQ(host_.objects(), 0u);
}

TEST_F(RegistryTest, ANamedObjectStaysUntilItIsRemoved) {
  const std::uint64_t before = host_.memory_bytes();
  const ObjectId id = host_.make_named<List>("l", list(1));
  host_.release(id);
  EXPECT_EQ(host_.references(id), 0u);
  EXPECT_EQ((host_.call<Manager::Create>(Manager::id, "list", list("l"), list(list(2)))),
            gives(list(list_reference(id), false)));
  EXPECT_EQ((host_.call<List::Snapshot>(id)), gives(list(1)));
  EXPECT_EQ((host_.call<Manager::Get>(Manager::id, "l")), gives(list_reference(id)));
  EXPECT_EQ(host_.references(id), 2u);
  EXPECT_EQ((host_.call<Manager::Create>(Manager::id, "dict", list("l"), list())), fails(Code::type_error));
  EXPECT_EQ((host_.call<Manager::Get>(Manager::id, "l", "dict")), fails(Code::type_error));
  EXPECT_EQ((host_.call<Manager::Get>(Manager::id, "m")), fails(Code::not_found));
  EXPECT_EQ((host_.call<Manager::Remove>(Manager::id, "l")), gives(true));
  EXPECT_EQ((host_.call<Manager::Remove>(Manager::id, "l")), gives(false));
  EXPECT_EQ((host_.call<List::Size>(id)), fails(Code::object_gone));
  host_.release(id, 2);  // of an object that is gone: not an error
  EXPECT_EQ(host_.memory_bytes(), before);
}

TEST_F(RegistryTest, ANameCanBeTakenAgain) {
  const ObjectId first = host_.make_named<List>("n");
  EXPECT_EQ((host_.call<Manager::Remove>(Manager::id, "n")), gives(true));
  const ObjectId second = host_.make_named<Dict>("n");
  EXPECT_NE(first, second);
  host_.release(first);
  EXPECT_TRUE(host_.exists(second));
}

TEST_F(RegistryTest, WhoIsRemovedLetsGoOfWhatItHeld) {
  const ObjectId inner = host_.make<List>();
  const ObjectId outer = host_.make_named<List>("outer", list(list_reference(inner)));
  host_.release(inner);
  EXPECT_EQ(host_.references(inner), 1u);
  EXPECT_EQ((host_.call<Manager::Remove>(Manager::id, "outer")), gives(true));
  EXPECT_FALSE(host_.exists(outer));
  EXPECT_FALSE(host_.exists(inner));
}

TEST_F(RegistryTest, MoreIsNotGivenBackThanIsHeld) {
  const ObjectId id = host_.make<List>();
  const ObjectId holder = host_.make<List>(list(list_reference(id)));
  EXPECT_EQ(host_.references(id), 2u);
  host_.release(id, 1'000);
  EXPECT_EQ(host_.references(id), 1u);  // the container's is not the session's to give
  host_.release(id, 1'000);
  EXPECT_TRUE(host_.exists(id));
  host_.release(Manager::id, 1'000'000);
  host_.release(12'345);
  EXPECT_EQ((host_.call<Manager::Release>(Manager::id, 0, 1)), fails(Code::value_error));
  EXPECT_EQ((host_.call<Manager::Release>(Manager::id, id, -1)), fails(Code::value_error));
  EXPECT_EQ((host_.call<Manager::Ping>(Manager::id)), gives_nothing());
  host_.release(holder);
  EXPECT_EQ(host_.objects(), 0u);
}

TEST_F(RegistryTest, EveryReferenceInAReplyBelongsToTheCaller) {
  const ObjectId id = host_.make<List>();
  const ObjectId holder =
      host_.make_named<List>("holder", list(tuple(list_reference(id), 1), list_reference(id)));
  host_.open(2);
  host_.as(2);
  host_.call<List::Snapshot>(holder);
  host_.call<List::At>(holder, 0);
  host_.call<List::Slice>(holder, 0, 1);
  host_.call<List::Page>(holder, 0, 10);
  EXPECT_EQ(host_.engine().registry().references_of(2), 2u + 1 + 1 + 2);
  EXPECT_EQ(host_.references(id), 1u + 2 + 6);
  EXPECT_EQ((host_.call<List::Contains>(holder, list_reference(id))), gives(true));  // none in this one
  EXPECT_EQ(host_.references(id), 1u + 2 + 6);
  host_.close(2);
  EXPECT_EQ(host_.references(id), 1u + 2);
}

TEST_F(RegistryTest, WhatIsTakenOutLivesOnWithTheCaller) {
  const ObjectId id = host_.make<List>();
  const ObjectId holder = host_.make<List>(list(list_reference(id)));
  host_.release(id);
  EXPECT_EQ((host_.call<List::Pop>(holder)), gives(list_reference(id)));
  EXPECT_EQ(host_.references(id), 1u);
  host_.release(id);
  EXPECT_FALSE(host_.exists(id));
}

TEST_F(RegistryTest, ContainersCountUnderOverwriteEraseAndClear) {
  const ObjectId id = host_.make<List>();
  const Packed it = list_reference(id);
  const ObjectId l = host_.make<List>();
  const ObjectId d = host_.make<Dict>();
  const ObjectId s = host_.make<Set>();
  const ObjectId n = host_.make<ops::Namespace>();
  const ObjectId v = host_.make<ops::Value>(it);
  auto held = [&] { return *host_.references(id) - 1; };
  EXPECT_EQ(held(), 1u);
  host_.call<ops::Value::Store>(v, list(it, it));
  EXPECT_EQ(held(), 2u);
  host_.call<ops::Value::CompareExchange>(v, list(it, it), 7);
  host_.release(id, 2);  // those of its reply
  EXPECT_EQ(held(), 0u);

  host_.call<List::Extend>(l, list(it, 1, tuple(it, it)));
  EXPECT_EQ(held(), 3u);
  host_.call<List::Set>(l, 2, it);
  EXPECT_EQ(held(), 2u);
  host_.call<List::AssignSlice>(l, list(it, it, it), 0, 1);
  EXPECT_EQ(held(), 4u);
  host_.call<List::AssignSlice>(l, list(it, it), 0, 5, 3);  // one of these in the place of the 1
  EXPECT_EQ(held(), 5u);
  EXPECT_EQ((host_.call<List::AssignSlice>(l, list(it), 0, 5, 3)), fails(Code::value_error));
  EXPECT_EQ(held(), 5u);
  host_.call<List::Repeat>(l, 3);
  EXPECT_EQ(held(), 15u);
  host_.call<List::EraseSlice>(l, nullptr, nullptr, -2);
  host_.call<List::Remove>(l, it);
  host_.call<List::Reverse>(l);
  const std::uint64_t left = held();
  EXPECT_EQ((host_.call<List::Count>(l, it)), gives(left));
  host_.call<List::Sort>(l);
  EXPECT_EQ(held(), left);
  host_.call<List::Clear>(l);
  EXPECT_EQ(held(), 0u);

  host_.call<Dict::Update>(d, dict("a", it, it, it, "b", list(it)));
  EXPECT_EQ(held(), 4u);
  host_.call<Dict::Set>(d, it, 5);
  host_.call<Dict::Set>(d, "a", it);
  EXPECT_EQ(held(), 3u);
  host_.call<Dict::Assign>(d, dict("c", it));
  EXPECT_EQ(held(), 1u);
  host_.call<Dict::Erase>(d, "c");
  EXPECT_EQ(held(), 0u);

  host_.call<Set::Update>(s, list(it, it, tuple(it, 1)));
  EXPECT_EQ(held(), 2u);
  host_.call<Set::SymmetricDifferenceUpdate>(s, list(it));
  EXPECT_EQ(held(), 1u);
  host_.call<Set::IntersectionUpdate>(s, list());
  EXPECT_EQ(held(), 0u);

  host_.call<ops::Namespace::Set>(n, "x", list(it));
  host_.call<ops::Namespace::Add>(n, "x", list(it));
  host_.release(id, 3);  // its replies' are the session's: one more was asked for than is held is no harm
  EXPECT_EQ(host_.references(id), 2u);
  host_.call<ops::Namespace::Erase>(n, "x");
  EXPECT_FALSE(host_.exists(id));
}

TEST_F(RegistryTest, ADictOfListsGoesAsAWhole) {
  const std::uint64_t before = host_.memory_bytes();
  const ObjectId top = host_.make<Dict>();
  for (int i = 0; i < 50; ++i) {
    const ObjectId inner = host_.make<List>(list(i, std::string(100, 'x')));
    host_.call<Dict::Set>(top, i, list_reference(inner));
    host_.release(inner);
  }
  EXPECT_EQ(host_.objects(), 51u);
  host_.release(top);
  EXPECT_EQ(host_.objects(), 0u);
  EXPECT_EQ(host_.memory_bytes(), before);
}

TEST_F(RegistryTest, ALongChainGoesWithoutDeepRecursion) {
  ObjectId head = host_.make<List>();
  for (int i = 0; i < 50'000; ++i) {
    const ObjectId next = host_.make<List>(list(list_reference(head)));
    host_.release(head);
    head = next;
  }
  EXPECT_EQ(host_.objects(), 50'001u);
  host_.release(head);
  host_.tick_until_clean();
  EXPECT_EQ(host_.objects(), 0u);
}

TEST_F(RegistryTest, WhatGoesInOneStepIsLimited) {
  const std::uint64_t before = host_.memory_bytes();
  const ObjectId many = host_.make<List>();
  for (int i = 0; i < 10'000; ++i) {
    const ObjectId one = host_.make<List>(list(i));
    host_.call<List::Append>(many, list_reference(one));
    host_.release(one);
  }
  EXPECT_EQ(host_.objects(), 10'001u);
  std::uint64_t left = host_.objects();
  int steps = 0;
  for (host_.release(many); !host_.engine().registry().is_clean(); ++steps) {
    EXPECT_EQ(host_.engine().next_deadline_ns(), 0u);
    host_.engine().step(server::Tick{1});
    EXPECT_GE(host_.objects() + server::Registry::cleaning_per_step_max, left);
    left = host_.objects();
  }
  EXPECT_GT(steps, 10);
  EXPECT_EQ(host_.engine().next_deadline_ns(), server::never_ns);
  EXPECT_EQ(host_.objects(), 0u);
  EXPECT_EQ(host_.memory_bytes(), before);
}

TEST_F(RegistryTest, LargeContentsGoPieceByPieceWithWhatTheyReferTo) {
  const ObjectId referred = host_.make<List>();
  for (const bool cleared : {true, false}) {
    const ObjectId large = host_.make<Dict>();
    const std::uint64_t before = host_.memory_bytes();
    for (int i = 0; i < 50'000; ++i) host_.call<Dict::Set>(large, i, list_reference(referred));
    EXPECT_EQ(host_.references(referred), 50'001u);
    const std::uint64_t full = host_.memory_bytes();
    if (cleared) host_.call<Dict::Clear>(large);
    else host_.release(large);
    EXPECT_EQ((host_.call<Dict::Size>(large)), cleared ? gives(0) : fails(Code::object_gone));
    std::uint64_t bytes = host_.memory_bytes();
    EXPECT_LT(bytes, full);
    EXPECT_GT(bytes, full / 2);
    int steps = 0;
    for (; !host_.engine().registry().is_clean(); ++steps) {
      const std::uint64_t references = *host_.references(referred);
      host_.engine().step(server::Tick{1});
      EXPECT_LT(references - *host_.references(referred), 2u * server::Registry::cleaning_per_step_max);
      EXPECT_LE(host_.memory_bytes(), bytes);
      bytes = host_.memory_bytes();
    }
    EXPECT_GE(steps, 10);
    EXPECT_EQ(host_.references(referred), 1u);
    if (cleared) {
      EXPECT_EQ(host_.memory_bytes(), before);
    }
    expect_consistent(host_.engine());
  }
}

TEST(RegistryLimitTest, WhatOnlyWaitsToBeFreedIsInNobodysWay) {
  Limits limits;
  limits.memory_bytes_max = 4'000'000;
  Host host(limits);
  const ObjectId large = host.make<Dict>();
  int entries = 0;
  while (host.call<Dict::Set>(large, entries, entries).code == Code::ok) ++entries;
  EXPECT_GT(entries, 50'000);
  for (int round = 0; round < 3; ++round) {
    host.call<Dict::Clear>(large);
    for (int i = 0; i < entries; ++i) ASSERT_EQ((host.call<Dict::Set>(large, i, i)).code, Code::ok) << i;
  }
}

TEST_F(RegistryTest, AReferenceToWhatIsGoneCannotBeStored) {
  const ObjectId l = host_.make<List>();
  const ObjectId gone = host_.make<List>();
  host_.release(gone);
  for (const Packed& stale : {list_reference(gone), list_reference(999), list_reference(0)}) {
    EXPECT_EQ((host_.call<List::Append>(l, stale)), fails(Code::object_gone));
    EXPECT_EQ((host_.call<List::Append>(l, list(1, tuple(stale)))), fails(Code::object_gone));
    EXPECT_EQ((host_.call<List::Extend>(l, stale)), fails(Code::object_gone));
  }
  EXPECT_EQ((host_.call<List::Append>(l, reference(Dict::number, l))), fails(Code::type_error));
  EXPECT_EQ((host_.call<List::Size>(l)), gives(0));
}

TEST_F(RegistryTest, AValueMayOutliveTheObjectsItsReferencesName) {
  const ObjectId named = host_.make_named<List>("n");
  const ObjectId l = host_.make<List>(list(list_reference(named)));
  host_.call<Manager::Remove>(Manager::id, "n");
  EXPECT_EQ((host_.call<List::At>(l, 0)), gives(list_reference(named)));  // stale, but what was stored
  host_.call<List::Clear>(l);
  host_.release(l);
  EXPECT_EQ(host_.objects(), 0u);
}

TEST_F(RegistryTest, AClosedSessionLeavesNothingBehind) {
  const std::uint64_t before = host_.memory_bytes();
  host_.open(2);
  host_.as(2);
  const ObjectId mine = host_.make<List>(list(std::string(1'000, 'x')));
  host_.make<Dict>(dict("list", list_reference(mine)));
  host_.close(2);
  EXPECT_EQ(host_.objects(), 0u);
  EXPECT_EQ(host_.memory_bytes(), before);
}

TEST_F(RegistryTest, AnHeirKeepsWhatItsParentHeld) {
  const ObjectId id = host_.make<List>();
  host_.call<Manager::Create>(Manager::id, "list", list("named"), list());
  host_.open(2, 1);
  EXPECT_EQ(host_.references(id), 2u);
  EXPECT_EQ(host_.engine().registry().references_of(2), host_.engine().registry().references_of(1));
  host_.release(id);
  EXPECT_TRUE(host_.exists(id));
  host_.open(3, 2);
  host_.close(1);
  host_.close(2);
  EXPECT_EQ(host_.references(id), 1u);
  host_.close(3);
  EXPECT_FALSE(host_.exists(id));
}

TEST_F(RegistryTest, InheritingFromNobodyIsHoldingNothing) {
  host_.make<List>();
  host_.open(2, 77);
  EXPECT_EQ(host_.engine().registry().references_of(2), 0u);
}

TEST_F(RegistryTest, PagesOfObjectsFollowTheirIds) {
  std::vector<ObjectId> lists;
  for (int i = 0; i < 5; ++i) {
    lists.push_back(host_.make<List>());
    host_.make<Dict>();
  }
  auto ids = [](const Reply& reply, std::int64_t& next) {
    const auto json = nlohmann::json::from_msgpack(reply.value.encoded);
    next = json[0];
    std::vector<ObjectId> found;
    for (const auto& object : json[1]) found.push_back(object["id"]);
    return found;
  };
  std::int64_t next = 0;
  std::vector<ObjectId> seen;
  do {
    for (ObjectId id : ids(host_.call<Manager::Objects>(Manager::id, next, 2, "list"), next))
      seen.push_back(id);
  } while (next != 0);
  EXPECT_EQ(seen, lists);
  EXPECT_EQ(ids(host_.call<Manager::Objects>(Manager::id), next).size(), 10u);
  EXPECT_EQ((host_.call<Manager::Objects>(Manager::id, -1)), fails(Code::value_error));
  EXPECT_EQ((host_.call<Manager::Objects>(Manager::id, 0, 0)), fails(Code::value_error));
}

TEST_F(RegistryTest, RemovingAnObjectConcernsItsOwnWaitsOnly) {
  // Going through the 100,000 waits for another object in each of the 20,000 removals would take minutes.
  const ObjectId other = host_.make<ops::Queue>();
  for (int i = 0; i < 100'000; ++i) host_.call<ops::Queue::Get>(other);
  const std::size_t before = host_.engine().waits().size();
  server::Deliveries refused;
  for (int i = 0; i < 20'000; ++i) {
    const ObjectId event = host_.make_named<ops::Event>("event");
    const server::Ticket first = host_.engine().waits().next_ticket();
    for (int wait = 0; wait < 3; ++wait) host_.call<ops::Event::Wait>(event);
    ASSERT_EQ(host_.engine().registry().find(event)->waiters(), 3u);
    ASSERT_EQ((host_.call<Manager::Remove>(Manager::id, "event")), gives(true));
    host_.engine().take_deliveries(refused);
    ASSERT_EQ(refused.all().size(), 3u);
    for (std::size_t wait = 0; wait < 3; ++wait) {
      ASSERT_EQ(refused.all()[wait].ticket, first + wait);
      ASSERT_EQ(refused.all()[wait].code, Code::object_gone);
    }
  }
  EXPECT_EQ(host_.engine().waits().size(), before);
}

TEST_F(RegistryTest, WaitsAreThoseOfTheObjectTheyMovedTo) {
  const ObjectId lock = host_.make_named<ops::Lock>("lock");
  const ObjectId condition = host_.make<ops::Condition>(reference(ops::Lock::number, lock));
  host_.call<ops::Lock::Acquire>(lock);
  host_.call<ops::Condition::Wait>(condition);
  host_.open(2);
  host_.as(2).call<ops::Lock::Acquire>(lock);
  EXPECT_EQ(host_.call<ops::Condition::NotifyAll>(condition), gives(1));
  EXPECT_EQ(host_.engine().registry().find(condition)->waiters(), 0u);
  EXPECT_EQ(host_.engine().registry().find(lock)->waiters(), 1u);
  EXPECT_EQ((host_.call<Manager::Remove>(Manager::id, "lock")), gives(true));
  EXPECT_EQ(host_.engine().waits().size(), 0u);
}

// ---- memory of what is not contents -----------------------------------------------------------------------

Packed long_keys(int first, int count) {
  return packed_by([&](wire::Writer& to) {
    to.array(static_cast<std::size_t>(count));
    for (int key = first; key < first + count; ++key) to.text(std::string(1'000, 'k') + std::to_string(key));
  });
}

TEST_F(RegistryTest, WaitsAreCounted) {
  const ObjectId queue = host_.make<ops::Queue>();
  const std::uint64_t before = host_.memory_bytes();
  host_.open(2);
  for (int i = 0; i < 1'000; ++i) host_.as(2).call<ops::Queue::Get>(queue);
  EXPECT_GE(host_.memory_bytes(), before + 1'000 * sizeof(server::Waiter));
  expect_consistent(host_.engine());
  host_.close(2);
  EXPECT_EQ(host_.memory_bytes(), before);
}

TEST_F(RegistryTest, KeysThatAreWaitedForAreCounted) {
  const ObjectId locks = host_.make<ops::Locks>();
  host_.call<ops::Locks::Acquire>(locks, std::string(1'000, 'k') + "0");
  const std::uint64_t before = host_.memory_bytes();
  for (const bool served : {true, false}) {
    host_.open(2);
    host_.as(2).call<ops::Locks::AcquireAll>(locks, long_keys(0, 1'000));
    EXPECT_GE(host_.memory_bytes(), before + 1'000'000);
    if (served) {
      host_.as(1).call<ops::Locks::Release>(locks, std::string(1'000, 'k') + "0");
      host_.as(2).call<ops::Locks::ReleaseAll>(locks, long_keys(0, 1'000));
      host_.as(1).call<ops::Locks::Acquire>(locks, std::string(1'000, 'k') + "0");
    }
    host_.close(2);
    EXPECT_LT(host_.memory_bytes(), before + 100'000) << "tables keep some places";
  }
}

TEST_F(RegistryTest, NamesAndReferencesAreCounted) {
  const std::uint64_t before = host_.memory_bytes();
  for (int i = 0; i < 100; ++i)
    host_.make_named<ops::Event>((std::string(1'000, 'n') + std::to_string(i)).c_str());
  const std::uint64_t named = host_.memory_bytes();
  EXPECT_GE(named, before + 100'000);
  for (SessionId session = 2; session < 102; ++session) host_.open(session, 1);
  EXPECT_GE(host_.memory_bytes(), named + 100 * 100 * 16);
  expect_consistent(host_.engine());
  for (SessionId session = 2; session < 102; ++session) host_.close(session);
  EXPECT_EQ(host_.memory_bytes(), named);
  for (int i = 0; i < 100; ++i)
    host_.call<Manager::Remove>(Manager::id, std::string(1'000, 'n') + std::to_string(i));
  EXPECT_EQ(host_.memory_bytes(), before + 100 * server::Registry::reference_bytes) << "to what was removed";
}

class FullTest : public ::testing::Test {
 protected:
  FullTest() { host_.open(2); }
  /// Parks requests until there is no room for more.
  void fill_with_waits() {
    Reply last = gives_nothing();
    while (last.code == Code::ok) last = host_.call<ops::Queue::Get>(empty_);
    EXPECT_EQ(last.code, Code::resource_exhausted);
    EXPECT_NE(last.text().find("memory_bytes_max (1000000)"), std::string::npos) << last.text();
  }
  static Limits limits() {
    Limits made;
    made.memory_bytes_max = 1'000'000;
    return made;
  }
  Host host_{limits()};
  const ObjectId empty_ = host_.make<ops::Queue>();
};

TEST_F(FullTest, OfWaitsRefusesFurtherOnesAndNothingElse) {
  const ObjectId queue = host_.make<ops::Queue>(1);
  const ObjectId lock = host_.make<ops::Lock>();
  const ObjectId event = host_.make<ops::Event>();
  const ObjectId barrier = host_.make<ops::Barrier>(2);
  fill_with_waits();
  EXPECT_LE(host_.memory_bytes(), limits().memory_bytes_max);
  const std::size_t waits = host_.engine().waits().size();
  EXPECT_EQ((host_.call<ops::Queue::PutMany>(queue, list(1, 2))), fails(Code::resource_exhausted));
  EXPECT_EQ((host_.call<ops::Queue::Size>(queue)), gives(0)) << "all or nothing";
  EXPECT_EQ((host_.call<ops::Queue::PutMany>(queue, list(1))), gives(1)) << "it does not have to wait";
  EXPECT_EQ((host_.call<ops::Event::Wait>(event)), fails(Code::resource_exhausted));
  EXPECT_EQ((host_.call<ops::Event::Wait>(event, 1'000)), fails(Code::resource_exhausted));
  EXPECT_EQ((host_.call<ops::Event::Wait>(event, 0)), gives(false)) << "it would not wait";
  EXPECT_EQ((host_.call<ops::Barrier::Wait>(barrier)), fails(Code::resource_exhausted));
  EXPECT_EQ((host_.call<ops::Barrier::IsBroken>(barrier)), gives(false));
  EXPECT_EQ((host_.call<ops::Lock::Acquire>(lock).code), Code::ok);
  EXPECT_EQ((host_.as(2).call<ops::Lock::Acquire>(lock)), fails(Code::resource_exhausted));
  EXPECT_EQ((host_.as(1).call<ops::Lock::Release>(lock)), gives_nothing());
  EXPECT_EQ(host_.engine().waits().size(), waits);
  expect_consistent(host_.engine());
}

TEST_F(FullTest, OfValuesLeavesRoomForWaits) {
  const ObjectId stored = host_.make<List>();
  const ObjectId lock = host_.make<ops::Lock>();
  while (host_.call<List::Append>(stored, std::string(10'000, 'v')).code == Code::ok) {
  }
  while (host_.call<List::Append>(stored, "a value that needs memory").code == Code::ok) {
  }
  EXPECT_EQ((host_.call<ops::Lock::Acquire>(lock).code), Code::ok);
  host_.as(2).call<ops::Lock::Acquire>(lock);
  EXPECT_EQ(host_.engine().waits().size(), 1u);
  fill_with_waits();
  EXPECT_LE(host_.memory_bytes(), limits().memory_bytes_max / 16 * 17);
}

TEST_F(FullTest, OfKeysThatAreWaitedFor) {
  const ObjectId locks = host_.make<ops::Locks>();
  host_.call<ops::Locks::Acquire>(locks, std::string(1'000, 'k') + "0");
  Reply last = gives_nothing();
  for (SessionId session = 3; last.code == Code::ok; ++session) {
    host_.open(session);
    last = host_.as(session).call<ops::Locks::AcquireAll>(locks, long_keys(0, 50));
  }
  EXPECT_EQ(last.code, Code::resource_exhausted);
  EXPECT_LE(host_.memory_bytes(), limits().memory_bytes_max);
  EXPECT_LT(host_.engine().waits().size(), 20u);
}

}  // namespace
}  // namespace tandem::test
