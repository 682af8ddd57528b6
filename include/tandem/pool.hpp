#pragma once
// Pool: worker processes that carry out tasks, as Python's multiprocessing.Pool.
//
//   Python                              here
//   Pool(), Pool(4)                     tandem::Pool pool;  tandem::Pool pool(4);
//   Pool(4, initializer, (a,), 100)     tandem::Pool pool({.workers = 4,
//                                                          .initializer = {initializer, a},
//                                                          .max_tasks_per_child = 100});
//   pool.apply(f, (1, 2))               pool.apply(f, 1, 2)
//   r = pool.apply_async(f, (1, 2))     auto r = pool.apply_async(f, 1, 2);   AsyncResult: async_result.hpp
//   pool.apply_async(f, …, callback=g)  pool.apply_async(f, …).on_result(g)
//   pool.map(f, items, chunksize)       pool.map(f, items, chunk_size)        a vector, in items' order
//   pool.starmap(f, [(1, 2), …])        pool.starmap(f, tuples)
//   pool.map_async, pool.starmap_async  the same                              AsyncResult of a vector
//   for r in pool.imap(f, items)        for (auto& r : pool.imap(f, items))   also imap_unordered
//   pool.close(), terminate(), join()   the same
//   -                                   {.retries = 2}                        for workers that die in a task
//   -                                   tandem::Pool pool(manager, "name");   workers on other machines too:
//   -                                   tandem::serve_pool(manager, "name")
//   -                                   pool.progress(), progress_bar(pool)   progress_bar.hpp
//
// A task is a function or a captureless lambda, with arguments of types that have a Codec: pass what the
// lambda needs, or a proxy of it, as arguments. Its result has a Codec too, or is void. Proxies that are
// passed or returned must live in the pool's own manager.
//
// Workers get tasks one at a time, each in one round trip together with delivery of the previous result.
// map() and its relatives put several calls into one task, a chunk; by default each worker gets four chunks.
// An exception fails only its own call. If a worker dies, its task is retried up to `retries` times; then all
// calls of that chunk fail with WorkerDied, since it is unknown which of them were done. So without retries a
// call is started at most once; with retries it may have been started before. Whatever process dies, no
// delivered result is lost or returned twice.

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "tandem/async_result.hpp"
#include "tandem/function.hpp"
#include "tandem/manager.hpp"
#include "tandem/process.hpp"
#include "tandem/proxy/task_pool.hpp"

namespace tandem {

/// What each worker runs before its first task: a function and its arguments, both copied.
class PoolInitializer {
 public:
  PoolInitializer() = default;
  template <class F, class... A>
  requires(!std::same_as<std::decay_t<F>, PoolInitializer>) PoolInitializer(F function, A... arguments) {
    static_assert(
        client::PlainFunction<F>,
        "a pool's initializer is a function or a captureless lambda: pass what it needs as arguments");
    if constexpr (client::PlainFunction<F>) {
      static_assert(client::can_call<F, A...>, "the arguments are those that the initializer takes");
      if constexpr (client::can_call<F, A...>) {
        function_ = function;
        encode_ = [arguments = std::tuple(std::move(arguments)...)](Encoder& to) {
          std::apply([&](const A&... each) { client::encode_call<F>(to, each...); }, arguments);
        };
      }
    }
  }
  explicit operator bool() const { return function_.has_value(); }
  const Function& function() const { return *function_; }
  void encode_arguments(Encoder& to) const { encode_(to); }

 private:
  std::optional<Function> function_;
  std::function<void(Encoder&)> encode_;
};

enum class StartMethod { fork, spawn };

struct PoolOptions {
  // nullopt: cpu_count(). 0 is for named pools whose workers run elsewhere.
  std::optional<unsigned> workers{};
  // If it throws, the pool ends: all tasks fail with RemoteError, whose text says why.
  PoolInitializer initializer{};
  // A worker is replaced after this many tasks (a chunk counts as one). 0: never.
  unsigned max_tasks_per_child = 0;
  // How often a task is retried if its worker dies.
  unsigned retries = 0;
  // Workers are forked by a supervisor process, which has no threads. The supervisor is forked from this
  // process when the pool is constructed, or is this program started anew (spawn); then main() must begin
  // with run_spawned().
  StartMethod start_method = StartMethod::fork;
  // For workers of other builds: functions by names that both builds know.
  Functions functions{};
};

namespace client {

/// Calls on their way to the manager, in chunks.
class Submission {
 public:
  /// `first`: the index of the first call in its job.
  Submission(PoolCore& core, std::shared_ptr<Job> job, Function function, std::size_t chunk_size,
             std::size_t first = 0);
  /// Outcomes of what was not sent are not awaited.
  ~Submission();
  Submission(const Submission&) = delete;
  Submission& operator=(const Submission&) = delete;

  template <PlainFunction F, class... A>
  void add(const A&... arguments) {
    const std::size_t before = calls_.size();
    try {
      encode_call<F>(encoder_, arguments...);
    } catch (...) {
      calls_.truncate(before);
      throw;
    }
    if (++calls_in_chunk_ == chunk_size_) end_chunk();
  }
  void end_chunk();
  /// Sends what was added and has not been sent.
  void send();
  /// After send() has thrown: ends the calls that were not sent.
  void fail_unsent(const std::exception_ptr& error);

 private:
  void send_tasks();

  PoolCore& core_;
  const std::shared_ptr<Job> job_;
  const std::string function_;
  const std::size_t chunk_size_;
  std::size_t next_;  // the index of the chunk's first call
  std::size_t calls_in_chunk_ = 0;
  wire::Buffer calls_;                                     // of the chunk
  std::vector<std::shared_ptr<const RemoteObject>> kept_;  // proxies in the chunk
  Encoder encoder_;
  wire::Buffer chunk_;  // complete
  wire::Buffer tasks_;
  std::vector<std::int64_t> tags_;  // of tasks_
  std::vector<std::shared_ptr<const RemoteObject>> kept_in_tasks_;
};

/// The input of imap(). A view is copied; another range that is an lvalue is referred to.
template <class F, class Range>
class StreamInputOf final : public StreamInput {
 public:
  // Elements that exist already, or are computed from nothing, as those of std::views::iota().
  static constexpr bool in_memory = std::ranges::forward_range<Range> &&
                                    (std::is_lvalue_reference_v<std::ranges::range_reference_t<Range>> ||
                                     std::ranges::borrowed_range<std::remove_cvref_t<Range>>);

  StreamInputOf(const std::shared_ptr<PoolCore>& core, F function, Range&& range, std::size_t chunk_size,
                std::size_t calls_max)
      : StreamInput(core, function, chunk_size, calls_max, in_memory), range_(std::forward<Range>(range)) {}

 protected:
  bool read(Submission& to) override {
    // An iterator is advanced only when the next item is wanted: that may wait for it.
    if (at_) ++*at_;
    else at_.emplace(std::ranges::begin(range_));
    if (*at_ == std::ranges::end(range_)) return false;
    to.add<F>(**at_);
    return true;
  }

 private:
  using Held =
      std::conditional_t<std::ranges::view<std::remove_cvref_t<Range>>, std::remove_cvref_t<Range>, Range>;

  Held range_;
  std::optional<std::ranges::iterator_t<std::remove_reference_t<Held>>> at_;
};

template <class T>
inline constexpr bool is_tuple_like = requires {
  std::tuple_size<std::remove_cvref_t<T>>::value;
};

template <class R>
constexpr bool can_be_result() {
  if constexpr (std::is_void_v<R>) return true;
  else return Encodable<R> && Decodable<R>;
}

template <class F, class... A>
constexpr bool check_task() {
  static_assert(PlainFunction<F>,
                "a pool's task is a function or a captureless lambda, without template parameters: what a "
                "lambda captures "
                "does not travel to the worker; pass it as an argument");
  if constexpr (PlainFunction<F>) {
    static_assert(can_call<F, A...>,
                  "the arguments are as many as the function takes, and turn into its parameters' types");
    using R = std::decay_t<ResultOfFunction<F>>;
    constexpr bool good_result = can_be_result<R>();
    static_assert(good_result, "the function's result has a Codec and owns what it holds, or is void");
    return can_call<F, A...> && good_result;
  }
  return false;
}
template <class F, class Tuple>
constexpr bool check_tuple_task() {
  static_assert(is_tuple_like<Tuple>, "starmap() takes tuples or pairs of arguments");
  if constexpr (is_tuple_like<Tuple>) return []<std::size_t... I>(std::index_sequence<I...>) {
      return check_task<F, std::decay_t<std::tuple_element_t<I, Tuple>>...>();
    }
  (std::make_index_sequence<std::tuple_size_v<Tuple>>());
  return false;
}
template <class R>
using ElementOf = std::remove_cvref_t<std::ranges::range_reference_t<R>>;

template <class Range>
constexpr bool check_end() {
  static_assert(!Endless<Range>,
                "map() and starmap() read all items, and this range has no end: imap() reads as results are "
                "taken");
  return !Endless<Range>;
}
/// The check of map() and its relatives.
template <class F, class Range>
constexpr bool check_map() {
  if constexpr (check_end<Range>()) return check_task<F, ElementOf<Range>>();
  else return false;
}
template <class F, class Range>
constexpr bool check_starmap() {
  if constexpr (check_end<Range>()) return check_tuple_task<F, ElementOf<Range>>();
  else return false;
}

}  // namespace client

/// Movable, not copyable. Any thread may submit tasks and read results; close(), terminate(), join(), moving
/// and destruction are for one thread at a time. A pool belongs to the process that constructed it; in a
/// forked child everything but destruction throws ValueError.
///
/// If the workers cannot work (an initializer that throws; ten workers in a row that die before they are
/// ready; the death of the supervisor process), all waiting and later tasks fail with an error that says so.
/// If the manager is lost, they fail with ConnectionError. The workers end with this process, however it
/// ends.
class Pool {
 public:
  /// A pool in a manager of its own. ValueError: no workers, or this process is a daemon. Also throws what
  /// Manager and Process throw.
  Pool();
  explicit Pool(unsigned workers);
  explicit Pool(const PoolOptions& options);
  /// A pool in a running manager, not shared with other processes.
  explicit Pool(const Manager& manager, const PoolOptions& options = {});
  /// The pool of that name, shared by all processes that name it; created if there is none. Its tasks are
  /// carried out by all of its workers, whichever process started them. It ends when one of them has closed it
  /// and all tasks are done; from then on the name means the next pool. Closed: it is closed and has not ended.
  Pool(const Manager& manager, std::string_view name, const PoolOptions& options = {});
  Pool(Pool&&) noexcept;
  Pool& operator=(Pool&&) noexcept;
  /// Calls terminate() and join(), as Python's `with`.
  ~Pool();

  // Each of these throws ValueError if the pool is closed, what encoding the arguments throws,
  // ConnectionError, and ResourceExhausted (a task's arguments, or all tasks together, are too large for the
  // manager).

  template <class F, class... A>
  auto apply(F function, const A&... arguments) {
    if constexpr (client::check_task<F, std::decay_t<A>...>())
      return apply_async(function, arguments...).get();
  }
  template <class F, class... A>
  auto apply_async(F function, const A&... arguments) {
    if constexpr (client::check_task<F, std::decay_t<A>...>()) {
      using R = std::decay_t<client::ResultOfFunction<F>>;
      check_open();
      auto job = std::make_shared<client::OneCall<R>>();
      client::Submission submission(core(), job, function, 1);
      submission.add<F>(arguments...);
      submission.send();
      return AsyncResult<R>(std::move(job));
    }
  }

  /// `items`: any range that ends, read before this returns. `chunk_size` 0: a quarter of each worker's share,
  /// rounded up.
  template <class F, std::ranges::input_range Range>
  auto map(F function, Range&& items, std::size_t chunk_size = 0) {
    if constexpr (client::check_map<F, Range>())
      return map_async(function, std::forward<Range>(items), chunk_size).get();
  }
  template <class F, std::ranges::input_range Range>
  auto map_async(F function, Range&& items, std::size_t chunk_size = 0) {
    if constexpr (client::check_map<F, Range>())
      return submit_many(function, std::forward<Range>(items), chunk_size,
                         [](auto& submission, const auto& item) { submission.template add<F>(item); });
  }
  template <class F, class T>
  auto map(F function, std::initializer_list<T> items, std::size_t chunk_size = 0) {
    return map(function, std::span(items.begin(), items.size()), chunk_size);
  }
  template <class F, class T>
  auto map_async(F function, std::initializer_list<T> items, std::size_t chunk_size = 0) {
    return map_async(function, std::span(items.begin(), items.size()), chunk_size);
  }
  /// Each item is a tuple or a pair: the arguments of one call.
  template <class F, std::ranges::input_range Range>
  auto starmap(F function, Range&& items, std::size_t chunk_size = 0) {
    if constexpr (client::check_starmap<F, Range>())
      return starmap_async(function, std::forward<Range>(items), chunk_size).get();
  }
  template <class F, std::ranges::input_range Range>
  auto starmap_async(F function, Range&& items, std::size_t chunk_size = 0) {
    if constexpr (client::check_starmap<F, Range>())
      return submit_many(
          function, std::forward<Range>(items), chunk_size, [](auto& submission, const auto& item) {
            std::apply([&](const auto&... each) { submission.template add<F>(each...); }, item);
          });
  }

  /// Results one by one, in the items' order, or in order of arrival. The results of a chunk arrive together.
  ///
  /// Items are read while results are taken: here and in the stream's next(), by the calling thread. So
  /// `items` may be larger than memory, single-pass or endless; an lvalue that is no view must outlive the
  /// stream. At most `buffer_size` items are read whose results are not taken; 0: four chunks for each worker, and
  /// of items in memory at least a thousand. Reading stops earlier when the next result is there, unless the items
  /// are in memory. With a `buffer_size` of 1 an item is read when the results of all earlier ones are taken, which
  /// an input needs that depends on them.
  template <class F, std::ranges::input_range Range>
  auto imap(F function, Range&& items, std::size_t chunk_size = 1, std::size_t buffer_size = 0) {
    return stream(function, std::forward<Range>(items), chunk_size, buffer_size, true);
  }
  template <class F, std::ranges::input_range Range>
  auto imap_unordered(F function, Range&& items, std::size_t chunk_size = 1, std::size_t buffer_size = 0) {
    return stream(function, std::forward<Range>(items), chunk_size, buffer_size, false);
  }

  /// Accepts no more tasks; the workers end when all submitted tasks are done. Streams whose input is not at
  /// its end go on, and the workers with them. A named pool is closed for all its users.
  void close();
  /// Accepts no more tasks and stops the submitted ones: results that are not ready yet fail with Closed. The
  /// workers get SIGTERM, and SIGKILL a second later. Returns at once; join() waits for their end.
  void terminate();
  /// Waits until all results have arrived, their callbacks have returned, and the workers have ended.
  /// ValueError: still open, or a stream of imap() has not come to the end of its input: take its results, or
  /// destroy it, first.
  void join();

  /// One round trip. For a named pool: of all its users.
  PoolProgress progress() const;
  /// Number of workers that this pool started and maintains.
  unsigned workers() const;
  /// The manager that hosts the pool.
  const Manager& manager() const;

 private:
  client::PoolCore& core() const;
  const std::shared_ptr<client::PoolCore>& shared_core() const;
  void check_open() const;
  std::size_t chunk_size_for(std::size_t calls, std::size_t asked) const;
  std::size_t calls_ahead(std::size_t chunk_size, std::size_t buffer_size, bool in_memory) const;

  template <class F, class Range, class Add>
  auto submit_many(F function, Range&& items, std::size_t chunk_size, Add add) {
    using R = std::decay_t<client::ResultOfFunction<F>>;
    std::optional<AsyncResult<client::ResultsOf<R>>> handle;
    client::with_size(items, [&](auto& sized, std::size_t size) {
      check_open();
      auto job = std::make_shared<client::ManyCalls<R>>(size);
      client::Submission submission(core(), job, function, chunk_size_for(size, chunk_size));
      for (const auto& item : sized) add(submission, item);
      submission.send();
      handle.emplace(std::move(job));
    });
    return std::move(*handle);
  }
  template <class F, class Range>
  auto stream(F function, Range&& items, std::size_t chunk_size, std::size_t buffer_size, bool ordered) {
    if constexpr (client::check_task<F, client::ElementOf<Range>>()) {
      using R = std::decay_t<client::ResultOfFunction<F>>;
      const std::size_t calls_max =
          calls_ahead(chunk_size, buffer_size, client::StreamInputOf<F, Range>::in_memory);
      return ResultStream<R>(std::make_shared<client::StreamedCalls<R>>(ordered),
                             std::make_unique<client::StreamInputOf<F, Range>>(
                                 shared_core(), function, std::forward<Range>(items), chunk_size, calls_max));
    }
  }

  std::shared_ptr<client::PoolCore> core_;  // shared with streams while they submit
};

/// Works for the pool of that name, created if there is none: carries out tasks, one after the other, until
/// the pool has ended, i.e. is closed and all tasks are done, or a stop is requested; then the current task is
/// finished first. Returns the number of tasks. A pool that has ended no longer has the name: a call that
/// begins later, or that finds it ended, works for the next pool of that name, and waits for one. Any thread of any process that reaches the manager may call it. Tasks name
/// functions by their place in the submitter's build of the program, which must be the same (else the
/// submitter gets NotFound), or by name, if `functions` has it. ConnectionError: the manager was lost.
std::size_t serve_pool(const Manager& manager, std::string_view name, const Functions& functions = {},
                       const std::stop_token& stop = {});

}  // namespace tandem
