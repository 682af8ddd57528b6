#include "server/objects/sum.hpp"

#include "server/values/element_type.hpp"

namespace tandem::server {

Result<ValueView> sum_of(const CallContext& context, std::optional<ValueView> before, ValueView delta,
                         std::optional<std::string_view> typecode, wire::Buffer& out) {
  std::int64_t left = 0;
  std::int64_t right = 0;
  std::int64_t total = 0;
  if (before && (!typecode || *typecode == "q") && before->reader().int64(left) &&
      delta.reader().int64(right) && !__builtin_add_overflow(left, right, &total)) {  // most counters
    wire::Writer(out).integer(total);
    return ValueView{out.view(), false};
  }
  ValueView sum = delta;
  wire::Buffer untyped;
  if (before) {
    if (Result<void> added = context.add(*before, delta, untyped); !added) return std::move(added.failure());
    sum = {untyped.view(), before->references || delta.references};
  } else if (std::optional<Number> number = number_of(delta); number && number->form == Number::Form::big) {
    return Failure{Code::overflow, "the result does not fit 64 bits"};
  }
  wire::Writer writer(out);
  if (typecode) {
    Result<ElementType> type = ElementType::of(*typecode);
    if (!type) return std::move(type.failure());
    if (Result<void> made = type->convert(sum, writer); !made) return std::move(made.failure());
    return ValueView{out.view(), false};
  }
  if (!before) return sum;
  std::swap(out, untyped);
  return ValueView{out.view(), sum.references};
}

}  // namespace tandem::server
