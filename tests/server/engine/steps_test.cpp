// Several operations in one step: what each mode makes of them, and what it refuses.

#include <gtest/gtest.h>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"

namespace tandem::test {
namespace {

using ops::Dict;
using ops::List;
using ops::Manager;
using ops::RunMode;

template <class Op, class... T>
Packed step(ObjectId object, const Packed& expected, const T&... arguments) {
  return list(object, Op::description.number, bytes(list(arguments...).encoded), expected);
}
template <class Op, class... T>
Packed wanted(ObjectId object, const T&... arguments) {
  return step<Op>(object, pack(nullptr), arguments...);
}
template <class Op, class... T>
Packed unwanted(ObjectId object, const T&... arguments) {
  return step<Op>(object, pack(false), arguments...);
}
template <class T>
Packed ok(const T& result) {
  return list(0, result);
}
const Packed none = ok(nullptr);

class Steps : public ::testing::Test {
 protected:
  template <class... S>
  Reply run(RunMode mode, const S&... steps) {
    return host_.call<Manager::Run>(Manager::id, list(steps...), static_cast<int>(mode));
  }
  template <class... S>
  Reply commit(const S&... steps) {
    return run(RunMode::all_or_nothing, steps...);
  }
  Reply malformed(const Packed& steps) { return host_.call<Manager::Run>(Manager::id, steps, 0); }

  Host host_;
  ObjectId dict_ = host_.make<Dict>(dict("a", 1));
  ObjectId list_ = host_.make<List>(list(1, 2, 3));
};

TEST_F(Steps, EachIsAnsweredInItsPlace) {
  EXPECT_EQ(run(RunMode::each, wanted<Dict::At>(dict_, "a"), unwanted<Dict::Set>(dict_, "b", 2),
                wanted<Dict::Size>(dict_)),
            gives(list(ok(1), none, ok(2))));
  EXPECT_EQ(run(RunMode::each), gives(list()));
  EXPECT_EQ(commit(), gives(list()));
}

TEST_F(Steps, AFailureStopsNobody) {
  const Reply reply = run(RunMode::each, wanted<List::At>(list_, 9), wanted<List::At>(list_, 0));
  EXPECT_EQ(reply, gives(list(list(static_cast<int>(Code::index_error),
                                   "list index 9 is out of range: the list has 3 items"),
                              ok(1))));
}

TEST_F(Steps, AFailureUndoesAll) {
  const Packed before = host_.saved();
  const Reply reply =
      commit(unwanted<List::Append>(list_, 4), unwanted<Dict::Clear>(dict_), wanted<Dict::At>(dict_, "a"));
  EXPECT_EQ(reply.code, Code::key_error);
  EXPECT_EQ(reply.text(), "step 3 of 3, dict.at on object " + std::to_string(dict_) +
                              ": no key \"a\" (nothing was changed)");
  EXPECT_EQ(host_.saved(), before);
}

TEST_F(Steps, NamedObjectsAreCalledByTheirNames) {
  const ObjectId named = host_.make_named<Dict>("accounts");
  EXPECT_EQ(commit(wanted<Dict::Pop>(named, 1)).text(),
            "step 1 of 1, dict.pop on \"accounts\": no key 1 (nothing was changed)");
}

TEST_F(Steps, ATrialTellsWhatWouldBeAndChangesNothing) {
  const Packed before = host_.saved();
  EXPECT_EQ(run(RunMode::trial, unwanted<List::Reverse>(list_), unwanted<List::Append>(list_, 4),
                wanted<List::Snapshot>(list_)),
            gives(list(none, none, ok(list(3, 2, 1, 4)))));
  EXPECT_EQ(host_.saved(), before);
}

TEST_F(Steps, ATrialAnswersWithItsLastStepsFailure) {
  const Packed before = host_.saved();
  EXPECT_EQ(run(RunMode::trial, unwanted<List::Clear>(list_), wanted<List::Pop>(list_)),
            gives(list(none, list(static_cast<int>(Code::index_error), "pop: the list is empty"))));
  EXPECT_EQ(run(RunMode::trial, wanted<List::At>(list_, 9), wanted<List::Size>(list_)).code,
            Code::index_error);
  EXPECT_EQ(host_.saved(), before);
}

TEST_F(Steps, ExpectedResultsAreComparedAndNotSent) {
  const Packed one = bytes(pack(1).encoded);
  EXPECT_EQ(commit(step<Dict::At>(dict_, one, "a"), unwanted<Dict::Set>(dict_, "b", 2)),
            gives(list(none, none)));
  const Reply reply = commit(unwanted<Dict::Set>(dict_, "c", 3), step<Dict::Size>(dict_, one));
  EXPECT_EQ(reply.code, Code::conflict);
  EXPECT_EQ(reply.text(), "step 2 of 2, dict.size on object " + std::to_string(dict_) +
                              ": its result is not the expected one (nothing was changed)");
  EXPECT_EQ((host_.call<Dict::Contains>(dict_, "c")), gives(false));
}

TEST_F(Steps, ExpectedFailuresAreNone) {
  const Packed key_error = pack(static_cast<int>(Code::key_error));
  EXPECT_EQ(commit(step<Dict::At>(dict_, key_error, "b"), unwanted<Dict::Set>(dict_, "b", 1)),
            gives(list(none, none)));
  EXPECT_EQ(commit(step<Dict::At>(dict_, key_error, "b")).code, Code::conflict);
  const Reply other = commit(step<Dict::At>(dict_, key_error, list()));
  EXPECT_EQ(other.code, Code::conflict);
  EXPECT_NE(other.text().find("not the expected one, but"), std::string::npos) << other.text();
}

TEST_F(Steps, WhatIsNoStepIsRefusedBeforeAnyIsMade) {
  const Packed good = unwanted<List::Append>(list_, 4);
  for (const Packed& bad :
       {pack(1), list(), list(list_, 1), list(list_, 1, list(4)), list(list_, 70'000, bytes("\x90")),
        list(-1, 1, bytes("\x90")), list(list_, 1, bytes("\x90"), true),
        list(list_, 1, bytes("\x90"), "text"), list(list_, 1, bytes("\x90"), nullptr, "token"),
        list(list_, 1, bytes("\x90"), nullptr, 0, 0)}) {
    const Reply reply = malformed(list(good, bad));
    EXPECT_EQ(reply.code, Code::type_error);
    EXPECT_EQ(reply.text(), "run: step 2 of 2 is not [object, op, arguments, expected, token]");
  }
  EXPECT_EQ((host_.call<List::Size>(list_)), gives(3));
  EXPECT_EQ((host_.call<Manager::Run>(Manager::id, list(), 3)), fails(Code::value_error));
  EXPECT_EQ((host_.call<Manager::Run>(Manager::id, list(), -1)), fails(Code::value_error));
}

TEST_F(Steps, AStepsOwnFaultsAreItsFailures) {
  auto code = [&](const Packed& one) {
    const Reply reply = run(RunMode::each, one);
    wire::Reader reader(reply.value.bytes());
    std::uint32_t count = 0;
    std::int64_t found = -1;
    EXPECT_TRUE(reader.array(count) && reader.array(count) && reader.int64(found));
    return static_cast<Code>(found);
  };
  EXPECT_EQ(code(wanted<List::Size>(999)), Code::object_gone);
  EXPECT_EQ(code(list(list_, 999, bytes("\x90"))), Code::protocol_error);
  EXPECT_EQ(code(list(list_, 1, bytes("nonsense"))), Code::protocol_error);
  EXPECT_EQ(code(list(list_, 1, bytes(""))), Code::protocol_error);
  EXPECT_EQ(code(list(list_, 1, bytes("\x91\xc1"))), Code::protocol_error);
  EXPECT_EQ(code(wanted<List::Append>(list_)), Code::type_error);
  EXPECT_EQ(code(wanted<List::Create>(list_)), Code::type_error);
  EXPECT_EQ(code(wanted<List::Append>(list_, reference(List::number, 999))), Code::object_gone);
  EXPECT_EQ(code(list(list_, 1, bytes(list(1).encoded), nullptr, 77)), Code::stale_token);
}

TEST_F(Steps, AStepHasNoStepsOfItsOwn) {
  const Packed inner = wanted<Manager::Run>(Manager::id, list(), 0);
  const Reply reply = run(RunMode::each, inner);
  EXPECT_EQ(
      reply,
      gives(list(list(static_cast<int>(Code::type_error), "run: a step cannot have steps of its own"))));
}

TEST_F(Steps, NothingWaits) {
  const ObjectId event = host_.make<ops::Event>();
  EXPECT_EQ(run(RunMode::each, wanted<ops::Event::Wait>(event),
                wanted<Manager::WaitForChange>(Manager::id, reference(List::number, list_), 0)),
            gives(list(ok(false), ok(0))));
  EXPECT_EQ(host_.engine().waits().size(), 0u);
}

TEST_F(Steps, WhatCannotBeUndoneIsRefused) {
  const ObjectId event = host_.make<ops::Event>();
  const Packed before = host_.saved();
  for (RunMode mode : {RunMode::all_or_nothing, RunMode::trial})
    for (const Packed& refused :
         {wanted<ops::Event::Set>(event), wanted<ops::Event::Wait>(event),
          wanted<Manager::Create>(Manager::id, "list", list(), list()),
          wanted<Manager::Remove>(Manager::id, "x"), wanted<Manager::Release>(Manager::id, list_, 1)}) {
      const Reply reply =
          run(mode, unwanted<List::Append>(list_, 4), refused, unwanted<List::Append>(list_, 5));
      EXPECT_EQ(reply.code, Code::type_error);
      EXPECT_NE(reply.text().find("cannot be undone"), std::string::npos) << reply.text();
    }
  EXPECT_EQ(host_.saved(), before);
}

TEST_F(Steps, OnlyReferencesThatAreAnsweredAreCounted) {
  host_.call<Dict::Set>(dict_, "l", reference(List::number, list_));
  ASSERT_EQ(host_.references(list_), 2u);
  commit(wanted<Dict::At>(dict_, "l"));
  EXPECT_EQ(host_.references(list_), 3u);
  commit(unwanted<Dict::At>(dict_, "l"));
  commit(wanted<Dict::At>(dict_, "l"), wanted<Dict::At>(dict_, "absent"));
  EXPECT_EQ(host_.references(list_), 3u);
  run(RunMode::trial, wanted<Dict::Pop>(dict_, "l"));
  EXPECT_EQ(host_.references(list_), 4u) << "whoever is answered holds it";
  run(RunMode::each, unwanted<Dict::Pop>(dict_, "l"));
  EXPECT_EQ(host_.references(list_), 3u);
  expect_consistent(host_.engine());
}

TEST_F(Steps, WhatOnlyAnUndoneStepHeldIsKept) {
  const ObjectId inner = host_.make<List>(list(7));
  host_.call<Dict::Set>(dict_, "l", reference(List::number, inner));
  host_.release(inner);
  ASSERT_EQ(host_.references(inner), 1u);
  commit(unwanted<Dict::Clear>(dict_), wanted<List::At>(inner, 5));
  EXPECT_EQ(host_.references(inner), 1u);
  commit(unwanted<Dict::Clear>(dict_), wanted<List::At>(inner, 0));
  EXPECT_FALSE(host_.exists(inner));
  expect_consistent(host_.engine());
}

TEST_F(Steps, WhatABatchMakesIsHeldByItsAnswer) {
  const Reply reply = run(RunMode::each, wanted<Manager::Create>(Manager::id, "list", list(), list()),
                          unwanted<Manager::Create>(Manager::id, "dict", list(), list()));
  ASSERT_EQ(reply.code, Code::ok);
  EXPECT_EQ(host_.objects(), 3u) << "what nobody was told of is gone";
  EXPECT_EQ(host_.references(Host::id_in(reply)), 1u);
}

TEST(StepsLimits, RepliesTogetherAreNoLongerThanOne) {
  Limits limits;
  limits.outbox_bytes_max = 1000;
  Host host(limits);
  const ObjectId l = host.make<List>(list(std::string(600, 'x'), std::string(600, 'y')));
  const Packed before = host.saved();
  const auto pop = [&] { return wanted<List::Pop>(l); };
  const Reply reply =
      host.call<Manager::Run>(Manager::id, list(pop(), pop()), static_cast<int>(RunMode::all_or_nothing));
  EXPECT_EQ(reply.code, Code::resource_exhausted);
  EXPECT_NE(reply.text().find("outbox_bytes_max"), std::string::npos) << reply.text();
  EXPECT_EQ(host.saved(), before);
  // Each for itself: what would not fit is not popped.
  EXPECT_EQ((host.call<Manager::Run>(Manager::id, list(pop(), pop()), 0)).code, Code::ok);
  EXPECT_EQ((host.call<List::Size>(l)), gives(1));
}

TEST(StepsLimits, MemoryIsThatOfSingleCallsAndOfWhatIsKeptToUndoThem) {
  Limits limits;
  limits.memory_bytes_max = 8 << 20;
  Host host(limits);
  const ObjectId v = host.make<ops::Value>(std::string(3 << 20, 'x'));
  const auto store = [&](char with) { return unwanted<ops::Value::Store>(v, std::string(3 << 20, with)); };
  const auto run = [&](RunMode mode) {
    return host
        .call<Manager::Run>(Manager::id, list(store('a'), store('b'), store('c')), static_cast<int>(mode))
        .code;
  };
  const Packed before = host.saved();
  EXPECT_EQ(run(RunMode::all_or_nothing), Code::resource_exhausted);
  EXPECT_TRUE(host.saved() == before);
  EXPECT_EQ(run(RunMode::each), Code::ok);
}

}  // namespace
}  // namespace tandem::test
