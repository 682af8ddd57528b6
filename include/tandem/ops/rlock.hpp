#pragma once
// Operations of the hosted re-entrant lock. Semantics are those of Python's threading.RLock: the owner may
// acquire it again, and holds it until it has released it as often.

#include "tandem/ops/lock.hpp"

namespace tandem::ops {

/// A repeated acquire() by the owner returns the grant of the first one.
struct RLock : LockOperations {
  static constexpr std::string_view type = "rlock";
  static constexpr std::uint8_t number = 9;

  using Create = Op<0, "create()", Effect::writes, void()>;

  using All = OpList<Create, Acquire, Release, Locked, Grant, Owners>;
};

}  // namespace tandem::ops
