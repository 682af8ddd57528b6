// The client's side of the handshake against a peer that says what it is told to.
#include "client/transport/handshake.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "client/common/crypto.hpp"
#include "client/transport/socket.hpp"
#include "tandem/server.hpp"
#include "tandem/tandem.hpp"
#include "tests/support/child.hpp"
#include "tests/support/error_of.hpp"

namespace tandem::client {
namespace {

using ::testing::HasSubstr;
using Script = std::function<void(class Peer&)>;

/// The manager's end of a socket pair.
class Peer {
 public:
  explicit Peer(int descriptor) : descriptor_(descriptor) {}
  ~Peer() { hang_up(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void say(wire::Bytes bytes) {
    ASSERT_EQ(send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void say(std::string_view text) { say(wire::as_bytes(text)); }
  void say_hello() {
    wire::Hello hello;
    random_bytes(hello.incarnation);
    random_bytes(hello.nonce);
    hello_ = wire::encode(hello);
    say(hello_);
  }
  wire::Answer hear_answer() {
    EXPECT_EQ(recv(descriptor_, answer_.data(), answer_.size(), MSG_WAITALL),
              static_cast<ssize_t>(answer_.size()));
    return wire::decode_answer(answer_.data());
  }
  bool answer_is_proven_by(std::string_view key) {
    return hmac_sha256(key, {wire::as_bytes(wire::client_proof_label), hello_,
                             wire::Bytes(answer_).first(wire::answer_bytes - wire::proof_bytes)}) ==
           wire::decode_answer(answer_.data()).proof;
  }
  void say_welcome(wire::Welcome welcome, std::string_view key) {
    auto bytes = wire::encode(welcome);
    welcome.proof = hmac_sha256(key, {wire::as_bytes(wire::server_proof_label), hello_, answer_,
                                      wire::Bytes(bytes).first(bytes.size() - 32)});
    say(wire::encode(welcome));
  }
  void hang_up() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
  }
  /// Until the client closes.
  void wait() {
    std::uint8_t byte;
    while (recv(descriptor_, &byte, 1, 0) > 0) continue;
  }

 private:
  int descriptor_;
  std::array<std::uint8_t, wire::hello_bytes> hello_{};
  std::array<std::uint8_t, wire::answer_bytes> answer_{};
};

constexpr wire::Welcome good_welcome{17, {1, 2, 3}, 8192, 1 << 20, 128, 0, 0, {}};

/// Shakes hands, with the key "key", with a peer that follows the script.
Admission shake_hands_with(const Script& script, OpenRequest request = {},
                           std::chrono::milliseconds limit = std::chrono::hours(1)) {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  std::jthread manager([&script, end = ends[1]] {
    Peer peer(end);
    script(peer);
  });
  SocketStream stream(ends[0]);
  return shake_hands(stream, "key", request, {"unix:/there"}, os::Deadline(limit));
}

/// The text of the E that the handshake throws.
template <class E>
std::string refusal_of(const Script& script, std::chrono::milliseconds limit = std::chrono::hours(1)) {
  try {
    shake_hands_with(script, {}, limit);
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& other) {
    return std::string("another exception: ") + other.what();
  }
  return "no exception";
}

TEST(Handshake, ProvesTheKeyAndTakesTheSession) {
  OpenRequest request{wire::Purpose::join, 5, {9, 8, 7}};
  Admission admission = shake_hands_with(
      [&](Peer& peer) {
        peer.say_hello();
        wire::Answer answer = peer.hear_answer();
        EXPECT_EQ(answer.purpose, wire::Purpose::join);
        EXPECT_EQ(answer.session, 5u);
        EXPECT_EQ(answer.secret, request.secret);
        EXPECT_EQ(answer.pid, static_cast<std::uint32_t>(getpid()));
        EXPECT_TRUE(peer.answer_is_proven_by("key"));
        EXPECT_FALSE(peer.answer_is_proven_by("other key"));
        peer.say_welcome(good_welcome, "key");
      },
      request);
  EXPECT_EQ(admission.welcome.session, 17u);
  EXPECT_EQ(admission.welcome.secret, good_welcome.secret);
  EXPECT_EQ(admission.welcome.frame_bytes_max, 8192u);
  EXPECT_NE(admission.incarnation, wire::Incarnation{});
}

TEST(Handshake, AnotherNonceEachTime) {
  wire::Nonce nonces[2];
  for (wire::Nonce& nonce : nonces)
    shake_hands_with([&nonce](Peer& peer) {
      peer.say_hello();
      nonce = peer.hear_answer().nonce;
      peer.say_welcome(good_welcome, "key");
    });
  EXPECT_NE(nonces[0], nonces[1]);
}

TEST(Handshake, ManagerThatDoesNotHoldTheKey) {
  EXPECT_THAT(refusal_of<AuthenticationError>([](Peer& peer) {
                peer.say_hello();
                peer.hear_answer();
                peer.say_welcome(good_welcome, "other key");
              }),
              HasSubstr("unix:/there: the manager could not prove"));
}

TEST(Handshake, ManagerThatRepeatsAnotherManagersProof) {
  EXPECT_THAT(refusal_of<AuthenticationError>([](Peer& peer) {
                peer.say_hello();
                peer.hear_answer();
                wire::Welcome welcome = good_welcome;
                welcome.proof = hmac_sha256("key", {wire::as_bytes("what was said in another handshake")});
                peer.say(wire::encode(welcome));
              }),
              HasSubstr("could not prove"));
}

TEST(Handshake, RefusalsKeepTheirCodeAndText) {
  auto refuse_with = [](Code code) {
    return [code](Peer& peer) {
      peer.say_hello();
      peer.hear_answer();
      peer.say(wire::encode_refusal(code, "for a reason"));
    };
  };
  EXPECT_THAT(refusal_of<AuthenticationError>(refuse_with(Code::authentication_error)),
              HasSubstr("unix:/there: the manager refused the connection: for a reason"));
  EXPECT_THAT(refusal_of<ResourceExhausted>(refuse_with(Code::resource_exhausted)),
              HasSubstr("for a reason"));
  EXPECT_THAT(refusal_of<ShuttingDown>(refuse_with(Code::shutting_down)), HasSubstr("for a reason"));
}

TEST(Handshake, TheSessionOfAManagerThatWasStartedAnew) {
  auto hello_only = [](Peer& peer) {
    peer.say_hello();  // of an incarnation of its own
    peer.wait();
  };
  OpenRequest request{.purpose = wire::Purpose::join, .session = 5, .incarnation = {1}};
  EXPECT_EQ(test::error_of<SessionLost>([&] { shake_hands_with(hello_only, request); }),
            "unix:/there: the manager was started anew, and what it hosted is gone");
}

TEST(Handshake, RefusalInPlaceOfHello) {
  EXPECT_THAT(refusal_of<ResourceExhausted>([](Peer& peer) {
                peer.say(wire::encode_refusal(Code::resource_exhausted, "channels_max"));
              }),
              HasSubstr("channels_max"));
}

TEST(Handshake, OverlongRefusal) {
  EXPECT_THAT(refusal_of<ProtocolError>([](Peer& peer) {
                std::string refusal = wire::encode_refusal(Code::type_error, "");
                refusal.replace(8, 4, "\xff\xff\xff\xff");
                peer.say(refusal);
              }),
              HasSubstr("not a tandem manager"));
}

TEST(Handshake, AnotherVersionIsNamedTogetherWithOurs) {
  // Another version's Hello may be shorter: ten bytes are enough to tell.
  EXPECT_THAT(refusal_of<VersionError>([](Peer& peer) {
                wire::Hello hello;
                hello.version = 7;
                peer.say(wire::Bytes(wire::encode(hello)).first(10));
                peer.wait();
              }),
              HasSubstr("speaks version 7 of the protocol, this client version 2"));
}

TEST(Handshake, Garbage) {
  // Four bytes tell, even if no more ever come.
  using namespace std::string_view_literals;
  for (auto garbage : {"SSH-2.0-OpenSSH_9.2\r\n"sv, "HTTP"sv, "TNDX more of it"sv, "\0\0\0\0"sv})
    EXPECT_THAT(refusal_of<ProtocolError>([garbage](Peer& peer) {
                  peer.say(garbage);
                  peer.wait();
                }),
                HasSubstr("unix:/there: what listens there is not a tandem manager"));
}

TEST(Handshake, FramesTooShortToUse) {
  EXPECT_THAT(refusal_of<ProtocolError>([](Peer& peer) {
                peer.say_hello();
                peer.hear_answer();
                wire::Welcome welcome = good_welcome;
                welcome.frame_bytes_max = 20;
                peer.say_welcome(welcome, "key");
              }),
              HasSubstr("its frames are too short"));
}

TEST(Handshake, SilenceFromTheStart) {
  EXPECT_THAT(refusal_of<Timeout>([](Peer& peer) { peer.wait(); }, std::chrono::milliseconds(20)),
              HasSubstr("unix:/there: no handshake within 20 ms (connect_timeout)"));
}

TEST(Handshake, SilenceAfterHello) {
  EXPECT_THAT(refusal_of<Timeout>(
                  [](Peer& peer) {
                    peer.say_hello();
                    peer.wait();
                  },
                  std::chrono::milliseconds(50)),
              HasSubstr("no handshake within 50 ms"));
}

TEST(Handshake, PeerThatHangsUp) {
  EXPECT_THAT(refusal_of<ConnectionError>([](Peer& peer) { peer.hang_up(); }),
              HasSubstr("unix:/there: the manager closed the connection during the handshake"));
  EXPECT_THAT(refusal_of<ConnectionError>([](Peer& peer) {
                peer.say_hello();
                peer.hear_answer();
                peer.say("TNDM");
              }),
              HasSubstr("during the handshake"));
}

// Without a key, the handshake proves nothing: whatever listens can go through with it.

TEST(Handshake, WithoutAKeyNothingOnTcpIsTrusted) {
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  ASSERT_EQ(bind(listening, reinterpret_cast<sockaddr*>(&name), size), 0);
  ASSERT_EQ(listen(listening, 1), 0);
  getsockname(listening, reinterpret_cast<sockaddr*>(&name), &size);
  std::jthread stranger([&] {
    Peer peer(accept(listening, nullptr, nullptr));
    peer.say_hello();
    peer.hear_answer();
    peer.say_welcome(good_welcome, "");
    peer.wait();
  });
  const auto address = Address::parse("tcp://127.0.0.1:" + std::to_string(ntohs(name.sin_port)));
  try {
    SocketConnector(address, "").open({}, std::chrono::hours(1));
    ADD_FAILURE() << "a stranger was taken for a manager";
  } catch (const AuthenticationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no authkey was given"));
  }
  stranger.join();
  close(listening);
}

TEST(Handshake, WithoutAKeyAnotherUsersSocketIsNotTrusted) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const std::string address = "unix:@tandem-test-" + std::to_string(getpid());
  test::Signal ready, done;
  test::Child stranger([&] {
    constexpr uid_t nobody = 65534;
    ASSERT_EQ(setresuid(nobody, nobody, nobody), 0);
    Server keyless({.listen = {address}, .log_level = LogLevel::off});
    Server with_key({.listen = {address + "-key"}, .authkey = "shared", .log_level = LogLevel::off});
    keyless.start();
    with_key.start();
    ready.send();
    done.wait();
  });
  ready.wait();
  try {
    Manager manager(address);
    ADD_FAILURE() << "a stranger was taken for a manager";
  } catch (const AuthenticationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("the user with uid 65534 listens there"));
  }
  Manager(address + "-key", {.authkey = "shared"}).ping();
  done.send();
  EXPECT_EQ(stranger.join(), 0);
}

}  // namespace
}  // namespace tandem::client
