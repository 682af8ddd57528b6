#pragma once
// Transactions: several operations on any number of containers, all of them or none, with nothing in between.
//
//   manager.atomically([&](tandem::Transaction& tx) {
//     auto from = tx(alices), to = tx(bobs);
//     if (from.at("cash") < 5) throw NotEnough();   // nothing has been written: nothing is
//     from["cash"] -= 5;
//     to["cash"] += 5;
//   });
//
// How it is done. The function's operations are gathered. One that gives nothing is sent only at the end. One that gives
// something is carried out as it would be if everything so far were done; nothing stays of it but its result. At the end
// all operations are sent as one request, which the manager carries out in their order, comparing what each gives with
// what the function was given. Where that differs, somebody else changed it meanwhile: nothing is written, and the
// function runs again. So transactions are serialisable: each is as if it were made at one moment, its last. They compare
// values, not versions: what others do to a container that changes no result seen here is no conflict.
//
// The function may run several times, and what it does besides is done as often. While it runs, two of its reads may come
// from before and after another's change; then it runs again, whatever it did or threw. A loop in it should not depend on
// what only a consistent view would end.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "tandem/call/call.hpp"
#include "tandem/codec/parameter.hpp"
#include "tandem/codec/result.hpp"

namespace tandem {

struct TransactionOptions {
  // How often the function may run. Conflict is thrown when the last run meets with one.
  std::size_t attempts_max = 1000;
  // Before a function runs again there is a pause of random length, longer each time up to this.
  std::chrono::microseconds pause_max{5000};
};

namespace client {

class TransactionSink;  // client/calls/transaction.cpp

std::shared_ptr<RemoteObject> redirect(const std::shared_ptr<RemoteObject>& object,
                                       const std::shared_ptr<TransactionSink>& sink);

}  // namespace client

/// One run of a transaction. It is used on the thread that the function runs on, and ends with the function: its proxies
/// throw ValueError afterwards.
class Transaction {
 public:
  explicit Transaction(std::shared_ptr<client::TransactionSink> sink) : sink_(std::move(sink)) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// A proxy of the same object whose operations are part of the transaction; other proxies of the object act at once, as
  /// ever. Dict, List, Set, Namespace, Value and Array can be changed so; TypeError for what cannot be undone (a lock,
  /// a queue) or would wait. ValueError: an empty proxy, or an object of another manager.
  ///
  /// An error of an operation that gives something is thrown where it is made, and is a result like any other. That of
  /// one that gives nothing comes out of atomically(), with nothing written, or out of a later operation.
  template <class P>
  requires client::is_proxy<P> P operator()(const P& proxy) const {
    return P(client::redirect(proxy.remote(), sink_));
  }

  /// Carries out an operation whose result does not matter, so that it can be no cause of a conflict. `a["x"] += 1` gives
  /// the sum, which others may change; this does not:
  ///     tx.call<tandem::ops::Dict::Add>(a, "x", 1, std::nullopt);
  template <class Op, class P, class... A>
  requires client::is_proxy<P>
  void call(const P& proxy, const A&... arguments) const {
    static_assert(Op::description.effect != ops::Effect::waits, "nothing waits in a transaction");
    const std::shared_ptr<client::RemoteObject> object = client::redirect(proxy.remote(), sink_);
    client::Call call(*object, Op::description, sizeof...(A));
    client::encode_arguments<Op>(call.arguments(), arguments...);
    call.send(false);
  }

 private:
  std::shared_ptr<client::TransactionSink> sink_;
};

namespace client {

/// The runs of one transaction.
class Attempts {
 public:
  /// ValueError within another transaction of this thread, or where no run is allowed.
  Attempts(SessionPtr connection, const TransactionOptions& options);
  ~Attempts();
  Attempts(const Attempts&) = delete;
  Attempts& operator=(const Attempts&) = delete;

  std::shared_ptr<TransactionSink> begin();
  /// False: there was a conflict. Throws what a step failed with.
  bool commit();
  /// Whether what this run has read is no longer so, or never was. For one that ends in an exception.
  bool is_stale() noexcept;
  /// Makes ready for another run. Conflict when there have been enough.
  void pause();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Manager::atomically.
template <class F>
std::invoke_result_t<F&, Transaction&> atomically(const SessionPtr& connection, F& function,
                                                  const TransactionOptions& options) {
  using R = std::invoke_result_t<F&, Transaction&>;
  for (Attempts attempts(connection, options);; attempts.pause()) {
    Transaction transaction(attempts.begin());
    // Within the function's own try nothing is committed: an error of the commit is no reason to look for stale reads.
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
