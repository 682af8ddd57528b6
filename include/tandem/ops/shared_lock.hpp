#pragma once
// Operations of the hosted readers-writer lock, held by one thread alone or by many together. As std::shared_timed_mutex,
// but for its owners and its order: whoever came first is served first, readers next to each other together.

#include "tandem/ops/lock.hpp"

namespace tandem::ops {

struct SharedLock {
  static constexpr std::string_view type = "shared_lock";
  static constexpr std::uint8_t number = 10;

  using Create = Op<0, "create()", Effect::writes, void()>;
  // To write. Within the time limit (none: for ever; 0: now).
  using Acquire = Op<1, "acquire(limit_us=None)", Effect::waits, GrantFacts(Optional<Int>)>;
  using Release = Op<2, "release()", Effect::frees, void()>;
  using Locked = Op<3, "locked()", Effect::reads, Bool()>;
  // Of the grant that the calling thread has, to write or to read; not_owner if it has none.
  using Grant = Op<4, "grant()", Effect::reads, GrantFacts()>;
  // Who holds it: [session, process, thread, shared, depth, token, microseconds since] each.
  using Owners = Op<5, "owners()", Effect::reads, Items()>;
  // To read.
  using AcquireShared = Op<6, "acquire_shared(limit_us=None)", Effect::waits, GrantFacts(Optional<Int>)>;
  using ReleaseShared = Op<7, "release_shared()", Effect::frees, void()>;

  using All = OpList<Create, Acquire, Release, Locked, Grant, Owners, AcquireShared, ReleaseShared>;
};

}  // namespace tandem::ops
