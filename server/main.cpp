// tandemd: reads the flags, creates the manager and runs it.

#include <malloc.h>

#include <csignal>
#include <cstdio>

#include "client/os/standard_descriptors.hpp"
#include "server/options.hpp"
#include "server/private_mode.hpp"
#include "tandem/error.hpp"

namespace {

using namespace tandem;

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

void print_ready(const Server& server) {
  std::string line = "tandemd " TANDEM_VERSION " ready:";
  for (const std::string& address : server.addresses()) line += " " + address;
  if (!server.debug_address().empty()) line += " debug " + server.debug_address();
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

int run(ServerOptions options) {
  sigset_t ending = block_ending_signals();
  std::signal(SIGPIPE, SIG_IGN);
  if (options.listen.empty()) options.listen.push_back(server::default_address());
  Server server(std::move(options));
  server.start();
  print_ready(server);
  int signal = 0;
  ::sigwait(&ending, &signal);
  // A second signal ends the program at once.
  ::pthread_sigmask(SIG_UNBLOCK, &ending, nullptr);
  server.stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  free_without_pauses();
  os::StandardDescriptorsTaken().keep();
  server::ProgramOptions options;
  if (std::optional<int> status = server::read_options(argc, argv, options)) return *status;
  try {
    if (options.private_descriptor)
      return server::run_private(std::move(options.server), *options.private_descriptor);
    return run(options.server);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tandemd: %s\n", error.what());
    return 1;
  }
}
