#pragma once
// Operations of the hosted readers-writer lock, held by one writer or by many readers. As
// std::shared_timed_mutex, except for ownership and order: waiters are served in the order of arrival,
// adjacent readers together.

#include "tandem/ops/lock.hpp"

namespace tandem::ops {

/// The operations of every lock acquire and release it to write; `grant` reports a reader's grant too.
struct SharedLock : LockOperations {
  static constexpr std::string_view type = "shared_lock";
  static constexpr std::uint8_t number = 10;

  using Create = Op<0, "create()", Effect::writes, void()>;

  // These acquire and release it to read.
  using AcquireShared = Op<6, "acquire_shared(limit_us=None)", Effect::waits, GrantFacts(Optional<Int>)>;
  using ReleaseShared = Op<7, "release_shared()", Effect::frees, void()>;

  using All = OpList<Create, Acquire, Release, Locked, Grant, Owners, AcquireShared, ReleaseShared>;
};

}  // namespace tandem::ops
