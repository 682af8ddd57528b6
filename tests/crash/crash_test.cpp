// A manager with a journal is killed again and again while clients write, each time after a random number of microseconds.
// What they were told is there, once; money is conserved, and tokens grow. tests/crash/run.sh runs many cycles.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>

#include "tandem/tandem.hpp"
#include "tests/support/program.hpp"

namespace tandem {
namespace {

using test::Program;

constexpr int clients = 8;
constexpr int accounts = 4;
constexpr std::int64_t money = 1000;

int cycles_wanted() {
  const char* wanted = std::getenv("TANDEM_CRASH_CYCLES");
  return wanted == nullptr ? 100 : std::atoi(wanted);
}

/// What one client was told, and what it asked for last and was told nothing of.
struct Told {
  std::int64_t additions = 0;
  std::int64_t guarded = 0;
  std::uint64_t token = 0;  // the highest
  std::set<std::int64_t> numbers;
  enum class Doubt : std::uint8_t { none, addition, guarded, number } doubt = Doubt::none;
  std::int64_t number_in_doubt = 0;
};

/// The objects that clients write to.
struct Objects {
  explicit Objects(const Manager& manager)
      : sums(manager.dict<int, std::int64_t>("sums")),
        numbers(manager.list<std::int64_t>("numbers")),
        balances(manager.dict<int, std::int64_t>("balances")),
        lock(manager.lock("lock")),
        guarded(manager.value<std::int64_t>("guarded", 0)) {}

  Dict<int, std::int64_t> sums;
  List<std::int64_t> numbers;
  Dict<int, std::int64_t> balances;
  Lock lock;
  Value<std::int64_t> guarded;
};

void transfer(const Manager& manager, const Objects& objects, std::minstd_rand& random) {
  const int payer = static_cast<int>(random() % accounts);
  const int payee = static_cast<int>(random() % accounts);
  const auto amount = static_cast<std::int64_t>(random() % 50);
  manager.atomically([&](Transaction& tx) {
    auto balances = tx(objects.balances);
    balances[payer] -= amount;
    balances[payee] += amount;
  });
}

/// Until the manager is gone. Every number is used once.
Told write_until_it_breaks(const std::string& address, int who, std::atomic<std::int64_t>& next_number,
                           unsigned seed) {
  Told told;
  try {
    const Manager manager(address);
    const Objects objects(manager);
    std::minstd_rand random(seed);
    for (;;) {
      told.doubt = Told::Doubt::none;
      switch (random() % 4) {
        case 0:
          told.doubt = Told::Doubt::addition;
          objects.sums[who] += 1;
          ++told.additions;
          break;
        case 1: {
          told.doubt = Told::Doubt::number;
          told.number_in_doubt = next_number++;
          objects.numbers.push_back(told.number_in_doubt);
          told.numbers.insert(told.number_in_doubt);
          break;
        }
        case 2: {
          const auto held = objects.lock.guard();
          told.token = std::max(told.token, held.grant().token);
          const std::int64_t before = objects.guarded.load();
          told.doubt = Told::Doubt::guarded;
          objects.guarded.store(before + 1);
          told.doubt = Told::Doubt::none;
          ++told.guarded;
          break;
        }
        default: transfer(manager, objects, random);
      }
    }
  } catch (const Error&) {  // it was killed, or was not there
  }
  return told;
}

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

  /// Clients write for so many microseconds; then the manager is killed.
  std::array<Told, clients> crash_after(std::uint64_t microseconds) {
    std::array<Told, clients> told;
    std::vector<std::thread> threads;
    for (int who = 0; who < clients; ++who)
      threads.emplace_back([&, who, seed = random_()] {
        told[who] = write_until_it_breaks(address(), who, next_number_, static_cast<unsigned>(seed));
      });
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
    kill();
    for (std::thread& thread : threads) thread.join();
    return told;
  }

  void check_sums(const Objects& objects, const std::array<Told, clients>& told) {
    for (int who = 0; who < clients; ++who) {
      const std::int64_t sum = objects.sums.get(who, 0);
      const std::int64_t wanted = sums_[who] + told[who].additions;
      EXPECT_GE(sum, wanted) << "client " << who;
      EXPECT_LE(sum, wanted + (told[who].doubt == Told::Doubt::addition ? 1 : 0)) << "client " << who;
      sums_[who] = sum;
    }
  }
  void check_numbers(const Objects& objects, const std::array<Told, clients>& told) {
    std::multiset<std::int64_t> there;
    for (const std::int64_t number : objects.numbers.snapshot()) there.insert(number);
    std::set<std::int64_t> wanted, in_doubt;
    for (const Told& one : told) {
      wanted.insert(one.numbers.begin(), one.numbers.end());
      if (one.doubt == Told::Doubt::number) in_doubt.insert(one.number_in_doubt);
    }
    for (const std::int64_t number : wanted) EXPECT_EQ(there.count(number), 1u) << "number " << number;
    for (const std::int64_t number : there)
      EXPECT_TRUE(wanted.contains(number) || (in_doubt.contains(number) && there.count(number) == 1))
          << "number " << number;
    objects.numbers.clear();
  }
  void check_guarded(const Objects& objects, const std::array<Told, clients>& told) {
    std::int64_t wanted = guarded_, doubts = 0;
    for (const Told& one : told) {
      wanted += one.guarded;
      doubts += one.doubt == Told::Doubt::guarded ? 1 : 0;
    }
    guarded_ = objects.guarded.load();
    EXPECT_GE(guarded_, wanted);
    EXPECT_LE(guarded_, wanted + doubts);
  }
  void check_token(const Objects& objects, const std::array<Told, clients>& told) {
    for (const Told& one : told) token_ = std::max(token_, one.token);
    const std::uint64_t next = objects.lock.guard().grant().token;
    EXPECT_GT(next, token_);
    token_ = next;
  }

  test::TemporaryFolder folder_;
  std::optional<Program> program_;
  std::minstd_rand random_{std::random_device{}()};
  std::atomic<std::int64_t> next_number_{1};
  std::array<std::int64_t, clients> sums_{};
  std::int64_t guarded_ = 0;
  std::uint64_t token_ = 0;
};

TEST_P(CrashTest, NothingIsLostAndNothingDoneTwice) {
  start();
  for (int i = 0; i < accounts; ++i) Objects(Manager(address())).balances[i] = money;
  for (int cycle = 0, cycles = cycles_wanted(); cycle < cycles && !HasFailure(); ++cycle) {
    SCOPED_TRACE("cycle " + std::to_string(cycle));
    const std::array<Told, clients> told = crash_after(random_() % 40'000);
    start();
    const Manager manager(address());
    const Objects objects(manager);
    check_sums(objects, told);
    check_numbers(objects, told);
    check_guarded(objects, told);
    check_token(objects, told);
    std::int64_t sum = 0;
    for (const std::int64_t balance : objects.balances.values()) sum += balance;
    EXPECT_EQ(sum, accounts * money);
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, CrashTest, testing::Values(JournalLevel::process, JournalLevel::disk),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace tandem
