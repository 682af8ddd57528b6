#include "client/cli/journal.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>
#include <ctime>

#include "client/cli/print.hpp"
#include "server/journal/backup.hpp"
#include "server/journal/recovery.hpp"
#include "server/journal/snapshots.hpp"
#include "server/journal/sqlite_log.hpp"
#include "server/objects/all.hpp"
#include "tandem/error.hpp"
#include "tandem/text.hpp"

namespace tandem::client {
namespace {

using namespace server;

constexpr std::size_t argument_bytes_max = 200;  // shown

std::unique_ptr<SqliteLog> open(const std::string& folder) {
  return SqliteLog::open(folder, SqliteLog::Mode::look);
}

/// An engine for a replay. A Started record brings it the limits.
Engine new_engine() {
  return Engine(Limits{}, ServerInfo{}, hosted_types());
}

/// From the newest snapshot on; what is wrong with others is said.
Recovered replay(
    const std::string& folder, SqliteLog& log, Engine& engine,
    const RecordVisitor& visit = [](const Record&, const Recovered&) {}) {
  return Snapshots(folder).recover_newest(
      log, log.store(), engine, visit, [](std::uint64_t, const std::string& why) {
        std::fprintf(stderr, "tandem: a snapshot is not used: %s\n", printable(why).c_str());
      });
}

std::string time_text(std::uint64_t unix_ns) {
  constexpr std::uint64_t second_ns = 1'000'000'000;
  const auto seconds = static_cast<std::time_t>(unix_ns / second_ns);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", utc, unix_ns % second_ns / 1'000);
}

/// The call as source text, as far as the operation is known.
std::string call_text(const Engine& engine, const server::Call& call) {
  const std::uint16_t operation = engine.operation_of(call.object, call.op);
  if (operation == operation_none) return to_text(Record(call));
  const Object& object = *engine.registry().find(call.object);
  std::string arguments;
  wire::Reader reader(call.arguments);
  std::uint32_t count = 0;
  (void)reader.array(count);
  for (wire::Bytes argument; count != 0 && reader.value(argument); --count)
    arguments += (arguments.empty() ? "" : ", ") + tandem::to_text(argument, argument_bytes_max);
  const std::string name = object.named() ? fmt::format(" '{}'", object.name()) : "";
  return fmt::format("session {} thread {}: {} {}{}.{}({}){}", call.session, call.actor, object.type().name,
                     object.id(), name, engine.operations()[operation].op->name, arguments,
                     call.token == 0 ? "" : fmt::format(" with token {}", call.token));
}

std::uint64_t time_of(const Record& record, std::uint64_t otherwise) {
  return std::visit(
      [&](const auto& one) {
        if constexpr (requires { one.now_ns; }) return one.now_ns;
        else if constexpr (requires { one.input.now_ns; }) return one.input.now_ns;
        else return otherwise;
      },
      record);
}

struct Shown {
  std::uint64_t index = 0;  // of the input; of the last one before it if it is none
  std::uint64_t now_ns = 0;
  std::string text;
};

void print(const Shown& record, bool is_input, bool json) {
  if (json)
    return print_as_line(dump({{"index", is_input ? Json(record.index) : Json(nullptr)},
                               {"time_ns", record.now_ns},
                               {"text", record.text}}));
  print_as_line(fmt::format("{:>8} {} {}", is_input ? std::to_string(record.index) : "-",
                            time_text(record.now_ns), record.text));
}

void dump_raw(SqliteLog& log, const DumpRequest& request, bool json) {
  log.read(log.first_batch(), [&](const server::Batch& batch) {
    RecordReader reader(batch.body);
    std::uint64_t index = batch.first - 1;
    std::uint64_t now_ns = 0;
    for (Record record; reader.next(record);) {
      const bool input = is_input(record);
      index += input ? 1 : 0;
      now_ns = time_of(record, now_ns);
      if (index >= request.from) print({index, now_ns, to_text(record)}, input, json);
    }
    if (!reader.failure().empty())
      throw JournalDamaged("batch " + std::to_string(batch.number) + ": " + reader.failure());
    return true;
  });
}

}  // namespace

void dump_journal(const DumpRequest& request, bool json) {
  const std::unique_ptr<SqliteLog> log = open(request.folder);
  if (request.raw) return dump_raw(*log, request, json);
  Engine engine = new_engine();
  replay(request.folder, *log, engine, [&](const Record& record, const Recovered& so_far) {
    const bool input = is_input(record);
    const std::uint64_t index = so_far.index + (input ? 1 : 0);
    if (index < request.from || std::holds_alternative<CheckRecord>(record)) return;
    const auto* call = std::get_if<server::Call>(&record);
    print(
        {index, time_of(record, so_far.now_ns), call != nullptr ? call_text(engine, *call) : to_text(record)},
        input, json);
  });
}

void verify_journal(const std::string& folder, bool json) {
  const std::unique_ptr<SqliteLog> log = open(folder);
  Engine engine = new_engine();
  const Recovered found = replay(folder, *log, engine);
  const Registry& registry = engine.registry();
  if (json)
    return print_as_line(dump({{"batches", log->tail().batch},
                               {"inputs", found.index},
                               {"starts", found.start},
                               {"snapshot_batch", found.snapshot_batch},
                               {"stopped_in_order", found.stopped_in_order},
                               {"objects", registry.size()},
                               {"memory_bytes", registry.memory_bytes()},
                               {"log_bytes", log->bytes()}}));
  print_as_line(fmt::format(
      "{}: {} inputs in {} batches, {} bytes; everything is there and leads to what it led to before", folder,
      found.index, log->tail().batch, log->bytes()));
  if (found.snapshot_batch != 0)
    print_as_line(fmt::format("the replay began with the snapshot after batch {}, {} bytes",
                              found.snapshot_batch, found.snapshot_bytes));
  print_as_line(fmt::format("start {} {}; {} objects, {} bytes of memory", found.start,
                            found.stopped_in_order ? "was stopped in order" : "has not ended in order",
                            registry.size(), registry.memory_bytes()));
}

void cut_journal(const std::string& folder, std::uint64_t batch, bool json) {
  const std::unique_ptr<SqliteLog> log = open(folder);
  log->cut(batch);
  if (json) return print_as_line(dump({{"batches", log->tail().batch}, {"inputs", log->tail().index}}));
  print_as_line(
      fmt::format("{} ends now with batch {}, input {}", folder, log->tail().batch, log->tail().index));
}

void back_up_journal(const std::string& folder, const std::string& to, bool json) {
  const LogPosition end = back_up(folder, to);
  if (json) return print_as_line(dump({{"folder", to}, {"batches", end.batch}, {"inputs", end.index}}));
  print_as_line(
      fmt::format("{} has everything of {} up to batch {}, input {}", to, folder, end.batch, end.index));
}

}  // namespace tandem::client
