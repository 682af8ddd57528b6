// A journal on a file system that fills up. It is a small one in memory, which takes the right to mount.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <thread>

#include "tandem/tandem.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"

namespace tandem {
namespace {

using test::Program;
using testing::HasSubstr;

class FullDisk : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(disk());
    if (::mount("tandem-test", disk().c_str(), "tmpfs", 0, "size=64m") != 0)
      GTEST_SKIP() << "this user may not mount: " << std::strerror(errno);
    is_mounted_ = true;
  }
  ~FullDisk() override {
    program_.reset();
    if (is_mounted_) ::umount2(disk().c_str(), MNT_DETACH);
  }

  std::string disk() const { return folder_.path("disk"); }
  std::string address() const { return "unix:" + folder_.path("socket"); }
  void start(const std::string& free_bytes_min) {
    program_.emplace(std::vector<std::string>{test::beside_the_test("tandemd"), "--listen", address(),
                                              "--journal", disk() + "/journal", "--journal-free-bytes-min",
                                              free_bytes_min, "--log-level", "error"});
    ASSERT_NE(program_->read_line(), "") << program_->errors;
  }
  void restart(const std::string& free_bytes_min) {
    program_->signal(SIGKILL);
    program_->wait();
    start(free_bytes_min);
  }
  std::string ballast() const { return disk() + "/ballast"; }
  /// Leaves so much room.
  void fill_but(std::uintmax_t bytes) const {
    std::ofstream file(ballast(), std::ios::binary);
    const std::string zeros(1 << 16, '\0');
    while (file && std::filesystem::space(disk()).available > bytes) file << zeros << std::flush;
  }
  void make_room() const { std::filesystem::remove(ballast()); }

  test::TemporaryFolder folder_;
  bool is_mounted_ = false;
  std::optional<Program> program_;
};

TEST_F(FullDisk, WithLittleRoomWritesAreRefusedAndTheRestGoesOnAndWritesDoAgainOnceThereIsMore) {
  start("16M");
  const Manager manager(address());
  auto texts = manager.dict<int, std::string>("texts");
  const auto lock = manager.lock("lock");
  lock.lock();
  fill_but(30 << 20);
  const std::string text(50'000, 'x');
  int written = 0;
  const auto write_on = [&] {
    for (; written < 100'000; ++written) texts[written % 50] = text;
  };
  EXPECT_THAT(test::error_of<ResourceExhausted>(write_on), HasSubstr("journal_free_bytes_min (16777216)"));
  EXPECT_GT(written, 50);
  EXPECT_EQ(texts.at(0), text);
  lock.unlock();
  EXPECT_TRUE(texts.erase(0));
  make_room();
  test::eventually(
      [&] {
        try {
          texts[1] = "again";
          return true;
        } catch (const ResourceExhausted&) {
          return false;
        }
      },
      "room to be noticed");
  restart("1M");
  EXPECT_EQ((Manager(address()).dict<int, std::string>("texts").at(1)), "again");
}

/// Without a reserve: a batch waits until it finds room, and its client with it; nothing is lost.
TEST_F(FullDisk, WhatFindsNoRoomWaitsAndIsDoneOnceThereIsSome) {
  start("0");
  std::atomic<int> written{0};
  std::thread writer([&] {
    const Manager manager(address());
    auto texts = manager.dict<int, std::string>("texts");
    const std::string text(50'000, 'x');
    fill_but(5 << 20);
    for (; written < 400; ++written) texts[written] = text;
  });
  int before = -1;
  test::eventually(
      [&] {
        return std::exchange(before, written.load()) == written && before > 20 &&
               std::filesystem::space(disk()).available < (1 << 17);
      },
      "no more progress");
  EXPECT_LT(written, 400);
  make_room();
  writer.join();
  EXPECT_EQ(written, 400);
  restart("0");
  EXPECT_EQ((Manager(address()).dict<int, std::string>("texts").size()), 400u);
}

}  // namespace
}  // namespace tandem
