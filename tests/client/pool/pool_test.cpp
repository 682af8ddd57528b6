// Tasks, results and exceptions.
#include "tandem/pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "client/pool/pool_worker.hpp"
#include "tests/client/pool/functions.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/generated.hpp"
#include "tests/support/program.hpp"

namespace tandem {
namespace {

using test::add;
using test::error_of;
using test::greet;
using test::numbers;
using test::square;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

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

}  // namespace
}  // namespace tandem
