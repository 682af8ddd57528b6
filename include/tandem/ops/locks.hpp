#pragma once
// Operations of the hosted keyed locks: a lock for every key there could be, of which only those are kept that are held.

#include "tandem/ops/lock.hpp"

namespace tandem::ops {

struct Locks {
  static constexpr std::string_view type = "locks";
  static constexpr std::uint8_t number = 11;

  using Create = Op<0, "create()", Effect::writes, void()>;
  // Within the time limit (none: for ever; 0: now). Keys are what a dict's keys are.
  using Acquire = Op<1, "acquire(key, limit_us=None)", Effect::waits, GrantFacts(Any, Optional<Int>)>;
  using Release = Op<2, "release(key)", Effect::frees, void(Any)>;
  using Locked = Op<3, "locked(key)", Effect::reads, Bool(Any)>;
  // Of the grant that the calling thread has; not_owner if it has none.
  using Grant = Op<4, "grant(key)", Effect::reads, GrantFacts(Any)>;
  // Who holds it: [session, process, thread, shared, depth, token, microseconds since] each.
  using Owners = Op<5, "owners(key)", Effect::reads, Items(Any)>;
  // All of them or none, taken one after the other in an order that is the same for all who ask for several. The token is
  // over as soon as one of them is released; whether the previous owner died is told of all together.
  using AcquireAll =
      Op<6, "acquire_all(keys, limit_us=None)", Effect::waits, GrantFacts(Items, Optional<Int>)>;
  // All of them, or none if one is not the calling thread's.
  using ReleaseAll = Op<7, "release_all(keys)", Effect::frees, void(Items)>;
  // How many keys are kept: held ones, and those whose last owner died.
  using Size = Op<8, "size()", Effect::reads, Int()>;

  using All = OpList<Create, Acquire, Release, Locked, Grant, Owners, AcquireAll, ReleaseAll, Size>;
};

}  // namespace tandem::ops
