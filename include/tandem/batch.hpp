#pragma once
// Batches: many operations in one request, carried out in order, with no other request in between.
//
//   auto batch = manager.batch();
//   batch(scores)["alice"] = 1;                                           // operations without a result
//   batch(log).push_back("alice scored");
//   auto before = batch.call<tandem::ops::Dict::At, int>(scores, "bob");  // one with a result
//   auto erased = batch.call<tandem::ops::Dict::Erase>(scores, "eve");
//   batch.run();                                                          // one round trip
//   std::cout << before.get() << erased.get();
//
// The operations are independent: a failed one does not stop the others. With run(tandem::all_or_nothing) a
// failure undoes all.
//
// Which method is which operation: ops/README.md.

#include <cstddef>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "tandem/call/binding.hpp"
#include "tandem/call/call.hpp"
#include "tandem/call/result_as.hpp"
#include "tandem/codec/parameter.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem {

/// What happens to a batch's other operations when one fails.
enum class Together : bool { each_for_itself, all_or_nothing };
inline constexpr Together each_for_itself = Together::each_for_itself;
inline constexpr Together all_or_nothing = Together::all_or_nothing;

namespace client {

class BatchSink;  // client/calls/batch.cpp

std::shared_ptr<RemoteObject> redirect(const std::shared_ptr<RemoteObject>& object,
                                       const std::shared_ptr<BatchSink>& sink);
/// The next call's result is stored in `result`.
void await_next(BatchSink& sink, std::shared_ptr<Awaited> result);

}  // namespace client

/// The result of an operation in a batch, ready once the batch has been run. Copies share one result.
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

/// Made by Manager::batch(). Used by one thread at a time. Operations not run before destruction are
/// discarded.
///
/// batch(proxy) adds operations that have no result; those that have one, or that would wait, throw TypeError.
class Batch : public client::Binding<client::BatchSink> {
 public:
  explicit Batch(client::SessionPtr session);
  Batch(Batch&&) noexcept = default;
  Batch& operator=(Batch&&) noexcept = default;

  /// Adds an operation whose result is available after run(). The operations are those of include/tandem/ops;
  /// they take the same arguments as the proxies. `R`: the type to read the result as; if omitted, it is
  /// bool, std::int64_t, std::string, Bytes, a tuple, std::optional<nlohmann::json> or void where the
  /// operation declares so, else JSON.
  template <class Op, class R = client::Natural, class P, class... A>
  requires client::is_proxy<P>
  auto call(const P& proxy, const A&... arguments) const {
    static_assert(Op::description.effect != ops::Effect::waits, "nothing waits in a batch");
    static_assert(client::is_operation_of<Op, P>, "another type's operation");
    using Awaited = client::AwaitedResult<typename Op::Result, client::ResultAs<Op, R>>;
    const std::shared_ptr<client::RemoteObject> object = client::redirect(proxy.remote(), sink_);
    client::Call call(*object, Op::description, client::argument_count<Op, P, A...>);
    client::encode_arguments_for<Op, P>(call.arguments(), arguments...);
    auto awaited = std::make_shared<Awaited>();
    client::await_next(*sink_, awaited);
    call.send(false);
    return BatchResult<typename Op::Result, client::ResultAs<Op, R>>(std::move(awaited));
  }

  /// Number of operations added since the last run.
  std::size_t size() const;
  bool empty() const { return size() == 0; }

  /// Runs the operations; afterwards the batch is empty and can be filled again. The limits of one request
  /// apply: ResourceExhausted if the arguments exceed message_bytes_max.
  ///
  /// each_for_itself: the result's get() throws the operation's error. If no BatchResult was kept, run()
  /// itself throws it once everything is done (the first such error, naming its operation and how many more
  /// failed).
  ///
  /// all_or_nothing: run() and every get() throw the first error, and nothing has been changed. TypeError for
  /// changes that cannot be undone, such as to a lock or a queue.
  void run(Together together = each_for_itself);
};

}  // namespace tandem
