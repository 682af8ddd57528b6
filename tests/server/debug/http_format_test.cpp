// Requests and responses as bytes, without a socket.

#include <gtest/gtest.h>

#include "server/debug/http.hpp"

namespace tandem::server {
namespace {

class HttpFormatTest : public testing::Test {
 protected:
  /// Answers with what it was asked.
  HttpFormat echo_{[](const Request& request) {
    nlohmann::ordered_json json = {{"method", request.method},
                                   {"target", request.target},
                                   {"hosts", request.hosts},
                                   {"authorization", request.authorization}};
    return Answer{.body = dump(json)};
  }};

  static nlohmann::json body_of(const std::string& response) {
    std::size_t end = response.find("\r\n\r\n");
    EXPECT_NE(end, response.npos) << response;
    return nlohmann::json::parse(response.substr(end + 4));
  }
  static void expect_error(const std::string& response, int status) {
    EXPECT_TRUE(response.starts_with("HTTP/1.1 " + std::to_string(status) + " ")) << response;
    EXPECT_NE(response.find("\r\nContent-Type: application/json\r\n"), response.npos) << response;
    EXPECT_EQ(body_of(response)["error"]["status"], status);
    EXPECT_FALSE(body_of(response)["error"]["message"].get<std::string>().empty());
  }
};

TEST_F(HttpFormatTest, ARequestIsTakenApart) {
  std::string response =
      echo_.respond("GET /a%2Fb?c=d%20 HTTP/1.1\r\nHost: x:1\r\nAuthorization: Bearer t\r\n\r\n");
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
  EXPECT_EQ(body_of(response), (nlohmann::json{{"method", "GET"},
                                               {"target", "/a%2Fb?c=d%20"},
                                               {"hosts", {"x:1"}},
                                               {"authorization", "Bearer t"}}));
}

TEST_F(HttpFormatTest, EveryResponseHasTheseHeaders) {
  for (std::string response : {echo_.respond("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
                               echo_.respond("rubbish\r\n\r\n"), HttpFormat::respond_error(503, "busy")}) {
    for (const char* header : {"\r\nCache-Control: no-store\r\n", "\r\nX-Content-Type-Options: nosniff\r\n",
                               "\r\nContent-Security-Policy: default-src 'none'", "\r\nConnection: close\r\n",
                               "\r\nContent-Type: application/json\r\n"})
      EXPECT_NE(response.find(header), response.npos) << header << response;
  }
}

TEST_F(HttpFormatTest, AHeadHasNoBody) {
  std::string get = echo_.respond("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string head = echo_.respond("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  EXPECT_NE(head.find("\r\nContent-Length: "), head.npos);
  EXPECT_EQ(head.find("\r\n\r\n"), head.size() - 4);
  EXPECT_LT(head.size(), get.size());
}

TEST_F(HttpFormatTest, AllHostsAreSeen) {
  EXPECT_EQ(body_of(echo_.respond("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"))["hosts"].size(), 2u);
  EXPECT_EQ(body_of(echo_.respond("GET / HTTP/1.1\r\n\r\n"))["hosts"], nlohmann::json::array());
}

TEST_F(HttpFormatTest, WhatIsNoRequestIsABadOne) {
  for (std::string bad : {"\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                          "get / HTTP/1.1\r\n\r\n", "BREW / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1 x\r\n\r\n"})
    expect_error(echo_.respond(bad), 400);
  expect_error(echo_.respond(std::string("\0\xff\r\n\r\n", 6)), 400);
}

TEST_F(HttpFormatTest, OddRequestsAreAnswered) {
  for (std::string odd : {"GET / HTTP/1.0\r\n\r\n", "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
                          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
                          "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                          "GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1,2-3,4-5\r\n\r\n",
                          "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, br\r\n\r\n",
                          "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n"}) {
    std::string response = echo_.respond(odd);
    EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
    EXPECT_FALSE(body_of(response)["method"].empty());
  }
}

TEST_F(HttpFormatTest, ATargetOfAnyLengthGetsJson) {
  std::string request = "GET /";
  request.append(9000, 'a').append(" HTTP/1.1\r\nHost: x\r\n\r\n");
  expect_error(echo_.respond(request), 414);
}

TEST_F(HttpFormatTest, ErrorsKeepTheirOwnBody) {
  HttpFormat refusing([](const Request&) { return error_answer(404, "not here"); });
  std::string response = refusing.respond("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  expect_error(response, 404);
  EXPECT_EQ(body_of(response)["error"]["message"], "not here");
}

}  // namespace
}  // namespace tandem::server
