#pragma once
// Operations of the hosted event. Semantics are those of Python's threading.Event.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Event {
  static constexpr std::string_view type = "event";
  static constexpr std::uint8_t number = 13;

  using Create = Op<0, "create()", Effect::writes, void()>;
  using Set = Op<1, "set()", Effect::frees, void()>;
  using Clear = Op<2, "clear()", Effect::frees, void()>;
  using IsSet = Op<3, "is_set()", Effect::reads, Bool()>;
  // Returns whether it was set within the time limit (None: no limit; 0: does not wait).
  using Wait = Op<4, "wait(limit_us=None)", Effect::waits, Bool(Optional<Int>)>;

  using All = OpList<Create, Set, Clear, IsSet, Wait>;
};

}  // namespace tandem::ops
