#pragma once
// Pipelines: operations sent one after the other without waiting for the replies.
//
//   auto pipeline = manager.pipeline();
//   auto fast = pipeline(scores);                                      // operations without a result
//   for (int i = 0; i < 1000; ++i) fast[i] = i * i;
//   auto nine = pipeline.call<tandem::ops::Dict::At, int>(scores, 3);  // one with a result: a future
//   pipeline.send<tandem::ops::Queue::Put>(jobs, "x");                 // one whose result is discarded
//   std::cout << nine.get();                                           // sends the rest, reads up to it
//   pipeline.wait();                                                   // waits for all; throws errors
//
// A thousand operations take as many round trips as one, and the manager reads and answers them in bursts.
// They are carried out in order, but requests of others may come in between, and a failed one does not stop
// the others. (A batch is one request, with nothing in between: batch.hpp.)
//
// An operation that waits may be among them. Only it waits: those after it are carried out meanwhile.
//
// Which method is which operation: ops/README.md.

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "tandem/call/binding.hpp"
#include "tandem/call/call.hpp"
#include "tandem/call/result_as.hpp"
#include "tandem/call/wait.hpp"
#include "tandem/codec/parameter.hpp"

namespace tandem {

namespace client {

std::shared_ptr<RemoteObject> redirect(const std::shared_ptr<RemoteObject>& object,
                                       const std::shared_ptr<PipelineSink>& sink);

/// A request under construction in a pipeline. It is discarded unless it is sent.
class PipelinedCall {
 public:
  PipelinedCall(PipelineSink& sink, std::shared_ptr<const RemoteObject> object, const ops::OpDescription& op,
                std::size_t argument_count);
  ~PipelinedCall();
  PipelinedCall(const PipelinedCall&) = delete;
  PipelinedCall& operator=(const PipelinedCall&) = delete;

  Encoder& arguments() { return encoder_; }
  /// `result`: null if it is discarded.
  void send(std::shared_ptr<Awaited> result);

 private:
  PipelineSink& sink_;
  std::shared_ptr<const RemoteObject> object_;
  const ops::OpDescription& op_;
  std::vector<std::shared_ptr<const RemoteObject>> kept_;
  Encoder encoder_;
};

/// Reads until `awaited` is ready. Returns false if the limit ran out first.
bool read_until_ready(Awaited& awaited, WaitLimit limit);
void cancel(Awaited& awaited);

}  // namespace client

/// The future result of an operation in a pipeline. Copies share it. Used on the pipeline's thread; after the
/// pipeline is destroyed, on any.
template <class R>
class Future {
 public:
  /// Without an operation: not valid().
  Future() = default;
  explicit Future(std::shared_ptr<client::AwaitedValue<R>> awaited) : awaited_(std::move(awaited)) {}

  bool valid() const noexcept { return awaited_ != nullptr; }
  /// Whether the reply has been read. This reads nothing itself: get(), wait() and wait_for() of any future
  /// of the pipeline do, and so does the pipeline when it needs room.
  bool ready() const { return checked().ready; }
  /// Sends what the pipeline has buffered, and reads replies up to this one. Throws Timeout if nothing
  /// arrives for Options::call_timeout, which does not apply to operations that wait; it may be called again.
  /// Does not throw the operation's own error, nor that of a broken pipeline.
  void wait() const { client::read_until_ready(checked(), client::no_limit); }
  /// Returns whether it is ready within the limit.
  bool wait_for(For limit) const { return client::read_until_ready(checked(), limit); }
  /// Waits, and returns the result or throws the operation's own error. ConnectionError, SessionLost: the
  /// reply was lost; whether the operation was carried out is unknown.
  std::add_lvalue_reference_t<std::add_const_t<R>> get() const {
    wait();
    if (awaited_->error) std::rethrow_exception(awaited_->error);
    if constexpr (!std::is_void_v<R>) return *awaited_->value;
  }
  /// Ends the wait of an operation as if its time limit had run out, unless it was served just before; get()
  /// tells which. Has no effect on operations that do not wait.
  void cancel() const { client::cancel(checked()); }

 private:
  client::AwaitedValue<R>& checked() const {
    if (!awaited_) throw ValueError("this future is of nothing");
    return *awaited_;
  }
  std::shared_ptr<client::AwaitedValue<R>> awaited_;
};

/// Made by Manager::pipeline(). Used by one thread at a time, which owns the locks acquired through it. For what it
/// owns, a thread ends only when the replies to its operations here are read.
///
/// Operations are collected in a buffer of some KiB, which is sent when it is full, by flush(), and by
/// waiting for any of them. Replies are read by waiting, and when too many are outstanding: a session may
/// have as many requests under way as the manager's requests_under_way_max, of which pipelines and Asyncs
/// together use seven eighths; the next request waits for room. Large values in either direction cannot make
/// the two sides wait for each other.
///
/// ConnectionError, SessionLost, or Timeout while sending (Options::call_timeout) end the pipeline: all
/// outstanding and later operations fail with that error. In a forked child, the parent's pipelines have
/// ended.
///
/// pipeline(proxy) adds operations that have no result; those that have one, or that would wait, throw
/// TypeError.
class Pipeline : public client::Binding<client::PipelineSink> {
 public:
  explicit Pipeline(const client::SessionPtr& session);
  /// Sends what is left, ends operations that still wait, and waits for all replies; futures stay valid.
  /// Throws nothing: call wait() first to learn of errors.
  ~Pipeline();
  Pipeline(Pipeline&&) noexcept = default;
  Pipeline& operator=(Pipeline&& other) noexcept;

  /// Adds an operation. The operations are those of include/tandem/ops; they take the same arguments as the
  /// proxies, time limits in microseconds. `R`: the type to read the result as; if omitted, it is bool,
  /// std::int64_t, std::string, Bytes, a tuple, std::optional<nlohmann::json> or void where the operation
  /// declares so, else JSON. ResourceExhausted: the arguments exceed message_bytes_max.
  template <class Op, class R = client::Natural, class P, class... A>
  requires client::is_proxy<P>
  auto call(const P& proxy, const A&... arguments) const {
    using Result = client::ResultAs<Op, R>;
    auto awaited = std::make_shared<client::AwaitedResult<typename Op::Result, Result>>();
    put<Op>(proxy, awaited, arguments...);
    return Future<Result>(std::move(awaited));
  }
  /// The same, with the result discarded.
  template <class Op, class P, class... A>
  requires client::is_proxy<P>
  void send(const P& proxy, const A&... arguments) const { put<Op>(proxy, nullptr, arguments...); }

  /// Sends the buffered operations. Throws the first error read so far of an operation whose future was not
  /// kept; its text names the operation, and how many more failed.
  void flush();
  /// Waits until all operations are done, and throws the same errors. Throws Timeout as Future::wait() does.
  void wait();
  /// Number of operations whose replies have not been read.
  std::size_t under_way() const;

 private:
  template <class Op, class P, class... A>
  void put(const P& proxy, std::shared_ptr<client::Awaited> result, const A&... arguments) const {
    static_assert(client::is_operation_of<Op, P>, "another type's operation");
    client::PipelinedCall call(*sink_, proxy.remote(), Op::description, client::argument_count<Op, P, A...>);
    client::encode_arguments_for<Op, P>(call.arguments(), arguments...);
    call.send(std::move(result));
  }
};

}  // namespace tandem
