#pragma once
// Operations of the hosted dict. Semantics are those of Python's dict: insertion order, 1 == 1.0 == true as
// keys.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Dict {
  static constexpr std::string_view type = "dict";
  static constexpr std::uint8_t number = 2;

  using Create = Op<0, "create(entries=None)", Effect::writes, void(Optional<Entries>)>;
  using At = Op<1, "at(key)", Effect::reads, Any(Any)>;  // key_error
  using Find = Op<2, "find(key)", Effect::reads, Maybe(Any)>;
  using Set = Op<3, "set(key, value)", Effect::writes, Bool(Any, Any)>;        // true: the key is new
  using Insert = Op<4, "insert(key, value)", Effect::writes, Bool(Any, Any)>;  // only if absent
  using GetOrInsert = Op<5, "get_or_insert(key, value)", Effect::writes, Any(Any, Any)>;
  // Python's `+` on numbers, text, bytes and arrays; an absent key counts as `initial`, or as delta's zero
  // without it. Returns the new value. With `typecode` (see ops/array.hpp) that is of this type, or an
  // overflow, or a type_error; without it integers have 64 bits, signed or unsigned.
  using Add =
      Op<6, "add(key, delta, initial, typecode=None)", Effect::writes, Any(Any, Any, Maybe, Optional<Text>)>;
  // Absence counts as a value, for both. Returns whether it was exchanged, and the value before.
  using CompareExchange = Op<7, "compare_exchange(key, expected, desired)", Effect::writes,
                             Tuple<Bool, Maybe>(Any, Maybe, Maybe)>;
  using Erase = Op<8, "erase(key)", Effect::frees, Bool(Any)>;
  using Pop = Op<9, "pop(key)", Effect::frees, Any(Any)>;  // key_error
  using PopIfThere = Op<10, "pop_if_there(key)", Effect::frees, Maybe(Any)>;
  using PopItem = Op<11, "popitem(last=true)", Effect::frees, Tuple<Any, Any>(Optional<Bool>)>;  // key_error
  using Contains = Op<12, "contains(key)", Effect::reads, Bool(Any)>;
  using Size = Op<13, "size()", Effect::reads, Int()>;
  using Clear = Op<14, "clear()", Effect::frees, void()>;
  using Update = Op<15, "update(entries)", Effect::writes, void(Entries)>;
  using Assign = Op<16, "assign(entries)", Effect::writes, void(Entries)>;  // clear and update in one step
  using Keys = Op<17, "keys()", Effect::reads, Elements()>;
  using Values = Op<18, "values()", Effect::reads, Items()>;
  using Snapshot = Op<19, "items()", Effect::reads, Entries()>;
  // Returns the next cursor, -1 at the end, and at most `limit` entries after `cursor` (0: from the start).
  // An entry that stays in the dict throughout is returned exactly once, whatever else changes.
  using Page = Op<20, "page(cursor, limit)", Effect::reads, Tuple<Int, Entries>(Int, Int)>;

  using All = OpList<Create, At, Find, Set, Insert, GetOrInsert, Add, CompareExchange, Erase, Pop, PopIfThere,
                     PopItem, Contains, Size, Clear, Update, Assign, Keys, Values, Snapshot, Page>;
};

}  // namespace tandem::ops
