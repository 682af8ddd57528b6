// Asynchronous operations, over every kind of channel.

#include "tandem/async.hpp"

#include <signal.h>

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/deferred.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <atomic>
#include <future>
#include <map>
#include <thread>

#include "client/session/session.hpp"
#include "tests/support/child.hpp"
#include "tests/support/contract.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fake_manager.hpp"

namespace tandem::test {
namespace {

using asio::awaitable;
using asio::use_awaitable;
using asio::use_future;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Grant = std::pair<std::uint64_t, bool>;

/// What went wrong with an operation, as its completion told.
std::string text_of(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const std::exception& thrown) {
    return thrown.what();
  }
  return "";
}
template <class E>
bool is(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const E&) {
    return true;
  } catch (...) {
  }
  return false;
}
bool is_aborted(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const std::system_error& thrown) {
    return thrown.code() == asio::error::operation_aborted;
  } catch (...) {
  }
  return false;
}

class Asyncs : public ContractTest {
 protected:
  Async make() { return Async(manager(), io_.get_executor()); }
  /// Runs a coroutine, and whatever else is there to run, to its end.
  template <class F>
  void run(F&& coroutine) {
    auto done = asio::co_spawn(io_, std::forward<F>(coroutine), use_future);
    io_.restart();
    io_.run();
    done.get();
  }

  asio::io_context io_;
};
TANDEM_CHANNEL_SUITE(Asyncs);

TEST_P(Asyncs, AResultOfAnotherTypeIsAnErrorThatNamesItsCall) {
  auto list = manager().list<int>({1});
  const Async async = make();
  auto text = async.call<ops::List::At, std::string>(list, 0, use_future);
  io_.run();
  EXPECT_THAT(
      error_of<TypeError>([&] { text.get(); }),
      HasSubstr("list.at on object " + std::to_string(list.id()) + ": asked for text, found integer 1"));
}

TEST_P(Asyncs, InCoroutines) {
  auto dict = manager().dict<std::string, int>({{"a", 1}});
  auto list = manager().list<int>();
  run([&, async = make()]() -> awaitable<void> {
    EXPECT_EQ((co_await async.call<ops::Dict::At, int>(dict, "a", use_awaitable)), 1);
    EXPECT_TRUE(co_await async.call<ops::Dict::Set>(dict, "b", 2, use_awaitable));
    co_await async.call<ops::List::Append>(list, 5, use_awaitable);
    EXPECT_EQ(co_await async.call<ops::List::Size>(list, use_awaitable), 1);
    const nlohmann::json all = co_await async.call<ops::Dict::Snapshot>(dict, use_awaitable);
    EXPECT_EQ(all.dump(), R"({"a":1,"b":2})");
    EXPECT_EQ(co_await async.call<ops::Dict::Find>(dict, "c", use_awaitable), std::nullopt);
    try {
      co_await async.call<ops::Dict::At, int>(dict, "c", use_awaitable);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const KeyError& error) {
      EXPECT_THAT(error.what(), HasSubstr("no key \"c\""));
    }
  });
  EXPECT_EQ(list, (std::vector<int>{5}));
}

TEST_P(Asyncs, WithAnyToken) {
  auto list = manager().list<int>({1, 2});
  auto async = make();
  auto future = async.call<ops::List::At, int>(list, 1, use_future);
  auto nothing = async.call<ops::List::Append>(list, 3, use_future);
  auto failing = async.call<ops::List::At, int>(list, 9, use_future);
  int called = 0;
  async.call<ops::List::Size>(
      list, [&called, owned = std::make_unique<int>(3)](std::exception_ptr error, std::int64_t size) {
        EXPECT_EQ(error, nullptr);
        EXPECT_EQ(size, *owned);
        ++called;
      });
  async.call<ops::List::Clear>(list, [&called](std::exception_ptr error) { called += error ? 10 : 1; });
  auto deferred = async.call<ops::List::Size>(list, asio::experimental::deferred);
  EXPECT_EQ(called, 0) << "nothing completes before the executor runs it";
  io_.run();
  EXPECT_EQ(called, 2);
  EXPECT_EQ(future.get(), 2);
  nothing.get();
  EXPECT_THROW(failing.get(), IndexError);
  std::int64_t size = -1;
  std::move(deferred)([&](std::exception_ptr, std::int64_t found) { size = found; });
  io_.restart();
  io_.run();
  EXPECT_EQ(size, 0);
}

TEST_P(Asyncs, EveryTokenCompletesWheneverItWasStartedAndWhereverItsHandlerRuns) {
  auto list = manager().list<int>({7});
  asio::thread_pool elsewhere(1);
  const auto with = [&list](const Async& async, const auto& bind) {
    auto promise = std::make_shared<std::promise<int>>();
    async.call<ops::List::At, int>(
        list, 0, bind([promise](std::exception_ptr, int found) { promise->set_value(found); }));
    return promise->get_future();
  };
  const std::map<std::string, std::function<std::future<int>(const Async&)>> tokens{
      {"use_future", [&](const Async& async) { return async.call<ops::List::At, int>(list, 0, use_future); }},
      {"a callback", [&](const Async& async) { return with(async, [](auto handler) { return handler; }); }},
      {"a callback on a strand",
       [&](const Async& async) {
         return with(async,
                     [&](auto handler) { return asio::bind_executor(asio::make_strand(io_), handler); });
       }},
      {"a callback elsewhere",
       [&](const Async& async) {
         return with(async,
                     [&](auto handler) { return asio::bind_executor(elsewhere.get_executor(), handler); });
       }},
      {"a deferred operation",
       [&](const Async& async) {
         return async.call<ops::List::At, int>(list, 0, asio::experimental::deferred)(use_future);
       }},
      {"a coroutine",
       [&](const Async& async) {
         return asio::co_spawn(
             io_,
             [&]() -> awaitable<int> {
               co_return co_await async.call<ops::List::At, int>(list, 0, use_awaitable);
             },
             use_future);
       }},
      {"a coroutine on a strand",
       [&](const Async& async) {
         return asio::co_spawn(
             asio::make_strand(io_),
             [&]() -> awaitable<int> {
               co_await async.call<ops::List::Size>(list, use_awaitable);
               co_return co_await async.call<ops::List::At, int>(list, 0, use_awaitable);
             },
             use_future);
       }},
  };
  enum class When { before_run, during_run, after_run };
  for (const auto& [token, start] : tokens)
    for (const When when : {When::before_run, When::during_run, When::after_run}) {
      const Async async = make();
      std::future<int> result;
      io_.restart();
      if (when == When::during_run) asio::post(io_, [&, &start = start] { result = start(async); });
      if (when == When::after_run) {
        EXPECT_EQ(io_.run(), 0u) << token;
      }
      if (when != When::during_run) result = start(async);
      if (when == When::after_run) io_.restart();
      io_.run();
      eventually([&] { return result.wait_for(std::chrono::seconds(0)) == std::future_status::ready; },
                 token + ", started " + std::to_string(static_cast<int>(when)));
      EXPECT_EQ(result.get(), 7) << token;
    }
  elsewhere.join();
}

TEST_P(Asyncs, HandlersRunOnTheirExecutor) {
  auto list = manager().list<int>();
  auto async = make();
  asio::thread_pool pool(1);
  std::promise<bool> elsewhere;
  async.call<ops::List::Size>(list,
                              asio::bind_executor(pool.get_executor(), [&](std::exception_ptr, std::int64_t) {
                                elsewhere.set_value(pool.get_executor().running_in_this_thread());
                              }));
  EXPECT_TRUE(elsewhere.get_future().get());
  pool.join();
  asio::thread_pool several(3);
  const Async own(manager(), several.get_executor());
  auto strand = asio::make_strand(several);
  int count = 0;
  for (int i = 0; i < 300; ++i)
    own.call<ops::List::Append>(list, i,
                                asio::bind_executor(strand, [&count](std::exception_ptr) { ++count; }));
  several.join();
  EXPECT_EQ(count, 300);
  EXPECT_EQ(list.size(), 300u);
}

TEST_P(Asyncs, OperationsAreDoneInTheirOrder) {
  auto list = manager().list<int>();
  auto async = make();
  std::vector<int> expected;
  for (int i = 0; i < 5000; ++i) {
    async.call<ops::List::Append>(list, i, [](std::exception_ptr error) { EXPECT_EQ(error, nullptr); });
    expected.push_back(i);
  }
  io_.run();
  EXPECT_EQ(list, expected);
}

TEST_P(Asyncs, SumsKeepToTheTypeOfTheirProxy) {
  auto list = manager().list<std::uint8_t>({255});
  std::exception_ptr error;
  make().call<ops::List::Add>(list, 0, 1, [&](std::exception_ptr e, const nlohmann::json&) { error = e; });
  io_.restart();
  io_.run();
  EXPECT_TRUE(is<OverflowError>(error)) << text_of(error);
  EXPECT_EQ(list[0], 255);
}

TEST_P(Asyncs, ThreadsMayShareOne) {
  auto list = manager().list<int>();
  auto async = make();
  std::atomic<int> completed{0};
  {
    auto work = asio::make_work_guard(io_);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) threads.emplace_back([this] { io_.run(); });
    std::vector<std::jthread> callers;
    for (int i = 0; i < 4; ++i)
      callers.emplace_back([&] {
        for (int n = 0; n < 500; ++n)
          async.call<ops::List::Append>(list, n, [&](std::exception_ptr) { ++completed; });
      });
    callers.clear();
    work.reset();
  }
  EXPECT_EQ(completed, 2000);
  EXPECT_EQ(list.size(), 2000u);
}

TEST_P(Asyncs, ErrorsOfArgumentsComeByCompletion) {
  auto dict = manager().dict<std::string, int>();
  auto elsewhere = make_host(Reach::engine, {});
  Manager other = elsewhere->connect();
  auto others = other.dict<std::string, int>();
  auto async = make();
  std::vector<std::exception_ptr> errors;
  auto note = [&errors](std::exception_ptr error, auto&&...) { errors.push_back(error); };
  async.call<ops::Dict::Size>(Dict<std::string, int>(), note);
  async.call<ops::Dict::Size>(others, note);
  async.call<ops::Dict::Update>(dict, others, note);
  async.call<ops::Dict::At, std::string>(dict, "none", note);
  io_.run();
  ASSERT_EQ(errors.size(), 4u);
  EXPECT_TRUE(is<ValueError>(errors[0]) && is<ValueError>(errors[1]) && is<ValueError>(errors[2]));
  EXPECT_THAT(text_of(errors[1]), HasSubstr("lives in another"));
  EXPECT_TRUE(is<KeyError>(errors[3]));
}

// ---- waits -------------------------------------------------------------------------------------------------

TEST_P(Asyncs, ThousandsOfWaitsOnOneChannel) {
  constexpr int count = 10'000;
  auto jobs = manager().queue<int>();
  auto async = make();
  const std::size_t channels = jobs.remote()->session()->channels_count();
  std::vector<asio::cancellation_signal> signals(count);
  std::vector<int> got(count, -1);
  int aborted = 0;
  for (int i = 0; i < count; ++i)
    async.call<ops::Queue::Get, std::optional<int>>(
        jobs, asio::bind_cancellation_slot(signals[static_cast<std::size_t>(i)].slot(),
                                           [&, i](std::exception_ptr error, std::optional<int> item) {
                                             if (item) got[static_cast<std::size_t>(i)] = *item;
                                             else if (is_aborted(error)) ++aborted;
                                             else ADD_FAILURE() << text_of(error);
                                           }));
  wait_for_waiters(count);
  EXPECT_EQ(jobs.remote()->session()->channels_count(), channels);
  std::vector<int> items(count / 2);
  for (int i = 0; i < count / 2; ++i) items[static_cast<std::size_t>(i)] = i;
  jobs.put_many(items);
  for (auto& signal : signals) signal.emit(asio::cancellation_type::all);
  io_.run();
  EXPECT_EQ(aborted, count / 2);
  for (int i = 0; i < count / 2; ++i)
    ASSERT_EQ(got[static_cast<std::size_t>(i)], i) << "served in the order of calls";
}

/// Items are put while waits are cancelled: each item goes to one waiter, or stays.
TEST_P(Asyncs, WhatIsGrantedIsNeverLost) {
  constexpr int count = 2'000;
  auto jobs = manager().queue<int>();
  auto async = make();
  std::vector<asio::cancellation_signal> signals(count);
  std::map<int, int> got;
  int aborted = 0;
  for (auto& signal : signals)
    async.call<ops::Queue::Get, std::optional<int>>(
        jobs,
        asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error, std::optional<int> item) {
          if (item) ++got[*item];
          else if (is_aborted(error)) ++aborted;
          else ADD_FAILURE() << text_of(error);
        }));
  std::jthread putter([&] {
    for (int i = 0; i < count; ++i) jobs.put(i);
  });
  for (auto& signal : signals) signal.emit(asio::cancellation_type::terminal);
  io_.run();
  putter.join();
  while (auto left = jobs.try_get()) ++got[*left];
  EXPECT_EQ(got.size(), static_cast<std::size_t>(count));
  for (const auto& [item, times] : got) EXPECT_EQ(times, 1) << item;
}

TEST_P(Asyncs, CancellationBySort) {
  auto jobs = manager().queue<int>(1);
  auto full = manager().queue<int>(1);
  full.put(0);
  auto lock = manager().lock();
  lock.lock();
  auto event = manager().event();
  auto barrier = manager().barrier(2);
  auto rlock = manager().rlock();
  auto condition = manager().condition(rlock);
  auto async = make();
  asio::cancellation_signal signal[9];
  int aborted = 0;
  auto expect_aborted = [&](std::exception_ptr error, auto&&...) {
    is_aborted(error) ? void(++aborted) : void(ADD_FAILURE() << text_of(error));
  };
  async.call<ops::Queue::Put>(full, 1, asio::bind_cancellation_slot(signal[0].slot(), expect_aborted));
  async.call<ops::Queue::GetMany>(jobs, 5, asio::bind_cancellation_slot(signal[1].slot(), expect_aborted));
  async.call<ops::Lock::Acquire, Grant>(lock, asio::bind_cancellation_slot(signal[2].slot(), expect_aborted));
  async.call<ops::Event::Wait>(event, asio::bind_cancellation_slot(signal[3].slot(), expect_aborted));
  async.call<ops::Barrier::Wait>(
      barrier, asio::bind_cancellation_slot(signal[4].slot(), [&](std::exception_ptr error, std::int64_t) {
        EXPECT_TRUE(is<BrokenBarrierError>(error)) << text_of(error);
      }));
  std::tuple<bool, std::uint64_t, bool> awoken;
  async.call<ops::RLock::Acquire, Grant>(rlock, asio::detached);
  async.call<ops::Condition::Wait, std::tuple<bool, std::uint64_t, bool>>(
      condition, asio::bind_cancellation_slot(signal[5].slot(), [&](std::exception_ptr error, auto result) {
        EXPECT_EQ(error, nullptr);
        awoken = result;
      }));
  std::int64_t put = -1;
  async.call<ops::Queue::PutMany>(
      full, std::vector<int>{1, 2},
      asio::bind_cancellation_slot(signal[6].slot(),
                                   [&](std::exception_ptr, std::int64_t count) { put = count; }));
  wait_for_waiters(7);
  for (auto& one : signal) one.emit(asio::cancellation_type::partial);
  io_.run();
  EXPECT_EQ(aborted, 4);
  EXPECT_EQ(put, 0);
  EXPECT_FALSE(std::get<0>(awoken));
  EXPECT_NE(std::get<1>(awoken), 0u) << "it has its lock again";
  EXPECT_TRUE(rlock.locked());
  EXPECT_EQ(manager().information().at("waiters"), 0);
  lock.unlock();
  EXPECT_FALSE(lock.locked());
}

TEST_P(Asyncs, TheFirstOfSeveralEndsTheOthers) {
  using namespace asio::experimental::awaitable_operators;
  auto first = manager().queue<int>();
  auto second = manager().queue<std::string>();
  auto event = manager().event();
  run([&, async = make()]() -> awaitable<void> {
    first.put(7);
    auto found = co_await (async.call<ops::Queue::Get, std::optional<int>>(first, use_awaitable) ||
                           async.call<ops::Queue::Get, std::optional<std::string>>(second, use_awaitable));
    EXPECT_EQ(std::get<0>(found), 7);
    auto timer = asio::steady_timer(co_await asio::this_coro::executor, std::chrono::milliseconds(5));
    auto ended =
        co_await (async.call<ops::Event::Wait>(event, use_awaitable) || timer.async_wait(use_awaitable));
    EXPECT_EQ(ended.index(), 1u);
    event.set();
    EXPECT_TRUE(co_await async.call<ops::Event::Wait>(event, use_awaitable));
  });
  second.put("x");
  EXPECT_EQ(second.size(), 1u) << "nobody waits for it any more";
}

TEST_P(Asyncs, TheManagersOwnOperations) {
  auto list = manager().list<int>();
  auto async = make();
  std::int64_t changed = -1;
  const auto seen = static_cast<std::int64_t>(list.version());
  async.call<ops::Manager::WaitForChange>(
      manager(), list, seen, [&](std::exception_ptr, std::int64_t version) { changed = version; });
  auto found = async.call<ops::Manager::Get, List<int>>(manager(), "none", use_future);
  wait_for_waiters(1);
  list.push_back(1);
  io_.run();
  EXPECT_EQ(changed, seen + 1);
  EXPECT_THROW(found.get(), NotFound);
}

TEST_P(Asyncs, LocksBelongToAnOwner) {
  auto lock = manager().lock();
  run([&, async = make()]() -> awaitable<void> {
    auto other = async.with_owner();
    auto grant = co_await async.call<ops::Lock::Acquire, Grant>(lock, use_awaitable);
    EXPECT_NE(grant.first, 0u);
    EXPECT_FALSE(lock.try_lock()) << "it is not this thread's";
    EXPECT_EQ((co_await other.call<ops::Lock::Acquire, Grant>(lock, 0, use_awaitable)).first, 0u);
    try {
      co_await async.call<ops::Lock::Acquire, Grant>(lock, use_awaitable);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const DeadlockError&) {
    }
    try {
      co_await other.call<ops::Lock::Release>(lock, use_awaitable);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const NotOwner&) {
    }
    const Async copy = async;
    co_await copy.call<ops::Lock::Release>(lock, use_awaitable);
  });
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
  auto count = manager().value<int>(0);
  auto counter = [&](Async async) -> awaitable<void> {
    for (int i = 0; i < 20; ++i) {
      co_await async.call<ops::Lock::Acquire, Grant>(lock, use_awaitable);
      const int before = co_await async.call<ops::Value::Load, int>(count, use_awaitable);
      co_await async.call<ops::Value::Store>(count, before + 1, use_awaitable);
      co_await async.call<ops::Lock::Release>(lock, use_awaitable);
    }
  };
  auto async = make();
  for (int i = 0; i < 10; ++i) asio::co_spawn(io_, counter(async.with_owner()), asio::detached);
  io_.restart();
  io_.run();
  EXPECT_EQ(count.load(), 200);
}

TEST_P(Asyncs, WhatAnOwnerHoldsPassesOnWithItsLastCopy) {
  auto lock = manager().lock();
  const Async async = make();
  {
    const Async owner = async.with_owner();
    std::future<Grant> granted = owner.call<ops::Lock::Acquire, Grant>(lock, use_future);
    EXPECT_NE(granted.get().first, 0u);
    EXPECT_FALSE(lock.try_lock());
  }
  EXPECT_TRUE(lock.guard().previous_owner_died());
  lock.lock();
  std::future<Grant> granted =
      async.with_owner().call<ops::Lock::Acquire, Grant>(lock, use_future);  // its only copy is gone
  wait_for_waiters(1);
  lock.unlock();
  EXPECT_NE(granted.get().first, 0u);
  EXPECT_TRUE(lock.guard().previous_owner_died());
}

// ---- amounts -----------------------------------------------------------------------------------------------

/// Neither side reads as fast as the other sends: callers do not wait, and all is done.
TEST_P(Asyncs, LargeValuesInBothDirections) {
  const std::string large(std::size_t{3} << 20, 'x');
  auto list = manager().list<std::string>();
  auto async = make();
  int good = 0;
  for (int i = 0; i < 15; ++i) {
    async.call<ops::List::Append>(list, large + std::to_string(i),
                                  [&](std::exception_ptr error) { good += !error; });
    async.call<ops::List::At, std::string>(list, i, [&, i](std::exception_ptr, const std::string& text) {
      good += text == large + std::to_string(i);
    });
  }
  io_.run();
  EXPECT_EQ(good, 30);
}

class FewAsyncRequests : public Asyncs {
 protected:
  Limits limits() const override {
    Limits limits;
    limits.requests_under_way_max = 16;
    limits.frame_bytes_max = 4096;
    limits.message_bytes_max = 10'000;
    return limits;
  }
};
TANDEM_CHANNEL_SUITE(FewAsyncRequests);

TEST_P(FewAsyncRequests, WhatExceedsTheLimitWaitsItsTurn) {
  constexpr int count = 500;
  auto jobs = manager().queue<int>();
  auto async = make();
  std::vector<asio::cancellation_signal> signals(count);
  int served = 0;
  int aborted = 0;
  for (auto& signal : signals)
    async.call<ops::Queue::Get, std::optional<int>>(
        jobs,
        asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error, std::optional<int> item) {
          if (item) ++served;
          else if (is_aborted(error)) ++aborted;
          else ADD_FAILURE() << text_of(error);
        }));
  wait_for_waiters(12);
  auto size = async.call<ops::Queue::Size>(jobs, use_future);
  eventually(
      [&] {
        io_.poll();
        return size.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
      },
      "the size of the queue");
  EXPECT_EQ(size.get(), 0) << "what does not wait passes";
  EXPECT_EQ(jobs.size(), 0u) << "and so do others";
  for (std::size_t i = 100; i < 200; ++i) signals[i].emit(asio::cancellation_type::terminal);
  for (int i = 0; i < 300; ++i) jobs.put(i);
  eventually(
      [&] {
        io_.poll();
        return served == 300;
      },
      "300 waits to be served");
  EXPECT_EQ(aborted, 100);
  wait_for_waiters(12);
  for (auto& signal : signals) signal.emit(asio::cancellation_type::terminal);
  io_.run();
  EXPECT_EQ(served, 300);
  EXPECT_EQ(aborted, 200);
}

TEST_P(FewAsyncRequests, ShortMessages) {
  auto list = manager().list<std::string>();
  auto async = make();
  const std::string large(9'900, 'x');
  auto good = async.call<ops::List::Append>(list, large, use_future);
  auto too_large = async.call<ops::List::Append>(list, large + large, use_future);
  auto back = async.call<ops::List::At, std::string>(list, 0, use_future);
  io_.run();
  good.get();
  EXPECT_THAT(error_of<ResourceExhausted>([&] { too_large.get(); }), HasSubstr("message_bytes_max"));
  EXPECT_EQ(back.get(), large);
}

// ---- proxies -----------------------------------------------------------------------------------------------

TEST_P(Asyncs, ProxiesComeAndGo) {
  auto outer = manager().dict<std::string, List<int>>();
  {
    auto inner = manager().list<int>({1});
    run([&, async = make()]() -> awaitable<void> {
      co_await async.call<ops::Dict::Set>(outer, "x", inner, use_awaitable);
      co_await async.call<ops::Dict::Set>(outer, "y", manager().list<int>(), use_awaitable);
      auto back = co_await async.call<ops::Dict::At, List<int>>(outer, "x", use_awaitable);
      EXPECT_EQ(back, inner);
      co_await async.call<ops::Dict::At, void>(outer, "x", use_awaitable);
      try {
        co_await async.call<ops::Dict::At, int>(outer, "x", use_awaitable);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const TypeError&) {
      }
      co_await async.call<ops::Dict::Erase>(outer, "y", use_awaitable);
    });
    eventually([&] { return references(inner) == 2; }, "our reference and the dict's to be all");
  }
  eventually([&] { return objects_count() == 2; }, "all objects but two to go");
}

/// An outcome whose handler never runs gives its references back.
TEST_P(Asyncs, ResultsThatNobodyTakes) {
  auto outer = manager().dict<std::string, List<int>>();
  outer["x"] = manager().list<int>({1});
  const std::uint64_t inner = outer.at("x").id();
  {
    asio::io_context never_run;
    Async async(manager(), never_run.get_executor());
    async.call<ops::Dict::At, List<int>>(outer, "x", [](std::exception_ptr, List<int>) { ADD_FAILURE(); });
    async.close();
  }
  eventually([&] { return references(inner) == 1; }, "the dict's reference to be the only one");
}

TEST_P(Asyncs, ARemovedObjectFailsItsOwnOperationsOnly) {
  auto gone = manager().queue<int>("gone");
  auto list = manager().list<int>();
  auto async = make();
  auto waiting = async.call<ops::Queue::Get, std::optional<int>>(gone, use_future);
  wait_for_waiters(1);
  manager().remove("gone");
  auto late = async.call<ops::Queue::Size>(gone, use_future);
  auto size = async.call<ops::List::Size>(list, use_future);
  io_.run();
  EXPECT_THROW(waiting.get(), ObjectGone);
  EXPECT_THROW(late.get(), ObjectGone);
  EXPECT_EQ(size.get(), 0);
}

TEST_P(Asyncs, CoverByALocksToken) {
  auto lock = manager().lock();
  auto held = lock.guard();
  auto list = fenced(manager().list<int>(), held);
  auto async = make();
  auto first = async.call<ops::List::Append>(list, 1, use_future);
  io_.run();
  first.get();
  held.unlock();
  auto second = async.call<ops::List::Append>(list, 2, use_future);
  io_.restart();
  io_.run();
  EXPECT_THROW(second.get(), StaleToken);
}

// ---- the end -----------------------------------------------------------------------------------------------

TEST_P(Asyncs, WaitsEndWithTheLastCopy) {
  auto jobs = manager().queue<int>();
  auto lock = manager().lock();
  std::optional async = make();
  const std::size_t channels = jobs.remote()->session()->channels_count();
  auto served = async->call<ops::Queue::Get, std::optional<int>>(jobs, use_future);
  auto not_served = async->call<ops::Queue::Get, std::optional<int>>(jobs, use_future);
  wait_for_waiters(2);
  jobs.put(1);
  auto acquired = async->call<ops::Lock::Acquire, Grant>(lock, use_future);
  std::optional copy = async;
  async.reset();
  auto size = copy->call<ops::Queue::Size>(jobs, use_future);
  copy.reset();
  EXPECT_EQ(manager().information().at("waiters"), 0);
  io_.run();
  EXPECT_EQ(served.get(), 1);
  EXPECT_EQ(size.get(), 0);
  EXPECT_NE(acquired.get().first, 0u) << "it was done before";
  error_of<std::system_error>([&] { not_served.get(); });
  for (int i = 0; i < 5; ++i) make();
  EXPECT_EQ(jobs.remote()->session()->channels_count(), channels) << "the channel is used again";
}

TEST_P(Asyncs, CloseEndsIt) {
  auto jobs = manager().queue<int>();
  auto async = make();
  auto waiting = async.call<ops::Queue::Get, std::optional<int>>(jobs, use_future);
  async.close();
  async.close();
  auto late = async.call<ops::Queue::Size>(jobs, use_future);
  io_.run();
  error_of<std::system_error>([&] { waiting.get(); });
  EXPECT_THAT(error_of<ConnectionError>([&] { late.get(); }),
              AllOf(HasSubstr("queue.size on object"), HasSubstr("has been closed")));
}

/// Coroutines that hold the Async which holds them.
TEST_P(Asyncs, TheContextMayGoFirst) {
  auto jobs = manager().queue<int>();
  auto alive = std::make_shared<int>(0);
  {
    asio::io_context short_lived;
    const Async async(manager(), short_lived.get_executor());
    auto wait = [&jobs](Async its, std::shared_ptr<int> held) -> awaitable<void> {
      co_await its.call<ops::Queue::Get, std::optional<int>>(jobs, use_awaitable);
      ADD_FAILURE() << "nobody runs this " << *held;
    };
    for (int i = 0; i < 5; ++i) asio::co_spawn(short_lived, wait(async, alive), asio::detached);
    short_lived.poll();
    wait_for_waiters(5);
  }
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_EQ(manager().information().at("waiters"), 0);
}

TEST(AsyncEnds, AManagerThatDoesNotAnswer) {
  std::promise<void> may_end;
  FakeManager manager([end = may_end.get_future().share()](FakeChannel&, const SeenRequest&) { end.wait(); });
  auto session = client::Session::open(manager.connector(), {});
  const List<int> list(
      std::make_shared<client::RemoteObject>(session, wire::Reference{ops::List::number, 17}, false));
  asio::io_context io;
  std::exception_ptr told;
  {
    const Async async(Manager(session), io.get_executor());
    async.call<ops::List::Size>(list, [&](std::exception_ptr error, std::int64_t) { told = error; });
  }
  io.run();
  EXPECT_TRUE(is<ConnectionError>(told)) << text_of(told);
  may_end.set_value();
}

TEST(AsyncEnds, AKilledManager) {
  Manager manager;
  auto jobs = manager.queue<int>();
  asio::io_context io;
  Async async(manager, io.get_executor());
  std::vector<std::future<std::optional<int>>> waiting;
  for (int i = 0; i < 100; ++i)
    waiting.push_back(async.call<ops::Queue::Get, std::optional<int>>(jobs, use_future));
  eventually([&] { return manager.information().at("waiters") == 100; }, "100 waiting requests");
  EXPECT_EQ(::kill(manager.information().at("pid").get<pid_t>(), SIGKILL), 0);
  io.run();
  for (auto& one : waiting)
    EXPECT_THAT(error_of<ConnectionError>([&] { one.get(); }),
                AllOf(HasSubstr("queue.get on object"), HasSubstr("closed the connection")));
  auto late = async.call<ops::Queue::Size>(jobs, use_future);
  io.restart();
  io.run();
  EXPECT_THAT(error_of<ConnectionError>([&] { late.get(); }), HasSubstr("the Async has ended"));
}

TEST(AsyncEnds, AChildHasNoPartInIt) {
  Manager manager;
  auto jobs = manager.queue<int>();
  asio::io_context io;
  std::optional<Async> async;
  async.emplace(manager, io.get_executor());
  auto waiting = async->call<ops::Queue::Get, std::optional<int>>(jobs, use_future);
  {
    Child child([&] {
      asio::io_context own;
      {
        const Async mine(manager, own.get_executor());
        std::int64_t size = -1;  // no future: those use threads of Asio's own, which a child has not
        mine.call<ops::Queue::Size>(jobs, [&](std::exception_ptr, std::int64_t found) { size = found; });
        own.run();
        EXPECT_EQ(size, 0);
      }
      own.restart();
      std::exception_ptr told;
      async->call<ops::Queue::Size>(
          jobs, asio::bind_executor(own.get_executor(),
                                    [&](std::exception_ptr error, std::int64_t) { told = error; }));
      own.run();
      EXPECT_THAT(text_of(told), HasSubstr("forked"));
      async.reset();
      jobs.put(3);
    });
    ASSERT_EQ(child.join(), 0);
  }
  io.run();
  EXPECT_EQ(waiting.get(), 3);
}

TEST(AsyncEnds, ForksAmongCalls) {
  Manager manager;
  auto list = manager.list<int>();
  asio::thread_pool pool(1);
  const Async async(manager, pool.get_executor());
  std::atomic<bool> enough{false};
  std::jthread caller([&] {
    while (!enough) async.call<ops::List::Size>(list, use_future).get();
  });
  for (int i = 0; i < 20; ++i) Child([&] { EXPECT_EQ(list.size(), 0u); });
  enough = true;
  caller.join();
  pool.join();
}

TEST(AsyncEnds, ALostSession) {
  FakeManager manager([](FakeChannel& channel, const SeenRequest&) {
    channel.fault(Code::session_lost, "it held the lock 'a'");
  });
  auto session = client::Session::open(manager.connector(), {});
  std::string told;
  session->on_session_lost([&](const SessionLost& lost) { told = lost.what(); });
  const Queue<int> jobs(
      std::make_shared<client::RemoteObject>(session, wire::Reference{ops::Queue::number, 17}, false));
  asio::io_context io;
  const Async async(Manager(session), io.get_executor());
  auto waiting = async.call<ops::Queue::Get>(jobs, use_future);
  io.run();
  EXPECT_THAT(error_of<SessionLost>([&] { waiting.get(); }), HasSubstr("it held the lock 'a'"));
  EXPECT_THAT(told, HasSubstr("the lock 'a'"));
}

}  // namespace
}  // namespace tandem::test
