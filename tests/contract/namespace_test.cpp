#include "tests/support/contract.hpp"

#include <map>
#include <string>
#include <vector>

namespace tandem {
namespace {

using nlohmann::json;
using test::error_of;
using test::printed;
using testing::HasSubstr;

class NamespaceContract : public test::ContractTest {};
TANDEM_CONTRACT_SUITE(NamespaceContract);

TEST_P(NamespaceContract, HoldsValuesByName) {
  auto ns = manager().ns();
  EXPECT_TRUE(ns.empty());
  ns.set("x", 1);
  ns["y"] = "text";
  ns["z"] = {1, 2};
  ns.set("empty", {});
  EXPECT_EQ(ns.get("x"), 1);
  EXPECT_EQ(ns.get<int>("x"), 1);
  EXPECT_EQ(ns.get<std::string>("y"), "text");
  EXPECT_EQ(ns.get<std::vector<int>>("z"), (std::vector<int>{1, 2}));
  EXPECT_EQ(ns.get("empty"), nullptr);
  int x = ns["x"];
  std::string y = ns["y"];
  EXPECT_EQ(x, 1);
  EXPECT_EQ(y, "text");
  EXPECT_TRUE(ns.contains("x"));
  EXPECT_FALSE(ns.contains("w"));
  EXPECT_EQ(ns.size(), 4U);
  EXPECT_TRUE(ns.erase("empty"));
  EXPECT_FALSE(ns.erase("empty"));
  EXPECT_EQ(printed(ns), R"({"x": 1, "y": "text", "z": [1, 2]})");
  const Namespace& constant = ns;
  EXPECT_EQ(constant["x"], 1);
}

TEST_P(NamespaceContract, AnAbsentNameIsAKeyErrorThatNamesIt) {
  auto ns = manager().ns();
  EXPECT_THAT(error_of<KeyError>([&] { (void)ns.get("nobody"); }), HasSubstr("\"nobody\""));
  EXPECT_THROW((void)ns["nobody"].get<int>(), KeyError);
}

TEST_P(NamespaceContract, AnElementAddsAtomically) {
  auto ns = manager().ns();
  EXPECT_EQ(ns["n"] += 5, 5);
  EXPECT_EQ(ns["n"] -= 2, 3);
  EXPECT_EQ(++ns["n"], 4);
  ns["n"]--;
  EXPECT_EQ(ns["n"], 3);
  EXPECT_EQ(ns["t"] += "ab", "ab");
  EXPECT_EQ(ns["t"] += "cd", "abcd");
  EXPECT_THROW((ns["t"] += 1), TypeError);
  ns["n"] = ns["t"];
  EXPECT_EQ(ns["n"], "abcd");
  EXPECT_EQ(printed(ns["n"]), "\"abcd\"");
}

TEST_P(NamespaceContract, ItemsComeInOrderOfInsertion) {
  auto ns = manager().ns();
  ns["b"] = 1;
  ns["a"] = 2;
  ns["b"] = 3;
  EXPECT_EQ(ns.items(), (std::vector<std::pair<std::string, json>>{{"b", 3}, {"a", 2}}));
  EXPECT_EQ(ns.snapshot(), (std::map<std::string, json>{{"a", 2}, {"b", 3}}));
}

TEST_P(NamespaceContract, NamesAreText) {
  auto ns = manager().ns();
  ns["爸"] = 1;
  ns[""] = 2;
  EXPECT_EQ(ns.get("爸"), 1);
  EXPECT_EQ(ns.get(""), 2);
  EXPECT_THROW(ns.set("\xff", 1), ValueError);
  EXPECT_EQ(ns.size(), 2U);
}

TEST_P(NamespaceContract, TypesAreChecked) {
  auto ns = manager().ns();
  ns["x"] = "text";
  EXPECT_THAT(error_of<TypeError>([&] { (void)ns.get<int>("x"); }),
              HasSubstr("asked for int32, found text \"text\""));
}

TEST_P(NamespaceContract, ProxiesStoredInsideComeBackAndAreCounted) {
  auto ns = manager().ns();
  auto inner = manager().list<int>({1});
  ns["l"] = inner;
  ns["m"] = std::vector{inner};
  EXPECT_EQ(references(inner), 3U);
  ns.get<List<int>>("l").push_back(2);
  EXPECT_EQ(inner, (std::vector<int>{1, 2}));
  ns["l"] = 0;
  EXPECT_EQ(references(inner), 2U);
  ns["m"] += std::vector{inner};
  EXPECT_EQ(references(inner), 3U);
  ns.erase("m");
  EXPECT_EQ(references(inner), 1U);
  ns["l"] = inner;
  ns = {};
  EXPECT_EQ(references(inner), 1U) << "the namespace is gone with its proxy";
}

TEST_P(NamespaceContract, ARemovedNamespaceIsGone) {
  auto ns = manager().ns("doomed");
  manager().remove("doomed");
  EXPECT_THROW(ns["x"] = 1, ObjectGone);
  EXPECT_THROW((void)ns.items(), ObjectGone);
}

}  // namespace
}  // namespace tandem
