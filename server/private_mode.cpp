#include "server/private_mode.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <system_error>

#include "client/common/crypto.hpp"
#include "client/os/descriptor.hpp"
#include "client/os/signals.hpp"
#include "tandem/error.hpp"

namespace tandem::server {
namespace {

constexpr std::size_t key_bytes = 32;
// Together less than a second: how long a private manager may outlive its creator.
constexpr std::chrono::milliseconds unused_ms_max{700};
constexpr std::chrono::milliseconds stop_ms_max{200};
// Longer than stopping can take on a busy machine.
constexpr unsigned end_s_max = 10;

/// External events for a private manager.
enum class Event : std::uint8_t { bytes, end_of_client, signal };

class Lifeline {
 public:
  /// Throws Error if the descriptor is no socket to our parent.
  explicit Lifeline(int descriptor);

  /// Waits for the next event; received bytes are in received().
  Event wait();
  std::string& received() { return received_; }
  void send_line(const std::string& text);

 private:
  os::Descriptor socket_;
  os::Descriptor client_process_;
  os::Descriptor signals_;
  std::string received_;
};

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Code::connection_error, "--private-fd: " + why);
}

/// Ctrl-C in a terminal, or closing it, signals the whole process group; the workers shall finish first.
os::Descriptor take_signals() {
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  return os::Descriptor(::signalfd(-1, &ending, SFD_CLOEXEC));
}

Lifeline::Lifeline(int descriptor) : socket_(descriptor), signals_(take_signals()) {
  ucred client{};
  socklen_t size = sizeof client;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &client, &size) != 0)
    refuse("descriptor " + std::to_string(descriptor) + ": " + os::errno_text());
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  client_process_ = os::Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, client.pid, 0)));
  // Checked after the pidfd is open: if it is our parent now, it is the process that made the socket pair.
  if (!client_process_ || ::getppid() != client.pid)
    refuse("the process that made the socket is not our parent, or is gone");
}

Event Lifeline::wait() {
  for (;;) {
    std::array<pollfd, 3> watched{
        {{socket_.get(), POLLIN, 0}, {client_process_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw std::system_error(errno, std::system_category(), "poll");
    }
    if (watched[2].revents != 0) return Event::signal;
    if (watched[0].revents != 0) {
      std::array<char, 256> chunk{};
      ssize_t count = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (count <= 0) return Event::end_of_client;
      received_.append(chunk.data(), static_cast<std::size_t>(count));
      return Event::bytes;
    }
    if (watched[1].revents != 0) return Event::end_of_client;
  }
}

void Lifeline::send_line(const std::string& text) {
  std::string line = text + "\n";
  // The line fits the socket's buffer. If the client has exited, the next wait() returns that.
  (void)!::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL);
}

std::string random_address() {
  std::array<std::uint8_t, 16> random{};
  client::random_bytes(random);
  std::string address = "unix:@tandem-";
  for (std::uint8_t byte : random) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    address += digits;
  }
  return address;
}

/// Returns false if the client disconnected first.
bool receive_key(Lifeline& lifeline, std::string& key) {
  while (lifeline.received().size() < key_bytes)
    if (lifeline.wait() != Event::bytes) return false;
  key = lifeline.received().substr(0, key_bytes);
  lifeline.received().erase(0, key_bytes);
  return true;
}

/// From now on this process ends within end_s_max, whatever its threads do: its creator waits for that.
void end_anyway() {
  std::signal(SIGALRM, SIG_DFL);
  sigset_t alarm;
  ::sigemptyset(&alarm);
  ::sigaddset(&alarm, SIGALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
  ::alarm(end_s_max);
}

void serve(Lifeline& lifeline, Server& server) {
  server.start();
  lifeline.send_line("ready " + server.addresses().front());
  for (;;) {
    if (lifeline.received().find("stop\n") != std::string::npos) {
      end_anyway();
      return server.stop(stop_ms_max);
    }
    switch (lifeline.wait()) {
      case Event::bytes: break;
      case Event::end_of_client: end_anyway(); return server.stop_when_unused(unused_ms_max, stop_ms_max);
      case Event::signal: return server.stop();
    }
    if (lifeline.received().size() > 4096) lifeline.received().clear();  // not a known message
  }
}

}  // namespace

int run_private(ServerOptions options, int descriptor) {
  Lifeline lifeline(descriptor);
  if (!receive_key(lifeline, options.authkey)) return 0;
  options.listen = {random_address()};
  options.limits.session_grace_ms = 0;  // its clients cannot reach the manager that follows it
  try {
    Server server(std::move(options));
    serve(lifeline, server);
    return 0;
  } catch (const std::exception& error) {
    lifeline.send_line("error " + std::string(error.what()));
    return 1;
  }
}

}  // namespace tandem::server
