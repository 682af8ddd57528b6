#pragma once
// Operations of the hosted keyed locks: a lock for every possible key, of which only the held ones are kept.

#include "tandem/ops/lock.hpp"

namespace tandem::ops {

struct Locks {
  static constexpr std::string_view type = "locks";
  static constexpr std::uint8_t number = 11;

  using Create = Op<0, "create()", Effect::writes, void()>;
  // Waits within the time limit (None: no limit; 0: does not wait). Keys are those of a dict.
  using Acquire = Op<1, "acquire(key, limit_us=None)", Effect::waits, GrantFacts(Any, Optional<Int>)>;
  using Release = Op<2, "release(key)", Effect::frees, void(Any)>;
  using Locked = Op<3, "locked(key)", Effect::reads, Bool(Any)>;
  // Returns the calling thread's grant; not_owner if it has none.
  using Grant = Op<4, "grant(key)", Effect::reads, GrantFacts(Any)>;
  // Returns the owners, each [session, process, thread, shared, depth, token, microseconds held].
  using Owners = Op<5, "owners(key)", Effect::reads, Items(Any)>;
  // Acquires all of them or none, one after the other, in an order that is the same for all requests. The
  // token ends as soon as one of them is released; the grant reports whether the previous owner of any of
  // them died.
  using AcquireAll =
      Op<6, "acquire_all(keys, limit_us=None)", Effect::waits, GrantFacts(Items, Optional<Int>)>;
  // Releases all of them, or none if the calling thread does not hold one (not_owner).
  using ReleaseAll = Op<7, "release_all(keys)", Effect::frees, void(Items)>;
  // Returns the number of keys kept: held ones, and those whose last owner died.
  using Size = Op<8, "size()", Effect::reads, Int()>;

  using All = OpList<Create, Acquire, Release, Locked, Grant, Owners, AcquireAll, ReleaseAll, Size>;
};

}  // namespace tandem::ops
