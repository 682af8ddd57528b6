#pragma once
// Declarations of operations. One `Op` declares one method of one hosted type; the client's encoder, the
// server's decoder, the dispatch row, look-up by name, the debug endpoint's description and the per-operation
// counters all read it.
//
// A declaration names its parameters as a Python signature does, so people and code read the same line:
//
//     using Pop = Op<10, "pop(index=-1)", Effect::frees, Any(Optional<Int>)>;
//
// The compiler checks: one type for each named parameter; `Optional` types exactly for parameters with a
// default, and these last; numbers and names unique within a type (OpList). Numbers are never reused, since
// other programs use them.

#include "tandem/cxx20.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace tandem::ops {

/// What an operation does to its object.
enum class Effect : std::uint8_t {
  reads,   // changes nothing
  writes,  // changes, and may need more memory; refused when memory_bytes_max is reached
  frees,   // changes, and never needs more memory; always allowed
  waits,   // may be parked until it can complete
};

constexpr std::string_view name_of(Effect effect) {
  constexpr std::string_view names[] = {"reads", "writes", "frees", "waits"};
  return names[static_cast<std::size_t>(effect)];
}

// The types of parameters and results, as encoded on the wire.
struct Any {};        // a value of any kind
struct Bool {};       // boolean
struct Int {};        // integer of 64 bits, signed
struct Text {};       // UTF-8 text
struct Bytes {};      // bin
struct Reference {};  // extension 1: a hosted object
// Array, tuple or set; as a parameter also a reference to a list, a set or a dict (its keys).
struct Items {};
struct Elements {};  // array of values of which no two are equal, a result
struct Entries {};   // map; as a parameter also a reference to a dict or a namespace
struct Map {};       // map with text keys, a description for people and programs
struct Maybe {};     // array of no element (absent) or of one (present, of any kind, nil too)
template <class T>
struct Optional {};  // nil, or left out at the end: the parameter's default; else T
template <class... T>
struct Tuple {};  // array of exactly these

/// A string literal as a template argument.
template <std::size_t N>
struct Literal {
  char text[N];
  consteval Literal(const char (&from)[N]) {
    for (std::size_t i = 0; i < N; ++i) text[i] = from[i];
  }
  constexpr std::string_view view() const { return {text, N - 1}; }
};

namespace detail {

constexpr std::size_t count_parameters(std::string_view signature) {
  std::size_t open = signature.find('(');
  std::size_t close = signature.rfind(')');
  if (close == open + 1) return 0;
  std::size_t count = 1;
  for (std::size_t i = open; i < close; ++i) count += signature[i] == ',';
  return count;
}
constexpr std::size_t count_defaults(std::string_view signature) {
  std::size_t count = 0;
  for (char c : signature) count += c == '=';
  return count;
}

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<Optional<T>> = true;

template <class... P>
constexpr bool optionals_last() {
  bool seen = false;
  bool good = true;
  ((good = good && (is_optional<P> || !seen), seen = seen || is_optional<P>), ...);
  return good;
}

}  // namespace detail

/// The run-time description of an operation.
struct OpDescription {
  std::uint16_t number = 0;
  std::string_view name;
  std::string_view signature;
  Effect effect = Effect::reads;
  std::size_t parameters_min = 0;  // those without a default
  std::size_t parameters_max = 0;
};

template <std::uint16_t Number, Literal Signature, Effect TheEffect, class Function>
struct Op;

template <std::uint16_t Number, Literal Signature, Effect TheEffect, class R, class... P>
struct Op<Number, Signature, TheEffect, R(P...)> {
  using Result = R;
  static constexpr std::string_view signature = Signature.view();
  static constexpr std::string_view name = signature.substr(0, signature.find('('));
  static constexpr OpDescription description{
      Number,      name, signature, TheEffect, sizeof...(P) - (std::size_t{detail::is_optional<P>} + ... + 0),
      sizeof...(P)};

  static_assert(signature.find('(') != signature.npos && signature.back() == ')',
                "a signature is name(parameters)");
  static_assert(detail::count_parameters(signature) == sizeof...(P), "one type for each named parameter");
  static_assert(detail::count_defaults(signature) == (std::size_t{detail::is_optional<P>} + ... + 0),
                "Optional types are for parameters with a default");
  static_assert(detail::optionals_last<P...>(), "parameters with a default come last");

  /// Calls `f` with the parameter types as template arguments.
  template <class F>
  static constexpr decltype(auto) with_parameters(F&& f) {
    return f.template operator()<P...>();
  }
};

/// The operations of one hosted type.
template <class... O>
struct OpList {
  static constexpr std::size_t size = sizeof...(O);
  static constexpr std::array<OpDescription, sizeof...(O)> descriptions{O::description...};

  static constexpr bool distinct() {
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t j = i + 1; j < size; ++j)
        if (descriptions[i].number == descriptions[j].number || descriptions[i].name == descriptions[j].name)
          return false;
    return true;
  }
  static constexpr std::uint16_t number_max() {
    std::uint16_t most = 0;
    for (const OpDescription& d : descriptions) most = d.number > most ? d.number : most;
    return most;
  }
  static_assert(distinct(), "an operation's number or name is used twice");
  static_assert(number_max() < 1024, "numbers index the dispatch table: keep them small");
};

}  // namespace tandem::ops
