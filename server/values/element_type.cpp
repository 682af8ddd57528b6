#include "server/values/element_type.hpp"

#include <bit>
#include <cmath>
#include <concepts>

#include "server/values/number.hpp"
#include "server/values/semantics.hpp"

namespace tandem::server {
namespace {

static_assert(std::endian::native == std::endian::little,
              "elements are copied between memory and wire as they are");

/// Calls `f` with the C++ type of a code as template argument.
template <class F>
decltype(auto) with_type(char code, F&& f) {
  switch (code) {
    case 'b': return f.template operator()<std::int8_t>();
    case 'B': return f.template operator()<std::uint8_t>();
    case 'h': return f.template operator()<std::int16_t>();
    case 'H': return f.template operator()<std::uint16_t>();
    case 'i': return f.template operator()<std::int32_t>();
    case 'I': return f.template operator()<std::uint32_t>();
    case 'q': return f.template operator()<std::int64_t>();
    case 'Q': return f.template operator()<std::uint64_t>();
    case 'f': return f.template operator()<float>();
    default: return f.template operator()<double>();
  }
}

template <class T>
T load(const std::uint8_t* element) {
  T value;
  std::memcpy(&value, element, sizeof value);
  return value;
}
template <class T>
void store(T value, std::uint8_t* element) {
  std::memcpy(element, &value, sizeof value);
}

template <std::integral T>
bool in_range(wire::Integer v) {
  using Range = std::numeric_limits<T>;
  if (!v.negative) return v.bits <= static_cast<std::uint64_t>(Range::max());
  return std::is_signed_v<T> && v.as_int64() >= static_cast<std::int64_t>(Range::min());
}

/// Returns `value` as a number of the kind of T; type_error if it is of another.
template <class T>
Result<Number> number_for(ValueView value) {
  std::optional<Number> number = number_of(value);
  if (!number) return Failure{Code::type_error, "a number is needed here, not '" + type_name(value) + "'"};
  if (std::integral<T> && number->form == Number::Form::floating)
    return Failure{Code::type_error, "an integer is needed here, not 'float' (" + describe(value) + ")"};
  return *number;
}

Failure out_of_range(ValueView value, std::string_view code) {
  return {Code::overflow, describe(value) + " is out of range for typecode " + std::string(code)};
}

}  // namespace

Result<ElementType> ElementType::of(std::string_view typecode) {
  constexpr std::string_view codes = "bBhHiIqQfd";
  if (typecode.size() != 1 || codes.find(typecode) == codes.npos)
    return Failure{Code::value_error, "the typecode is one of b B h H i I q Q f d"};
  return ElementType(typecode[0], with_type(typecode[0], []<class T>() { return sizeof(T); }));
}

void ElementType::read(const std::uint8_t* element, wire::Writer& out) const {
  with_type(code_, [&]<class T>() {
    if constexpr (std::same_as<T, float>) out.floating32(load<T>(element));
    else if constexpr (std::same_as<T, double>) out.floating(load<T>(element));
    else if constexpr (std::is_signed_v<T>) out.integer(std::int64_t{load<T>(element)});
    else out.unsigned_integer(load<T>(element));
  });
}

Result<void> ElementType::write(ValueView value, std::uint8_t* element) const {
  return with_type(code_, [&]<class T>() -> Result<void> {
    Result<Number> number = number_for<T>(value);
    if (!number) return std::move(number.failure());
    if constexpr (std::floating_point<T>) {
      Result<double> rounded = number->to_double();
      if (!rounded) return std::move(rounded.failure());
      store(static_cast<T>(*rounded), element);
    } else {
      if (!number->is_word() || !in_range<T>(number->word)) return out_of_range(value, code());
      store(static_cast<T>(number->word.bits), element);
    }
    return {};
  });
}

Result<void> ElementType::convert(ValueView value, wire::Writer& out) const {
  Space element{};
  if (Result<void> made = write(value, element.data()); !made) return made;
  if (code_ == 'f' && std::isinf(load<float>(element.data())) && !std::isinf(*number_of(value)->to_double()))
    return out_of_range(value, code());
  read(element.data(), out);
  return {};
}

Result<void> ElementType::accumulate(ValueView operand, bool minus, std::uint8_t* element) const {
  return with_type(code_, [&]<class T>() -> Result<void> {
    Result<Number> number = number_for<T>(operand);
    if (!number) return std::move(number.failure());
    if constexpr (std::floating_point<T>) {
      Result<double> rounded = number->to_double();
      if (!rounded) return std::move(rounded.failure());
      const T by = static_cast<T>(*rounded);
      store(with_one_nan(static_cast<T>(minus ? load<T>(element) - by : load<T>(element) + by)), element);
    } else {
      if (!number->is_word()) return out_of_range(operand, code());
      using Unsigned = std::make_unsigned_t<T>;  // the type that wraps by definition
      const auto before = static_cast<Unsigned>(load<T>(element));
      const auto by = static_cast<Unsigned>(number->word.bits);
      store(static_cast<T>(static_cast<Unsigned>(minus ? before - by : before + by)), element);
    }
    return {};
  });
}

Result<void> ElementType::add(ValueView operand, std::uint8_t* element) const {
  return accumulate(operand, false, element);
}
Result<void> ElementType::subtract(ValueView operand, std::uint8_t* element) const {
  return accumulate(operand, true, element);
}

}  // namespace tandem::server
