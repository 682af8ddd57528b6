// A manager with a journal is killed again and again, each time after a random number of microseconds, and started again,
// while clients write that know nothing of it: no call fails, everything was done once, money is conserved, and tokens
// grow. tests/crash/run.sh runs many cycles.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "tandem/tandem.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"
#include "tests/support/sanitized.hpp"

namespace tandem {
namespace {

using test::Program;

constexpr int clients = 8;
constexpr int sessions = 4;
constexpr int accounts = 4;
constexpr std::int64_t money = 1000;
constexpr int cycles_per_round = 25;  // after which everything is checked

int cycles_wanted() {
  const char* wanted = std::getenv("TANDEM_CRASH_CYCLES");
  return wanted == nullptr ? (test::sanitized ? 25 : 100) : std::atoi(wanted);
}

/// The objects that clients write to.
struct Objects {
  explicit Objects(const Manager& manager)
      : sums(manager.dict<int, std::int64_t>("sums")),
        numbers(manager.list<std::int64_t>("numbers")),
        balances(manager.dict<int, std::int64_t>("balances")),
        lock(manager.lock("lock")),
        guarded(manager.value<std::int64_t>("guarded", 0)),
        jobs(manager.queue<std::int64_t>("jobs")),
        jobs_done(manager.list<std::int64_t>("jobs done")) {}

  Dict<int, std::int64_t> sums;
  List<std::int64_t> numbers;
  Dict<int, std::int64_t> balances;
  Lock lock;
  Value<std::int64_t> guarded;
  Queue<std::int64_t> jobs;
  List<std::int64_t> jobs_done;
};

/// What one client has done.
struct Done {
  std::int64_t additions = 0;
  std::int64_t guarded = 0;
  std::uint64_t token = 0;  // of the last grant
  std::multiset<std::int64_t> numbers;
  std::multiset<std::int64_t> jobs_put;
  std::multiset<std::int64_t> jobs_done;
  std::string failure;
};

/// One thread that writes until it is told to stop.
class Writer {
 public:
  /// `calls`: of all clients.
  Writer(const Manager& manager, int who, unsigned seed, std::atomic<std::int64_t>& next_number,
         std::atomic<std::int64_t>& calls)
      : manager_(manager),
        objects_(manager),
        who_(who),
        random_(seed),
        next_number_(next_number),
        calls_(calls) {}

  Done run(const std::atomic<bool>& stop) {
    try {
      for (; !stop; ++calls_) write_once();
    } catch (const std::exception& error) {
      done_.failure = error.what();
      ++calls_;  // so that nobody waits for one
    }
    return std::move(done_);
  }

 private:
  void write_once() {
    switch (random_() % 7) {
      case 0: return add();
      case 1: return push();
      case 2: return write_guarded();
      case 3: return put_job();
      case 4: return do_job();
      case 5: return push_many();
      default: return transfer();
    }
  }
  void add() {
    objects_.sums[who_] += 1;
    ++done_.additions;
  }
  void push() {
    const std::int64_t number = next_number_++;
    objects_.numbers.push_back(number);
    done_.numbers.insert(number);
  }
  void push_many() {
    Pipeline pipeline = manager_.pipeline();
    auto numbers = pipeline(objects_.numbers);
    for (int i = 0; i < 10; ++i) {
      const std::int64_t number = next_number_++;
      numbers.push_back(number);
      done_.numbers.insert(number);
    }
    pipeline.wait();
  }
  void write_guarded() {
    const auto held = objects_.lock.guard();
    EXPECT_GT(held.grant().token, done_.token);
    done_.token = held.grant().token;
    EXPECT_FALSE(held.grant().previous_owner_died);
    const std::int64_t before = objects_.guarded.load();
    objects_.guarded.store(before + 1);
    ++done_.guarded;
  }
  void put_job() {
    const std::int64_t job = next_number_++;
    objects_.jobs.put(job);
    done_.jobs_put.insert(job);
  }
  void do_job() {
    Lease<std::int64_t> lease = objects_.jobs.get_leased_for(std::chrono::milliseconds(1));
    if (!lease) return;
    objects_.jobs_done.push_back(*lease);
    done_.jobs_done.insert(*lease);
    lease.done();
  }
  void transfer() {
    const int payer = static_cast<int>(random_() % accounts);
    const int payee = static_cast<int>(random_() % accounts);
    const auto amount = static_cast<std::int64_t>(random_() % 50);
    manager_.atomically([&](Transaction& tx) {
      auto balances = tx(objects_.balances);
      balances[payer] -= amount;
      balances[payee] += amount;
    });
  }

  const Manager& manager_;
  Objects objects_;
  const int who_;
  std::minstd_rand random_;
  std::atomic<std::int64_t>& next_number_;
  std::atomic<std::int64_t>& calls_;
  Done done_;
};

class CrashTest : public testing::TestWithParam<JournalLevel> {
 protected:
  std::string address() const { return "unix:" + folder_.path("socket"); }
  void start() {
    program_.emplace(std::vector<std::string>{test::beside_the_test("tandemd"), "--listen", address(),
                                              "--journal", folder_.path("journal"), "--journal-level",
                                              std::string(name_of(GetParam())), "--recovery-ms-max", "100",
                                              "--log-level", "error"});
    ASSERT_NE(program_->read_line(), "") << program_->errors;
  }
  void kill() {
    program_->signal(SIGKILL);
    program_->wait();
  }

  /// Clients write while the manager is killed so many times.
  std::array<Done, clients> write_through_crashes(int cycles) {
    std::array<Done, clients> done;
    std::atomic<bool> stop{false};
    std::vector<Manager> managers;
    for (int i = 0; i < sessions; ++i)
      managers.emplace_back(address(), Options{.reconnect = std::chrono::minutes(2)});
    std::vector<std::thread> threads;
    for (int who = 0; who < clients; ++who)
      threads.emplace_back([&, who, seed = static_cast<unsigned>(random_())] {
        done[who] = Writer(managers[who % sessions], who, seed, next_number_, calls_).run(stop);
      });
    for (int i = 0; i < cycles; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(random_() % 40'000));
      if (i % 4 == 0)  // else it may be killed before it has done anything
        test::eventually([&, before = calls_.load()] { return calls_ > before; }, "a call to succeed");
      kill();
      start();
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    return done;
  }

  void check_sums(const Objects& objects, const std::array<Done, clients>& done) {
    for (int who = 0; who < clients; ++who) {
      sums_[who] += done[who].additions;
      EXPECT_EQ(objects.sums.get(who, 0), sums_[who]) << "client " << who;
    }
  }
  static void check_numbers(const Objects& objects, const std::array<Done, clients>& done) {
    std::multiset<std::int64_t> wanted;
    for (const Done& one : done) wanted.insert(one.numbers.begin(), one.numbers.end());
    const std::vector<std::int64_t> there = objects.numbers.snapshot();
    EXPECT_EQ(std::multiset<std::int64_t>(there.begin(), there.end()), wanted);
    objects.numbers.clear();
  }
  void check_guarded(const Objects& objects, const std::array<Done, clients>& done) {
    for (const Done& one : done) {
      guarded_ += one.guarded;
      token_ = std::max(token_, one.token);
    }
    EXPECT_EQ(objects.guarded.load(), guarded_);
    const std::uint64_t next = objects.lock.guard().grant().token;
    EXPECT_GT(next, token_);
    token_ = next;
  }
  void check_jobs(const Objects& objects, const std::array<Done, clients>& done) {
    std::multiset<std::int64_t> wanted;
    for (const Done& one : done) {
      jobs_left_.insert(one.jobs_put.begin(), one.jobs_put.end());
      wanted.insert(one.jobs_done.begin(), one.jobs_done.end());
    }
    for (const std::int64_t job : wanted) EXPECT_EQ(jobs_left_.erase(job), 1u) << "job " << job;
    const std::vector<std::int64_t> there = objects.jobs_done.snapshot();
    EXPECT_EQ(std::multiset<std::int64_t>(there.begin(), there.end()), wanted);
    EXPECT_EQ(objects.jobs.size(), jobs_left_.size());
    objects.jobs_done.clear();
  }
  static void check_money(const Objects& objects) {
    std::int64_t sum = 0;
    for (const std::int64_t balance : objects.balances.values()) sum += balance;
    EXPECT_EQ(sum, accounts * money);
  }

  test::TemporaryFolder folder_;
  std::optional<Program> program_;
  std::minstd_rand random_{std::random_device{}()};
  std::atomic<std::int64_t> next_number_{1};
  std::atomic<std::int64_t> calls_{0};
  std::array<std::int64_t, clients> sums_{};
  std::int64_t guarded_ = 0;
  std::uint64_t token_ = 0;
  std::multiset<std::int64_t> jobs_left_;
};

TEST_P(CrashTest, NothingIsLostAndNothingDoneTwiceAndNoCallFails) {
  start();
  for (int i = 0; i < accounts; ++i) Objects(Manager(address())).balances[i] = money;
  for (int left = cycles_wanted(); left > 0 && !HasFailure(); left -= cycles_per_round) {
    SCOPED_TRACE(std::to_string(left) + " cycles before the end");
    const std::array<Done, clients> done = write_through_crashes(std::min(left, cycles_per_round));
    for (const Done& one : done) EXPECT_EQ(one.failure, "");
    const Manager manager(address());
    const Objects objects(manager);
    check_sums(objects, done);
    check_numbers(objects, done);
    check_guarded(objects, done);
    check_jobs(objects, done);
    check_money(objects);
  }
  EXPECT_GE(calls_, cycles_wanted() / 4);
}

INSTANTIATE_TEST_SUITE_P(Levels, CrashTest, testing::Values(JournalLevel::process, JournalLevel::disk),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace tandem
