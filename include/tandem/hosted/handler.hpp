#pragma once
// Maps an operation's declaration to a handler in C++ types: what a handler may take and return, and the call
// itself. Users read the table in tandem/hosted.hpp.

#include <tuple>

#include "tandem/codec/parameter.hpp"
#include "tandem/codec/result.hpp"
#include "tandem/hosted/held_value.hpp"
#include "tandem/hosted/type.hpp"

namespace tandem::hosting {

// ---- the handler of an operation --------------------------------------------------------------------------

template <bool Const, class R, class... A>
struct Signature {
  static constexpr bool is_const = Const;
};

/// Picks from the overloads of `on` the one whose first parameter is O.
template <class O>
struct Pick {
  template <class C, class R, class... A>
  static Signature<false, R, A...> from(R (C::*)(O, A...));
  template <class C, class R, class... A>
  static Signature<true, R, A...> from(R (C::*)(O, A...) const);
};

template <class T, class O>
concept Handles = requires {
  Pick<O>::from(&T::on);
};

// ---- which types match ------------------------------------------------------------------------------------

template <class T>
inline constexpr bool is_vector_of_numbers = false;
template <class T>
inline constexpr bool is_vector_of_numbers<std::vector<T>> =
    std::is_arithmetic_v<T> && !std::same_as<T, bool>;
template <class T>
inline constexpr bool is_vector_of_pairs = false;
template <class K, class V>
inline constexpr bool is_vector_of_pairs<std::vector<std::pair<K, V>>> = true;

template <class T>
inline constexpr bool is_number = client::Integral<T> || (std::is_enum_v<T> && !std::same_as<T, std::byte>);
template <class T>
inline constexpr bool is_binary = client::is_bytes<T> || is_vector_of_numbers<T>;
template <class T>
inline constexpr bool is_items = client::Untyped<T> ||
                                 (client::is_sequence<T> && !client::is_map<T> && !client::is_bytes<T> &&
                                  !std::same_as<T, std::string>);
template <class T>
inline constexpr bool is_entries = client::Untyped<T> || client::is_map<T> || is_vector_of_pairs<T>;

/// Whether a parameter declared as Tag may be an A in C++.
template <class Tag, class A>
inline constexpr bool takes = false;
template <class A>
inline constexpr bool takes<ops::Any, A> = client::Decodable<A>;
template <>
inline constexpr bool takes<ops::Bool, bool> = true;
template <class A>
inline constexpr bool takes<ops::Int, A> = is_number<A>;
template <class A>
inline constexpr bool takes<ops::Text, A> = std::same_as<A, std::string> || std::same_as<A, std::string_view>;
template <class A>
inline constexpr bool takes<ops::Bytes, A> = std::same_as<A, std::span<const std::byte>> ||
                                             (is_binary<A> && client::Decodable<A>);
template <>
inline constexpr bool takes<ops::Reference, HeldValue> = true;
template <class A>
inline constexpr bool takes<ops::Items, A> = is_items<A>&& client::Decodable<A>;
template <class A>
inline constexpr bool takes<ops::Entries, A> = is_entries<A>&& client::Decodable<A>;
template <class A>
inline constexpr bool takes<ops::Maybe, std::optional<A>> = client::Decodable<A>;
template <class Tag, class A>
inline constexpr bool takes<ops::Optional<Tag>, std::optional<A>> = takes<Tag, A>;

/// Whether the handler of an operation whose result is declared as Tag may return an R.
template <class Tag, class R>
inline constexpr bool gives = false;
template <>
inline constexpr bool gives<void, void> = true;
template <class R>
inline constexpr bool gives<ops::Any, R> = client::Encodable<R>;
template <>
inline constexpr bool gives<ops::Bool, bool> = true;
template <class R>
inline constexpr bool gives<ops::Int, R> = is_number<R>;
template <class R>
inline constexpr bool gives<ops::Text, R> = std::convertible_to<const R&, std::string_view>;
template <class R>
inline constexpr bool gives<ops::Bytes, R> = is_binary<R>&& client::Encodable<R>;
template <>
inline constexpr bool gives<ops::Reference, HeldValue> = true;
template <class R>
inline constexpr bool gives<ops::Items, R> = is_items<R>&& client::Encodable<R>;
template <class R>
inline constexpr bool gives<ops::Entries, R> = is_entries<R>&& client::Encodable<R>;
template <class R>
inline constexpr bool gives<ops::Map, R> = client::Untyped<R>;
template <class K, class V, class... Rest>
inline constexpr bool gives<ops::Map, std::map<K, V, Rest...>> =
    std::convertible_to<const K&, std::string_view>&& client::Encodable<V>;
template <class R>
inline constexpr bool gives<ops::Maybe, std::optional<R>> = client::Encodable<R>;
template <class... Tag, class... R>
requires(sizeof...(Tag) ==
         sizeof...(R)) inline constexpr bool gives<ops::Tuple<Tag...>, std::tuple<R...>> = (gives<Tag, R> &&
                                                                                            ...);
template <class Tag1, class Tag2, class R1, class R2>
inline constexpr bool gives<ops::Tuple<Tag1, Tag2>, std::pair<R1, R2>> = gives<Tag1, R1>&& gives<Tag2, R2>;

// ---- arguments --------------------------------------------------------------------------------------------

template <class Tag, class A>
A read_value(Exchange& exchange, wire::Bytes value) {
  return decode_held(value, exchange.references(),
                     [](Decoder& from) { return client::ResultOf<Tag, A>::decode(from); });
}

template <class Tag, class A>
struct Argument {
  static A take(Exchange& exchange, wire::Bytes value) { return read_value<Tag, A>(exchange, value); }
};
/// Valid during the call.
template <>
struct Argument<ops::Text, std::string_view> {
  static std::string_view take(Exchange&, wire::Bytes value) {
    std::string_view text;
    if (wire::Reader at(value); !at.text(text)) client::throw_mismatch(wire::Reader(value), "text");
    return text;
  }
};
template <>
struct Argument<ops::Bytes, std::span<const std::byte>> {
  static std::span<const std::byte> take(Exchange&, wire::Bytes value) {
    wire::Bytes found;
    if (wire::Reader at(value); !at.bytes(found)) client::throw_mismatch(wire::Reader(value), "bytes");
    return std::as_bytes(found);
  }
};
template <>
struct Argument<ops::Reference, HeldValue> {
  static HeldValue take(Exchange& exchange, wire::Bytes value) {
    if (client::reference_type(wire::Reader(value)) == 0)
      client::throw_mismatch(wire::Reader(value), "a hosted object");
    return read_value<ops::Any, HeldValue>(exchange, value);
  }
};
template <class A>
struct Argument<ops::Items, A> {
  static A take(Exchange& exchange, wire::Bytes value) {
    return read_value<ops::Items, A>(exchange, exchange.items(value));
  }
};
template <class A>
struct Argument<ops::Entries, A> {
  static A take(Exchange& exchange, wire::Bytes value) {
    return read_value<ops::Entries, A>(exchange, exchange.entries(value));
  }
};
template <class Tag, class A>
struct Argument<ops::Optional<Tag>, std::optional<A>> {
  static std::optional<A> take(Exchange& exchange, wire::Bytes value) {
    if (wire::Reader(value).peek() == wire::Kind::nil) return std::nullopt;
    return Argument<Tag, A>::take(exchange, value);
  }
};

/// Rethrows the current Error, with the argument's position before its text.
[[noreturn]] void throw_wrong_argument(const ops::OpDescription& op, std::size_t position);

template <class Tag, class A>
A take_argument(Exchange& exchange, std::size_t position) {
  try {
    return Argument<Tag, A>::take(exchange, exchange.argument(position));
  } catch (const Error&) {
    throw_wrong_argument(exchange.op(), position);
  }
}

// ---- results ----------------------------------------------------------------------------------------------

template <class Tag>
struct Result {  // Any, Items, Map
  template <class R>
  static void put(Encoder& to, const R& value) {
    Codec<R>::encode(to, value);
  }
};
template <>
struct Result<ops::Int> {
  template <class R>
  static void put(Encoder& to, R value) {
    if constexpr (std::is_enum_v<R>) {
      put(to, static_cast<std::underlying_type_t<R>>(value));
    } else {
      constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      if (value > 0 && static_cast<std::uint64_t>(value) > most)
        throw OverflowError("the result " + std::to_string(+value) + " does not fit 64 bits with a sign");
      to.writer.integer(static_cast<std::int64_t>(value));
    }
  }
};
template <>
struct Result<ops::Text> {
  static void put(Encoder& to, std::string_view value) { to.writer.text(value); }
};
template <>
struct Result<ops::Bytes> {
  template <class R>
  static void put(Encoder& to, const R& value) {
    if constexpr (is_vector_of_numbers<R>) client::RawElements<typename R::value_type>(value).encode(to);
    else Codec<R>::encode(to, value);
  }
};
template <>
struct Result<ops::Reference> {
  static void put(Encoder& to, const HeldValue& value) {
    if (!value.is_reference()) throw TypeError("the result is no hosted object, but " + value.to_text());
    to.writer.raw(value.bytes());
  }
};
template <>
struct Result<ops::Items> {
  template <class R>
  static void put(Encoder& to, const R& value) {
    if constexpr (client::Untyped<R>) client::items_of<R>(value).encode(to);
    else Codec<R>::encode(to, value);
  }
};
template <>
struct Result<ops::Entries> {
  template <class R>
  static void put(Encoder& to, const R& value) {
    if constexpr (client::Untyped<R>) client::entries_of<R, R>(value).encode(to);
    else if constexpr (client::is_map<R>) Codec<R>::encode(to, value);
    else pairs(to, value);
  }

 private:
  template <class K, class V>
  static void pairs(Encoder& to, const std::vector<std::pair<K, V>>& value) {
    client::entries_of<K, V>(value).encode(to);
  }
};
template <>
struct Result<ops::Map> : Result<ops::Entries> {};
template <>
struct Result<ops::Maybe> : client::Parameter<ops::Maybe> {
  template <class R>
  static void put(Encoder& to, const std::optional<R>& value) {
    encode(to, value);
  }
};
template <class... Tag>
struct Result<ops::Tuple<Tag...>> {
  template <class R>
  static void put(Encoder& to, const R& values) {
    to.writer.array(sizeof...(Tag));
    std::apply([&](const auto&... value) { (Result<Tag>::put(to, value), ...); }, values);
  }
};

// ---- the call ---------------------------------------------------------------------------------------------

/// An object of the user's class T.
template <class T>
class InstanceOf;

template <class T, class O, class S>
struct Call;

template <class T, class O, bool Const, class R, class... A>
struct Call<T, O, Signature<Const, R, A...>> {
  using Given = std::remove_cvref_t<R>;
  template <class Tag, class P>
  static constexpr bool fits = takes<Tag, std::remove_cvref_t<P>>;

  static_assert(O::description.effect != ops::Effect::waits, "a handler answers at once: it cannot wait");
  static_assert(O::description.effect != ops::Effect::reads || Const,
                "the handler of an operation that reads is a const member function");
  static_assert(
      !(client::is_proxy<std::remove_cvref_t<A>> || ...) && !client::is_proxy<Given>,
      "a proxy would wait for the manager whose thread the handler is on: take and return HeldValue");
  static_assert(!((std::is_lvalue_reference_v<A> && !std::is_const_v<std::remove_reference_t<A>>) || ...),
                "a handler takes its parameters by value or by const reference");
  static_assert(O::description.parameters_max == sizeof...(A),
                "the handler takes one parameter for each that the operation declares");
  static_assert(gives<typename O::Result, Given>, "the handler returns what the operation does not declare");

  static void run(Instance& instance, Exchange& exchange) {
    O::with_parameters([&]<class... Tag>() {
      if constexpr (sizeof...(Tag) == sizeof...(A)) {
        static_assert((fits<Tag, A> && ...), "the handler takes what the operation does not declare");
        run<Tag...>(static_cast<InstanceOf<T>&>(instance).object, exchange, std::index_sequence_for<A...>());
      }
    });
  }

 private:
  template <class... Tag, std::size_t... I>
  static void run(T& object, Exchange& exchange, std::index_sequence<I...>) {
    // Braces: evaluated in order.
    [[maybe_unused]] std::tuple<std::remove_cvref_t<A>...> taken{
        take_argument<Tag, std::remove_cvref_t<A>>(exchange, I)...};
    Encoder to{wire::Writer(exchange.result()), nullptr};
    if constexpr (std::is_void_v<R>) {
      object.on(O{}, std::forward<A>(std::get<I>(taken))...);
      to.writer.nil();
    } else if constexpr (gives<typename O::Result, Given>) {
      Result<typename O::Result>::put(to, object.on(O{}, std::forward<A>(std::get<I>(taken))...));
    }
  }
};

/// Checks the handler of O and returns it.
template <class T, class O>
constexpr Handler handler_of() {
  static_assert(Handles<T, O>,
                "a handler is missing: each operation has one public member function on(Operation, …)");
  if constexpr (Handles<T, O>) return {&O::description, &Call<T, O, decltype(Pick<O>::from(&T::on))>::run};
  else return {};
}

}  // namespace tandem::hosting
