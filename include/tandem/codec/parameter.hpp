#pragma once
// Maps the parameter types of an operation's declaration (ops/op.hpp) to C++ types. For the proxies and the
// manager, not for users.
//
//   declared         an argument may be
//   Any              any Encodable, AnyValue
//   Bool, Int, Text  bool; an integer; text
//   Bytes            Bytes, RawElements
//   Reference        a proxy
//   Items            a range or proxy, items_of<T>(range or proxy), arguments_of<Op>(…)
//   Entries          a range of pairs or proxy, entries_of<K, V>(range or proxy)
//   Maybe            nullopt, optional<T>, PresentArgument
//   Optional<T>      nullopt, what T takes, an optional of that

#include <cstdint>
#include <tuple>

#include "tandem/codec/argument.hpp"
#include "tandem/ops/op.hpp"

namespace tandem::client {

template <class T>
inline constexpr bool is_std_optional = false;
template <class T>
inline constexpr bool is_std_optional<std::optional<T>> = true;

template <class Tag>
struct Parameter;

[[noreturn]] inline void throw_too_large(std::uint64_t value) {
  throw ValueError(std::to_string(value) + " is too large: at most " + std::to_string(INT64_MAX));
}

/// Texts and bytes of at least so many bytes are sent from where they are, instead of being copied first.
inline constexpr std::size_t long_argument_bytes_min = 32 * 1024;

inline void encode_long(Encoder& to, std::string_view text) {
  to.writer.text_header(text.size());
  to.long_arguments->push_back({to.writer.buffer().size(), wire::as_bytes(text)});
}
inline void encode_long(Encoder& to, const Bytes& bytes) {
  to.writer.bytes_header(bytes.size());
  to.long_arguments->push_back({to.writer.buffer().size(), as_wire(bytes)});
}

/// Writes one argument of an operation.
template <class Tag, class A>
void encode_parameter(Encoder& to, const A& argument) {
  if constexpr (std::same_as<A, std::string> || std::same_as<A, std::string_view> || std::same_as<A, Bytes>) {
    if (argument.size() >= long_argument_bytes_min && to.long_arguments != nullptr) [[unlikely]]
      return encode_long(to, argument);
  }
  if constexpr (std::derived_from<A, Argument>) argument.encode(to);
  else Parameter<Tag>::encode(to, argument);
}

/// Writes the first sizeof...(A) arguments of an operation.
template <class Op, class... A>
void encode_arguments(Encoder& to, const A&... arguments) {
  constexpr bool fits =
      sizeof...(A) >= Op::description.parameters_min && sizeof...(A) <= Op::description.parameters_max;
  static_assert(fits,
                "one argument for each parameter without a default, and no more than there are parameters");
  if constexpr (fits) {
    Op::with_parameters([&]<class... P>() {
      const std::tuple<const A&...> all(arguments...);
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        (encode_parameter<std::tuple_element_t<I, std::tuple<P...>>>(to, std::get<I>(all)), ...);
      }
      (std::index_sequence_for<A...>());
    });
  }
}

/// Whether a call of `Op` through a proxy of type P has, besides its `count` arguments, the type code of P's
/// elements, by which the manager keeps sums within that type (ops/dict.hpp, Add).
template <class Op, class P>
constexpr bool has_typecode_of(std::size_t count) {
  if constexpr (requires { P::sum_typecode; })
    return Op::signature.ends_with("typecode=None)") && count + 1 == Op::description.parameters_max &&
           !P::sum_typecode.empty();
  else return false;
}
/// Number of arguments of a call of `Op` through a P.
template <class Op, class P, class... A>
inline constexpr std::size_t argument_count = sizeof...(A) + std::size_t{
                                                                 has_typecode_of<Op, P>(sizeof...(A))};
/// Writes the arguments of a call of `Op` by its name, through a P.
template <class Op, class P, class... A>
void encode_arguments_for(Encoder& to, const A&... arguments) {
  if constexpr (has_typecode_of<Op, P>(sizeof...(A))) encode_arguments<Op>(to, arguments..., P::sum_typecode);
  else encode_arguments<Op>(to, arguments...);
}

template <class Op, class... A>
struct ArgumentsOf : Argument {
  explicit ArgumentsOf(const A&... all) : arguments(all...) {}
  std::tuple<const A&...> arguments;
  void encode(Encoder& to) const {
    to.writer.array(sizeof...(A));
    std::apply([&](const A&... argument) { encode_arguments<Op>(to, argument...); }, arguments);
  }
};
/// The arguments of `Op` as one array, as Manager::Create takes them for the created type's own create
/// operation.
template <class Op, class... A>
ArgumentsOf<Op, A...> arguments_of(const A&... arguments) {
  return ArgumentsOf<Op, A...>(arguments...);
}

template <>
struct Parameter<ops::Any> {
  template <class A>
  static void encode(Encoder& to, const A& value) {
    encode_value<ValueOf<A>>(to, value);
  }
};
template <>
struct Parameter<ops::Bool> {
  static void encode(Encoder& to, bool value) { to.writer.boolean(value); }
};
template <>
struct Parameter<ops::Int> {
  /// Throws ValueError for what the manager has no number for, e.g. SIZE_MAX.
  template <Integral A>
  static void encode(Encoder& to, A value) {
    if constexpr (std::unsigned_integral<A> && sizeof(A) >= sizeof(std::int64_t))
      if (value > static_cast<A>(INT64_MAX)) throw_too_large(value);
    Codec<A>::encode(to, value);
  }
};
template <>
struct Parameter<ops::Text> {
  static void encode(Encoder& to, std::string_view value) { to.writer.text(value); }
};
template <>
struct Parameter<ops::Bytes> {
  static void encode(Encoder& to, std::span<const std::byte> value) { to.writer.bytes(as_wire(value)); }
};
template <>
struct Parameter<ops::Reference> {
  template <class P>
  requires is_proxy<P>
  static void encode(Encoder& to, const P& proxy) { Codec<P>::encode(to, proxy); }
};
template <>
struct Parameter<ops::Items> {
  template <class R>
  static void encode(Encoder& to, const R& range) {
    if constexpr (is_proxy<R> || Untyped<R>) items_of<R>(range).encode(to);
    else items_of<std::ranges::range_value_t<const R>>(range).encode(to);
  }
};
template <>
struct Parameter<ops::Entries> {
  template <class R>
  static void encode(Encoder& to, const R& range) {
    if constexpr (is_proxy<R> || Untyped<R>) {
      entries_of<R, R>(range).encode(to);
    } else {
      using Entry = std::ranges::range_value_t<const R>;
      entries_of<std::remove_const_t<typename Entry::first_type>, typename Entry::second_type>(range).encode(
          to);
    }
  }
};
template <>
struct Parameter<ops::Maybe> {
  static void encode(Encoder& to, std::nullopt_t) { to.writer.array(0); }
  template <class T>
  static void encode(Encoder& to, const std::optional<T>& value) {
    to.writer.array(value ? 1 : 0);
    if (value) encode_value<T>(to, *value);
  }
};
template <class T>
struct Parameter<ops::Optional<T>> {
  template <class A>
  static void encode(Encoder& to, const A& value) {
    if constexpr (std::same_as<A, std::nullopt_t>) to.writer.nil();
    else if constexpr (is_std_optional<A>) value ? encode_parameter<T>(to, *value) : to.writer.nil();
    else encode_parameter<T>(to, value);
  }
};

}  // namespace tandem::client
