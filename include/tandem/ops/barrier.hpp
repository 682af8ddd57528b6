#pragma once
// Operations of the hosted barrier. Semantics are those of Python's threading.Barrier, without an action.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Barrier {
  static constexpr std::string_view type = "barrier";
  static constexpr std::uint8_t number = 15;

  // `limit_us`: of waits that name none. value_error: less than one party.
  using Create = Op<0, "create(parties, limit_us=None)", Effect::writes, void(Int, Optional<Int>)>;
  // Waits until as many wait as there are parties; gives which of them came as the how manyth, from 0. Who gives up (by
  // a time limit, by cancelling) or whose session ends breaks it: broken_barrier for all who wait, and who come later.
  using Wait = Op<1, "wait(limit_us=None)", Effect::waits, Int(Optional<Int>)>;
  using Reset = Op<2, "reset()", Effect::frees, void()>;  // as it was at first; broken_barrier for who waits
  using Abort = Op<3, "abort()", Effect::frees, void()>;  // breaks it
  using Parties = Op<4, "parties()", Effect::reads, Int()>;
  using Waiting = Op<5, "waiting()", Effect::reads, Int()>;
  using IsBroken = Op<6, "is_broken()", Effect::reads, Bool()>;

  using All = OpList<Create, Wait, Reset, Abort, Parties, Waiting, IsBroken>;
};

}  // namespace tandem::ops
