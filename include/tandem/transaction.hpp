#pragma once
// Transactions: several operations on any number of containers, all or none of them, with nothing in between.
//
//   manager.atomically([&](tandem::Transaction& tx) {
//     auto from = tx(alices), to = tx(bobs);
//     if (from.at("cash") < 5) throw NotEnough();   // nothing is written
//     from["cash"] -= 5;
//     to["cash"] += 5;
//   });
//
// How it works. The function's operations are collected. An operation without a result is sent only at the
// end. One with a result is evaluated as if all operations so far had been carried out; only its result is
// kept. At the end all operations are sent as one request. The manager carries them out in order and compares
// each result with the one that the function received. If one differs, another client has changed it
// meanwhile: nothing is written, and the function runs again. So transactions are serialisable: each takes
// effect at one moment, its end. They compare values, not versions: a change to a container that alters no
// result seen here is no conflict.
//
// The function may run several times, with all its side effects. While it runs, two of its reads may be from
// before and after a change by another client; then it runs again, whatever it did or threw. A loop in it
// should not depend on a consistent view to end.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "tandem/call/binding.hpp"
#include "tandem/call/call.hpp"
#include "tandem/codec/parameter.hpp"
#include "tandem/codec/result.hpp"

namespace tandem {

struct TransactionOptions {
  // Maximum number of runs. Conflict is thrown if the last one ends in a conflict.
  std::size_t attempts_max = 1000;
  // The second run starts at once; each further one after a pause of random length, growing up to this.
  std::chrono::microseconds pause_max{5000};
};

namespace client {

class TransactionSink;  // client/calls/transaction.cpp

std::shared_ptr<RemoteObject> redirect(const std::shared_ptr<RemoteObject>& object,
                                       const std::shared_ptr<TransactionSink>& sink);

}  // namespace client

/// One run of a transaction. Used on the thread that runs the function; it ends with the function: its
/// proxies throw ValueError afterwards.
///
/// The operations of transaction(proxy) are part of the transaction. Dict, List, Set, Namespace, Value and
/// Array can be changed this way; TypeError for operations that cannot be undone (on a lock, a queue) or would
/// wait. An error of an operation with a result is thrown by the call, and is compared like any other result.
/// An error of one without a result is thrown by atomically(), with nothing written, or by a later operation.
class Transaction : public client::Binding<client::TransactionSink> {
 public:
  explicit Transaction(std::shared_ptr<client::TransactionSink> sink) : Binding(std::move(sink)) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// Carries out an operation and ignores its result, which thus cannot cause a conflict. `a["x"] += 1`
  /// returns the sum, which others may change; this does not:
  ///     tx.call<tandem::ops::Dict::Add>(a, "x", 1, std::nullopt);
  template <class Op, class P, class... A>
  requires client::is_proxy<P>
  void call(const P& proxy, const A&... arguments) const {
    static_assert(Op::description.effect != ops::Effect::waits, "nothing waits in a transaction");
    const std::shared_ptr<client::RemoteObject> object = client::redirect(proxy.remote(), sink_);
    client::Call call(*object, Op::description, client::argument_count<Op, P, A...>);
    client::encode_arguments_for<Op, P>(call.arguments(), arguments...);
    call.send(false);
  }
};

namespace client {

/// The runs of one transaction.
class Attempts {
 public:
  /// ValueError: this thread is in a transaction already, or no run is allowed.
  Attempts(SessionPtr session, const TransactionOptions& options);
  ~Attempts();
  Attempts(const Attempts&) = delete;
  Attempts& operator=(const Attempts&) = delete;

  std::shared_ptr<TransactionSink> begin();
  /// Returns false on a conflict. Throws what a step failed with.
  bool commit();
  /// Whether a value read by this run has changed since. For a run that ends in an exception.
  bool is_stale() noexcept;
  /// Prepares another run. Conflict after options.attempts_max runs.
  void pause();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Implements Manager::atomically().
template <class F>
std::invoke_result_t<F&, Transaction&> atomically(const SessionPtr& session, F& function,
                                                  const TransactionOptions& options) {
  using R = std::invoke_result_t<F&, Transaction&>;
  for (Attempts attempts(session, options);; attempts.pause()) {
    Transaction transaction(attempts.begin());
    // commit() is outside the try: after an error of the commit there is no check for stale reads.
    if constexpr (std::is_void_v<R>) {
      try {
        std::invoke(function, transaction);
      } catch (...) {
        if (!attempts.is_stale()) throw;
        continue;
      }
      if (attempts.commit()) return;
    } else {
      std::optional<
          std::conditional_t<std::is_reference_v<R>, std::reference_wrapper<std::remove_reference_t<R>>, R>>
          result;
      try {
        result.emplace(std::invoke(function, transaction));
      } catch (...) {
        if (!attempts.is_stale()) throw;
        continue;
      }
      if (attempts.commit()) {
        if constexpr (std::is_reference_v<R>) return static_cast<R>(result->get());
        else return std::move(*result);
      }
    }
  }
}

}  // namespace client
}  // namespace tandem
