#pragma once
// Operations of the hosted condition. Semantics are those of Python's threading.Condition.

#include "tandem/ops/lock.hpp"

namespace tandem::ops {

/// The operations of every lock act on its lock.
struct Condition : LockOperations {
  static constexpr std::string_view type = "condition";
  static constexpr std::uint8_t number = 14;

  // `lock`: a lock or an rlock; None: a new rlock of its own.
  using Create = Op<0, "create(lock=None)", Effect::writes, void(Optional<Any>)>;

  // Releases the lock and waits, in one step; completes when the caller holds the lock again, at the same
  // depth. Returns whether it was notified within the time limit, and the facts of the new grant.
  using Wait = Op<6, "wait(limit_us=None)", Effect::waits, Tuple<Bool, Int, Bool>(Optional<Int>)>;
  // Notifies the longest waiters, at most `n`; returns how many.
  using Notify = Op<7, "notify(n=1)", Effect::frees, Int(Optional<Int>)>;
  using NotifyAll = Op<8, "notify_all()", Effect::frees, Int()>;

  using All = OpList<Create, Acquire, Release, Locked, Grant, Owners, Wait, Notify, NotifyAll>;
};

}  // namespace tandem::ops
