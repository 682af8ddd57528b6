#include "server/values/semantics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "server/values/validate.hpp"
#include "tests/server/engine/pack.hpp"

namespace tandem::test {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using server::Bitwise;
using server::Result;
using server::ValueView;

std::string both(const Packed& a, const Packed& b) {
  return ::testing::PrintToString(a) + " against " + ::testing::PrintToString(b);
}
ValueView view(const Packed& value) {
  return {value.bytes(), true};
}
bool equal(const Packed& a, const Packed& b) {
  const bool one_way = are_equal(view(a), view(b));
  EXPECT_EQ(one_way, are_equal(view(b), view(a)));
  return one_way;
}
std::uint32_t hash(const Packed& value, std::uint64_t seed = 0) {
  return *hash_key(view(value), seed);
}
/// "<" both ways round, or "no" where there is no order.
std::string order(const Packed& a, const Packed& b) {
  Result<bool> less = is_less(view(a), view(b));
  Result<bool> greater = is_less(view(b), view(a));
  if (!less || !greater) {
    EXPECT_EQ(less ? greater.failure().code : less.failure().code, Code::type_error);
    return "no";
  }
  return *less ? "<" : *greater ? ">" : "=";
}
std::string instant(std::string_view body) {
  return extension(wire::Extension::timestamp, body).encoded;
}

const std::vector<Packed>& kinds() {  // one of each, no two equal
  static const std::vector<Packed> all{pack(nullptr),
                                       pack(2),
                                       pack(2.5),
                                       pack("2"),
                                       bytes("2"),
                                       list(2),
                                       tuple(2),
                                       set(2),
                                       dict(2, 2),
                                       reference(2, 2),
                                       raw(instant("\0\0\0\x02"sv)),
                                       extension(wire::Extension::foreign, "p2"),
                                       extension(wire::Extension::foreign, "j2"),
                                       reference(3, 2),
                                       big("\x02\0\0\0\0\0\0\0\0\0"sv)};
  return all;
}

TEST(Equality, KindsAreNeverEqualToEachOther) {
  for (const Packed& a : kinds())
    for (const Packed& b : kinds()) EXPECT_EQ(equal(a, b), &a == &b) << both(a, b);
}

TEST(Equality, IsByMeaningNotByBytes) {
  const std::pair<Packed, Packed> table[] = {
      {pack("abc"), raw("\xd9\x03"
                        "abc")},
      {bytes("abc"), raw("\xc5\0\x03"
                         "abc"sv)},
      {list(1, "a"), raw("\xdc\0\x02\x01\xa1"
                         "a"sv)},
      {list(1, 2), list(true, 2.0)},
      {tuple(1, list(2)), tuple(1.0, list(2.0f))},
      {set(1, 2, "x"), set("x", 2.0, true)},
      {dict(1, "a", 2, "b"), dict(2.0, "b", true, "a")},
      {dict("k", dict(1, set(1, 2))), dict("k", dict(true, set(2, 1)))},
      {dict(tuple(1, 2), 3), dict(tuple(1.0, 2.0), 3.0)},
      {raw(instant("\0\0\0\x02"sv)), raw(instant("\0\0\0\0\0\0\0\x02"sv))},
      {raw(instant("\0\0\0\x02"sv)), raw(instant("\0\0\0\0\0\0\0\0\0\0\0\x02"sv))},
  };
  for (const auto& [a, b] : table) EXPECT_TRUE(equal(a, b)) << both(a, b);
}

TEST(Equality, SeesEachDifference) {
  const std::pair<Packed, Packed> table[] = {
      {list(1, 2), list(2, 1)},
      {list(1), list(1, 1)},
      {tuple(1), tuple(1, 1)},
      {set(1, 2), set(1, 3)},
      {set(1), set(1, 2)},
      {dict(1, 2), dict(1, 3)},
      {dict(1, 2), dict(2, 1)},
      {dict(1, 2), dict()},
      {dict(1, 2, 3, 4), dict(1, 4, 3, 2)},
      {pack("a"), pack("A")},
      {pack(""), bytes("")},
      {list(), tuple()},
      {list(list(1)), list(list(2))},
      {set(tuple(1, 2)), set(tuple(2, 1))},
      {raw(instant("\0\0\0\x02"sv)), raw(instant("\0\0\0\x03"sv))},
  };
  for (const auto& [a, b] : table) EXPECT_FALSE(equal(a, b)) << both(a, b);
}

TEST(Equality, OfRepeatedElementsTheLastCounts) {  // as in Python's {1: 2, 1: 3}
  EXPECT_TRUE(equal(set(1, 1.0, true), set(1)));
  EXPECT_FALSE(equal(set(1, 1), set(1, 2)));
  EXPECT_TRUE(equal(dict(1, "a", 1.0, "b"), dict(1, "b")));
  EXPECT_FALSE(equal(dict(1, "a", 1.0, "b"), dict(1, "a")));
  EXPECT_FALSE(equal(dict(1, "a", 1.0, "b"), dict(1, "b", 2, "c")));
}

TEST(Equality, ANanIsItself) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(equal(list(nan, 1), list(nan, true)));
  EXPECT_TRUE(equal(set(nan, 1), set(true, nan)));
  EXPECT_FALSE(equal(list(nan), list(static_cast<float>(nan))));
}

TEST(Equality, RepeatedKeysDoNotMultiplyTheWork) {
  // 60,000 entries of one key on both sides: comparing each with each would take minutes, not milliseconds.
  std::string many;
  std::string others;
  for (int i = 0; i < 60'000; ++i) {
    many += pack(1).encoded + pack(i).encoded;
    others += pack(1.0).encoded + pack(i + 1).encoded;
  }
  const std::string header = "\xdf\0\0\xea\x60"s;
  EXPECT_FALSE(equal(raw(header + many), raw(header + others)));
  EXPECT_TRUE(equal(raw(header + many), dict(1, 59'999)));
}

/// Values whose 32-bit hashes are the same without a seed: as elements of tuples, they make any number of tuples
/// whose 64-bit hashes are.
std::pair<int, int> crafted() {
  std::map<std::uint32_t, int> seen;
  for (int i = 0;; ++i)
    if (auto [at, is_new] = seen.emplace(*hash_key(view(pack(i)), 0), i); !is_new) return {at->second, i};
}
/// 2^`digits` different tuples with the same hash, as a set's elements or, each with a value, as a dict's entries.
std::vector<std::string> crafted_keys(int digits) {
  const auto [zero, one] = crafted();
  std::vector<std::string> keys;
  for (int number = 0; number < 1 << digits; ++number) {
    std::string body;
    for (int digit = 0; digit < digits; ++digit) body += pack(number >> digit & 1 ? one : zero).encoded;
    keys.push_back(extension(wire::Extension::tuple, body).encoded);
  }
  return keys;
}
Packed set_of(const std::vector<std::string>& elements) {
  std::string body;
  for (const std::string& element : elements) body += element;
  return extension(wire::Extension::set, body);
}

TEST(Equality, KeysCraftedForOneHashDoNotMultiplyTheWork) {
  // Comparing each of the 8,192 with each other one would take very long.
  std::vector<std::string> keys = crafted_keys(13);
  const Packed all = set_of(keys);
  std::reverse(keys.begin(), keys.end());
  keys.push_back(keys.front());
  EXPECT_TRUE(equal(all, set_of(keys)));
  keys.front() = tuple("other").encoded;
  keys.pop_back();
  EXPECT_FALSE(equal(all, set_of(keys)));
  keys.front() = keys.back();
  EXPECT_FALSE(equal(all, set_of(keys)));
  EXPECT_TRUE(*is_less(view(set_of(keys)), view(all)));
  EXPECT_FALSE(*is_less(view(all), view(set_of(keys))));
}

TEST(Equality, KeysOfOneHashAreToldApart) {
  const std::vector<std::string> keys = crafted_keys(6);
  std::string entries;
  std::string reversed;
  std::string others;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    entries += keys[i] + pack(i).encoded;
    reversed += keys[keys.size() - 1 - i] + pack(keys.size() - 1 - i).encoded;
    others += keys[i] + pack(i == 17 ? 0 : i).encoded;
  }
  const std::string header = "\xde\0\x40"s;
  EXPECT_TRUE(equal(raw(header + entries), raw(header + reversed)));
  EXPECT_FALSE(equal(raw(header + entries), raw(header + others)));
}

TEST(Equality, ASetHasEveryKindOfElement) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::string> elements;
  for (const Packed& value : kinds())
    if (hash_key(view(value), 0)) elements.push_back(value.encoded);
  for (const Packed& value :
       {pack(nan), pack(static_cast<float>(nan)), pack(-1), pack(std::uint64_t{1} << 63), tuple(nan, 1),
        tuple(nan, 2), tuple(), tuple(tuple()), big(std::string(200, 7))})
    elements.push_back(value.encoded);
  const Packed all = set_of(elements);
  std::reverse(elements.begin(), elements.end());
  EXPECT_TRUE(equal(all, set_of(elements)));
  for (std::string& element : elements) {
    const std::string kept = std::exchange(element, pack("other").encoded);
    EXPECT_FALSE(equal(all, set_of(elements)));
    element = kept;
  }
}

/// `inner` in as many containers, of every kind in turn, and `inner` once more as the last value of dicts.
Packed nested(Packed inner, int depth) {
  for (int level = 0; level < depth; ++level) {
    const std::string body = std::move(inner.encoded);
    inner = level % 3 == 0 ? raw("\x82" + pack("a").encoded + pack(level).encoded + pack("b").encoded + body)
            : level % 3 == 1 ? raw("\x92" + pack(level).encoded + body)
                             : extension(wire::Extension::tuple, pack(level).encoded + body);
  }
  return inner;
}

TEST(Equality, DepthDoesNotMultiplyTheWork) {
  // A megabyte below 300 containers: all of it must not be read again for each of these.
  std::vector<int> numbers(400'000, 1'000);
  const Packed a = nested(list_of(numbers), 300);
  numbers.back() = 1'001;
  const Packed b = nested(list_of(numbers), 300);
  EXPECT_TRUE(equal(a, Packed(a)));
  EXPECT_FALSE(equal(a, b));
  const Packed c = nested(list_of(std::vector<double>(400'000, 1'000)), 300);
  EXPECT_TRUE(equal(a, c));
}

TEST(Equality, ReachesEveryDepth) {
  Packed a = list(1);
  Packed b = list(1.0);
  Packed other = list(2);
  for (int depth = 0; depth < 100; ++depth)
    for (Packed* value : {&a, &b, &other})
      *value = depth % 3 == 0   ? dict(1, *value, 2, 3)
               : depth % 3 == 1 ? list(*value, depth)
                                : tuple(depth, *value);
  EXPECT_TRUE(equal(a, b));
  EXPECT_FALSE(equal(a, other));
}

TEST(Hash, AgreesForWhatIsEqual) {
  const std::pair<Packed, Packed> table[] = {
      {pack("abc"), raw("\xd9\x03"
                        "abc")},
      {pack(std::string(31, 'a')), raw("\xda\0\x1f"s + std::string(31, 'a'))},
      {pack(""), raw("\xd9\0"sv)},
      {bytes("abc"), raw("\xc5\0\x03"
                         "abc"sv)},
      {tuple(1, "a", tuple()), tuple(1.0, "a", tuple())},
      {tuple(true), tuple(1)},
      {raw(instant("\0\0\0\x02"sv)), raw(instant("\0\0\0\0\0\0\0\x02"sv))},
  };
  for (const auto& [a, b] : table) {
    ASSERT_TRUE(equal(a, b));
    EXPECT_EQ(hash(a, 42), hash(b, 42)) << ::testing::PrintToString(a);
  }
}

TEST(Hash, DependsOnKindAndSeed) {
  std::vector<std::uint32_t> hashes;
  for (const Packed& value : kinds())
    if (hash_key(view(value), 0)) {
      hashes.push_back(hash(value, 0));
      hashes.push_back(hash(value, 1'000));
    }
  EXPECT_EQ(hashes.size(), 24u);
  std::sort(hashes.begin(), hashes.end());
  EXPECT_EQ(std::unique(hashes.begin(), hashes.end()), hashes.end());
}

TEST(Hash, IsOfAllBytesOfLongIntegers) {
  std::vector<std::uint32_t> hashes;
  for (int size = 120; size < 2'000; size += 20)
    for (int first = 1; first < 100; ++first) {
      const std::string low(static_cast<std::size_t>(size), 'x');
      hashes.push_back(hash(big(std::string(1, static_cast<char>(first)) + low)));
      hashes.push_back(hash(big(std::string(1, static_cast<char>(-1 - first)) + low)));
    }
  const std::size_t count = hashes.size();
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  EXPECT_GT(hashes.size(), count - 10) << "of 32 bits";
}

TEST(Hash, OfIntegersIsThatOfTheNumber) {
  for (std::size_t size = 1; size < 400; ++size)
    for (const char first : {'\x01', '\x80'}) {
      const std::string body = first + std::string(size, 'x');
      const std::string sign(5, first == '\x01' ? '\0' : '\xff');
      ASSERT_TRUE(equal(big(body), big(sign + body)));
      ASSERT_EQ(hash(big(body), 5), hash(big(sign + body), 5)) << size;
    }
  for (int exponent = 0; exponent < 1'024; ++exponent) {
    std::string body(static_cast<std::size_t>(exponent / 8 + 2), '\0');
    body[1] = static_cast<char>(1 << exponent % 8);
    ASSERT_TRUE(equal(big(body), pack(std::ldexp(1.0, exponent))));
    ASSERT_EQ(hash(big(body)), hash(pack(std::ldexp(1.0, exponent)))) << exponent;
  }
}

TEST(Hash, RefusesWhatPythonRefuses) {
  for (const Packed& value : {list(1), set(1), dict(1, 2), tuple(1, tuple(list()))}) {
    Result<std::uint32_t> result = hash_key(view(value), 0);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.failure().code, Code::type_error);
    EXPECT_NE(result.failure().text.find("unhashable type: '"), std::string::npos);
  }
}

TEST(Order, IsPythons) {
  const struct {
    Packed a;
    Packed b;
    std::string expected;
  } table[] = {
      {pack(1), pack(2), "<"},
      {pack(1), pack(1.0), "="},
      {pack(true), pack(0.5), ">"},
      {pack("a"), pack("b"), "<"},
      {pack("a"), pack("ab"), "<"},
      {pack(""), pack("a"), "<"},
      {pack("Z"), pack("a"), "<"},
      {pack("\xef\xbf\xbf"), pack("\xf0\x90\x80\x80"), "<"},  // by code points, unlike UTF-16
      {bytes("\x7f"), bytes("\x80"), "<"},
      {list(1, 2), list(1, 3), "<"},
      {list(1), list(1, 0), "<"},
      {list(2), list(1, 5), ">"},
      {list(1, "a"), list(2, 7), "<"},  // decided before the second elements meet
      {list(1, "a"), list(1.0, 7), "no"},
      {list(nullptr, 1), list(nullptr, 2), "<"},  // equal ones are passed over, even without an order
      {tuple(1, list(2)), tuple(1, list(3)), "<"},
      {tuple(), tuple(), "="},
      {list(1), tuple(1), "no"},
      {set(1), set(1, 2), "<"},     // part of
      {set(1, 3), set(1, 2), "="},  // neither is part of the other
      {set(1, 2), set(2.0, true), "="},
      {pack(nullptr), pack(nullptr), "no"},
      {pack("1"), pack(1), "no"},
      {pack("1"), bytes("1"), "no"},
      {dict(1, 2), dict(1, 3), "no"},
      {reference(2, 1), reference(2, 2), "no"},
      {raw(instant("\0\0\0\x02"sv)), raw(instant("\0\0\0\0\0\0\0\x03"sv)), "<"},
      {raw(instant("\0\0\0\x05"sv)), raw(instant("\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"sv)),
       ">"},  // before 1970
  };
  for (const auto& [a, b, expected] : table) EXPECT_EQ(order(a, b), expected) << both(a, b);
}

TEST(Order, DepthDoesNotMultiplyTheWork) {  // as for equality
  std::vector<int> numbers(400'000, 1'000);
  Packed a = list_of(numbers);
  numbers.back() = 1'001;
  Packed b = list_of(numbers);
  for (int level = 0; level < 300; ++level)
    for (Packed* value : {&a, &b}) {
      const std::string body = pack("x").encoded + value->encoded;
      *value = level % 2 == 0 ? raw("\x92" + body) : extension(wire::Extension::tuple, body);
    }
  EXPECT_EQ(order(a, b), "<");
}

TEST(Order, GoesOnAfterEqualContainers) {
  const Packed same[] = {dict(1, list(2, dict(3, 4))), set(1, 2), tuple(list(), set()),
                         list(dict(), tuple(1))};
  for (const Packed& one : same) {
    EXPECT_EQ(order(list(one, 1), list(one, 2)), "<");
    EXPECT_EQ(order(tuple(list(one), 2), tuple(list(one), 1)), ">");
    EXPECT_TRUE(equal(dict(1, one, 2, one), dict(2.0, one, 1.0, one)));
    EXPECT_FALSE(equal(dict(1, list(one, 1), 2, one), dict(2, one, 1, list(one, 2))));
  }
  EXPECT_EQ(order(list(dict(1, 2), 1), list(dict(1, 3), 1)), "no");
}

TEST(Order, SaysWhichTypesHaveNone) {
  EXPECT_EQ(is_less(view(pack(1)), view(pack("a"))).failure().text,
            "'<' not supported between instances of 'int' and 'str'");
}

Packed add(const Packed& a, const Packed& b) {
  wire::Buffer out;
  Result<void> result = server::add(view(a), view(b), out);
  return result ? raw(wire::as_text(out.view())) : raw(name_of(result.failure().code));
}

TEST(Sum, JoinsWhatPythonJoins) {
  EXPECT_EQ(add(pack("ab"), pack("cd")), pack("abcd"));
  EXPECT_EQ(add(pack(std::string(30, 'a')), pack("bc")),
            pack(std::string(30, 'a') + "bc"));  // the header grows too
  EXPECT_EQ(add(bytes("\xff"), bytes("\xfe")), bytes("\xff\xfe"));
  EXPECT_EQ(add(list(1, list(2)), list("x")), list(1, list(2), "x"));
  const Packed eight = list(1, 2, 3, 4, 5, 6, 7, 8);
  EXPECT_EQ(add(eight, eight), list(1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_EQ(add(list(), list()), list());
  EXPECT_EQ(add(tuple(1), tuple("x", tuple())), tuple(1, "x", tuple()));
  EXPECT_EQ(add(tuple(), tuple()), tuple());
  EXPECT_EQ(add(pack(1), pack(2.5)), pack(3.5));
}

TEST(Sum, RefusesTheRest) {
  const Packed refused = raw("type_error");
  EXPECT_EQ(add(pack("a"), pack(1)), refused);
  EXPECT_EQ(add(pack(1), pack("a")), refused);
  EXPECT_EQ(add(list(1), tuple(1)), refused);
  EXPECT_EQ(add(pack("a"), bytes("a")), refused);
  EXPECT_EQ(add(set(1), set(2)), refused);
  EXPECT_EQ(add(dict(), dict()), refused);
  EXPECT_EQ(add(pack(nullptr), pack(nullptr)), refused);
  EXPECT_EQ(add(pack(UINT64_MAX), pack(1)), raw("overflow"));
  wire::Buffer out;
  EXPECT_EQ(subtract(view(pack("a")), view(pack("a")), out).failure().code, Code::type_error);
  EXPECT_EQ(subtract(view(list()), view(list()), out).failure().code, Code::type_error);
  EXPECT_TRUE(out.empty());
}

Packed bits(Bitwise how, const Packed& a, const Packed& b) {
  wire::Buffer out;
  Result<void> result = combine_bits(how, view(a), view(b), out);
  return result ? raw(wire::as_text(out.view())) : raw(name_of(result.failure().code));
}

TEST(Bits, OfIntegersAreThoseOfTwosComplement) {
  const Packed overflow = raw("overflow");
  const Packed most = pack(UINT64_MAX);
  const Packed least = pack(std::int64_t{INT64_MIN});
  EXPECT_EQ(bits(Bitwise::conjunction, pack(12), pack(10)), pack(8));
  EXPECT_EQ(bits(Bitwise::disjunction, pack(12), pack(10)), pack(14));
  EXPECT_EQ(bits(Bitwise::exclusive, pack(12), pack(10)), pack(6));
  EXPECT_EQ(bits(Bitwise::conjunction, pack(-1), most), most);
  EXPECT_EQ(bits(Bitwise::conjunction, least, most), pack(std::uint64_t{1} << 63));
  EXPECT_EQ(bits(Bitwise::disjunction, least, pack(1)), pack(INT64_MIN + 1));
  EXPECT_EQ(bits(Bitwise::disjunction, pack(-1), most), pack(-1));
  EXPECT_EQ(bits(Bitwise::exclusive, pack(-1), pack(-1)), pack(0));
  EXPECT_EQ(bits(Bitwise::exclusive, pack(-1), pack(5)), pack(-6));
  EXPECT_EQ(bits(Bitwise::exclusive, pack(-1), most), overflow);  // Python: -2^64
  EXPECT_EQ(bits(Bitwise::disjunction, least, most), pack(-1));
  EXPECT_EQ(bits(Bitwise::exclusive, least, pack(std::uint64_t{1} << 63)), overflow);
}

TEST(Bits, OfBooleansAreBooleans) {
  EXPECT_EQ(bits(Bitwise::conjunction, pack(true), pack(false)), pack(false));
  EXPECT_EQ(bits(Bitwise::disjunction, pack(true), pack(false)), pack(true));
  EXPECT_EQ(bits(Bitwise::exclusive, pack(true), pack(true)), pack(false));
  EXPECT_EQ(bits(Bitwise::disjunction, pack(true), pack(6)), pack(7));
}

TEST(Bits, AreOfNothingElse) {
  for (const Packed& value : kinds()) {
    if (value == pack(2)) continue;
    EXPECT_EQ(bits(Bitwise::conjunction, pack(1), value), raw("type_error"))
        << ::testing::PrintToString(value);
  }
}

TEST(Names, ArePythons) {
  const std::pair<Packed, std::string> table[] = {{pack(nullptr), "NoneType"},
                                                  {pack(true), "bool"},
                                                  {pack(1), "int"},
                                                  {big("\x01\0\0\0\0\0\0\0\0\0"sv), "int"},
                                                  {pack(1.0), "float"},
                                                  {pack("a"), "str"},
                                                  {bytes("a"), "bytes"},
                                                  {list(), "list"},
                                                  {dict(), "dict"},
                                                  {tuple(), "tuple"},
                                                  {set(), "set"},
                                                  {reference(2, 1), "reference"}};
  for (const auto& [value, name] : table) EXPECT_EQ(type_name(view(value)), name);
}

TEST(Names, DescriptionsAreShortAndValidText) {
  EXPECT_EQ(describe(view(pack("a"))), "\"a\"");
  EXPECT_EQ(describe(view(pack(1.5))), "1.5");
  EXPECT_EQ(describe(view(pack(nullptr))), "nil");
  EXPECT_EQ(describe(view(list(1, 2))), "a list of 2");
  EXPECT_EQ(describe(view(reference(2, 77))), "a reference to object 77");
  for (std::size_t length = 50; length < 80; ++length) {
    std::string text(length % 3, 'x');
    while (text.size() < length) text += "\xe4\xb8\x96";
    const std::string described = describe(view(pack(text)));
    EXPECT_LE(described.size(), 80u);
    EXPECT_TRUE(server::is_utf8(wire::as_bytes(described))) << described;
  }
  for (const Packed& value : kinds()) EXPECT_FALSE(describe(view(value)).empty());
}

}  // namespace
}  // namespace tandem::test
