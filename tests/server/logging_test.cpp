// Log lines: who logs never waits for who reads them.
#include "server/logging.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>

#include "tandem/server.hpp"
#include "tandem/tandem.hpp"
#include "tests/support/attachable.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"
#include "tests/support/raw_client.hpp"

namespace tandem {
namespace {

using testing::HasSubstr;

TEST(Logging, AFunctionThatTakesNothingHoldsUpNobody) {
  std::promise<void> open;
  std::shared_future<void> opened = open.get_future().share();
  std::vector<std::string> lines;
  auto logger = server::make_logger(LogLevel::info, [&](LogLevel, std::string_view line) {
    opened.wait();
    lines.emplace_back(line);
  });
  const std::string long_text(1000, 'x');
  constexpr std::size_t count = 5000;  // five times as much as the queue takes
  for (std::size_t i = 0; i < count; ++i) logger->info("{} {}", i, long_text);
  open.set_value();
  logger.reset();
  ASSERT_GT(lines.size(), 500u);
  ASSERT_LT(lines.size(), 2000u);
  EXPECT_THAT(lines.front(), testing::StartsWith("0 x"));
  const std::size_t dropped = count - (lines.size() - 1);
  EXPECT_THAT(lines.back(), HasSubstr("log lines dropped here"));
  EXPECT_THAT(lines.back(), testing::EndsWith(": " + std::to_string(dropped)));
}

TEST(Logging, LinesComeInOrderAndWhatTheyContainIsEscaped) {
  std::vector<std::pair<LogLevel, std::string>> lines;
  auto logger = server::make_logger(
      LogLevel::info, [&](LogLevel level, std::string_view line) { lines.emplace_back(level, line); });
  logger->warn("lock \"{}\"", "a\n2026-01-01 error forged\x1b[2J");
  logger->error("{}", std::string(2 * server::log_line_bytes_max, 'x'));
  logger->debug("not wanted");
  logger.reset();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].first, LogLevel::warning);
  EXPECT_EQ(lines[0].second, R"(lock "a\n2026-01-01 error forged\u001b[2J")");
  EXPECT_EQ(lines[1].first, LogLevel::error);
  EXPECT_EQ(lines[1].second, std::string(server::log_line_bytes_max, 'x') + "…");
}

/// A pipe that takes nothing more.
class FullPipe {
 public:
  FullPipe() {
    EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
    ::fcntl(ends_[1], F_SETFL, O_NONBLOCK);
    const std::string filling(4096, '.');
    while (::write(ends_[1], filling.data(), filling.size()) > 0) continue;
    while (::write(ends_[1], ".", 1) > 0) continue;
    ::fcntl(ends_[1], F_SETFL, 0);
  }
  ~FullPipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  FullPipe(const FullPipe&) = delete;
  FullPipe& operator=(const FullPipe&) = delete;
  int writing_end() const { return ends_[1]; }

 private:
  std::array<int, 2> ends_{};
};

TEST(Logging, TandemdServesAndEndsAlthoughNobodyReadsItsErrors) {
  test::TemporaryFolder folder;
  const std::string address = "unix:" + folder.path("socket");
  FullPipe full;
  test::Program tandemd({test::beside_the_test("tandemd"), "--listen", address, "--log-level", "debug"}, {},
                        "", [&] { ::dup2(full.writing_end(), STDERR_FILENO); });
  ASSERT_THAT(tandemd.read_line(), HasSubstr("ready"));
  for (int i = 0; i < 50; ++i) Manager(address).ping();  // two lines for each session
  tandemd.signal(SIGTERM);
  EXPECT_EQ(tandemd.wait(), 0);
}

TEST(Logging, TandemdEndsAlthoughNobodyReadsItsReadyLine) {
  test::TemporaryFolder folder;
  const std::string address = "unix:" + folder.path("socket");
  FullPipe full;
  test::Program tandemd({test::beside_the_test("tandemd"), "--listen", address, "--log-level", "off"}, {}, "",
                        [&] { ::dup2(full.writing_end(), STDOUT_FILENO); });
  test::eventually([&] { return test::is_attachable(address); }, "tandemd to listen");
  tandemd.signal(SIGTERM);
  EXPECT_EQ(tandemd.wait(), 0);
}

TEST(Logging, TandemdThatCannotStartEndsAlthoughNobodyReadsWhy) {
  FullPipe full;
  test::Program tandemd({test::beside_the_test("tandemd"), "--listen", "unix:/nonexistent/socket"}, {}, "",
                        [&] { ::dup2(full.writing_end(), STDERR_FILENO); });
  EXPECT_EQ(tandemd.wait(), 1);
}

TEST(Logging, AServerEndsAlthoughItsFunctionIsStillAtWork) {
  std::promise<void> entered;
  std::promise<void> open;
  bool first = true;
  bool returned = false;
  {
    Server server({.log_level = LogLevel::info, .log = [&](LogLevel, std::string_view) {
                     if (!std::exchange(first, false)) return;
                     entered.set_value();
                     open.get_future().wait();
                     returned = true;
                   }});
    server.start();
    server.connect().ping();
    entered.get_future().wait();
    server.connect().ping();
    server.stop();
    open.set_value();
  }
  EXPECT_TRUE(returned) << "the function is not called any more after the Server's end";
}

}  // namespace
}  // namespace tandem
