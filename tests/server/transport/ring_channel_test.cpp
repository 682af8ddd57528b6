// Channels through shared memory: how they begin, who stays on the socket, what a hostile client can do, and that nobody
// sleeps through anything.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "client/os/spin.hpp"
#include "client/transport/handshake.hpp"
#include "client/transport/ring_stream.hpp"
#include "tandem/server.hpp"
#include "tandem/tandem.hpp"
#include "tests/server/session/fixture.hpp"
#include "tests/support/child.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"
#include "tests/support/sanitized.hpp"

namespace tandem {
namespace {

using namespace std::chrono_literals;
using test::error_of;
using ::testing::HasSubstr;

class RingChannelTest : public ::testing::Test {
 protected:
  ServerOptions options() {
    ServerOptions made;
    made.listen = {"unix:" + folder_.path("socket")};
    made.log = [this](LogLevel, std::string_view line) {
      std::lock_guard lock(mutex_);
      log_ += std::string(line) + "\n";
    };
    return made;
  }
  void start(ServerOptions options) {
    server_.emplace(std::move(options));
    server_->start();
  }
  Manager attach(const Options& options = {}) { return Manager(server_->addresses().front(), options); }
  nlohmann::json debug(const std::string& target) {
    const httplib::Result result = httplib::Client(server_->debug_address()).Get(target);
    EXPECT_TRUE(result) << httplib::to_string(result.error());
    return result ? nlohmann::json::parse(result->body) : nlohmann::json();
  }
  std::string log() {
    std::lock_guard lock(mutex_);
    return log_;
  }
  void wait_for_log(std::string_view text) {
    test::eventually([&] { return log().find(text) != std::string::npos; },
                     "\"" + std::string(text) + "\" in the log");
  }

  test::TemporaryFolder folder_;
  std::mutex mutex_;
  std::string log_;
  std::optional<Server> server_;
};

/// A client that does what it likes with the memory it gets.
class Hostile {
 public:
  explicit Hostile(const std::string& address)
      : socket_(client::connect_socket(Address::parse(address), os::Deadline(0ms))) {
    welcome_ = client::shake_hands(*socket_, "", {}, {address, true}, os::Deadline(0ms)).welcome;
    std::uint8_t byte = 0;
    int descriptor = -1;
    test::eventually([&] { return os::receive_descriptor(socket_->descriptor(), byte, descriptor); },
                     "the descriptor of the shared memory");
    std::string error;
    memory_ = os::SharedMemory::map(descriptor, wire::ring_file_bytes(welcome_.ring_bytes), error);
    EXPECT_TRUE(memory_) << error;
  }

  wire::RingDirections& directions() { return *reinterpret_cast<wire::RingDirections*>(memory_->data()); }
  std::span<std::uint8_t> bytes_to_server() {
    return {memory_->data() + wire::ring_header_bytes, static_cast<std::size_t>(welcome_.ring_bytes)};
  }
  void ring_bell() { socket_->send(wire::as_bytes("x"), 0ms); }
  /// Says them as a client does that never looks back.
  void say(std::string_view bytes) {
    std::copy(bytes.begin(), bytes.end(), bytes_to_server().begin() + static_cast<std::ptrdiff_t>(said_));
    said_ += bytes.size();
    directions().to_server.written.store(said_);
    ring_bell();
  }
  void wait_until_closed() {
    std::uint8_t bytes[64];
    try {
      while (true) socket_->receive(bytes, sizeof bytes, 0ms);
    } catch (const client::StreamClosed&) {
    }
  }

 private:
  std::unique_ptr<client::SocketStream> socket_;
  wire::Welcome welcome_;
  std::optional<os::SharedMemory> memory_;
  std::size_t said_ = 0;
};

// ---- how a channel begins ---------------------------------------------------------------------------------------------

TEST_F(RingChannelTest, SessionsTellByWhatPathsTheyGo) {
  ServerOptions wanted = options();
  wanted.debug = "127.0.0.1:0";
  start(wanted);
  Manager by_ring = attach();
  Manager by_socket = attach({.ring = false});
  by_ring.ping();
  by_socket.ping();
  const nlohmann::json sessions = debug("/sessions").at("sessions");
  ASSERT_EQ(sessions.size(), 2u);
  EXPECT_EQ(sessions[0].at("paths"), (nlohmann::json{{"ring", 1}}));
  EXPECT_EQ(sessions[1].at("paths"), (nlohmann::json{{"unix", 1}}));
}

TEST_F(RingChannelTest, AManagerCanKeepItsClientsOnTheSocket) {
  ServerOptions wanted = options();
  wanted.ring = false;
  wanted.debug = "127.0.0.1:0";
  start(wanted);
  Manager manager = attach();
  manager.dict<int, int>("d")[1] = 2;
  const nlohmann::json sessions = debug("/sessions").at("sessions");
  EXPECT_EQ(sessions[0].at("paths"), (nlohmann::json{{"unix", 1}}));
}

// The descriptor of the memory cannot be received: the client takes another socket, and stays on that.
TEST_F(RingChannelTest, AClientWithoutDescriptorsToSpareStaysOnTheSocket) {
  ServerOptions wanted = options();
  wanted.debug = "127.0.0.1:0";
  start(wanted);
  test::Signal attached, looked;
  test::Child child([&] {
    const int socket = ::dup(0);  // the lowest number that is free: what the next socket will get
    ::close(socket);
    const rlimit limit{static_cast<rlim_t>(socket) + 1, static_cast<rlim_t>(socket) + 1};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    Manager manager = attach();
    manager.dict<int, int>("d")[1] = 2;
    EXPECT_EQ((manager.dict<int, int>("d").at(1)), 2);
    attached.send();
    looked.wait();
  });
  attached.wait();
  EXPECT_EQ(debug("/sessions").at("sessions").at(0).at("paths"), (nlohmann::json{{"unix", 1}}));
  looked.send();
  EXPECT_EQ(child.join(), 0);
}

TEST_F(RingChannelTest, AClientThatDoesNotWaitForItsMemoryIsToldSo) {
  start(options());
  auto socket = client::connect_socket(Address::parse(server_->addresses().front()), os::Deadline(0ms));
  std::string hello(wire::hello_bytes, '\0');
  for (std::size_t have = 0; have < hello.size();)
    have += socket->receive(reinterpret_cast<std::uint8_t*>(hello.data()) + have, hello.size() - have, 0ms);
  wire::Answer wishful;
  wishful.wishes = wire::wish_ring;
  socket->send(wire::as_bytes(server::TestClient::answer(hello, "", wishful) + server::ping(1)), 0ms);
  wait_for_log("did not wait for it");
}

// ---- through the ring -------------------------------------------------------------------------------------------------

TEST_F(RingChannelTest, ValuesFarLargerThanTheRingFlowThroughIt) {
  ServerOptions wanted = options();
  wanted.limits.ring_bytes = 4096;
  start(wanted);
  Manager manager = attach();
  auto dict = manager.dict<int, std::string>();
  std::mt19937_64 random(3);
  for (std::size_t bytes : {4095u, 4096u, 100'000u, 5'000'000u}) {
    std::string value(bytes, '\0');
    for (char& c : value) c = static_cast<char>('a' + random() % 26);
    dict.insert_or_assign(1, value);
    EXPECT_EQ(dict.at(1), value);
  }
}

TEST_F(RingChannelTest, AKilledManagerIsNoticedAsleepAndAwake) {
  test::Program tandemd({test::beside_the_test("tandemd"), "--listen", "unix:" + folder_.path("other")});
  EXPECT_THAT(tandemd.read_line(), HasSubstr("ready"));
  Manager manager("unix:" + folder_.path("other"));
  auto queue = manager.queue<int>("q");
  std::thread sleeper([&] { EXPECT_THROW(queue.get(), ConnectionError); });
  test::eventually([&] { return manager.information().at("waiters") == 1; }, "the other thread to wait");
  tandemd.signal(SIGKILL);
  sleeper.join();
  EXPECT_THROW(for (;;) manager.ping(), ConnectionError);
}

TEST_F(RingChannelTest, AStoppedManagerSaysSo) {
  start(options());
  Manager manager = attach();
  auto queue = manager.queue<int>("q");
  std::string told;
  std::thread sleeper([&] { told = error_of<ConnectionError>([&] { queue.get(); }); });
  test::eventually([&] { return manager.information().at("waiters") == 1; }, "the other thread to wait");
  server_->stop();
  sleeper.join();
  EXPECT_THAT(told, HasSubstr("the manager is stopping"));
}

TEST_F(RingChannelTest, AClientKilledInTheMiddleOfAFrameLeavesNothing) {
  start(options());
  test::Signal half_said;
  test::Child child([&] {
    Hostile client(server_->addresses().front());
    client.say(server::ping(1).substr(0, 7));
    half_said.send();
    ::pause();
  });
  half_said.wait();
  child.kill();
  Manager manager = attach();
  test::eventually([&] { return manager.information().at("sessions") == 1; },
                   "the killed client's session to end");
}

TEST_F(RingChannelTest, AThousandChannels) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  start(options());
  std::vector<Manager> managers;
  for (int i = 0; i < 1000; ++i) managers.push_back(attach());
  auto counter = managers.front().value<std::int64_t>("counter", 0);
  for (Manager& manager : managers) manager.value<std::int64_t>("counter", 0) += 1;
  EXPECT_EQ(counter.load(), 1000);
  managers.erase(managers.begin() + 1, managers.end());
  test::eventually([&] { return managers.front().information().at("sessions") == 1; },
                   "all other sessions to end");
}

// ---- hostile clients ----------------------------------------------------------------------------------------------------

TEST_F(RingChannelTest, CountsThatCannotBeEndTheChannelThatHasThem) {
  start(options());
  Manager other = attach();
  for (std::uint64_t lie : {std::uint64_t{1} << 63, std::uint64_t{1} << 40, std::uint64_t{1} << 20}) {
    Hostile writer(server_->addresses().front());
    writer.directions().to_server.written.store(lie);
    writer.ring_bell();
    writer.wait_until_closed();
    Hostile reader(server_->addresses().front());
    reader.directions().to_client.taken.store(lie);
    reader.say(server::ping(1));
    reader.wait_until_closed();
    other.ping();
  }
  wait_for_log("the counts in its shared memory cannot be");
}

TEST_F(RingChannelTest, RubbishInTheRingIsNoFrame) {
  start(options());
  Hostile client(server_->addresses().front());
  client.say(std::string(64, '\xff'));
  client.wait_until_closed();
  wait_for_log("channel closed");
  attach().ping();
}

TEST_F(RingChannelTest, ItsSizeCannotBeChanged) {
  start(options());
  auto socket = client::connect_socket(Address::parse(server_->addresses().front()), os::Deadline(0ms));
  client::shake_hands(*socket, "", {}, {"", true}, os::Deadline(0ms));
  std::uint8_t byte = 0;
  int descriptor = -1;
  test::eventually([&] { return os::receive_descriptor(socket->descriptor(), byte, descriptor); },
                   "the descriptor of the shared memory");
  EXPECT_EQ(byte, wire::ring_passed);
  EXPECT_NE(::ftruncate(descriptor, 0), 0);
  EXPECT_NE(::ftruncate(descriptor, 1 << 30), 0);
  ::close(descriptor);
}

TEST_F(RingChannelTest, AClientTakesOnlyMemoryThatIsSealedAndOfTheSizeItWasTold) {
  std::string error;
  const int loose = ::memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_EQ(::ftruncate(loose, 8192), 0);
  EXPECT_FALSE(os::SharedMemory::map(::dup(loose), 4096, error));
  EXPECT_THAT(error, HasSubstr("size"));
  EXPECT_FALSE(os::SharedMemory::map(::dup(loose), 8192, error));
  EXPECT_THAT(error, HasSubstr("sealed"));
  ::close(loose);
}

// ---- sleeping and waking ------------------------------------------------------------------------------------------------

constexpr int wake_ups = test::sanitized ? 20'000 : 500'000;

// Each side goes to sleep at once or after a busy wait of random length, and the other side's step comes after a random
// delay of about as long: so the last look before a sleep and the change it looks for meet in every order. A wake-up that
// is lost would hang this test.
TEST_F(RingChannelTest, NoWakeUpIsLost) {
  const auto hunt = [&](std::chrono::microseconds servers, std::chrono::microseconds clients, unsigned seed) {
    ServerOptions wanted = options();
    wanted.listen = {"unix:" + folder_.path("socket-" + std::to_string(seed))};
    wanted.busy_poll = servers;
    wanted.limits.ring_bytes = 4096;
    Server server(wanted);
    server.start();
    Manager manager(server.addresses().front(), {.busy_poll = clients});
    auto dict = manager.dict<int, std::string>();
    std::mt19937 random(seed);
    const std::string large(9000, 'l');  // waits for room, too
    for (int i = 0; i < wake_ups; ++i) {
      if (i % 64 == 0) dict.insert_or_assign(1, large);
      else if (i % 64 == 1) ASSERT_EQ(dict.at(1).size(), large.size());
      else manager.ping();
      for (unsigned delay = random() % 1024; delay != 0; --delay) os::relax();
    }
  };
  std::thread first([&] { hunt(0us, 0us, 1); });
  std::thread second([&] { hunt(2us, 1us, 2); });
  first.join();
  second.join();
}

/// Processor time that a process has used.
std::chrono::nanoseconds processor_time(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  EXPECT_EQ(::clock_getcpuclockid(pid, &clock), 0);
  EXPECT_EQ(::clock_gettime(clock, &used), 0);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

TEST_F(RingChannelTest, TheIdleUseNoProcessor) {
  test::Program tandemd({test::beside_the_test("tandemd"), "--listen", "unix:" + folder_.path("other")});
  EXPECT_THAT(tandemd.read_line(), HasSubstr("ready"));
  std::vector<Manager> idle;
  for (int i = 0; i < 20; ++i) idle.emplace_back("unix:" + folder_.path("other"));
  for (Manager& each : idle) each.ping();
  auto queue = idle.front().queue<int>("never");
  // Once all have stopped polling, a wait costs what it takes to park it and to end it: a small part of its time, however
  // slow the machine. One that polled would always use all of it.
  test::eventually(
      [&] {
        const auto servers = processor_time(tandemd.pid());
        const auto ours = processor_time(::getpid());
        EXPECT_FALSE(queue.get_for(500ms));
        return processor_time(tandemd.pid()) - servers < 50ms && processor_time(::getpid()) - ours < 50ms;
      },
      "a wait that uses no processor");
}

}  // namespace
}  // namespace tandem
