#pragma once
// Function: a function that another process can call. Its id is a short text by which any process that has
// the same function finds it and calls it with encoded arguments.
//
//   double area(double width, double height);
//   tandem::Function f = area;                    a function or captureless lambda, parameters with a Codec
//   f.id()                                        "@4fd1…+1a20+1c48": its place in this build of the program
//   tandem::Function::find(id)                    the same function, in any process of the same build
//   tandem::Functions known{{"area", area}};      your own names, valid across builds
//   known.id_of(area), known.find("area")
//
// An id selects code to run, so ids are accepted only from peers that could run code here anyway: a parent
// process, or holders of a manager's authkey. Even then, an id must name the beginning of a function, and a
// parameter list for which this program has made a Function: find() refuses every other address.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "tandem/codec.hpp"

namespace tandem {

namespace client {

template <class P>
struct FunctionTraits;
template <class R, class... A>
struct FunctionTraits<R (*)(A...)> {
  using Pointer = R (*)(A...);
  using Result = R;
  using Arguments = std::tuple<std::decay_t<A>...>;  // as stored for a call
  static constexpr bool takes_values = std::invocable<R (*)(A...), std::decay_t<A>...>;
  static constexpr bool can_be_decoded = (Decodable<std::decay_t<A>> && ...);
};
template <class R, class... A>
struct FunctionTraits<R (*)(A...) noexcept> : FunctionTraits<R (*)(A...)> {};

/// Functions and captureless lambdas without template parameters.
template <class F>
concept PlainFunction = requires(F function) {
  typename FunctionTraits<decltype(+function)>::Result;
};

template <PlainFunction F>
using ResultOfFunction = typename FunctionTraits<decltype(+std::declval<F>())>::Result;
template <PlainFunction F>
using ArgumentsOfFunction = typename FunctionTraits<decltype(+std::declval<F>())>::Arguments;

/// Makes an address of Function's own known to Function::find().
struct KnownInvoker {
  explicit KnownInvoker(std::uintptr_t address) noexcept;
};

/// Reads the argument array's header. Throws TypeError if its count is not `expected`.
void decode_argument_count(Decoder& from, std::size_t expected);

template <class P>
void encode_argument(Encoder& to, const P& value) {
  if (to.spawn_sender == nullptr) return encode_value<P>(to, value);
  wire::Buffer bytes;
  Encoder argument{wire::Writer(bytes), nullptr, to.spawn_sender};
  encode_value<P>(argument, value);
  encode_with_manager(to, argument, bytes.view());
}
template <class P>
P decode_argument(Decoder& from) {
  if (from.spawn_receiver != nullptr) decode_manager(from);
  return decode_value<P>(from);
}

/// Whether F can be called with arguments of these types, each converted to the parameter's type.
template <class F, class... A>
inline constexpr bool can_call = []<class... P>(std::type_identity<std::tuple<P...>>) {
  if constexpr (sizeof...(A) == sizeof...(P)) return (std::convertible_to<const A&, const P&> && ...);
  else return false;
}(std::type_identity<ArgumentsOfFunction<F>>());

/// Writes the arguments of a call of F as Function::call() reads them, each as its parameter's type.
template <PlainFunction F, class... A>
requires can_call<F, A...>
void encode_call(Encoder& to, const A&... arguments) {
  to.writer.array(sizeof...(A));
  [&]<class... P>(std::type_identity<std::tuple<P...>>) {
    (encode_argument<P>(to, arguments), ...);
  }(std::type_identity<ArgumentsOfFunction<F>>());
}

}  // namespace client

/// Immutable, cheap to copy, safe to share between threads.
class Function {
 public:
  template <client::PlainFunction F>
  Function(F function) {
    using Traits = client::FunctionTraits<decltype(+function)>;
    typename Traits::Pointer pointer = +function;
    function_ = reinterpret_cast<Code>(pointer);
    invoker_ = invoker_of(pointer);
    static_assert(Traits::takes_values,
                  "a parameter is a value or a const reference: the caller's own is elsewhere");
    static_assert(Traits::can_be_decoded,
                  "a parameter's type has a Codec and owns what it holds: std::string, not const char*");
  }

  /// Valid in processes of the same build on any machine (builds are compared by build id, or else by their
  /// code).
  std::string id() const;
  /// Throws NotFound if the id is of another build, ValueError if it is malformed or names no function.
  static Function find(std::string_view id);

  /// Calls the function with the array at `arguments`, one value per parameter (else TypeError), and moves
  /// past it. The return value is written to `result` unless that is null; nil for void and for types without
  /// a Codec. Throws what the function throws.
  void call(Decoder& arguments, Encoder* result) const { invoker_(function_, arguments, result); }

  bool operator==(const Function&) const = default;

 private:
  using Code = void (*)();
  using Invoker = void (*)(Code, Decoder&, Encoder*);
  Function(Code function, Invoker invoker) : function_(function), invoker_(invoker) {}

  template <class R, class... A>
  static void invoke(Code code, Decoder& from, Encoder* result) {
    auto* function = reinterpret_cast<R (*)(A...)>(code);
    client::decode_argument_count(from, sizeof...(A));
    std::tuple<std::decay_t<A>...> arguments{client::decode_argument<std::decay_t<A>>(from)...};
    if constexpr (client::Encodable<std::decay_t<R>>) {
      const std::decay_t<R> value = std::apply(function, std::move(arguments));
      if (result != nullptr) Codec<std::decay_t<R>>::encode(*result, value);
    } else {
      std::apply(function, std::move(arguments));
      if (result != nullptr) result->writer.nil();
    }
  }

  /// Initialized when the program or library is loaded, before find() is asked for the invoker.
  template <class R, class... A>
  inline static const client::KnownInvoker known_invoker{
      reinterpret_cast<std::uintptr_t>(static_cast<Invoker>(&invoke<R, A...>))};

  template <class R, class... A>
  static Invoker invoker_of(R (*)(A...)) {
    (void)&known_invoker<R, A...>;
    return &invoke<R, A...>;
  }

  Code function_;
  Invoker invoker_;
};

/// Functions by name. Safe to share between threads once filled.
class Functions {
 public:
  Functions() = default;
  Functions(std::initializer_list<std::pair<std::string_view, Function>> functions) {
    for (const auto& [name, function] : functions) add(name, function);
  }

  /// ValueError: the name is empty, begins with '@' as ids do, or is taken.
  void add(std::string_view name, Function function);
  /// Returns its name here, or else its own id.
  std::string id_of(Function function) const;
  /// Returns each name with its function's own id.
  std::map<std::string, std::string> ids() const;
  /// Returns the function with this name or own id. Throws as Function::find(); the text lists the known
  /// names.
  Function find(std::string_view id) const;

 private:
  std::map<std::string, Function, std::less<>> by_name_;
};

}  // namespace tandem
