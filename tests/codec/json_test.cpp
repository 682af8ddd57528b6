// JSON for values and back: every form of both columns in tandem/json.hpp, and that nothing is lost on the
// way.
#include "tandem/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "client/common/value_text.hpp"
#include "tandem/error.hpp"
#include "tandem/text.hpp"

namespace tandem {
namespace {

using nlohmann::json;
using namespace nlohmann::literals;
using testing::HasSubstr;
using wire::as_bytes;
using wire::Extension;
using wire::Writer;

std::string written(const std::function<void(Writer&)>& write) {
  wire::Buffer buffer;
  Writer writer(buffer);
  write(writer);
  return std::string(wire::as_text(buffer.view()));
}
std::string written(const json& value) {
  return written([&](Writer& w) { write_json(w, value); });
}

json binary(std::string_view bytes) {
  return json::binary({bytes.begin(), bytes.end()});
}

struct Form {
  std::string_view name;
  std::function<void(Writer&)> write;
  json plain;
  json display;
  std::string_view text;
};
void PrintTo(const Form& form, std::ostream* out) {
  *out << form.name;
}

void timestamp(Writer& writer, std::int64_t seconds, std::uint32_t nanoseconds) {
  client::write_timestamp(writer, {seconds, nanoseconds});
}

std::vector<Form> forms() {
  const auto same = [](std::string_view name, std::function<void(Writer&)> write, json value,
                       std::string_view text) {
    return Form{name, std::move(write), value, value, text};
  };
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return {
      same(
          "nil", [](Writer& w) { w.nil(); }, nullptr, "null"),
      same(
          "true", [](Writer& w) { w.boolean(true); }, true, "true"),
      same(
          "integer", [](Writer& w) { w.integer(std::int64_t{-5}); }, -5, "-5"),
      same(
          "unsigned", [](Writer& w) { w.unsigned_integer(~std::uint64_t{0}); }, ~std::uint64_t{0},
          "18446744073709551615"),
      same(
          "float", [](Writer& w) { w.floating(0.25); }, 0.25, "0.25"),
      same(
          "whole float", [](Writer& w) { w.floating(3); }, 3.0, "3.0"),
      same(
          "large float", [](Writer& w) { w.floating(1e300); }, 1e300, "1e+300"),
      same(
          "text", [](Writer& w) { w.text("a\"\n\x01é"); }, "a\"\n\x01é", "\"a\\\"\\n\\u0001é\""),
      same(
          "array", [](Writer& w) { w.array(2), w.nil(), w.text("a"); }, json::array({nullptr, "a"}),
          "[null, \"a\"]"),
      same(
          "empty array", [](Writer& w) { w.array(0); }, json::array(), "[]"),
      same(
          "map", [](Writer& w) { w.map(2), w.text("b"), w.nil(), w.text("a"), w.boolean(false); },
          json{{"a", false}, {"b", nullptr}}, R"({"b": null, "a": false})"),
      same(
          "empty map", [](Writer& w) { w.map(0); }, json::object(), "{}"),
      same(
          "map with keys of any kind",
          [](Writer& w) { w.map(2), w.floating(0.25), w.nil(), w.text("a"), w.boolean(true); },
          R"({"$map": [[0.25, null], ["a", true]]})"_json, R"({0.25: null, "a": true})"),
      same(
          "map with text first and then another key",
          [](Writer& w) { w.map(3), w.text("b"), w.nil(), w.text("a"), w.nil(), w.nil(), w.nil(); },
          R"({"$map": [["b", null], ["a", null], [null, null]]})"_json,
          R"({"b": null, "a": null, null: null})"),
      same(
          "map with a key twice",
          [](Writer& w) { w.map(2), w.text("a"), w.nil(), w.text("a"), w.boolean(true); },
          R"({"$map": [["a", null], ["a", true]]})"_json, R"({"a": null, "a": true})"),
      same(
          "map that looks like a set", [](Writer& w) { w.map(1), w.text("$set"), w.array(0); },
          R"({"$map": [["$set", []]]})"_json, R"({"$set": []})"),
      same(
          "map that looks like a map", [](Writer& w) { w.map(1), w.text("$map"), w.nil(); },
          R"({"$map": [["$map", null]]})"_json, R"({"$map": null})"),
      same(
          "map that looks like a reference",
          [](Writer& w) { w.map(2), w.text("$ref"), w.nil(), w.text("$type"), w.nil(); },
          R"({"$map": [["$ref", null], ["$type", null]]})"_json, R"({"$ref": null, "$type": null})"),
      {"map with a dollar key of no form",
       [](Writer& w) { w.map(1), w.text("$oid"), w.text("x"); },
       {{"$oid", "x"}},
       R"({"$map": [["$oid", "x"]]})"_json,
       R"({"$oid": "x"})"},
      {"bytes",
       [](Writer& w) { w.bytes(as_bytes(std::string_view("\0\1\2", 3))); },
       binary(std::string_view("\0\1\2", 3)),
       {{"$bytes", "AAEC"}},
       R"(b"\x00\x01\x02")"},
      {"NaN", [](Writer& w) { w.floating(std::nan("")); }, std::nan(""), {{"$float", "nan"}}, "nan"},
      {"infinity", [=](Writer& w) { w.floating(infinity); }, infinity, {{"$float", "inf"}}, "inf"},
      {"minus infinity", [=](Writer& w) { w.floating(-infinity); }, -infinity, {{"$float", "-inf"}}, "-inf"},
      same(
          "tuple",
          [](Writer& w) {
            w.extension(Extension::tuple, as_bytes("\x01\xa1"
                                                   "a"));
          },
          {{"$tuple", {1, "a"}}}, R"((1, "a"))"),
      same(
          "tuple of one", [](Writer& w) { w.extension(Extension::tuple, as_bytes("\x01")); },
          {{"$tuple", {1}}}, "(1,)"),
      same(
          "empty tuple", [](Writer& w) { w.extension(Extension::tuple, {}); }, {{"$tuple", json::array()}},
          "()"),
      same(
          "set", [](Writer& w) { w.extension(Extension::set, as_bytes("\x01\x02")); }, {{"$set", {1, 2}}},
          "{1, 2}"),
      same(
          "empty set", [](Writer& w) { w.extension(Extension::set, {}); }, {{"$set", json::array()}},
          "set()"),
      same(
          "nested tuple", [](Writer& w) { w.extension(Extension::tuple, as_bytes("\xd4\x02\x01")); },
          {{"$tuple", {{{"$tuple", {1}}}}}}, "((1,),)"),
      same(
          "big integer",
          [](Writer& w) {
            w.extension(Extension::integer, as_bytes(std::string_view("\1\0\0\0\0\0\0\0\0", 9)));
          },
          {{"$int", "18446744073709551616"}}, "18446744073709551616"),
      same(
          "negative big integer",
          [](Writer& w) {
            w.extension(Extension::integer, as_bytes("\xff\x7f\xff\xff\xff\xff\xff\xff\xff"));
          },
          {{"$int", "-9223372036854775809"}}, "-9223372036854775809"),
      same(
          "reference",
          [](Writer& w) {
            w.reference({3, 7});
          },
          {{"$ref", 7}, {"$type", "list"}}, "<list 7>"),
      same(
          "reference to a type not known here",
          [](Writer& w) {
            w.reference({200, 7});
          },
          {{"$ref", 7}, {"$type", 200}}, "<object of type 200, 7>"),
      {"foreign value",
       [](Writer& w) { w.extension(Extension::foreign, as_bytes("pabc")); },
       {{"$foreign", "p"}, {"$bytes", binary("abc")}},
       {{"$foreign", "p"}, {"$bytes", "YWJj"}},
       "<foreign \"p\", 3 bytes>"},
      {"other extension",
       [](Writer& w) { w.extension(static_cast<Extension>(17), as_bytes("abc")); },
       {{"$extension", 17}, {"$bytes", binary("abc")}},
       {{"$extension", 17}, {"$bytes", "YWJj"}},
       "<extension 17, 3 bytes>"},
      {"reference of a wrong length",
       [](Writer& w) { w.extension(Extension::reference, as_bytes("abc")); },
       {{"$extension", 1}, {"$bytes", binary("abc")}},
       {{"$extension", 1}, {"$bytes", "YWJj"}},
       "<extension 1, 3 bytes>"},
      same(
          "timestamp of 4 bytes", [](Writer& w) { timestamp(w, 951825600, 0); },
          {{"$timestamp", "2000-02-29T12:00:00Z"}}, "2000-02-29T12:00:00Z"),
      same(
          "timestamp of 8 bytes", [](Writer& w) { timestamp(w, 0, 500'000'000); },
          {{"$timestamp", "1970-01-01T00:00:00.5Z"}}, "1970-01-01T00:00:00.5Z"),
      same(
          "timestamp of 12 bytes", [](Writer& w) { timestamp(w, -1, 1); },
          {{"$timestamp", "1969-12-31T23:59:59.000000001Z"}}, "1969-12-31T23:59:59.000000001Z"),
      same(
          "timestamp before the year 0", [](Writer& w) { timestamp(w, -62'167'219'201, 5); },
          {{"$timestamp", {-62'167'219'201, 5}}}, "<-62167219201 s and 5 ns since 1970>"),
      same(
          "timestamp beyond the year 9999", [](Writer& w) { timestamp(w, 253'402'300'800, 0); },
          {{"$timestamp", {253'402'300'800, 0}}}, "<253402300800 s and 0 ns since 1970>"),
  };
}

class JsonForm : public testing::TestWithParam<Form> {};

/// NaN equals nothing; its text does.
void expect_same(const json& found, const json& wanted) {
  if (wanted.is_number_float() && std::isnan(wanted.get<double>())) {
    EXPECT_TRUE(std::isnan(found.get<double>()));
  } else {
    EXPECT_EQ(found, wanted);
  }
}

TEST_P(JsonForm, PlainAndDisplayAreAsDocumented) {
  const std::string bytes = written(GetParam().write);
  expect_same(to_plain_json(as_bytes(bytes)), GetParam().plain);
  EXPECT_EQ(to_display_json(as_bytes(bytes)), GetParam().display);
}

TEST_P(JsonForm, BothCanBeWrittenBack) {
  const std::string bytes = written(GetParam().write);
  if (GetParam().name == "map") {  // JSON objects are ordered by key
    EXPECT_EQ(to_plain_json(as_bytes(written(GetParam().plain))), GetParam().plain);
    return;
  }
  EXPECT_EQ(written(GetParam().plain), bytes);
  EXPECT_EQ(written(GetParam().display), bytes);
}

TEST_P(JsonForm, DisplaySurvivesBeingText) {
  const std::string text = GetParam().display.dump();
  EXPECT_EQ(json::parse(text), GetParam().display);
}

TEST_P(JsonForm, TextIsWhatAPersonReads) {
  EXPECT_EQ(to_text(as_bytes(written(GetParam().write))), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(Values, JsonForm, testing::ValuesIn(forms()));

// ---- writing --------------------------------------------------------------------------------------------

struct BadForm {
  const char* json;
  const char* complaint;
};

class RefusedJson : public testing::TestWithParam<BadForm> {};

TEST_P(RefusedJson, SaysWhatWasExpected) {
  try {
    written(json::parse(GetParam().json));
    FAIL() << GetParam().json;
  } catch (const ValueError& error) {
    EXPECT_THAT(error.what(), HasSubstr(GetParam().complaint));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, RefusedJson,
    testing::Values(BadForm{R"({"$map": {}})", "$map must be an array of [key, value] arrays"},
                    BadForm{R"({"$map": [1]})", "$map must be"},
                    BadForm{R"({"$map": [[1, 2, 3]]})", "$map must be"},
                    BadForm{R"({"$tuple": 5})", "$tuple must be an array"},
                    BadForm{R"({"$set": {"a": 1}})", "$set must be"},
                    BadForm{R"({"$int": "five"})", "$int must be"},
                    BadForm{R"({"$int": ""})", "$int must be"}, BadForm{R"({"$int": "-"})", "$int must be"},
                    BadForm{R"({"$int": "0x"})", "$int must be"}, BadForm{R"({"$int": 0.5})", "$int must be"},
                    BadForm{R"({"$float": "big"})", "$float must be"},
                    BadForm{R"({"$bytes": "AA"})", "$bytes must be base64"},
                    BadForm{R"({"$bytes": "A==="})", "$bytes must be base64"},
                    BadForm{R"({"$bytes": "AB=="})", "$bytes must be base64"},
                    BadForm{R"({"$bytes": "AA=A"})", "$bytes must be base64"},
                    BadForm{R"({"$timestamp": "yesterday"})", "$timestamp must be"},
                    BadForm{R"({"$timestamp": "2024-02-30T00:00:00Z"})", "$timestamp must be"},
                    BadForm{R"({"$timestamp": "2024-02-29T24:00:00Z"})", "$timestamp must be"},
                    BadForm{R"({"$timestamp": "2024-02-29T00:00:00.Z"})", "$timestamp must be"},
                    BadForm{R"({"$timestamp": "2024-02-29T00:00:00.1234567890Z"})", "$timestamp must be"},
                    BadForm{R"({"$timestamp": "-024-02-29T00:00:00Z"})", "$timestamp must be"},
                    BadForm{R"({"$timestamp": [1]})", "$timestamp must be"},
                    BadForm{R"({"$timestamp": [1, -1]})", "$timestamp must be"},
                    BadForm{R"({"$ref": "7", "$type": "list"})", "$ref must be"},
                    BadForm{R"({"$ref": 7, "$type": "spoon"})", "$ref must be"},
                    BadForm{R"({"$ref": 7, "$type": ""})", "$ref must be"},
                    BadForm{R"({"$ref": 7, "$type": 256})", "$ref must be"},
                    BadForm{R"({"$foreign": "pp", "$bytes": ""})", "$foreign must be"},
                    BadForm{R"({"$foreign": "p", "$bytes": 5})", "$bytes must be"},
                    BadForm{R"({"$extension": 128, "$bytes": ""})", "$extension must be"}));

TEST(WriteJson, TakesWhatLooksAlmostLikeAFormAsTheObjectItIs) {
  for (const char* text : {R"({"$set": [], "more": 1})", R"({"$ref": 7})", R"({"$type": "list"})",
                           R"({"$": 1})", R"({"$foreign": "p"})", R"({"$Map": []})"})
    EXPECT_EQ(to_plain_json(as_bytes(written(json::parse(text)))), json::parse(text)) << text;
}

TEST(WriteJson, IntegersInFormsTakeTheShortestWay) {
  const auto of = [](const char* digits) { return written(json{{"$int", digits}}); };
  EXPECT_EQ(of("5"), written(json(5)));
  EXPECT_EQ(of("-5"), written(json(-5)));
  EXPECT_EQ(of("0"), written(json(0)));
  EXPECT_EQ(of("-0"), written(json(0)));
  EXPECT_EQ(of("000018446744073709551615"), written(json(~std::uint64_t{0})));
  EXPECT_EQ(of("-9223372036854775808"), written(json(std::numeric_limits<std::int64_t>::min())));
  EXPECT_EQ(of("0xff"), written(json(255)));
  EXPECT_EQ(of("-0x80"), written(json(-128)));
  EXPECT_EQ(of("0x10000000000000000"), of("18446744073709551616"));
}

TEST(WriteJson, LongIntegersAreHexadecimalAndComeBack) {
  for (const bool negative : {false, true}) {
    const std::string digits = (negative ? "-0x" : "0x") + std::string("1") + std::string(6000, 'a');
    const std::string bytes = written(json{{"$int", digits}});
    const json back = to_plain_json(as_bytes(bytes));
    EXPECT_EQ(written(back), bytes);
    EXPECT_TRUE(back["$int"].get<std::string>().starts_with(negative ? "-0x" : "0x"));
  }
  EXPECT_THROW(written(json{{"$int", std::string(100'000, '9')}}), ValueError);
}

TEST(WriteJson, DecimalIntegersOfEveryLengthComeBack) {
  std::string digits = "1";
  while (digits.size() < 2000) {
    digits += digits.size() < 100 ? "7" : "1234567890123456789012345678901";
    for (const std::string& text : {digits, "-" + digits}) {
      const std::string bytes = written(json{{"$int", text}});
      if (digits.size() > 20) {
        EXPECT_EQ(to_plain_json(as_bytes(bytes)), (json{{"$int", text}}));
      }
    }
  }
}

// ---- depth and damage -------------------------------------------------------------------------------------

TEST(JsonDepth, AThousandLevelsGoThereAndBack) {
  for (const char* level : {"\x91",
                            "\x81\xa1"
                            "a"}) {
    std::string bytes;
    for (int i = 0; i < 1000; ++i) bytes += level;
    bytes += '\xc0';
    const json deep = to_plain_json(as_bytes(bytes));
    EXPECT_EQ(written(deep), bytes);
    EXPECT_FALSE(to_text(as_bytes(bytes)).empty());
  }
}

TEST(JsonDepth, MoreIsRefusedBothWays) {
  std::string bytes(1001, '\x91');
  bytes += '\xc0';
  EXPECT_THROW(to_plain_json(as_bytes(bytes)), ProtocolError);
  EXPECT_THROW(to_display_json(as_bytes(std::string(1'000'000, '\x91'))), ProtocolError);
  json deep = nullptr;
  for (int i = 0; i < 1001; ++i) deep = json::array({std::move(deep)});
  try {
    written(deep);
    FAIL();
  } catch (const ResourceExhausted& error) {
    EXPECT_THAT(error.what(), HasSubstr("value_depth_max"));
  }
}

TEST(JsonDamage, BytesThatAreNotOneValueAreRefused) {
  for (const std::string_view bytes : {"", "\xc1", "\x01\x02",
                                       "\xa5"
                                       "ab",
                                       "\x92\x01", "\xd4\x02\xa5"})
    EXPECT_THROW(to_plain_json(as_bytes(bytes)), ProtocolError) << to_text(as_bytes(bytes));
}

TEST(ToText, ShowsWhatCanBeReadOfMalformedBytes) {
  EXPECT_EQ(to_text({}), "<malformed>");
  EXPECT_EQ(to_text(as_bytes("\x93\x01\x02")), "[1, 2, <malformed>]");
  EXPECT_EQ(to_text(as_bytes(std::string(1'000'000, '\x91')), 20), std::string(20, '[') + "…");
}

TEST(ToText, IsCutWhereAsked) {
  const std::string bytes = written(json(std::string(100, 'x')));
  EXPECT_EQ(to_text(as_bytes(bytes), 5), "\"xxxx…");
  EXPECT_EQ(to_text(as_bytes(written(json::array({1, 2, 3}))), 4), "[1, …");
  EXPECT_EQ(to_text(as_bytes(written(json::array({1, 2, 3}))), 9), "[1, 2, 3]") << "just long enough";
  EXPECT_EQ(to_text(as_bytes(written(json("ééé"))), 4), "\"é…") << "never within a character";
}

TEST(HostedTypeName, IsKnownForEachHostedType) {
  EXPECT_EQ(hosted_type_name(3), "list");
  EXPECT_EQ(hosted_type_name(0), "");
  EXPECT_EQ(hosted_type_name(255), "");
}

}  // namespace
}  // namespace tandem
