// tandemd: reads the flags, creates the manager and runs it.

#include <malloc.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "client/common/printable.hpp"
#include "client/os/descriptor.hpp"
#include "client/os/standard_descriptors.hpp"
#include "server/options.hpp"
#include "server/private_mode.hpp"
#include "server/supervisor.hpp"
#include "tandem/error.hpp"
#include "tandem/manager.hpp"

namespace {

using namespace tandem;

constexpr int damaged_status = 65;  // EX_DATAERR of sysexits.h

/// glibc keeps small freed chunks and occasionally merges all of them at once: tens of milliseconds after a
/// million. Merged one by one they cost little, without such a pause. (Its per-thread caches of the last
/// chunks stay.)
void free_without_pauses() {
#ifdef __GLIBC__
  ::mallopt(M_MXFAST, 0);
#endif
}

/// From here on the signals that end the program stay pending until sigwait() takes them.
sigset_t block_ending_signals() {
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  ::sigaddset(&ending, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  return ending;
}

/// Writes a line to a pipe, terminal or file, unless that takes nothing until a signal of `signals` arrives or
/// the limit is over: a reader that is stuck must not keep this program from ending.
void print_line(int descriptor, std::string line, const sigset_t& signals, int limit_ms) {
  line += '\n';
  const os::Descriptor signal(::signalfd(-1, &signals, SFD_CLOEXEC));
  std::array<pollfd, 2> watched{{{descriptor, POLLOUT, 0}, {signal.get(), POLLIN, 0}}};
  while (::poll(watched.data(), watched.size(), limit_ms) < 0 && errno == EINTR) continue;
  if (watched[0].revents != 0) (void)!::write(descriptor, line.data(), line.size());
}

void print_error(const char* text) {
  constexpr int limit_ms = 100;
  sigset_t none;
  ::sigemptyset(&none);
  print_line(STDERR_FILENO, "tandemd: " + client::printable_lines(text), none, limit_ms);
}

std::string where_it_listens(const Server& server) {
  std::string text;
  for (const std::string& address : server.addresses()) text += " " + address;
  if (!server.debug_address().empty()) text += " debug " + server.debug_address();
  return text;
}

/// The number of clients is limited by channels_max, not by what a shell allows its programs by default.
void raise_descriptor_limit() {
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return;
  descriptors.rlim_cur = descriptors.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
}

/// While a forked child writes a snapshot, a page that is written is copied: of two megabytes that would take long.
void use_small_pages() {
  ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

int run(ServerOptions options) {
  sigset_t ending = block_ending_signals();
  std::signal(SIGPIPE, SIG_IGN);
  if (options.listen.empty()) options.listen.push_back(server::default_address());
  server::Supervisor supervisor;
  options.on_recovery = [&](unsigned percent) { supervisor.recovering(percent); };
  Server server(std::move(options));
  server.start();
  const std::string where = where_it_listens(server);
  print_line(STDOUT_FILENO, "tandemd " TANDEM_VERSION " ready:" + where, ending, -1);
  supervisor.ready("listening on" + where);
  if (const auto interval = server::Supervisor::watchdog_interval(); interval.count() > 0)
    supervisor.watch(interval, [manager = server.connect()] { manager.ping(); });
  int signal = 0;
  ::sigwait(&ending, &signal);
  supervisor.stopping();
  // A second signal ends the program at once.
  ::pthread_sigmask(SIG_UNBLOCK, &ending, nullptr);
  server.stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  free_without_pauses();
  raise_descriptor_limit();
  os::StandardDescriptorsTaken().keep();
  server::ProgramOptions options;
  if (std::optional<int> status = server::read_options(argc, argv, options)) return *status;
  if (!options.server.journal.empty()) use_small_pages();
  try {
    if (options.private_descriptor)
      return server::run_private(std::move(options.server), *options.private_descriptor);
    return run(options.server);
  } catch (const JournalDamaged& damaged) {
    print_error(damaged.what());
    return damaged_status;
  } catch (const std::exception& error) {
    print_error(error.what());
    return 1;
  }
}
