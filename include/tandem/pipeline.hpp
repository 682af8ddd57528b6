#pragma once
// Pipelines: operations that are sent one after the other without waiting for what becomes of the one before.
//
//   auto pipeline = manager.pipeline();
//   auto fast = pipeline(scores);                                            // operations that give nothing
//   for (int i = 0; i < 1000; ++i) fast[i] = i * i;
//   auto nine = pipeline.call<tandem::ops::Dict::At, int>(scores, 3);        // one that gives something: a future
//   pipeline.send<tandem::ops::Queue::Put>(jobs, "x");                       // one whose result nobody wants
//   std::cout << nine.get();                                                 // sends what is left, reads up to this one
//   pipeline.wait();                                                         // all is done; throws what failed
//
// A round trip costs as much for a thousand operations as for one, and the manager reads and answers them in bursts. They
// are carried out in their order, but others' may come in between, and one that fails stops nobody. (A batch is one
// request, with nothing in between: batch.hpp.)
//
// An operation that waits may be among them. It waits by itself: those behind it go on.

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "tandem/call/call.hpp"
#include "tandem/call/result_as.hpp"
#include "tandem/call/wait.hpp"
#include "tandem/codec/parameter.hpp"

namespace tandem {

namespace client {

std::shared_ptr<RemoteObject> redirect(const std::shared_ptr<RemoteObject>& object,
                                       const std::shared_ptr<PipelineSink>& sink);

/// A request that is being put together in a pipeline. Unless it is sent, nothing stays of it.
class PipelinedCall {
 public:
  PipelinedCall(PipelineSink& sink, std::shared_ptr<const RemoteObject> object, const ops::OpDescription& op,
                std::size_t argument_count);
  ~PipelinedCall();
  PipelinedCall(const PipelinedCall&) = delete;
  PipelinedCall& operator=(const PipelinedCall&) = delete;

  Encoder& arguments() { return encoder_; }
  /// `result`: null if nobody wants it.
  void send(std::shared_ptr<Awaited> result);

 private:
  PipelineSink& sink_;
  std::shared_ptr<const RemoteObject> object_;
  const ops::OpDescription& op_;
  std::vector<std::shared_ptr<const RemoteObject>> kept_;
  Encoder encoder_;
};

/// Reads until `awaited` is ready. False: it was not within the limit.
bool read_until_ready(Awaited& awaited, WaitLimit limit);
void cancel(Awaited& awaited);

}  // namespace client

/// What an operation in a pipeline will have come to. Copies share it. Used on the pipeline's thread; when the pipeline
/// has gone, on any.
template <class R>
class Future {
 public:
  /// Of nothing.
  Future() = default;
  explicit Future(std::shared_ptr<client::AwaitedValue<R>> awaited) : awaited_(std::move(awaited)) {}

  bool valid() const noexcept { return awaited_ != nullptr; }
  /// Whether the answer has been read. This itself reads nothing: get(), wait() and wait_for() do, of any future of the
  /// pipeline, and the pipeline when it needs room.
  bool ready() const { return checked().ready; }
  /// Sends what the pipeline has not sent yet, and reads answers up to this one. Throws Timeout when nothing comes for
  /// Options::call_timeout, which does not count for operations that wait; one may wait again. The operation's own error,
  /// that of a pipeline that broke too, is not thrown here.
  void wait() const { client::read_until_ready(checked(), client::no_limit); }
  /// Whether it is ready within the limit.
  bool wait_for(For limit) const { return client::read_until_ready(checked(), limit); }
  /// Waits, and gives the result or throws the operation's own error. ConnectionError, SessionLost: the answer did not
  /// come any more; whether the operation was done is not known.
  std::add_lvalue_reference_t<std::add_const_t<R>> get() const {
    wait();
    if (awaited_->error) std::rethrow_exception(awaited_->error);
    if constexpr (!std::is_void_v<R>) return *awaited_->value;
  }
  /// Of an operation that waits: it ends as if its time limit had run out, unless it was served just before. get() tells
  /// which. Does nothing to others.
  void cancel() const { client::cancel(checked()); }

 private:
  client::AwaitedValue<R>& checked() const {
    if (!awaited_) throw ValueError("this future is of nothing");
    return *awaited_;
  }
  std::shared_ptr<client::AwaitedValue<R>> awaited_;
};

/// Made by Manager::pipeline(). Used by one thread at a time; that one is the owner of a lock acquired through it.
///
/// Operations gather in a buffer of some KiB before they are sent: by the one that fills it, by flush(), by waiting for
/// any of them. Answers are read by waiting, and when there are too many to come: a session may have as many requests
/// under way as the manager's requests_under_way_max, of which pipelines use seven eighths, together; the next one waits
/// until there is room. Large values, there and back, never make the two sides wait for each other.
///
/// ConnectionError, SessionLost, or Timeout while sending (Options::call_timeout) end the pipeline: that is the error of
/// all operations under way, and of all that come later. In a forked child, the parent's pipelines have ended.
class Pipeline {
 public:
  explicit Pipeline(const client::SessionPtr& connection);
  /// Sends what is left, ends what still waits, and waits for all answers: futures stay good. Throws nothing: wait()
  /// before, to learn of errors.
  ~Pipeline();
  Pipeline(Pipeline&&) noexcept = default;
  Pipeline& operator=(Pipeline&& other) noexcept;

  /// A proxy of the same object whose operations go into the pipeline, if they give nothing; the others throw TypeError,
  /// and so do those that would wait. ValueError: an empty proxy, or an object of another manager.
  template <class P>
  requires client::is_proxy<P> P operator()(const P& proxy) const {
    return P(client::redirect(proxy.remote(), sink_));
  }

  /// Puts an operation into the pipeline. The operations are those of include/tandem/ops, their arguments what the
  /// proxies take; time limits are in microseconds. `R`: the type to read the result as; left out, it is bool,
  /// std::int64_t, std::string, Bytes, a tuple or nothing where the operation says so, else JSON. ResourceExhausted: arguments over
  /// message_bytes_max.
  template <class Op, class R = client::Natural, class P, class... A>
  requires client::is_proxy<P>
  auto call(const P& proxy, const A&... arguments) const {
    using Result = client::ResultAs<Op, R>;
    auto awaited = std::make_shared<client::AwaitedResult<typename Op::Result, Result>>();
    put<Op>(proxy, awaited, arguments...);
    return Future<Result>(std::move(awaited));
  }
  /// The same where nobody wants the result.
  template <class Op, class P, class... A>
  requires client::is_proxy<P>
  void send(const P& proxy, const A&... arguments) const { put<Op>(proxy, nullptr, arguments...); }

  /// Sends what is in the buffer. Throws the first error that was read of operations whose future nobody keeps; its text
  /// says which operation it was, and how many more failed.
  void flush();
  /// Waits until everything is done, and throws the same. Throws Timeout as Future::wait() does.
  void wait();
  /// Operations whose answers have not been read.
  std::size_t under_way() const;

 private:
  template <class Op, class P, class... A>
  void put(const P& proxy, std::shared_ptr<client::Awaited> result, const A&... arguments) const {
    static_assert(client::is_operation_of<Op, P>, "another type's operation");
    client::PipelinedCall call(*sink_, proxy.remote(), Op::description, sizeof...(A));
    client::encode_arguments<Op>(call.arguments(), arguments...);
    call.send(std::move(result));
  }

  std::shared_ptr<client::PipelineSink> sink_;
};

}  // namespace tandem
