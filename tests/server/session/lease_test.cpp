// Sessions whose clients may be gone without a sign: they end after a silence, and the client is told when it comes back.

#include "tests/server/session/fixture.hpp"

namespace tandem::server {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t lease_ms = 10'000'000;  // beside which it does not matter how long a test takes

class Lease : public ::testing::Test {
 protected:
  static Peer remote() { return {"tcp://192.0.2.7:4711", std::nullopt}; }
  static ManagerSetup setup() {
    ManagerSetup made;
    made.authkey = "key";
    made.limits.session_lease_ms = lease_ms;
    return made;
  }
  /// The clock is the steady one; only ticks are made up.
  void silence(std::uint64_t ms) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const auto now_ns =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
    manager_.service().tick(now_ns + ms * 1'000'000);
  }
  template <class Op>
  static std::string request(std::uint64_t object, std::uint32_t number,
                             std::string_view arguments = "\x90") {
    return request_frame({0, Op::description.number, number, 1, object}, arguments);
  }

  TestManager manager_{setup()};
};

TEST_F(Lease, ARemoteClientIsToldOfIt) {
  TestClient remote_client(manager_, remote());
  EXPECT_EQ(remote_client.shake_hands().lease_ms, lease_ms);
  TestClient local_client(manager_);
  EXPECT_EQ(local_client.shake_hands().lease_ms, 0u);
}

TEST_F(Lease, ASilentSessionEndsAndItsLocksGoOn) {
  TestClient silent(manager_, remote());
  const wire::Welcome session = silent.shake_hands();
  const std::uint64_t lock = silent.create("lock");
  EXPECT_EQ(silent.ask(request<ops::Lock::Acquire>(lock, 1)).code, Code::ok);
  TestClient waiter(manager_);
  waiter.shake_hands();
  // The waiter holds a reference of its own, or the lock would go with the session.
  EXPECT_EQ(waiter.create("list", packed([&](wire::Writer& out) {
                            out.array(1);
                            out.array(1);
                            out.reference({ops::Lock::number, lock});
                          })) != 0,
            true);
  waiter.say(request<ops::Lock::Acquire>(lock, 1));
  EXPECT_TRUE(waiter.hear().empty());
  silence(lease_ms / 10 * 9);
  EXPECT_EQ(manager_.service().sessions().size(), 2u);
  silence(lease_ms + 100);
  EXPECT_EQ(manager_.service().sessions().size(), 1u);
  const Heard granted = waiter.hear_one();
  EXPECT_EQ(granted.code, Code::ok);
  EXPECT_EQ(granted.payload.back(), '\xc3');  // the previous owner died

  const Heard fault = silent.hear_one();
  EXPECT_EQ(fault.kind, wire::FrameKind::fault);
  EXPECT_EQ(fault.code, Code::session_lost);
  EXPECT_THAT(fault.text(), HasSubstr("session_lease_ms"));
  EXPECT_THAT(fault.text(), HasSubstr("it owned lock " + std::to_string(lock) + " (token 1)"));

  TestClient back(manager_, remote());
  wire::Answer wanted;
  wanted.purpose = wire::Purpose::join;
  wanted.session = session.session;
  wanted.secret = session.secret;
  back.say(TestClient::answer(back.hear_bytes(), manager_.authkey(), wanted));
  const RefusalHeard refusal = parse_refusal(back.hear_bytes());
  EXPECT_EQ(refusal.code, Code::session_lost);
  EXPECT_THAT(refusal.text, HasSubstr("it owned lock"));
}

TEST_F(Lease, WhoeverIsHeardOfStays) {
  TestClient remote_client(manager_, remote());
  remote_client.shake_hands();
  silence(lease_ms / 2);
  EXPECT_EQ(remote_client.ask(ping(1)).code, Code::ok);
  silence(lease_ms / 10 * 9);
  EXPECT_EQ(remote_client.ask(ping(2)).code, Code::ok);
}

TEST_F(Lease, TheManagersOwnSilenceIsNotItsClients) {
  TestClient remote_client(manager_, remote());
  remote_client.shake_hands();
  silence(3 * lease_ms);  // the manager was stopped, say, and what its clients have sent is still to be read
  EXPECT_EQ(remote_client.ask(ping(1)).code, Code::ok);
  silence(3 * lease_ms + lease_ms / 10 + 100);
  EXPECT_EQ(remote_client.hear_one().code, Code::session_lost);
}

TEST_F(Lease, ClientsOfThisMachineMayBeSilent) {
  TestClient local_client(manager_);
  local_client.shake_hands();
  silence(10 * lease_ms);
  EXPECT_EQ(local_client.ask(ping(1)).code, Code::ok);
}

TEST_F(Lease, AWaitOfTheSilentEndsToo) {
  TestClient silent(manager_, remote());
  silent.shake_hands();
  const std::uint64_t event = silent.create("event");
  silent.say(request<ops::Event::Wait>(event, 1));
  EXPECT_EQ(manager_.engine().waits().size(), 1u);
  silence(lease_ms + 100);
  EXPECT_EQ(manager_.engine().waits().size(), 0u);
  EXPECT_EQ(silent.hear_one().code, Code::session_lost);
}

}  // namespace
}  // namespace tandem::server
