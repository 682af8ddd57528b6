#pragma once
// Operations of the hosted readers-writer lock, held by one thread alone or by many together. As std::shared_timed_mutex,
// but for its owners and its order: whoever came first is served first, readers next to each other together.

#include "tandem/ops/lock.hpp"

namespace tandem::ops {

/// The operations of every lock acquire and release it to write; `grant` tells of either.
struct SharedLock : LockOperations {
  static constexpr std::string_view type = "shared_lock";
  static constexpr std::uint8_t number = 10;

  using Create = Op<0, "create()", Effect::writes, void()>;

  // To read.
  using AcquireShared = Op<6, "acquire_shared(limit_us=None)", Effect::waits, GrantFacts(Optional<Int>)>;
  using ReleaseShared = Op<7, "release_shared()", Effect::frees, void()>;

  using All = OpList<Create, Acquire, Release, Locked, Grant, Owners, AcquireShared, ReleaseShared>;
};

}  // namespace tandem::ops
