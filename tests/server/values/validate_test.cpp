#include "server/values/validate.hpp"

#include <gtest/gtest.h>

#include <random>

#include "server/values/semantics.hpp"
#include "tests/server/engine/pack.hpp"

namespace tandem::test {
namespace {

using namespace std::string_view_literals;
using server::Failure;
using server::Result;
using server::ValueView;

constexpr std::uint64_t depth_max = 16;

/// There is a list with id 5, and nothing else.
class OneList final : public server::ReferenceCheck {
 public:
  Result<void> check(wire::Reference reference) const override {
    if (reference.id != 5) return Failure{Code::object_gone, "gone"};
    if (reference.type != 3) return Failure{Code::type_error, "a list"};
    return {};
  }
};

/// What becomes of `encoded` as one value with nothing behind it: ok, or why not.
Code validity(const Packed& encoded, std::uint64_t depth = depth_max) {
  wire::Reader reader(encoded.bytes());
  Result<ValueView> value = validate(reader, depth, OneList());
  if (!value) {
    EXPECT_FALSE(value.failure().text.empty());
    EXPECT_NE(value.failure().code, Code::ok);
    return value.failure().code;
  }
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(value->bytes.size(), encoded.encoded.size());
  return Code::ok;
}
bool refers(const Packed& encoded) {
  wire::Reader reader(encoded.bytes());
  return validate(reader, depth_max, OneList())->references;
}

const std::vector<Packed>& good() {
  using wire::Extension;
  static const std::vector<Packed> all{
      pack(nullptr),
      pack(true),
      pack(0),
      pack(-1),
      pack(127),
      pack(128),
      pack(-33),
      pack(1 << 20),
      pack(UINT64_MAX),
      pack(std::int64_t{INT64_MIN}),
      pack(1.5),
      pack(1.5f),
      pack(""),
      pack("text"),
      pack(std::string(40, 'a')),
      pack(std::string(300, 'a')),
      pack("Grüße, 世界 🎉"),
      bytes(""),
      bytes("\xff\xfe"),
      bytes(std::string(300, '\x80')),
      list(),
      list(1, "a", list(2)),
      dict(),
      dict(1, 2, "a", list()),
      tuple(),
      tuple(1, tuple("x")),
      set(),
      set(1, "a"),
      set(tuple(1, 2), nullptr),
      dict(tuple(1, "b"), list()),
      reference(3, 5),
      list(reference(3, 5)),
      dict(reference(3, 5), 1),
      big("\x01"),
      big("\xff\0\0\0\0\0\0\0\0"sv),
      extension(Extension::foreign, "p"),
      extension(Extension::foreign, "p\xff\xff"),
      extension(Extension::timestamp, "1234"),
      extension(Extension::timestamp, "12345678"),
      extension(Extension::timestamp, "123456789012"),
      raw("\xdb\0\0\0\x01x"sv),
      raw("\xdd\0\0\0\x01\xc0"sv),
      raw("\xd9\x01x"sv),  // longer forms than needed
  };
  return all;
}

TEST(Validate, TakesEveryKindOfValue) {
  for (const Packed& value : good()) EXPECT_EQ(validity(value), Code::ok) << ::testing::PrintToString(value);
}

TEST(Validate, LeavesTheReaderBehindTheValue) {
  for (const Packed& value : good()) {
    const Packed followed = raw(value.encoded + "\xc0\xc1");
    wire::Reader reader(followed.bytes());
    ASSERT_TRUE(validate(reader, depth_max, OneList()));
    EXPECT_EQ(reader.rest().size(), 2u);
  }
}

TEST(Validate, RefusesWhatIsCutShort) {
  for (const Packed& value : good())
    for (std::size_t length = 0; length < value.encoded.size(); ++length)
      EXPECT_EQ(validity(raw(value.encoded.substr(0, length))), Code::protocol_error)
          << ::testing::PrintToString(value) << " cut to " << length;
}

TEST(Validate, SaysWhatIsWrong) {
  using wire::Extension;
  const struct {
    Packed value;
    Code expected;
  } table[] = {
      {raw("\xc1"), Code::protocol_error},
      {raw("\x91\xc1"), Code::protocol_error},
      {raw("\xdd\xff\xff\xff\xff\xc0"), Code::protocol_error},  // four billion elements, one there
      {raw("\xdf\xff\xff\xff\xff\xc0"), Code::protocol_error},
      {pack("\xff"), Code::value_error},
      {list(1, pack("\xc3")), Code::value_error},
      {dict(pack("\x80"), 1), Code::value_error},
      {tuple(pack("\xed\xa0\x80")), Code::value_error},
      {extension(Extension::timestamp, "12345"), Code::value_error},
      {extension(static_cast<Extension>(0), "x"), Code::value_error},
      {extension(static_cast<Extension>(6), "x"), Code::value_error},
      {extension(static_cast<Extension>(-2), "x"), Code::value_error},
      {big(""), Code::value_error},
      {extension(Extension::foreign, ""), Code::value_error},
      {extension(Extension::reference, "12345678"), Code::protocol_error},
      {extension(Extension::reference, "1234567890"), Code::protocol_error},
      {reference(3, 6), Code::object_gone},
      {reference(2, 5), Code::type_error},
      {list(1, tuple(reference(3, 0))), Code::object_gone},
      {extension(Extension::tuple, "\x91"), Code::protocol_error},  // its list has no element
      {extension(Extension::set, "\xd9\x05"), Code::protocol_error},
      {list(extension(Extension::tuple, "\x91"), 1),
       Code::protocol_error},  // and must not take one from outside
  };
  for (const auto& [value, expected] : table)
    EXPECT_EQ(validity(value), expected) << ::testing::PrintToString(value);
}

TEST(Validate, KeysAreWhatCanBeHashed) {
  for (const Packed& value : {list(), list(1), dict(), dict(1, 2), set(), set(1)}) {
    EXPECT_EQ(validity(value), Code::ok);
    EXPECT_EQ(validity(dict(value, 1)), Code::type_error) << ::testing::PrintToString(value);
    EXPECT_EQ(validity(set(value)), Code::type_error) << ::testing::PrintToString(value);
    EXPECT_EQ(validity(dict(tuple(1, tuple(value)), 1)), Code::type_error) << ::testing::PrintToString(value);
    EXPECT_EQ(validity(dict(1, value)), Code::ok);
    EXPECT_EQ(validity(tuple(value)), Code::ok);
  }
}

TEST(Validate, NestsToTheLimitAndNoFurther) {
  auto nest = [](auto wrap, std::size_t depth, Packed inner) {
    for (std::size_t i = 0; i < depth; ++i) inner = wrap(inner);
    return inner;
  };
  auto in_list = [](const Packed& v) { return list(v); };
  auto in_dict = [](const Packed& v) { return dict(0, v); };
  auto in_tuple = [](const Packed& v) { return tuple(v); };
  for (std::uint64_t most : {1u, 2u, 16u, 128u, 1000u}) {
    EXPECT_EQ(validity(nest(in_list, most, pack(1)), most), Code::ok);
    EXPECT_EQ(validity(nest(in_list, most + 1, pack(1)), most), Code::resource_exhausted);
    EXPECT_EQ(validity(nest(in_list, most, list()), most), Code::resource_exhausted);
    EXPECT_EQ(validity(nest(in_dict, most, pack(1)), most), Code::ok);
    EXPECT_EQ(validity(nest(in_dict, most + 1, pack(1)), most), Code::resource_exhausted);
    EXPECT_EQ(validity(nest(in_tuple, most, pack(1)), most), Code::ok);
    EXPECT_EQ(validity(nest(in_tuple, most, tuple()), most), Code::resource_exhausted);
  }
  EXPECT_EQ(validity(raw(std::string(1'000'000, '\x91'))),
            Code::resource_exhausted);  // no stack is that deep
}

TEST(Validate, TellsWhetherThereAreReferences) {
  EXPECT_TRUE(refers(reference(3, 5)));
  EXPECT_TRUE(refers(list(1, tuple(set(reference(3, 5))))));
  EXPECT_FALSE(refers(list(1, "a", bytes(reference(3, 5).encoded))));
}

/// Whatever was let in, the rest of the engine can work with.
void use(ValueView value) {
  EXPECT_TRUE(are_equal(value, value));
  EXPECT_FALSE(describe(value).empty());
  EXPECT_FALSE(type_name(value).empty());
  (void)hash_key(value, 1);
  (void)is_less(value, value);
  server::for_each_reference(value.bytes, [](wire::Reference r) { EXPECT_EQ(r.id, 5u); });
  wire::Reader reader(value.bytes);
  EXPECT_TRUE(reader.skip());
  EXPECT_TRUE(reader.at_end());
}

TEST(Validate, TheSearchForReferencesEndsOnMalformedBytes) {
  for (const Packed& value : good())
    for (std::size_t cut = 0; cut <= value.encoded.size(); ++cut) {
      int found = 0;
      server::for_each_reference(raw(value.encoded.substr(0, cut)).bytes(),
                                 [&](wire::Reference) { ++found; });
      EXPECT_LE(found, 8);
    }
  for (const char* wrong : {"\xdc", "\xde\x01", "\xc7\x05", "\xc1", "\xd9"})
    server::for_each_reference(raw(wrong).bytes(), [](wire::Reference) { ADD_FAILURE(); });
}

TEST(Validate, ChangedBytesAreEitherRefusedOrUsable) {
  std::mt19937 random(3);
  int taken = 0;
  for (const Packed& value : good())
    for (int round = 0; round < 400; ++round) {
      std::string changed = value.encoded + pack("tail").encoded;
      for (auto changes = 1 + random() % 3; changes > 0; --changes)
        changed[random() % changed.size()] =
            static_cast<char>(random() % 3 == 0 ? random() : 0xc0 + random() % 0x20);
      const Packed packed = raw(changed);
      wire::Reader reader(packed.bytes());
      Result<ValueView> result = validate(reader, depth_max, OneList());
      if (!result) continue;
      ++taken;
      SCOPED_TRACE(::testing::PrintToString(packed));
      use(*result);
    }
  EXPECT_GT(taken, 1000);
}

// The definition, without shortcuts: decode by the leading byte, then look at what came out.
bool is_utf8_plainly(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const int length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + static_cast<std::size_t>(length) > text.size()) return false;
    std::uint32_t point = length == 1 ? lead : lead & (0xffu >> (length + 1));
    for (int k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]);
      if (next >> 6 != 2) return false;
      point = point << 6 | (next & 0x3fu);
    }
    const std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += static_cast<std::size_t>(length);
  }
  return true;
}
void expect_plain(const std::string& text) {
  ASSERT_EQ(server::is_utf8(wire::as_bytes(text)), is_utf8_plainly(text))
      << ::testing::PrintToString(raw(text));
}

TEST(Utf8, BadSequences) {
  const std::string_view bad[] = {"\x80",
                                  "\xbf",
                                  "\xc0\x80",
                                  "\xc1\xbf",
                                  "\xc2",
                                  "\xc2\x41",
                                  "\xe0\x80\x80",
                                  "\xe0\x9f\xbf",
                                  "\xe1\x80",
                                  "\xed\xa0\x80",
                                  "\xed\xbf\xbf",
                                  "\xf0\x80\x80\x80",
                                  "\xf0\x8f\xbf\xbf",
                                  "\xf0\x90\x80",
                                  "\xf4\x90\x80\x80",
                                  "\xf5\x80\x80\x80",
                                  "\xf8\x88\x80\x80\x80",
                                  "\xfe",
                                  "\xff",
                                  "ok\xe2\x82",
                                  "12345678\x80",
                                  "1234567\xc3"};
  for (std::string_view text : bad)
    EXPECT_FALSE(server::is_utf8(wire::as_bytes(text))) << ::testing::PrintToString(raw(text));
  const std::string_view fine[] = {"",
                                   "a",
                                   "\0"sv,
                                   "\xc2\x80",
                                   "\xdf\xbf",
                                   "\xe0\xa0\x80",
                                   "\xed\x9f\xbf",
                                   "\xee\x80\x80",
                                   "\xef\xbf\xbf",
                                   "\xf0\x90\x80\x80",
                                   "\xf4\x8f\xbf\xbf",
                                   "12345678901234567890"};
  for (std::string_view text : fine)
    EXPECT_TRUE(server::is_utf8(wire::as_bytes(text))) << ::testing::PrintToString(raw(text));
}

TEST(Utf8, AgreesWithTheDefinition) {
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; ++b) expect_plain({static_cast<char>(a), static_cast<char>(b)});
  const unsigned char edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
                                 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
  for (int a : edges)
    for (int b : edges)
      for (int c : edges)
        for (int d : edges)
          expect_plain(
              {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c), static_cast<char>(d)});
}

TEST(Utf8, ABadByteIsFoundWhereverItStands) {
  const std::string ascii(40, 'a');
  for (std::size_t at = 0; at < ascii.size(); ++at)
    for (const char* piece : {"\x80", "\xc3\xa9", "\xe2\x82", "\xf0\x9f\x8e\x89"})
      expect_plain(std::string(ascii).insert(at, piece));
}

}  // namespace
}  // namespace tandem::test
