#pragma once
// Operations of the hosted list. Semantics are those of Python's list; negative indices count from the end.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct List {
  static constexpr std::string_view type = "list";
  static constexpr std::uint8_t number = 3;

  using Create = Op<0, "create(items=None)", Effect::writes, void(Optional<Items>)>;
  using Append = Op<1, "append(item)", Effect::writes, void(Any)>;
  using Extend = Op<2, "extend(items)", Effect::writes, void(Items)>;
  using Insert = Op<3, "insert(index, item)", Effect::writes, void(Int, Any)>;  // index clamped, as in Python
  using At = Op<4, "at(index)", Effect::reads, Any(Int)>;                       // index_error
  using Set = Op<5, "set(index, item)", Effect::writes, void(Int, Any)>;        // index_error
  // Python's +; returns the new item. `typecode`: as in Dict::Add.
  using Add = Op<6, "add(index, delta, typecode=None)", Effect::writes, Any(Int, Any, Optional<Text>)>;
  using Erase = Op<7, "erase(index)", Effect::frees, void(Int)>;          // index_error
  using Remove = Op<8, "remove(item)", Effect::frees, void(Any)>;         // value_error
  using Pop = Op<9, "pop(index=-1)", Effect::frees, Any(Optional<Int>)>;  // index_error
  using Slice = Op<10, "slice(start=None, stop=None, step=None)", Effect::reads,
                   Items(Optional<Int>, Optional<Int>, Optional<Int>)>;
  // Any number of items for step 1, else exactly the slice's length (value_error).
  using AssignSlice = Op<11, "assign_slice(items, start=None, stop=None, step=None)", Effect::writes,
                         void(Items, Optional<Int>, Optional<Int>, Optional<Int>)>;
  using EraseSlice = Op<12, "erase_slice(start=None, stop=None, step=None)", Effect::frees,
                        void(Optional<Int>, Optional<Int>, Optional<Int>)>;
  using Index = Op<13, "index(item, start=None, stop=None)", Effect::reads,
                   Int(Any, Optional<Int>, Optional<Int>)>;  // value_error
  using Count = Op<14, "count(item)", Effect::reads, Int(Any)>;
  using Contains = Op<15, "contains(item)", Effect::reads, Bool(Any)>;
  using Reverse = Op<16, "reverse()", Effect::frees, void()>;
  using Sort =
      Op<17, "sort(descending=false)", Effect::frees, void(Optional<Bool>)>;  // stable; type_error as Python
  using Size = Op<18, "size()", Effect::reads, Int()>;
  using Clear = Op<19, "clear()", Effect::frees, void()>;
  using Repeat = Op<20, "repeat(times)", Effect::writes, void(Int)>;  // Python's *=
  using Snapshot = Op<21, "snapshot()", Effect::reads, Items()>;
  // Returns the next index, -1 at the end, and at most `limit` items from index `cursor` on.
  using Page = Op<22, "page(cursor, limit)", Effect::reads, Tuple<Int, Items>(Int, Int)>;

  using All = OpList<Create, Append, Extend, Insert, At, Set, Add, Erase, Remove, Pop, Slice, AssignSlice,
                     EraseSlice, Index, Count, Contains, Reverse, Sort, Size, Clear, Repeat, Snapshot, Page>;
};

}  // namespace tandem::ops
