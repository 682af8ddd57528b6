#pragma once
// Journals that are kept in the repository, in golden/NUMBER/NAME: recorded with the semantics of that number, as a
// killed manager leaves them. `answers` in such a folder has a line for each input: a hash of all that was answered,
// then, for people, what the input was.

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/journal/effects.hpp"
#include "server/journal/record.hpp"
#include "server/journal/snapshots.hpp"
#include "server/journal/sqlite_log.hpp"
#include "server/objects/all.hpp"
#include "tandem/error.hpp"
#include "tandem/ops/all.hpp"
#include "tandem/ops/semantics.hpp"

namespace tandem::test {

constexpr std::size_t hash_digits = 8;  // of a line in `answers`

/// The files are a few pages long, and are to stay so.
inline std::unique_ptr<server::SqliteLog> open_golden(const std::string& folder) {
  return server::SqliteLog::open(folder, server::SqliteLog::Mode::use, {.room_ahead_bytes = 0});
}

/// As the command line and a server make it: the journal brings facts and limits with it.
inline std::unique_ptr<server::Engine> engine_for_replay() {
  server::ServerInfo info;
  info.hash_seed = 0xfeed;
  return std::make_unique<server::Engine>(Limits{}, info, server::hosted_types());
}

/// Copies a journal, for this user alone, which a checkout does not guarantee.
inline void copy_journal(const std::string& from, const std::string& to) {
  namespace fs = std::filesystem;
  fs::copy(from, to);
  fs::permissions(to, fs::perms::owner_all);
  for (const auto& file : fs::directory_iterator(to))
    fs::permissions(file.path(), fs::perms::owner_read | fs::perms::owner_write);
}

/// The operations that a call names: its own, and those of the steps if it is manager.run. As indices into
/// Engine::operations(), operation_none for one that does not exist. To be asked before the call.
inline std::vector<std::uint16_t> operations_of(const server::Engine& engine, const server::Call& call) {
  std::vector<std::uint16_t> found{engine.operation_of(call.object, call.op)};
  if (call.object != ops::Manager::id || call.op != ops::Manager::Run::description.number) return found;
  wire::Reader reader(call.arguments);
  std::uint32_t count = 0;
  if (!reader.array(count) || count == 0 || !reader.array(count)) return found;
  for (wire::Bytes step; count != 0 && reader.value(step); --count) {
    wire::Reader of_step(step);
    std::uint32_t fields = 0;
    std::uint64_t object = 0;
    std::uint64_t op = 0;
    const bool is_one = of_step.array(fields) && fields >= 3 && of_step.uint64(object) && of_step.uint64(op);
    found.push_back(is_one && op < server::operation_none
                        ? engine.operation_of(object, static_cast<std::uint16_t>(op))
                        : server::operation_none);
  }
  return found;
}

/// How each step of a manager.run ended, by its reply.
inline std::vector<Code> codes_of_steps(wire::Bytes reply) {
  std::vector<Code> codes;
  wire::Reader reader(reply);
  std::uint32_t count = 0;
  if (!reader.array(count)) return codes;
  for (; count != 0; --count) {
    std::uint32_t fields = 0;
    std::uint64_t code = 0;
    wire::Bytes result;
    if (!reader.array(fields) || !reader.uint64(code) || !reader.value(result)) break;
    codes.push_back(static_cast<Code>(code));
  }
  return codes;
}

inline std::string name_of_operation(const server::Engine& engine, std::uint16_t operation) {
  if (operation == server::operation_none) return "no operation";
  const server::Engine::Operation& found = engine.operations()[operation];
  return std::string(found.type->name) + '.' + std::string(found.op->name);
}

/// What this program answers to the inputs of a journal, from the first one on.
class Answers {
 public:
  explicit Answers(server::Log& log) {
    log.read(1, [&](const server::Batch& batch) {
      server::RecordReader reader(batch.body);
      for (server::Record record; reader.next(record);)
        if (server::is_input(record)) take(record);
      return true;
    });
  }
  /// Those of `answers`.
  const std::vector<std::string>& lines() const { return lines_; }
  /// That calls and steps have named.
  std::vector<server::Engine::Operation> operations() const {
    std::vector<server::Engine::Operation> all;
    for (const std::uint16_t operation : operations_) all.push_back(engine_->operations()[operation]);
    return all;
  }

 private:
  void take(const server::Record& record) {
    what_ = server::to_text(record);
    hash_.reset();
    std::visit([this](const auto& one) { step(one); }, record);
    hash_.add(engine_->deliveries(), 0);
    engine_->take_deliveries(deliveries_);
    for (const server::Deliveries::Delivery& one : deliveries_.all())
      what_ += "; then " + name_of_operation(*engine_, waiting_[one.ticket]) + ' ' +
               std::string(name_of(one.code));
    lines_.push_back(fmt::format("{:016x}", hash_.value()).substr(0, hash_digits) + ' ' + what_);
  }
  template <class Input>
  void step(const Input& input) {
    (void)engine_->step(input);
  }
  void step(const server::StartRecord& record) { engine_->step(record.input); }
  void step(const server::StopRecord&) {}
  void step(const server::CheckRecord&) {}
  void step(const server::Call& call) {
    what_.clear();
    const std::vector<std::uint16_t> called = operations_of(*engine_, call);
    for (const std::uint16_t operation : called) {
      what_ += name_of_operation(*engine_, operation) + ' ';
      if (operation != server::operation_none) operations_.insert(operation);
    }
    wire::Buffer reply;
    const server::Outcome outcome = engine_->step(call, reply);
    hash_.add(outcome, reply, 0);
    what_ += outcome.parked != 0 ? "waits" : name_of(outcome.code);
    if (outcome.parked != 0) waiting_[outcome.parked] = called[0];
  }

  std::unique_ptr<server::Engine> engine_ = engine_for_replay();
  server::EffectsHash hash_;
  server::Deliveries deliveries_;
  std::map<server::Ticket, std::uint16_t> waiting_;
  std::set<std::uint16_t> operations_;
  std::string what_;
  std::vector<std::string> lines_;
};

}  // namespace tandem::test
