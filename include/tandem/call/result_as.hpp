#pragma once
// Operations named by their declaration, `call<ops::Dict::At, int>(dict, "k")`: the types of their results,
// and the destination of a later result. For batches, pipelines and Async, not for users.

#include <concepts>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>

#include "tandem/codec/result.hpp"
#include "tandem/json.hpp"

namespace tandem::client {

/// The type that a result is read as by default.
template <class Tag>
struct PlainResult {
  using Type = nlohmann::json;
};
template <>
struct PlainResult<void> {
  using Type = void;
};
template <>
struct PlainResult<ops::Bool> {
  using Type = bool;
};
template <>
struct PlainResult<ops::Int> {
  using Type = std::int64_t;
};
template <>
struct PlainResult<ops::Text> {
  using Type = std::string;
};
template <>
struct PlainResult<ops::Bytes> {
  using Type = Bytes;
};
template <>
struct PlainResult<ops::Maybe> {
  using Type = std::optional<nlohmann::json>;
};
template <class... Tag>
struct PlainResult<ops::Tuple<Tag...>> {
  using Type = std::tuple<typename PlainResult<Tag>::Type...>;
};

template <class R>
struct Asked {
  using Type = R;
};
/// Stands for the default result type.
struct Natural {};
template <class Op, class R>
using ResultAs =
    typename std::conditional_t<std::is_same_v<R, Natural>, PlainResult<typename Op::Result>, Asked<R>>::Type;

template <class Op, class List>
inline constexpr bool is_listed = false;
template <class Op, class... O>
inline constexpr bool is_listed<Op, ops::OpList<O...>> = (std::same_as<Op, O> || ...);
/// Whether `Op` is an operation of the type of which `P` is a proxy.
template <class Op, class P>
inline constexpr bool is_operation_of = is_listed<Op, typename P::Operations::All>;

class PipelineSink;  // client/calls/pipeline.hpp

/// The future result of an operation.
class Awaited {
 public:
  virtual ~Awaited() = default;
  virtual void take(Decoder& from) = 0;
  PipelineSink* pipeline = nullptr;  // reads it; null once it is ready
  std::uint32_t request = 0;         // its request id there
  std::exception_ptr error = nullptr;
  bool ready = false;
};

template <class R>
class AwaitedValue : public Awaited {
 public:
  std::optional<R> value;
};
template <>
class AwaitedValue<void> : public Awaited {};

template <class Tag, class R>
class AwaitedResult final : public AwaitedValue<R> {
 public:
  void take(Decoder& from) override { this->value.emplace(decode_named<Tag, R>(from)); }
};
template <class Tag>
class AwaitedResult<Tag, void> final : public AwaitedValue<void> {
 public:
  void take(Decoder& from) override { const TakenValue unread(from); }
};

}  // namespace tandem::client
