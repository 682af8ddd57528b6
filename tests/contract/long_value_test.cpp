// Long texts and bytes, which are not copied on their way: around the lengths at which that begins and at which
// they are sent in parts, in every place that a value can have.
#include <thread>

#include "tandem/tandem.hpp"
#include "tests/support/contract.hpp"

namespace tandem {
namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
// Values are shared, arguments borrowed and results streamed from 32 KiB; rings have 64 KiB, frames 1 MiB.
constexpr std::size_t lengths[] = {32 * kib - 30, 32 * kib - 1, 32 * kib, 32 * kib + 30, 64 * kib,
                                   64 * kib + 1,  mib - 60,     mib - 36, mib - 12,      mib,
                                   mib + 1,       2 * mib - 24, 2 * mib,  3 * mib + 7,   16 * mib + 3};

std::string text_of(std::size_t length, unsigned seed = 0) {
  std::string text(length, ' ');
  for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 4093 + seed) % 26);
  return text;
}
Bytes bytes_of(std::size_t length, unsigned seed = 0) {
  const std::string text = text_of(length, seed);
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return Bytes(begin, begin + text.size());
}
/// Without printing megabytes.
template <class T>
void expect_same(const T& found, const T& wanted) {
  EXPECT_EQ(found.size(), wanted.size());
  EXPECT_TRUE(found == wanted);
}

class LongValueContract : public test::ContractTest {
 protected:
  std::uint64_t memory() const { return manager().information().at("memory_bytes").get<std::uint64_t>(); }
};
TANDEM_CONTRACT_SUITE(LongValueContract);

TEST_P(LongValueContract, DictsKeepTextsAndBytesOfEveryLength) {
  auto texts = manager().dict<std::string, std::string>();
  auto blobs = manager().dict<int, Bytes>();
  int key = 0;
  for (const std::size_t length : lengths) {
    texts.insert_or_assign("a", text_of(length));
    expect_same(texts.at("a"), text_of(length));
    texts["a"] = text_of(length, 1);
    const std::optional<std::string> found = texts.find("a");
    ASSERT_TRUE(found);
    expect_same(*found, text_of(length, 1));
    blobs.insert_or_assign(++key, bytes_of(length));
    expect_same(blobs.at(key), bytes_of(length));
    if (key > 3) blobs.erase(key - 3);
  }
  EXPECT_EQ(texts.size(), 1u);
  expect_same(texts.pop("a"), text_of(lengths[std::size(lengths) - 1], 1));
}

TEST_P(LongValueContract, SmallRequestsGoOnBesideThem) {
  auto dict = manager().dict<std::string, std::string>();
  for (int i = 0; i < 20; ++i) {
    dict.insert_or_assign("long", text_of(mib + 1, static_cast<unsigned>(i)));
    dict.insert_or_assign("short", std::to_string(i));
    EXPECT_EQ(dict.at("short"), std::to_string(i));
    expect_same(dict.at("long"), text_of(mib + 1, static_cast<unsigned>(i)));
  }
}

TEST_P(LongValueContract, OfTheWrongTypeTheyAreRefusedAndTheChannelGoesOn) {
  auto blobs = manager().dict<std::string, Bytes>("mixed");
  blobs["a"] = bytes_of(2 * mib);
  auto texts = manager().dict<std::string, std::string>("mixed");
  EXPECT_THROW(texts.at("a"), TypeError);
  EXPECT_EQ(texts.size(), 1u);
  texts["a"] = text_of(2 * mib);
  EXPECT_THROW(blobs.at("a"), TypeError);
  auto untyped = manager().dict("mixed");
  expect_same(untyped.at("a").get<std::string>(), text_of(2 * mib));
  auto numbers = manager().dict<std::string, std::vector<std::uint8_t>>("mixed");
  blobs["a"] = bytes_of(mib);
  EXPECT_EQ(numbers.at("a").size(), mib);
}

TEST_P(LongValueContract, TwoInOneRequest) {
  auto list = manager().list<std::string>();
  list.extend(std::vector<std::string>{text_of(mib, 1), "short", text_of(40 * kib, 2)});
  auto dict = manager().dict<std::string, std::string>();
  dict.insert_or_assign(text_of(100 * kib, 3), text_of(200 * kib, 4));
  expect_same(dict.at(text_of(100 * kib, 3)), text_of(200 * kib, 4));
  EXPECT_EQ(dict.keys().at(0), text_of(100 * kib, 3));
  ASSERT_EQ(list.size(), 3u);
  expect_same(list.at(0), text_of(mib, 1));
  EXPECT_EQ(list.at(1), "short");
  expect_same(list.at(2), text_of(40 * kib, 2));
  const std::vector<std::string> all = list.snapshot();
  expect_same(all.at(2), text_of(40 * kib, 2));
}

TEST_P(LongValueContract, ListsShareThemWithThemselves) {
  auto list = manager().list<std::string>();
  list.push_back(text_of(mib));
  list.extend(list);
  list[0] = "other";
  expect_same(list.at(1), text_of(mib));
  list.reverse();
  expect_same(list.pop(0), text_of(mib));
  EXPECT_EQ(list.snapshot(), std::vector<std::string>{"other"});
}

TEST_P(LongValueContract, QueuesPassThemOn) {
  auto queue = manager().queue<std::string>();
  for (const std::size_t length : {32 * kib, mib + 1, 5 * mib}) {
    queue.put(text_of(length));
    expect_same(queue.get(), text_of(length));
    std::string got;
    std::jthread getter([&] { got = queue.get(); });
    wait_for_waiters(1);
    queue.put(text_of(length, 9));
    getter.join();
    expect_same(got, text_of(length, 9));
  }
}

TEST_P(LongValueContract, ValuesExchangeThem) {
  auto value = manager().value<std::string>(text_of(mib));
  expect_same(value.exchange(text_of(2 * mib, 1)), text_of(mib));
  std::string expected = text_of(2 * mib, 1);
  EXPECT_TRUE(value.compare_exchange(expected, text_of(64 * kib, 2)));
  expect_same(value.load(), text_of(64 * kib, 2));
}

TEST_P(LongValueContract, BatchesTransactionsAndPipelinesTakeThem) {
  auto dict = manager().dict<std::string, std::string>();
  auto batch = manager().batch();
  batch.call<ops::Dict::Set>(dict, std::string("a"), text_of(mib, 1));
  auto read = batch.call<ops::Dict::At, std::string>(dict, std::string("a"));
  batch.run();
  expect_same(read.get(), text_of(mib, 1));
  auto pipeline = manager().pipeline();
  std::vector<Future<std::string>> all;
  for (unsigned i = 0; i < 8; ++i) {
    pipeline.call<ops::Dict::Set>(dict, std::to_string(i), text_of(mib + i, i));
    all.push_back(pipeline.call<ops::Dict::At, std::string>(dict, std::to_string(i)));
  }
  for (unsigned i = 0; i < 8; ++i) expect_same(all[i].get(), text_of(mib + i, i));
}

TEST_P(LongValueContract, NoMemoryIsLeftOfThem) {
  auto dict = manager().dict<std::string, std::string>();
  dict["a"] = "short";
  dict.erase("a");
  const std::uint64_t before = memory();
  for (unsigned i = 0; i < 5; ++i) {
    dict.insert_or_assign("a", text_of(3 * mib, i));
    EXPECT_GE(memory(), before + 3 * mib);
    EXPECT_LT(memory(), before + 3 * mib + 64 * kib);
  }
  dict.erase("a");
  EXPECT_LT(memory(), before + 64 * kib);
}

}  // namespace
}  // namespace tandem
