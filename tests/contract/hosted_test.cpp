// Hosted types of one's own, as their handlers and proxies have them (tandem/hosted.hpp).

#include "tandem/hosted.hpp"
#include "client/cli/contents.hpp"
#include "tandem/tandem.hpp"
#include "tests/support/contract.hpp"
#include "tests/support/eventually.hpp"

namespace tandem {
namespace {

using nlohmann::json;
using ops::Effect;
using ops::Op;
using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

enum class Colour : std::uint8_t { red = 1, blue = 2 };

/// A box of values, with an operation for each kind of parameter and result.
struct BoxOps {
  static constexpr std::string_view type = "box";
  static constexpr std::uint8_t number = 200;
  using Create = Op<0, "create(items=None, label=None)", Effect::writes,
                    void(ops::Optional<ops::Items>, ops::Optional<ops::Text>)>;
  using Put = Op<1, "put(item)", Effect::writes, ops::Int(ops::Any)>;
  using At = Op<2, "at(index)", Effect::reads, ops::Any(ops::Int)>;
  using Take = Op<3, "take()", Effect::frees, ops::Maybe()>;
  using All_ = Op<4, "all()", Effect::reads, ops::Items()>;
  using Fill = Op<5, "fill(items)", Effect::writes, void(ops::Items)>;
  using Label = Op<6, "label(text=None)", Effect::writes, ops::Text(ops::Optional<ops::Text>)>;
  using Reverse = Op<7, "reverse(bytes)", Effect::reads, ops::Bytes(ops::Bytes)>;
  using Swap = Op<8, "swap(entries)", Effect::reads, ops::Entries(ops::Entries)>;
  using Same = Op<9, "same(object)", Effect::reads, ops::Reference(ops::Reference)>;
  using Split = Op<10, "split(number)", Effect::reads, ops::Tuple<ops::Int, ops::Bool, ops::Items>(ops::Int)>;
  using Facts = Op<11, "facts()", Effect::reads, ops::Map()>;
  using Not = Op<12, "not(flag)", Effect::reads, ops::Bool(ops::Bool)>;
  using Other = Op<14, "other(colour)", Effect::reads, ops::Int(ops::Int)>;
  using Json = Op<15, "json(value)", Effect::writes, ops::Any(ops::Any)>;
  using Perhaps = Op<16, "perhaps(value)", Effect::reads, ops::Maybe(ops::Maybe)>;
  using Floats = Op<17, "floats(bytes)", Effect::reads, ops::Bytes(ops::Bytes)>;
  using Texts = Op<18, "texts(count)", Effect::reads, ops::Text(ops::Int)>;
  using Fail = Op<20, "fail(how)", Effect::writes, void(ops::Text)>;
  using All = ops::OpList<Create, Put, At, Take, All_, Fill, Label, Reverse, Swap, Same, Split, Facts, Not,
                          Other, Json, Perhaps, Floats, Texts, Fail>;
};

struct NotStandard {};
struct Speechless : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

class Box {
 public:
  using Ops = BoxOps;
  void on(Ops::Create, std::optional<std::vector<HeldValue>> items, std::optional<std::string> label) {
    items_ = std::move(items).value_or(std::vector<HeldValue>());
    label_ = std::move(label).value_or("");
    if (label_ == "impossible") throw ValueError("no such box");
  }
  std::size_t on(Ops::Put, const HeldValue& item) { return items_.push_back(item), items_.size(); }
  HeldValue on(Ops::At, std::int64_t index) const {
    if (index < 0 || index >= std::ssize(items_)) throw IndexError("no item " + std::to_string(index));
    return items_[static_cast<std::size_t>(index)];
  }
  std::optional<HeldValue> on(Ops::Take) {
    if (items_.empty()) return std::nullopt;
    HeldValue last = std::move(items_.back());
    items_.pop_back();
    return last;
  }
  const std::vector<HeldValue>& on(Ops::All_) const { return items_; }
  void on(Ops::Fill, std::vector<HeldValue>&& items) { items_ = std::move(items); }
  const std::string& on(Ops::Label, std::optional<std::string_view> text) {
    if (text) label_ = *text;
    return label_;
  }
  Bytes on(Ops::Reverse, std::span<const std::byte> bytes) const {
    return Bytes(bytes.rbegin(), bytes.rend());
  }
  std::vector<std::pair<int, std::string>> on(Ops::Swap,
                                              const std::vector<std::pair<std::string, int>>& entries) const {
    std::vector<std::pair<int, std::string>> swapped;
    for (const auto& [key, value] : entries) swapped.emplace_back(value, key);
    return swapped;
  }
  HeldValue on(Ops::Same, HeldValue object) const { return object; }
  std::tuple<int, bool, std::set<int>> on(Ops::Split, int number) const {
    return {number, number < 0, {1, number}};
  }
  json on(Ops::Facts) const { return {{"items", items_.size()}, {"label", label_}}; }
  bool on(Ops::Not, bool flag) const { return !flag; }
  Colour on(Ops::Other, Colour colour) const { return colour == Colour::red ? Colour::blue : Colour::red; }
  json on(Ops::Json, const json& value) { return json_ = value; }
  std::optional<json> on(Ops::Perhaps, const std::optional<json>& value) const { return value; }
  std::vector<double> on(Ops::Floats, const std::vector<float>& floats) const {
    return {floats.begin(), floats.end()};
  }
  std::string on(Ops::Texts, std::uint16_t count) const { return std::string(count, '\xff'); }
  void on(Ops::Fail, const std::string& how) {
    label_ = "failed by " + how;
    if (how == "key") throw KeyError("no such key");
    if (how == "type") throw TypeError("not a box");
    if (how == "overflow") throw OverflowError("too much");
    if (how == "not_found") throw NotFound("nowhere");
    if (how == "resource") throw ResourceExhausted("box_items_max (3)");
    if (how == "connection") throw ConnectionError("cannot be the client's");
    if (how == "stopping") throw ShuttingDown("cannot be the client's");
    if (how == "protocol") throw ProtocolError("cannot be the client's");
    if (how == "ok") throw Error(Code::ok, "an error that is none");
    if (how == "standard") throw std::out_of_range("beyond");
    if (how == "memory") throw std::bad_alloc();
    if (how == "speechless") throw Speechless();
    if (how == "nested") {
      try {
        throw std::out_of_range("no such shelf");
      } catch (...) {
        std::throw_with_nested(ValueError("no place"));
      }
    }
    if (how == "latin1") throw ValueError("caf\xe9");
    if (how == "thing") throw NotStandard();
  }

  std::size_t size() const { return items_.size(); }
  std::uint64_t memory_bytes() const {
    std::uint64_t sum = label_.capacity();
    for (const HeldValue& item : items_) sum += item.memory_bytes();
    return sum;
  }
  const std::vector<HeldValue>& show() const { return items_; }

 private:
  std::vector<HeldValue> items_;
  std::string label_;
  json json_;
};

struct BoxProxy : ProxyOf<BoxOps> {
  using ProxyOf::ProxyOf;
  template <class T>
  std::int64_t put(const T& item) {
    return call<BoxOps::Put>(item);
  }
  template <class T = json>
  T at(std::int64_t index) const {
    return call<BoxOps::At, T>(index);
  }
  template <class T = json>
  std::optional<T> take() {
    return call<BoxOps::Take, std::optional<T>>();
  }
  std::vector<json> all() const { return call<BoxOps::All_, std::vector<json>>(); }
  template <class R>
  void fill(const R& items) {
    call<BoxOps::Fill>(items);
  }
  std::string label() const { return call<BoxOps::Label>(); }
  std::string label(std::string_view text) { return call<BoxOps::Label>(text); }
  void fail(std::string_view how) { call<BoxOps::Fail>(how); }
  /// For operations that need no method of their own.
  template <class O, class R = typename client::PlainResult<typename O::Result>::Type, class... A>
  R ask(const A&... arguments) const {
    return call<O, R>(arguments...);
  }
};

/// Shows entries.
struct PricesOps {
  static constexpr std::string_view type = "shop.prices";
  static constexpr std::uint8_t number = 255;
  using Create = Op<0, "create(prices)", Effect::writes, void(ops::Entries)>;
  using All = ops::OpList<Create>;
};
class Prices {
 public:
  using Ops = PricesOps;
  void on(Ops::Create, std::map<std::string, double> prices) { prices_ = std::move(prices); }
  std::size_t size() const { return prices_.size(); }
  std::map<std::string, double> show() const { return prices_; }

 private:
  std::map<std::string, double> prices_;
};
using PricesProxy = ProxyOf<PricesOps>;

/// Hosted nowhere.
struct NobodysOps : PricesOps {
  static constexpr std::string_view type = "nobodys";
};

class CustomContract : public test::ContractTest {
 protected:
  std::vector<HostedType> types() const override { return {hosted<Box>(), hosted<Prices>()}; }

  BoxProxy box() { return manager().create<BoxProxy>(); }
  ObjectInfo info(const Proxy& proxy) const {
    for (ObjectInfo& object : manager().objects())
      if (object.id == proxy.id()) return object;
    ADD_FAILURE() << "no object " << proxy.id();
    return {};
  }
  /// [cursor, whether there are keys, elements]
  using Page = std::tuple<std::int64_t, bool, std::vector<json>>;
  Page contents(const Proxy& proxy, std::int64_t cursor = 0, std::int64_t limit = 1000) const {
    return client::invoke<ops::Manager::Contents, Page>(
        {manager().session(), {ops::Manager::number, ops::Manager::id}, false}, proxy.id(), cursor, limit);
  }
};
TANDEM_CONTRACT_SUITE(CustomContract);

// ---- parameters and results -------------------------------------------------------------------------------

TEST_P(CustomContract, KeepsValuesOfEveryKind) {
  BoxProxy b = box();
  const json values = {nullptr,
                       true,
                       -3,
                       ~std::uint64_t{0},
                       0.5,
                       "text",
                       {1, "a"},
                       {{"k", 1}},
                       {{"$tuple", {1, 2}}},
                       {{"$set", {1}}},
                       {{"$int", "18446744073709551616"}},
                       {{"$map", {{1, 2}}}}};
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(b.put(values[i]), static_cast<std::int64_t>(i) + 1);
  EXPECT_EQ(json(b.all()), values);
  EXPECT_EQ(b.at<std::string>(5), "text");
  EXPECT_EQ(b.take(), values.back());
}

TEST_P(CustomContract, ParametersAndResultsOfEveryKind) {
  BoxProxy b = box();
  EXPECT_EQ(b.label("mine"), "mine");
  EXPECT_EQ(b.label(), "mine");
  EXPECT_EQ(b.ask<BoxOps::Reverse>(Bytes{std::byte{1}, std::byte{2}}), (Bytes{std::byte{2}, std::byte{1}}));
  using Swapped = std::vector<std::pair<int, std::string>>;
  EXPECT_EQ((b.ask<BoxOps::Swap, Swapped>(std::vector<std::pair<std::string, int>>{{"b", 2}, {"a", 1}})),
            (Swapped{{2, "b"}, {1, "a"}}));
  EXPECT_EQ((b.ask<BoxOps::Split, std::tuple<int, bool, std::vector<int>>>(-7)),
            std::tuple(-7, true, std::vector{-7, 1}));
  EXPECT_EQ(b.ask<BoxOps::Facts>(), (json{{"items", 0}, {"label", "mine"}}));
  EXPECT_TRUE(b.ask<BoxOps::Not>(false));
  EXPECT_EQ(b.ask<BoxOps::Other>(1), 2);
  EXPECT_EQ(b.ask<BoxOps::Json>(json{{"a", {1, 2}}}), (json{{"a", {1, 2}}}));
  EXPECT_EQ(b.ask<BoxOps::Perhaps>(std::optional<json>(nullptr)), std::optional<json>(nullptr));
  EXPECT_EQ(b.ask<BoxOps::Perhaps>(std::nullopt), std::nullopt);
  const std::vector<float> floats{0.5f, -2.0f};
  EXPECT_EQ((b.ask<BoxOps::Floats, std::vector<double>>(client::RawElements<float>(floats))),
            (std::vector{0.5, -2.0}));
}

TEST_P(CustomContract, HostedObjectsAreTakenForTheirContents) {
  BoxProxy b = box();
  b.fill(manager().list<int>({1, 2}));
  EXPECT_THAT(b.all(), ElementsAre(1, 2));
  b.fill(manager().set<std::string>({"x"}));
  EXPECT_THAT(b.all(), ElementsAre("x"));
  b.fill(manager().dict<std::string, int>({{"k", 1}}));
  EXPECT_THAT(b.all(), ElementsAre("k"));
  b.fill(json{1, "two"});
  EXPECT_THAT(b.all(), ElementsAre(1, "two"));
  using Swapped = std::map<int, std::string>;
  EXPECT_EQ((b.ask<BoxOps::Swap, Swapped>(manager().dict<std::string, int>({{"k", 1}}))),
            (Swapped{{1, "k"}}));
  EXPECT_THAT(error_of<TypeError>([&] { b.fill(b); }), HasSubstr("a box has no items"));
  EXPECT_THAT(error_of<TypeError>([&] { b.fill(manager().value<int>(1)); }),
              HasSubstr("fill(items): argument 1"));
}

TEST_P(CustomContract, WrongArgumentsNameTheirPlace) {
  BoxProxy b = box();
  auto raw = [&](const ops::OpDescription& op, const json& arguments) {
    client::Call call(*b.remote(), op, arguments.size(), BoxOps::type);
    for (const json& argument : arguments) Codec<json>::encode(call.arguments(), argument);
    call.send();
  };
  EXPECT_EQ(error_of<TypeError>([&] { raw(BoxOps::At::description, {"x"}); }),
            "at(index): argument 1: asked for int64, found text \"x\"");
  EXPECT_THAT(error_of<TypeError>([&] { raw(BoxOps::Texts::description, {-1}); }),
              HasSubstr("asked for uint16"));
  EXPECT_THAT(error_of<TypeError>([&] {
                raw(BoxOps::Swap::description, {json{{"a", "b"}}});
              }),
              HasSubstr("swap(entries): argument 1"));
  EXPECT_THAT(error_of<TypeError>([&] { raw(BoxOps::Same::description, {1}); }),
              HasSubstr("a hosted object"));
  EXPECT_THAT(error_of<TypeError>([&] { raw(BoxOps::At::description, json::array()); }),
              HasSubstr("0 arguments"));
  EXPECT_THAT(error_of<TypeError>([&] { raw(BoxOps::At::description, {1, 2}); }), HasSubstr("2 arguments"));
  EXPECT_THAT(error_of<ProtocolError>([&] {
                raw({13, "gap", "gap()", Effect::reads, 0, 0}, json::array());
              }),
              HasSubstr("a box, has no operation 13"));
  EXPECT_EQ(b.put(1), 1);
}

// ---- errors -----------------------------------------------------------------------------------------------

TEST_P(CustomContract, WhatAHandlerThrowsReachesTheClient) {
  BoxProxy b = box();
  EXPECT_EQ(error_of<KeyError>([&] { b.fail("key"); }), "no such key");
  EXPECT_EQ(error_of<TypeError>([&] { b.fail("type"); }), "not a box");
  EXPECT_EQ(error_of<OverflowError>([&] { b.fail("overflow"); }), "too much");
  EXPECT_EQ(error_of<NotFound>([&] { b.fail("not_found"); }), "nowhere");
  EXPECT_EQ(error_of<ResourceExhausted>([&] { b.fail("resource"); }), "box_items_max (3)");
  EXPECT_EQ(error_of<IndexError>([&] { b.at(0); }), "no item 0");
  EXPECT_EQ(error_of<ValueError>([&] { b.fail("latin1"); }), "caf\xef\xbf\xbd");
  EXPECT_EQ(error_of<RemoteError>([&] { b.fail("standard"); }), "std::out_of_range: beyond");
  EXPECT_THAT(error_of<RemoteError>([&] { b.fail("thing"); }), HasSubstr("no std::exception"));
  EXPECT_THAT(error_of<RemoteError>([&] { b.fail("speechless"); }), HasSubstr("Speechless"));
  EXPECT_THAT(error_of<ValueError>([&] { b.fail("nested"); }),
              HasSubstr("no place; caused by std::out_of_range: no such shelf"));
  EXPECT_THAT(error_of<ResourceExhausted>([&] { b.fail("memory"); }), HasSubstr("std::bad_alloc"));
  for (const char* how : {"connection", "stopping", "protocol", "ok"})
    EXPECT_THROW(b.fail(how), RemoteError) << how;
  EXPECT_EQ(b.label(), "failed by ok") << "the object is as the handler left it, and works on";
}

TEST_P(CustomContract, ResultsThatAreNoValuesAreErrors) {
  BoxProxy b = box();
  EXPECT_THAT(error_of<ValueError>([&] { b.ask<BoxOps::Texts>(3); }),
              HasSubstr("texts(count): the result: "));
  EXPECT_EQ(b.ask<BoxOps::Texts>(0), "");
  EXPECT_THROW(b.ask<BoxOps::Json>(json{{"$ref", 999}, {"$type", "list"}}), ObjectGone);
}

TEST_P(CustomContract, AFailedCreationLeavesNothing) {
  EXPECT_EQ(
      error_of<ValueError>([&] { manager().create<BoxProxy>(std::nullopt, std::nullopt, "impossible"); }),
      "no such box");
  EXPECT_THROW(manager().create<BoxProxy>("name", std::nullopt, "impossible"), ValueError);
  EXPECT_FALSE(manager().exists("name"));
  EXPECT_EQ(objects_count(), 0u);
  auto list = manager().list<int>();
  EXPECT_THROW(manager().create<BoxProxy>(std::nullopt, std::vector{list}, "impossible"), ValueError);
  EXPECT_EQ(references(list), 1u);
}

// ---- names, types -----------------------------------------------------------------------------------------

TEST_P(CustomContract, NamesWorkAsForAllObjects) {
  BoxProxy b = manager().create<BoxProxy>("a box", std::vector{1}, "first");
  EXPECT_EQ(manager().create<BoxProxy>("a box", std::nullopt, "second").label(), "first");
  EXPECT_EQ(manager().get<BoxProxy>("a box"), b);
  EXPECT_EQ(b.type_name(), "box");
  EXPECT_EQ(connect().get<BoxProxy>("a box").at<int>(0), 1);
  EXPECT_THROW(manager().get<BoxProxy>("another"), NotFound);
  EXPECT_THAT(error_of<TypeError>([&] { manager().list<int>("a box"); }), HasSubstr("is a box, not a list"));
  EXPECT_THAT(
      error_of<TypeError>([&] { manager().create<PricesProxy>("a box", std::map<std::string, double>()); }),
      HasSubstr("is a box, not a shop.prices"));
  manager().remove("a box");
  EXPECT_THROW(b.label(), ObjectGone);
  EXPECT_THROW(BoxProxy().label(), ValueError);
}

TEST_P(CustomContract, AManagerWithoutTheTypeSaysSo) {
  EXPECT_THAT(error_of<TypeError>([&] {
                manager().create<ProxyOf<NobodysOps>>(std::nullopt, std::map<std::string, double>());
              }),
              HasSubstr("there is no hosted type \"nobodys\""));
}

TEST_P(CustomContract, ProxiesAreValues) {
  auto dict = manager().dict<std::string, BoxProxy>();
  {
    BoxProxy b = box();
    dict["b"] = b;
    EXPECT_EQ(references(b), 2u);
  }
  BoxProxy again = dict.at("b");
  again.put(1);
  EXPECT_THROW((manager().dict<std::string, BoxProxy>({{"empty", BoxProxy()}})), ValueError);
  dict.clear();
  EXPECT_EQ(again.all().size(), 1u);
}

// ---- references -------------------------------------------------------------------------------------------

TEST_P(CustomContract, HeldValuesKeepObjectsAlive) {
  BoxProxy b = box();
  std::uint64_t id = 0;
  {
    auto list = manager().list<int>({7});
    id = list.id();
    b.put(list);
    b.put(std::map<std::string, List<int>>{{"deep", list}});
    EXPECT_EQ(references(list), 3u);
  }
  EXPECT_EQ(references(id), 2u);
  EXPECT_EQ(b.at<List<int>>(0).at(0), 7);
  EXPECT_EQ(references(id), 2u);
  EXPECT_EQ((b.take<std::map<std::string, List<int>>>()->at("deep").at(0)), 7);
  EXPECT_EQ(references(id), 1u);
  b.fill(std::vector<int>());
  EXPECT_FALSE(is_there(id));
}

TEST_P(CustomContract, AnObjectThatGoesLetsGoOfWhatItHeld) {
  std::uint64_t id = 0;
  {
    BoxProxy b = box();
    auto list = manager().list<int>();
    id = list.id();
    b.put(list);
    BoxProxy outer = box();
    outer.put(b);
  }
  EXPECT_FALSE(is_there(id));
  EXPECT_EQ(objects_count(), 0u);
}

TEST_P(CustomContract, ResultsAreHeldByWhoeverTookThem) {
  auto b = manager().create<BoxProxy>("shared");
  Manager other = connect();
  {
    auto theirs = other.get<BoxProxy>("shared");
    theirs.put(other.list<int>({1}));
    EXPECT_EQ(b.ask<BoxOps::Same>(theirs.at<List<int>>(0)).at("$type"), "list");
  }
  auto mine = b.at<List<int>>(0);
  b.take();
  // The other client's release is a one-way message on a channel of its own.
  test::eventually([&] { return references(mine) == 1; }, "the other client's reference to be released");
  EXPECT_EQ((b.ask<BoxOps::Same, List<int>>(mine)), mine);
  EXPECT_EQ(mine.at(0), 1);
}

TEST_P(CustomContract, ReferencesThatNobodyWouldKeepAreRefused) {
  BoxProxy b = box();
  auto list = manager().list<int>();
  EXPECT_THAT(
      error_of<TypeError>([&] { b.ask<BoxOps::Json>(list); }),
      HasSubstr("json(value): argument 1: a reference to a hosted object is kept by HeldValue alone"));
  EXPECT_EQ(references(list), 1u);
}

TEST_P(CustomContract, AnObjectRemovedWhileHeldIsGoneAndNothingElse) {
  BoxProxy b = box();
  auto list = manager().list<int>("doomed", {1});
  b.put(list);
  manager().remove("doomed");
  auto found = b.at<List<int>>(0);
  EXPECT_THROW(found.size(), ObjectGone);
  EXPECT_TRUE(b.take<List<int>>().has_value());
}

TEST_P(CustomContract, ChangesCanBeWatched) {
  BoxProxy b = box();
  const std::uint64_t before = b.version();
  b.label("new");
  EXPECT_EQ(b.version(), before + 1);
  EXPECT_THROW(b.at(0), IndexError);
  b.ask<BoxOps::Not>(true);
  EXPECT_EQ(b.version(), before + 1);
  EXPECT_THROW(b.fail("key"), KeyError);
  EXPECT_EQ(b.wait_for_change(before + 1), before + 2) << "the handler changed something before it threw";
}

// ---- what managers say of them ----------------------------------------------------------------------------

TEST_P(CustomContract, SizeAndMemoryAreAccounted) {
  BoxProxy b = box();
  const ObjectInfo empty = info(b);
  EXPECT_EQ(empty.type, "box");
  EXPECT_EQ(empty.size, 0u);
  EXPECT_GE(empty.memory_bytes, sizeof(Box));
  b.put(std::string(10'000, 'x'));
  EXPECT_EQ(info(b).size, 1u);
  EXPECT_GE(info(b).memory_bytes, empty.memory_bytes + 10'000);
  const std::uint64_t held = manager().information().at("memory_bytes");
  b.take();
  EXPECT_EQ(info(b).memory_bytes, empty.memory_bytes);
  EXPECT_LE(manager().information().at("memory_bytes").get<std::uint64_t>(), held - 10'000);
}

TEST_P(CustomContract, ContentsOfAnyObject) {
  BoxProxy b = box();
  b.fill(std::vector{1, 2, 3});
  EXPECT_EQ(contents(b), Page(-1, false, {1, 2, 3}));
  EXPECT_EQ(contents(b, 0, 2), Page(2, false, {1, 2}));
  EXPECT_EQ(contents(b, 2, 2), Page(-1, false, {3}));
  EXPECT_EQ(contents(b, 3), Page(-1, false, {}));
  auto prices =
      manager().create<PricesProxy>(std::nullopt, std::map<std::string, double>{{"egg", 0.3}, {"ham", 2}});
  EXPECT_EQ(contents(prices), Page(-1, true, {{"egg", 0.3}, {"ham", 2.0}}));
  EXPECT_EQ(contents(manager().dict<std::string, int>({{"a", 1}})), Page(-1, true, {{"a", 1}}));
  EXPECT_EQ(contents(manager().value<int>(5)), Page(-1, false, {5}));
  EXPECT_THROW(contents(b, -1), ValueError);
  EXPECT_THROW(contents(b, 0, 0), ValueError);
  EXPECT_THROW(contents(BoxProxy()), ObjectGone);
}

TEST_P(CustomContract, ContentsHoldTheirReferences) {
  BoxProxy b = box();
  auto list = manager().list<int>();
  b.put(list);
  EXPECT_EQ(std::get<2>(contents(b))[0].at("$ref"), list.id());
  EXPECT_EQ(references(list), 2u) << "given back when nobody took them over";
}

}  // namespace
}  // namespace tandem
