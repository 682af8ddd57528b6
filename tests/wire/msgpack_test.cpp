// Our MessagePack against the specification's layout, and against two other implementations: msgpack-cxx and
// nlohmann::json.
#include "tandem/wire/msgpack.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#define MSGPACK_NO_BOOST
#include <msgpack.hpp>
#include <nlohmann/json.hpp>

#include "tandem/json.hpp"

namespace tandem::wire {
namespace {

using nlohmann::json;

std::string hex_of(Bytes bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const std::uint8_t byte : bytes) {
    if (!hex.empty()) hex += ' ';
    hex += {digits[byte >> 4], digits[byte & 0xf]};
  }
  return hex;
}

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 3)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

using Write = std::function<void(Writer&)>;

std::string written(const Write& write) {
  Buffer buffer;
  Writer writer(buffer);
  write(writer);
  return std::string(as_text(buffer.view()));
}

struct Vector {
  std::string_view name;
  std::string_view hex;
  Write write;
};

void PrintTo(const Vector& vector, std::ostream* out) {
  *out << vector.name;
}

const std::string& text_of(std::size_t size) {
  static std::map<std::size_t, std::string> texts;
  return texts.try_emplace(size, size, 'x').first->second;
}

/// The layouts that a client in another language has to meet; README and wire/msgpack.hpp name the
/// extensions.
const std::vector<Vector>& vectors() {
  static const std::vector<Vector> all{
      {"nil", "c0", [](Writer& w) { w.nil(); }},
      {"false", "c2", [](Writer& w) { w.boolean(false); }},
      {"true", "c3", [](Writer& w) { w.boolean(true); }},
      {"zero", "00", [](Writer& w) { w.integer(std::int64_t{0}); }},
      {"127", "7f", [](Writer& w) { w.integer(std::int64_t{127}); }},
      {"128", "cc 80", [](Writer& w) { w.integer(std::int64_t{128}); }},
      {"255", "cc ff", [](Writer& w) { w.integer(std::int64_t{255}); }},
      {"256", "cd 01 00", [](Writer& w) { w.integer(std::int64_t{256}); }},
      {"65535", "cd ff ff", [](Writer& w) { w.integer(std::int64_t{65535}); }},
      {"65536", "ce 00 01 00 00", [](Writer& w) { w.integer(std::int64_t{65536}); }},
      {"2^32-1", "ce ff ff ff ff", [](Writer& w) { w.unsigned_integer(0xffffffff); }},
      {"2^32", "cf 00 00 00 01 00 00 00 00", [](Writer& w) { w.unsigned_integer(std::uint64_t{1} << 32); }},
      {"2^64-1", "cf ff ff ff ff ff ff ff ff", [](Writer& w) { w.unsigned_integer(~std::uint64_t{0}); }},
      {"-1", "ff", [](Writer& w) { w.integer(std::int64_t{-1}); }},
      {"-32", "e0", [](Writer& w) { w.integer(std::int64_t{-32}); }},
      {"-33", "d0 df", [](Writer& w) { w.integer(std::int64_t{-33}); }},
      {"-128", "d0 80", [](Writer& w) { w.integer(std::int64_t{-128}); }},
      {"-129", "d1 ff 7f", [](Writer& w) { w.integer(std::int64_t{-129}); }},
      {"-32769", "d2 ff ff 7f ff", [](Writer& w) { w.integer(std::int64_t{-32769}); }},
      {"-2^63", "d3 80 00 00 00 00 00 00 00",
       [](Writer& w) { w.integer(std::numeric_limits<std::int64_t>::min()); }},
      {"float64 0.25", "cb 3f d0 00 00 00 00 00 00", [](Writer& w) { w.floating(0.25); }},
      {"float32 0.25", "ca 3e 80 00 00", [](Writer& w) { w.floating32(0.25F); }},
      {"empty text", "a0", [](Writer& w) { w.text(""); }},
      {"text", "a3 61 62 63", [](Writer& w) { w.text("abc"); }},
      {"UTF-8 text", "a3 e7 88 b8", [](Writer& w) { w.text("爸"); }},
      {"bytes", "c4 02 00 ff", [](Writer& w) { w.bytes(as_bytes(std::string_view("\0\xff", 2))); }},
      {"array", "92 01 02",
       [](Writer& w) { w.array(2), w.integer(std::int64_t{1}), w.integer(std::int64_t{2}); }},
      {"map", "81 a1 61 c3", [](Writer& w) { w.map(1), w.text("a"), w.boolean(true); }},
      {"reference to list 258", "c7 09 01 03 02 01 00 00 00 00 00 00",
       [](Writer& w) {
         w.reference({3, 258});
       }},
      {"tuple (1, 2)", "d5 02 01 02", [](Writer& w) { w.extension(Extension::tuple, as_bytes("\x01\x02")); }},
      {"set {1}", "d4 03 01", [](Writer& w) { w.extension(Extension::set, as_bytes("\x01")); }},
      {"big integer 2^64", "c7 09 04 01 00 00 00 00 00 00 00 00",
       [](Writer& w) {
         w.extension(Extension::integer, as_bytes(std::string_view("\1\0\0\0\0\0\0\0\0", 9)));
       }},
      {"foreign value of Python", "d5 05 70 2e",
       [](Writer& w) { w.extension(Extension::foreign, as_bytes("p.")); }},
      {"timestamp of 4 bytes", "d6 ff 00 00 00 01",
       [](Writer& w) { w.extension(Extension::timestamp, as_bytes(std::string_view("\0\0\0\1", 4))); }},
  };
  return all;
}

class MessagePackVector : public testing::TestWithParam<Vector> {};

TEST_P(MessagePackVector, IsWrittenSo) {
  EXPECT_EQ(hex_of(as_bytes(written(GetParam().write))), GetParam().hex);
}

TEST_P(MessagePackVector, IsSteppedOver) {
  const std::string bytes = bytes_of(GetParam().hex) + "\x7f";
  Reader reader(as_bytes(bytes));
  Bytes value;
  ASSERT_TRUE(reader.value(value));
  EXPECT_EQ(hex_of(value), GetParam().hex);
  EXPECT_EQ(reader.rest().size(), 1U);
}

TEST_P(MessagePackVector, CutShortIsNoValueAndLeavesTheReaderWhereItWas) {
  const std::string bytes = bytes_of(GetParam().hex);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Reader reader(as_bytes(std::string_view(bytes).substr(0, size)));
    EXPECT_FALSE(reader.skip()) << size << " bytes";
    EXPECT_EQ(reader.rest().size(), size);
  }
}

TEST_P(MessagePackVector, IsReadByMsgpackCxx) {
  const std::string bytes = bytes_of(GetParam().hex);
  std::size_t offset = 0;
  EXPECT_NO_THROW((void)msgpack::unpack(bytes.data(), bytes.size(), offset));
  EXPECT_EQ(offset, bytes.size());
}

INSTANTIATE_TEST_SUITE_P(Layout, MessagePackVector, testing::ValuesIn(vectors()));

// ---- against msgpack-cxx --------------------------------------------------------------------------------

template <class T>
std::string packed_by_msgpack_cxx(const T& value) {
  msgpack::sbuffer buffer;
  msgpack::pack(buffer, value);
  return {buffer.data(), buffer.size()};
}

std::vector<std::int64_t> integers_around_powers_of_two() {
  std::vector<std::int64_t> all{0};
  for (int bit = 0; bit < 63; ++bit)
    for (const std::int64_t near : {-1, 0, 1})
      for (const std::int64_t sign : {1, -1}) all.push_back(sign * ((std::int64_t{1} << bit) + near));
  all.push_back(std::numeric_limits<std::int64_t>::min());
  all.push_back(std::numeric_limits<std::int64_t>::max());
  return all;
}

TEST(MessagePack, WritesIntegersAsMsgpackCxxDoes) {
  for (const std::int64_t value : integers_around_powers_of_two()) {
    EXPECT_EQ(written([&](Writer& w) { w.integer(value); }), packed_by_msgpack_cxx(value)) << value;
    const auto bits = static_cast<std::uint64_t>(value);
    EXPECT_EQ(written([&](Writer& w) { w.unsigned_integer(bits); }), packed_by_msgpack_cxx(bits)) << bits;
  }
}

TEST(MessagePack, ReadsIntegersBackInEveryWidth) {
  for (const std::int64_t value : integers_around_powers_of_two()) {
    const std::string bytes = written([&](Writer& w) { w.integer(value); });
    Reader reader(as_bytes(bytes));
    std::int64_t found = 0;
    ASSERT_TRUE(reader.int64(found));
    EXPECT_EQ(found, value);
    Reader again(as_bytes(bytes));
    std::uint64_t unsigned_found = 0;
    EXPECT_EQ(again.uint64(unsigned_found), value >= 0);
    EXPECT_EQ(again.at_end(), value >= 0);
  }
}

class SizedMessagePack : public testing::TestWithParam<std::size_t> {};

TEST_P(SizedMessagePack, TextBytesAndExtensionsAreAsMsgpackCxxWritesThem) {
  const std::string& content = text_of(GetParam());
  const auto size = static_cast<std::uint32_t>(content.size());
  EXPECT_EQ(written([&](Writer& w) { w.text(content); }), packed_by_msgpack_cxx(content));
  msgpack::sbuffer bin;
  msgpack::packer<msgpack::sbuffer>(bin).pack_bin(size).pack_bin_body(content.data(), size);
  EXPECT_EQ(written([&](Writer& w) { w.bytes(as_bytes(content)); }), std::string(bin.data(), bin.size()));
  msgpack::sbuffer ext;
  msgpack::packer<msgpack::sbuffer>(ext).pack_ext(size, 2).pack_ext_body(content.data(), size);
  EXPECT_EQ(written([&](Writer& w) { w.extension(Extension::tuple, as_bytes(content)); }),
            std::string(ext.data(), ext.size()));
}

TEST_P(SizedMessagePack, HeadersOfContainersAreAsMsgpackCxxWritesThem) {
  msgpack::sbuffer array;
  msgpack::packer<msgpack::sbuffer>(array).pack_array(static_cast<std::uint32_t>(GetParam()));
  EXPECT_EQ(written([&](Writer& w) { w.array(GetParam()); }), std::string(array.data(), array.size()));
  msgpack::sbuffer map;
  msgpack::packer<msgpack::sbuffer>(map).pack_map(static_cast<std::uint32_t>(GetParam()));
  EXPECT_EQ(written([&](Writer& w) { w.map(GetParam()); }), std::string(map.data(), map.size()));
}

TEST_P(SizedMessagePack, IsReadBack) {
  const std::string& content = text_of(GetParam());
  const std::string bytes = written([&](Writer& w) {
    w.text(content), w.bytes(as_bytes(content)), w.extension(Extension::foreign, as_bytes(content));
    w.array(GetParam()), w.map(GetParam());
  });
  Reader reader(as_bytes(bytes));
  std::string_view text;
  Bytes body;
  std::uint32_t count = 0;
  ASSERT_TRUE(reader.text(text));
  EXPECT_EQ(text, content);
  ASSERT_TRUE(reader.bytes(body));
  EXPECT_EQ(as_text(body), content);
  ASSERT_TRUE(reader.extension(Extension::foreign, body));
  EXPECT_EQ(as_text(body), content);
  ASSERT_TRUE(reader.array(count));
  EXPECT_EQ(count, GetParam());
  ASSERT_TRUE(reader.map(count));
  EXPECT_EQ(count, GetParam());
  EXPECT_TRUE(reader.at_end());
}

INSTANTIATE_TEST_SUITE_P(Sizes, SizedMessagePack,
                         testing::Values(0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 255, 256, 65535,
                                         65536));

// ---- against nlohmann::json -----------------------------------------------------------------------------

/// Random JSON, the same in every run.
class RandomJson {
 public:
  json value(int depth) {
    switch (pick(depth == 0 ? 6 : 8)) {
      case 0: return nullptr;
      case 1: return pick(2) == 0;
      case 2: return static_cast<std::int64_t>(random_() >> pick(64)) * (pick(2) == 0 ? 1 : -1);
      case 3: return random_() >> pick(64);
      case 4: return std::ldexp(static_cast<double>(random_()), static_cast<int>(pick(200)) - 100);
      case 5: return text();
      case 6: return array(depth);
      default: return object(depth);
    }
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  std::string text() { return std::string(pick(40), static_cast<char>('a' + pick(26))); }
  json array(int depth) {
    json all = json::array();
    for (std::uint64_t i = pick(20); i != 0; --i) all.push_back(value(depth - 1));
    return all;
  }
  json object(int depth) {
    json all = json::object();
    for (std::uint64_t i = pick(20); i != 0; --i) all[text()] = value(depth - 1);
    return all;
  }

  std::mt19937_64 random_{20240229};
};

TEST(MessagePack, JsonAndNlohmannJsonUnderstandEachOther) {
  RandomJson random;
  for (int i = 0; i < 300; ++i) {
    const json original = random.value(4);
    const std::string ours = written([&](Writer& w) { write_json(w, original); });
    EXPECT_EQ(json::from_msgpack(ours), original);
    const std::vector<std::uint8_t> theirs = json::to_msgpack(original);
    EXPECT_EQ(to_plain_json(theirs), original);
    Reader reader(theirs);
    EXPECT_TRUE(reader.skip() && reader.at_end());
  }
}

TEST(MessagePack, WithoutFloatsBothWriteTheSameBytes) {
  const json original{{"a", {1, -1, 300, -300, 70000, -70000, std::uint64_t{1} << 40}},
                      {"b", {{"c", nullptr}, {"d", true}}},
                      {"e", std::string(300, 'x')}};
  const std::vector<std::uint8_t> theirs = json::to_msgpack(original);
  EXPECT_EQ(written([&](Writer& w) { write_json(w, original); }), std::string(theirs.begin(), theirs.end()));
}

// ---- the reader distrusts -------------------------------------------------------------------------------

TEST(MessagePackReader, TakesIntegersThatAreNotWrittenTheShortestWay) {
  for (const std::string_view hex :
       {"01", "cc 01", "cd 00 01", "ce 00 00 00 01", "cf 00 00 00 00 00 00 00 01", "d0 01", "d1 00 01",
        "d2 00 00 00 01", "d3 00 00 00 00 00 00 00 01"}) {
    const std::string bytes = bytes_of(hex);
    Reader reader(as_bytes(bytes));
    Integer value;
    ASSERT_TRUE(reader.integer(value)) << hex;
    EXPECT_EQ(value, Integer::of(1)) << hex;
  }
}

TEST(MessagePackReader, NamesTheKindOfWhatComesNext) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    const Kind kind = Reader(as_bytes(bytes)).peek();
    EXPECT_EQ(kind == Kind::invalid, byte == 0xc1) << byte;
  }
  EXPECT_EQ(Reader().peek(), Kind::invalid);
}

TEST(MessagePackReader, AValueOfAnotherKindIsNotTakenAndNothingMoves) {
  for (const Vector& vector : vectors()) {
    const std::string bytes = bytes_of(vector.hex);
    Reader reader(as_bytes(bytes));
    const Kind kind = reader.peek();
    bool boolean = false;
    Integer integer;
    double floating = 0;
    std::string_view text;
    Bytes body;
    std::uint32_t count = 0;
    std::int8_t type = 0;
    EXPECT_TRUE(kind == Kind::nil || !reader.nil()) << vector.name;
    EXPECT_TRUE(kind == Kind::boolean || !reader.boolean(boolean)) << vector.name;
    EXPECT_TRUE(kind == Kind::integer || !reader.integer(integer)) << vector.name;
    EXPECT_TRUE(kind == Kind::floating || !reader.floating(floating)) << vector.name;
    EXPECT_TRUE(kind == Kind::text || !reader.text(text)) << vector.name;
    EXPECT_TRUE(kind == Kind::bytes || !reader.bytes(body)) << vector.name;
    EXPECT_TRUE(kind == Kind::array || !reader.array(count)) << vector.name;
    EXPECT_TRUE(kind == Kind::map || !reader.map(count)) << vector.name;
    EXPECT_TRUE(kind == Kind::extension || !reader.extension(type, body)) << vector.name;
    EXPECT_EQ(reader.rest().size(), bytes.size()) << vector.name;
  }
}

TEST(MessagePackReader, AnExtensionOfAnotherTypeIsNotTaken) {
  const std::string bytes = written([](Writer& w) { w.extension(Extension::set, as_bytes("\x01")); });
  Reader reader(as_bytes(bytes));
  Bytes body;
  EXPECT_FALSE(reader.extension(Extension::tuple, body));
  EXPECT_EQ(reader.rest().size(), bytes.size());
  EXPECT_TRUE(reader.extension(Extension::set, body));
}

TEST(MessagePackReader, AReferenceHasNineBytes) {
  for (const std::size_t size : {0U, 1U, 8U, 10U}) {
    const std::string bytes =
        written([&](Writer& w) { w.extension(Extension::reference, as_bytes(text_of(size))); });
    Reader reader(as_bytes(bytes));
    Reference reference;
    EXPECT_FALSE(reader.reference(reference)) << size;
    EXPECT_EQ(reader.rest().size(), bytes.size());
  }
}

TEST(MessagePackReader, StepsOverAnyDepthWithoutRecursion) {
  constexpr std::size_t depth = 1'000'000;
  std::string bytes(depth, '\x91');  // arrays of one array each
  bytes += '\xc0';
  Reader reader(as_bytes(bytes));
  EXPECT_TRUE(reader.skip());
  EXPECT_TRUE(reader.at_end());
  bytes.pop_back();
  Reader cut(as_bytes(bytes));
  EXPECT_FALSE(cut.skip());
}

TEST(MessagePackReader, CountsThatPromiseMoreThanThereIsAreNoValue) {
  for (const std::string_view hex : {"dd ff ff ff ff 01", "df ff ff ff ff 01 02", "db ff ff ff ff 61",
                                     "c6 ff ff ff ff 61", "c9 ff ff ff ff 02 61"}) {
    const std::string bytes = bytes_of(hex);
    Reader reader(as_bytes(bytes));
    EXPECT_FALSE(reader.skip()) << hex;
    EXPECT_EQ(reader.rest().size(), bytes.size()) << hex;
  }
}

}  // namespace
}  // namespace tandem::wire
