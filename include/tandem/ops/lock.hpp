#pragma once
// Operations of the hosted lock, which the re-entrant lock, the readers-writer lock and the condition have too. Semantics
// are those of Python's threading.Lock, but for its owner: the thread of a session that acquired it is the only one that
// may release it.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

/// What is told of a grant: its fencing token, 0 if nothing was granted; whether the lock's previous owner died with it.
using GrantFacts = Tuple<Int, Bool>;

struct LockOperations {
  // Within the time limit (none: for ever; 0: now).
  using Acquire = Op<1, "acquire(limit_us=None)", Effect::waits, GrantFacts(Optional<Int>)>;
  using Release = Op<2, "release()", Effect::frees, void()>;
  using Locked = Op<3, "locked()", Effect::reads, Bool()>;
  // Of the grant that the calling thread has; not_owner if it has none.
  using Grant = Op<4, "grant()", Effect::reads, GrantFacts()>;

  // Who holds it: [session, process, thread, shared, depth, token, microseconds since] each.
  using Owners = Op<5, "owners()", Effect::reads, Items()>;
};

struct Lock : LockOperations {
  static constexpr std::string_view type = "lock";
  static constexpr std::uint8_t number = 8;

  using Create = Op<0, "create()", Effect::writes, void()>;

  using All = OpList<Create, Acquire, Release, Locked, Grant, Owners>;
};

}  // namespace tandem::ops
