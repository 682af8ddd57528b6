#include "tests/support/contract.hpp"

#include <bit>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace tandem {
namespace {

using test::J;

using nlohmann::json;
using test::error_of;
using test::printed;
using testing::HasSubstr;

/// What two values have in common when they are the same in kind too: 1 and 1.0 are not.
std::string exact(const json& value) {
  wire::Buffer bytes;
  wire::Writer writer(bytes);
  write_json(writer, value);
  return to_text(bytes.view());
}

struct Account {
  std::string owner;
  int balance = 0;
  bool operator==(const Account&) const = default;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Account, owner, balance)
};

class DictContract : public test::ContractTest {};
TANDEM_CONTRACT_SUITE(DictContract);

// ---- different keys stay different ----------------------------------------------------------------------

constexpr std::int64_t above_doubles = (std::int64_t{1} << 53) + 1;  // no double equals it
const double quiet_nan = std::bit_cast<double>(0x7ff8'0000'0000'0001);
const double other_nan = std::bit_cast<double>(0x7ff8'0000'0000'0002);

TEST_P(DictContract, ASnapshotHasEveryEntry) {
  auto d = manager().dict();
  d[-1] = "a";
  d[18446744073709551615ULL] = "b";
  d[above_doubles] = "c";
  d[0x1p53] = "d";
  d[quiet_nan] = "e";
  d[other_nan] = "f";
  d[std::pair(1, quiet_nan)] = "g";
  d[true] = "h";
  d[J(R"({"$int": "18446744073709551616"})")] = "i";
  const auto found = d.snapshot();
  EXPECT_EQ(found.size(), 9U);
  EXPECT_EQ(found.size(), d.size());
  EXPECT_EQ(found.at(-1), "a");
  EXPECT_EQ(found.at(18446744073709551615ULL), "b");
  EXPECT_EQ(found.at(above_doubles), "c");
  EXPECT_EQ(found.at(1.0), "h") << "1.0 and true are one key, as in the manager";
  for (const auto& [key, value] : found) EXPECT_EQ(d.at(key), value);
  std::map<json, json, KeyOrder<json>> paged;
  for (const auto& [key, value] : d) paged.emplace(key, value);
  EXPECT_EQ(paged.size(), 9U);
}

TEST_P(DictContract, NansAreKeysLikeOthers) {
  auto d = manager().dict<double, int>();
  for (int i = 0; i < 8; ++i) d[i] = i;
  d[quiet_nan] = 98;
  d[other_nan] = 99;
  const auto found = d.snapshot();
  EXPECT_EQ(found.size(), 10U);
  EXPECT_EQ(found.at(1), 1);
  EXPECT_EQ(found.at(quiet_nan), 98);
  EXPECT_EQ(found.at(other_nan), 99);
  auto nested = manager().dict<std::tuple<std::string, std::optional<double>>, int>();
  nested[{"a", quiet_nan}] = 1;
  nested[{"a", 2.0}] = 2;
  nested[{"a", std::nullopt}] = 3;
  EXPECT_EQ(nested.snapshot().size(), 3U);
  EXPECT_EQ(nested.snapshot().at({"a", quiet_nan}), 1);
}

TEST_P(DictContract, KeysThatBecomeOneAreRefused) {
  auto d = manager().dict();
  d["a"] = 0;
  d[above_doubles] = 1;
  d[0x1p53] = 2;
  d.erase("a");
  EXPECT_THAT(error_of<TypeError>([&] { (void)(Dict<double, int>(d.remote()).snapshot()); }),
              HasSubstr("found integer 9007199254740993 and float 9007199254740992.0, which differ in the "
                        "manager and are equal there"));
  EXPECT_EQ((Dict<double, int>(d.remote()).items().size()), 2U) << "a vector has room for both";
  auto batch = manager().batch();
  auto plain = batch.call<ops::Dict::Snapshot, std::map<double, int>>(d);
  auto hashed = batch.call<ops::Dict::Snapshot, std::unordered_map<double, int>>(d);
  auto keys = batch.call<ops::Dict::Keys, std::set<double>>(d);
  auto exact = batch.call<ops::Dict::Snapshot, std::map<json, int, KeyOrder<json>>>(d);
  batch.run();
  EXPECT_THROW(plain.get(), TypeError);
  EXPECT_THROW(hashed.get(), TypeError);
  EXPECT_THROW(keys.get(), TypeError);
  EXPECT_EQ(exact.get().size(), 2U);
}

TEST_P(DictContract, ComparesAsTheManagerDoes) {
  auto d = manager().dict<std::string, int>({{"a", -1}, {"b", 2}});
  using Entries = std::vector<std::pair<std::string, double>>;
  EXPECT_EQ(d, (Entries{{"b", 2}, {"a", -1}}));
  EXPECT_NE(d, (Entries{{"b", 2.5}, {"a", -1}})) << "2.5 is not converted";
  EXPECT_NE(d, (std::map<std::string, unsigned>{{"a", 0xffffffff}, {"b", 2}}));
  EXPECT_NE(d["a"], 0xffffffffU);
  EXPECT_EQ(d, (Entries{{"a", 0}, {"a", -1}, {"b", 2}})) << "the last one counts, as in update()";
  EXPECT_NE(d, (Entries{{"a", -1}}));
  EXPECT_EQ(d, J(R"({"a": -1, "b": 2.0})"));

  auto numbers = manager().dict<int, int>({{1, 1}});
  EXPECT_NE(numbers, (std::map<double, int>{{1.5, 1}}));
  EXPECT_NE(numbers, (std::map<double, int>{{0x1p70, 1}}));
  EXPECT_EQ(numbers, (std::map<double, int>{{1.0, 1}}));

  auto any = manager().dict();
  any["a"] = -1;
  any[-1] = std::pair(1, 2.0);
  any["nan"] = quiet_nan;
  EXPECT_NE(any["a"], 18446744073709551615ULL);
  EXPECT_LT(any["a"], 18446744073709551615ULL);
  EXPECT_FALSE(any["nan"] < 1);
  EXPECT_EQ(any["nan"], quiet_nan);
  EXPECT_NE(any["nan"], other_nan);
  EXPECT_EQ(any[-1], std::pair(1, 2));
  EXPECT_NE(any[-1], (std::vector<int>{1, 2})) << "a tuple is no list";
  using Any = std::vector<std::pair<json, json>>;
  const json tuple = J(R"({"$tuple": [1, 2]})");
  EXPECT_EQ(any, (Any{{"nan", quiet_nan}, {-1.0, tuple}, {"a", -1.0}}));
  EXPECT_NE(any, (Any{{"nan", quiet_nan}, {18446744073709551615ULL, tuple}, {"a", -1}}));
  EXPECT_NE(any, (Any{{"nan", quiet_nan}, {-1, tuple}, {"a", 18446744073709551615ULL}}));
  any.erase("nan");
  EXPECT_EQ(any, J(R"({"$map": [["a", -1], [-1, {"$tuple": [true, 2]}]]})")) << "in any order";
}

// ---- reading and writing --------------------------------------------------------------------------------

// A lambda's copies are const, and a write through them must not be lost.
TEST_P(DictContract, ProxiesThatAreConstWrite) {
  const auto untyped = manager().dict();
  const auto dict = manager().dict<std::string, std::string>();
  const auto list = manager().list<std::string>({"old"});
  const auto array = manager().array<int>({1});
  const auto set = manager().set<int>();
  const auto space = manager().ns();
  const auto value = manager().value<int>(0);
  const auto event = manager().event();
  [=] {
    untyped["a"] = 1;
    untyped["a"] += 1;
    dict["b"] = "two";
    list[0] = "new";
    array[0] += 2;
    set |= {4};
    space["c"] = 5;
    value = 6;
    ++value;
    event.set();
  }();
  EXPECT_EQ(untyped["a"], 2);
  EXPECT_EQ(dict["b"], "two");
  EXPECT_EQ(list[0], "new");
  EXPECT_EQ(array[0], 3);
  EXPECT_EQ(set.items(), std::vector<int>{4});
  EXPECT_EQ(space["c"], 5);
  EXPECT_EQ(value.load(), 7);
  EXPECT_TRUE(event.is_set());
}

TEST_P(DictContract, AWorkersProgram) {
  auto results = manager().dict();
  auto worker = [results](int n) mutable {
    results[n] = "1";
    results["2"] = 2;
    results[0.25] = nullptr;
  };
  for (int n = 0; n < 3; ++n) worker(n);
  EXPECT_EQ(printed(results), R"({0: "1", "2": 2, 0.25: null, 1: "1", 2: "1"})");
}

TEST_P(DictContract, GivesWhatWasStored) {
  auto d = manager().dict<std::string, int>({{"a", 1}});
  EXPECT_TRUE(d.insert_or_assign("b", 2)) << "a new key";
  EXPECT_FALSE(d.insert_or_assign("a", 3)) << "an old one";
  EXPECT_EQ(d.at("a"), 3);
  EXPECT_EQ(d.find("b"), 2);
  EXPECT_EQ(d.find("c"), std::nullopt);
  EXPECT_EQ(d.get("b", 9), 2);
  EXPECT_EQ(d.get("c", 9), 9);
  EXPECT_TRUE(d.contains("a"));
  EXPECT_FALSE(d.contains("c"));
  EXPECT_EQ(d.size(), 2U);
  EXPECT_FALSE(d.empty());
  d.clear();
  EXPECT_TRUE(d.empty());
}

TEST_P(DictContract, AnAbsentKeyIsAKeyErrorThatNamesIt) {
  auto d = manager().dict();
  EXPECT_THAT(error_of<KeyError>([&] { (void)d.at("nobody"); }), HasSubstr("\"nobody\""));
  EXPECT_THAT(error_of<KeyError>([&] { (void)d.pop(0.25); }), HasSubstr("0.25"));
  EXPECT_THROW((void)d["nobody"].get(), KeyError);
  EXPECT_THROW((void)d.popitem(), KeyError);
}

TEST_P(DictContract, NullIsAValueLikeOthers) {
  auto d = manager().dict();
  d["k"] = nullptr;
  EXPECT_EQ(d.find("k"), json(nullptr));
  EXPECT_EQ(d.find("x"), std::nullopt);
  EXPECT_FALSE(d.insert("k", 1));
  EXPECT_EQ(d.pop("k", 5), nullptr);
}

TEST_P(DictContract, KeepsTheOrderOfInsertion) {
  auto d = manager().dict<std::string, int>({{"c", 1}, {"a", 2}, {"b", 3}});
  d["a"] = 4;  // stays in its place
  d.erase("c");
  d["c"] = 5;  // comes again at the end
  EXPECT_EQ(d.keys(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(d.values(), (std::vector<int>{4, 3, 5}));
  EXPECT_EQ(d.items(), (std::vector<std::pair<std::string, int>>{{"a", 4}, {"b", 3}, {"c", 5}}));
  EXPECT_EQ(d.snapshot(), (std::map<std::string, int>{{"a", 4}, {"b", 3}, {"c", 5}}));
  EXPECT_EQ(d.popitem(), (std::pair<std::string, int>("c", 5)));
  EXPECT_EQ(d.popitem(false), (std::pair<std::string, int>("a", 4)));
}

TEST_P(DictContract, InsertStoresOnlyIfAbsent) {
  auto d = manager().dict<std::string, int>();
  EXPECT_TRUE(d.insert("a", 1));
  EXPECT_FALSE(d.insert("a", 2));
  EXPECT_EQ(d.get_or_insert("a", 3), 1);
  EXPECT_EQ(d.get_or_insert("b", 4), 4);
  EXPECT_EQ(d, (std::map<std::string, int>{{"a", 1}, {"b", 4}}));
}

TEST_P(DictContract, EraseAndPopTakeOut) {
  auto d = manager().dict<std::string, int>({{"a", 1}, {"b", 2}, {"c", 3}});
  EXPECT_TRUE(d.erase("a"));
  EXPECT_FALSE(d.erase("a"));
  EXPECT_EQ(d.pop("b"), 2);
  EXPECT_EQ(d.pop("b", 7), 7);
  EXPECT_EQ(d.pop("c", 7), 3);
  EXPECT_TRUE(d.empty());
}

// ---- keys, as Python has them -----------------------------------------------------------------------------

struct SameKeys {
  const char* first;
  const char* second;
  bool same;
};

TEST_P(DictContract, KeysAreTheSameWherePythonSaysSo) {
  const SameKeys table[] = {
      {"1", "1.0", true},
      {"1", "true", true},
      {"0.0", "false", true},
      {"0", "-0.0", true},
      {"18446744073709551615", "18446744073709551616.0", false},
      {R"({"$int": "18446744073709551616"})", "18446744073709551616.0", true},
      {"9007199254740993", "9007199254740992.0", false},
      {"1", "\"1\"", false},
      {"null", "0", false},
      {"null", "\"\"", false},
      {R"({"$bytes": "YQ=="})", "\"a\"", false},
      {R"({"$tuple": [1, "a"]})", R"({"$tuple": [1.0, "a"]})", true},
      {R"({"$tuple": [1, 2]})", R"({"$tuple": [2, 1]})", false},
      {R"({"$tuple": []})", "null", false},
      {R"({"$timestamp": "2024-01-01T00:00:00Z"})", R"({"$timestamp": "2024-01-01T00:00:00.0Z"})", true},
      {R"({"$float": "nan"})", R"({"$float": "nan"})", true},
  };
  for (const SameKeys& row : table) {
    auto d = manager().dict();
    d[J(row.first)] = "first";
    EXPECT_EQ(d.insert_or_assign(J(row.second), "second"), !row.same) << row.first << " and " << row.second;
    EXPECT_EQ(d.size(), row.same ? 1U : 2U);
    EXPECT_EQ(d.at(J(row.first)), row.same ? "second" : "first");
    EXPECT_EQ(exact(d.keys().front()), exact(J(row.first))) << "the first key stays";
  }
}

TEST_P(DictContract, KeysOfCppTypesAreWhatTheyAreInPython) {
  auto d = manager().dict();
  d[std::pair(1, "x")] = "tuple";
  d[std::tuple<>()] = "empty tuple";
  d[Bytes{std::byte{1}}] = "bytes";
  d[nullptr] = "null";
  d[std::chrono::sys_seconds(std::chrono::seconds(0))] = "time";
  EXPECT_EQ(
      printed(d),
      R"({(1, "x"): "tuple", (): "empty tuple", b"\x01": "bytes", null: "null", 1970-01-01T00:00:00Z: "time"})");
  EXPECT_TRUE(d.contains(std::pair(1.0, "x")));
  EXPECT_EQ(d.at(std::pair(1, "x")), "tuple");
  EXPECT_TRUE(d.erase(nullptr));

  auto typed = manager().dict<std::pair<int, std::string>, int>();
  typed[{1, "a"}] = 5;
  EXPECT_EQ((typed[{1, "a"}]), 5);
  EXPECT_EQ(typed.snapshot(), (std::map<std::pair<int, std::string>, int>{{{1, "a"}, 5}}));
}

TEST_P(DictContract, WhatPythonCannotHashIsNoKey) {
  auto d = manager().dict();
  d["k"] = 1;
  for (const char* key : {"[1]", "{\"a\": 1}", R"({"$set": [1]})", R"({"$tuple": [[1]]})"}) {
    EXPECT_THAT(error_of<TypeError>([&] { d[J(key)] = 2; }), HasSubstr("unhashable"));
    EXPECT_THROW((void)d.at(J(key)), TypeError);
    EXPECT_THROW((void)d.find(J(key)), TypeError);
    EXPECT_THROW((void)d.contains(J(key)), TypeError);
    EXPECT_THROW((void)d.erase(J(key)), TypeError);
    EXPECT_THROW((void)d.pop(J(key)), TypeError);
    EXPECT_THROW((void)d.insert(J(key), 1), TypeError);
    EXPECT_THROW((void)d.get_or_insert(J(key), 1), TypeError);
    EXPECT_THROW((void)d.add(J(key), 1), TypeError);
    EXPECT_THROW((void)d.compare_exchange(J(key), std::nullopt, 1), TypeError);
  }
  const std::vector<std::pair<json, json>> entries{{"new", 1}, {J("[1]"), 2}};
  EXPECT_THROW(d.update(entries), TypeError);
  EXPECT_THROW(d.assign(entries), TypeError);
  EXPECT_EQ(d, (json{{"k", 1}})) << "an operation is done whole or not at all";
}

// ---- d[k] -------------------------------------------------------------------------------------------------

TEST_P(DictContract, AnElementReadsAndAssigns) {
  auto d = manager().dict<std::string, int>();
  d["a"] = 5;
  int a = d["a"];
  EXPECT_EQ(a, 5);
  EXPECT_EQ(d["a"], 5);
  EXPECT_GT(d["a"], 4);
  EXPECT_EQ(d["a"] + 1, 6);
  d["b"] = d["a"];
  EXPECT_EQ(d["b"], d["a"]);
  auto place = d["a"];
  d["a"] = 6;
  EXPECT_EQ(place, 6) << "a place, not a value";
  EXPECT_EQ(printed(d["a"]), "6");
  const auto& constant = d;
  EXPECT_EQ(constant["a"], 6);
}

TEST_P(DictContract, AnUntypedElementConverts) {
  auto d = manager().dict();
  d["int"] = 5;
  d["text"] = "abc";
  d["list"] = {1, 2, "x"};
  d["map"] = {{"a", 1}, {"b", {1, 2}}};
  d["tuple"] = std::pair(1, 2.5);
  d["user"] = Account{"ann", 3};
  int i = d["int"];
  std::string text = d["text"];
  Account account = d["user"];
  std::pair<int, double> pair = d["tuple"];
  EXPECT_EQ(i, 5);
  EXPECT_EQ(text, "abc");
  EXPECT_EQ(account, (Account{"ann", 3}));
  EXPECT_EQ(pair, std::pair(1, 2.5));
  EXPECT_EQ(d["list"], J(R"([1, 2, "x"])"));
  EXPECT_EQ(d["map"].get()["b"][1], 2);
  EXPECT_EQ(d["int"], 5);
  EXPECT_EQ(d["text"], "abc");
  EXPECT_LT(d["int"], 6);
  json copied = d["map"];
  EXPECT_EQ(copied, J(R"({"a": 1, "b": [1, 2]})"));
  EXPECT_THROW((void)d["text"].get<int>(), TypeError);
  EXPECT_EQ(printed(d["text"]), "\"abc\"");
  EXPECT_EQ(printed(d["tuple"]), "(1, 2.5)");
  d["copy"] = d["tuple"];
  EXPECT_EQ((d.at<std::pair<int, double>>("copy")), std::pair(1, 2.5)) << "copied without loss";
}

struct Addition {
  const char* start;  // nullptr: absent
  const char* delta;
  const char* sum;  // nullptr: TypeError
};

TEST_P(DictContract, PlusEqualsIsPythons) {
  const Addition table[] = {
      {"1", "2", "3"},
      {"1", "0.5", "1.5"},
      {"true", "1", "2"},
      {"\"a\"", "\"b\"", "\"ab\""},
      {"[1]", "[2, \"x\"]", "[1, 2, \"x\"]"},
      {R"({"$tuple": [1]})", R"({"$tuple": [2]})", R"({"$tuple": [1, 2]})"},
      {R"({"$bytes": "YQ=="})", R"({"$bytes": "Yg=="})", R"({"$bytes": "YWI="})"},
      {nullptr, "5", "5"},
      {nullptr, "\"x\"", "\"x\""},
      {nullptr, "[1]", "[1]"},
      {"1", "\"a\"", nullptr},
      {"null", "1", nullptr},
      {"[1]", "1", nullptr},
      {"{\"a\": 1}", "{\"b\": 1}", nullptr},
      {"9223372036854775807", "1", "9223372036854775808"},
      {"-9223372036854775808", "9223372036854775808", "0"},
  };
  for (const Addition& row : table) {
    auto d = manager().dict();
    if (row.start != nullptr) d["k"] = J(row.start);
    SCOPED_TRACE(std::string(row.start != nullptr ? row.start : "absent") + " += " + row.delta);
    if (row.sum == nullptr) {
      EXPECT_THROW((d["k"] += J(row.delta)), TypeError);
      EXPECT_EQ(d.at("k"), J(row.start)) << "nothing was changed";
    } else {
      const json wanted = J(row.sum);
      const json given = d["k"] += J(row.delta);
      EXPECT_EQ(exact(given), exact(wanted));
      EXPECT_EQ(exact(d.at("k")), exact(wanted));
    }
  }
}

TEST_P(DictContract, PlusEqualsGivesTheNewValueAndMinusEqualsTakesAway) {
  auto d = manager().dict<std::string, std::int64_t>();
  EXPECT_EQ(d["n"] += 5, 5);
  EXPECT_EQ(d["n"] -= 7, -2);
  EXPECT_EQ(++d["n"], -1);
  d["n"]++;
  d["n"]--;
  EXPECT_EQ(--d["n"], -2);
  auto unsigned_values = manager().dict<std::string, unsigned>({{"n", 5}});
  EXPECT_EQ(unsigned_values["n"] -= 2, 3U);
  auto texts = manager().dict<std::string, std::string>();
  EXPECT_EQ(texts["t"] += "ab", "ab");
  EXPECT_EQ(texts["t"] += "cd", "abcd");
  auto untyped = manager().dict();
  EXPECT_EQ(untyped["n"] += 1.5, 1.5);
  EXPECT_EQ(untyped["n"] -= 0.5, 1.0);
  EXPECT_THROW((untyped["n"] -= "x"), TypeError);
}

TEST_P(DictContract, ASumBeyond64BitsIsAnOverflow) {
  auto d = manager().dict<std::string, std::uint64_t>({{"n", ~std::uint64_t{0}}});
  EXPECT_THROW((d["n"] += 1), OverflowError);
  EXPECT_EQ(d.at("n"), ~std::uint64_t{0});
}

TEST_P(DictContract, AddTakesAnotherStartForAnAbsentKey) {
  auto d = manager().dict<std::string, int>();
  EXPECT_EQ(d.add("a", 1), 1);
  EXPECT_EQ(d.add("a", 1, 100), 2) << "it is there already";
  EXPECT_EQ(d.add("b", 1, 100), 101);
  EXPECT_THROW(manager().dict().add("c", 1, "text"), TypeError);
}

TEST_P(DictContract, ASumThatIsNotOfTheDeclaredTypeChangesNothing) {
  auto d = manager().dict<std::string, std::int8_t>({{"n", 100}});
  EXPECT_THAT(error_of<OverflowError>([&] { d["n"] += 100; }),
              HasSubstr("200 is out of range for typecode b"));
  EXPECT_EQ(d.at("n"), 100);
}

// ---- compare_exchange -------------------------------------------------------------------------------------

TEST_P(DictContract, CompareExchangeKnowsValuesAndAbsence) {
  using Maybe = std::optional<int>;
  struct Row {
    Maybe stored, expected, desired;
    bool exchanged;
    Maybe after;
  };
  const Row table[] = {
      {1, 1, 2, true, 2},   {1, 3, 2, false, 1},   {1, {}, 2, false, 1},   {1, 1, {}, true, {}},
      {{}, {}, 2, true, 2}, {{}, 1, 2, false, {}}, {{}, {}, {}, true, {}},
  };
  for (const Row& row : table) {
    auto d = manager().dict<std::string, int>();
    if (row.stored) d["k"] = *row.stored;
    Maybe expected = row.expected;
    EXPECT_EQ(d.compare_exchange("k", expected, row.desired), row.exchanged);
    EXPECT_EQ(d.find("k"), row.after);
    EXPECT_EQ(expected, row.exchanged ? row.expected : row.stored) << "as std::atomic says what was found";
  }
}

TEST_P(DictContract, CompareExchangeComparesAsPython) {
  auto d = manager().dict();
  d["k"] = 1;
  EXPECT_TRUE(d.compare_exchange("k", 1.0, "x"));
  EXPECT_FALSE(d.compare_exchange("k", nullptr, "y")) << "null is not absence";
  EXPECT_TRUE(d.compare_exchange("k", "x", J("[1, 2]")));
  EXPECT_TRUE(d.compare_exchange("k", json{1.0, 2}, nullptr));
  EXPECT_EQ(d.at("k"), nullptr);
}

// ---- many at once -----------------------------------------------------------------------------------------

TEST_P(DictContract, UpdateTakesEveryKindOfEntries) {
  auto d = manager().dict();
  d.update({{"a", 1}, {2, nullptr}});
  d.update(std::map<std::string, int>{{"b", 3}});
  d.update(std::vector<std::pair<double, std::string>>{{0.5, "half"}});
  d.update(J(R"({"c": [1]})"));
  auto other = manager().dict<std::string, int>({{"a", 7}, {"d", 8}});
  d.update(other);
  auto space = manager().ns();
  space["e"] = 9;
  d.update(space);
  d.update(d);
  EXPECT_EQ(printed(d), R"({"a": 7, 2: null, "b": 3, 0.5: "half", "c": [1], "d": 8, "e": 9})");
  EXPECT_THROW(d.update(manager().list<int>({1})), TypeError);
  EXPECT_THROW(d.update(J("[1]")), TypeError);
}

TEST_P(DictContract, AssignMakesTheseAllTheEntries) {
  auto d = manager().dict<std::string, int>({{"a", 1}, {"b", 2}});
  d.assign({{"c", 3}});
  EXPECT_EQ(d, (std::map<std::string, int>{{"c", 3}}));
  d.assign(d);
  EXPECT_EQ(d, (std::map<std::string, int>{{"c", 3}}));
  d.assign(manager().dict<std::string, int>({{"d", 4}}));
  EXPECT_EQ(d, (std::map<std::string, int>{{"d", 4}}));
  d.assign(std::map<std::string, int>{});
  EXPECT_TRUE(d.empty());
}

TEST_P(DictContract, IsEqualToContainersWithTheSameEntriesInAnyOrder) {
  auto d = manager().dict<std::string, int>({{"b", 2}, {"a", 1}});
  EXPECT_EQ(d, (std::map<std::string, int>{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(d, (std::unordered_map<std::string, int>{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(d, (std::vector<std::pair<std::string, int>>{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(d, J(R"({"a": 1, "b": 2})"));
  EXPECT_NE(d, (std::map<std::string, int>{{"a", 1}}));
  EXPECT_NE(d, (std::map<std::string, int>{{"a", 1}, {"b", 3}}));
  EXPECT_EQ(d, d);
  EXPECT_NE(d, (manager().dict<std::string, int>({{"b", 2}, {"a", 1}}))) << "proxies are equal by identity";
}

TEST_P(DictContract, LargeContentsComeWhole) {
  auto d = manager().dict<int, std::string>();
  std::map<int, std::string> wanted;
  for (int i = 0; i < 30'000; ++i) wanted[i] = std::string(100, static_cast<char>('a' + i % 26));
  d.update(wanted);
  EXPECT_EQ(d.snapshot(), wanted) << "over several frames";
  EXPECT_EQ(d.size(), wanted.size());
}

// ---- iteration --------------------------------------------------------------------------------------------

Dict<int, int> counted(const Manager& manager, int count) {
  std::vector<std::pair<int, int>> entries;
  for (int i = 0; i < count; ++i) entries.emplace_back(i, -i);
  auto d = manager.dict<int, int>();
  d.update(entries);
  return d;
}

TEST_P(DictContract, RangeForSeesEveryEntryInOrder) {
  for (const int count : {0, 1, 999, 1000, 1001, 2500}) {
    auto d = counted(manager(), count);
    int next = 0;
    for (const auto& [key, value] : d) {
      EXPECT_EQ(key, next);
      EXPECT_EQ(value, -next);
      ++next;
    }
    EXPECT_EQ(next, count);
  }
}

TEST_P(DictContract, RangeForSurvivesChanges) {
  constexpr int count = 5000;
  auto d = counted(manager(), count);
  std::map<int, int> seen;
  for (const auto& [key, value] : d) {
    ++seen[key];
    if (key < 0) continue;                       // one of those that come in between
    d.erase(key);                                // behind us
    if (key % 3 == 0) d.erase(count - 1 - key);  // ahead of us, at first
    if (key % 100 == 0) d[-1 - key] = 0;         // at the end
    if (key % 500 == 0) d.keys();                // another call in between
  }
  for (const auto& [key, times] : seen) EXPECT_EQ(times, 1) << key;
  for (int key = 0; key < count; ++key)
    EXPECT_TRUE((count - 1 - key) % 3 == 0 || seen.contains(key)) << key << " was there until it was seen";
}

TEST_P(DictContract, RangeForThatEmptiesTheDictEnds) {
  auto d = counted(manager(), 2500);
  int seen = 0;
  for (const auto& entry : d) {
    (void)entry;
    if (++seen == 1000) d.clear();
  }
  EXPECT_EQ(seen, 1000);
}

TEST_P(DictContract, WorksWithStandardAlgorithms) {
  auto d = manager().dict<std::string, int>({{"a", 1}, {"b", 2}});
  const std::map<std::string, int> copied(d.begin(), d.end());
  EXPECT_EQ(copied, d.snapshot());
}

// ---- types and names --------------------------------------------------------------------------------------

TEST_P(DictContract, UserTypesAreKeysAndValues) {
  auto d = manager().dict<std::string, Account>();
  d["ann"] = {"ann", 5};
  d.insert_or_assign("bob", Account{"bob", 7});
  Account ann = d["ann"];
  EXPECT_EQ(ann, (Account{"ann", 5}));
  EXPECT_EQ(printed(d), R"({"ann": {"balance": 5, "owner": "ann"}, "bob": {"balance": 7, "owner": "bob"}})");
  EXPECT_EQ(printed(d["ann"]), R"({"balance": 5, "owner": "ann"})");
}

TEST_P(DictContract, OneDictCanBeReadAsSeveralTypes) {
  auto d = manager().dict("shared");
  d["n"] = 5;
  d["text"] = "five";
  auto typed = manager().dict<std::string, int>("shared");
  EXPECT_EQ(typed.at("n"), 5);
  EXPECT_THAT(error_of<TypeError>([&] { (void)typed.at("text"); }),
              HasSubstr("asked for int32, found text \"five\""));
  EXPECT_THROW((void)typed.snapshot(), TypeError);
  EXPECT_EQ(d, typed) << "the same object";
}

TEST_P(DictContract, TextThatIsNotUtf8IsRefused) {
  auto d = manager().dict<std::string, std::string>();
  EXPECT_THAT(error_of<ValueError>([&] { d["k"] = "\xff"; }), HasSubstr("UTF-8"));
  EXPECT_THROW(d["\xc0\x80"] = "v", ValueError);
  EXPECT_TRUE(d.empty());
}

// ---- proxies inside ---------------------------------------------------------------------------------------

TEST_P(DictContract, ProxiesStoredInsideComeBackAsProxies) {
  auto d = manager().dict<std::string, List<int>>();
  d["a"] = manager().list<int>({1, 2});
  d.at("a").push_back(3);
  EXPECT_EQ(d.at("a"), (std::vector<int>{1, 2, 3}));
  List<int> list = d["a"];
  EXPECT_EQ(d["a"].get(), list);

  auto untyped = manager().dict();
  untyped["inner"] = list;
  untyped.at<List<int>>("inner").push_back(4);
  EXPECT_EQ(list.size(), 4U);
  EXPECT_EQ(untyped.at("inner"), (json{{"$ref", list.id()}, {"$type", "list"}}));
  EXPECT_EQ(printed(untyped), "{\"inner\": <list " + std::to_string(list.id()) + ">}");
  untyped["again"] = untyped.at("inner");
  EXPECT_EQ(untyped["again"].get<List<int>>(), list) << "JSON that was read can be written back";
  EXPECT_THAT(error_of<TypeError>([&] { (void)untyped.at<Dict<>>("inner"); }),
              HasSubstr("asked for dict, found a list"));
}

TEST_P(DictContract, ReferencesAreCountedThroughEveryChange) {
  auto inner = manager().list<int>();
  EXPECT_EQ(references(inner), 1U) << "ours";
  auto d = manager().dict();
  d["a"] = inner;
  EXPECT_EQ(references(inner), 2U);
  d["b"] = inner;
  d["c"] = std::vector{inner, inner};
  EXPECT_EQ(references(inner), 5U) << "each place counts";
  d["a"] = 1;  // overwritten
  EXPECT_EQ(references(inner), 4U);
  d.erase("b");
  EXPECT_EQ(references(inner), 3U);
  d[std::pair("key", inner)] = inner;  // inside a key too
  EXPECT_EQ(references(inner), 5U);
  d.popitem();
  EXPECT_EQ(references(inner), 3U);
  (void)d.pop("c");
  EXPECT_EQ(references(inner), 1U);
  d.update({{"x", 1}});
  d["x"] = inner;
  d.compare_exchange("x", d.at("x"), std::nullopt);
  EXPECT_EQ(references(inner), 1U);
  d["x"] = inner;
  d.assign({{"y", 1}});
  EXPECT_EQ(references(inner), 1U);
  d["x"] = inner;
  d.clear();
  EXPECT_EQ(references(inner), 1U);
  d["x"] = inner;
  d = {};
  EXPECT_EQ(references(inner), 1U) << "the dict is gone with its proxy";
}

TEST_P(DictContract, ReadingAProxyHoldsItAndReadingJsonDoesNot) {
  auto d = manager().dict();
  const std::uint64_t id = [&] {
    auto inner = manager().list<int>();
    d["a"] = inner;
    return inner.id();
  }();
  EXPECT_EQ(references(id), 1U) << "the dict's";
  for (int i = 0; i < 3; ++i) (void)d.at("a");
  (void)d.snapshot();
  (void)d.items();
  (void)printed(d);
  for (const auto& entry : d) (void)entry;
  EXPECT_EQ(references(id), 1U);
  EXPECT_THROW((void)d.at<int>("a"), TypeError);
  EXPECT_THROW((void)(d.at<std::vector<int>>("a")), TypeError);
  EXPECT_THROW((void)d.at<Dict<>>("a"), TypeError);
  EXPECT_EQ(references(id), 1U) << "also when it cannot be read as that";
  {
    auto held = d.at<List<int>>("a");
    auto copy = held;
    EXPECT_EQ(references(id), 2U) << "copies of a proxy share one reference";
    d.clear();
    EXPECT_EQ(references(id), 1U);
    held.push_back(1);
  }
  EXPECT_FALSE(is_there(id));
}

TEST_P(DictContract, AFailureInTheMiddleGivesBackWhatWasNotTaken) {
  auto d = manager().dict();
  auto list = manager().list<int>();
  d["all"] = {1};
  d["all"] = std::tuple(list, 5, std::set<int>{}, std::vector{list}, std::pair(list, list));
  using Wrong = std::tuple<List<int>, std::string, std::set<int>, std::vector<List<int>>,
                           std::pair<List<int>, List<int>>>;
  EXPECT_THROW((void)d.at<Wrong>("all"), TypeError);
  EXPECT_EQ(references(list), 5U) << "ours, and four in the tuple";
  using Right =
      std::tuple<List<int>, int, std::set<int>, std::vector<List<int>>, std::pair<List<int>, List<int>>>;
  {
    const Right right = d.at<Right>("all");
    EXPECT_EQ(references(list), 9U);
  }
  EXPECT_EQ(references(list), 5U);
}

TEST_P(DictContract, NestingGoesWithItsOutermost) {
  auto outer = manager().dict();
  std::vector<std::uint64_t> ids;
  {
    Dict<> at = outer;
    for (int i = 0; i < 100; ++i) {
      auto inner = manager().dict();
      ids.push_back(inner.id());
      at["inner"] = inner;
      at = inner;
    }
  }
  EXPECT_TRUE(is_there(ids.back()));
  outer.erase("inner");
  for (const std::uint64_t id : ids) EXPECT_FALSE(is_there(id));
}

TEST_P(DictContract, ADictCanHoldItself) {
  auto d = manager().dict();
  d["self"] = d;
  EXPECT_EQ(references(d), 2U);
  EXPECT_EQ(d["self"].get<Dict<>>(), d);
  d.erase("self");
}

TEST_P(DictContract, ProxiesOfAnotherManagerAreRefused) {
  auto host = test::make_host(GetParam(), {});
  Manager elsewhere = host->connect();
  auto d = manager().dict();
  auto foreign = elsewhere.list<int>();
  EXPECT_THAT(error_of<ValueError>([&] { d["x"] = foreign; }), HasSubstr("its own manager"));
  EXPECT_THROW((d[std::pair(1, foreign)] = 1), ValueError);
  EXPECT_THROW(d.update(elsewhere.dict()), ValueError);
  EXPECT_TRUE(d.empty());
  EXPECT_NE(foreign, manager().list<int>()) << "though their ids are the same";
}

TEST_P(DictContract, ARemovedDictIsGone) {
  auto d = manager().dict<std::string, int>("doomed");
  auto again = manager().dict<std::string, int>("doomed");
  EXPECT_EQ(d, again);
  EXPECT_TRUE(manager().remove("doomed"));
  EXPECT_THROW((void)d.size(), ObjectGone);
  EXPECT_THROW(d["a"] = 1, ObjectGone);
  EXPECT_THROW((d["a"] += 1), ObjectGone);
  EXPECT_THROW((void)d.snapshot(), ObjectGone);
  auto holder = manager().dict();
  EXPECT_THROW(holder["d"] = again, ObjectGone);
  auto fresh = manager().dict<std::string, int>("doomed");
  EXPECT_NE(fresh, d) << "ids are never used again";
  EXPECT_TRUE(fresh.empty());
}

TEST_P(DictContract, AReferenceToWhatWasRemovedIsGoneWhenUsed) {
  auto inner = manager().dict<std::string, int>("inner");
  auto outer = manager().dict();
  outer["inner"] = inner;
  manager().remove("inner");
  auto stale = outer.at<Dict<>>("inner");
  EXPECT_THROW((void)stale.size(), ObjectGone);
  outer.clear();
}

// ---- limits -----------------------------------------------------------------------------------------------

class SmallDictContract : public test::ContractTest {
 protected:
  Limits limits() const override {
    Limits limits;
    limits.message_bytes_max = 64 * 1024;
    limits.memory_bytes_max = 16 << 20;
    limits.value_depth_max = 5;
    return limits;
  }
};
TANDEM_CONTRACT_SUITE(SmallDictContract);

TEST_P(SmallDictContract, ALongRequestNamesItsLimit) {
  auto d = manager().dict<std::string, std::string>();
  EXPECT_THAT(error_of<ResourceExhausted>([&] { d["k"] = std::string(100'000, 'x'); }),
              HasSubstr("message_bytes_max"));
  d["k"] = std::string(60'000, 'x');
  EXPECT_EQ(d.size(), 1U) << "and the session goes on";
}

TEST_P(SmallDictContract, ADeepValueNamesItsLimit) {
  auto d = manager().dict();
  EXPECT_THAT(error_of<ResourceExhausted>([&] { d["k"] = J("[[[[[[1]]]]]]"); }),
              HasSubstr("value_depth_max"));
  d["k"] = J("[[[[[1]]]]]");
  EXPECT_EQ(d.at("k"), J("[[[[[1]]]]]"));
}

TEST_P(SmallDictContract, FullMemoryNamesItsLimitAndLetsThingsBeErased) {
  auto d = manager().dict<int, std::string>();
  const std::string value(50'000, 'x');
  const std::string text = error_of<ResourceExhausted>([&] {
    for (int i = 0; i < 1000; ++i) d[i] = value;
  });
  EXPECT_THAT(text, HasSubstr("memory_bytes_max"));
  EXPECT_GT(d.size(), 100U);
  EXPECT_THROW(d.insert(-1, value), ResourceExhausted);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(d.erase(i));
  d[-1] = value;
  d.clear();
  EXPECT_TRUE(d.empty());
}

}  // namespace
}  // namespace tandem
