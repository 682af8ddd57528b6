#include "tandem/pool.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "client/pool/pool_worker.hpp"
#include "tandem/progress_bar.hpp"
#include "tests/support/child.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/generated.hpp"
#include "tests/support/program.hpp"

namespace tandem {
namespace {

using test::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

int square(int n) {
  return n * n;
}
int add(int a, int b) {
  return a + b;
}
std::string greet(const std::string& name) {
  return "hello " + name;
}
std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// Whether all workers have asked for a task: whoever kills only such does not meet those that are being started.
bool wait_for_ready(const Pool& pool) {
  return pool.progress().workers == pool.workers();
}

// ---- tasks and results ------------------------------------------------------------------------------------

TEST(Pool, AppliesAFunctionInAnotherProcess) {
  Pool pool(2);
  EXPECT_EQ(pool.apply(square, 7), 49);
  EXPECT_EQ(pool.apply(add, 40, 2), 42);
  EXPECT_EQ(pool.apply(greet, "Alice"), "hello Alice");
  EXPECT_EQ(pool.apply([](double x) { return x / 2; }, 3), 1.5);
  EXPECT_NE(pool.apply([] { return getpid(); }), getpid());
  pool.apply([] {});
}

TEST(Pool, MapKeepsTheOrder) {
  Pool pool(3);
  std::vector<int> expected;
  for (int n : numbers(1000)) expected.push_back(n * n);
  EXPECT_EQ(pool.map(square, numbers(1000)), expected);
  EXPECT_EQ(pool.map(square, numbers(1000), 1), expected);
  EXPECT_EQ(pool.map(square, numbers(1000), 5000), expected);
  EXPECT_THAT(pool.map(square, std::vector<int>{}), ElementsAre());
}

TEST(Pool, StarmapTakesTuplesAndPairs) {
  Pool pool(2);
  EXPECT_THAT(pool.starmap(add, std::vector<std::pair<int, int>>{{1, 2}, {3, 4}}), ElementsAre(3, 7));
  EXPECT_THAT(pool.starmap([](const std::string& a, int n,
                              char c) { return a + std::string(static_cast<std::size_t>(n), c); },
                           std::vector<std::tuple<std::string, int, char>>{{"a", 2, 'x'}, {"b", 0, 'y'}}),
              ElementsAre("axx", "b"));
  auto later = pool.starmap_async(add, std::map<int, int>{{1, 1}, {2, 2}}, 1);
  EXPECT_THAT(later.get(), ElementsAre(2, 4));
}

TEST(Pool, TextThatIsNotUtf8IsRefusedAsByAManager) {
  Pool pool(1);
  EXPECT_THROW(pool.apply(greet, "caf\xe9"), ValueError);
  EXPECT_THROW(pool.map(greet, {"a", "caf\xe9"}), ValueError);
  EXPECT_THROW(pool.apply([] { return std::string("caf\xe9"); }), ValueError);
  EXPECT_EQ(error_of<std::runtime_error>([&] { pool.apply([] { throw std::runtime_error("caf\xe9"); }); }),
            "caf\xef\xbf\xbd")
      << "the text of an error arrives, as far as it can";
  EXPECT_EQ(pool.apply(greet, "Alice"), "hello Alice");
}

TEST(Pool, MapTakesAnyRange) {
  Pool pool(2);
  EXPECT_THAT(pool.map(square, std::set<int>{3, 1, 2}), ElementsAre(1, 4, 9));
  EXPECT_THAT(pool.map(greet, {"a", "b"}), ElementsAre("hello a", "hello b"));
  pool.map([](int) {}, numbers(10));
}

TEST(Pool, ImapGivesResultsInOrderAsTheyCome) {
  Manager manager;
  Pool pool(manager, {.workers = 2});
  Event gate = manager.event();
  auto stream = pool.imap(
      [](const std::pair<int, Event>& item) {
        if (item.first == 2) item.second.wait();
        return item.first;
      },
      std::vector<std::pair<int, Event>>{{0, gate}, {1, gate}, {2, gate}, {3, gate}});
  EXPECT_EQ(stream.next(), 0);
  EXPECT_EQ(stream.next(), 1);
  EXPECT_THROW((void)stream.next(1ms), Timeout);
  gate.set();
  EXPECT_EQ(stream.next(), 2);
  EXPECT_EQ(stream.next(1h), 3);
  EXPECT_EQ(stream.next(), std::nullopt);
}

TEST(Pool, ImapUnorderedGivesThemAsTheyCome) {
  Manager manager;
  Pool pool(manager, {.workers = 2});
  Event gate = manager.event();
  auto stream = pool.imap_unordered(
      [](const std::pair<int, Event>& item) {
        if (item.first == 0) item.second.wait();
        return item.first;
      },
      std::vector<std::pair<int, Event>>{{0, gate}, {1, gate}});
  EXPECT_EQ(stream.next(), 1);
  gate.set();
  EXPECT_EQ(stream.next(), 0);
  std::multiset<int> all;
  for (int n : pool.imap_unordered(square, numbers(100), 7)) all.insert(n);
  EXPECT_EQ(all.size(), 100u);
  std::vector<int> ordered;
  for (int n : pool.imap(square, numbers(5), 2)) ordered.push_back(n);
  EXPECT_THAT(ordered, ElementsAre(0, 1, 4, 9, 16));
  EXPECT_THROW((void)pool.imap(square, numbers(5), 0), ValueError);
}

TEST(Pool, ImapReadsItsInputAsResultsAreTaken) {
  Pool pool(2);
  for (const bool ordered : {true, false}) {
    int read = 0;
    test::Generated items([&] { return read < 1000 ? std::optional(read++) : std::nullopt; });
    auto stream = ordered ? pool.imap(square, items) : pool.imap_unordered(square, items);
    EXPECT_GE(read, 1);
    for (int taken = 0; taken < 1000; ++taken) {
      EXPECT_LE(read, taken + 2 * 4);
      EXPECT_NE(stream.next(), std::nullopt);
    }
    EXPECT_EQ(stream.next(), std::nullopt);
    EXPECT_EQ(read, 1000);
    EXPECT_EQ(stream.calls(), 1000u);
  }
}

TEST(Pool, ImapReadsSoFarAhead) {
  Manager manager;
  Pool pool(manager, {.workers = 1});
  Event gate = manager.event();
  int read = 0;
  test::Generated items([&] { return std::pair(read++, gate); });
  auto waiting = [](const std::pair<int, Event>& item) { return item.second.wait(), item.first; };
  {
    auto stream = pool.imap(waiting, items, 3, 11);
    EXPECT_EQ(read, 9);  // whole chunks
    EXPECT_THROW((void)stream.next(1ms), Timeout);
    EXPECT_EQ(read, 9);
  }
  read = 0;
  {
    auto stream = pool.imap(waiting, items, 3, 1);
    EXPECT_EQ(read, 3);
  }
  read = 0;
  {
    auto stream = pool.imap(waiting, items, 3);
    EXPECT_EQ(read, 12);
  }
  gate.set();
}

TEST(Pool, ImapTakesEndlessInput) {
  Pool pool(2);
  int last = 0;
  for (int n : pool.imap(square, test::naturals())) {
    last = n;
    if (n >= 10'000) break;
  }
  EXPECT_EQ(last, 10'000);
  auto stream = pool.imap_unordered(square, test::naturals(), 10);
  for (int i = 0; i < 100; ++i) EXPECT_NE(stream.next(), std::nullopt);
}

TEST(Pool, ImapAndMapTakeSinglePassInput) {
  Pool pool(2);
  auto up_to = [](int last) {
    return test::Generated([last, n = 0]() mutable { return n < last ? std::optional(++n) : std::nullopt; });
  };
  std::vector<int> squares;
  for (int n : pool.imap(square, up_to(5), 2)) squares.push_back(n);
  EXPECT_THAT(squares, ElementsAre(1, 4, 9, 16, 25));
  EXPECT_THAT(pool.map(square, up_to(3)), ElementsAre(1, 4, 9));
}

// clang's older versions do not compile the views of libstdc++.
#if !defined(__clang__) || __clang_major__ >= 16
using Naturals = std::ranges::iota_view<int>;
static_assert(client::Endless<Naturals>);
static_assert(client::Endless<decltype(std::declval<Naturals&>() | std::views::drop(1) |
                                       std::views::transform(square))>);
static_assert(!client::Endless<decltype(std::declval<Naturals&>() | std::views::take(1))>);
static_assert(!client::Endless<std::ranges::iota_view<int, int>>);
static_assert(!client::Endless<std::vector<int>&>);

TEST(Pool, TakesViews) {
  Pool pool(2);
  auto even = std::views::filter([](int n) { return n % 2 == 0; });
  const std::vector<int> some = numbers(5);
  EXPECT_THAT(pool.map(square, some | even), ElementsAre(0, 4, 16));
  std::vector<int> squares;
  for (int n : pool.imap(square, std::views::iota(0) | even | std::views::take(3))) squares.push_back(n);
  EXPECT_THAT(squares, ElementsAre(0, 4, 16));
}
#endif

TEST(Pool, ImapsInputMayDependOnItsResults) {
  Manager manager;
  Pool pool(manager, {.workers = 2});
  auto queue = manager.queue<int>();
  queue.put(2);
  std::vector<int> results;
  for (int n : pool.imap(square, queue, 1, 1)) {
    results.push_back(n);
    if (n < 1000) queue.put(n);
    else queue.close();
  }
  EXPECT_THAT(results, ElementsAre(4, 16, 256, 65536));
}

TEST(Pool, AnErrorOfImapsInputTakesTheItemsPlace) {
  Manager manager;
  Pool pool(manager, {.workers = 2});
  for (int chunk : {1, 4}) {
    test::Generated failing([n = 0]() mutable { return n < 5 ? n++ : throw std::out_of_range("no more"); });
    auto stream = pool.imap(square, failing, static_cast<std::size_t>(chunk));
    for (int n = 0; n < 5; ++n) EXPECT_EQ(stream.next(), n * n);
    EXPECT_EQ(error_of<std::out_of_range>([&] { (void)stream.next(); }), "no more");
    EXPECT_EQ(stream.next(), std::nullopt);
  }
  // An argument that cannot be sent.
  Manager other;
  auto sizes =
      pool.imap([](const List<int>& list) { return list.size(); },
                std::vector<List<int>>{manager.list<int>({1}), other.list<int>(), manager.list<int>()}, 2);
  EXPECT_EQ(sizes.next(), 1u);
  EXPECT_THROW((void)sizes.next(), Error);
  EXPECT_EQ(sizes.next(), std::nullopt);
  EXPECT_EQ(pool.apply(square, 3), 9);
}

TEST(Pool, ProxiesAreArgumentsAndResults) {
  Manager manager;
  Pool pool(manager, {.workers = 2});
  auto list = manager.list<int>();
  pool.map([](const std::pair<List<int>, int>& item) { List<int>(item.first).push_back(item.second); },
           std::vector<std::pair<List<int>, int>>{{list, 1}, {list, 2}, {list, 3}}, 2);
  EXPECT_EQ(list.size(), 3u);
  auto dicts = pool.map(
      [](const List<int>& made) {
        List<List<int>> outer;
        return made;
      },
      std::vector<List<int>>{list, list});
  EXPECT_EQ(dicts[1], list);
  const auto objects = manager.objects().size();
  dicts.clear();
  EXPECT_EQ(manager.objects().size(), objects);
}

List<int> make_list(const Value<int>& any, int n) {
  // A new object, which nobody holds but this function until the result has arrived.
  List<int> made = Manager(any.remote()->session()).list<int>({n, n});
  return made;
}

TEST(Pool, AProxyThatATaskMadeArrives) {
  Manager manager;
  Pool pool(manager, {.workers = 2});
  auto any = manager.value<int>(0);
  std::vector<std::pair<Value<int>, int>> items;
  for (int n = 0; n < 20; ++n) items.emplace_back(any, n);
  auto lists = pool.starmap(make_list, items);
  for (std::size_t n = 0; n < lists.size(); ++n) EXPECT_EQ(lists[n].at(0), static_cast<int>(n));
}

// ---- results that come later --------------------------------------------------------------------------------

TEST(AsyncResult, TellsWhetherItIsReady) {
  Manager manager;
  Pool pool(manager, {.workers = 1});
  Event gate = manager.event();
  auto result = pool.apply_async([](const Event& event) { return event.wait(), 5; }, gate);
  EXPECT_FALSE(result.ready());
  EXPECT_FALSE(result.wait_for(1ms));
  EXPECT_THROW((void)result.successful(), ValueError);
  EXPECT_THAT(error_of<Timeout>([&] { result.get(2ms); }), HasSubstr("not there after 2 ms"));
  gate.set();
  result.wait();
  EXPECT_TRUE(result.ready());
  EXPECT_TRUE(result.successful());
  EXPECT_EQ(result.get(), 5);
  EXPECT_EQ(result.get(), 5);
  EXPECT_EQ(std::move(result).get(), 5);
}

TEST(AsyncResult, CallbacksComeBeforeItIsReady) {
  Manager manager;
  Pool pool(manager, {.workers = 1});
  Event gate = manager.event();
  int got = 0;
  std::string failed;
  auto good = pool.apply_async([](const Event& event) { return event.wait(), 5; }, gate)
                  .on_result([&](int result) { got = result; })
                  .on_error([&](const std::exception_ptr&) { failed = "?"; });
  auto bad = pool.apply_async([](int n) -> int { throw std::out_of_range("no " + std::to_string(n)); }, 3)
                 .on_result([&](int) { got = -1; })
                 .on_error([&](const std::exception_ptr& error) {
                   try {
                     std::rethrow_exception(error);
                   } catch (const std::out_of_range& e) {
                     failed = e.what();
                   }
                 });
  gate.set();
  good.wait();
  EXPECT_EQ(got, 5);
  bad.wait();
  EXPECT_EQ(failed, "no 3");
  EXPECT_EQ(got, 5);
  good.on_result([&](int result) { got = 2 * result; });  // at once
  EXPECT_EQ(got, 10);
  EXPECT_FALSE(bad.successful());
}

TEST(AsyncResult, ACallbackMaySubmitButNotWait) {
  Manager manager;
  Pool pool(manager, {.workers = 1});
  Event gate = manager.event();
  std::string text;
  std::string stream_text;
  AsyncResult<int> next;
  auto second =
      pool.apply_async([](const Event& event) { return event.wait(), 9; }, gate).on_result([&](int n) {
        next = pool.apply_async(square, n);
        text = error_of<DeadlockError>([&] { (void)next.get(); });
        auto stream = pool.imap(square, numbers(2));
        stream_text = error_of<DeadlockError>([&] { (void)stream.next(); });
      });
  gate.set();  // the callback is there before the result
  second.wait();
  EXPECT_THAT(text, HasSubstr("a callback of a pool waits"));
  EXPECT_THAT(stream_text, HasSubstr("a callback of a pool waits"));
  EXPECT_EQ(next.get(), 81);
}

TEST(AsyncResult, ACallbackThatComesLateRunsAtOnceAndMayWait) {
  Pool pool(1);
  auto first = pool.apply_async(square, 3);
  first.wait();
  std::thread::id thread;
  int result = 0;
  first.on_result([&](int n) {
    thread = std::this_thread::get_id();
    result = pool.apply(square, n);
  });
  EXPECT_EQ(thread, std::this_thread::get_id());
  EXPECT_EQ(result, 81);
}

TEST(AsyncResult, OutlivesItsPool) {
  AsyncResult<std::vector<int>> result;
  AsyncResult<int> never;
  {
    Manager manager;
    Pool pool(manager, {.workers = 1});
    result = pool.map_async(square, numbers(3));
    result.wait();
    Event gate = manager.event();
    never = pool.apply_async([](const Event& event) { return event.wait(), 5; }, gate);
  }
  EXPECT_THAT(result.get(), ElementsAre(0, 1, 4));
  EXPECT_THAT(error_of<Closed>([&] { never.get(); }), HasSubstr("terminated"));
}

// ---- exceptions ---------------------------------------------------------------------------------------------

struct Odd {};
struct OwnError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void fail(int how) {
  switch (how) {
    case 0: throw std::invalid_argument("zero");
    case 1: throw std::bad_alloc();
    case 2: throw KeyError("two");
    case 3: throw std::system_error(ENOENT, std::generic_category(), "three");
    case 4: throw OwnError("four");
    case 5: throw Odd();
    case 6: throw RemoteError("some::Type", "six");
    case 7: throw std::range_error("");
  }
}

TEST(PoolErrors, TheStandardsAndTandemsOwnComeAsTheyWere) {
  Pool pool(1);
  EXPECT_EQ(error_of<std::invalid_argument>([&] { pool.apply(fail, 0); }), "zero");
  EXPECT_THROW(pool.apply(fail, 1), std::bad_alloc);
  EXPECT_EQ(error_of<KeyError>([&] { pool.apply(fail, 2); }), "two");
  try {
    pool.apply(fail, 3);
    ADD_FAILURE();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_STREQ(error.what(), "three: No such file or directory");
  }
  EXPECT_EQ(error_of<std::range_error>([&] { pool.apply(fail, 7); }), "");
}

TEST(PoolErrors, OthersComeAsRemoteErrors) {
  Pool pool(1);
  try {
    pool.apply(fail, 4);
    ADD_FAILURE();
  } catch (const RemoteError& error) {
    EXPECT_THAT(error.type(), HasSubstr("OwnError"));
    EXPECT_THAT(error.what(), HasSubstr("OwnError: four"));
  }
  EXPECT_THAT(error_of<RemoteError>([&] { pool.apply(fail, 5); }), HasSubstr("Odd"));
  try {
    pool.apply(fail, 6);
    ADD_FAILURE();
  } catch (const RemoteError& error) {
    EXPECT_EQ(error.type(), "some::Type");
    EXPECT_STREQ(error.what(), "some::Type: six");
  }
}

struct Speechless : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

TEST(PoolErrors, ACauseComesAlongAndATextMayBeMissing) {
  Pool pool(1);
  auto start = [](bool as_key_error) {
    try {
      throw std::out_of_range("no such line");
    } catch (...) {
      if (as_key_error) std::throw_with_nested(KeyError("port"));
      std::throw_with_nested(std::runtime_error("not started"));
    }
  };
  EXPECT_EQ(error_of<std::runtime_error>([&] { pool.apply(start, false); }),
            "not started; caused by std::out_of_range: no such line");
  EXPECT_EQ(error_of<KeyError>([&] { pool.apply(start, true); }),
            "port; caused by std::out_of_range: no such line");
  EXPECT_THAT(error_of<RemoteError>([&] { pool.apply([] { throw Speechless(); }); }),
              HasSubstr("Speechless"));
  EXPECT_EQ(pool.apply(square, 3), 9);
}

TEST(PoolErrors, OneFailsOnlyItsOwnCall) {
  Pool pool(2);
  auto picky = [](int n) {
    if (n % 3 == 2) throw std::runtime_error("not " + std::to_string(n));
    return n;
  };
  auto all = pool.map_async(picky, numbers(9), 4);
  EXPECT_EQ(error_of<std::runtime_error>([&] { all.get(); }), "not 2");  // the first one
  auto stream = pool.imap(picky, numbers(9), 4);
  int good = 0;
  int bad = 0;
  for (int i = 0; i < 9; ++i) {
    try {
      EXPECT_EQ(stream.next(), i);
      ++good;
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(error.what(), "not " + std::to_string(i));
      ++bad;
    }
  }
  EXPECT_EQ(stream.next(), std::nullopt);
  EXPECT_EQ(good, 6);
  EXPECT_EQ(bad, 3);
  const PoolProgress progress = pool.progress();
  EXPECT_EQ(progress.done, 12);
  EXPECT_EQ(progress.failed, 6);
  EXPECT_EQ(progress.queued + progress.running, 0);
}

/// A manager that takes messages of a mebibyte.
struct SmallManager {
  test::TemporaryFolder folder;
  std::string address = "unix:" + folder.path("socket");
  test::Program tandemd{{test::beside_the_test("tandemd"), "--listen", address, "--message-bytes-max",
                         "1048576", "--log-level", "off"}};
  std::string ready = tandemd.read_line();
  Manager manager{address};
};

TEST(PoolErrors, ResultsThatAreTooLargeAreSaidToBe) {
  SmallManager small;
  Pool pool(small.manager, {.workers = 1});
  auto large = [](std::size_t size) { return std::string(size, 'a'); };
  EXPECT_THROW((void)pool.apply(large, std::size_t{2} << 20), ResourceExhausted);
  EXPECT_EQ(pool.apply(large, 3), "aaa");
}

TEST(PoolErrors, ArgumentsThatAreTooLargeAreRefused) {
  SmallManager small;
  Pool pool(small.manager, {.workers = 1});
  EXPECT_THROW((void)pool.apply(greet, std::string(std::size_t{2} << 20, 'x')), ResourceExhausted);
  EXPECT_EQ(pool.apply(greet, "you"), "hello you");
  const std::vector<std::string> many(100, std::string(50'000, 'y'));  // together too large for one request
  EXPECT_EQ(pool.map([](const std::string& text) { return text.size(); }, many, 3),
            std::vector<std::size_t>(100, 50'000));
  pool.close();
  pool.join();
}

// ---- workers ------------------------------------------------------------------------------------------------

TEST(PoolWorkers, AreAsManyAsAskedFor) {
  Pool pool({.workers = 3});
  EXPECT_EQ(pool.workers(), 3u);
  EXPECT_EQ(Pool().workers(), cpu_count());
  EXPECT_THROW(Pool(0), ValueError);
  EXPECT_THROW(Pool({.workers = 0}), ValueError);
  EXPECT_THAT(pool.apply([] { return current_process().name(); }), ::testing::StartsWith("PoolWorker-"));
}

TEST(PoolWorkers, OneThatDiesFailsItsTaskAlone) {
  Pool pool(2);
  auto killed = pool.apply_async([] { raise(SIGKILL); });
  auto ended = pool.apply_async([](int code) { _exit(code); }, 7);
  try {
    killed.get();
    ADD_FAILURE();
  } catch (const WorkerDied& died) {
    EXPECT_EQ(died.signal(), SIGKILL);
    EXPECT_EQ(died.exit_code(), std::nullopt);
    EXPECT_GT(died.pid(), 0);
    EXPECT_THAT(died.what(), HasSubstr("was killed by signal 9 in the task"));
  }
  try {
    ended.get();
    ADD_FAILURE();
  } catch (const WorkerDied& died) {
    EXPECT_EQ(died.signal(), std::nullopt);
    EXPECT_EQ(died.exit_code(), 7);
  }
  EXPECT_EQ(pool.map(square, numbers(50)).back(), 49 * 49);
}

TEST(PoolWorkers, HowOneDiedIsKnownThoughTheProgramIgnoresItsChildren) {
  test::Child([] {
    signal(SIGCHLD, SIG_IGN);
    Pool pool(1);
    try {
      pool.apply([] { raise(SIGKILL); });
      ADD_FAILURE();
    } catch (const WorkerDied& died) {
      EXPECT_EQ(died.signal(), SIGKILL);
      EXPECT_EQ(died.exit_code(), std::nullopt);
    }
    // Workers themselves ignore theirs, as the program does.
    EXPECT_TRUE(pool.apply([] {
      struct sigaction action {};
      sigaction(SIGCHLD, nullptr, &action);
      return action.sa_handler == SIG_IGN;
    }));
  });
}

TEST(PoolWorkers, ATaskIsTriedAgainAsOftenAsAsked) {
  Manager manager;
  Pool pool(manager, {.workers = 2, .retries = 3});
  auto tries = manager.value<int>(0);
  auto fragile = [](Value<int> count, int good_from) {
    count += 1;
    if (count.load() < good_from) raise(SIGKILL);
    return count.load();
  };
  EXPECT_EQ(pool.apply(fragile, tries, 4), 4);
  EXPECT_EQ(pool.progress().retried, 3);
  tries.store(0);
  EXPECT_THAT(error_of<WorkerDied>([&] { pool.apply(fragile, tries, 1000); }),
              HasSubstr("which was tried 4 times"));
  EXPECT_EQ(tries.load(), 4);
}

int sometimes_deadly(int n) {
  static std::mt19937 random(std::random_device{}());
  if (random() % 20 == 0) raise(SIGKILL);
  return n;
}

TEST(PoolWorkers, KilledAtRandomEveryResultArrivesOnce) {
  Pool pool({.workers = 4, .retries = 1000});
  const std::vector<int> all = numbers(600);
  EXPECT_EQ(pool.map(sometimes_deadly, all, 3), all);
  std::multiset<int> unordered;
  for (int n : pool.imap_unordered(sometimes_deadly, all)) unordered.insert(n);
  EXPECT_EQ(std::vector<int>(unordered.begin(), unordered.end()), all);
  EXPECT_GT(pool.progress().retried, 0);
}

pid_t supervisor_pid() {
  for (const ProcessHandle& child : active_children())
    if (child.name() == "PoolSupervisor") return child.pid();
  ADD_FAILURE() << "there is no supervisor";
  return -1;
}
std::vector<pid_t> children_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

TEST(PoolWorkers, KilledFromOutsideTheyAreReplaced) {
  Manager manager;
  Pool pool(manager, {.workers = 3, .retries = 1000});
  Event gate = manager.event();
  const pid_t supervisor = supervisor_pid();
  std::atomic<int> killed{0};
  const std::vector<int> all = numbers(200);
  std::vector<std::pair<int, Event>> items;
  for (int n : all) items.emplace_back(n, gate);
  auto result = pool.map_async(
      [](const std::pair<int, Event>& item) {
        if (item.first == 0) item.second.wait();  // so that not all are done before the first is killed
        std::this_thread::sleep_for(1ms);
        return item.first;
      },
      items, 2);
  std::jthread killer([&](const std::stop_token& stop) {
    std::mt19937 random(1);
    while (!stop.stop_requested() && killed < 30) {
      const std::vector<pid_t> workers = children_of(supervisor);
      if (workers.empty() || !wait_for_ready(pool)) continue;
      kill(workers[random() % workers.size()], SIGKILL);
      if (++killed == 1) gate.set();
    }
  });
  EXPECT_EQ(result.get(), all);
  killer.request_stop();
  killer.join();
  EXPECT_GT(killed, 0);
  test::eventually([&] { return pool.progress().workers == 3; }, "three workers");
  EXPECT_EQ(pool.map(square, numbers(10)).back(), 81);
}

TEST(PoolWorkers, MakeWayAfterSoManyTasks) {
  Pool pool({.workers = 2, .max_tasks_per_child = 3});
  const std::vector<pid_t> pids = pool.map([](int) { return getpid(); }, numbers(30), 1);
  std::map<pid_t, int> tasks;
  for (pid_t pid : pids) ++tasks[pid];
  EXPECT_GE(tasks.size(), 10u);
  for (auto [pid, count] : tasks) EXPECT_LE(count, 3);
}

int base = 0;
void set_base(int value) {
  base = value;
}

TEST(PoolWorkers, AreInitialized) {
  Pool pool({.workers = 2, .initializer = {set_base, 40}, .max_tasks_per_child = 1});
  EXPECT_THAT(pool.map([](int n) { return base + n; }, numbers(6), 1), ElementsAre(40, 41, 42, 43, 44, 45));
  EXPECT_EQ(base, 0);
}

TEST(PoolWorkers, AreInitializedWithProxies) {
  Manager manager;
  auto begun = manager.value<int>(0);
  Pool pool(manager, {.workers = 2, .initializer = {[](Value<int> count) { count += 1; }, begun}});
  pool.map(square, numbers(10));
  test::eventually([&] { return begun.load() == 2; }, "both workers to begin");
  pool.close();
  pool.join();
  EXPECT_EQ(begun.load(), 2);
}

TEST(PoolWorkers, AnInitializerThatThrowsEndsIt) {
  Pool pool({.workers = 2, .initializer = [] { throw std::runtime_error("no database"); }});
  EXPECT_EQ(error_of<RemoteError>([&] { pool.apply(square, 2); }),
            "the pool's initializer failed: std::runtime_error: no database");
  EXPECT_EQ(error_of<RemoteError>([&] { pool.apply(square, 2); }),
            "the pool's initializer failed: std::runtime_error: no database");
  pool.close();
  pool.join();
}

TEST(PoolWorkers, AnInitializersErrorNeedNotBeUtf8) {
  Pool pool({.workers = 2, .initializer = [] { throw std::runtime_error("caf\xe9"); }});
  EXPECT_THAT(error_of<Error>([&] { pool.apply(square, 1); }), HasSubstr("caf\xef\xbf\xbd"));
}

TEST(PoolWorkers, AnInitializerThatDiesEndsItToo) {
  Pool pool({.workers = 2, .initializer = {[](int code) { _exit(code); }, 3}});
  EXPECT_EQ(error_of<WorkerDied>([&] { pool.apply(square, 2); }),
            "10 workers in a row died before they were ready; the last one ended with exit code 3");
}

TEST(PoolWorkers, WithoutTheirSupervisorTasksFail) {
  Manager manager;
  Pool pool(manager, {.workers = 2});
  Event gate = manager.event();
  auto running = pool.apply_async([](const Event& event) { event.wait(); }, gate);
  test::eventually([&] { return pool.progress().running == 1; }, "a task to run");
  kill(supervisor_pid(), SIGKILL);
  EXPECT_THROW(running.get(), WorkerDied);
  EXPECT_THAT(error_of<WorkerDied>([&] { pool.apply(square, 2); }),
              HasSubstr("looks after the pool's workers has ended"));
}

TEST(PoolWorkers, WithoutTheManagerTasksFail) {
  Manager manager;
  Pool pool(manager, {.workers = 2});
  Event gate = manager.event();
  auto running = pool.apply_async([](const Event& event) { event.wait(); }, gate);
  manager.shutdown();
  EXPECT_THROW(running.get(), Error);
  EXPECT_THROW(pool.apply(square, 2), Error);
  pool.close();
  pool.join();
}

TEST(PoolWorkers, EndWithTheProcessHoweverItEnds) {
  test::Signal told;
  test::Signal go;
  Process parent([&] {
    Pool pool(2);
    const pid_t supervisor = supervisor_pid();
    pool.map(square, numbers(10), 1);
    test::eventually([&] { return children_of(supervisor).size() == 2; }, "two children of the supervisor");
    for (pid_t worker : children_of(supervisor)) told.send_number(worker);
    told.send_number(supervisor);
    go.wait();
    raise(SIGKILL);
  });
  std::deque<test::Watched> processes;
  for (int i = 0; i < 3; ++i) processes.emplace_back(told.wait_for_number());
  go.send();
  for (const test::Watched& process : processes) process.wait_until_gone();
}

TEST(PoolWorkers, EndWithAProgramThatExits) {
  Process parent([] {
    Pool* pool = new Pool(2);  // never destroyed
    pool->map(square, numbers(10));
  });
  parent.join();
  EXPECT_EQ(parent.exit_code(), 0);
}

// ---- its life -------------------------------------------------------------------------------------------------

TEST(PoolLife, ClosedItTakesNoTasks) {
  Pool pool(1);
  auto result = pool.apply_async(square, 3);
  EXPECT_THAT(error_of<ValueError>([&] { pool.join(); }), HasSubstr("still open"));
  pool.close();
  pool.close();
  EXPECT_THAT(error_of<ValueError>([&] { pool.apply_async(square, 3); }), HasSubstr("closed"));
  EXPECT_THROW((void)pool.map(square, numbers(3)), ValueError);
  pool.join();
  pool.join();
  EXPECT_TRUE(result.ready());
  EXPECT_EQ(result.get(), 9);
  EXPECT_THROW((void)pool.map(square, numbers(3)), ValueError);
  pool.terminate();
}

TEST(PoolLife, JoinWaitsForCallbacks) {
  Pool pool(2);
  int count = 0;
  for (int n : numbers(100)) (void)pool.apply_async(square, n).on_result([&](int) { ++count; });
  pool.close();
  pool.join();
  EXPECT_EQ(count, 100);
}

TEST(PoolLife, ClosedItFinishesItsStreams) {
  Pool pool(2);
  auto stream = pool.imap(square, numbers(100), 1, 8);
  EXPECT_EQ(stream.next(), 0);
  pool.close();
  EXPECT_THROW((void)pool.imap(square, numbers(3)), ValueError);
  EXPECT_THAT(error_of<ValueError>([&] { pool.join(); }), HasSubstr("a stream of imap()"));
  for (int n = 1; n < 100; ++n) EXPECT_EQ(stream.next(), n * n);
  EXPECT_EQ(stream.next(), std::nullopt);
  pool.join();
}

TEST(PoolLife, AStreamThatIsDroppedDoesNotKeepItOpen) {
  Pool pool(2);
  {
    auto stream = pool.imap(square, test::naturals());
    EXPECT_EQ(stream.next(), 0);
    pool.close();
  }
  pool.join();
}

TEST(PoolLife, TerminatedItEndsItsStreams) {
  Manager manager;
  std::optional<Pool> pool(std::in_place, manager, PoolOptions{.workers = 1});
  Event gate = manager.event();
  test::Generated items([&] { return std::pair(0, gate); });
  test::Generated others([&] { return std::pair(0, gate); });
  auto waiting = [](const std::pair<int, Event>& item) { return item.second.wait(), item.first; };
  auto stream = pool->imap(waiting, items, 1, 2);
  auto other = pool->imap(waiting, others, 1, 2);
  pool->terminate();
  for (int calls = 0; calls < 3; ++calls) EXPECT_THROW((void)stream.next(), Closed);
  EXPECT_EQ(stream.next(), std::nullopt);
  pool.reset();
  for (int calls = 0; calls < 3; ++calls) EXPECT_THROW((void)other.next(), Closed);
  EXPECT_EQ(other.next(), std::nullopt);
}

TEST(PoolLife, TerminatedItEndsWhatRuns) {
  Manager manager;
  Pool pool(manager, {.workers = 1});
  Event gate = manager.event();
  auto running = pool.apply_async([](const Event& event) { event.wait(); }, gate);
  auto waiting = pool.apply_async(square, 3);
  test::eventually([&] { return pool.progress().running == 1; }, "a task to run");
  pool.terminate();
  EXPECT_THAT(error_of<Closed>([&] { running.get(); }), HasSubstr("terminated"));
  EXPECT_THROW((void)waiting.get(), Closed);
  pool.join();
  EXPECT_THROW(pool.apply_async(square, 3), ValueError);
}

TEST(PoolLife, MovesAndBelongsToItsProcess) {
  Pool first(1);
  Pool pool(std::move(first));
  EXPECT_THROW((void)first.apply(square, 3), ValueError);
  EXPECT_EQ(pool.apply(square, 3), 9);
  test::Child child([&] {
    EXPECT_THAT(error_of<ValueError>([&] { (void)pool.apply(square, 3); }), HasSubstr("another one"));
    Pool gone(std::move(pool));
  });
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(pool.apply(square, 3), 9);
  pool = Pool(1);
  EXPECT_EQ(pool.apply(square, 4), 16);
}

TEST(PoolLife, LeavesNothingBehind) {
  Manager manager;
  auto run = [&] {
    Pool pool(manager, {.workers = 2});
    pool.map(square, numbers(10));
  };
  run();  // the first one opens channels that stay
  const auto before = test::open_descriptors();
  for (int i = 0; i < 3; ++i) run();
  EXPECT_EQ(test::open_descriptors(), before);
  EXPECT_THAT(children_of(getpid()), ::testing::SizeIs(1));  // the manager
  test::eventually([&] { return manager.information().at("sessions") == 1; },
                   "all sessions but this one to end");
  EXPECT_EQ(manager.objects().size(), 0u);  // the workers' sessions held the pool
}

TEST(PoolLife, TwoPoolsOfOneManagerAreTwo) {
  Manager manager;
  Pool a(manager, {.workers = 1});
  Pool b(manager, {.workers = 1});
  EXPECT_EQ(a.apply(square, 2) + b.apply(square, 3), 13);
  a.close();
  a.join();
  EXPECT_EQ(b.apply(square, 3), 9);
}

TEST(PoolLife, IsSharedByThreads) {
  Pool pool(2);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&pool, t] {
      for (int n = 0; n < 50; ++n) EXPECT_EQ(pool.apply(add, t, n), t + n);
    });
}

// ---- progress ------------------------------------------------------------------------------------------------

TEST(PoolProgress, CountsCalls) {
  Manager manager;
  Pool pool(manager, {.workers = 1, .retries = 1});
  Event gate = manager.event();
  auto first = pool.apply_async([](const Event& event) { event.wait(); }, gate);
  auto others = pool.map_async(square, numbers(10), 4);
  auto deadly = pool.apply_async([] { raise(SIGKILL); });
  test::eventually([&] { return pool.progress().running == 1; }, "a task to run");
  EXPECT_EQ(pool.progress().queued, 11);
  EXPECT_EQ(others.calls(), 10u);
  EXPECT_EQ(others.finished_calls(), 0u);
  gate.set();
  EXPECT_THROW(deadly.get(), WorkerDied);
  const PoolProgress progress = pool.progress();
  EXPECT_EQ(progress.queued, 0);
  EXPECT_EQ(progress.running, 0);
  EXPECT_EQ(progress.done, 11);
  EXPECT_EQ(progress.failed, 1);
  EXPECT_EQ(progress.retried, 1);
  EXPECT_EQ(others.finished_calls(), 10u);
}

TEST(ProgressBar, ALineSaysItAll) {
  EXPECT_EQ(client::progress_line({8, 2, 1}, 3000ms, 8), "[##------]  25%  2/8  1 failed  ETA 0:09");
  EXPECT_EQ(client::progress_line({8, 0, 0}, 3000ms, 4), "[----]   0%  0/8");
  EXPECT_EQ(client::progress_line({8, 8, 0}, 3'700'000ms, 4), "[####] 100%  8/8  in 1:01:40");
  EXPECT_EQ(client::progress_line({0, 0, 0}, 0ms, 4), "[####] 100%  0/0  in 0:00");
}

TEST(ProgressBar, IsQuietWhereThereIsNoTerminal) {
  Pool pool(2);
  std::ostringstream out;
  auto result = pool.map_async(square, numbers(100));
  progress_bar(result, out);
  EXPECT_TRUE(result.ready());
  EXPECT_EQ(out.str(), "");
}

TEST(ProgressBar, PlainLinesEndWithAll) {
  Pool pool(2);
  std::ostringstream out;
  auto result = pool.map_async(square, numbers(100));
  progress_bar(pool, out, {.width = 10, .plain_lines = true});
  EXPECT_THAT(out.str(), ::testing::ContainsRegex("\\[##########\\] 100%  [0-9]+/[0-9]+  in [0-9:]+\n$"));
  result.wait();
  auto failing = pool.map_async([](int) { throw std::runtime_error("never"); }, numbers(4));
  progress_bar(failing, out);  // what get() throws stays there
  EXPECT_THROW(failing.get(), std::runtime_error);
}

TEST(ProgressBar, DrawsOnATerminal) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(grantpt(terminal) | unlockpt(terminal), 0);
  const std::string path = ptsname(terminal);
  Process drawing([&] {
    const int end = open(path.c_str(), O_RDWR | O_NOCTTY);
    dup2(end, STDERR_FILENO);
    Pool pool(1);
    auto result = pool.map_async(square, numbers(10));
    progress_bar(result);
  });
  std::string shown;
  for (char part[256]; shown.find('\n') == shown.npos;) {
    const ssize_t count = read(terminal, part, sizeof part);
    ASSERT_GT(count, 0);
    shown.append(part, static_cast<std::size_t>(count));
  }
  EXPECT_THAT(shown, HasSubstr("100%  10/10"));
  EXPECT_THAT(shown, ::testing::StartsWith("\r["));
  drawing.join();
  close(terminal);
}

// ---- by name --------------------------------------------------------------------------------------------------

int triple(int n) {
  return 3 * n;
}

TEST(NamedPool, IsServedByOtherProcesses) {
  Manager manager;
  Process first([&] { EXPECT_GT(serve_pool(manager, "farm"), 0u); });
  Process second([&] { serve_pool(manager, "farm"); });
  Pool pool(manager, "farm", {.workers = 0});
  EXPECT_EQ(pool.map(square, numbers(100), 1).back(), 99 * 99);
  test::eventually([&] { return pool.progress().workers == 2; }, "two workers");
  const Barrier both = manager.barrier(2);  // each of them gets a task
  pool.map([](const Barrier& barrier) { barrier.wait(); }, std::vector<Barrier>{both, both}, 1);
  pool.close();
  pool.join();
  first.join();
  second.join();
  EXPECT_EQ(first.exit_code(), 0);
  EXPECT_EQ(second.exit_code(), 0);
  EXPECT_FALSE(manager.exists("farm"));
}

TEST(NamedPool, ServedAfterItsEndTheNextOneIs) {
  Manager manager;
  {
    Pool pool(manager, "farm", {.workers = 1});
    EXPECT_EQ(pool.apply(square, 2), 4);
    pool.close();
    pool.join();
  }
  EXPECT_FALSE(manager.exists("farm"));
  std::jthread worker([&] { EXPECT_EQ(serve_pool(manager, "farm"), 1u); });
  Pool next(manager, "farm", {.workers = 0});
  EXPECT_EQ(next.apply(square, 3), 9);
  next.close();
  next.join();
}

TEST(NamedPool, OneThatEndsBeforeItIsEnteredIsLeftForTheNext) {
  Manager manager;
  for (const bool removed : {false, true}) {
    std::vector<client::TaskPool> seen;
    auto enter = [&](const client::TaskPool& pool) {
      seen.push_back(pool);
      if (seen.size() == 1) {
        if (removed) manager.remove("farm");
        else pool.close();
      }
      (void)pool.enlist(std::nullopt, std::nullopt);
    };
    const client::TaskPool entered = client::enter_named(manager, "farm", enter);
    EXPECT_EQ(seen.size(), 2u);
    EXPECT_NE(entered, seen.front());
    EXPECT_TRUE(manager.exists("farm"));
    manager.remove("farm");
  }
}

TEST(NamedPool, ServingMayBeginAtAnyMomentOfItsEnd) {
  Manager manager;
  for (int round = 0; round < 20; ++round) {
    std::jthread worker(
        [&](const std::stop_token& stop) { EXPECT_NO_THROW(serve_pool(manager, "farm", {}, stop)); });
    Pool pool(manager, "farm", {.workers = 0});
    pool.close();
    pool.join();
  }
}

TEST(NamedPool, OneUsersJoinLeavesTheNextPoolAlone) {
  Manager manager;
  Pool first(manager, "farm", {.workers = 1});
  Pool second(manager, "farm", {.workers = 0});
  EXPECT_EQ(second.apply(square, 3), 9);
  first.close();
  first.join();
  Pool next(manager, "farm", {.workers = 1});
  second.close();
  second.join();
  EXPECT_EQ(next.apply(square, 4), 16);
}

TEST(NamedPool, ClosedItKeepsItsNameUntilAllIsDone) {
  Manager manager;
  Pool pool(manager, "farm", {.workers = 0});
  auto result = pool.apply_async(square, 3);
  pool.close();
  EXPECT_THAT(error_of<Closed>([&] { Pool late(manager, "farm", {.workers = 0}); }), HasSubstr("closed"));
  EXPECT_EQ(serve_pool(manager, "farm"), 1u);  // a late worker helps
  EXPECT_EQ(result.get(), 9);
  pool.join();
  EXPECT_FALSE(manager.exists("farm"));
}

TEST(NamedPool, TasksCanNameTheirFunctions) {
  Manager manager;
  std::jthread worker([&](const std::stop_token& stop) {
    EXPECT_EQ(serve_pool(manager, "farm", {{"work", triple}}, stop), 1u);  // another function of that name
  });
  Pool pool(manager, "farm", {.workers = 0, .functions = {{"work", square}}});
  EXPECT_EQ(pool.apply(square, 5), 15);
  worker.request_stop();
  worker.join();
  std::jthread other([&](const std::stop_token& stop) {
    serve_pool(manager, "farm", {{"other", triple}}, stop);
  });
  EXPECT_THAT(error_of<NotFound>([&] { (void)pool.apply(square, 5); }),
              HasSubstr("no function is named \"work\" here"));
}

TEST(NamedPool, AStrangersTaskIsRefusedClearly) {
  Manager manager;
  // It may begin when the pool has ended, and then waits for the next one.
  std::jthread worker([&](const std::stop_token& stop) { serve_pool(manager, "farm", {}, stop); });
  Pool pool(manager, "farm", {.workers = 1, .functions = {{"work", square}}});
  auto raw = manager.create<client::TaskPool>("farm");
  const std::int64_t submitter = raw.enter();
  wire::Buffer task;
  wire::Writer writer(task);
  writer.array(3);
  writer.integer(1);
  writer.integer(1);
  writer.array(2);
  writer.text("@0123+10+20");
  writer.array(0);
  raw.submit(submitter, 0, {1, task.view()});
  const client::EncodedResult outcomes = raw.collect(submitter, client::no_limit);
  EXPECT_THAT(std::string(wire::as_text(outcomes.bytes.view())), HasSubstr("another build"));
  raw.exit(submitter);
  pool.close();
  pool.join();
}

}  // namespace
}  // namespace tandem
