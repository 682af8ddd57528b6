// With a journal, nothing is sent that was computed from a state which is not safe yet.
#include "tests/server/journal/memory_log.hpp"
#include "tests/server/session/fixture.hpp"

namespace tandem::server {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class GateTest : public ::testing::Test {
 protected:
  GateTest() {
    writer_.shake_hands();
    reader_.shake_hands();
    queue_ = writer_.create("queue");
    dict_ = writer_.create("dict");
  }
  ~GateTest() override { log_.go_on(); }

  /// From now on nothing becomes safe.
  void stop_the_disk() { log_.stop_there(); }
  void let_the_disk_go_on() {
    log_.go_on();
    manager_.commit();
  }
  void set(TestClient& client, std::uint32_t request) {
    client.say(call_frame(request, dict_, ops::Dict::Set::description.number, "\x92\x01\x02"));
  }
  void get(TestClient& client, std::uint32_t request) {
    client.say(call_frame(request, dict_, ops::Dict::Find::description.number, "\x91\x01"));
  }
  void size(TestClient& client, std::uint32_t request) {
    client.say(call_frame(request, queue_, ops::Queue::Size::description.number, "\x90"));
  }

  test::MemoryLog log_;
  TestManager manager_{{.log = &log_}};
  TestClient writer_{manager_};
  TestClient reader_{manager_};
  std::uint64_t queue_ = 0;
  std::uint64_t dict_ = 0;
};

TEST_F(GateTest, AReadOfASafeStateIsAnsweredAtOnce) {
  size(reader_, 1);
  EXPECT_EQ(reader_.hear_one().request, 1u);
}

TEST_F(GateTest, TheReplyToAWriteWaitsUntilItIsSafe) {
  stop_the_disk();
  set(writer_, 1);
  EXPECT_THAT(writer_.hear(), IsEmpty());
  EXPECT_TRUE(writer_.channel().holds_unsent());
  const int wakes = writer_.link().wakes;
  let_the_disk_go_on();
  EXPECT_GT(writer_.link().wakes, wakes);
  EXPECT_EQ(writer_.hear_one().request, 1u);
}

/// MemoryDB, and PostgreSQL where it fails to, show why: what one client has seen must not be gone for the next.
TEST_F(GateTest, AReadThatSeesAnUnsafeWriteWaitsAsWell) {
  stop_the_disk();
  set(writer_, 1);
  EXPECT_THAT(writer_.hear(), IsEmpty());
  get(reader_, 2);
  EXPECT_THAT(reader_.hear(), IsEmpty());
  let_the_disk_go_on();
  EXPECT_EQ(reader_.hear_one().payload, "\x91\x02");
}

TEST_F(GateTest, AReadOfAnObjectThatHasNotChangedDoesNotWaitForOthers) {
  stop_the_disk();
  set(writer_, 1);
  EXPECT_THAT(writer_.hear(), IsEmpty());
  size(reader_, 2);
  EXPECT_EQ(reader_.hear_one().request, 2u);
  let_the_disk_go_on();
  EXPECT_EQ(writer_.hear_one().request, 1u);
}

/// The reply tells whether that object exists.
TEST_F(GateTest, AReadThatNamesAnotherObjectWaitsForAllChanges) {
  const std::uint64_t names = writer_.create("dict");
  stop_the_disk();
  set(writer_, 1);
  EXPECT_THAT(writer_.hear(), IsEmpty());
  reader_.say(call_frame(2, names, ops::Dict::Contains::description.number, "\x91\x01"));
  EXPECT_EQ(reader_.hear_one().request, 2u);
  reader_.say(call_frame(3, names, ops::Dict::Contains::description.number, packed([&](wire::Writer& out) {
                           out.array(1);
                           out.reference({ops::Queue::number, queue_});
                         })));
  EXPECT_THAT(reader_.hear(), IsEmpty());
  let_the_disk_go_on();
  EXPECT_EQ(reader_.hear_one().request, 3u);
}

/// While nothing becomes safe, nobody is woken again and again.
TEST_F(GateTest, WakesOnlyWhenSomethingHasBecomeSafe) {
  stop_the_disk();
  set(writer_, 1);
  EXPECT_THAT(writer_.hear(), IsEmpty());
  set(reader_, 2);
  EXPECT_THAT(reader_.hear(), IsEmpty());
  const int wakes = writer_.link().wakes;
  for (int round = 0; round < 10; ++round) manager_.service().commit_round();
  EXPECT_EQ(writer_.link().wakes, wakes);
  let_the_disk_go_on();
  EXPECT_GT(writer_.link().wakes, wakes);
  EXPECT_EQ(writer_.hear_one().request, 1u);
  EXPECT_EQ(reader_.hear_one().request, 2u);
}

/// A session that ends can change any object.
TEST_F(GateTest, AfterAChangeOfManyObjectsEveryReadWaits) {
  std::optional<TestClient> leaving(std::in_place, manager_);
  leaving->shake_hands();
  stop_the_disk();
  leaving->leave();
  leaving.reset();
  size(reader_, 2);
  EXPECT_THAT(reader_.hear(), IsEmpty());
  let_the_disk_go_on();
  EXPECT_EQ(reader_.hear_one().request, 2u);
}

TEST_F(GateTest, AReplyDoesNotOvertakeOneThatWaits) {
  stop_the_disk();
  set(writer_, 1);
  size(writer_, 2);
  EXPECT_THAT(writer_.hear(), IsEmpty());
  let_the_disk_go_on();
  const std::vector<Heard> heard = writer_.hear();
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].request, 1u);
  EXPECT_EQ(heard[1].request, 2u);
}

TEST_F(GateTest, ADeliveryWaitsForTheInputThatCausedIt) {
  reader_.say(call_frame(7, queue_, ops::Queue::Get::description.number, "\x90"));
  EXPECT_THAT(reader_.hear(), IsEmpty());
  manager_.commit();
  stop_the_disk();
  writer_.say(call_frame(1, queue_, ops::Queue::Put::description.number, "\x91\x05"));
  EXPECT_THAT(writer_.hear(), IsEmpty());
  EXPECT_THAT(reader_.hear(), IsEmpty());
  let_the_disk_go_on();
  EXPECT_EQ(reader_.hear_one().request, 7u);
  EXPECT_EQ(writer_.hear_one().request, 1u);
}

TEST_F(GateTest, ErrorsTellOfTheStateToo) {
  stop_the_disk();
  writer_.say(call_frame(1, ops::Manager::id, ops::Manager::Release::description.number,
                         packed([&](wire::Writer& out) {
                           out.array(2);
                           out.unsigned_integer(queue_);
                           out.integer(1);
                         })));
  size(reader_, 2);  // it is gone
  EXPECT_THAT(reader_.hear(), IsEmpty());
  let_the_disk_go_on();
  EXPECT_EQ(reader_.hear_one().code, Code::object_gone);
}

TEST_F(GateTest, AWelcomeWaitsUntilTheSessionIsSafe) {
  TestClient late(manager_);
  const std::string hello = late.hear_bytes();
  stop_the_disk();
  late.say(TestClient::answer(hello, manager_.authkey()));
  EXPECT_EQ(late.hear_bytes(), "");
  let_the_disk_go_on();
  EXPECT_EQ(late.hear_bytes().size(), wire::welcome_bytes);
}

TEST_F(GateTest, AFaultIsToldAfterWhatWaits) {
  stop_the_disk();
  set(writer_, 1);
  writer_.say(std::string(20, '\xff'));
  EXPECT_TRUE(writer_.channel().ending());
  EXPECT_THAT(writer_.hear(), IsEmpty());
  EXPECT_TRUE(writer_.channel().holds_unsent());
  let_the_disk_go_on();
  const std::vector<Heard> heard = writer_.hear();
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].request, 1u);
  EXPECT_EQ(heard[1].kind, wire::FrameKind::fault);
}

TEST_F(GateTest, AClientThatLeavesMeanwhileIsForgotten) {
  std::optional<TestClient> leaving(std::in_place, manager_);
  leaving->shake_hands();
  stop_the_disk();
  leaving->say(
      call_frame(2, ops::Manager::id, ops::Manager::Create::description.number, "\x93\xa4list\x90\x90"));
  EXPECT_THAT(leaving->hear(), IsEmpty());
  leaving->leave();
  leaving.reset();
  let_the_disk_go_on();
  get(reader_, 2);
  manager_.commit();
  EXPECT_EQ(reader_.hear_one().request, 2u);
}

TEST_F(GateTest, BytesThatWaitCountAsUnsent) {
  stop_the_disk();
  set(writer_, 1);
  EXPECT_THAT(writer_.hear(), IsEmpty());
  EXPECT_GT(manager_.service().messages_bytes(), 0u);
  let_the_disk_go_on();
  writer_.hear();
  EXPECT_EQ(manager_.service().messages_bytes(), 0u);
}

TEST_F(GateTest, WhileTheJournalIsBehindRequestsAreReadLater) {
  test::MemoryLog log;
  ManagerSetup setup;
  setup.limits.journal_pending_bytes_max = 4096;
  setup.log = &log;
  TestManager manager(setup);
  TestClient client(manager);
  client.shake_hands();
  const std::uint64_t dict = client.create("dict");
  log.stop_there();
  std::uint32_t request = 0;
  while (client.channel().wants_input() && request < 10'000) {
    client.say(call_frame(++request, dict, ops::Dict::Set::description.number, "\x92\x01\x02"));
    client.hear();
  }
  EXPECT_LT(request, 1'000u);
  EXPECT_FALSE(client.channel().wants_turn());
  const int wakes = client.link().wakes;
  log.go_on();
  manager.commit();
  EXPECT_GT(client.link().wakes, wakes);
  EXPECT_TRUE(client.channel().wants_input() || client.channel().wants_turn());
  EXPECT_FALSE(client.hear().empty());
}

}  // namespace
}  // namespace tandem::server
