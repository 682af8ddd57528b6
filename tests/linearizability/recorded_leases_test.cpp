// Histories of real processes that take items on lease, and are killed with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/tandem.hpp"
#include "tests/linearizability/explanation.hpp"
#include "tests/linearizability/lease_model.hpp"
#include "tests/linearizability/workers.hpp"

namespace tandem::test {
namespace {

using LeaseKind = LeaseModel::Kind;
using Result = LeaseModel::Result;

/// One process that takes an item at a time.
class Leaser {
 public:
  Leaser(Recording<LeaseModel>::Client client, Queue<std::int64_t> queue, std::size_t number)
      : client_(client), queue_(std::move(queue)), owner_(static_cast<std::int64_t>(number) + 1) {}

  void put(std::int64_t item) {
    client_.record({LeaseKind::put, item, owner_}, [&] { return queue_.put(item), Result{true}; });
  }
  void step(Random& random) {
    if (lease_) end(random.one_in(4) ? LeaseKind::give_back : LeaseKind::done);
    else try_lease();
  }
  /// Killed in the middle of an operation, before it or after it was done, with the item if it has one.
  void die_in_next_step(bool is_done) {
    client_.record_unknown({LeaseKind::die, 0, owner_});
    client_.record({lease_ ? LeaseKind::done : LeaseKind::try_lease, lease_ ? *lease_ : 0, owner_}, [&] {
      if (is_done && lease_) lease_.done();
      else if (is_done) take();
      die();
      return Result{};
    });
  }
  void try_lease() {
    client_.record({LeaseKind::try_lease, 0, owner_}, [&] { return take(); });
  }
  /// Waits for an item and is done with it.
  void lease_and_finish() {
    client_.record({LeaseKind::try_lease, 0, owner_}, [&] {
      lease_ = queue_.get_leased();
      return Result{true, *lease_, static_cast<std::int64_t>(lease_.deliveries())};
    });
    end(LeaseKind::done);
  }
  void finish() {
    if (lease_) end(LeaseKind::done);
  }

 private:
  Result take() {
    auto lease = queue_.try_get_leased();
    if (!lease) return {};
    lease_ = std::move(lease);
    return {true, *lease_, static_cast<std::int64_t>(lease_.deliveries())};
  }
  void end(LeaseKind kind) {
    client_.record({kind, *lease_, owner_}, [&] {
      kind == LeaseKind::done ? lease_.done() : lease_.give_back();
      return Result{true};
    });
  }

  Recording<LeaseModel>::Client client_;
  Queue<std::int64_t> queue_;
  std::int64_t owner_;
  Lease<std::int64_t> lease_;
};

TEST(RecordedHistory, OfLeasedItemsIsLinearizableThoughOwnersAreKilled) {
  constexpr std::size_t producer = 0, survivors = 4, victims = 4, last = survivors + victims, items = 60;
  Manager manager;
  auto queue = manager.queue<std::int64_t>();
  Recording<LeaseModel> recording(last + 1, 6 * items);
  const auto exit_codes =
      run_workers<LeaseModel>(recording, last, [&](auto& client, std::size_t n, Random& random) {
        Leaser leaser(client, queue, n);
        for (std::size_t i = 0; i < items; ++i) {
          if (n == producer) leaser.put(static_cast<std::int64_t>(i) + 1);
          else leaser.step(random);
          if (n >= survivors && i == 4 * n) leaser.die_in_next_step(n % 2 == 0);
        }
        leaser.finish();
      });
  for (std::size_t n = 0; n < exit_codes.size(); ++n) EXPECT_EQ(exit_codes[n], n < survivors ? 0 : -SIGKILL);
  Leaser rest(recording.client(last), queue, last);
  while (queue.unfinished() != 0) rest.lease_and_finish();
  EXPECT_EQ(refusal_of(recording.history()), "");
  EXPECT_EQ(queue.leased(), 0u);
  EXPECT_TRUE(queue.empty());
}

TEST(SeededBug, AnItemThatIsGivenOutWhileItIsOnLeaseIsCaught) {
  const History<LeaseModel> history{
      {0, {LeaseKind::put, 7, 1}, 0, 1, Result{true}},
      {1, {LeaseKind::try_lease, 0, 2}, 2, 3, Result{true, 7, 1}},
      {1, {LeaseKind::die, 0, 2}, 4},
      {2, {LeaseKind::try_lease, 0, 3}, 5, 6, Result{true, 7, 2}},
      {0, {LeaseKind::try_lease, 0, 1}, 7, 8, Result{true, 7, 3}},
  };
  EXPECT_EQ(check(prefix_of(history, 6)), Verdict::linearizable);
  EXPECT_THAT(refusal_of(history),
              ::testing::HasSubstr("Then the queue holds 7 (on lease to 3), and one of these would "
                                   "have to be next:\n  client 0  try_lease() by 1 → 7, "
                                   "delivery 3, but would give empty\n"));
}

}  // namespace
}  // namespace tandem::test
