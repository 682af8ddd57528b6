#include "server/objects/value.hpp"

#include "server/values/element_type.hpp"

namespace tandem::server {

Value HostedValue::put(CallContext& context, Value value) {
  std::swap(value_, value);
  if (context.undo() == nullptr) return value;
  Value before = context.keep(value);
  const std::uint64_t kept_bytes = value.heap_bytes();
  context.undo()->add(kept_bytes, [this, value = std::move(value)]() mutable { value_ = std::move(value); });
  return before;
}

Result<Value> HostedValue::fetch(CallContext& context, Result<void> made, const wire::Buffer& result,
                                 bool references) {
  if (!made) return std::move(made.failure());
  if (Result<void> fits = context.reply_fits(value_.encoded_bytes()); !fits) return std::move(fits.failure());
  return put(context, context.keep({result.view(), references}));
}

Result<Value> HostedValue::fetch_wrapping(CallContext& context, ValueView operand, std::string_view typecode,
                                          bool minus) {
  wire::Buffer& result = context.scratch();
  wire::Writer writer(result);
  std::int64_t before = 0;
  std::int64_t by = 0;
  if (typecode == "q" && value_.view().reader().int64(before) &&
      operand.reader().int64(by)) {  // most counters
    const auto x = static_cast<std::uint64_t>(before);
    const auto y = static_cast<std::uint64_t>(by);
    writer.integer(static_cast<std::int64_t>(minus ? x - y : x + y));
    return fetch(context, {}, result, false);
  }
  Result<ElementType> type = ElementType::of(typecode);
  if (!type) return std::move(type.failure());
  ElementType::Space element{};
  Result<void> made = type->write(value_, element.data());
  if (made) made = minus ? type->subtract(operand, element.data()) : type->add(operand, element.data());
  type->read(element.data(), writer);
  return fetch(context, std::move(made), result, false);
}

Result<Value> HostedValue::fetch_bits(CallContext& context, Bitwise how, ValueView operand) {
  wire::Buffer& result = context.scratch();
  Result<void> made = combine_bits(how, value_, operand, result);
  return fetch(context, std::move(made), result, false);
}

Result<void> HostedValue::on(Ops::Create, CallContext& context, ValueView initial) {
  value_ = context.keep(initial);
  return {};
}

Result<ValueView> HostedValue::on(Ops::Load, CallContext&) {
  return value_.view();
}

Result<void> HostedValue::on(Ops::Store, CallContext& context, ValueView value) {
  put(context, context.keep(value));
  return {};
}

Result<Value> HostedValue::on(Ops::Exchange, CallContext& context, ValueView value) {
  if (Result<void> fits = context.reply_fits(value_.encoded_bytes()); !fits) return std::move(fits.failure());
  return put(context, context.keep(value));
}

Result<Written> HostedValue::on(Ops::CompareExchange, CallContext& context, ValueView expected,
                                ValueView desired) {
  const bool same = are_equal(value_, expected);
  if (Result<void> fits = context.reply_fits(2 + value_.encoded_bytes()); !fits)
    return std::move(fits.failure());
  context.out().array(2);
  context.out().boolean(same);
  context.write(value_);
  if (same) put(context, context.keep(desired));
  else context.unchanged();
  return Written{};
}

Result<Value> HostedValue::on(Ops::FetchAdd, CallContext& context, ValueView operand, TypeCode typecode) {
  if (typecode) return fetch_wrapping(context, operand, *typecode, false);
  wire::Buffer& sum = context.scratch();
  Result<void> made = context.add(value_, operand, sum);
  return fetch(context, std::move(made), sum, value_.view().references || operand.references);
}

Result<Value> HostedValue::on(Ops::FetchSub, CallContext& context, ValueView operand, TypeCode typecode) {
  if (typecode) return fetch_wrapping(context, operand, *typecode, true);
  wire::Buffer& difference = context.scratch();
  Result<void> made = subtract(value_, operand, difference);
  return fetch(context, std::move(made), difference, false);
}

Result<Value> HostedValue::on(Ops::FetchAnd, CallContext& context, ValueView operand) {
  return fetch_bits(context, Bitwise::conjunction, operand);
}
Result<Value> HostedValue::on(Ops::FetchOr, CallContext& context, ValueView operand) {
  return fetch_bits(context, Bitwise::disjunction, operand);
}
Result<Value> HostedValue::on(Ops::FetchXor, CallContext& context, ValueView operand) {
  return fetch_bits(context, Bitwise::exclusive, operand);
}

std::optional<std::uint64_t> HostedValue::visit_elements(std::uint64_t cursor,
                                                         const ElementVisitor& visit) const {
  if (cursor == 0) (void)visit({}, value_);
  return std::nullopt;
}

}  // namespace tandem::server
