// The rings of a shared-memory channel by themselves: what goes in comes out, and counts that cannot be are noticed.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tandem/wire/frame.hpp"
#include "tandem/wire/ring.hpp"

namespace tandem::wire {
namespace {

class RingTest : public ::testing::Test {
 protected:
  static constexpr std::size_t size = 64;

  std::string read(std::size_t room) {
    std::string to(room, '?');
    const std::size_t count = reader_.read({reinterpret_cast<std::uint8_t*>(to.data()), room});
    return count == ring_broken ? "broken" : to.substr(0, count);
  }

  RingDirection shared_;
  std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(size);
  RingWriter writer_{shared_, bytes_.data(), size};
  RingReader reader_{shared_, bytes_.data(), size};
};

TEST_F(RingTest, WhatGoesInComesOut) {
  EXPECT_EQ(read(10), "");
  EXPECT_EQ(writer_.write(as_bytes("hello, ring")), 11u);
  EXPECT_EQ(reader_.available(), 11u);
  EXPECT_EQ(read(5), "hello");
  EXPECT_EQ(read(100), ", ring");
  EXPECT_EQ(reader_.available(), 0u);
}

TEST_F(RingTest, AFullOneTakesWhatFits) {
  const std::string much(100, 'm');
  EXPECT_EQ(writer_.write(as_bytes(much)), size);
  EXPECT_EQ(writer_.room(), 0u);
  EXPECT_EQ(writer_.write(as_bytes(much)), 0u);
  EXPECT_EQ(read(10), std::string(10, 'm'));
  EXPECT_EQ(writer_.room(), 10u);
  EXPECT_EQ(writer_.write(as_bytes("0123456789ab")), 10u);
  EXPECT_EQ(read(100), std::string(54, 'm') + "0123456789");
}

TEST_F(RingTest, PiecesOfAnyLengthKeepTheirOrder) {
  std::mt19937 random(7);
  std::string written, taken;
  char next = 'a';
  for (int i = 0; i < 20'000; ++i) {
    std::string piece(random() % (size + 10), ' ');
    for (char& c : piece) c = next = next == 'z' ? 'a' : static_cast<char>(next + 1);
    const std::size_t count = writer_.write(as_bytes(piece));
    written += piece.substr(0, count);
    if (count < piece.size()) next = count == 0 ? (written.empty() ? 'a' : written.back()) : piece[count - 1];
    taken += read(random() % (size + 10));
    ASSERT_LE(written.size() - taken.size(), size);
  }
  taken += read(size);
  EXPECT_EQ(taken, written);
}

TEST_F(RingTest, CountsThatCannotBeAreNoticed) {
  writer_.write(as_bytes("four"));
  shared_.written.store(size + 1);
  EXPECT_EQ(reader_.available(), ring_broken);
  EXPECT_EQ(read(10), "broken");
  shared_.written.store(4);
  EXPECT_EQ(read(10), "four");
  shared_.written.store(3);  // fewer than before
  EXPECT_EQ(read(10), "broken");

  shared_.taken.store(5);  // more than was written
  EXPECT_EQ(writer_.room(), ring_broken);
  EXPECT_EQ(writer_.write(as_bytes(std::string(size, 'x'))), ring_broken);
  EXPECT_EQ(writer_.write(as_bytes(std::string(size, 'x'))), ring_broken);
}

TEST_F(RingTest, ASleeperIsWokenOnce) {
  EXPECT_FALSE(sleeps(shared_.reader_sleeps));
  shared_.reader_sleeps.store(1);
  EXPECT_TRUE(sleeps(shared_.reader_sleeps));
  EXPECT_FALSE(sleeps(shared_.reader_sleeps));
}

// Neither side pauses when it has nothing to do: the two shall meet in the ring as often as can be.
TEST_F(RingTest, TwoThreadsAgree) {
  constexpr std::uint64_t numbers = 200'000;
  std::thread writing([&] {
    for (std::uint64_t n = 0; n < numbers; ++n) {
      std::uint8_t number[sizeof n];
      store_little(number, n);
      for (Bytes rest(number); !rest.empty();) {
        const std::size_t count = writer_.write(rest);
        rest = rest.subspan(count);
        if (count == 0) std::this_thread::yield();
      }
    }
  });
  std::uint64_t expected = 0;
  std::string rest;
  while (expected < numbers) {
    const std::string more = read(size);
    if (more.empty()) std::this_thread::yield();
    rest += more;
    std::size_t used = 0;
    for (; rest.size() - used >= 8; used += 8)
      ASSERT_EQ(load_little<std::uint64_t>(reinterpret_cast<const std::uint8_t*>(rest.data()) + used),
                expected++);
    rest.erase(0, used);
  }
  writing.join();
}

}  // namespace
}  // namespace tandem::wire
