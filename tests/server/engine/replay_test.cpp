// The engine is deterministic: the inputs of a long random run, taken in again by a fresh engine, give the same replies
// and the same state, byte for byte.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/server/engine/consistency.hpp"
#include "tests/server/engine/recorded.hpp"

namespace tandem::test {
namespace {

using server::Engine;

constexpr int steps = 40'000;

struct Recording {
  std::vector<Input> inputs;
  std::vector<std::string>
      replies;  // code, operation, bytes, if it was a call; then those to requests that had waited
  std::string state;
  std::vector<int> times_ok;  // by operation
};

/// An engine that writes down what it does.
class Recorder {
 public:
  explicit Recorder(std::uint64_t memory_bytes_max, std::uint64_t hash_seed = 1)
      : recorded_(memory_bytes_max, hash_seed) {}

  const Engine& engine() { return recorded_.engine(); }
  void take(const Input& input) {
    recording_.inputs.push_back(input);
    recording_.replies.push_back(recorded_.take(input));
  }
  Recording finish() {
    recording_.state = saved(recorded_.engine()).encoded;
    recording_.times_ok = recorded_.times_ok();
    return std::move(recording_);
  }

 private:
  RecordedEngine recorded_;
  Recording recording_;
};

Recording record(std::uint64_t seed) {
  Recorder recorder(memory_bytes_max_of(seed));
  RandomInputs inputs(seed, recorder.engine());
  auto check = [&] {
    while (!recorder.engine().registry().is_clean()) recorder.take(server::Tick{});
    expect_consistent(recorder.engine());
  };
  for (int i = 0; i < steps; ++i) {
    recorder.take(inputs.next());
    if (i % 1'000 == 0) check();
  }
  check();
  return recorder.finish();
}

Recording replay(const std::vector<Input>& inputs, std::uint64_t seed, std::uint64_t hash_seed = 1) {
  Recorder recorder(memory_bytes_max_of(seed), hash_seed);
  for (const Input& input : inputs) recorder.take(input);
  return recorder.finish();
}

/// Where two recordings part: the first reply that differs, or the number of replies where only the state does. None if
/// they are the same.
std::optional<std::size_t> difference(const Recording& a, const Recording& b) {
  const auto [left, right] =
      std::mismatch(a.replies.begin(), a.replies.end(), b.replies.begin(), b.replies.end());
  if (left != a.replies.end() || right != b.replies.end())
    return static_cast<std::size_t>(left - a.replies.begin());
  return a.state == b.state ? std::nullopt : std::optional(a.replies.size());
}

class Replay : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(Replay, GivesTheSameRepliesAndTheSameState) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  const Recording first = record(GetParam());
  const Recording second = replay(first.inputs, GetParam());
  EXPECT_EQ(difference(first, second), std::nullopt);
  EXPECT_GT(first.state.size(), 500u);
}

TEST_P(Replay, ShowsNothingOfTheHashSeed) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  const Recording first = record(GetParam());
  EXPECT_EQ(difference(first, replay(first.inputs, GetParam(), 0xfeed)), std::nullopt);
}

/// Reads, refused requests and ticks with nothing to do may be left out: an engine that takes only the inputs of which the
/// first said that they changed something has the same replies to these, and ends in the same state.
TEST_P(Replay, NeedsNoInputThatChangedNothing) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  RecordedEngine first(memory_bytes_max_of(GetParam()));
  RecordedEngine second(memory_bytes_max_of(GetParam()));
  RandomInputs inputs(GetParam(), first.engine());
  int left_out = 0;
  for (int i = 0; i < steps && !HasFatalFailure(); ++i) {
    Input input = inputs.next();
    if (i % 1'000 == 999) {
      Limits limits = first.engine().limits();
      limits.objects_max = 100 + static_cast<std::uint64_t>(i) % 100;
      server::ServerInfo info = first.engine().server_info();
      info.pid += 1;
      input = server::Started{info, limits, first.engine().now_ns() + 1};
    }
    const std::string reply = first.take(input);
    if (!first.changed()) ++left_out;
    else ASSERT_EQ(second.take(input), reply) << "input " << i;
  }
  EXPECT_GT(left_out, steps / 20);
  EXPECT_EQ(saved(first.engine()), saved(second.engine()));
}

INSTANTIATE_TEST_SUITE_P(Seeds, Replay, ::testing::Range(std::uint64_t{1}, std::uint64_t{7}));

TEST(Recording, ADroppedInputIsNoticed) {
  const Recording first = record(3);
  int dropped = 0;
  for (std::size_t i = 0; i < first.inputs.size() && dropped < 5; i += i / 2 + 1) {
    // Any call that makes an object: the ids of all that follow depend on it.
    auto made_one = [](const std::string& reply) {
      return reply.starts_with("ok 0 ") && reply.ends_with('\xc3');
    };
    auto made =
        std::find_if(first.replies.begin() + static_cast<std::ptrdiff_t>(i), first.replies.end(), made_one);
    if (made == first.replies.end()) break;
    Recording without = first;
    without.inputs.erase(without.inputs.begin() + (made - first.replies.begin()));
    without.replies.erase(without.replies.begin() + (made - first.replies.begin()));
    EXPECT_NE(difference(without, replay(without.inputs, 3)), std::nullopt)
        << "input " << made - first.replies.begin();
    ++dropped;
  }
  EXPECT_EQ(dropped, 5);
}

TEST(Recording, AChangedArgumentIsNoticed) {
  Recorder recorder(memory_bytes_max_of(0));
  RecordedCall create{1, 1, ops::Manager::id, ops::Manager::Create::description.number,
                      list("list", list(), list(list(1))).encoded};
  recorder.take(server::SessionOpened{1, 0, 0});
  recorder.take(create);
  const Recording first = recorder.finish();
  std::vector<Input> inputs = first.inputs;
  std::get<RecordedCall>(inputs[1]).arguments = list("list", list(), list(list(2))).encoded;
  EXPECT_EQ(difference(first, replay(inputs, 0)), std::optional<std::size_t>(2));  // in the state alone
}

TEST(Recording, EveryOperationIsAmongTheCallsThatSucceed) {
  std::vector<int> times_ok;
  for (std::uint64_t seed = 1; seed < 49; ++seed) {
    const Recording recording = record(seed);
    times_ok.resize(recording.times_ok.size());
    for (std::size_t i = 0; i < times_ok.size(); ++i) times_ok[i] += recording.times_ok[i];
  }
  Host host;
  const auto operations = host.engine().operations();
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (operations[i].op->number == 0) continue;  // creations run inside the manager's
    EXPECT_GT(times_ok[i], 0) << operations[i].type->name << '.' << operations[i].op->signature;
  }
}

}  // namespace
}  // namespace tandem::test
