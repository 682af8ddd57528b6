#pragma once
// Operations named by their declaration, `call<ops::Dict::At, int>(dict, "k")`: what their results are read as, and where
// a result goes that comes later. For batches, pipelines and Async; users have no need of it.

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>

#include "tandem/codec/result.hpp"
#include "tandem/json.hpp"

namespace tandem::client {

template <class Tag>
struct NaturalResult {
  using type = nlohmann::json;
};
template <>
struct NaturalResult<void> {
  using type = void;
};
template <>
struct NaturalResult<ops::Bool> {
  using type = bool;
};
template <>
struct NaturalResult<ops::Int> {
  using type = std::int64_t;
};
template <>
struct NaturalResult<ops::Text> {
  using type = std::string;
};
template <>
struct NaturalResult<ops::Maybe> {
  using type = std::optional<nlohmann::json>;
};
/// What the result of an operation is read as where nothing else is asked for.
struct Natural {};
template <class Op, class R>
using ResultAs = typename std::conditional_t<std::is_same_v<R, Natural>, NaturalResult<typename Op::Result>,
                                             std::type_identity<R>>::type;

class PipelineScript;  // client/pipeline.hpp

/// What an operation will have come to.
class Awaited {
 public:
  virtual ~Awaited() = default;
  virtual void take(Decoder& from) = 0;
  PipelineScript* pipeline = nullptr;  // which reads it, until it is ready
  std::uint32_t request = 0;           // there
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
  void take(Decoder& from) override { this->value.emplace(ResultOf<Tag, R>::decode(from)); }
};
template <class Tag>
class AwaitedResult<Tag, void> final : public AwaitedValue<void> {
 public:
  void take(Decoder& from) override { const TakenValue unread(from); }
};

}  // namespace tandem::client
