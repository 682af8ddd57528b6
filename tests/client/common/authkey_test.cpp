// Files with a key: a file, a pipe, and what is neither.
#include "client/common/authkey.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tandem/error.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/program.hpp"

namespace tandem::client {
namespace {

using testing::HasSubstr;

class AuthkeyFile : public testing::Test {
 protected:
  std::string refusal() {
    return test::error_of<ValueError>([&] { (void)read_authkey_file(path_); });
  }
  test::TemporaryFolder folder_;
  std::string path_ = folder_.path("key");
};

TEST_F(AuthkeyFile, IsReadWithoutItsLineEnd) {
  std::ofstream(path_) << "a secret\r\n";
  EXPECT_EQ(read_authkey_file(path_), "a secret");
  std::ofstream(path_) << "two\nlines";
  EXPECT_EQ(read_authkey_file(path_), "two\nlines");
}

TEST_F(AuthkeyFile, MayBeAPipeThatIsWrittenToLater) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  std::thread writer([&] {
    for (const char byte : std::string("secret\n")) {
      EXPECT_EQ(::write(ends[1], &byte, 1), 1);
      std::this_thread::yield();
    }
    ::close(ends[1]);
  });
  EXPECT_EQ(read_authkey_file("/dev/fd/" + std::to_string(ends[0])), "secret");
  writer.join();
  ::close(ends[0]);
}

TEST_F(AuthkeyFile, ThatHasNoEndIsRefused) {
  path_ = "/dev/zero";
  EXPECT_THAT(refusal(), HasSubstr("authkey file \"/dev/zero\": it is longer than 65536 bytes"));
}

TEST_F(AuthkeyFile, ThatNobodyWritesToIsRefused) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("it holds no key"));
}

TEST_F(AuthkeyFile, ThatIsNoneIsRefused) {
  EXPECT_THAT(refusal(), HasSubstr("No such file"));
  std::ofstream(path_) << "\n";
  EXPECT_THAT(refusal(), HasSubstr("it holds no key"));
  path_ = folder_.path("");
  EXPECT_THAT(refusal(), HasSubstr("Is a directory"));
}

}  // namespace
}  // namespace tandem::client
