#pragma once
// Operations of the hosted semaphore. Semantics are those of Python's threading.Semaphore and
// BoundedSemaphore, except that permits are owned by the session that acquired them: it alone may release
// them, and its end releases them.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Semaphore {
  static constexpr std::string_view type = "semaphore";
  static constexpr std::uint8_t number = 12;

  // `ownerless`: as in Python any session may release, so there may be more permits than initially, unless
  // `bounded`; the permits of a session that ends are lost. value_error: less than 0.
  using Create = Op<0, "create(permits=1, bounded=false, ownerless=false)", Effect::writes,
                    void(Optional<Int>, Optional<Bool>, Optional<Bool>)>;
  // Returns whether `permits` were acquired, all at once, within the time limit (None: no limit; 0: does not
  // wait). value_error: less than 1, or more than there can ever be.
  using Acquire =
      Op<1, "acquire(permits=1, limit_us=None)", Effect::waits, Bool(Optional<Int>, Optional<Int>)>;
  // not_owner: the session does not hold as many. Ownerless: value_error if bounded and there would be more
  // than initially; overflow.
  using Release = Op<2, "release(permits=1)", Effect::frees, void(Optional<Int>)>;
  using Value = Op<3, "value()", Effect::reads, Int()>;  // permits that can be acquired
  using Held = Op<4, "held()", Effect::reads, Int()>;    // permits of the calling session; 0 if ownerless

  using All = OpList<Create, Acquire, Release, Value, Held>;
};

}  // namespace tandem::ops
