#pragma once
// The hosted value: one cell.

#include "server/engine/dispatch.hpp"
#include "tandem/ops/value.hpp"

namespace tandem::server {

class HostedValue final : public Object {
 public:
  using Ops = ops::Value;
  static constexpr bool can_undo = true;
  using TypeCode = std::optional<std::string_view>;

  Result<void> on(Ops::Create, Turn&, ValueView initial);
  Result<ValueView> on(Ops::Load, Turn&);
  Result<void> on(Ops::Store, Turn&, ValueView value);
  Result<Value> on(Ops::Exchange, Turn&, ValueView value);
  Result<Written> on(Ops::CompareExchange, Turn&, ValueView expected, ValueView desired);
  Result<Value> on(Ops::FetchAdd, Turn&, ValueView operand, TypeCode typecode);
  Result<Value> on(Ops::FetchSub, Turn&, ValueView operand, TypeCode typecode);
  Result<Value> on(Ops::FetchAnd, Turn&, ValueView operand);
  Result<Value> on(Ops::FetchOr, Turn&, ValueView operand);
  Result<Value> on(Ops::FetchXor, Turn&, ValueView operand);

  const Type& type() const override { return type_of<HostedValue>(); }
  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return value_.heap_bytes(); }
  void save(wire::Writer& out) const override { out.raw(value_.view().bytes); }
  std::optional<std::uint64_t> show(std::uint64_t cursor, const LookAt& look) const override;

 private:
  /// Gives what was in the cell before.
  Value put(Turn& turn, Value value);
  /// Puts `result` in the cell and gives what was there, if there is a result.
  Result<Value> fetch(Turn& turn, Result<void> made, const wire::Buffer& result, bool references);
  Result<Value> fetch_wrapping(Turn& turn, ValueView operand, std::string_view typecode, bool minus);
  Result<Value> fetch_bits(Turn& turn, Bitwise how, ValueView operand);

  Value value_;
};

}  // namespace tandem::server
