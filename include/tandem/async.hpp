#pragma once
// Every operation of every proxy as an asynchronous operation of Asio, with any completion token: co_await,
// futures, callbacks, deferred. Link tandem::async. Standalone Asio is required; tandem/tandem.hpp does not
// include this header.
//
//   asio::io_context io;
//   tandem::Async async(manager, io.get_executor());
//   asio::co_spawn(io, [&]() -> asio::awaitable<void> {
//     using namespace tandem::ops;
//     auto job = co_await async.call<Queue::Get, std::optional<Job>>(jobs, asio::use_awaitable);
//     co_await async.call<Dict::Set>(results, job->name, 1, asio::use_awaitable);
//   }, asio::detached);
//   async.call<Event::Wait>(start, [](std::exception_ptr error, bool is_set) { … });
//   std::future<int> seven = async.call<Dict::At, int>(dict, "k", asio::use_future);
//   io.run();
//
// The operations are those of include/tandem/ops; which method is which operation: ops/README.md. They take
// the same arguments as the proxies (time limits in microseconds), the completion token last. An operation
// completes with void(std::exception_ptr, R), or void(std::exception_ptr) if R is void. R is the type to read
// the result as and must be default-constructible; if it is omitted, it is bool, std::int64_t, std::string,
// Bytes, a tuple, std::optional<nlohmann::json> or void where the operation declares so, else nlohmann::json.
// Operations of the manager itself, such as ops::Manager::WaitForChange, are called with the Manager in place
// of the proxy.
//
// Any number of operations may wait at once: all share one channel, and a waiting operation costs no thread.
// Operations beyond the manager's requests_under_way_max (or what the session leaves of it: RequestBudget in
// client/session/request_budget.hpp) are queued here, waits behind waits, others behind others. Otherwise
// requests are sent and carried out in the order of their calls; they complete in any order.
//
// Cancellation. A signal of any type on the cancellation slot makes the manager end the wait. The operation
// completes with asio::error::operation_aborted (as std::system_error) if the wait expired: no item, no lock,
// false. If it was served just before, it completes with its result, so nothing granted is lost. Where the
// end of a wait is itself a result, it completes with that: Condition::Wait returns with its lock reacquired;
// Barrier::Wait breaks the barrier (BrokenBarrierError); PutMany and WaitForChange return their number. A
// signal does not stop an operation that does not wait, unless it has not been sent yet.
//
// g++ 12 destroys a temporary aggregate within a co_await expression twice, with any awaitable. So
//   co_await async.call<Queue::Put>(jobs, Job{.id = 1}, asio::use_awaitable);   // frees job's strings twice
// has to be written with an object that has a name:
//   Job job{.id = 1};
//   co_await async.call<Queue::Put>(jobs, job, asio::use_awaitable);

#if !defined(ASIO_STANDALONE)
#define ASIO_STANDALONE 1
#endif
#if defined(__clang__) && !defined(ASIO_HAS_CO_AWAIT) && defined(__cpp_impl_coroutine)
// Asio 1.22 does not recognise clang's coroutines together with libstdc++ by itself.
#define ASIO_HAS_CO_AWAIT 1
#define ASIO_HAS_STD_COROUTINE 1
#endif

#include "tandem/cxx20.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/error.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>
#include <asio/system_error.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "tandem/call/async_call.hpp"
#include "tandem/call/result_as.hpp"
#include "tandem/codec/parameter.hpp"
#include "tandem/manager.hpp"

namespace tandem {

namespace client {

/// Whether a wait with this result expired. A plain number is always a result.
template <class Tag>
bool wait_expired(wire::Reader result) {
  std::uint32_t count = 0;
  std::int64_t number = 0;
  bool yes = false;
  if constexpr (std::is_same_v<Tag, ops::Bool>) return result.boolean(yes) && !yes;
  else if constexpr (std::is_same_v<Tag, ops::Maybe> || std::is_same_v<Tag, ops::Items>)
    return result.array(count) && count == 0;
  else if constexpr (std::is_same_v<Tag, ops::Tuple<ops::Int, ops::Bool>>)  // a grant's token
    return result.array(count) && count == 2 && result.int64(number) && number == 0;
  else return false;
}

/// Closes all channels when the executor's context shuts down. The context then destroys handlers that have
/// not run and what they own, such as copies of an Async in a coroutine; otherwise they would keep each other
/// alive forever.
class AsyncService final : public asio::execution_context::service {
 public:
  using key_type = AsyncService;
  static inline asio::execution_context::id id;

  explicit AsyncService(asio::execution_context& context) : asio::execution_context::service(context) {}
  void add(const std::shared_ptr<AsyncChannel>& channel) {
    const std::lock_guard lock(mutex_);
    std::erase_if(channels_, [](const auto& each) { return each.expired(); });
    channels_.push_back(channel);
  }

 private:
  void shutdown() override {
    for (const auto& each : channels_)
      if (const auto channel = each.lock()) close_async(*channel);
  }

  std::mutex mutex_;
  std::vector<std::weak_ptr<AsyncChannel>> channels_;
};

template <class R>
struct AsyncSignatureOf {
  using type = void(std::exception_ptr, R);
};
template <>
struct AsyncSignatureOf<void> {
  using type = void(std::exception_ptr);
};

/// Posts an operation's outcome to its handler's executor, and keeps that executor at work until then.
template <class Tag, class R, class Handler>
class AsyncOperation final : public AsyncHandler {
 public:
  using Executor = asio::associated_executor_t<Handler, asio::any_io_executor>;

  AsyncOperation(Handler handler, const asio::any_io_executor& own)
      : handler_(std::move(handler)), own_work_(own), work_(asio::get_associated_executor(handler_, own)) {}

  void complete(AsyncOutcome outcome) override {
    const Executor executor = work_.get_executor();
    // The handler may have run, and its context be destroyed, before post() returns from that context.
    const asio::executor_work_guard<Executor> posting = work_;
    asio::post(executor, [handler = std::move(handler_), own_work = std::move(own_work_),
                          work = std::move(work_), outcome = std::move(outcome)]() mutable {
      if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) slot.clear();
      std::exception_ptr error = error_of(outcome);
      if constexpr (std::is_void_v<R>) {
        if (!error) error = read(outcome);
        outcome.request.reset();  // its objects must not outlive what the handler tells
        release(own_work, work);
        std::move(handler)(std::move(error));
      } else {
        R result{};
        if (!error) error = read(outcome, result);
        outcome.request.reset();
        release(own_work, work);
        std::move(handler)(std::move(error), std::move(result));
      }
    });
  }

 private:
  using OwnWork = asio::executor_work_guard<asio::any_io_executor>;
  /// Ends the Async's own outstanding work. On another executor than the Async's this takes effect when its
  /// context runs: an io_context whose work ends before anything runs it is stopped, and its next run()
  /// would return with nothing done.
  static void release(OwnWork& own_work, const asio::executor_work_guard<Executor>& work) {
    if constexpr (std::same_as<Executor, asio::any_io_executor>) {
      if (work.get_executor() == own_work.get_executor()) return own_work.reset();
    }
    const asio::any_io_executor own = own_work.get_executor();
    asio::post(own, [ended = std::move(own_work)] {});
  }
  static std::exception_ptr error_of(const AsyncOutcome& outcome) {
    const bool is_aborted = outcome.unsent || (outcome.cancelled && !outcome.error &&
                                               wait_expired<Tag>(wire::Reader(outcome.result.view())));
    if (!is_aborted) return outcome.error;
    return std::make_exception_ptr(
        asio::system_error(asio::error::make_error_code(asio::error::operation_aborted)));
  }
  /// Returns the exception that reading the result throws, or null.
  template <class... Into>
  static std::exception_ptr read(AsyncOutcome& outcome, Into&... result) {
    const SessionPtr session = std::exchange(outcome.session, nullptr);
    Decoder from{wire::Reader(outcome.result.view()), session.get()};
    if (outcome.request) {
      from.object = outcome.request->object.get();
      from.op = outcome.request->op;
    }
    try {
      if constexpr (sizeof...(Into) == 0) decode_result<Tag, void>(from);
      else ((result = decode_result<Tag, Into>(from)), ...);
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  }

  Handler handler_;
  OwnWork own_work_;
  asio::executor_work_guard<Executor> work_;
};

}  // namespace client

/// A handle; copies share one channel of the manager's session and one owner of locks. Thread-safe.
///
/// What is acquired through an Async (a Lock, an RLock, a Condition's lock) belongs to the Async, not to a
/// thread, and must be released through it or a copy. Two coroutines that exclude each other need an owner
/// each, from with_owner(); with one owner, the second waits for what its own owner holds: DeadlockError. When all
/// copies with an owner are destroyed and their operations completed, what it still holds passes on, as if its
/// process had ended.
///
/// Handlers run on their associated executor, or else on the Async's. Options::call_timeout does not apply.
/// If the manager or session is lost, all outstanding and later operations complete with ConnectionError or
/// SessionLost. In a forked child, outstanding operations remain the parent's, and the child's calls complete
/// with ConnectionError.
class Async {
 public:
  /// Throws what the manager's other calls throw. Starts two library threads: one receives, one sends what
  /// cannot be sent at once. Calls never block on the manager; what cannot be sent yet is kept in this
  /// process's memory.
  Async(const Manager& manager, asio::any_io_executor executor)
      : session_(std::make_shared<client::AsyncSession>(manager.session())),
        executor_(std::move(executor)),
        owner_(client::new_async_owner(session_->channel())) {
    asio::use_service<client::AsyncService>(asio::query(executor_, asio::execution::context))
        .add(session_->channel());
  }
  /// Returns an Async with the same channel and a new owner of locks.
  Async with_owner() const {
    Async other = *this;
    other.owner_ = client::new_async_owner(session_->channel());
    return other;
  }

  using executor_type = asio::any_io_executor;
  executor_type get_executor() const noexcept { return executor_; }

  /// Starts the operation, see above. Arguments are encoded before this returns. All errors are reported by
  /// completion, also those of the arguments: ValueError (an empty proxy, an object of another manager),
  /// TypeError, ResourceExhausted.
  template <class Op, class R = client::Natural, class P, class... A>
  requires((client::is_proxy<P> || std::same_as<P, Manager>)&&sizeof...(A) >=
           1) auto call(const P& proxy, A&&... arguments_and_token) const {
    static_assert(client::is_operation_of<Op, P>, "another type's operation");
    constexpr std::size_t count = sizeof...(A) - 1;
    auto all = std::forward_as_tuple(std::forward<A>(arguments_and_token)...);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return start<Op, client::ResultAs<Op, R>>(prepared<Op>(proxy, std::get<I>(all)...),
                                                std::get<count>(std::move(all)));
    }
    (std::make_index_sequence<count>());
  }

  /// Ends all waits as a cancellation does, waits until all outstanding operations are answered (about two
  /// seconds at most if the manager does not answer), and completes the rest, and all later calls, with an
  /// error. Also called when the last copy is destroyed, and when the executor's context shuts down; the
  /// latter destroys handlers without calling them.
  void close() const noexcept { client::close_async(*session_->channel()); }

 private:
  template <class Op, class P, class... A>
  std::shared_ptr<const client::AsyncRequest> prepared(const P& proxy, const A&... arguments) const {
    auto request = std::make_shared<client::AsyncRequest>();
    request->op = &Op::description;
    try {
      client::Encoder to = client::begin_async_request(*session_->channel(), remote_of(proxy), *request);
      to.writer.array(client::argument_count<Op, P, A...>);
      client::encode_arguments_for<Op, P>(to, arguments...);
    } catch (...) {
      request->error = std::current_exception();
    }
    return request;
  }

  template <class P>
  static std::shared_ptr<client::RemoteObject> remote_of(const P& proxy) {
    if constexpr (client::is_proxy<P>) return proxy.remote();
    else
      return std::make_shared<client::RemoteObject>(
          proxy.session(), wire::Reference{ops::Manager::number, ops::Manager::id}, false);
  }

  template <class Op, class R, class Token>
  auto start(std::shared_ptr<const client::AsyncRequest> request, Token&& token) const {
    static_assert(std::is_void_v<R> || std::is_default_constructible_v<R>,
                  "with an error comes a default-constructed result");
    return asio::async_initiate<Token, typename client::AsyncSignatureOf<R>::type>(
        [](auto&& handler, const std::shared_ptr<client::AsyncChannel>& channel,
           const asio::any_io_executor& executor, std::shared_ptr<client::Actor> owner,
           std::shared_ptr<const client::AsyncRequest> its) {
          using Handler = std::decay_t<decltype(handler)>;
          using Operation = client::AsyncOperation<typename Op::Result, R, Handler>;
          const std::uint64_t ticket = client::next_async_ticket(*channel);
          if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
            slot.assign([weak = std::weak_ptr(channel), ticket](asio::cancellation_type type) {
              if (type == asio::cancellation_type::none) return;
              if (auto locked = weak.lock()) client::cancel_async(*locked, ticket);
            });
          client::start_async(
              *channel, ticket, std::move(its), std::move(owner),
              std::make_unique<Operation>(std::forward<decltype(handler)>(handler), executor));
        },
        token, session_->channel(), executor_, owner_, std::move(request));
  }

  std::shared_ptr<client::AsyncSession> session_;
  asio::any_io_executor executor_;
  std::shared_ptr<client::Actor> owner_;
};

}  // namespace tandem
