#pragma once
// Outcomes inside the server: expected failures are values with a code; bugs are caught by assertions, which
// stay on in release builds.

#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>

#include "tandem/error.hpp"

namespace tandem::server {

struct Failure {
  Code code;
  std::string text;

  // For Result.
  [[gnu::noinline, gnu::cold]] static Failure* keep(Failure&& failure) {
    return new Failure(std::move(failure));
  }
  [[gnu::noinline, gnu::cold]] static void discard(Failure* failure) noexcept {
    if (failure != moved()) delete failure;
  }
  /// That of a Result whose failure was moved to another.
  static Failure* moved() noexcept {
    static Failure failure{};
    return &failure;
  }
};

[[noreturn]] inline void assertion_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
  std::abort();
}
#define TANDEM_ASSERT(condition) \
  ((condition) ? void() : ::tandem::server::assertion_failed(#condition, __FILE_NAME__, __LINE__))

/// A T, or the Failure for which there is none. Hardly any result has a failure, so one is kept elsewhere in memory.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Failure failure) : failure_(Failure::keep(std::move(failure))) {}
  Result(Result&& other) noexcept : failure_(other.failure_) {
    if (failure_ != nullptr) [[unlikely]]
      other.failure_ = Failure::moved();
    else new (&value_) T(std::move(other.value_));
  }
  Result& operator=(Result&&) = delete;
  ~Result() {
    if (failure_ != nullptr) [[unlikely]]
      Failure::discard(failure_);
    else value_.~T();
  }
  explicit operator bool() const { return failure_ == nullptr; }
  T& operator*() { return value_; }
  const T& operator*() const { return value_; }
  T* operator->() { return &value_; }
  Failure& failure() { return *failure_; }

 private:
  union {
    T value_;  // if there is no failure
  };
  Failure* failure_ = nullptr;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Failure failure) : failure_(Failure::keep(std::move(failure))) {}
  Result(Result&& other) noexcept : failure_(std::exchange(other.failure_, nullptr)) {}
  Result& operator=(Result&& other) noexcept {
    std::swap(failure_, other.failure_);
    return *this;
  }
  ~Result() {
    if (failure_ != nullptr) [[unlikely]]
      Failure::discard(failure_);
  }
  explicit operator bool() const { return failure_ == nullptr; }
  Failure& failure() { return *failure_; }

 private:
  Failure* failure_ = nullptr;
};

}  // namespace tandem::server
