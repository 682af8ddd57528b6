#pragma once
// Operations of the hosted barrier. Semantics are those of Python's threading.Barrier, without an action.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Barrier {
  static constexpr std::string_view type = "barrier";
  static constexpr std::uint8_t number = 15;

  // `limit_us`: for waits that pass none. value_error: less than one party.
  using Create = Op<0, "create(parties, limit_us=None)", Effect::writes, void(Int, Optional<Int>)>;
  // Waits until `parties` threads wait. Returns the arrival index, from 0. A waiter that times out, is
  // cancelled or loses its session breaks the barrier: broken_barrier for all present and later waiters.
  using Wait = Op<1, "wait(limit_us=None)", Effect::waits, Int(Optional<Int>)>;
  using Reset = Op<2, "reset()", Effect::frees, void()>;  // as initially; broken_barrier for waiters
  using Abort = Op<3, "abort()", Effect::frees, void()>;  // breaks it
  using Parties = Op<4, "parties()", Effect::reads, Int()>;
  using Waiting = Op<5, "waiting()", Effect::reads, Int()>;
  using IsBroken = Op<6, "is_broken()", Effect::reads, Bool()>;

  using All = OpList<Create, Wait, Reset, Abort, Parties, Waiting, IsBroken>;
};

}  // namespace tandem::ops
