#pragma once
// Batches: many operations in one request, carried out in their order, with nothing of others in between.
//
//   auto batch = manager.batch();
//   batch(scores)["alice"] = 1;                                           // operations that give nothing
//   batch(log).push_back("alice scored");
//   auto before = batch.call<tandem::ops::Dict::At, int>(scores, "bob");  // one that gives something
//   auto erased = batch.call<tandem::ops::Dict::Erase>(scores, "eve");
//   batch.run();                                                          // one round trip
//   std::cout << before.get() << erased.get();
//
// Each operation stands for itself: one that fails stops nobody. With run(tandem::all_or_nothing) a failure undoes all.

#include <cstddef>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "tandem/call/call.hpp"
#include "tandem/call/result_as.hpp"
#include "tandem/codec/parameter.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem {

/// What becomes of a batch's operations when one fails.
enum class Together : bool { each_for_itself, all_or_nothing };
inline constexpr Together each_for_itself = Together::each_for_itself;
inline constexpr Together all_or_nothing = Together::all_or_nothing;

namespace client {

class BatchSink;  // client/calls/batch.cpp

std::shared_ptr<RemoteObject> redirect(const std::shared_ptr<RemoteObject>& object,
                                       const std::shared_ptr<BatchSink>& sink);
/// What the script's next call comes to will go to `result`.
void await_next(BatchSink& sink, std::shared_ptr<Awaited> result);

}  // namespace client

/// What an operation in a batch gives, once the batch has been run. Copies share one result.
template <class Tag, class R>
class BatchResult {
 public:
  explicit BatchResult(std::shared_ptr<client::AwaitedResult<Tag, R>> result) : result_(std::move(result)) {}

  /// Whether the batch has been run.
  bool ready() const noexcept { return result_->ready; }
  /// Throws the operation's own error. ValueError: the batch has not been run.
  std::add_lvalue_reference_t<std::add_const_t<R>> get() const {
    if (!ready()) throw ValueError("the batch has not been run, so that there is no result yet");
    if (result_->error) std::rethrow_exception(result_->error);
    if constexpr (!std::is_void_v<R>) return *result_->value;
  }

 private:
  std::shared_ptr<client::AwaitedResult<Tag, R>> result_;
};

/// Made by Manager::batch(). Used by one thread at a time. What has not been run when it goes is not done.
class Batch {
 public:
  explicit Batch(client::SessionPtr connection);
  Batch(Batch&&) noexcept = default;
  Batch& operator=(Batch&&) noexcept = default;

  /// A proxy of the same object whose operations go into the batch, if they give nothing; the others throw TypeError, and
  /// so do those that would wait. ValueError: an empty proxy, or an object of another manager.
  template <class P>
  requires client::is_proxy<P> P operator()(const P& proxy) const {
    return P(client::redirect(proxy.remote(), sink_));
  }

  /// Puts an operation into the batch whose result is to be had afterwards. The operations are those of
  /// include/tandem/ops, their arguments what the proxies take. `R`: the type to read the result as; left out, it is bool,
  /// std::int64_t, std::string, Bytes, a tuple or nothing where the operation says so, else JSON.
  template <class Op, class R = client::Natural, class P, class... A>
  requires client::is_proxy<P>
  auto call(const P& proxy, const A&... arguments) const {
    static_assert(Op::description.effect != ops::Effect::waits, "nothing waits in a batch");
    static_assert(client::is_operation_of<Op, P>, "another type's operation");
    using Awaited = client::AwaitedResult<typename Op::Result, client::ResultAs<Op, R>>;
    const std::shared_ptr<client::RemoteObject> object = client::redirect(proxy.remote(), sink_);
    client::Call call(*object, Op::description, sizeof...(A));
    client::encode_arguments<Op>(call.arguments(), arguments...);
    auto awaited = std::make_shared<Awaited>();
    client::await_next(*sink_, awaited);
    call.send(false);
    return BatchResult<typename Op::Result, client::ResultAs<Op, R>>(std::move(awaited));
  }

  /// Operations put in since the last run.
  std::size_t size() const;
  bool empty() const { return size() == 0; }

  /// Has the operations carried out; afterwards the batch is empty and can be filled again. One request and its limits:
  /// ResourceExhausted for more than message_bytes_max of arguments.
  ///
  /// Each for itself: an error is thrown by the result's get(), or here, when everything is done, where nobody has kept
  /// the result (the first error, which says which operation it was, and how many more there were).
  /// all_or_nothing: the first error is thrown here, and by every get(), and nothing has been changed. TypeError for
  /// changes that cannot be undone, such as to a lock or a queue.
  void run(Together together = each_for_itself);

 private:
  std::shared_ptr<client::BatchSink> sink_;
};

}  // namespace tandem
