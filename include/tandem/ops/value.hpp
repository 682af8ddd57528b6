#pragma once
// Operations of the hosted value: one cell with the operations of std::atomic.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Value {
  static constexpr std::string_view type = "value";
  static constexpr std::uint8_t number = 6;

  using Create = Op<0, "create(initial)", Effect::writes, void(Any)>;
  using Load = Op<1, "load()", Effect::reads, Any()>;
  using Store = Op<2, "store(value)", Effect::writes, void(Any)>;
  using Exchange = Op<3, "exchange(value)", Effect::writes, Any(Any)>;
  // Returns whether it was exchanged, and the value before.
  using CompareExchange =
      Op<4, "compare_exchange(expected, desired)", Effect::writes, Tuple<Bool, Any>(Any, Any)>;
  // These return the value before. `typecode` (see ops/array.hpp) makes integers wrap in that type's width,
  // as std::atomic does; without it a result beyond 64 bits is an overflow.
  using FetchAdd = Op<5, "fetch_add(operand, typecode=None)", Effect::writes, Any(Any, Optional<Text>)>;
  using FetchSub = Op<6, "fetch_sub(operand, typecode=None)", Effect::writes, Any(Any, Optional<Text>)>;
  using FetchAnd = Op<7, "fetch_and(operand)", Effect::writes, Any(Any)>;
  using FetchOr = Op<8, "fetch_or(operand)", Effect::writes, Any(Any)>;
  using FetchXor = Op<9, "fetch_xor(operand)", Effect::writes, Any(Any)>;

  using All =
      OpList<Create, Load, Store, Exchange, CompareExchange, FetchAdd, FetchSub, FetchAnd, FetchOr, FetchXor>;
};

}  // namespace tandem::ops
