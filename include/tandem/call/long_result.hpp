#pragma once
// Results that are one long text, or long bytes: they are stored where they are wanted as they arrive, without a
// copy in between. Not for users.

#include <optional>
#include <string>

#include "tandem/codec/result.hpp"

namespace tandem::client {

/// Where such a result goes. The channel decides by the beginning of the reply whether it is one.
class LongResult : public wire::ByteSink {
 public:
  /// `in_array`: the value is the only element of an array.
  LongResult(bool is_text, bool in_array) : is_text_(is_text), in_array_(in_array) {}
  LongResult(const LongResult&) = delete;
  LongResult& operator=(const LongResult&) = delete;

  /// The length in bytes, before the first of them. A second time if the connection broke in between: then all come again.
  virtual void reserve(std::size_t bytes) = 0;

  bool is_text() const { return is_text_; }
  bool in_array() const { return in_array_; }
  /// Whether the result is here, and not in the reply.
  bool arrived() const { return arrived_; }
  void set_arrived() { arrived_ = true; }

 protected:
  ~LongResult() = default;

 private:
  bool is_text_;
  bool in_array_;
  bool arrived_ = false;
};

/// Whether a result declared as Tag, read as an R, may be a long one.
template <class Tag, class R>
inline constexpr bool may_be_long = (std::same_as<R, std::string> &&
                                     (std::same_as<Tag, ops::Any> || std::same_as<Tag, ops::Text>)) ||
                                    (std::same_as<R, Bytes> &&
                                     (std::same_as<Tag, ops::Any> || std::same_as<Tag, ops::Bytes>));
template <class R>
inline constexpr bool may_be_long<ops::Maybe, std::optional<R>> = may_be_long<ops::Any, R>;

template <class V>
class LongValue final : public LongResult {
 public:
  explicit LongValue(bool in_array) : LongResult(std::same_as<V, std::string>, in_array) {}
  void reserve(std::size_t bytes) override {
    value_.clear();
    value_.reserve(bytes);
  }
  void append(wire::Bytes bytes) noexcept override {
    const auto* begin = reinterpret_cast<const typename V::value_type*>(bytes.data());
    value_.insert(value_.end(), begin, begin + bytes.size());
  }
  V& value() { return value_; }

 private:
  V value_;
};

template <class R>
struct LongValueOf {
  using Type = R;
};
template <class R>
struct LongValueOf<std::optional<R>> {
  using Type = R;
};

/// Sends the call by `send`, which returns its decoder, and reads its result, declared as Tag, into an R.
template <class Tag, class R, class CallOfOp, class Send>
R result_of(CallOfOp& call, const Send& send) {
  if constexpr (may_be_long<Tag, R>) {
    LongValue<typename LongValueOf<R>::Type> into(std::same_as<Tag, ops::Maybe>);
    call.take_long_result(into);
    Decoder& from = send();
    if (into.arrived()) return R(std::move(into.value()));
    return decode_result<Tag, R>(from);
  } else {
    return decode_result<Tag, R>(send());
  }
}

}  // namespace tandem::client
