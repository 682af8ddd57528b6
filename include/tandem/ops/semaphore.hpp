#pragma once
// Operations of the hosted semaphore. Semantics are those of Python's threading.Semaphore and BoundedSemaphore, but that
// permits are owned: by the session that acquired them, which alone may release them, and whose end does so.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Semaphore {
  static constexpr std::string_view type = "semaphore";
  static constexpr std::uint8_t number = 12;

  // `ownerless`: as in Python anybody may release, so that there may be more permits than at first, unless `bounded`;
  // and a session that ends takes its permits with it. value_error: less than 0.
  using Create = Op<0, "create(permits=1, bounded=false, ownerless=false)", Effect::writes,
                    void(Optional<Int>, Optional<Bool>, Optional<Bool>)>;
  // Whether so many were acquired, all at once, within the time limit (none: for ever; 0: now). value_error: less than 1,
  // or more than there can ever be.
  using Acquire =
      Op<1, "acquire(permits=1, limit_us=None)", Effect::waits, Bool(Optional<Int>, Optional<Int>)>;
  // not_owner: the session has not so many. Ownerless: value_error, more than there were at first, if bounded; overflow.
  using Release = Op<2, "release(permits=1)", Effect::frees, void(Optional<Int>)>;
  using Value = Op<3, "value()", Effect::reads, Int()>;  // permits that can be acquired
  using Held = Op<4, "held()", Effect::reads, Int()>;    // permits of the calling session; 0 if ownerless

  using All = OpList<Create, Acquire, Release, Value, Held>;
};

}  // namespace tandem::ops
