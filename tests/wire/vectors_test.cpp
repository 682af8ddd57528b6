// The test vectors in vectors/, played to a manager: what it says is compared byte for byte. They were not made with
// this project's code, so they also check that the code does what the grammar says.
#include <fstream>
#include <sstream>

#include "tests/server/session/fixture.hpp"

namespace tandem::server {
namespace {

struct Step {
  bool by_client = false;
  std::string what;
  std::string bytes;
};

std::string from_hex(const std::string& line) {
  std::istringstream digits(line);
  std::string bytes;
  for (std::string two; digits >> two;) {
    EXPECT_EQ(two.size(), 2u) << line;
    bytes += static_cast<char>(std::stoi(two, nullptr, 16));
  }
  return bytes;
}
std::string to_hex(std::string_view bytes) {
  std::string text;
  for (unsigned char byte : bytes) {
    char two[4];
    std::snprintf(two, sizeof two, "%02x ", byte);
    text += two;
  }
  return text;
}

std::vector<Step> read_steps(const std::string& name) {
  std::ifstream file(std::string(TANDEM_VECTORS) + "/" + name);
  EXPECT_TRUE(file.is_open()) << name;
  std::vector<Step> steps;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '<' || line[0] == '>') {
      steps.push_back({line[0] == '>', line, ""});
    } else if (!steps.empty()) {
      steps.back().bytes += from_hex(line);
    }
  }
  EXPECT_GE(steps.size(), 3u);
  return steps;
}

/// Gives whether the manager ended the channel.
bool play(const std::string& name, TestManager& manager) {
  TestClient client(manager);
  for (const Step& step : read_steps(name)) {
    if (step.by_client) {
      client.say(step.bytes);
      EXPECT_EQ(client.unsaid(), 0u) << name << ": " << step.what;
    } else {
      EXPECT_EQ(to_hex(client.hear_bytes()), to_hex(step.bytes)) << name << ": " << step.what;
    }
  }
  EXPECT_EQ(client.hear_bytes(), "") << name << ": the manager says more than is written";
  return client.channel().ending();
}

TEST(Vectors, Session) {
  TestManager manager({.authkey = "a shared secret"});
  EXPECT_TRUE(play("session.txt", manager));
}

TEST(Vectors, Parts) {
  TestManager manager(
      {.limits = {.frame_bytes_max = 64, .message_bytes_max = 160, .memory_bytes_max = 1 << 30}});
  EXPECT_FALSE(play("parts.txt", manager));
}

TEST(Vectors, WrongAuthkey) {
  TestManager manager({.authkey = "a shared secret"});
  EXPECT_TRUE(play("wrong_authkey.txt", manager));
}

TEST(Vectors, OtherVersion) {
  TestManager manager;
  EXPECT_TRUE(play("other_version.txt", manager));
}

}  // namespace
}  // namespace tandem::server
