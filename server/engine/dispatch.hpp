#pragma once
// Makes an operation's row from its declaration: it decodes the arguments by declared type, calls the handler
//
//     Result<R> T::on(Ops::Name, CallContext&, arguments…)
//
// and encodes the result. A type without a handler for one of its operations does not compile.
//
//   declared    the handler takes              the handler returns
//   Any         ValueView                      Result<ValueView>, Result<Value> or Result<Written>
//   Bool        bool                           Result<bool>
//   Int         std::int64_t                   Result<std::int64_t>
//   Text        std::string_view               Result<std::string_view>
//   Bytes       wire::Bytes                    Result<Written>
//   Items       ItemsView                      Result<Written>
//   Entries     EntriesView                    Result<Written>
//   Reference   Object&                        Result<Written>
//   Maybe       std::optional<ValueView>       Result<std::optional<ValueView>> or
//                                              Result<std::optional<Value>>
//   Optional<T> std::optional of T's           -
//   void        -                              Result<void>
//   the others  -                              Result<Written>
//
// Written means that the handler wrote the result to context.out() itself, or parked the request. Operations
// that wait return nothing else, so that the same code answers at once and later.

#include <array>
#include <concepts>
#include <tuple>

#include "server/engine/call_context.hpp"
#include "server/engine/state.hpp"
#include "server/values/semantics.hpp"

namespace tandem::server {

struct Written {};

namespace detail {

[[gnu::cold, gnu::noinline]] inline Failure wrong_argument(const ops::OpDescription& op, std::size_t position,
                                                           std::string_view wanted, ValueView found) {
  return {Code::type_error, std::string(op.signature) + ": argument " + std::to_string(position + 1) +
                                " must be " + std::string(wanted) + ", not '" + type_name(found) + "'"};
}

template <class Tag>
struct Argument;

template <>
struct Argument<ops::Any> {
  using Type = ValueView;
  static constexpr std::string_view wanted = "a value";
  static Result<std::optional<Type>> take(CallContext&, ValueView v) { return std::optional(v); }
};
template <>
struct Argument<ops::Bool> {
  using Type = bool;
  static constexpr std::string_view wanted = "a boolean";
  static Result<std::optional<Type>> take(CallContext&, ValueView v) {
    bool truth = false;
    return v.reader().boolean(truth) ? std::optional(truth) : std::nullopt;
  }
};
template <>
struct Argument<ops::Int> {
  using Type = std::int64_t;
  static constexpr std::string_view wanted = "an integer of 64 bits";
  static Result<std::optional<Type>> take(CallContext&, ValueView v) {
    std::int64_t number = 0;
    return v.reader().int64(number) ? std::optional(number) : std::nullopt;
  }
};
template <>
struct Argument<ops::Text> {
  using Type = std::string_view;
  static constexpr std::string_view wanted = "a text";
  static Result<std::optional<Type>> take(CallContext&, ValueView v) {
    std::string_view text;
    return v.reader().text(text) ? std::optional(text) : std::nullopt;
  }
};
template <>
struct Argument<ops::Bytes> {
  using Type = wire::Bytes;
  static constexpr std::string_view wanted = "bytes";
  static Result<std::optional<Type>> take(CallContext&, ValueView v) {
    wire::Bytes bytes;
    return v.reader().bytes(bytes) ? std::optional(bytes) : std::nullopt;
  }
};
template <>
struct Argument<ops::Reference> {
  using Type = std::reference_wrapper<Object>;
  static constexpr std::string_view wanted = "a reference to an object";
  static Result<std::optional<Type>> take(CallContext& context, ValueView v) {
    wire::Reference reference;
    if (!v.reader().reference(reference)) return std::optional<Type>();
    return std::optional<Type>(
        *context.registry().find(reference.id));  // exists: validated with the arguments
  }
};
template <>
struct Argument<ops::Items> {
  using Type = ItemsView;
  static constexpr std::string_view wanted = "a sequence";
  static Result<std::optional<Type>> take(CallContext& context, ValueView v) {
    Result<ItemsView> items = context.items_of(v);
    if (!items) return std::move(items.failure());
    return std::optional(*items);
  }
};
template <>
struct Argument<ops::Entries> {
  using Type = EntriesView;
  static constexpr std::string_view wanted = "a map";
  static Result<std::optional<Type>> take(CallContext& context, ValueView v) {
    Result<EntriesView> entries = context.entries_of(v);
    if (!entries) return std::move(entries.failure());
    return std::optional(*entries);
  }
};
template <>
struct Argument<ops::Maybe> {
  using Type = std::optional<ValueView>;
  static constexpr std::string_view wanted = "an array of no element or one";
  static Result<std::optional<Type>> take(CallContext&, ValueView v) {
    std::uint32_t count = 0;
    wire::Reader reader = v.reader();
    if (!reader.array(count) || count > 1) return std::optional<Type>();
    if (count == 0) return std::optional<Type>(Type());
    return std::optional<Type>(ValueView{reader.rest(), v.references});
  }
};
template <class T>
struct Argument<ops::Optional<T>> {
  using Type = std::optional<typename Argument<T>::Type>;
  static constexpr std::string_view wanted = Argument<T>::wanted;
  static Result<std::optional<Type>> take(CallContext& context, ValueView v) {
    if (v.kind() == wire::Kind::nil) return std::optional<Type>(Type());
    auto taken = Argument<T>::take(context, v);
    if (!taken) return std::move(taken.failure());
    if (!*taken) return std::optional<Type>();
    return std::optional<Type>(Type(std::move(**taken)));
  }
};

template <class Tag>
struct Encoding;  // not specialized: the handler must return Written
template <>
struct Encoding<ops::Any> {
  static void put(CallContext& context, ValueView v) { context.write_last(v); }
};
template <>
struct Encoding<ops::Bool> {
  static void put(CallContext& context, std::same_as<bool> auto v) { context.out().boolean(v); }
};
template <>
struct Encoding<ops::Int> {
  static void put(CallContext& context, std::same_as<std::int64_t> auto v) { context.out().integer(v); }
};
template <>
struct Encoding<ops::Text> {
  static void put(CallContext& context, std::string_view v) { context.out().text(v); }
};
template <>
struct Encoding<ops::Maybe> {
  template <class V>
  static void put(CallContext& context, const std::optional<V>& v) {
    context.out().array(v ? 1 : 0);
    if (v) context.write_last(ValueView(*v));
  }
};

/// Takes one argument and moves the reader past it.
template <class Tag>
[[gnu::always_inline]] inline bool take_argument(const ops::OpDescription& op, CallContext& context,
                                                 wire::Reader& reader, std::uint32_t position,
                                                 std::uint32_t count,
                                                 std::optional<typename Argument<Tag>::Type>& into,
                                                 Result<void>& failed) {
  if (position >= count) {  // left out: the engine has checked that it may be
    if constexpr (ops::detail::is_optional<Tag>) into.emplace();
    return true;
  }
  Result<ValueView> value = validate(reader, context.limits().value_depth_max, context.registry());
  if (!value) return failed = std::move(value.failure()), false;
  auto taken = Argument<Tag>::take(context, *value);
  if (!taken) return failed = std::move(taken.failure()), false;
  if (!*taken) return failed = wrong_argument(op, position, Argument<Tag>::wanted, *value), false;
  into = std::move(*taken);
  return true;
}

template <class T, class O, class... P, std::size_t... I>
[[gnu::always_inline]] inline Result<void> invoke(Object& object, CallContext& context, wire::Reader& reader,
                                                  [[maybe_unused]] std::uint32_t count,
                                                  std::index_sequence<I...>) {
  std::tuple<std::optional<typename Argument<P>::Type>...> arguments;
  Result<void> failed;
  if (!(take_argument<P>(O::description, context, reader, I, count, std::get<I>(arguments), failed) && ...))
    return failed;
  if (!reader.at_end()) return Failure{Code::protocol_error, "bytes follow the last argument"};
  auto result = static_cast<T&>(object).on(O{}, context, std::move(*std::get<I>(arguments))...);
  if (!result) return std::move(result.failure());
  static_assert(
      O::description.effect != ops::Effect::waits || std::is_same_v<decltype(result), Result<Written>>,
      "the handler of an operation that waits gives Written");
  if constexpr (std::is_same_v<decltype(result), Result<Written>>) return {};
  else if constexpr (std::is_void_v<typename O::Result>) context.out().nil();
  else Encoding<typename O::Result>::put(context, *result);
  return {};
}

template <class T, class O>
Result<void> invoke(Object& object, CallContext& context, wire::Reader& reader, std::uint32_t count) {
  return O::with_parameters([&]<class... P>() {
    return invoke<T, O, P...>(object, context, reader, count, std::index_sequence_for<P...>());
  });
}

template <class T, class List>
struct Rows;
template <class T, class... O>
struct Rows<T, ops::OpList<O...>> {
  static constexpr auto make() {
    std::array<OpRow, ops::OpList<O...>::number_max() + 1> rows{};
    ((rows[O::description.number] = OpRow{&O::description, &invoke<T, O>}), ...);
    return rows;
  }
  static constexpr auto table = make();
};

}  // namespace detail

/// The run-time description of hosted type T, which has `T::Ops`, the struct of its operations.
template <class T>
const Type& type_of() {
  constexpr bool can_undo = requires {
    requires T::can_undo;
  };
  static constexpr Type type{T::Ops::type, T::Ops::number, detail::Rows<T, typename T::Ops::All>::table,
                             can_undo,
                             [](const Type&) -> std::unique_ptr<Object> { return std::make_unique<T>(); }};
  return type;
}

}  // namespace tandem::server
