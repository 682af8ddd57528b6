#pragma once
// Operations of the hosted array: fixed length, one arithmetic type, stored contiguously, little-endian. Type
// codes are those of Python's array module, by width: b B (8 bits), h H (16), i I (32), q Q (64), lower case
// signed; f d (float, double). Slices are sent as raw little-endian elements.

#include "tandem/ops/op.hpp"

namespace tandem::ops {

struct Array {
  static constexpr std::string_view type = "array";
  static constexpr std::uint8_t number = 7;

  // `contents`: a length (all zero), or the raw elements as bytes.
  using Create = Op<0, "create(typecode, contents)", Effect::writes, void(Text, Any)>;
  using At = Op<1, "at(index)", Effect::reads, Any(Int)>;  // index_error
  using Set =
      Op<2, "set(index, value)", Effect::writes, void(Int, Any)>;  // index_error, type_error, overflow
  using FetchAdd =
      Op<3, "fetch_add(index, operand)", Effect::writes, Any(Int, Any)>;  // wraps as std::atomic does
  using Slice = Op<4, "slice(start=None, stop=None, step=None)", Effect::reads,
                   Bytes(Optional<Int>, Optional<Int>, Optional<Int>)>;
  using AssignSlice =
      Op<5, "assign_slice(elements, start=None, stop=None, step=None)", Effect::writes,
         void(Bytes, Optional<Int>, Optional<Int>, Optional<Int>)>;  // value_error: lengths differ
  using Fill = Op<6, "fill(value)", Effect::writes, void(Any)>;
  using Size = Op<7, "size()", Effect::reads, Int()>;
  using TypeCode = Op<8, "typecode()", Effect::reads, Text()>;

  using All = OpList<Create, At, Set, FetchAdd, Slice, AssignSlice, Fill, Size, TypeCode>;
};

}  // namespace tandem::ops
