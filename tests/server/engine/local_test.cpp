// A call that is said to be local changes no object but its own: a reader of another one need not wait for it.

#include <gtest/gtest.h>

#include <map>

#include "tests/server/engine/recorded.hpp"

namespace tandem::test {
namespace {

std::map<ObjectId, std::string> contents_of(const server::Engine& engine) {
  std::map<ObjectId, std::string> contents;
  engine.registry().each(ops::Manager::id, [&](const server::Object& object) {
    contents[object.id()] = saved(object).encoded + std::to_string(object.waiters());
    return true;
  });
  return contents;
}

class LocalCalls : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(LocalCalls, ChangeNoOtherObject) {
  constexpr int steps = 3'000;
  RecordedEngine recorded(20'000'000);
  RandomInputs inputs(GetParam(), recorded.engine());
  std::map<ObjectId, std::string> before;
  int local_changes = 0, local_reads = 0;
  for (int i = 0; i < steps && !HasFailure(); ++i) {
    const Input input = inputs.next();
    recorded.take(input);
    std::map<ObjectId, std::string> after = contents_of(recorded.engine());
    if (recorded.is_local()) {
      const ObjectId own = std::get<RecordedCall>(input).object;
      before.erase(own);
      std::map<ObjectId, std::string> others = after;
      others.erase(own);
      EXPECT_EQ(before, others) << "input " << i << " of object " << own;
      ++(recorded.changed() ? local_changes : local_reads);
    }
    before = std::move(after);
  }
  EXPECT_GT(local_changes, steps / 20);
  EXPECT_GT(local_reads, steps / 20);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LocalCalls, ::testing::Range(std::uint64_t{1}, std::uint64_t{9}));

}  // namespace
}  // namespace tandem::test
