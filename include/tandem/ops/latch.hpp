#pragma once
// Operations of the hosted latch. Semantics are those of std::latch.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Latch {
  static constexpr std::string_view type = "latch";
  static constexpr std::uint8_t number = 16;

  using Create = Op<0, "create(expected)", Effect::writes, void(Int)>;  // value_error: less than 0
  using CountDown = Op<1, "count_down(count=1)", Effect::frees, void(Optional<Int>)>;  // value_error: below 0
  // Returns whether the count reached 0 within the time limit (None: no limit; 0: does not wait).
  using Wait = Op<2, "wait(limit_us=None)", Effect::waits, Bool(Optional<Int>)>;
  // count_down, then wait, in one step; the count stays reduced if the limit expires.
  using ArriveAndWait =
      Op<3, "arrive_and_wait(count=1, limit_us=None)", Effect::waits, Bool(Optional<Int>, Optional<Int>)>;
  using Count = Op<4, "count()", Effect::reads, Int()>;

  using All = OpList<Create, CountDown, Wait, ArriveAndWait, Count>;
};

}  // namespace tandem::ops
