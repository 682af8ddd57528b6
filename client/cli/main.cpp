// tandem: inspects a manager from the command line.
//
// Exit status: 0 success, 1 failure, 2 invalid command line.

#include <CLI/CLI.hpp>

#include <cstdio>
#include <functional>

#include "client/cli/commands.hpp"
#include "client/cli/default_address.hpp"
#include "client/cli/journal.hpp"
#include "client/common/printable.hpp"

namespace {

using namespace tandem;
using namespace tandem::client;

constexpr int status_failed = 1;
constexpr int status_usage = 2;

struct CommandLine {
  std::string address;
  Options options{};
  double timeout_s = 10;
  bool json = false;
  ListRequest list;
  GetRequest get;
  DumpRequest dump;
  std::string journal;
  std::string backup;
  std::uint64_t batch = 0;
  std::optional<std::string> key;
  bool json_key = false;
};

Manager attach(CommandLine& line) {
  const std::chrono::milliseconds timeout(static_cast<std::int64_t>(line.timeout_s * 1000));
  line.options.connect_timeout = line.options.call_timeout = timeout;
  return Manager(line.address.empty() ? default_address() : line.address, line.options);
}

void add_common(CLI::App& app, CommandLine& line) {
  app.set_version_flag("--version", "tandem " TANDEM_VERSION);
  app.add_option(
         "-a,--address", line.address,
         "the manager's address, e.g. unix:/path or tcp://127.0.0.1:7070 (where tandemd listens by itself)")
      ->envname("TANDEM_ADDRESS")
      ->type_name("ADDRESS");
  app.add_option("--authkey-file", line.options.authkey_file, "file with the manager's key")
      ->envname("TANDEM_AUTHKEY_FILE")
      ->type_name("FILE");
  app.add_option("--timeout", line.timeout_s,
                 "seconds to wait for the manager at each step; 0: for ever (10)")
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("SECONDS");
  app.add_flag("--json", line.json,
               "print JSON; what JSON cannot say is an object with a key like $bytes, $tuple or $ref");
}

CLI::App* add_list(CLI::App& app, CommandLine& line) {
  CLI::App* list = app.add_subcommand("ls", "list the hosted objects");
  list->add_option("--type", line.list.type, "only those of one type: dict, list, queue, lock …")
      ->type_name("TYPE");
  return list;
}

CLI::App* add_get(CLI::App& app, CommandLine& line) {
  CLI::App* get = app.add_subcommand("get", "print an object's contents, or one element");
  get->add_option("NAME", line.get.name, "name of the object")->required()->type_name("");
  CLI::Option* key =
      get->add_option("KEY", line.key,
                      "key in a dict or namespace (a text, see --json-key), index in a list or array")
          ->type_name("");
  get->add_flag("--json-key", line.json_key, R"(KEY is JSON: 17, 0.25, null, "text", {"$tuple": [1, 2]})")
      ->needs(key);
  get->add_flag("--id", line.get.by_id, "NAME is an object's id, as ls shows it");
  return get;
}

CLI::Option* add_folder(CLI::App& command, std::string& folder) {
  return command.add_option("FOLDER", folder, "the journal's folder")->required()->type_name("");
}

/// `tandem journal …`. Adds to `run` what the parsed command does.
CLI::App* add_journal(CLI::App& app, CommandLine& line, std::function<void()>& run) {
  CLI::App* journal =
      app.add_subcommand("journal", "look into a journal that no manager is using, or back up any");
  journal->require_subcommand(1);
  CLI::App* dump = journal->add_subcommand("dump", "print a line for each record");
  add_folder(*dump, line.dump.folder);
  dump->add_option("--from", line.dump.from, "index of the first input to print (1)")->type_name("INDEX");
  dump->add_flag(
      "--raw", line.dump.raw,
      "do not replay it: also for a manager with hosted types of its own, or damage in what inputs "
      "lead to");
  dump->final_callback([&] { run = [&] { dump_journal(line.dump, line.json); }; });
  CLI::App* verify =
      journal->add_subcommand("verify", "read and replay everything; fails if something is damaged");
  add_folder(*verify, line.journal);
  verify->final_callback([&] { run = [&] { verify_journal(line.journal, line.json); }; });
  CLI::App* cut = journal->add_subcommand("cut", "remove a batch, damaged or not, and all that follow");
  add_folder(*cut, line.journal);
  cut->add_option("BATCH", line.batch, "number of the first batch to remove")->required()->type_name("");
  cut->final_callback([&] { run = [&] { cut_journal(line.journal, line.batch, line.json); }; });
  CLI::App* backup =
      journal->add_subcommand("backup", "copy it to a new folder, also while a manager uses it");
  add_folder(*backup, line.journal);
  backup->add_option("TO", line.backup, "the new folder")->required()->type_name("");
  backup->final_callback([&] { run = [&] { back_up_journal(line.journal, line.backup, line.json); }; });
  return journal;
}

/// Flushes the output. It cannot be written if its reader has exited or a disk is full.
int finish() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
  std::fputs("tandem: the output cannot be written\n", stderr);
  return status_failed;
}

int run(int argc, char** argv) {
  CommandLine line;
  CLI::App app{"tandem looks into a manager: what it hosts, and what is in it."};
  app.require_subcommand(1);
  app.fallthrough();  // the options below may also follow the command
  add_common(app, line);
  CLI::App* list = add_list(app, line);
  CLI::App* get_one = add_get(app, line);
  CLI::App* waits = app.add_subcommand("waits", "print which requests wait for what, and its owners");
  CLI::App* information = app.add_subcommand("info", "print what the manager says of itself");
  std::function<void()> journal_command;
  const CLI::App* journal = add_journal(app, line, journal_command);
  CLI::App* reach = app.add_subcommand("ping", "see whether the manager answers, and how fast");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : status_usage;
  }
  if (line.json_key && !nlohmann::json::accept(*line.key)) {
    std::fprintf(stderr, "tandem: '%s' is no JSON\n", printable(*line.key).c_str());
    return status_usage;
  }
  if (line.key) line.get.key = ElementKey{*line.key, line.json_key};

  if (journal->parsed()) {
    journal_command();
    return finish();
  }
  const Manager manager = attach(line);
  if (list->parsed()) list_objects(manager, line.list, line.json);
  if (get_one->parsed()) get(manager, line.get, line.json);
  if (waits->parsed()) show_waits(manager, line.json);
  if (information->parsed()) show_information(manager, line.json);
  if (reach->parsed()) ping(manager, line.json);
  return finish();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "tandem: %s\n", printable_lines(error.what()).c_str());
    return status_failed;
  }
}
