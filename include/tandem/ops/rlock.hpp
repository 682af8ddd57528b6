#pragma once
// Operations of the hosted re-entrant lock. Semantics are those of Python's threading.RLock: its owner may acquire it
// again, and has it until it has released it as often.

#include "tandem/ops/lock.hpp"

namespace tandem::ops {

struct RLock {
  static constexpr std::string_view type = "rlock";
  static constexpr std::uint8_t number = 9;

  using Create = Op<0, "create()", Effect::writes, void()>;
  // Within the time limit (none: for ever; 0: now). An owner gets what its first acquire() gave.
  using Acquire = Op<1, "acquire(limit_us=None)", Effect::waits, GrantFacts(Optional<Int>)>;
  using Release = Op<2, "release()", Effect::frees, void()>;
  using Locked = Op<3, "locked()", Effect::reads, Bool()>;
  // Of the grant that the calling thread has; not_owner if it has none.
  using Grant = Op<4, "grant()", Effect::reads, GrantFacts()>;

  // Who holds it: [session, process, thread, shared, depth, token, microseconds since] each.
  using Owners = Op<5, "owners()", Effect::reads, Items()>;

  using All = OpList<Create, Acquire, Release, Locked, Grant, Owners>;
};

}  // namespace tandem::ops
