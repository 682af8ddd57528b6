#include "server/options.hpp"

#include <CLI/CLI.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "client/os/signals.hpp"
#include "tandem/error.hpp"

namespace tandem::server {
namespace {

std::string flag_of(std::string_view limit) {
  std::string flag = "--" + std::string(limit);
  for (char& c : flag)
    if (c == '_') c = '-';
  return flag;
}

/// Removes the validator's own text from --help, which would hide ours.
CLI::Validator quiet(CLI::Validator validator) {
  return validator.description("");
}

void add_limits(CLI::App& app, Limits& limits) {
  for (const LimitDescription& limit : limit_descriptions) {
    std::string help = std::string(limit.help) + " (" + std::to_string(limits.*limit.member) + ")";
    CLI::Option* option = app.add_option(flag_of(limit.name), limits.*limit.member, help);
    // 64K is 65536, and so is 64KiB.
    option->transform(quiet(CLI::AsSizeValue(false)));
    option->check(quiet(CLI::Range(limit.least, limit.most)));
    option->type_name(limit.name.find("bytes") != limit.name.npos ? "SIZE" : "NUMBER")->group("Limits");
  }
}

}  // namespace

std::optional<int> read_options(int argc, char** argv, ProgramOptions& options) {
  CLI::App app{
      "tandemd hosts dicts, lists, sets and values that processes share. Clients attach with "
      "tandem::Manager."};
  ServerOptions& server = options.server;
  server.log_level = LogLevel::info;
  const std::map<std::string, LogLevel> levels{{"debug", LogLevel::debug},
                                               {"info", LogLevel::info},
                                               {"warning", LogLevel::warning},
                                               {"error", LogLevel::error},
                                               {"off", LogLevel::off}};
  std::map<std::string, JournalLevel> journal_levels;
  for (const JournalLevel one : {JournalLevel::relaxed, JournalLevel::process, JournalLevel::disk})
    journal_levels.emplace(name_of(one), one);
  app.set_version_flag("--version", "tandemd " TANDEM_VERSION);
  app.set_config("--config", "", "file of flags, as lines like: log-level=debug");
  app.add_option("--listen", server.listen,
                 "address to listen on: unix:/path, unix:@abstract-name or tcp://host:port; may be repeated "
                 "(unix:$XDG_RUNTIME_DIR/tandem.sock)")
      ->type_name("ADDRESS")
      ->take_all();
  app.add_option("--authkey-file", server.authkey_file, "file with the key that clients must hold too")
      ->type_name("FILE");
  app.add_flag("--insecure-tcp", server.insecure_tcp,
               "listen on TCP addresses that other machines can reach, though nothing is encrypted");
  app.add_option_function<std::uint32_t>(
         "--busy-poll-us",
         [&](std::uint32_t microseconds) { server.busy_poll = std::chrono::microseconds(microseconds); },
         "how long to look for the next request without sleeping, while that pays; 0: not at all (" +
             std::to_string(server.busy_poll.count()) + ")")
      ->type_name("NUMBER");
  app.add_flag_callback(
      "--no-ring", [&] { server.ring = false; },
      "stay on the unix socket with clients of this machine, rather than going on through shared memory");
  app.add_option("--debug", server.debug, "address of the debug endpoint (HTTP, JSON), as host:port")
      ->type_name("ADDRESS");
  app.add_option("--debug-token-file", server.debug_token_file,
                 "file with the token that the debug endpoint's clients must send; needed where other "
                 "machines can reach it")
      ->type_name("FILE");
  app.add_option_function<std::string>(
         "--on-deadlock",
         [&](const std::string& what) {
           server.on_deadlock = what == "raise" ? OnDeadlock::raise : OnDeadlock::report;
         },
         "what becomes of a wait that closes a cycle of lock owners: raise refuses it, report only logs it "
         "(raise)")
      ->check(quiet(CLI::IsMember({"raise", "report"})))
      ->type_name("WHAT");
  app.add_option("--journal", server.journal,
                 "folder in which everything hosted is kept, so that it is there again after a crash or an "
                 "upgrade")
      ->type_name("FOLDER");
  app.add_option_function<std::string>(
         "--journal-level", [&](const std::string& name) { server.journal_level = journal_levels.at(name); },
         "what a reply waits for: relaxed, nothing; process, the kernel has the change, so it survives kill "
         "-9; "
         "disk, the disk has it, so it survives a power failure (disk)")
      ->check(quiet(CLI::IsMember(journal_levels)))
      ->type_name("LEVEL");
  app.add_flag("--journal-accept-loss", server.journal_accept_loss,
               "start although the end of the journal is missing, without what is lost by that");
  CLI::Option* level =
      app.add_option_function<std::string>(
             "--log-level", [&](const std::string& name) { server.log_level = levels.at(name); },
             "debug, info, warning, error or off (info)")
          ->check(quiet(CLI::IsMember({"debug", "info", "warning", "error", "off"})))
          ->type_name("LEVEL");
  app.add_option("--private-fd", options.private_descriptor,
                 "used by clients that start a manager of their own: the socket to them")
      ->type_name("NUMBER");
  add_limits(app, server.limits);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  if (options.private_descriptor && level->count() == 0) server.log_level = LogLevel::warning;
  return std::nullopt;
}

std::string default_address() {
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime == '/')
    return "unix:" + std::string(runtime) + "/tandem.sock";
  std::string folder = "/tmp/tandem-" + std::to_string(::geteuid());
  if (::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST)
    throw ConnectionError("cannot make " + folder + ": " + os::errno_text());
  struct stat found {};
  if (::lstat(folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != ::geteuid() ||
      (found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    throw ConnectionError(folder + " is not a folder of this user alone; remove it, or say --listen");
  return "unix:" + folder + "/tandem.sock";
}

}  // namespace tandem::server
