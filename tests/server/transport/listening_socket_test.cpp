// Sockets that listen: what they replace, what they leave alone, what they refuse.
#include "server/transport/listening_socket.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "client/os/descriptor.hpp"
#include "client/transport/socket.hpp"
#include "tandem/error.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"

namespace tandem::server {
namespace {

using testing::HasSubstr;

constexpr ListenPolicy with_key{.has_authkey = true};
constexpr ListenPolicy without_key{};

ListeningSocket listen(const std::string& address, const ListenPolicy& policy = with_key) {
  return listen_on(Address::parse(address), policy);
}
/// The error's text.
std::string refusal(const std::string& address, const ListenPolicy& policy = with_key) {
  try {
    listen(address, policy);
  } catch (const ConnectionError& error) {
    EXPECT_THAT(error.what(), HasSubstr(address));
    return error.what();
  }
  ADD_FAILURE() << address << " was listened on";
  return {};
}
void connect_to(const Address& address) {
  client::connect_socket(address, os::Deadline(std::chrono::milliseconds(0)));
}

/// What a manager leaves behind that was killed.
void leave_stale_socket(const std::string& path) {
  int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strcpy(name.sun_path, path.c_str());
  ASSERT_EQ(::bind(descriptor, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(::listen(descriptor, 1), 0);
  ::close(descriptor);
}

class UnixSocket : public testing::Test {
 protected:
  test::TemporaryFolder folder_;
  std::string path_ = folder_.path("socket");
  std::string address_ = "unix:" + path_;
};

TEST_F(UnixSocket, IsForItsUserAlone) {
  ListeningSocket socket = listen(address_);
  struct stat file {};
  ASSERT_EQ(::stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600u);
  connect_to(socket.address);
}

TEST_F(UnixSocket, TakesOverOneThatNobodyListensOn) {
  leave_stale_socket(path_);
  ListeningSocket socket = listen(address_);
  connect_to(socket.address);
}

TEST_F(UnixSocket, IsListenedOnThoughAnotherProcessKeepsTheFolderLocked) {
  const os::Descriptor folder(::open(folder_.path("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(folder.get(), LOCK_EX), 0);
  {
    ListeningSocket socket = listen(address_);
    connect_to(socket.address);
  }
  ::unlink(path_.c_str());
  leave_stale_socket(path_);
  ListeningSocket socket = listen(address_);
  connect_to(socket.address);
}

TEST_F(UnixSocket, LeavesALiveOneAlone) {
  ListeningSocket first = listen(address_);
  EXPECT_THAT(refusal(address_), HasSubstr("another process listens there"));
  connect_to(first.address);
}

TEST_F(UnixSocket, LeavesAFileThatIsNoSocketAlone) {
  folder_.write("socket", "precious");
  EXPECT_THAT(refusal(address_), HasSubstr("no socket"));
  std::string contents;
  std::ifstream(path_) >> contents;
  EXPECT_EQ(contents, "precious");
}

TEST_F(UnixSocket, NamesTheFolderThatIsNotThere) {
  EXPECT_THAT(refusal("unix:" + folder_.path("nowhere/socket")), HasSubstr(folder_.path("nowhere")));
}

TEST_F(UnixSocket, ItsFileIsRemovedOnlyWhileItIsStillOurs) {
  ListeningSocket first = listen(address_);
  remove_file(first);
  EXPECT_FALSE(std::filesystem::exists(path_));

  ListeningSocket second = listen(address_);
  std::filesystem::remove(path_);
  ListeningSocket third = listen(address_);
  remove_file(second);
  EXPECT_TRUE(std::filesystem::exists(path_));
  connect_to(third.address);
}

TEST_F(UnixSocket, ThePathMayBeAsLongAsTheSystemTakes) {
  std::string longest = path_ + std::string(107 - path_.size(), 'x');
  ListeningSocket socket = listen("unix:" + longest);
  connect_to(socket.address);
}

TEST_F(UnixSocket, AnAbstractNameIsTakenUntilItsSocketIsClosed) {
  std::string address = "unix:@" + path_;
  {
    ListeningSocket socket = listen(address);
    connect_to(socket.address);
    EXPECT_THAT(refusal(address), HasSubstr("another process listens there"));
  }
  ListeningSocket again = listen(address);
  EXPECT_FALSE(std::filesystem::exists(path_)) << "it is no file";
}

TEST(TcpSocket, TellsTheRealPort) {
  ListeningSocket socket = listen("tcp://127.0.0.1:0");
  EXPECT_NE(socket.address.port(), 0);
  connect_to(socket.address);
}

TEST(TcpSocket, APortInUseIsRefused) {
  ListeningSocket socket = listen("tcp://127.0.0.1:0");
  EXPECT_THAT(refusal(socket.address.to_string()), HasSubstr("in use"));
}

TEST(TcpSocket, ItsPortCanBeTakenAgainAtOnce) {
  ListeningSocket first = listen("tcp://127.0.0.1:0");
  Address address = first.address;
  auto client = client::connect_socket(address, os::Deadline(std::chrono::milliseconds(0)));
  os::Descriptor accepted;
  test::eventually(
      [&] {
        accepted = os::Descriptor(::accept4(first.descriptor.get(), nullptr, nullptr, SOCK_CLOEXEC));
        return static_cast<bool>(accepted);
      },
      "the client to be accepted");
  first.descriptor.close();
  accepted = os::Descriptor();  // closes first: this side keeps the connection in TIME_WAIT
  client.reset();
  listen(address.to_string());
}

TEST(TcpSocket, SpeaksIPv6WhereTheMachineDoes) {
  os::Descriptor probe(::socket(AF_INET6, SOCK_STREAM, 0));
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  bool has_ipv6 = probe && ::bind(probe.get(), reinterpret_cast<sockaddr*>(&loopback), sizeof loopback) == 0;
  if (!has_ipv6) {
    refusal("tcp://[::1]:0");
    return;
  }
  ListeningSocket socket = listen("tcp://[::1]:0");
  EXPECT_THAT(socket.address.to_string(), HasSubstr("tcp://[::1]:"));
  connect_to(socket.address);
}

TEST(TcpSocket, NeedsAnAuthkey) {
  EXPECT_THAT(refusal("tcp://127.0.0.1:0", without_key), HasSubstr("authkey"));
}

TEST(TcpSocket, OnOtherThanLoopbackNeedsAFlagThatInsists) {
  EXPECT_THAT(refusal("tcp://0.0.0.0:0"), HasSubstr("--insecure-tcp"));
  ListeningSocket socket = listen("tcp://0.0.0.0:0", {.has_authkey = true, .insecure_tcp = true});
  connect_to(Address::parse("tcp://127.0.0.1:" + std::to_string(socket.address.port())));
  EXPECT_THAT(refusal("tcp://0.0.0.0:0", {.has_authkey = false, .insecure_tcp = true}), HasSubstr("authkey"));
}

TEST(TcpSocket, AHostThatIsNotThereIsNamed) {
  EXPECT_THAT(refusal("tcp://no-such-host.invalid:0"), HasSubstr("no-such-host.invalid"));
}

}  // namespace
}  // namespace tandem::server
