#include "server/debug/access.hpp"

#include <gtest/gtest.h>

#include "tandem/error.hpp"

namespace tandem::server {
namespace {

constexpr const char* token = "0123456789abcdef+/==";

int status_of(const Access& access, std::vector<std::string> hosts, std::string authorization = "") {
  try {
    access.check(Request{"GET", "/", std::move(hosts), std::move(authorization)});
  } catch (const Refused& refused) {
    return refused.status;
  }
  return 200;
}

TEST(Access, WithoutATokenTheHostIsThisMachine) {
  Access access("", {"127.0.0.2", "My-Host", "[::2]"});
  for (const char* good : {"localhost", "LocalHost:80", "127.0.0.1", "127.0.0.1:7071", "[::1]", "[::1]:7071",
                           "127.0.0.2:1", "my-host:7071", "[::2]:1", "localhost:"})
    EXPECT_EQ(status_of(access, {good}), 200) << good;
}

TEST(Access, OtherHostsAreMisdirected) {
  Access access("", {});
  for (const char* bad : {"evil.example", "evil.example:7071", "localhost.evil.example",
                          "127.0.0.1.evil.example", "127.0.0.2", "", ":80", "[::1", "[::1]x", "::1",
                          "localhost:80:80", "localhost:8o", "localhost@evil.example", "http://localhost"})
    EXPECT_EQ(status_of(access, {bad}), 421) << bad;
}

TEST(Access, OneHostIsNeeded) {
  Access access("", {});
  EXPECT_EQ(status_of(access, {}), 400);
  EXPECT_EQ(status_of(access, {"localhost", "localhost"}), 400);
}

TEST(Access, ATokenOpensUnderAnyHost) {
  Access access(token, {});
  EXPECT_EQ(status_of(access, {"any.example"}, "Bearer " + std::string(token)), 200);
  EXPECT_EQ(status_of(access, {"any.example"}, "bearer   " + std::string(token)), 200);
}

TEST(Access, AnotherTokenDoesNot) {
  Access access(token, {});
  for (std::string bad :
       {"", "Bearer", "Bearer ", "Bearer 0123456789abcdef+/=", "Bearer 0123456789abcdef+/=x",
        "Bearer 0123456789abcdef+/===", "Basic 0123456789abcdef+/==", "0123456789abcdef+/=="})
    EXPECT_EQ(status_of(access, {"localhost"}, bad), 401) << bad;
}

TEST(Access, TokensThatAreNoneAreRefused) {
  EXPECT_THROW(Access("short", {}), ValueError);
  EXPECT_THROW(Access("with a space in the middle", {}), ValueError);
  EXPECT_THROW(Access("percent%20percent%20", {}), ValueError);
  EXPECT_THROW(Access("================", {}), ValueError);
  EXPECT_THROW(Access("0123456789=abcdef", {}), ValueError);
}

}  // namespace
}  // namespace tandem::server
