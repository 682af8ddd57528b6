// A saved engine, loaded into another, goes on as the first would: the same inputs have the same replies, and lead to the
// same bytes, whatever the secret seed of the hashes is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/recorded.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;

/// Two engines that take the same inputs, of which the second was loaded from what the first had saved.
class Twins {
 public:
  explicit Twins(std::uint64_t seed) : seed_(seed), random_(seed), first_(memory_bytes_max_of(seed)) {}

  server::Engine& first() { return first_.engine(); }
  /// How often each operation has succeeded in the second.
  const std::vector<int>& times_ok() const { return times_ok_; }

  void take(const Input& input) {
    const std::string reply = first_.take(input);
    if (!second_) return;
    ASSERT_EQ(second_->take(input), reply);
    ASSERT_EQ(second_->changed(), first_.changed()) << "input of kind " << input.index() << ", " << reply;
  }
  void renew_second() {
    while (!first().registry().is_clean()) take(server::Tick{});
    const Packed state = saved(first());
    if (second_) {
      ASSERT_EQ(saved(second_->engine()), state);
      count();
    }
    second_.emplace(memory_bytes_max_of(seed_), random_());
    const std::size_t piece_bytes = random_() % 4 == 0 ? 1 + random_() % 7 : 1 + random_() % 10'000;
    server::Result<void> loaded = second_->engine().load(pieces_of(state.encoded, piece_bytes));
    ASSERT_TRUE(loaded) << loaded.failure().text;
    ASSERT_EQ(saved(second_->engine()), state);
    ASSERT_EQ(second_->engine().registry().memory_bytes(), first().registry().memory_bytes());
    expect_consistent(second_->engine());
  }

 private:
  void count() {
    times_ok_.resize(second_->times_ok().size());
    for (std::size_t i = 0; i < times_ok_.size(); ++i) times_ok_[i] += second_->times_ok()[i];
  }

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  RecordedEngine first_;
  std::optional<RecordedEngine> second_;
  std::vector<int> times_ok_;
};

/// Saves and loads at about `points` random places in a run. Returns how often each operation succeeded in an engine that
/// had been loaded.
std::vector<int> run_twins(std::uint64_t seed, int points) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Twins twins(seed);
  RandomInputs inputs(seed, twins.first());
  std::mt19937_64 random(seed);
  for (int point = 0; point < points && !::testing::Test::HasFatalFailure(); ++point) {
    for (std::uint64_t i = random() % 200; i != 0 && !::testing::Test::HasFatalFailure(); --i)
      twins.take(inputs.next());
    twins.renew_second();
  }
  return twins.times_ok();
}

class SavedEngine : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SavedEngine, GoesOnAsTheOneThatWasSaved) {
  (void)run_twins(GetParam(), 200);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SavedEngine, ::testing::Range(std::uint64_t{1}, std::uint64_t{13}));

TEST(SavedEngines, EveryOperationTakesPart) {
  Host host;
  const auto operations = host.engine().operations();
  std::set<std::string> missing;
  for (const server::Operation& operation : operations)
    if (operation.op->number != 0)  // creations run inside the manager's
      missing.insert(std::string(operation.type->name) + '.' + std::string(operation.op->signature));
  for (std::uint64_t seed = 100; seed < 300 && !missing.empty() && !HasFatalFailure(); ++seed) {
    const std::vector<int> times_ok = run_twins(seed, 100);
    for (std::size_t i = 0; i < times_ok.size(); ++i)
      if (times_ok[i] != 0)
        missing.erase(std::string(operations[i].type->name) + '.' + std::string(operations[i].op->signature));
  }
  EXPECT_THAT(missing, ::testing::IsEmpty());
}

// ---- damage -----------------------------------------------------------------------------------------------

/// Something of every type, with requests that wait.
std::string state_with_everything() {
  RecordedEngine engine(memory_bytes_max_of(1));
  RandomInputs inputs(5, engine.engine());
  for (int i = 0; i < 1'500; ++i) engine.take(inputs.next());
  while (!engine.engine().registry().is_clean()) engine.take(server::Tick{});
  EXPECT_GT(engine.engine().waits().size(), 2u);
  return saved(engine.engine()).encoded;
}

/// Why it cannot be loaded; empty if it can.
std::string load(std::string_view state) {
  RecordedEngine engine(memory_bytes_max_of(1), 99);
  server::Result<void> loaded = engine.engine().load(pieces_of(state));
  if (!loaded) return loaded.failure().text;
  // What was loaded can be used.
  (void)saved(engine.engine());
  return "";
}

TEST(DamagedState, CutAnywhereItIsRefused) {
  const std::string state = state_with_everything();
  ASSERT_EQ(load(state), "");
  for (std::size_t length = 0; length < state.size(); length += 1 + length / 2'000)
    ASSERT_THAT(load(std::string_view(state).substr(0, length)), HasSubstr("cannot be loaded")) << length;
  EXPECT_THAT(load(state + "x"), HasSubstr("its end is missing"));
}

// Which bit was wrong is for a checksum to tell. Here nothing may break.
TEST(DamagedState, AnyBitMayBeWrong) {
  const std::string state = state_with_everything();
  int refused = 0;
  for (std::size_t i = 0; i < state.size(); i += 1 + i / 2'000) {
    std::string damaged = state;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    if (!load(damaged).empty()) ++refused;
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace tandem::test
