#pragma once
// Operations of the hosted lock, which the re-entrant lock, the readers-writer lock and the condition have
// too. Semantics are those of Python's threading.Lock, except for ownership: only the thread (of a session)
// that acquired it may release it.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

/// A grant: its fencing token, 0 if nothing was granted, and whether the previous owner died holding it.
using GrantFacts = Tuple<Int, Bool>;

struct LockOperations {
  // Waits within the time limit (None: no limit; 0: does not wait).
  using Acquire = Op<1, "acquire(limit_us=None)", Effect::waits, GrantFacts(Optional<Int>)>;
  using Release = Op<2, "release()", Effect::frees, void()>;
  using Locked = Op<3, "locked()", Effect::reads, Bool()>;
  // Returns the calling thread's grant; not_owner if it has none.
  using Grant = Op<4, "grant()", Effect::reads, GrantFacts()>;

  // Returns the owners, each [session, process, thread, shared, depth, token, microseconds held].
  using Owners = Op<5, "owners()", Effect::reads, Items()>;
};

struct Lock : LockOperations {
  static constexpr std::string_view type = "lock";
  static constexpr std::uint8_t number = 8;

  using Create = Op<0, "create()", Effect::writes, void()>;

  using All = OpList<Create, Acquire, Release, Locked, Grant, Owners>;
};

}  // namespace tandem::ops
