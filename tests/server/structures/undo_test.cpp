// What is taken back is taken back whole: random steps, made and undone, leave an engine that cannot be told from one that
// never saw them. And what is not undone is what the same calls do one by one.

#include <gtest/gtest.h>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/host.hpp"
#include "tests/server/engine/random_calls.hpp"

namespace tandem::test {
namespace {

using ops::RunMode;
using server::Engine;

/// An engine that takes inputs and tells what it replied.
class Machine {
 public:
  Machine() : engine_(limits_, Host::server_info(), server::hosted_types()) {}
  const Engine& engine() const { return engine_; }

  std::string take(const Input& input) {
    const std::string replied =
        std::visit([this](const auto& one) { return step(one); }, input) + deliveries();
    clean_up();
    return replied;
  }
  Reply run(server::SessionId session, const std::vector<Packed>& steps, RunMode mode) {
    const Packed arguments = list(list_of(steps), static_cast<int>(mode));
    wire::Buffer out;
    const server::Outcome outcome = engine_.step(
        server::Call{session, 0, ops::Manager::id, ops::Manager::Run::description.number, arguments.bytes()},
        out);
    clean_up();
    return {outcome.code, {std::string(wire::as_text(out.view()))}};
  }
  /// State, memory and versions.
  std::string everything() const {
    return saved(engine_).encoded + " " + std::to_string(engine_.registry().memory_bytes());
  }

 private:
  /// What is let go of in large pieces takes some steps more to be gone, undone or not. And waits that are due end here each
  /// time, not only when there is something to free.
  void clean_up() {
    do engine_.step(server::Tick{});
    while (!engine_.registry().is_clean());
  }
  template <class OtherInput>
  std::string step(const OtherInput& input) {
    engine_.step(input);
    return "";
  }
  std::string step(const RecordedCall& call) {
    wire::Buffer out;
    const server::Outcome outcome = engine_.step(call.call(), out);
    return std::string(name_of(outcome.code)) + ' ' + std::string(wire::as_text(out.view()));
  }
  std::string deliveries() {
    server::Deliveries taken;
    engine_.take_deliveries(taken);
    std::string text;
    for (const server::Deliveries::Delivery& one : taken.all())
      text += "; " + std::to_string(one.ticket) + ' ' + std::string(wire::as_text(taken.payload(one)));
    return text;
  }

  static Limits limits() {
    Limits limits;
    limits.memory_bytes_max = 20'000'000;
    limits.objects_max = 60;
    limits.outbox_bytes_max = 100'000;
    return limits;
  }
  const Limits limits_ = limits();
  Engine engine_;
};

/// An engine that is used at random, and what it took and replied.
class Life {
 public:
  explicit Life(std::uint64_t seed) : inputs_(seed, machine.engine()) {}

  void go_on(int steps) {
    for (int i = 0; i < steps; ++i) {
      const Input input = inputs_.next();
      taken.push_back(input);
      replies.push_back(machine.take(input));
    }
  }
  /// 0: none.
  server::SessionId session() const {
    server::SessionId found = 0;
    machine.engine().registry().each_session([&](server::SessionId id, const auto&) { found = id; });
    return found;
  }
  /// Random calls that succeed one after the other; none where there is nobody to make them.
  std::vector<RecordedCall> calls(std::size_t most) {
    std::vector<RecordedCall> good;
    for (int tries = 0; session() != 0 && tries < 200 && good.size() < most; ++tries) {
      RecordedCall one = inputs_.call();
      one.session = session();
      one.token = 0;
      good.push_back(one);
      if (run(steps(good), RunMode::trial).code != Code::ok) good.pop_back();
    }
    return good;
  }
  /// Their results are not wanted, so that no references in them are counted.
  static std::vector<Packed> steps(const std::vector<RecordedCall>& calls) {
    std::vector<Packed> all;
    for (const RecordedCall& one : calls)
      all.push_back(list(one.object, one.op, bytes(one.arguments), false));
    return all;
  }
  Reply run(const std::vector<Packed>& steps, RunMode mode) { return machine.run(session(), steps, mode); }

  Machine machine;
  std::vector<Input> taken;
  std::vector<std::string> replies;

 private:
  RandomInputs inputs_;
};

class Undoing : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  Life life_{GetParam()};
};

TEST_P(Undoing, ATrialLeavesNoTrace) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  std::size_t tried = 0;
  for (int round = 0; round < 60; ++round) {
    life_.go_on(60);
    const std::string before = life_.machine.everything();
    tried += life_.calls(12).size();
    ASSERT_EQ(life_.machine.everything(), before) << "round " << round;
    expect_consistent(life_.machine.engine());
  }
  EXPECT_GT(tried, 300u);
  // Nor later: an engine without any trials goes the same way.
  Machine other;
  for (std::size_t i = 0; i < life_.taken.size(); ++i)
    ASSERT_EQ(other.take(life_.taken[i]), life_.replies[i]) << "input " << i;
  EXPECT_EQ(other.everything(), life_.machine.everything());
}

TEST_P(Undoing, ACommitWhoseLastStepFailsLeavesNoTrace) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  const Packed conflict = list(ops::Manager::id, ops::Manager::Ping::description.number,
                               bytes(list().encoded), bytes("another result"));
  const Packed failure =
      list(ops::Manager::id, ops::Manager::Get::description.number, bytes(list("never made").encoded));
  for (int round = 0; round < 40; ++round) {
    life_.go_on(60);
    if (life_.session() == 0) continue;
    std::vector<Packed> sink = Life::steps(life_.calls(10));
    sink.push_back(round % 2 == 0 ? conflict : failure);
    const std::string before = life_.machine.everything();
    const Reply reply = life_.run(sink, RunMode::all_or_nothing);
    EXPECT_EQ(reply.code, round % 2 == 0 ? Code::conflict : Code::not_found);
    EXPECT_NE(reply.text().find("nothing was changed"), std::string::npos);
    ASSERT_EQ(life_.machine.everything(), before) << "round " << round;
    expect_consistent(life_.machine.engine());
  }
}

TEST_P(Undoing, ACommitIsTheSameCallsOneByOne) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  Machine one_by_one;
  std::size_t told = 0;
  for (int round = 0; round < 40; ++round) {
    life_.go_on(40);
    for (; told < life_.taken.size(); ++told) one_by_one.take(life_.taken[told]);
    if (life_.session() == 0) continue;
    const std::vector<RecordedCall> sink = life_.calls(10);
    const Reply reply = life_.run(Life::steps(sink), RunMode::all_or_nothing);
    ASSERT_EQ(reply.code, Code::ok) << reply.text();
    // As a step of a batch whose result nobody wants, a call's references are not counted either.
    for (const RecordedCall& call : sink)
      ASSERT_EQ(one_by_one.run(life_.session(), Life::steps({call}), RunMode::each).code, Code::ok);
    ASSERT_EQ(life_.machine.everything(), one_by_one.everything()) << "round " << round;
    expect_consistent(life_.machine.engine());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Undoing, ::testing::Range(std::uint64_t{1}, std::uint64_t{9}));

TEST(UndoingAll, EveryChangeThatCanBeUndoneIsAmongThem) {
  std::map<std::pair<const server::Type*, std::uint16_t>, int> times;
  const server::Engine* engine = nullptr;
  std::vector<std::unique_ptr<Life>> lives;
  for (std::uint64_t seed = 1; seed < 25; ++seed) {
    Life& life = *lives.emplace_back(std::make_unique<Life>(seed));
    engine = &life.machine.engine();
    for (int round = 0; round < 240; ++round) {
      life.go_on(60);
      for (const RecordedCall& call : life.calls(20))
        if (const server::Object* object = engine->registry().find(call.object))
          ++times[{&object->type(), call.op}];
    }
  }
  int changes = 0;
  for (const auto& [type, op] : engine->operations()) {
    const bool changing = op->effect == ops::Effect::writes || op->effect == ops::Effect::frees;
    if (!type->can_undo || !changing || op->number == 0) continue;
    ++changes;
    EXPECT_GT((times[{type, op->number}]), 0) << type->name << '.' << op->signature;
  }
  EXPECT_GT(changes, 40);
}

}  // namespace
}  // namespace tandem::test
