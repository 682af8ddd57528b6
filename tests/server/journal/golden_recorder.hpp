#pragma once
// Records a journal to be kept (golden.hpp). Of many random inputs it takes those that are answered in a way not seen
// before, so that few inputs show much: every operation, and what each refuses.

#include <fstream>
#include <map>
#include <optional>
#include <random>

#include "tests/server/journal/golden.hpp"
#include "tests/server/journal/journalled_engine.hpp"

namespace tandem::test {

class GoldenRecorder {
 public:
  struct Options {
    std::uint64_t seed = 1;
    JournalLevel level = JournalLevel::disk;
    Limits limits = JournalledEngine::small_limits();
    std::uint64_t candidates = 10'000;  // inputs to choose from
  };

  /// Works in `folder`, which it creates.
  GoldenRecorder(std::string folder, const Options& options)
      : folder_(std::move(folder)), options_(options), random_(options.seed) {}

  /// A manager that is killed; then one that goes on, makes a snapshot, goes on, and is killed. `into`: the folder of
  /// the files that it leaves, which is created.
  void record(const std::string& into) {
    live(options_.candidates / 4, false);
    live(options_.candidates / 4, true);
    copy_journal(folder_, into);
    const std::unique_ptr<server::SqliteLog> log = open_golden(folder_);
    const Answers answers(*log);
    std::ofstream file(into + "/answers");
    for (const std::string& line : answers.lines()) file << line << '\n';
  }
  /// Whether the operation has succeeded, alone or as a step. `operation`: its index in Engine::operations().
  bool has_succeeded(std::uint16_t operation) const {
    return times_.contains({operation, Code::ok}) || times_.contains({operation, Code::ok, true});
  }

 private:
  /// What an input has led to: how a call was answered, or one that had waited. One for each kind of input besides.
  struct Effect {
    std::uint16_t operation = server::operation_none;
    Code code = Code::ok;
    bool had_waited = false;
    bool waits = false;
    std::size_t kind = 0;
    auto operator<=>(const Effect&) const = default;
  };
  using Effects = std::vector<Effect>;

  static constexpr std::uint64_t batch_inputs = 150;

  /// Takes half of the candidates before the snapshot.
  void live(std::uint64_t candidates, bool makes_snapshot) {
    const std::unique_ptr<server::SqliteLog> log = open_golden(folder_);
    running_.emplace(*log, options_.level, options_.limits);
    trial_.reset();
    operation_of_.clear();
    RandomInputs inputs(options_.seed * 2 + (makes_snapshot ? 1 : 0), running_->engine());
    for (std::uint64_t i = 0; i < candidates; ++i) consider(inputs.next());
    if (makes_snapshot) make_snapshot(*log);
    for (std::uint64_t i = 0; i < candidates; ++i) consider(inputs.next());
    running_->commit();
    running_.reset();
  }
  /// Between two files of the log, as a manager does.
  void make_snapshot(server::SqliteLog& log) {
    tick_until_clean();
    running_->commit();
    server::SnapshotHeader header = running_->journal().describe_state();
    header.store = log.store();
    const server::Snapshots snapshots(folder_);
    write_snapshot(snapshots.part_path(header.position.batch), header, running_->engine());
    snapshots.keep(header.position.batch);
    ASSERT_EQ(log.rotate(), server::AppendStatus::ok) << log.failure();
  }
  void tick_until_clean() {
    while (!running_->engine().registry().is_clean()) {
      running_->take(server::Tick{});
      trial_.reset();
    }
  }

  /// Takes the input if its effects are wanted, which an engine in the same state tells.
  void consider(Input input) {
    if (auto* opened = std::get_if<server::SessionOpened>(&input))
      opened->session = std::max(opened->session, running_->engine().next_session());
    if (auto* call = std::get_if<RecordedCall>(&input)) {
      if (call->arguments.size() > 200 && random_() % 10 != 0) return;
      record_as_step(*call);
    }
    const Effects effects = try_out(input);
    if (effects.empty() || !is_wanted(effects)) return;
    for (const Effect& one : effects) ++times_[one];
    running_->take(input);
    trial_is_ahead_ = false;
    if (const auto* call = std::get_if<RecordedCall>(&input)) record_contents(*call);
    if (running_->journal().index() - committed_ < batch_inputs) return;
    running_->commit();
    committed_ = running_->journal().index();
  }
  /// What is new; and of the rest a part: more of what builds up objects on which something has not succeeded yet.
  bool is_wanted(const Effects& effects) {
    if (made_ != nullptr && count_of(*made_) == 1) return true;
    for (const Effect& one : effects)
      if (times_[one] < (one.code == Code::ok ? 5 : 1)) return true;
    const server::Type* type = made_;
    if (type == nullptr && effects[0].operation != server::operation_none)
      type = running_->engine().operations()[effects[0].operation].type;
    const bool shrinks = trial_->registry().memory_bytes() < running_->engine().registry().memory_bytes();
    const bool is_of_use = type != nullptr && !shrinks && !is_complete(*type);
    return random_() % (!is_of_use ? 300 : made_ != nullptr ? 4 : 15) == 0;
  }
  /// Whether each of the type's operations has succeeded.
  bool is_complete(const server::Type& type) {
    const auto operations = running_->engine().operations();
    for (std::uint16_t i = 0; i < operations.size(); ++i)
      if (operations[i].type == &type && operations[i].op->number != 0 && !has_succeeded(i)) return false;
    return true;
  }
  std::size_t count_of(const server::Type& type) const {
    std::size_t count = 0;
    trial_->registry().each(ops::Manager::id, [&](const server::Object& object) {
      count += &object.type() == &type ? 1 : 0;
      return true;
    });
    return count;
  }
  /// What a call has made of its object: not every change shows in a reply.
  void record_contents(const RecordedCall& changed) {
    if (changed.object == ops::Manager::id || running_->outcome().code != Code::ok) return;
    RecordedCall call{changed.session, changed.actor, ops::Manager::id,
                      ops::Manager::Contents::description.number, list(changed.object).encoded};
    call.now_ns = changed.now_ns;
    make_step(call);
    running_->take(call);
    trial_.reset();
  }
  /// A read changes nothing, and so is recorded as a step of manager.run only.
  void record_as_step(RecordedCall& call) {
    const server::Engine& engine = running_->engine();
    const std::uint16_t operation = engine.operation_of(call.object, call.op);
    if (operation != server::operation_none &&
        engine.operations()[operation].op->effect == ops::Effect::reads && random_() % 8 != 0)
      make_step(call);
  }
  static void make_step(RecordedCall& call) {
    const Packed step = list(call.object, call.op, bytes(call.arguments), nullptr, call.token);
    call.arguments = list(list(step), 0).encoded;
    call.object = ops::Manager::id;
    call.op = ops::Manager::Run::description.number;
    call.token = 0;
  }

  // ---- an engine to try inputs in ---------------------------------------------------------------------------

  /// Empty if it changes nothing, so that it would not be recorded.
  Effects try_out(const Input& input) {
    if (!trial_ || trial_is_ahead_) copy_engine();
    Effects effects;
    made_ = nullptr;
    trial_is_ahead_ = std::visit([&](const auto& one) { return try_out(one, effects); }, input);
    if (!trial_is_ahead_) return {};
    server::Deliveries delivered;
    trial_->take_deliveries(delivered);
    for (const server::Deliveries::Delivery& one : delivered.all())
      effects.push_back({.operation = operation_of_[one.ticket], .code = one.code, .had_waited = true});
    if (effects.empty()) effects.push_back({.kind = input.index() + 1});
    return effects;
  }
  void copy_engine() {
    tick_until_clean();
    const Packed state = saved(running_->engine());
    trial_ = engine_for_replay();
    const server::Result<void> loaded = trial_->load(pieces_of(state.encoded));
    TANDEM_ASSERT(loaded);
  }
  std::uint64_t engine_time(std::uint64_t now_ns) {
    return std::max(running_->journal().to_engine_ns(now_ns), running_->engine().now_ns());
  }
  template <class OtherInput>
  bool try_out(OtherInput input, Effects&) {
    input.now_ns = engine_time(input.now_ns);
    if constexpr (std::is_void_v<decltype(trial_->step(input))>) return trial_->step(input), true;
    else return trial_->step(input);
  }
  bool try_out(const RecordedCall& recorded, Effects& effects) {
    server::Call call = recorded.call();
    call.now_ns = engine_time(call.now_ns);
    const std::vector<std::uint16_t> called = operations_of(*trial_, call);
    wire::Buffer reply;
    const server::Outcome outcome = trial_->step(call, reply);
    effects.push_back({.operation = called[0], .code = outcome.code, .waits = outcome.parked != 0});
    if (outcome.parked != 0) operation_of_[outcome.parked] = called[0];
    if (outcome.code == Code::ok && call.object == ops::Manager::id &&
        call.op == ops::Manager::Create::description.number)
      server::for_each_reference(reply.view(), [&](wire::Reference reference) {
        made_ = &trial_->registry().find(reference.id)->type();
      });
    const std::vector<Code> codes =
        outcome.code == Code::ok ? codes_of_steps(reply.view()) : std::vector<Code>();
    for (std::size_t i = 0; i < codes.size() && i + 1 < called.size(); ++i)
      effects.push_back({.operation = called[i + 1], .code = codes[i]});
    return outcome.changed;
  }
  const std::string folder_;
  const Options options_;
  std::mt19937_64 random_;
  std::optional<JournalledEngine> running_;
  std::unique_ptr<server::Engine> trial_;
  bool trial_is_ahead_ = false;
  const server::Type* made_ = nullptr;  // of the object that the input tried last created, if any
  std::uint64_t committed_ = 0;
  std::map<Effect, int> times_;
  std::map<server::Ticket, std::uint16_t> operation_of_;
};

}  // namespace tandem::test
