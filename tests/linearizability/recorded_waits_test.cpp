// Histories of real processes that wait for each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/tandem.hpp"
#include "tests/linearizability/explanation.hpp"
#include "tests/linearizability/models.hpp"
#include "tests/linearizability/workers.hpp"

namespace tandem::test {
namespace {

using ::testing::Each;

// ---- lock -----------------------------------------------------------------------------------------------

using LockKind = LockModel::Kind;

/// One process with a lock: what it does next hangs on whether it holds it.
class LockUser {
 public:
  LockUser(Recording<LockModel>::Client& client, Lock lock, std::size_t number)
      : client_(client), lock_(std::move(lock)), owner_(static_cast<std::int64_t>(number) + 1) {}

  void step(Random& random) {
    if (held_ || random.one_in(8)) release();
    else if (random.one_in(2)) acquire(LockKind::acquire, [&] { return lock_.guard(); });
    else if (random.one_in(2)) acquire(LockKind::try_acquire, [&] { return lock_.try_guard(); });
    else acquire(LockKind::try_acquire, [&] { return lock_.try_guard_for(std::chrono::microseconds(100)); });
  }
  bool holds() const { return held_.owns_lock(); }
  /// Killed in the middle of an operation, before it or after it was done, with whatever it holds.
  void die_in_next_step(bool is_done) {
    client_.record_unknown({LockKind::die, owner_});
    client_.record({held_ ? LockKind::release : LockKind::acquire, owner_}, [&] {
      if (is_done && held_) held_.unlock();
      else if (is_done) held_ = lock_.guard();
      die();
      return LockModel::Result{};
    });
  }

  void release() {
    client_.record({LockKind::release, owner_}, [&] {
      try {
        held_ ? held_.unlock() : lock_.unlock();
        return LockModel::Result{true, 0, false};
      } catch (const NotOwner&) {
        return LockModel::Result{};
      }
    });
  }

 private:
  template <class Acquire>
  void acquire(LockKind kind, Acquire&& acquire) {
    client_.record({kind, owner_}, [&] {
      held_ = acquire();
      return LockModel::Result{held_.owns_lock(), static_cast<std::int64_t>(held_.token()),
                               held_.previous_owner_died()};
    });
  }
  Recording<LockModel>::Client& client_;
  Lock lock_;
  std::int64_t owner_;
  Guard<Lock> held_;
};

TEST(RecordedHistory, OfALockIsLinearizable) {
  constexpr std::size_t clients = 4, operations = 300;
  Manager manager;
  auto lock = manager.lock();
  Recording<LockModel> recording(clients, operations + 1);
  const auto exit_codes =
      run_workers<LockModel>(recording, clients, [&](auto& client, std::size_t n, Random& random) {
        LockUser user(client, lock, n);
        for (std::size_t i = 0; i < operations; ++i) user.step(random);
        if (user.holds()) user.release();  // for those who still wait
      });
  EXPECT_THAT(exit_codes, Each(0));
  EXPECT_EQ(refusal_of(recording.history()), "");
}

TEST(RecordedHistory, OfALockIsLinearizableThoughOwnersAreKilled) {
  constexpr std::size_t survivors = 3, victims = 8, operations = 120;
  Manager manager;
  auto lock = manager.lock();
  Recording<LockModel> recording(survivors + victims, operations + 2);
  const auto exit_codes = run_workers<LockModel>(recording, survivors + victims,
                                                 [&](auto& client, std::size_t n, Random& random) {
                                                   LockUser user(client, lock, n);
                                                   for (std::size_t i = 0; i < operations; ++i) {
                                                     if (n >= survivors && i == 5 * n)
                                                       user.die_in_next_step(n % 2 == 0);
                                                     user.step(random);
                                                   }
                                                   if (user.holds()) user.release();
                                                 });
  for (std::size_t n = 0; n < exit_codes.size(); ++n) EXPECT_EQ(exit_codes[n], n < survivors ? 0 : -SIGKILL);
  EXPECT_EQ(refusal_of(recording.history()), "");
  EXPECT_TRUE(lock.try_lock()) << "nobody holds it";
}

// ---- queue ----------------------------------------------------------------------------------------------

using QueueKind = QueueModel::Kind;
constexpr auto short_limit = std::chrono::microseconds(100);

/// One process with a queue. Every item is put once.
class QueueUser {
 public:
  QueueUser(Recording<QueueModel>::Client& client, Queue<std::int64_t> queue, std::size_t number)
      : client_(client), queue_(std::move(queue)), next_item_(static_cast<std::int64_t>(number) * 100'000) {}

  void put() {
    const std::int64_t item = next_item_++;
    client_.record({QueueKind::put, item}, [&] { return queue_.put(item), Outcome{true, 0}; });
  }
  void get() {
    client_.record({QueueKind::get}, [&] { return Outcome{true, queue_.get()}; });
  }
  /// These give whether it was done, now or within the limit.
  bool try_put(bool waits) {
    const std::int64_t item = next_item_++;
    return client_
        .record({QueueKind::try_put, item},
                [&] {
                  return Outcome{waits ? queue_.put_for(item, short_limit) : queue_.try_put(item), 0};
                })
        .done;
  }
  bool try_get(bool waits) {
    return client_
        .record({QueueKind::try_get},
                [&] {
                  const auto item = waits ? queue_.get_for(short_limit) : queue_.try_get();
                  return Outcome{item.has_value(), item.value_or(0)};
                })
        .done;
  }
  void size() {
    client_.record({QueueKind::size}, [&] {
      return Outcome{true, static_cast<std::int64_t>(queue_.size())};
    });
  }
  /// Killed in the middle of an operation, before it or after it was done.
  void die_in(QueueKind kind, bool is_done) {
    const std::int64_t item = next_item_++;
    client_.record({kind, item}, [&] {
      if (is_done) kind == QueueKind::try_put ? (void)queue_.try_put(item) : (void)queue_.try_get();
      die();
      return Outcome{};
    });
  }

 private:
  Recording<QueueModel>::Client& client_;
  Queue<std::int64_t> queue_;
  std::int64_t next_item_;
};

TEST(RecordedHistory, OfAQueueIsLinearizable) {
  constexpr std::size_t clients = 4, items_each = 150, maxsize = 3;
  Manager manager;
  auto queue = manager.queue<std::int64_t>(maxsize);
  Recording<QueueModel> recording(clients, 3 * items_each);
  // As many items are got as are put, so that nobody waits in vain.
  const auto exit_codes =
      run_workers<QueueModel>(recording, clients, [&](auto& client, std::size_t n, Random& random) {
        QueueUser user(client, queue, n);
        for (std::size_t i = 0; i < items_each; ++i) {
          if (random.one_in(10)) user.size();
          const bool tries = random.one_in(2), waits = random.one_in(2);
          if (n % 2 == 0 && !(tries && user.try_put(waits))) user.put();
          if (n % 2 == 1 && !(tries && user.try_get(waits))) user.get();
        }
      });
  EXPECT_THAT(exit_codes, Each(0));
  EXPECT_EQ(refusal_of(recording.history(), {{}, maxsize}), "");
  EXPECT_TRUE(queue.empty());
}

TEST(RecordedHistory, OfAQueueIsLinearizableThoughClientsAreKilled) {
  constexpr std::size_t survivors = 4, victims = 6, operations = 150, maxsize = 3;
  Manager manager;
  auto queue = manager.queue<std::int64_t>(maxsize);
  Recording<QueueModel> recording(survivors + victims, operations);
  const auto exit_codes = run_workers<QueueModel>(
      recording, survivors + victims, [&](auto& client, std::size_t n, Random& random) {
        QueueUser user(client, queue, n);
        for (std::size_t i = 0; i < operations; ++i) {
          if (n >= survivors && i == 5 * n)
            user.die_in(n % 2 == 0 ? QueueKind::try_put : QueueKind::try_get, n % 4 < 2);
          const bool waits = random.one_in(2);
          if (random.one_in(2)) user.try_put(waits);
          else user.try_get(waits);
        }
      });
  for (std::size_t n = 0; n < exit_codes.size(); ++n) EXPECT_EQ(exit_codes[n], n < survivors ? 0 : -SIGKILL);
  EXPECT_EQ(refusal_of(recording.history(), {{}, maxsize}), "");
}

}  // namespace
}  // namespace tandem::test
