// Channels that are resumed: over another connection, and over a restart of the manager.
#include "tests/server/journal/memory_log.hpp"
#include "tests/server/session/fixture.hpp"

namespace tandem::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Beside these it does not matter how long a test takes.
constexpr std::uint64_t resume_ms = 1'000'000;
constexpr std::uint64_t grace_ms = 5'000'000;

std::string append(std::uint64_t list, std::uint32_t request, char item, std::uint8_t flags = 0) {
  return call_frame(request, list, ops::List::Append::description.number, std::string{'\x91', item}, flags);
}
std::string get(std::uint64_t queue, std::uint32_t request, std::uint8_t flags = 0) {
  return call_frame(request, queue, ops::Queue::Get::description.number, "\x90", flags);
}
std::string put(std::uint64_t queue, std::uint32_t request, char item) {
  return call_frame(request, queue, ops::Queue::Put::description.number, std::string{'\x91', item});
}
std::string size_of_list(std::uint64_t list, std::uint32_t request) {
  return call_frame(request, list, ops::List::Size::description.number, "\x90");
}
std::string size_of_queue(std::uint64_t queue, std::uint32_t request) {
  return call_frame(request, queue, ops::Queue::Size::description.number, "\x90");
}
std::string read_frame(std::uint32_t request) {
  return short_frame(wire::FrameKind::read, 0, request, "");
}
std::string goodbye() {
  return short_frame(wire::FrameKind::goodbye, 0, 0, "");
}

wire::Answer wishing_for_a_lane() {
  wire::Answer wanted;
  wanted.wishes = wire::wish_lane;
  wanted.pid = 4711;
  return wanted;
}

class LaneTest : public ::testing::Test {
 protected:
  LaneTest() { begin(); }

  static Peer local() { return {"unix:/a", 1000}; }
  static Peer remote() { return {"tcp://192.0.2.7:4711", std::nullopt}; }
  ManagerSetup setup() {
    ManagerSetup made;
    made.authkey = "key";
    made.limits.session_resume_ms = resume_ms;
    made.limits.session_grace_ms = grace_ms;
    made.limits.session_lease_ms = 0;
    made.log = &log_;
    return made;
  }
  void begin() {
    manager_.emplace(setup());
    manager_->commit();
    // Another session, so that what the first one makes is not gone with it.
    witness_.emplace(*manager_, local());
    witness_->shake_hands();
  }
  /// The manager ends, as if it was killed, and starts again.
  void restart() {
    manager_->commit();
    manager_->service().shut_down();
    for (TestClient* client : clients_) client->leave();
    clients_.clear();
    witness_->leave();
    witness_.reset();
    manager_.reset();
    begin();
  }
  std::unique_ptr<TestClient> connect(Peer peer) {
    manager_->commit();  // what is held holds a hello, too
    auto made = std::make_unique<TestClient>(*manager_, std::move(peer));
    clients_.insert(made.get());
    return made;
  }
  void leave(std::unique_ptr<TestClient>& client) {
    clients_.erase(client.get());
    client->leave();
    client.reset();
  }
  /// Speaks with the one that has a new session with a lane.
  std::unique_ptr<TestClient> open(Peer peer) {
    auto client = connect(std::move(peer));
    session_ = client->shake_hands(wishing_for_a_lane());
    EXPECT_EQ(session_.lane, 1u);
    return client;
  }
  std::unique_ptr<TestClient> resume(Peer peer) {
    auto client = connect(std::move(peer));
    const wire::Welcome welcome = client->join(session_, wire::Purpose::resume);
    EXPECT_EQ(welcome.session, session_.session);
    EXPECT_EQ(welcome.lane, session_.lane);
    EXPECT_EQ(welcome.secret, session_.secret);
    return client;
  }
  RefusalHeard refused(const wire::Answer& wanted) {
    manager_->commit();
    TestClient client(*manager_, local());
    client.say(TestClient::answer(client.hear_bytes(), manager_->authkey(), wanted));
    return parse_refusal(client.hear_bytes());
  }
  std::vector<Heard> ask(TestClient& client, const std::string& bytes) {
    client.say(bytes);
    client.hear_bytes(0);
    manager_->commit();
    return client.hear();
  }
  Heard ask_one(TestClient& client, const std::string& bytes) {
    std::vector<Heard> heard = ask(client, bytes);
    EXPECT_EQ(heard.size(), 1u);
    return heard.empty() ? Heard{} : heard.front();
  }
  /// A named object, so that it stays; the same at each call.
  std::uint64_t named(TestClient& client, std::string_view type) {
    const Heard made =
        ask_one(client, call_frame(9'000, ops::Manager::id, ops::Manager::Create::description.number,
                                   packed([&](wire::Writer& out) {
                                     out.array(3);
                                     out.text(type);
                                     out.array(1);
                                     out.text("a " + std::string(type));
                                     out.array(0);
                                   })));
    wire::Reader reader(wire::as_bytes(made.payload));
    std::uint32_t count = 0;
    wire::Reference reference;
    EXPECT_TRUE(reader.array(count) && reader.reference(reference)) << made.text();
    return reference.id;
  }
  bool is_open() { return manager_->engine().registry().has(session_.session); }
  void after(std::uint64_t ms) { manager_->service().tick(os::clock_ns() + ms * 1'000'000); }

  test::MemoryLog log_;
  std::optional<TestManager> manager_;
  std::optional<TestClient> witness_;
  std::set<TestClient*> clients_;
  wire::Welcome session_;
};

// ---- who gets a lane --------------------------------------------------------------------------------------

TEST_F(LaneTest, ASessionGetsOneIfItWishesAndAJournalIsKept) {
  auto client = connect(local());
  const wire::Welcome with = client->shake_hands(wishing_for_a_lane());
  EXPECT_EQ(std::tuple(with.lane, with.resume_ms, with.grace_ms, with.start),
            std::tuple(1u, resume_ms, grace_ms, 1u));
  auto other = connect(local());
  const wire::Welcome without = other->shake_hands();
  EXPECT_EQ(std::tuple(without.lane, without.resume_ms, without.grace_ms, without.start),
            std::tuple(0u, 0u, 0u, 1u));
}

TEST_F(LaneTest, WithoutAJournalOnlyAClientOnAnotherMachineGetsOne) {
  ManagerSetup plain = setup();
  plain.log = nullptr;
  TestManager manager(plain);
  TestClient here(manager, local());
  EXPECT_EQ(here.shake_hands(wishing_for_a_lane()).lane, 0u);
  TestClient far(manager, remote());
  const wire::Welcome welcome = far.shake_hands(wishing_for_a_lane());
  EXPECT_EQ(std::tuple(welcome.lane, welcome.resume_ms, welcome.grace_ms, welcome.start),
            std::tuple(1u, resume_ms, 0u, 0u));
}

TEST_F(LaneTest, AClientWithinTheManagersProcessGetsNone) {
  auto client = connect({std::string(in_process_address), 1000});
  EXPECT_EQ(client->shake_hands(wishing_for_a_lane()).lane, 0u);
}

TEST_F(LaneTest, EveryChannelOfASessionGetsItsOwn) {
  auto first = open(local());
  auto second = connect(local());
  EXPECT_EQ(second->join(session_).lane, 2u);
  leave(second);
  auto third = connect(local());
  EXPECT_EQ(third->join(session_).lane, 3u);
}

// ---- requests that are sent again -------------------------------------------------------------------------

TEST_F(LaneTest, AReplyThatWasNotReadComesAgain) {
  auto client = open(remote());
  const std::uint64_t list = named(*client, "list");
  client->say(append(list, 1, 5));  // its reply is lost
  leave(client);
  client = resume(remote());
  const Heard again = ask_one(*client, append(list, 1, 5, wire::flag_again));
  EXPECT_EQ(std::tuple(again.code, again.request, again.is_kept), std::tuple(Code::ok, 1u, true));
  EXPECT_EQ(ask_one(*client, size_of_list(list, 2)).payload, "\x01");
}

TEST_F(LaneTest, ARequestOfWhichOnlyAPartHasArrivedIsCarriedOutThen) {
  auto client = open(remote());
  const std::uint64_t list = named(*client, "list");
  const std::string whole = append(list, 1, 5);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    client->say(whole.substr(0, cut));
    leave(client);
    client = resume(remote());
  }
  EXPECT_EQ(ask_one(*client, append(list, 1, 5, wire::flag_again)).code, Code::ok);
  EXPECT_EQ(ask_one(*client, size_of_list(list, 2)).payload, "\x01");
}

TEST_F(LaneTest, OnlyRepliesThatAreKeptSaySo) {
  auto client = open(local());
  const std::uint64_t list = named(*client, "list");
  EXPECT_FALSE(ask_one(*client, size_of_list(list, 1)).is_kept);
  EXPECT_TRUE(ask_one(*client, append(list, 2, 1)).is_kept);
  const std::uint64_t of_witness = named(*witness_, "list");
  EXPECT_FALSE(ask_one(*witness_, append(of_witness, 3, 1)).is_kept);
}

TEST_F(LaneTest, WhatWasReadIsNotKept) {
  auto client = open(local());
  const std::uint64_t list = named(*client, "list");
  for (std::uint32_t request : {1u, 2u, 3u}) ask_one(*client, append(list, request, 1));
  const auto kept = [&] { return manager_->engine().kept().find(session_.session, 1)->replies().size(); };
  EXPECT_EQ(kept(), 4u);  // with that of named()
  EXPECT_THAT(ask(*client, read_frame(2)), IsEmpty());
  EXPECT_EQ(kept(), 1u);
  ask_one(*client, append(list, 4, 1, wire::flag_has_read_all));
  EXPECT_EQ(kept(), 1u);
}

TEST_F(LaneTest, AReadFrameWithoutALaneIsAFault) {
  EXPECT_EQ(ask_one(*witness_, read_frame(1)).kind, wire::FrameKind::fault);
}

// ---- waits ------------------------------------------------------------------------------------------------

TEST_F(LaneTest, AWaitGoesOnWhileNobodyListens) {
  auto client = open(remote());
  const std::uint64_t queue = named(*client, "queue");
  EXPECT_THAT(ask(*client, get(queue, 1)), IsEmpty());
  leave(client);
  const std::uint64_t same = named(*witness_, "queue");
  ask_one(*witness_, put(same, 1, 42));
  EXPECT_EQ(ask_one(*witness_, size_of_queue(same, 2)).payload, std::string("\0", 1));  // it is the waiter's
  client = resume(remote());
  EXPECT_EQ(ask_one(*client, get(queue, 1, wire::flag_again)).payload, "\x91\x2a");
}

TEST_F(LaneTest, AWaitIsTakenOverByTheConnectionThatResumesIt) {
  auto client = open(remote());
  const std::uint64_t queue = named(*client, "queue");
  EXPECT_THAT(ask(*client, get(queue, 1)), IsEmpty());
  leave(client);
  client = resume(remote());
  EXPECT_THAT(ask(*client, get(queue, 1, wire::flag_again)), IsEmpty());
  ask_one(*witness_, put(named(*witness_, "queue"), 1, 42));
  manager_->commit();
  EXPECT_EQ(client->hear_one().payload, "\x91\x2a");
}

TEST_F(LaneTest, ACancelCanBeSentAgain) {
  auto client = open(remote());
  const std::uint64_t queue = named(*client, "queue");
  EXPECT_THAT(ask(*client, get(queue, 1)), IsEmpty());
  leave(client);
  client = resume(remote());
  const Heard heard =
      ask_one(*client, get(queue, 1, wire::flag_again) + short_frame(wire::FrameKind::cancel, 0, 1, ""));
  EXPECT_EQ(heard.request, 1u);
  EXPECT_EQ(manager_->engine().waits().size(), 0u);
}

/// The manager has not noticed yet that the connection is broken.
TEST_F(LaneTest, AConnectionThatIsResumedIsClosed) {
  auto stale = open(remote());
  const std::uint64_t queue = named(*stale, "queue");
  EXPECT_THAT(ask(*stale, get(queue, 1)), IsEmpty());
  auto client = resume(remote());
  EXPECT_EQ(stale->link().closes, 1);
  EXPECT_TRUE(stale->channel().ending());
  EXPECT_EQ(stale->channel().session(), nullptr);
  EXPECT_THAT(ask(*client, get(queue, 1, wire::flag_again)), IsEmpty());
  leave(stale);
  EXPECT_TRUE(is_open());
  ask_one(*witness_, put(named(*witness_, "queue"), 1, 42));
  manager_->commit();
  EXPECT_EQ(client->hear_one().payload, "\x91\x2a");
}

// ---- who is not resumed -----------------------------------------------------------------------------------

TEST_F(LaneTest, ARemoteSessionThatIsNotResumedEnds) {
  auto client = open(remote());
  leave(client);
  after(resume_ms / 10 * 9);
  EXPECT_TRUE(is_open());
  after(resume_ms + 1);
  EXPECT_FALSE(is_open());
  const RefusalHeard heard = refused(TestClient::answer_of(session_, wire::Purpose::resume));
  EXPECT_EQ(heard.code, Code::session_lost);
  EXPECT_THAT(heard.text, HasSubstr("was resumed in time"));
}

TEST_F(LaneTest, AfterAGoodbyeItEndsAtOnce) {
  auto client = open(remote());
  client->say(goodbye());
  EXPECT_TRUE(client->channel().ending());
  leave(client);
  EXPECT_FALSE(is_open());
}

/// Its process has ended.
TEST_F(LaneTest, ALocalSessionEndsWithItsLastConnection) {
  auto client = open(local());
  leave(client);
  EXPECT_FALSE(is_open());
}

TEST_F(LaneTest, ALaneThatIsNotResumedEndsThoughItsSessionGoesOn) {
  auto client = open(local());
  auto second = connect(local());
  wire::Welcome of_second = second->join(session_);
  const std::uint64_t queue = named(*second, "queue");
  EXPECT_THAT(ask(*second, get(queue, 1)), IsEmpty());
  leave(second);
  EXPECT_EQ(manager_->engine().waits().size(), 1u);
  after(resume_ms + 1);
  EXPECT_EQ(manager_->engine().waits().size(), 0u);
  EXPECT_TRUE(is_open());
  of_second.secret = session_.secret;
  const RefusalHeard heard = refused(TestClient::answer_of(of_second, wire::Purpose::resume));
  EXPECT_EQ(heard.code, Code::not_found);
  EXPECT_THAT(heard.text, HasSubstr("session_resume_ms"));
}

TEST_F(LaneTest, AManagerThatWasStoppedGivesItsClientsTime) {
  auto client = open(remote());
  leave(client);
  after(resume_ms * 3);  // none of its clients could connect meanwhile
  EXPECT_TRUE(is_open());
  client = resume(remote());
}

TEST_F(LaneTest, AnotherSecretIsRefused) {
  auto client = open(local());
  wire::Welcome guessed = session_;
  guessed.secret[0] ^= 1;
  EXPECT_EQ(refused(TestClient::answer_of(guessed, wire::Purpose::resume)).code, Code::authentication_error);
  EXPECT_EQ(refused(TestClient::answer_of(guessed, wire::Purpose::join)).code, Code::authentication_error);
}

// ---- restarts ---------------------------------------------------------------------------------------------

TEST_F(LaneTest, ASessionIsResumedAfterARestart) {
  auto client = open(local());
  const std::uint64_t list = named(*client, "list");
  client->say(append(list, 1, 5));
  restart();
  client = resume(local());
  EXPECT_EQ(ask_one(*client, append(list, 1, 5, wire::flag_again)).code, Code::ok);
  EXPECT_EQ(ask_one(*client, size_of_list(list, 2)).payload, "\x01");
}

TEST_F(LaneTest, LocksAndWaitsSurviveARestart) {
  auto owner = open(local());
  const std::uint64_t lock = named(*owner, "lock");
  const std::string acquire = call_frame(1, lock, ops::Lock::Acquire::description.number, "\x90");
  const Heard granted = ask_one(*owner, acquire);
  const wire::Welcome of_owner = session_;
  auto waiter = open(remote());
  EXPECT_THAT(ask(*waiter, acquire), IsEmpty());
  restart();
  waiter = resume(remote());
  EXPECT_THAT(
      ask(*waiter, call_frame(1, lock, ops::Lock::Acquire::description.number, "\x90", wire::flag_again)),
      IsEmpty());
  session_ = of_owner;
  owner = resume(local());
  // The same grant, with the same token.
  EXPECT_EQ(
      ask_one(*owner, call_frame(1, lock, ops::Lock::Acquire::description.number, "\x90", wire::flag_again))
          .payload,
      granted.payload);
  EXPECT_EQ(ask_one(*owner, call_frame(2, lock, ops::Lock::Release::description.number, "\x90")).code,
            Code::ok);
  manager_->commit();
  EXPECT_EQ(waiter->hear_one().code, Code::ok);
}

TEST_F(LaneTest, ASessionThatDoesNotComeBackEndsWhenTheGraceIsOver) {
  auto client = open(local());
  restart();
  EXPECT_TRUE(is_open());
  after(grace_ms / 10 * 9);
  EXPECT_TRUE(is_open());
  after(grace_ms + 1);
  EXPECT_FALSE(is_open());
  EXPECT_EQ(refused(TestClient::answer_of(session_, wire::Purpose::resume)).code, Code::session_lost);
}

/// One thread has come back and ended, before the others have.
TEST_F(LaneTest, AGoodbyeOfOneLaneDoesNotEndTheOthers) {
  auto client = open(local());
  auto second = connect(local());
  wire::Welcome of_second = second->join(session_);
  restart();
  client = resume(local());
  client->say(goodbye());
  leave(client);
  EXPECT_TRUE(is_open());
  of_second.secret = session_.secret;
  session_ = of_second;
  second = resume(local());
  second->say(goodbye());
  leave(second);
  EXPECT_FALSE(is_open());
}

TEST_F(LaneTest, ASessionWithoutLanesEndsWithTheStart) {
  auto client = connect(local());
  session_ = client->shake_hands();
  restart();
  EXPECT_FALSE(is_open());
}

TEST_F(LaneTest, WhatIsKeptIsRightAfterTwoRestarts) {
  auto client = open(local());
  const std::uint64_t list = named(*client, "list");
  client->say(append(list, 1, 5));
  restart();
  client = resume(local());
  client->say(append(list, 1, 5, wire::flag_again));  // its reply is lost again
  restart();
  client = resume(local());
  EXPECT_EQ(ask_one(*client, append(list, 1, 5, wire::flag_again)).code, Code::ok);
  EXPECT_EQ(ask_one(*client, size_of_list(list, 2)).payload, "\x01");
}

}  // namespace
}  // namespace tandem::server
