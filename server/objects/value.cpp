#include "server/objects/value.hpp"

#include "server/values/element_type.hpp"

namespace tandem::server {

Value HostedValue::put(Turn& turn, Value value) {
  std::swap(value_, value);
  if (turn.undo() == nullptr) return value;
  Value before = turn.keep(value);
  const std::uint64_t kept_bytes = value.heap_bytes();
  turn.undo()->add(kept_bytes, [this, value = std::move(value)]() mutable { value_ = std::move(value); });
  return before;
}

Result<Value> HostedValue::fetch(Turn& turn, Result<void> made, const wire::Buffer& result, bool references) {
  if (!made) return std::move(made.failure());
  if (Result<void> fits = turn.reply_fits(value_.encoded_bytes()); !fits) return std::move(fits.failure());
  return put(turn, turn.keep({result.view(), references}));
}

Result<Value> HostedValue::fetch_wrapping(Turn& turn, ValueView operand, std::string_view typecode,
                                          bool minus) {
  Result<ElementType> type = ElementType::of(typecode);
  if (!type) return std::move(type.failure());
  ElementType::Space element{};
  Result<void> made = type->write(value_, element.data());
  if (made) made = minus ? type->subtract(operand, element.data()) : type->add(operand, element.data());
  wire::Buffer result;
  wire::Writer writer(result);
  type->read(element.data(), writer);
  return fetch(turn, std::move(made), result, false);
}

Result<Value> HostedValue::fetch_bits(Turn& turn, Bitwise how, ValueView operand) {
  wire::Buffer result;
  Result<void> made = combine_bits(how, value_, operand, result);
  return fetch(turn, std::move(made), result, false);
}

Result<void> HostedValue::on(Ops::Create, Turn& turn, ValueView initial) {
  value_ = turn.keep(initial);
  return {};
}

Result<ValueView> HostedValue::on(Ops::Load, Turn&) {
  return value_.view();
}

Result<void> HostedValue::on(Ops::Store, Turn& turn, ValueView value) {
  put(turn, turn.keep(value));
  return {};
}

Result<Value> HostedValue::on(Ops::Exchange, Turn& turn, ValueView value) {
  if (Result<void> fits = turn.reply_fits(value_.encoded_bytes()); !fits) return std::move(fits.failure());
  return put(turn, turn.keep(value));
}

Result<Written> HostedValue::on(Ops::CompareExchange, Turn& turn, ValueView expected, ValueView desired) {
  const bool same = are_equal(value_, expected);
  if (Result<void> fits = turn.reply_fits(2 + value_.encoded_bytes()); !fits)
    return std::move(fits.failure());
  turn.out().array(2);
  turn.out().boolean(same);
  turn.write(value_);
  if (same) put(turn, turn.keep(desired));
  else turn.unchanged();
  return Written{};
}

Result<Value> HostedValue::on(Ops::FetchAdd, Turn& turn, ValueView operand, TypeCode typecode) {
  if (typecode) return fetch_wrapping(turn, operand, *typecode, false);
  wire::Buffer sum;
  Result<void> made = turn.add(value_, operand, sum);
  return fetch(turn, std::move(made), sum, value_.view().references || operand.references);
}

Result<Value> HostedValue::on(Ops::FetchSub, Turn& turn, ValueView operand, TypeCode typecode) {
  if (typecode) return fetch_wrapping(turn, operand, *typecode, true);
  wire::Buffer difference;
  Result<void> made = subtract(value_, operand, difference);
  return fetch(turn, std::move(made), difference, false);
}

Result<Value> HostedValue::on(Ops::FetchAnd, Turn& turn, ValueView operand) {
  return fetch_bits(turn, Bitwise::conjunction, operand);
}
Result<Value> HostedValue::on(Ops::FetchOr, Turn& turn, ValueView operand) {
  return fetch_bits(turn, Bitwise::disjunction, operand);
}
Result<Value> HostedValue::on(Ops::FetchXor, Turn& turn, ValueView operand) {
  return fetch_bits(turn, Bitwise::exclusive, operand);
}

std::optional<std::uint64_t> HostedValue::show(std::uint64_t cursor, const LookAt& look) const {
  if (cursor == 0) (void)look({}, value_);
  return std::nullopt;
}

}  // namespace tandem::server
