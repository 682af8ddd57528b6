#pragma once
// Operations of the hosted set. Semantics are those of Python's set, but elements keep their insertion order.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Set {
  static constexpr std::string_view type = "set";
  static constexpr std::uint8_t number = 4;

  using Create = Op<0, "create(items=None)", Effect::writes, void(Optional<Items>)>;
  using Insert = Op<1, "insert(item)", Effect::writes, Bool(Any)>;  // true: it is new
  using Erase = Op<2, "erase(item)", Effect::frees, Bool(Any)>;     // true: it was there
  using Remove = Op<3, "remove(item)", Effect::frees, void(Any)>;   // key_error
  using Pop = Op<4, "pop()", Effect::frees, Any()>;                 // the oldest; key_error
  using Contains = Op<5, "contains(item)", Effect::reads, Bool(Any)>;
  using Size = Op<6, "size()", Effect::reads, Int()>;
  using Clear = Op<7, "clear()", Effect::frees, void()>;
  using Update = Op<8, "update(items)", Effect::writes, void(Items)>;
  using IntersectionUpdate = Op<9, "intersection_update(items)", Effect::frees, void(Items)>;
  using DifferenceUpdate = Op<10, "difference_update(items)", Effect::frees, void(Items)>;
  using SymmetricDifferenceUpdate = Op<11, "symmetric_difference_update(items)", Effect::writes, void(Items)>;
  using Union = Op<12, "union(items)", Effect::reads, Elements(Items)>;
  using Intersection = Op<13, "intersection(items)", Effect::reads, Elements(Items)>;
  using Difference = Op<14, "difference(items)", Effect::reads, Elements(Items)>;
  using SymmetricDifference = Op<15, "symmetric_difference(items)", Effect::reads, Elements(Items)>;
  using IsSubset = Op<16, "is_subset(items)", Effect::reads, Bool(Items)>;
  using IsSuperset = Op<17, "is_superset(items)", Effect::reads, Bool(Items)>;
  using IsDisjoint = Op<18, "is_disjoint(items)", Effect::reads, Bool(Items)>;
  using Snapshot = Op<19, "snapshot()", Effect::reads, Elements()>;
  // As Dict::Page.
  using Page = Op<20, "page(cursor, limit)", Effect::reads, Tuple<Int, Elements>(Int, Int)>;

  using All = OpList<Create, Insert, Erase, Remove, Pop, Contains, Size, Clear, Update, IntersectionUpdate,
                     DifferenceUpdate, SymmetricDifferenceUpdate, Union, Intersection, Difference,
                     SymmetricDifference, IsSubset, IsSuperset, IsDisjoint, Snapshot, Page>;
};

}  // namespace tandem::ops
