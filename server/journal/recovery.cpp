#include "server/journal/recovery.hpp"

#include <algorithm>

#include "server/journal/effects.hpp"
#include "tandem/ops/semantics.hpp"

namespace tandem::server {
namespace {

[[noreturn]] void refuse_meaning(std::uint64_t semantics, const std::string& version) {
  throw JournalError("the journal was written by tandem " + version + ", which gives operations " +
                     (semantics < ops::semantics ? "an older" : "a newer") + " meaning (" +
                     std::to_string(semantics) + ") than this version does (" +
                     std::to_string(ops::semantics) + "): start it with that version, and stop it in order");
}

[[noreturn]] void refuse_operation(const Object& object, std::uint16_t op, const std::string& version) {
  throw JournalError("the journal was written by tandem " + version + ", which has an operation " +
                     std::to_string(op) + " of a " + std::string(object.type().name) +
                     " that this version does not have: start it with that version, and stop it in order");
}

class Replay {
 public:
  Replay(Engine& engine, const Recovered& from, const RecordVisitor& visit)
      : engine_(engine), visit_(visit), recovered_(from) {}

  void take(const Batch& batch);
  const Recovered& recovered() const { return recovered_; }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    throw JournalDamaged("batch " + std::to_string(batch_) + " of the journal, at input " +
                         std::to_string(recovered_.index) + ": " + what);
  }
  bool has(SessionId session) const { return engine_.registry().has(session); }
  void take(const Record& record);
  void step(const Call& input);
  void step(const SessionOpened& input);
  void step(const StartRecord& record);
  void step(const StopRecord& record);
  void step(const CheckRecord& record);
  /// Of a session that must exist.
  template <class Input>
  void step_of_session(const Input& input) {
    if (!has(input.session)) damaged("session " + std::to_string(input.session) + " is not open");
    engine_.step(input);
  }
  void step(const LaneOpened& input);
  void step(const LaneEnded& input) { step_of_lane(input, input.lane); }
  void step(const Acknowledged& input) { step_of_lane(input, input.sent_as.lane); }
  template <class Input>
  void step_of_lane(const Input& input, LaneId lane) {
    check_lane(input.session, lane);
    (void)engine_.step(input);
  }
  void check_lane(SessionId session, LaneId lane) const {
    if (engine_.kept().find(session, lane) == nullptr)
      damaged("session " + std::to_string(session) + " has no lane " + std::to_string(lane));
  }
  void step(const SessionIdentified& input) { step_of_session(input); }
  void step(const SessionClosed& input) { step_of_session(input); }
  void step(const Cancel& input) { (void)engine_.step(input); }
  void step(const Tick& input) { (void)engine_.step(input); }

  Engine& engine_;
  const RecordVisitor& visit_;
  EffectsHash effects_;
  Deliveries deliveries_;
  wire::Buffer reply_;
  std::uint64_t batch_ = 0;
  bool is_checked_ = false;
  Recovered recovered_;
};

void Replay::take(const Batch& batch) {
  batch_ = batch.number;
  recovered_.engine_us += batch.engine_us;
  recovered_.log_bytes += log_bytes_of(batch.body.size());
  effects_.reset();
  is_checked_ = false;
  RecordReader reader(batch.body);
  for (Record record; reader.next(record);) {
    if (is_checked_) damaged("a record follows the one that ends the batch");
    take(record);
  }
  if (!reader.failure().empty()) damaged(reader.failure());
  if (!is_checked_) damaged("its end is missing");
  if (recovered_.index != batch.last)
    damaged("it leads to input " + std::to_string(recovered_.index) + ", and should lead to " +
            std::to_string(batch.last));
}

void Replay::take(const Record& record) {
  if (is_input(record) && !std::holds_alternative<StartRecord>(record)) {
    if (recovered_.start == 0) damaged("no start is recorded before its first input");
    if (recovered_.semantics != ops::semantics)
      refuse_meaning(recovered_.semantics, engine_.server_info().version);
  }
  visit_(record, recovered_);
  std::visit([this](const auto& one) { step(one); }, record);
  if (!is_input(record)) return;
  effects_.add(engine_.deliveries(), 0);
  engine_.take_deliveries(deliveries_);
  (void)engine_.take_deadlocks_found();
  recovered_.now_ns = engine_.now_ns();
  recovered_.stopped_in_order = false;
  ++recovered_.index;
  ++recovered_.inputs;
}

void Replay::step(const Call& input) {
  if (!has(input.session)) damaged("session " + std::to_string(input.session) + " is not open");
  if (input.sent_as.lane != 0) check_lane(input.session, input.sent_as.lane);
  reply_.clear();
  const Outcome outcome = engine_.step(input, reply_);
  // Refused for that, it would not have been recorded.
  const Object* object = engine_.registry().find(input.object);
  if (!outcome.changed && outcome.operation == operation_none && object != nullptr)
    refuse_operation(*object, input.op, engine_.server_info().version);
  effects_.add(outcome, reply_, 0);
}

void Replay::step(const SessionOpened& input) {
  if (input.session < engine_.next_session())
    damaged("session " + std::to_string(input.session) + " opens a second time");
  engine_.step(input);
}

void Replay::step(const LaneOpened& input) {
  if (!engine_.kept().has(input.session))
    damaged("session " + std::to_string(input.session) + " has no lanes");
  engine_.step(input);
}

void Replay::step(const StartRecord& record) {
  if (record.semantics != ops::semantics) refuse_meaning(record.semantics, record.input.server_info.version);
  const auto known = engine_.registry().types();
  for (const std::string& type : record.types)
    if (std::none_of(known.begin(), known.end(), [&](const Type* one) { return one->name == type; }))
      throw JournalError("the journal is of a manager with the hosted type " + type +
                         " of its own, which this one does not have (ServerOptions::types)");
  if (record.start != recovered_.start + 1)
    damaged("start " + std::to_string(record.start) + " follows start " + std::to_string(recovered_.start));
  engine_.step(record.input);
  recovered_.start = record.start;
  recovered_.semantics = record.semantics;
  recovered_.level = record.level;
}

void Replay::step(const StopRecord& record) {
  recovered_.stopped_in_order = true;
  recovered_.now_ns = std::max(recovered_.now_ns, record.now_ns);
}

void Replay::step(const CheckRecord& record) {
  is_checked_ = true;
  if (record.effects != effects_.value())
    damaged(
        "its inputs lead to other replies now than when it was written: this program understands them "
        "differently, or memory is broken");
}

}  // namespace

Recovered recover(Log& log, Engine& engine, const Recovered& from, const RecordVisitor& visit) {
  Replay replay(engine, from, visit);
  log.read(from.snapshot_batch + 1, [&](const Batch& batch) {
    replay.take(batch);
    return true;
  });
  return replay.recovered();
}

}  // namespace tandem::server
