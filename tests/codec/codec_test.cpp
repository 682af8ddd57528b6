// Every C++ type that is a value: what it is on the wire, that it comes back, and what is said when another
// value stands there. Without a manager: proxies in values are tested in contract/.
#include "tandem/codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "tandem/codec/parameter.hpp"
#include "tandem/codec/result.hpp"
#include "tandem/ops/all.hpp"
#include "tandem/proxy/list.hpp"

namespace tandem {

// A type with a codec of its own.
struct Celsius {
  double degrees = 0;
  bool operator==(const Celsius&) const = default;
};
template <>
struct Codec<Celsius> {
  static void encode(Encoder& to, const Celsius& value) { Codec<double>::encode(to, value.degrees); }
  static Celsius decode(Decoder& from) { return {Codec<double>::decode(from)}; }
};

namespace {

using nlohmann::json;
using testing::HasSubstr;
using namespace std::chrono_literals;

// Types that nlohmann::json knows, in three ways.
struct Account {
  std::string owner;
  int balance = 0;
  std::optional<Celsius> unseen{};
  bool operator==(const Account&) const = default;
};
void to_json(json& to, const Account& account) {
  to = {{"owner", account.owner}, {"balance", account.balance}};
}
void from_json(const json& from, Account& account) {
  from.at("owner").get_to(account.owner);
  from.at("balance").get_to(account.balance);
}
struct Point {
  int x = 0;
  int y = 0;
  bool operator==(const Point&) const = default;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Point, x, y)
};
enum class Plain : std::int8_t { low = -128, one = 1, high = 127 };
enum class Named { red, green };
NLOHMANN_JSON_SERIALIZE_ENUM(Named, {{Named::red, "red"}, {Named::green, "green"}})

wire::Buffer encoded(const auto& value) {
  wire::Buffer bytes;
  Encoder to{wire::Writer(bytes), nullptr};
  Codec<client::ValueOf<std::remove_cvref_t<decltype(value)>>>::encode(to, value);
  return bytes;
}

/// Decodes the whole of `bytes`.
template <class T>
T decoded(wire::Bytes bytes) {
  Decoder from{wire::Reader(bytes), nullptr};
  T value = Codec<T>::decode(from);
  EXPECT_TRUE(from.reader.at_end());
  return value;
}
template <class T>
T decoded(const wire::Buffer& bytes) {
  return decoded<T>(bytes.view());
}
/// Decodes what `value` is written as.
template <class T>
T read_as(const auto& value) {
  return decoded<T>(encoded(value));
}

/// The text of the TypeError when `value` is read as a T.
template <class T>
std::string refusal(const auto& value) {
  const wire::Buffer bytes = encoded(value);
  Decoder from{wire::Reader(bytes.view()), nullptr};
  try {
    (void)Codec<T>::decode(from);
  } catch (const TypeError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::string text_of(const auto& value) {
  return to_text(encoded(value).view());
}

template <class T>
void expect_comes_back(const T& value, std::string_view text) {
  EXPECT_EQ(text_of(value), text);
  EXPECT_EQ(read_as<T>(value), value);
}

// ---- there and back -------------------------------------------------------------------------------------

TEST(Codec, SingleValuesComeBack) {
  expect_comes_back(nullptr, "null");
  expect_comes_back(std::monostate(), "null");
  expect_comes_back(true, "true");
  expect_comes_back(false, "false");
  expect_comes_back('a', "97");
  expect_comes_back(std::int8_t{-5}, "-5");
  expect_comes_back(std::uint16_t{65535}, "65535");
  expect_comes_back(-1, "-1");
  expect_comes_back(std::numeric_limits<std::int64_t>::min(), "-9223372036854775808");
  expect_comes_back(std::numeric_limits<std::uint64_t>::max(), "18446744073709551615");
  expect_comes_back(0.25F, "0.25");
  expect_comes_back(0.1, "0.1");
  expect_comes_back(1.0, "1.0");
  expect_comes_back(std::string("爸爸你好!"), "\"爸爸你好!\"");
  expect_comes_back(Bytes{std::byte{0}, std::byte{0xff}, std::byte{'a'}}, "b\"\\x00\\xffa\"");
  expect_comes_back(std::array{std::byte{1}, std::byte{2}}, "b\"\\x01\\x02\"");
  expect_comes_back(std::byte{7}, "7");
}

TEST(Codec, EveryWidthOfIntegerComesBackAtItsLimits) {
  const auto check = []<class... T>() {
    (expect_comes_back(std::numeric_limits<T>::min(), std::to_string(std::numeric_limits<T>::min())), ...);
    (expect_comes_back(std::numeric_limits<T>::max(), std::to_string(std::numeric_limits<T>::max())), ...);
  };
  check.operator()<signed char, unsigned char, short, unsigned short, int, unsigned, long, unsigned long,
                   long long, unsigned long long>();
}

TEST(Codec, TextsAreWrittenFromAllTextTypes) {
  char buffer[] = "abc";
  EXPECT_EQ(text_of("abc"), "\"abc\"");
  EXPECT_EQ(text_of(std::string_view("abc")), "\"abc\"");
  EXPECT_EQ(text_of(static_cast<const char*>(buffer)), "\"abc\"");
  EXPECT_EQ(text_of(buffer), "\"abc\"");
}

TEST(Codec, ContainersComeBack) {
  expect_comes_back(std::optional<int>(), "null");
  expect_comes_back(std::optional(3), "3");
  expect_comes_back(std::vector{1, 2, 3}, "[1, 2, 3]");
  expect_comes_back(std::vector<bool>{true, false}, "[true, false]");
  expect_comes_back(std::vector<std::uint8_t>{1, 2}, "[1, 2]");
  expect_comes_back(std::deque<std::string>{"a", "b"}, R"(["a", "b"])");
  expect_comes_back(std::list{0.5}, "[0.5]");
  expect_comes_back(std::array{1, 2}, "[1, 2]");
  expect_comes_back(std::array<int, 0>{}, "[]");
  expect_comes_back(std::set{2, 1}, "{1, 2}");
  expect_comes_back(std::set<int>{}, "set()");
  expect_comes_back(std::unordered_set{1}, "{1}");
  expect_comes_back(std::map<std::string, int>{{"a", 1}, {"b", 2}}, R"({"a": 1, "b": 2})");
  expect_comes_back(std::unordered_map<int, std::vector<int>>{{1, {2, 3}}}, "{1: [2, 3]}");
  expect_comes_back(std::pair(1, std::string("a")), R"((1, "a"))");
  expect_comes_back(std::tuple<>(), "()");
  expect_comes_back(std::tuple(1), "(1,)");
  expect_comes_back(std::tuple(1, 0.5, std::tuple(true)), "(1, 0.5, (true,))");
  expect_comes_back(
      std::map<std::tuple<int, int>, std::optional<std::set<std::string>>>{{{1, 2}, {{"a"}}}, {{3, 4}, {}}},
      R"({(1, 2): {"a"}, (3, 4): null})");
  EXPECT_EQ(text_of(std::span<const int>(std::array{1, 2})), "[1, 2]");
}

TEST(Codec, LongTuplesAndSetsComeBack) {
  std::set<std::string> many;
  for (int i = 0; i < 20'000; ++i) many.insert("element " + std::to_string(i));
  EXPECT_EQ(read_as<std::set<std::string>>(many), many);
  const std::pair<std::string, std::set<std::string>> nested("first", many);
  EXPECT_EQ((read_as<std::pair<std::string, std::set<std::string>>>(nested)), nested);
}

TEST(Codec, VariantsTakeTheFirstAlternativeOfTheKindFound) {
  using Some = std::variant<std::monostate, bool, std::int8_t, double, std::string, std::vector<int>,
                            std::map<std::string, int>, Bytes>;
  for (const Some& value :
       {Some(), Some(true), Some(std::int8_t{5}), Some(0.5), Some("text"), Some(std::vector{1}),
        Some(std::map<std::string, int>{{"a", 1}}), Some(Bytes{std::byte{1}})})
    EXPECT_EQ(read_as<Some>(value), value);
  EXPECT_EQ(read_as<Some>(300), Some(300.0)) << "too large for the int8, but a double can be";
  EXPECT_EQ((refusal<std::variant<bool, std::string>>(1)), "asked for bool or text, found integer 1");
}

TEST(Codec, EnumsTravelAsTheirIntegerOrAsTheirJson) {
  expect_comes_back(Plain::low, "-128");
  expect_comes_back(Plain::high, "127");
  expect_comes_back(Named::green, "\"green\"");
  EXPECT_THAT(refusal<Plain>(128), HasSubstr("asked for int8, found integer 128"));
  EXPECT_THAT(refusal<Plain>("one"), HasSubstr("found text \"one\""));
}

TEST(Codec, UserTypesTravelAsTheirJsonOrByTheirOwnCodec) {
  expect_comes_back(Account{"ann", 5}, R"({"balance": 5, "owner": "ann"})");
  expect_comes_back(Point{1, 2}, R"({"x": 1, "y": 2})");
  expect_comes_back(Celsius{36.6}, "36.6");
  expect_comes_back(std::vector{Point{1, 2}}, R"([{"x": 1, "y": 2}])");
  expect_comes_back(std::map<std::string, Celsius>{{"body", {36.6}}}, R"({"body": 36.6})");
}

TEST(Codec, JsonComesBack) {
  expect_comes_back(json{{"a", {1, nullptr, 0.5}}}, R"({"a": [1, null, 0.5]})");
  EXPECT_EQ(read_as<json>(std::vector{1}), json::array({1}));
  EXPECT_EQ(read_as<std::vector<int>>(json::array({1})), std::vector{1});
}

// ---- times ----------------------------------------------------------------------------------------------

TEST(Codec, DurationsAreNanoseconds) {
  expect_comes_back(1500ms, "1500000000");
  expect_comes_back(std::chrono::nanoseconds(-1), "-1");
  expect_comes_back(std::chrono::hours(48), "172800000000000");
  expect_comes_back(std::chrono::duration<double>(0.5), "500000000");
  EXPECT_EQ(read_as<std::chrono::milliseconds>(2s), 2000ms);
  EXPECT_EQ((read_as<std::chrono::duration<double>>(1500ms).count()), 1.5);
}

TEST(Codec, ADurationThatIsNotWholeInTheAskedUnitIsRefused) {
  EXPECT_THAT(refusal<std::chrono::seconds>(1500ms), HasSubstr("asked for a duration of whole seconds"));
  EXPECT_THAT((refusal<std::chrono::duration<std::int8_t>>(300s)), HasSubstr("found integer 300000000000"));
  EXPECT_THAT(refusal<std::chrono::seconds>("1 s"), HasSubstr("found text \"1 s\""));
}

TEST(Codec, ADurationBeyond64BitsOfNanosecondsCannotBeWritten) {
  EXPECT_THROW(encoded(std::chrono::hours(24 * 366 * 300)), ValueError);
  EXPECT_THROW(encoded(std::chrono::duration<double>(std::numeric_limits<double>::infinity())), ValueError);
  EXPECT_THROW(encoded(std::chrono::duration<double>(std::nan(""))), ValueError);
}

TEST(Codec, TimePointsAreTimestamps) {
  using Clock = std::chrono::system_clock;
  const Clock::time_point leap_day = std::chrono::sys_days{std::chrono::year(2024) / 2 / 29} + 12h + 500ms;
  expect_comes_back(leap_day, "2024-02-29T12:00:00.5Z");
  expect_comes_back(Clock::time_point(), "1970-01-01T00:00:00Z");
  expect_comes_back(Clock::time_point(-1ns), "1969-12-31T23:59:59.999999999Z");
  expect_comes_back(std::chrono::sys_seconds(std::chrono::seconds(5'000'000'000)), "2128-06-11T08:53:20Z");
  expect_comes_back(std::chrono::sys_days{std::chrono::year(1600) / 1 / 1}, "1600-01-01T00:00:00Z");
  EXPECT_THAT(refusal<std::chrono::sys_seconds>(leap_day),
              HasSubstr("found timestamp 2024-02-29T12:00:00.5Z"));
  EXPECT_THAT(refusal<Clock::time_point>(5),
              HasSubstr("asked for a timestamp in nanoseconds, found integer 5"));
}

// ---- what fits and what does not ------------------------------------------------------------------------

TEST(Codec, AnIntegerCanBeReadAsFloatingAndNotTheOtherWayRound) {
  EXPECT_EQ(read_as<double>(1), 1.0);
  EXPECT_EQ(read_as<float>(-3), -3.0F);
  EXPECT_EQ(read_as<double>(~std::uint64_t{0}), 18446744073709551616.0);
  EXPECT_EQ(refusal<int>(1.0), "asked for int32, found float 1.0");
  EXPECT_EQ(refusal<bool>(1), "asked for bool, found integer 1");
  EXPECT_EQ(refusal<int>(true), "asked for int32, found boolean true");
}

TEST(Codec, FloatsKeepWhatIsNotFinite) {
  EXPECT_TRUE(std::isnan(read_as<double>(std::nan(""))));
  EXPECT_TRUE(std::isnan(read_as<float>(std::nan(""))));
  EXPECT_EQ(read_as<float>(std::numeric_limits<double>::infinity()), std::numeric_limits<float>::infinity());
  EXPECT_EQ(read_as<float>(0.1), 0.1F);
  EXPECT_EQ(refusal<float>(1e300), "asked for float, found float 1e+300");
}

TEST(Codec, AnIntegerThatDoesNotFitSaysWhatWasThereAndWhatWasAsked) {
  EXPECT_EQ(refusal<std::int8_t>(300), "asked for int8, found integer 300");
  EXPECT_EQ(refusal<std::int8_t>(-129), "asked for int8, found integer -129");
  EXPECT_EQ(refusal<std::uint8_t>(-1), "asked for uint8, found integer -1");
  EXPECT_EQ(refusal<std::uint64_t>(-1), "asked for uint64, found integer -1");
  EXPECT_EQ(refusal<std::int64_t>(~std::uint64_t{0}), "asked for int64, found integer 18446744073709551615");
  EXPECT_EQ(refusal<unsigned short>(65536), "asked for uint16, found integer 65536");
}

TEST(Codec, AValueOfAnotherKindSaysWhatWasThereAndWhatWasAsked) {
  EXPECT_EQ(refusal<std::string>(5), "asked for text, found integer 5");
  EXPECT_EQ(refusal<int>("abc"), "asked for int32, found text \"abc\"");
  EXPECT_EQ(refusal<int>(nullptr), "asked for int32, found null");
  EXPECT_EQ(refusal<std::nullptr_t>(0), "asked for null, found integer 0");
  EXPECT_EQ(refusal<Bytes>("abc"), "asked for bytes, found text \"abc\"");
  EXPECT_EQ(refusal<std::string>(Bytes(2)), "asked for text, found bytes b\"\\x00\\x00\"");
  EXPECT_EQ(refusal<std::vector<int>>(5), "asked for array of int32, found integer 5");
  EXPECT_EQ(refusal<std::vector<int>>(std::vector<std::string>{"a"}), "asked for int32, found text \"a\"");
  EXPECT_EQ((refusal<std::map<std::string, int>>(std::vector{1})),
            "asked for map of text to int32, found array [1]");
  EXPECT_EQ((refusal<std::pair<int, int>>(std::tuple(1, 2, 3))),
            "asked for tuple (int32, int32), found tuple (1, 2, 3)");
  EXPECT_EQ((refusal<std::pair<int, int>>(std::tuple(1))),
            "asked for tuple (int32, int32), found tuple (1,)");
  EXPECT_EQ((refusal<std::array<int, 2>>(std::vector{1})),
            "asked for array of 2 times int32, found array [1]");
  EXPECT_EQ((refusal<std::array<int, 2>>(std::vector{1, 2, 3})),
            "asked for array of 2 times int32, found array [1, 2, 3]");
  EXPECT_EQ((refusal<std::array<std::byte, 3>>(Bytes(2))), "asked for 3 bytes, found bytes b\"\\x00\\x00\"");
  EXPECT_EQ(refusal<std::set<int>>(json{{"a", 1}}), "asked for set of int32, found map {\"a\": 1}");
  EXPECT_EQ(refusal<List<int>>(5), "asked for list, found integer 5");
}

TEST(Codec, AReferenceToAnotherTypeSaysWhichTypeItIs) {
  wire::Buffer bytes;
  wire::Writer(bytes).reference({ops::Dict::number, 7});
  Decoder from{wire::Reader(bytes.view()), nullptr};
  try {
    (void)Codec<List<int>>::decode(from);
    FAIL();
  } catch (const TypeError& error) {
    EXPECT_STREQ(error.what(), "asked for list, found a dict");
  }
}

TEST(Codec, ALongValueIsShownShortly) {
  const std::string text = refusal<int>(std::string(100'000, 'a'));
  EXPECT_LT(text.size(), 120U);
  EXPECT_THAT(text, HasSubstr("aaa…"));
}

TEST(Codec, JsonThatAUserTypeCannotReadSaysWhyAndNamesTheType) {
  const std::string text = refusal<Account>(json{{"owner", "ann"}});
  EXPECT_THAT(text, HasSubstr("Account"));
  EXPECT_THAT(text, HasSubstr("map {\"owner\": \"ann\"}"));
  EXPECT_THAT(text, HasSubstr("balance"));
}

TEST(Codec, SequencesAreTakenFromArraysTuplesAndSets) {
  const std::vector<int> wanted{1, 2};
  EXPECT_EQ(read_as<std::vector<int>>(std::tuple(1, 2)), wanted);
  EXPECT_EQ(read_as<std::vector<int>>(std::set{1, 2}), wanted);
  EXPECT_EQ((read_as<std::pair<int, int>>(std::vector{1, 2})), std::pair(1, 2));
  EXPECT_EQ(read_as<std::set<int>>(std::vector{2, 1, 2}), (std::set{1, 2}));
  EXPECT_EQ(read_as<std::vector<std::uint8_t>>(Bytes{std::byte{1}, std::byte{2}}),
            (std::vector<std::uint8_t>{1, 2}));
}

TEST(Codec, BytesThatAreNoValueAreAProtocolError) {
  for (const std::string_view bytes : {"", "\xc1",
                                       "\xa5"
                                       "ab",
                                       "\x92\x01", "\xcd\x01"}) {
    EXPECT_THROW(decoded<std::string>(wire::as_bytes(bytes)), ProtocolError)
        << to_text(wire::as_bytes(bytes));
    EXPECT_THROW(decoded<json>(wire::as_bytes(bytes)), ProtocolError);
    EXPECT_THROW((decoded<std::vector<int>>(wire::as_bytes(bytes))), ProtocolError);
  }
}

TEST(Codec, ATupleWhoseLastElementReachesBeyondItIsAProtocolError) {
  const std::string bytes =
      std::string("\xd5\x02\x01\xa3", 4) + "abc";  // two bytes of body: 1 and the begin of a text
  EXPECT_THROW((decoded<std::pair<int, std::string>>(wire::as_bytes(bytes))), ProtocolError);
  EXPECT_THROW((decoded<std::vector<json>>(wire::as_bytes(bytes))), ProtocolError);
}

TEST(Codec, ManyElementsPromisedAndNotThereCostNoMemory) {
  EXPECT_THROW(decoded<std::vector<std::string>>(wire::as_bytes("\xdd\xff\xff\xff\xff\x01")), TypeError);
  EXPECT_THROW((decoded<std::map<std::string, int>>(wire::as_bytes("\xdf\xff\xff\xff\xff\xa1"
                                                                   "a\x01"))),
               ProtocolError);
}

// ---- arguments and results of operations -----------------------------------------------------------------

template <class Op>
std::string arguments_of_call(const auto&... arguments) {
  wire::Buffer bytes;
  Encoder to{wire::Writer(bytes), nullptr};
  to.writer.array(sizeof...(arguments));
  client::encode_arguments<Op>(to, arguments...);
  return to_text(bytes.view());
}

TEST(Parameters, AreWrittenAsDeclared) {
  using ops::Dict;
  EXPECT_EQ(arguments_of_call<ops::List::Append>("a"), R"(["a"])");
  EXPECT_EQ(arguments_of_call<ops::List::Insert>(3, std::vector{1}), "[3, [1]]");
  EXPECT_EQ(arguments_of_call<ops::List::Slice>(std::optional<std::int64_t>(), 5, std::nullopt),
            "[null, 5, null]");
  EXPECT_EQ(arguments_of_call<ops::List::Slice>(), "[]") << "parameters with a default may be left out";
  EXPECT_EQ(arguments_of_call<ops::List::Sort>(true), "[true]");
  EXPECT_EQ(arguments_of_call<Dict::Add>("k", 1, std::nullopt), R"(["k", 1, []])");
  EXPECT_EQ(arguments_of_call<Dict::Add>("k", 1, client::PresentArgument(5)), R"(["k", 1, [5]])");
  EXPECT_EQ(arguments_of_call<Dict::CompareExchange>("k", std::optional(1), std::optional<int>()),
            R"(["k", [1], []])");
  EXPECT_EQ(arguments_of_call<ops::Array::AssignSlice>(
                client::RawElements<std::int16_t>(std::array<std::int16_t, 2>{1, 2})),
            "[b\"\\x01\\x00\\x02\\x00\"]");
}

TEST(Parameters, ItemsAndEntriesTakeAnyRange) {
  const auto items = [](const auto& range) {
    return arguments_of_call<ops::List::Extend>(client::items_of<double>(range));
  };
  EXPECT_EQ(items(std::vector{1, 2}), "[[1.0, 2.0]]") << "each item is written as the list's type";
  EXPECT_EQ(items(std::initializer_list<double>{0.5}), "[[0.5]]");
  EXPECT_EQ(items(std::list{1.5}), "[[1.5]]");
  EXPECT_EQ(items(json::array({1, "a"})), R"([[1, "a"]])");
  EXPECT_THROW(items(json(5)), TypeError);
  const auto entries = [](const auto& range) {
    return arguments_of_call<ops::Dict::Update>(client::entries_of<std::string, double>(range));
  };
  EXPECT_EQ(entries(std::map<std::string, int>{{"a", 1}}), R"([{"a": 1.0}])");
  EXPECT_EQ(entries(std::vector<std::pair<const char*, float>>{{"b", 0.5F}, {"a", 0.25F}}),
            R"([{"b": 0.5, "a": 0.25}])");
  EXPECT_EQ(entries(json{{"a", nullptr}}), R"([{"a": null}])");
  EXPECT_THROW(entries(json::array({1})), TypeError);
}

TEST(Parameters, OfACreatedObjectStandInOneArray) {
  std::vector<int> items{1, 2};
  EXPECT_EQ(arguments_of_call<ops::Manager::Create>(
                "list", std::optional<std::string_view>("name"),
                client::arguments_of<ops::List::Create>(client::items_of<int>(items))),
            R"(["list", ["name"], [[1, 2]]])");
}

TEST(Parameters, AnyValueIsWrittenInItsOwnForm) {
  const auto any = [](client::AnyValue value) { return arguments_of_call<ops::List::Append>(value); };
  EXPECT_EQ(any(std::pair(1, 2)), "[(1, 2)]");
  EXPECT_EQ(any(std::set{1}), "[{1}]");
  EXPECT_EQ(any("text"), R"(["text"])");
  EXPECT_EQ(any(nullptr), "[null]");
  EXPECT_EQ(any({}), "[null]");
  EXPECT_EQ(any({1, "a", nullptr}), R"([[1, "a", null]])");
  EXPECT_EQ(any({{"a", 1}, {"b", {1, 2}}}), R"([{"a": 1, "b": [1, 2]}])");
  EXPECT_EQ(any(Account{"ann", 1}), R"([{"balance": 1, "owner": "ann"}])");
  EXPECT_EQ(any(json{1}), "[[1]]");
}

TEST(Parameters, NegatedIsWhatMinusEqualsSends) {
  const auto negated = []<class D>(D value) {
    return arguments_of_call<ops::List::Add>(0, client::Negated<D>(value));
  };
  EXPECT_EQ(negated(5), "[0, -5]");
  EXPECT_EQ(negated(5U), "[0, -5]");
  EXPECT_EQ(negated(0.5), "[0, -0.5]");
  EXPECT_EQ(negated(std::numeric_limits<std::int64_t>::min()), "[0, 9223372036854775808]");
  EXPECT_EQ(negated(std::uint64_t{1} << 63), "[0, -9223372036854775808]");
  EXPECT_EQ(negated((std::uint64_t{1} << 63) + 1), "[0, -9223372036854775809]");
  EXPECT_EQ(negated(~std::uint64_t{0}), "[0, -18446744073709551615]");
  EXPECT_EQ(negated(json(~std::uint64_t{0})), "[0, -18446744073709551615]");
  EXPECT_EQ(negated(json(-3)), "[0, 3]");
  EXPECT_EQ(negated(json(0.25)), "[0, -0.25]");
  EXPECT_THROW(negated(json("a")), TypeError);
}

template <class Tag, class R>
R result(const auto& value) {
  const wire::Buffer bytes = encoded(value);
  Decoder from{wire::Reader(bytes.view()), nullptr};
  return client::decode_result<Tag, R>(from);
}

TEST(Results, AreReadAsDeclared) {
  using Entries = std::vector<std::pair<std::string, int>>;
  EXPECT_EQ((result<ops::Any, int>(5)), 5);
  EXPECT_EQ((result<ops::Maybe, std::optional<int>>(std::vector<int>{})), std::nullopt);
  EXPECT_EQ((result<ops::Maybe, std::optional<int>>(std::vector{5})), 5);
  EXPECT_EQ((result<ops::Entries, Entries>(json{{"a", 1}, {"b", 2}})), (Entries{{"a", 1}, {"b", 2}}));
  EXPECT_EQ((result<ops::Tuple<ops::Bool, ops::Maybe>, std::pair<bool, std::optional<int>>>(
                json::array({true, {5}}))),
            (std::pair<bool, std::optional<int>>(true, 5)));
  EXPECT_EQ((result<ops::Bytes, std::vector<std::int16_t>>(Bytes{std::byte{1}, std::byte{0}})),
            std::vector<std::int16_t>{1});
  EXPECT_EQ((result<ops::Items, client::Rendering>(std::vector{1, 2}).text), "[1, 2]");
  EXPECT_NO_THROW((result<ops::Any, void>(5)));
}

TEST(Results, OfAnotherShapeAreRefused) {
  EXPECT_THROW((result<ops::Maybe, std::optional<int>>(std::vector{1, 2})), TypeError);
  EXPECT_THROW((result<ops::Maybe, std::optional<int>>(1)), TypeError);
  EXPECT_THROW((result<ops::Entries, std::vector<std::pair<int, int>>>(1)), TypeError);
  EXPECT_THROW((result<ops::Tuple<ops::Int, ops::Int>, std::pair<int, int>>(std::vector{1})), TypeError);
  EXPECT_THROW((result<ops::Bytes, std::vector<std::int16_t>>(Bytes(3))), TypeError);
  EXPECT_THROW((result<ops::Reference, std::shared_ptr<client::RemoteObject>>(1)), TypeError);
}

TEST(EmptyProxy, IsEqualToItsKindAndCannotBeCalledOrStored) {
  List<int> list;
  EXPECT_FALSE(list.valid());
  EXPECT_EQ(list.id(), 0U);
  EXPECT_EQ(list.type_name(), "");
  EXPECT_EQ(list, List<int>());
  EXPECT_THROW(list.push_back(1), ValueError);
  EXPECT_THROW((void)list.size(), ValueError);
  EXPECT_THROW(encoded(list), ValueError);
}

}  // namespace
}  // namespace tandem
