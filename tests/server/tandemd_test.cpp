// tandemd as people start it: flags, the config file, the ready line, signals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <sstream>

#include "tandem/tandem.hpp"
#include "tests/support/attachable.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"
#include "tests/support/raw_client.hpp"

namespace tandem {
namespace {

using test::Program;
using test::RawClient;
using testing::AnyOf;
using testing::Eq;
using testing::HasSubstr;
using testing::StartsWith;

class Tandemd : public testing::Test {
 protected:
  static Program start(
      std::vector<std::string> arguments, const test::Environment& environment = {},
      const std::function<void()>& prepare = [] {}) {
    arguments.insert(arguments.begin(), test::beside_the_test("tandemd"));
    return Program(arguments, environment, "", prepare);
  }
  /// The addresses of the ready line.
  static std::vector<std::string> ready(Program& program) {
    std::string line = program.read_line();
    EXPECT_THAT(line, StartsWith("tandemd 0."));
    if (line.empty()) return {};
    std::istringstream words(line.substr(line.find("ready:") + 6));
    return {std::istream_iterator<std::string>(words), {}};
  }
  /// What a program that should not start says, and that it fails.
  std::string refusal(std::vector<std::string> arguments) {
    Program program = start(std::move(arguments));
    EXPECT_GT(program.wait(), 0);
    EXPECT_EQ(program.out, "");
    return program.errors;
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_.path("socket");
  std::string address_ = "unix:" + path_;
};

TEST_F(Tandemd, PrintsOneLineWithItsRealAddressesWhenItIsReady) {
  std::string key = folder_.write("key", "secret\n");
  Program program = start({"--listen", address_, "--listen", "tcp://127.0.0.1:0", "--authkey-file", key,
                           "--debug", "127.0.0.1:0", "--log-level", "off"});
  std::vector<std::string> words = ready(program);
  ASSERT_EQ(words.size(), 4u);
  EXPECT_EQ(words[0], address_);
  EXPECT_THAT(words[1], StartsWith("tcp://127.0.0.1:"));
  EXPECT_EQ(words[2], "debug");
  EXPECT_THAT(words[3], StartsWith("http://127.0.0.1:"));
  Manager(words[0], {.authkey = "secret"}).ping();
  Manager(words[1], {.authkey_file = key}).ping();
  RawClient http("tcp://" + words[3].substr(7));
  http.say("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(http.hear_to_the_end(), HasSubstr("200 OK"));
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(program.out, "") << "one line only";
  EXPECT_EQ(program.errors, "");
}

TEST_F(Tandemd, HelpNamesEveryFlagAndEveryLimit) {
  Program program = start({"--help"});
  EXPECT_EQ(program.wait(), 0);
  for (const char* flag :
       {"--listen", "--authkey-file", "--insecure-tcp", "--debug", "--debug-token-file", "--log-level",
        "--config", "--version", "--busy-poll-us", "--no-ring", "--on-deadlock"})
    EXPECT_THAT(program.out, HasSubstr(flag));
  for (const LimitDescription& limit : limit_descriptions) {
    std::string flag = "--" + std::string(limit.name);
    std::replace(flag.begin(), flag.end(), '_', '-');
    EXPECT_THAT(program.out, HasSubstr(flag));
  }
}

TEST_F(Tandemd, TellsItsVersion) {
  Program program = start({"--version"});
  EXPECT_EQ(program.wait(), 0);
  EXPECT_THAT(program.out, StartsWith("tandemd 0."));
}

TEST_F(Tandemd, TakesLimitsWithSuffixes) {
  Program program = start({"--listen", address_, "--frame-bytes-max", "64K", "--message-bytes-max", "2M",
                           "--value-depth-max", "7", "--log-level", "off"});
  ready(program);
  wire::Welcome welcome = RawClient(address_).shake_hands();
  EXPECT_EQ(welcome.frame_bytes_max, 65'536u);
  EXPECT_EQ(welcome.message_bytes_max, 2u * 1024 * 1024);
  EXPECT_EQ(welcome.value_depth_max, 7u);
}

TEST_F(Tandemd, TakesFlagsFromAConfigFileAndTheCommandLineWins) {
  std::string config =
      folder_.write("config", "listen = \"" + address_ +
                                  "\"\nframe-bytes-max = \"64K\"\nvalue-depth-max = 7\nlog-level = off\n");
  Program program = start({"--config", config, "--value-depth-max", "9"});
  EXPECT_THAT(ready(program), testing::ElementsAre(address_));
  wire::Welcome welcome = RawClient(address_).shake_hands();
  EXPECT_EQ(welcome.frame_bytes_max, 65'536u);
  EXPECT_EQ(welcome.value_depth_max, 9u);
}

TEST_F(Tandemd, SaysWhatIsWrongWithAFlag) {
  EXPECT_THAT(refusal({"--frame-bytes-max", "10"}), HasSubstr("--frame-bytes-max"));
  EXPECT_THAT(refusal({"--frame-bytes-max", "much"}), HasSubstr("--frame-bytes-max"));
  EXPECT_THAT(refusal({"--log-level", "loud"}), HasSubstr("--log-level"));
  EXPECT_THAT(refusal({"--on-deadlock", "hope"}), HasSubstr("--on-deadlock"));
  EXPECT_THAT(refusal({"--no-such-flag"}), HasSubstr("--no-such-flag"));
  EXPECT_THAT(refusal({"--config", folder_.path("nothing")}), HasSubstr("nothing"));
  EXPECT_THAT(refusal({"--listen", "nonsense"}), HasSubstr("unix:/path"));
  EXPECT_THAT(refusal({"--listen", "unix:" + std::string(200, 'x')}), HasSubstr("107"));
}

TEST_F(Tandemd, SaysWhatIsWrongWithAnAuthkeyFile) {
  EXPECT_THAT(refusal({"--listen", address_, "--authkey-file", folder_.path("nothing")}),
              HasSubstr(folder_.path("nothing")));
  std::string empty = folder_.write("empty", "\n");
  EXPECT_THAT(refusal({"--listen", address_, "--authkey-file", empty}), HasSubstr("no key"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(Tandemd, RefusesTcpThatIsNotSafe) {
  EXPECT_THAT(refusal({"--listen", "tcp://127.0.0.1:0"}), HasSubstr("authkey"));
  std::string key = folder_.write("key", "secret");
  EXPECT_THAT(refusal({"--listen", "tcp://0.0.0.0:0", "--authkey-file", key}), HasSubstr("--insecure-tcp"));
  Program program =
      start({"--listen", "tcp://0.0.0.0:0", "--authkey-file", key, "--insecure-tcp", "--log-level", "off"});
  EXPECT_THAT(ready(program)[0], StartsWith("tcp://0.0.0.0:"));
}

TEST_F(Tandemd, ListensInTheRuntimeFolderUnlessToldOtherwise) {
  test::TemporaryFolder runtime;
  Program program = start({"--log-level", "off"}, {{"XDG_RUNTIME_DIR", runtime.path("")}});
  std::vector<std::string> words = ready(program);
  ASSERT_EQ(words.size(), 1u);
  EXPECT_THAT(words[0], testing::EndsWith("/tandem.sock"));
  Manager(words[0]).ping();
  EXPECT_TRUE(std::filesystem::exists(runtime.path("tandem.sock")));
}

TEST_F(Tandemd, TakesOverTheSocketOfOneThatWasKilledButNotOfOneThatLives) {
  Program first = start({"--listen", address_, "--log-level", "off"});
  ready(first);
  EXPECT_THAT(refusal({"--listen", address_}), HasSubstr("another process listens there"));
  first.signal(SIGKILL);
  EXPECT_EQ(first.wait(), -SIGKILL);
  EXPECT_TRUE(std::filesystem::exists(path_));
  Program second = start({"--listen", address_, "--log-level", "off"});
  ready(second);
  Manager(address_).ping();
}

TEST_F(Tandemd, EndsWithStatusZeroAfterSigtermOrSigint) {
  for (int signal : {SIGTERM, SIGINT}) {
    Program program = start({"--listen", address_});
    ready(program);
    RawClient client(address_);
    client.shake_hands();
    client.say(server::ping(1) + server::ping(2));
    program.signal(signal);
    EXPECT_EQ(client.hear().request, 1u);
    EXPECT_EQ(client.hear().request, 2u);
    EXPECT_EQ(client.hear().code, Code::shutting_down);
    EXPECT_EQ(program.wait(), 0);
    EXPECT_FALSE(std::filesystem::exists(path_));
    EXPECT_THAT(program.errors, HasSubstr("stopped"));
  }
}

TEST_F(Tandemd, ASecondSignalEndsItAtOnce) {
  Program program = start({"--listen", address_, "--log-level", "off"});
  ready(program);
  auto dict = Manager(address_).dict<std::string, std::string>("big");
  dict["k"] = std::string(900'000, 'v');
  RawClient lazy(address_);  // so that stopping takes its time
  lazy.shake_hands();
  for (std::uint32_t request = 0; request < 4; ++request)
    lazy.say(server::request_frame({0, ops::Dict::Snapshot::description.number, request, 1, 2}, "\x90"));
  dict.size();
  program.signal(SIGTERM);
  test::eventually([&] { return !std::filesystem::exists(path_); }, "tandemd to begin to stop");
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), -SIGTERM);
}

void allow_few_descriptors() {
  rlimit few{32, 32};
  ::setrlimit(RLIMIT_NOFILE, &few);
}

TEST_F(Tandemd, OutOfDescriptorsItRefusesFurtherClientsAtOnce) {
  Program program = start({"--listen", address_, "--log-level", "error"}, {}, allow_few_descriptors);
  ready(program);
  Manager manager(address_);
  std::vector<std::unique_ptr<Manager>> many;
  const std::string refused = test::error_of<ResourceExhausted>([&] {
    for (int i = 0; i < 40; ++i) many.push_back(std::make_unique<Manager>(address_));
  });
  EXPECT_THAT(refused, HasSubstr("no descriptors left"));
  EXPECT_GT(many.size(), 5u);
  for (int i = 0; i < 100; ++i) manager.ping();
  many.clear();
  test::eventually([&] { return test::is_attachable(address_); }, "room for another client");
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  const std::string& errors = program.errors;
  EXPECT_THAT(errors, HasSubstr("no more clients can be taken"));
  EXPECT_LT(std::count(errors.begin(), errors.end(), '\n'), 20) << errors;
}

TEST_F(Tandemd, OutOfDescriptorsItsJournalGoesOn) {
  const std::vector<std::string> arguments{
      "--listen",          address_,  "--journal",         folder_.path("journal"),
      "--journal-level",   "process", "--log-level",       "off",
      "--recovery-ms-max", "100",     "--journal-sync-ms", "1"};
  const std::string value(1 << 20, 'x');
  {
    Program program = start(arguments, {}, allow_few_descriptors);
    ready(program);
    Manager manager(address_, {.reconnect = std::chrono::milliseconds{0}});
    auto list = manager.list<std::string>("list");
    std::vector<std::unique_ptr<Manager>> many;
    EXPECT_THAT(test::error_of<ResourceExhausted>([&] {
                  for (int i = 0; i < 40; ++i) many.push_back(std::make_unique<Manager>(address_));
                }),
                HasSubstr("no descriptors left"));
    // Long enough for syncs, looks at the disk, further files of the log and snapshots, which all want descriptors.
    for (int i = 0; i < 80; ++i) list.push_back(value);
    many.clear();
    for (int i = 0; i < 40; ++i) list.push_back(value);
    program.signal(SIGKILL);
    program.wait();
  }
  Program program = start(arguments);
  ready(program);
  EXPECT_EQ(Manager(address_).list<std::string>("list").size(), 120u);
}

TEST_F(Tandemd, ConnectionsThatProveNothingKeepNobodyOut) {
  Program program = start({"--listen", address_, "--handshake-ms-max", "600000"}, {}, allow_few_descriptors);
  ready(program);
  std::vector<std::unique_ptr<RawClient>> strangers;
  for (int i = 0; i < 60; ++i) strangers.push_back(std::make_unique<RawClient>(address_));
  Manager first(address_);
  for (int i = 0; i < 60; ++i) strangers.push_back(std::make_unique<RawClient>(address_));
  Manager second(address_);
  first.ping();
  second.ping();
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_THAT(program.errors, HasSubstr("descriptors are used up"));
}

TEST_F(Tandemd, RaisesItsDescriptorLimit) {
  Program program = start({"--listen", address_}, {}, [] {
    rlimit limits{64, 256};
    ::setrlimit(RLIMIT_NOFILE, &limits);
  });
  ready(program);
  std::vector<std::unique_ptr<Manager>> many;
  for (int i = 0; i < 100; ++i) many.push_back(std::make_unique<Manager>(address_));
  for (auto& manager : many) manager->ping();
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(Tandemd, LogsOneLineForEachEvent) {
  Program program = start({"--listen", address_, "--log-level", "info"});
  ready(program);
  {
    RawClient client(address_);
    client.shake_hands();
    client.say(server::part_frame(1, "x", false));
    client.hear_to_the_end();
  }
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  std::istringstream lines(program.errors);
  std::vector<std::string> wanted{"listening on", "session 1 opened", "protocol_error",
                                  "session 1 of process", "stopped"};
  std::string line;
  for (const std::string& part : wanted) {
    ASSERT_TRUE(std::getline(lines, line));
    EXPECT_THAT(line, HasSubstr(part));
  }
  EXPECT_FALSE(std::getline(lines, line)) << line;
}

// ---- a supervisor -----------------------------------------------------------------------------------------

/// What systemd would hear (sd_notify(3)).
class NotifySocket {
 public:
  explicit NotifySocket(std::string path) : path_(std::move(path)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~NotifySocket() { close(socket_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  const std::string& path() const { return path_; }
  /// Waits for the next message.
  std::string hear() const {
    std::array<char, 4096> text{};
    const ssize_t size = recv(socket_, text.data(), text.size(), 0);
    return size < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  std::string path_;
  int socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

TEST_F(Tandemd, TellsASupervisorWhenItIsReadyAndWhenItStops) {
  const NotifySocket notify(folder_.path("notify"));
  Program program = start({"--listen", address_, "--log-level", "off"}, {{"NOTIFY_SOCKET", notify.path()}});
  const std::string ready = notify.hear();
  EXPECT_THAT(ready, StartsWith("READY=1\n"));
  EXPECT_THAT(ready, HasSubstr(address_));
  Manager(address_).ping();
  program.signal(SIGTERM);
  EXPECT_THAT(notify.hear(), StartsWith("STOPPING=1\n"));
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(Tandemd, TellsAWatchdogThatItAnswers) {
  const NotifySocket notify(folder_.path("notify"));
  Program program = start({"--listen", address_, "--log-level", "off"},
                          {{"NOTIFY_SOCKET", notify.path()}, {"WATCHDOG_USEC", "30000"}});
  EXPECT_THAT(notify.hear(), StartsWith("READY=1\n"));
  for (int times = 0; times < 3; ++times) EXPECT_EQ(notify.hear(), "WATCHDOG=1");
  program.signal(SIGTERM);
  std::string last;
  while (!last.starts_with("STOPPING=1")) {
    last = notify.hear();
    EXPECT_THAT(last, AnyOf(Eq("WATCHDOG=1"), StartsWith("STOPPING=1")));
  }
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(Tandemd, TellsASupervisorHowFarARecoveryIs) {
  const std::string journal = folder_.path("journal");
  const std::vector<std::string> arguments{"--listen",          address_,  "--log-level",     "off",
                                           "--journal",         journal,   "--journal-level", "process",
                                           "--recovery-ms-max", "86400000"};
  {
    Program program = start(arguments);
    (void)ready(program);
    Manager manager(address_, {.reconnect = std::chrono::milliseconds{0}});
    auto list = manager.list<int>("list");
    list.assign({1, 2, 3});
    program.signal(SIGKILL);
    program.wait();
  }
  const NotifySocket notify(folder_.path("notify"));
  Program program = start(arguments, {{"NOTIFY_SOCKET", notify.path()}});
  std::string heard = notify.hear();
  EXPECT_THAT(heard, StartsWith("STATUS=recovering, 0 %\nEXTEND_TIMEOUT_USEC=60000000"));
  while (heard.starts_with("STATUS=recovering, ")) heard = notify.hear();
  EXPECT_THAT(heard, StartsWith("READY=1"));
}

/// From here on this process gets no other processes, as under vm.overcommit_memory=2 with much memory in use.
void refuse_forks() {
  const auto nr = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
  const auto flags = static_cast<std::uint32_t>(offsetof(seccomp_data, args[0]));
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, nr),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, flags),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_VM, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(filter), filter};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

TEST_F(Tandemd, WritesASnapshotItselfWhereTheSystemRefusesAFork) {
  const std::string journal = folder_.path("journal");
  const std::vector<std::string> arguments{"--listen",          address_, "--log-level",     "warning",
                                           "--journal",         journal,  "--journal-level", "process",
                                           "--recovery-ms-max", "100"};
  std::size_t size = 200'000;
  {
    Program program = start(arguments, {}, refuse_forks);
    (void)ready(program);
    Manager manager(address_, {.reconnect = std::chrono::milliseconds{0}});
    auto list = manager.list<int>("list");
    list.assign(std::vector<int>(size, 7));
    // Work for the engine, until a start would take more than --recovery-ms-max, twice.
    for (; test::files_in(journal, ".tds").size() < 2; ++size) {
      list.sort();
      list.push_back(7);
    }
    program.signal(SIGKILL);
    program.wait();
    EXPECT_THAT(program.errors, HasSubstr("to write a snapshot: no process can be made for it"));
  }
  Program program = start(arguments);
  (void)ready(program);
  EXPECT_EQ(Manager(address_).list<int>("list").size(), size);
}

}  // namespace
}  // namespace tandem
