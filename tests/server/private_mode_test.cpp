// tandemd as a client's private manager: the socket pair between them, and what happens when either goes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <thread>

#include "client/transport/connector.hpp"
#include "server/private_mode.hpp"
#include "tandem/hosted.hpp"
#include "tandem/proxy/proxy_of.hpp"
#include "tandem/tandem.hpp"
#include "tests/support/child.hpp"
#include "tests/support/program.hpp"
#include "tests/support/raw_client.hpp"

namespace tandem {
namespace {

using test::Child;
using test::Program;
using test::RawClient;
using test::Watched;
using testing::HasSubstr;
using testing::StartsWith;

const std::string key(32, 'k');

/// The two ends; the program gets its end as descriptor 3.
class Pair {
 public:
  Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()), 0); }
  ~Pair() { close(); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  Program start(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {test::beside_the_test("tandemd"), "--private-fd", "3"});
    return Program(more, {}, "", [this] {
      ::prctl(PR_SET_PDEATHSIG, 0);  // it has to notice by itself
      ::dup2(ends_[1], 3);
    });
  }
  void say(std::string_view text) {
    EXPECT_EQ(::send(ends_[0], text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  std::string hear_line() {
    drop_theirs();
    std::string line;
    char byte = 0;
    while (::recv(ends_[0], &byte, 1, 0) == 1 && byte != '\n') line += byte;
    return line;
  }
  int theirs() const { return ends_[1]; }
  void drop_theirs() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }
  void close() {
    drop_theirs();
    if (ends_[0] >= 0) ::close(std::exchange(ends_[0], -1));
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

std::string ready_address(Pair& pair) {
  pair.say(key);
  std::string line = pair.hear_line();
  EXPECT_THAT(line, StartsWith("ready unix:@"));
  return line.substr(line.find(' ') + 1);
}

TEST(PrivateMode, ListensWithTheKeyItWasGivenAndIsQuiet) {
  Pair pair;
  Program program = pair.start();
  std::string address = ready_address(pair);
  Manager(address, {.authkey = key}).ping();
  EXPECT_THROW(Manager(address, {.authkey = "another"}), AuthenticationError);
  EXPECT_THROW(Manager{address}, AuthenticationError);
  pair.say("stop\n");
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(program.out, "");
}

TEST(PrivateMode, TheKeyMayComeInPieces) {
  Pair pair;
  Program program = pair.start();
  for (std::size_t i = 0; i < 31; ++i) pair.say(key.substr(i, 1));
  pair.say(key.substr(31) + "st");
  std::string address = pair.hear_line().substr(6);
  Manager(address, {.authkey = key}).ping();
  pair.say("op\n");
  EXPECT_EQ(program.wait(), 0);
}

TEST(PrivateMode, TwoHaveDifferentAddresses) {
  Pair one, other;
  Program first = one.start();
  Program second = other.start();
  EXPECT_NE(ready_address(one), ready_address(other));
}

TEST(PrivateMode, StopsAtOnceWhenToldThoughOthersAreConnected) {
  Pair pair;
  Program program = pair.start();
  RawClient client(ready_address(pair));
  client.shake_hands(key);
  pair.say("stop\n");
  EXPECT_EQ(client.hear().code, Code::shutting_down);
  EXPECT_EQ(program.wait(), 0);
}

TEST(PrivateMode, EndsWhenItsClientClosesThePair) {
  Pair pair;
  Program program = pair.start();
  ready_address(pair);
  pair.close();
  EXPECT_EQ(program.wait(), 0);
}

TEST(PrivateMode, EndsWhenItsClientGoesBeforeTheKeyIsSaid) {
  Pair pair;
  Program program = pair.start();
  pair.say("half a key");
  pair.close();
  EXPECT_EQ(program.wait(), 0);
}

TEST(PrivateMode, ServesOthersForAMomentAfterItsClientHasGone) {
  Pair pair;
  Program program = pair.start();
  RawClient worker(ready_address(pair));
  worker.shake_hands(key);
  pair.close();
  worker.say(server::ping(1));
  EXPECT_EQ(worker.hear().request, 1u);
  EXPECT_EQ(worker.hear().code, Code::shutting_down) << "and says goodbye when the moment is over";
  EXPECT_EQ(program.wait(), 0);
}

TEST(PrivateMode, IgnoresTheSignalsOfATerminal) {
  Pair pair;
  Program program = pair.start();
  std::string address = ready_address(pair);
  program.signal(SIGINT);
  program.signal(SIGHUP);
  Manager(address, {.authkey = key}).ping();
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
}

TEST(PrivateMode, EndsWhenItsClientIsKilledThoughAnotherHoldsThePair) {
  test::Signal pid_pipe;
  Pair pair;  // this process keeps both ends open, as a forked worker would
  Child creator([&] {
    Pair own;
    Program program = own.start();
    ready_address(own);
    pid_pipe.send_number(program.pid());
    ::pause();
  });
  Watched manager(pid_pipe.wait_for_number());
  creator.kill();
  manager.wait_until_gone();
}

struct StuckOps {
  static constexpr std::string_view type = "stuck";
  static constexpr std::uint8_t number = 128;
  using Create = ops::Op<0, "create()", ops::Effect::writes, void()>;
  using Stop = ops::Op<1, "stop()", ops::Effect::writes, void()>;
  using All = ops::OpList<Create, Stop>;
};
struct StuckProxy : ProxyOf<StuckOps> {
  using ProxyOf::ProxyOf;
  void stop() const { call<StuckOps::Stop>(); }
};
test::Signal* has_stopped = nullptr;
/// Its operation never ends, and with it the manager's event loop.
class Stuck {
 public:
  using Ops = StuckOps;
  void on(Ops::Create) {}
  void on(Ops::Stop) {
    has_stopped->send();
    for (;;) ::pause();
  }
};

TEST(PrivateMode, EndsThoughItsEventLoopIsStuck) {
  test::Signal stopped;
  has_stopped = &stopped;
  Pair pair;
  Child program([&] {
    ServerOptions options;
    options.types = {hosted<Stuck>()};
    server::run_private(std::move(options), pair.theirs());
  });
  Manager client(ready_address(pair), {.authkey = key});
  auto stuck = client.create<StuckProxy>();
  std::jthread caller([&] { EXPECT_THROW(stuck.stop(), ConnectionError); });
  stopped.wait();
  pair.say("stop\n");
  EXPECT_EQ(program.join(), -SIGALRM) << "its creator waits for it";
}

TEST(PrivateMode, RefusesAPairThatIsNotItsParents) {
  Pair pair;  // made by this process, which is the program's grandparent
  Child parent([&] {
    Program program = pair.start();
    EXPECT_EQ(program.wait(), 1);
    EXPECT_THAT(program.errors, HasSubstr("not our parent"));
  });
}

TEST(PrivateMode, RefusesADescriptorThatIsNoSocket) {
  Program program({test::beside_the_test("tandemd"), "--private-fd", "77"});
  EXPECT_EQ(program.wait(), 1);
  EXPECT_THAT(program.errors, HasSubstr("descriptor 77"));
}

TEST(PrivateMode, TellsItsClientWhyItCannotRun) {
  Pair pair;
  Program program = pair.start({"--debug", "nonsense"});
  pair.say(key);
  EXPECT_THAT(pair.hear_line(), testing::AllOf(StartsWith("error "), HasSubstr("nonsense")));
  EXPECT_EQ(program.wait(), 1);
}

}  // namespace
}  // namespace tandem
