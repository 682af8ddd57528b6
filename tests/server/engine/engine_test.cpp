#include "server/engine/engine.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"
#include "tests/server/engine/random_calls.hpp"

namespace tandem::test {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using ops::Dict;
using ops::List;
using ops::Manager;

TEST(Engine, KnowsEveryOperationOnce) {
  Host host;
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const auto& [type, op] : host.engine().operations()) {
    EXPECT_TRUE(names.emplace(type->name, op->name).second) << op->signature;
    EXPECT_EQ(type->rows[op->number].op, op);
    EXPECT_NE(type->rows[op->number].invoke, nullptr);
  }
  std::size_t declared = 0;
  for (const server::Type* type : server::hosted_types())
    for (const server::OpRow& row : type->rows) declared += row.op != nullptr ? 1 : 0;
  EXPECT_EQ(names.size(), declared);
}

TEST(Engine, SaysWhichOperationAReplyIsOf) {
  Host host;
  const ObjectId l = host.make<List>();
  auto operation_of = [&](ObjectId object, std::uint16_t op, const Packed& arguments) {
    wire::Buffer out;
    return host.engine().step(server::Call{1, 1, object, op, arguments.bytes()}, out).operation;
  };
  const std::uint16_t append = operation_of(l, List::Append::description.number, list(1));
  EXPECT_EQ(host.engine().operations()[append].op->name, "append");
  EXPECT_EQ(host.engine().operations()[append].type->name, "list");
  EXPECT_EQ(operation_of(l, List::Append::description.number, list()), append);  // of errors too
  EXPECT_EQ(operation_of(l, 999, list()), server::operation_none);
  EXPECT_EQ(operation_of(99, 1, list()), server::operation_none);
}

TEST(Engine, AppendsItsReply) {
  Host host;
  const ObjectId l = host.make<List>(list(1));
  wire::Buffer out;
  out.append(wire::as_bytes("before"));
  const Packed arguments = list(5);
  host.engine().step(server::Call{1, 1, l, List::At::description.number, arguments.bytes()}, out);
  EXPECT_EQ(wire::as_text(out.view()).substr(0, 7), "before\xd9");  // and the text of an error
  out.truncate(6);
  host.engine().step(server::Call{1, 1, l, List::Snapshot::description.number, list().bytes()}, out);
  EXPECT_EQ(wire::as_text(out.view()), "before\x91\x01");
}

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override { list_ = host_.make<List>(list(1, 2, 3)); }
  void expect_refused(Code code, ObjectId object, std::uint16_t op, const Packed& arguments) {
    const Packed before = host_.saved();
    const Reply reply = host_.step(object, op, arguments);
    EXPECT_EQ(reply, fails(code)) << ::testing::PrintToString(arguments);
    EXPECT_FALSE(reply.text().empty());
    EXPECT_EQ(host_.saved(), before);
  }

  Host host_;
  ObjectId list_ = 0;
};

TEST_F(BadInput, UnknownObjects) {
  for (ObjectId id : {ObjectId{0}, list_ + 1, ~ObjectId{0}}) expect_refused(Code::object_gone, id, 1, list());
}

TEST_F(BadInput, UnknownOperations) {
  for (const int op : {List::All::number_max() + 1, 100, 0xffff})
    expect_refused(Code::protocol_error, list_, static_cast<std::uint16_t>(op), list());
  expect_refused(Code::protocol_error, Manager::id, 0, list());  // nobody has number 0 there
}

TEST_F(BadInput, CreationsOutsideTheManager) {
  expect_refused(Code::type_error, list_, List::Create::description.number, list());
  expect_refused(Code::type_error, list_, List::Create::description.number, list(list(1)));
  expect_refused(Code::type_error, list_, List::Create::description.number, list(1, 2, 3));
}

TEST_F(BadInput, WrongNumbersOfArguments) {
  const std::uint16_t append = List::Append::description.number;
  const std::uint16_t pop = List::Pop::description.number;
  expect_refused(Code::type_error, list_, append, list());
  expect_refused(Code::type_error, list_, append, list(1, 2));
  expect_refused(Code::type_error, list_, pop, list(0, 0));
  expect_refused(Code::protocol_error, list_, append, raw("\xdd\xff\xff\xff"));  // a header cut short
  expect_refused(Code::type_error, list_, append, raw("\xdd\xff\xff\xff\xff"));
  EXPECT_EQ(host_.step(list_, append, list(1, 2)).text(), "append(item): 2 arguments given");
}

TEST_F(BadInput, ArgumentsThatAreNoArray) {
  const std::uint16_t append = List::Append::description.number;
  for (const Packed& arguments : {raw(""), pack(1), pack("x"), dict(), dict(0, 1), tuple(1), raw("\xc1")})
    expect_refused(Code::protocol_error, list_, append, arguments);
}

TEST_F(BadInput, ArgumentsOfWrongTypes) {
  expect_refused(Code::type_error, list_, List::At::description.number, list("0"));
  expect_refused(Code::type_error, list_, List::At::description.number, list(0.0));
  expect_refused(Code::type_error, list_, List::At::description.number, list(true));
  expect_refused(Code::type_error, list_, List::At::description.number, list(nullptr));
  expect_refused(Code::type_error, list_, List::At::description.number, list(UINT64_MAX));
  expect_refused(Code::type_error, list_, List::Sort::description.number, list(1));
  expect_refused(Code::type_error, list_, List::Extend::description.number, list(1));
  expect_refused(Code::type_error, Manager::id, Manager::Exists::description.number, list(bytes("x")));
  for (const Packed& name : {pack("name"), list(1), list("a", "b")})
    expect_refused(Code::type_error, Manager::id, Manager::Create::description.number,
                   list("list", name, list()));
  EXPECT_EQ((host_.call<List::At>(list_, "0")).text(),
            "at(index): argument 1 must be an integer of 64 bits, not 'str'");
}

TEST_F(BadInput, MalformedArguments) {
  const std::uint16_t append = List::Append::description.number;
  expect_refused(Code::protocol_error, list_, append, raw("\x91"));
  expect_refused(Code::protocol_error, list_, append, raw("\x91\xc1"));
  expect_refused(Code::protocol_error, list_, append,
                 raw("\x91\xa5"
                     "abc"));
  expect_refused(Code::protocol_error, list_, append, raw("\x91\xdd\xff\xff\xff\xff"));
  expect_refused(Code::protocol_error, list_, append, raw("\x91\x01\x02"));  // bytes behind the last
  expect_refused(Code::value_error, list_, append, list("\xff"));
  expect_refused(Code::value_error, list_, append, list(extension(static_cast<wire::Extension>(77), "x")));
  const Packed extend_with_bad_tail = raw("\x91\x92\x01\xc1");
  expect_refused(Code::protocol_error, list_, List::Extend::description.number, extend_with_bad_tail);
}

TEST_F(BadInput, ErrorsStayShort) {
  const std::string endless(1'000'000, 'x');
  for (const Reply& reply :
       {host_.call<Manager::Get>(Manager::id, endless), host_.call<Manager::Get>(Manager::id, "a", endless),
        host_.call<Manager::Create>(Manager::id, endless, list(), list()),
        host_.call<List::Remove>(list_, endless),
        host_.call<Manager::Create>(Manager::id, "array", list(), list(endless, 1)),
        host_.call<Dict::At>(host_.make<Dict>(), endless)}) {
    EXPECT_NE(reply.code, Code::ok);
    EXPECT_LT(reply.text().size(), 300u);
    EXPECT_FALSE(reply.text().empty());
  }
}

TEST(Engine, RandomBytesAreAnErrorOrACallButNeverACrash) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Limits limits;
    limits.memory_bytes_max = 1'000'000;
    limits.objects_max = 50;
    Host host(limits);
    RandomInputs values(seed, host.engine());
    host.make_named<Dict>("d");
    host.make_named<List>("l", list(1, 2, 3));
    host.make_named<ops::Set>("s", list(1, 2, 3));
    host.make_named<ops::Namespace>("n");
    host.make_named<ops::Value>("v", 1);
    host.make_named<ops::Array>("a", "q", 10);
    for (int step = 0; step < 5'000; ++step) {
      std::string arguments;
      const std::uint64_t count = random() % 4;
      arguments += static_cast<char>(0x90 + count);
      for (std::uint64_t i = 0; i < count; ++i) {
        if (random() % 4 != 0) arguments += values.value().encoded;
        else
          for (auto length = random() % 20; length > 0; --length) arguments += static_cast<char>(random());
      }
      if (random() % 4 == 0 && !arguments.empty())
        arguments[random() % arguments.size()] = static_cast<char>(random());
      const Reply reply =
          host.step(1 + random() % 9, static_cast<std::uint16_t>(random() % 24), raw(arguments));
      // Whatever the answer is, it is one well-formed value; of an error, a text.
      wire::Reader reader(reply.value.bytes());
      ASSERT_TRUE(reader.skip() && reader.at_end());
      ASSERT_TRUE(reply.code == Code::ok || !reply.text().empty());
    }
    expect_consistent(host.engine());
  }
}

Limits small_memory() {
  Limits limits;
  limits.memory_bytes_max = 100'000;
  return limits;
}

TEST(MemoryLimit, RefusesMoreAndStillLetsGo) {
  Host host(small_memory());
  const ObjectId l = host.make<List>();
  const ObjectId d = host.make<Dict>();
  const ObjectId s = host.make<ops::Set>();
  const ObjectId n = host.make<ops::Namespace>();
  const std::string piece(1'000, 'x');
  int there = 0;
  for (; host.call<List::Append>(l, piece).code == Code::ok; ++there) {
    host.call<Dict::Set>(d, there, piece);
    host.call<ops::Set::Insert>(s, piece + std::to_string(there));
    host.call<ops::Namespace::Set>(n, std::to_string(there), piece);
    ASSERT_LT(there, 200);
  }
  EXPECT_GT(there, 15);
  EXPECT_LE(host.memory_bytes(), 100'000u);
  const Packed before = host.saved();
  EXPECT_EQ((host.call<List::Extend>(l, list(piece))), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<List::Set>(l, 0, piece + piece)), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<List::Repeat>(l, 2)), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<Dict::Update>(d, dict("new", piece))), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<Dict::Set>(d, "new", piece)), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<ops::Set::Update>(s, list(piece))), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<Manager::Create>(Manager::id, "list", list(), list(list(piece)))),
            fails(Code::resource_exhausted));
  EXPECT_EQ(host.saved(), before);

  EXPECT_EQ((host.call<List::Size>(l)), gives(there));
  EXPECT_EQ((host.call<List::At>(l, 0)), gives(piece));
  EXPECT_EQ((host.call<List::Pop>(l)), gives(piece));
  EXPECT_EQ((host.call<Dict::Erase>(d, 0)), gives(true));
  EXPECT_EQ((host.call<Dict::Pop>(d, 1)), gives(piece));
  EXPECT_EQ((host.call<ops::Set::Erase>(s, piece + "0")), gives(true));
  EXPECT_EQ((host.call<ops::Namespace::Erase>(n, "0")), gives(true));
  EXPECT_EQ((host.call<List::Append>(l, piece)), gives_nothing());
  EXPECT_EQ((host.call<Dict::Clear>(d)), gives_nothing());
  EXPECT_EQ((host.call<List::Clear>(l)), gives_nothing());
  EXPECT_EQ((host.call<Manager::Create>(Manager::id, "list", list(), list(list(piece)))).code, Code::ok);
}

TEST(MemoryLimit, CountsWhatManySmallElementsNeed) {  // two bytes each in the call, many more in a table
  const std::string header = "\xdc\x13\x88"s;         // 5000 elements
  const std::string map_header = "\xde\x13\x88"s;
  std::string items = header;
  std::string entries = map_header;
  for (int i = 0; i < 5'000; ++i) {
    items += pack(i).encoded;
    entries += pack(std::to_string(i)).encoded + pack(0).encoded;
  }
  Limits limits;
  limits.memory_bytes_max = 60'000;
  Host host(limits);
  const ObjectId l = host.make<List>();
  const ObjectId s = host.make<ops::Set>();
  const ObjectId d = host.make<Dict>();
  EXPECT_EQ((host.call<List::Extend>(l, raw(items))), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<List::AssignSlice>(l, raw(items))), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<ops::Set::Update>(s, raw(items))), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<ops::Set::SymmetricDifferenceUpdate>(s, raw(items))), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<Dict::Update>(d, raw(entries))), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<Dict::Assign>(d, raw(entries))), fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<Manager::Create>(Manager::id, "namespace", list(), list(raw(entries)))),
            fails(Code::resource_exhausted));
  EXPECT_LT(host.memory_bytes(), 3'000u);
}

TEST(MemoryLimit, AnObjectIsItsOwnOperandNoFurtherThanThereIsRoom) {
  Host host(small_memory());
  const ObjectId l = host.make<List>(list(std::string(1'000, 'x')));
  int doublings = 0;
  while (host.call<List::Extend>(l, reference(List::number, l)).code == Code::ok) ASSERT_LT(++doublings, 10);
  EXPECT_EQ(doublings, 6);
  EXPECT_LE(host.memory_bytes(), 100'000u);
}

TEST(Memory, AllOfItComesBack) {
  Host host;
  const std::uint64_t before = host.memory_bytes();
  RandomInputs random(7, host.engine());
  auto value = [&] {  // without references: objects that hold each other would stay
    for (;;) {
      Packed made = random.value();
      bool refers = false;
      server::for_each_reference(made.bytes(), [&](wire::Reference) { refers = true; });
      if (!refers) return made;
    }
  };
  for (int round = 0; round < 6; ++round) {
    const ObjectId l = host.make<List>();
    const ObjectId d = host.make<Dict>();
    const ObjectId s = host.make<ops::Set>();
    const ObjectId n = host.make<ops::Namespace>();
    const ObjectId v = host.make<ops::Value>(std::string(500, 'v'));
    const ObjectId a = host.make<ops::Array>("d", 100);
    for (int i = 0; i < 300; ++i) {
      host.call<List::Append>(l, value());
      host.call<Dict::Set>(d, i, value());
      host.call<ops::Set::Insert>(s, value());
      host.call<ops::Namespace::Set>(n, std::to_string(i), value());
    }
    host.call<List::Append>(l, list(reference(Dict::number, d), reference(ops::Array::number, a)));
    host.call<ops::Value::Store>(v, reference(List::number, l));
    EXPECT_GT(host.memory_bytes(), before + 30'000);
    expect_consistent(host.engine());
    if (round % 2 == 0) {
      for (ObjectId id : {l, d, s, n, a, v}) host.release(id);
    } else {
      host.close(1);
      host.open(1);
    }
    EXPECT_EQ(host.objects(), 0u);
    EXPECT_EQ(host.memory_bytes(), before);
  }
}

TEST(Memory, ObjectsThatHoldEachOtherStayUntilTheyAreEmptied) {
  Host host;
  const ObjectId l = host.make_named<List>("l");
  host.call<List::Append>(l, reference(List::number, l));
  const ObjectId inner = host.make<List>();
  host.call<List::Append>(inner, reference(List::number, inner));
  host.release(inner);
  EXPECT_EQ(host.references(inner), 1u);
  host.call<List::Clear>(inner);
  EXPECT_FALSE(host.exists(inner));
  EXPECT_EQ((host.call<Manager::Remove>(Manager::id, "l")), gives(true));
  EXPECT_EQ(host.objects(), 0u);
}

TEST(ObjectsLimit, RefusesMoreUntilOneIsGone) {
  Limits limits;
  limits.objects_max = 3;
  Host host(limits);
  const ObjectId first = host.make<List>();
  host.make_named<Dict>("d");
  host.make<ops::Value>(1);
  const Reply refused = host.call<Manager::Create>(Manager::id, "list", list(), list());
  EXPECT_EQ(refused, fails(Code::resource_exhausted));
  EXPECT_NE(refused.text().find("objects_max (3)"), std::string::npos);
  EXPECT_EQ((host.call<Manager::Create>(Manager::id, "dict", list("d"), list())).code,
            Code::ok);  // it is there
  host.release(first);
  host.make<List>();
}

TEST(NameLimit, RefusesLongerAndEmptyNames) {
  Limits limits;
  limits.name_bytes_max = 5;
  Host host(limits);
  host.make_named<List>("12345");
  EXPECT_EQ((host.call<Manager::Create>(Manager::id, "list", list("123456"), list())),
            fails(Code::resource_exhausted));
  EXPECT_EQ((host.call<Manager::Create>(Manager::id, "list", list(""), list())), fails(Code::value_error));
}

TEST(DepthLimit, IsThatOfTheLimits) {
  Limits limits;
  limits.value_depth_max = 2;
  Host host(limits);
  const ObjectId l = host.make<List>();
  EXPECT_EQ((host.call<List::Append>(l, list(list(1)))), gives_nothing());
  const Reply refused = host.call<List::Append>(l, list(list(list(1))));
  EXPECT_EQ(refused, fails(Code::resource_exhausted));
  EXPECT_NE(refused.text().find("value_depth_max (2)"), std::string::npos);
}

TEST(ReplyLimit, IsThatOfTheOutbox) {
  Limits limits;
  limits.outbox_bytes_max = 8'192;
  Host host(limits);
  const std::string piece(5'000, 'x');
  const ObjectId d = host.make<Dict>(dict("a", piece, "b", piece, "c", piece + piece));
  const Packed before = host.saved();
  for (const Reply& reply :
       {host.call<Dict::Snapshot>(d), host.call<Dict::Values>(d), host.call<Dict::At>(d, "c"),
        host.call<Dict::Pop>(d, "c"), host.call<Dict::PopIfThere>(d, "c"), host.call<Dict::PopItem>(d)}) {
    EXPECT_EQ(reply, fails(Code::resource_exhausted));
    EXPECT_NE(reply.text().find("outbox_bytes_max (8192)"), std::string::npos);
  }
  EXPECT_EQ(host.saved(), before);
  EXPECT_EQ((host.call<Dict::At>(d, "a")), gives(piece));
}

/// What there is, apart from how often it has changed and the places of cursors.
std::vector<Packed> contents(Host& host) {
  std::vector<Packed> all;
  host.engine().registry().each(0, [&](const server::Object& object) {
    all.push_back(
        list(object.id(), object.type().name, object.name(), object.references(), object.memory_bytes()));
    object.visit_elements(0, [&](server::ValueView key, server::ValueView element) {
      all.push_back(raw(wire::as_text(key.bytes)));
      all.push_back(raw(wire::as_text(element.bytes)));
      return true;
    });
    return true;
  });
  return all;
}

TEST(Save, EqualContentsAreTheSameHoweverTheyCameAbout) {
  auto build = [](Host& host, bool detour) {
    const ObjectId d = host.make_named<Dict>("d");
    const ObjectId l = host.make<List>();
    const ObjectId s = host.make<ops::Set>();
    const ObjectId n = host.make<ops::Namespace>();
    const ObjectId a = host.make<ops::Array>("i", 3);
    host.open(2);
    if (detour) {
      for (int i = 0; i < 100; ++i) host.call<Dict::Set>(d, i, "gone");
      host.call<Dict::Clear>(d);
      host.call<List::Extend>(l, list(9, 9, 9, 1, 3));
      host.call<List::EraseSlice>(l, 0, 3);
      host.call<List::Insert>(l, 1, 2);
      host.call<ops::Set::Insert>(s, "x");
      host.call<ops::Set::Update>(s, list(1, 2));
      host.call<ops::Set::Erase>(s, "x");
      host.call<ops::Namespace::Set>(n, "k", "other");
      host.call<ops::Array::Fill>(a, 1);
      host.call<ops::Array::FetchAdd>(a, 1, 6);
      host.call<List::Append>(l, reference(List::number, l));
      host.as(2).call<List::Snapshot>(l);
      host.release(l);
      host.as(1).call<List::Pop>(l);
      host.release(l);
    } else {
      host.call<List::Extend>(l, list(1, 2, 3));
      host.call<ops::Set::Update>(s, list(1, 2));
      host.call<ops::Array::AssignSlice>(a, bytes("\1\0\0\0\7\0\0\0\1\0\0\0"sv));
    }
    host.call<Dict::Update>(d, dict("b", 1, "a", 2));
    host.call<ops::Namespace::Set>(n, "k", list(reference(Dict::number, d)));
    expect_consistent(host.engine());
  };
  Host straight;
  Host winding;
  build(straight, false);
  build(winding, true);
  EXPECT_EQ(contents(straight), contents(winding));

  const Packed before = straight.saved();
  straight.call<Dict::At>(2, "a");
  straight.call<Dict::Erase>(2, "c");  // nothing there
  EXPECT_EQ(straight.saved(), before);
  straight.call<Dict::Set>(2, "a", 3);
  EXPECT_NE(straight.saved(), before);
}

TEST(Save, ShowsEverythingThatDiffers) {
  std::set<std::string> states;
  std::size_t made = 0;
  auto add = [&](auto change) {
    Host host;
    host.make_named<List>("l", list(1, 2));
    change(host);
    states.insert(host.saved().encoded);
    ++made;
  };
  add([](Host&) {});
  add([](Host& h) { h.call<List::Append>(2, 3); });
  add([](Host& h) { h.call<List::Set>(2, 0, 1.0); });
  add([](Host& h) { h.call<List::Reverse>(2); });
  add([](Host& h) { h.call<List::Set>(2, 0, 1); });  // to what it is already: a change all the same
  add([](Host& h) { h.release(2); });
  add([](Host& h) { h.open(2); });
  add([](Host& h) { h.open(3); });
  add([](Host& h) { h.open(2, 1); });
  add([](Host& h) { h.call<Manager::Get>(Manager::id, "l"); });
  add([](Host& h) { h.call<Manager::Remove>(Manager::id, "l"); });
  add([](Host& h) { h.release(h.make<List>()); });  // an id was used
  add([](Host& h) { h.make<Dict>(); });
  add([](Host& h) { h.make<ops::Set>(); });
  add([](Host& h) { h.make_named<Dict>("d"); });
  EXPECT_EQ(states.size(), made);
}

}  // namespace
}  // namespace tandem::test
