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

  Result<void> on(Ops::Create, CallContext&, ValueView initial);
  Result<ValueView> on(Ops::Load, CallContext&);
  Result<void> on(Ops::Store, CallContext&, ValueView value);
  Result<Value> on(Ops::Exchange, CallContext&, ValueView value);
  Result<Written> on(Ops::CompareExchange, CallContext&, ValueView expected, ValueView desired);
  Result<Value> on(Ops::FetchAdd, CallContext&, ValueView operand, TypeCode typecode);
  Result<Value> on(Ops::FetchSub, CallContext&, ValueView operand, TypeCode typecode);
  Result<Value> on(Ops::FetchAnd, CallContext&, ValueView operand);
  Result<Value> on(Ops::FetchOr, CallContext&, ValueView operand);
  Result<Value> on(Ops::FetchXor, CallContext&, ValueView operand);

  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return value_.heap_bytes(); }
  void save(StateWriter& out) const override { out.value(value_); }
  void load(StateReader& in) override { value_ = in.value(); }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;

 private:
  /// Stores `value`; returns the previous one.
  Value put(CallContext& context, Value value);
  /// Stores `result` and returns the previous value; fails if `made` is a failure or the reply is too long.
  Result<Value> fetch(CallContext& context, Result<void> made, const wire::Buffer& result, bool references);
  Result<Value> fetch_wrapping(CallContext& context, ValueView operand, std::string_view typecode,
                               bool minus);
  Result<Value> fetch_bits(CallContext& context, Bitwise how, ValueView operand);

  Value value_;
};

}  // namespace tandem::server
