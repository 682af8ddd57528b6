// Hosted types of one's own in a whole manager: what its options refuse, what user code may do to it, and what the debug
// endpoint and the command line see. Their behaviour towards clients is in contract/custom_test.cpp.

#include <httplib.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "server/engine/engine.hpp"
#include "server/objects/hosted.hpp"
#include "tandem/hosted.hpp"
#include "tandem/ops/all.hpp"
#include "tandem/server.hpp"
#include "tandem/tandem.hpp"
#include "tests/server/engine/pack.hpp"
#include "tests/server/engine/saved.hpp"
#include "tests/support/contract.hpp"
#include "tests/support/program.hpp"

namespace tandem {
namespace {

using nlohmann::json;
using ops::Effect;
using ops::Op;
using test::error_of;
using testing::HasSubstr;

// ---- the types --------------------------------------------------------------------------------------------

/// A shelf of values; shows entries.
struct ShelfOps {
  static constexpr std::string_view type = "shelf";
  static constexpr std::uint8_t number = 128;
  using Create = Op<0, "create()", Effect::writes, void()>;
  using Put = Op<1, "put(name, value)", Effect::writes, void(ops::Text, ops::Any)>;
  using Get = Op<2, "get(name)", Effect::reads, ops::Any(ops::Text)>;
  using All = ops::OpList<Create, Put, Get>;
};
class Shelf {
 public:
  using Ops = ShelfOps;
  void on(Ops::Create) {}
  void on(Ops::Put, std::string name, const HeldValue& value) { values_[std::move(name)] = value; }
  HeldValue on(Ops::Get, const std::string& name) const {
    auto found = values_.find(name);
    if (found == values_.end()) throw KeyError(name);
    return found->second;
  }
  std::size_t size() const { return values_.size(); }
  const std::map<std::string, HeldValue>& show() const { return values_; }
  const std::map<std::string, HeldValue>& save() const { return values_; }
  void load(std::map<std::string, HeldValue> saved) { values_ = std::move(saved); }

 private:
  std::map<std::string, HeldValue> values_;
};
struct ShelfProxy : ProxyOf<ShelfOps> {
  using ProxyOf::ProxyOf;
  template <class T>
  void put(std::string_view name, const T& value) {
    call<ShelfOps::Put>(name, value);
  }
  json get(std::string_view name) const { return call<ShelfOps::Get>(name); }
};

/// Throws wherever user code can; what it says of itself is no value.
struct BrittleOps {
  static constexpr std::string_view type = "brittle";
  static constexpr std::uint8_t number = 129;
  using Create = Op<0, "create(size_throws=false)", Effect::writes, void(ops::Optional<ops::Bool>)>;
  using Touch = Op<1, "touch()", Effect::writes, ops::Int()>;
  using All = ops::OpList<Create, Touch>;
};
class Brittle {
 public:
  using Ops = BrittleOps;
  void on(Ops::Create, std::optional<bool> size_throws) { size_throws_ = size_throws.value_or(false); }
  int on(Ops::Touch) { return ++touched_; }
  std::uint64_t size() const {
    if (size_throws_) throw std::runtime_error("no size");
    return 1;
  }
  std::uint64_t memory_bytes() const { throw std::runtime_error("no memory"); }
  std::vector<std::string> show() const {
    if (size_throws_) throw std::runtime_error("nothing to see");
    return {"\xff"};
  }

 private:
  bool size_throws_ = false;
  int touched_ = 0;
};
struct BrittleProxy : ProxyOf<BrittleOps> {
  using ProxyOf::ProxyOf;
  int touch() { return call<BrittleOps::Touch, int>(); }
};

/// Cannot even be made; and one that shows nothing.
struct StillbornOps {
  static constexpr std::string_view type = "stillborn";
  static constexpr std::uint8_t number = 130;
  using Create = Op<0, "create()", Effect::writes, void()>;
  using All = ops::OpList<Create>;
};
class Stillborn {
 public:
  using Ops = StillbornOps;
  Stillborn() { throw std::logic_error("never"); }
  void on(Ops::Create) {}
};

/// Has to_json, and one operation that does what no handler may.
struct SelfishOps {
  static constexpr std::string_view type = "selfish";
  static constexpr std::uint8_t number = 131;
  using Create = Op<0, "create()", Effect::writes, void()>;
  using AskMyself = Op<1, "ask_myself()", Effect::writes, void()>;
  using All = ops::OpList<Create, AskMyself>;
};
class Selfish {
 public:
  using Ops = SelfishOps;
  void on(Ops::Create) {}
  void on(Ops::AskMyself) { server->connect().ping(); }
  friend void to_json(json& to, const Selfish&) { to = {{"me", "myself"}}; }
  static inline Server* server = nullptr;
};
struct SelfishProxy : ProxyOf<SelfishOps> {
  using ProxyOf::ProxyOf;
  void ask_myself() { call<SelfishOps::AskMyself>(); }
};

/// Takes a value out of its manager.
struct ThiefOps {
  static constexpr std::string_view type = "thief";
  static constexpr std::uint8_t number = 132;
  using Create = Op<0, "create(loot)", Effect::writes, void(ops::Any)>;
  using All = ops::OpList<Create>;
};
class Thief {
 public:
  using Ops = ThiefOps;
  void on(Ops::Create, const HeldValue& value) { loot = value; }
  static inline std::optional<HeldValue> loot;
};

// ---- what options refuse ----------------------------------------------------------------------------------

/// A type of any name and number.
template <std::uint8_t Number, ops::Literal Name>
struct Named {
  struct Ops {
    static constexpr std::string_view type = Name.view();
    static constexpr std::uint8_t number = Number;
    using Create = Op<0, "create()", Effect::writes, void()>;
    using All = ops::OpList<Create>;
  };
  void on(typename Ops::Create) {}
};

std::string refusal_of(std::vector<HostedType> types) {
  return error_of<ValueError>([&] { Server server({.types = std::move(types)}); });
}

TEST(CustomTypeTest, ClashesAreRefused) {
  EXPECT_EQ(refusal_of({hosted<Shelf>(), hosted<Named<128, "other">>()}),
            "hosted type other (number 128): shelf has this number");
  EXPECT_EQ(refusal_of({hosted<Shelf>(), hosted<Named<140, "shelf">>()}),
            "hosted type shelf (number 140): the name is taken by the type with number 128");
  EXPECT_THAT(refusal_of({hosted<Shelf>(), hosted<Shelf>()}), HasSubstr("shelf has this number"));
  EXPECT_THAT(refusal_of({hosted<Named<141, "dict">>()}),
              HasSubstr("the name is taken by the type with number 2"));
  EXPECT_THAT(refusal_of({hosted<Named<142, "manager">>()}), HasSubstr("the name is taken"));
}

TEST(CustomTypeTest, MoreOperationsThanCanBeCountedAreRefused) {
  const std::vector<hosting::Handler> handlers(1024);
  std::deque<std::string> names;
  std::deque<hosting::Type> types;
  std::vector<HostedType> all;
  for (std::uint8_t number = 128; number < 128 + 64; ++number) {
    names.push_back("type" + std::to_string(number));
    all.emplace_back(
        types.emplace_back(hosting::Type{names.back(), number, hosting::Shown::nothing, handlers, nullptr}));
  }
  EXPECT_THAT(refusal_of(all), HasSubstr("operation numbers"));
}

// ---- a manager with them ----------------------------------------------------------------------------------

class CustomServerTest : public testing::Test {
 protected:
  CustomServerTest() {
    ServerOptions options;
    options.listen = {"unix:" + folder_.path("socket")};
    options.debug = "127.0.0.1:0";
    options.log_level = LogLevel::off;
    options.types = {hosted<Shelf>(), hosted<Brittle>(), hosted<Stillborn>(), hosted<Selfish>(),
                     hosted<Thief>()};
    server_.emplace(std::move(options));
    server_->start();
    manager_.emplace(server_->addresses().front());
  }

  const Manager& manager() { return *manager_; }
  json get(const std::string& target) {
    httplib::Result result = httplib::Client(server_->debug_address()).Get(target);
    EXPECT_TRUE(result && result->status == 200) << target;
    return json::parse(result ? result->body : "{}");
  }
  std::string tandem(std::vector<std::string> arguments, int status = 0) {
    arguments.insert(arguments.begin(), test::beside_the_test("tandem"));
    test::Program program(arguments, {{"TANDEM_ADDRESS", server_->addresses().front()}});
    EXPECT_EQ(program.wait(), status) << program.errors;
    return status == 0 ? program.out : program.errors;
  }

  test::TemporaryFolder folder_;
  std::optional<Server> server_;
  std::optional<Manager> manager_;
};

TEST_F(CustomServerTest, TheDebugEndpointShowsThem) {
  auto shelf = manager().create<ShelfProxy>("books");
  shelf.put("b", 2);
  shelf.put("a", json{1, nullptr});
  EXPECT_THROW(shelf.get("c"), KeyError);
  json listed = get("/objects?type=shelf")["objects"];
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0]["name"], "books");
  EXPECT_EQ(listed[0]["size"], 2);
  json shown = get("/objects/books");
  EXPECT_EQ(shown["type"], "shelf");
  EXPECT_EQ(shown["entries"], json::parse(R"([["a", [1, null]], ["b", 2]])"));
  json page = get("/objects/books?offset=1&limit=1");
  EXPECT_EQ(page["entries"], json::parse(R"([["b", 2]])"));
  EXPECT_EQ(page["next_cursor"], nullptr);
  EXPECT_EQ(get("/objects/books?limit=1")["next_cursor"], 1);
  const json operations = get("/ops?type=shelf")["operations"];
  json counted;
  for (const json& one : operations) counted[one["name"].get<std::string>()] = one;
  EXPECT_EQ(counted["put"]["count"], 2);
  EXPECT_EQ(counted["get"]["count"], 1);
  EXPECT_EQ(counted["get"]["errors"], 1);
  manager().create<SelfishProxy>("me");
  EXPECT_EQ(get("/objects/me")["items"], (json{{{"me", "myself"}}}));
}

TEST_F(CustomServerTest, TheCommandLineShowsThem) {
  auto shelf = manager().create<ShelfProxy>("books");
  EXPECT_EQ(json::parse(tandem({"get", "books", "--json"})),
            (json{{"type", "shelf"}, {"entries", json::array()}}));
  shelf.put("a", "x");
  shelf.put("b", manager().list<int>("numbers", {1}));
  const std::string id = std::to_string(manager().get<List<int>>("numbers").id());
  EXPECT_EQ(tandem({"get", "books"}), "\"a\": \"x\"\n\"b\": <list " + id + ">\n");
  EXPECT_EQ(tandem({"get", "--id", std::to_string(shelf.id())}), "\"a\": \"x\"\n\"b\": <list " + id + ">\n");
  EXPECT_THAT(tandem({"ls", "--type", "shelf"}), HasSubstr("books"));
  EXPECT_THAT(tandem({"get", "books", "a"}, 1), HasSubstr("the elements of a shelf have no keys"));
  manager().create<SelfishProxy>("me");
  EXPECT_EQ(tandem({"get", "me"}), "{\"me\": \"myself\"}\n");
  const int count = 2'500;  // more than a page
  for (int i = 0; i < count; ++i) shelf.put(std::to_string(i), i);
  EXPECT_EQ(json::parse(tandem({"get", "books", "--json"}))["entries"].size(), std::size_t{count} + 2);
}

TEST_F(CustomServerTest, NothingThatUserCodeThrowsHarmsTheManager) {
  auto brittle = manager().create<BrittleProxy>("brittle", true);
  auto other = manager().create<BrittleProxy>("other", false);
  EXPECT_EQ(brittle.touch(), 1);
  EXPECT_EQ(other.touch(), 1);
  EXPECT_THAT(get("/objects/brittle")["items"].dump(), HasSubstr("nothing to see"));
  EXPECT_THAT(get("/objects/other")["items"].dump(), HasSubstr("UTF-8"));
  EXPECT_THAT(tandem({"get", "brittle"}), HasSubstr("show() failed: std::runtime_error: nothing to see"));
  EXPECT_EQ(error_of<RemoteError>([&] { manager().create<ProxyOf<StillbornOps>>("never"); }),
            "std::logic_error: never");
  EXPECT_FALSE(manager().exists("never"));
  EXPECT_EQ(brittle.touch(), 2);
}

TEST_F(CustomServerTest, AHandlerDoesNotWaitForItself) {
  Selfish::server = &*server_;
  auto selfish = manager().create<SelfishProxy>();
  EXPECT_THAT(error_of<RemoteError>([&] { selfish.ask_myself(); }), HasSubstr("the manager's own thread"));
  Selfish::server = nullptr;
}

TEST_F(CustomServerTest, ErrorsNameTheTypeAlsoWithoutTheManager) {
  auto shelf = manager().create<ShelfProxy>("books");
  server_.reset();
  EXPECT_THAT(error_of<ConnectionError>([&] { shelf.get("a"); }),
              HasSubstr("shelf.get on object " + std::to_string(shelf.id())));
}

TEST_F(CustomServerTest, AHeldValueMayOutliveItsManager) {
  {
    auto list = manager().list<int>("list");
    manager().create<ProxyOf<ThiefOps>>(std::nullopt, list);
  }
  manager_.reset();
  server_.reset();
  const HeldValue copy = *Thief::loot;
  EXPECT_TRUE(copy.is_reference());
  Thief::loot.reset();
}

// ---- held values ------------------------------------------------------------------------------------------

TEST(HeldValueTest, IsTheValueItWasMadeFrom) {
  HeldValue value(std::map<std::string, int>{{"a", 1}});
  EXPECT_EQ(value.to_text(), "{\"a\": 1}");
  EXPECT_EQ((value.as<std::map<std::string, int>>()), (std::map<std::string, int>{{"a", 1}}));
  EXPECT_THROW(value.as<int>(), TypeError);
  EXPECT_FALSE(value.is_reference());
  EXPECT_EQ(HeldValue().to_text(), "null");
  EXPECT_EQ(HeldValue(1), HeldValue(std::int64_t{1}));
  EXPECT_LT(HeldValue(1), HeldValue(2));
  HeldValue moved = std::move(value);
  EXPECT_EQ(value, HeldValue());
  EXPECT_THROW(HeldValue(json{{"$ref", 7}, {"$type", "list"}}), ValueError);
}

// ---- the engine -------------------------------------------------------------------------------------------

/// Can be saved, or loaded, or neither, as it was told.
struct ForgetfulOps {
  static constexpr std::string_view type = "forgetful";
  static constexpr std::uint8_t number = 140;
  using Create = Op<0, "create(save_throws)", Effect::writes, void(ops::Bool)>;
  using All = ops::OpList<Create>;
};
class Forgetful {
 public:
  using Ops = ForgetfulOps;
  void on(Ops::Create, bool save_throws) { save_throws_ = save_throws; }
  int save() const {
    if (save_throws_) throw std::runtime_error("what was it?");
    return 7;
  }
  void load(int) { throw KeyError("not in my head"); }

 private:
  bool save_throws_ = false;
};

class CustomEngine {
 public:
  CustomEngine()
      : types_(std::vector{hosted<Shelf>(), hosted<Brittle>(), hosted<Forgetful>()}),
        engine_(limits_, {}, types_.all()) {
    engine_.step(server::SessionOpened{1});
  }
  Code call(server::ObjectId object, std::uint16_t op, const test::Packed& arguments) {
    wire::Buffer reply;
    return engine_
        .step(
            server::Call{
                .session = 1, .actor = 1, .object = object, .op = op, .arguments = arguments.bytes()},
            reply)
        .code;
  }
  template <class... T>
  void create(std::string_view type, const T&... arguments) {
    EXPECT_EQ(call(1, ops::Manager::Create::description.number,
                   test::list(type, test::list(), test::list(arguments...))),
              Code::ok);
  }
  /// Returns why not; empty if it was loaded.
  std::string load(const test::Packed& state) {
    server::Result<void> loaded = fresh_.load(test::pieces_of(state.encoded));
    return loaded ? "" : loaded.failure().text;
  }
  server::Engine& engine() { return engine_; }
  /// The one to load into.
  server::Engine& fresh() { return fresh_; }
  test::Packed saved() const { return test::saved(engine_); }

 private:
  Limits limits_;
  server::HostedTypes types_;
  server::Engine engine_;
  server::Engine fresh_{limits_, {}, types_.all()};
};

TEST(CustomEngineTest, TheSameCallsLeadToTheSameState) {
  CustomEngine one, two;
  for (CustomEngine* engine : {&one, &two}) {
    engine->create("shelf");
    engine->create("list");
    engine->create("brittle");
    EXPECT_EQ(engine->call(2, 1, test::list("a", 1)), Code::ok);
    EXPECT_EQ(engine->call(2, 1, test::list("l", test::reference(ops::List::number, 3))), Code::ok);
    EXPECT_EQ(engine->call(2, 2, test::list("nobody")), Code::key_error);
  }
  EXPECT_EQ(one.saved(), two.saved());
  EXPECT_EQ(one.call(2, 1, test::list("a", 2)), Code::ok);
  EXPECT_NE(one.saved(), two.saved());
  EXPECT_EQ(two.call(2, 1, test::list("a", 2)), Code::ok);
  EXPECT_EQ(one.saved(), two.saved());
}

TEST(CustomEngineTest, AnObjectIsLoadedWithWhatItRefersTo) {
  CustomEngine engine;
  engine.create("shelf");
  engine.create("list");
  EXPECT_EQ(engine.call(2, 1, test::list("l", test::reference(ops::List::number, 3))), Code::ok);
  EXPECT_EQ(engine.call(2, 1, test::list("n", 5)), Code::ok);
  EXPECT_EQ(engine.call(1, ops::Manager::Release::description.number, test::list(3, 1)), Code::ok);
  const test::Packed state = engine.saved();
  ASSERT_EQ(engine.load(state), "");
  EXPECT_EQ(test::saved(engine.fresh()), state);
  const server::Object* list = engine.fresh().registry().find(3);
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(list->references(), 1u);
  EXPECT_EQ(engine.fresh().registry().find(2)->size(), 2u);
  // The loaded shelf lets go of it.
  wire::Buffer reply;
  const test::Packed arguments = test::list("l", 6);
  engine.fresh().step(
      server::Call{.session = 1, .actor = 1, .object = 2, .op = 1, .arguments = arguments.bytes()}, reply);
  EXPECT_EQ(engine.fresh().registry().find(3), nullptr);
}

TEST(CustomEngineTest, AClassThatCannotBeLoadedIsNamed) {
  CustomEngine engine;
  engine.create("brittle");
  EXPECT_THAT(engine.load(engine.saved()),
              HasSubstr("object 2, a brittle, cannot be loaded: its class has no save()"));
  CustomEngine other;
  other.create("forgetful", false);
  EXPECT_THAT(other.load(other.saved()),
              HasSubstr("object 2, a forgetful, could not be loaded: not in my head"));
}

TEST(CustomEngineTest, AClassThatCannotBeSavedIsNamed) {
  CustomEngine engine;
  engine.create("forgetful", true);
  wire::Buffer buffer;
  server::StateWriter writer(buffer);
  engine.engine().save(writer);
  EXPECT_THAT(writer.failure(), HasSubstr("object 2, a forgetful, could not be saved"));
  EXPECT_THAT(writer.failure(), HasSubstr("what was it?"));
}

TEST(CustomEngineTest, MalformedArgumentsAreRefused) {
  CustomEngine engine;
  engine.create("shelf");
  EXPECT_EQ(engine.call(2, 1, test::raw("\x92\xa1\x61\xc1")), Code::protocol_error);
  EXPECT_EQ(engine.call(2, 1, test::raw("\x92\xa1\x61\x01\x01")), Code::protocol_error);
  EXPECT_EQ(engine.call(2, 1, test::raw("\x92\xa1\xff\x01")), Code::value_error);
  EXPECT_EQ(engine.call(2, 1, test::list("a", test::reference(ops::List::number, 99))), Code::object_gone);
  EXPECT_EQ(engine.call(2, 1, test::list(1, 1)), Code::type_error);
  EXPECT_EQ(engine.call(2, 0, test::list()), Code::type_error);
  EXPECT_EQ(engine.call(2, 1, test::list("a", 1)), Code::ok);
}

}  // namespace
}  // namespace tandem
