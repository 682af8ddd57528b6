#pragma once
// Outcomes inside the server: expected failures are values with a code; bugs are caught by assertions, which
// stay on in release builds.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tandem/error.hpp"

namespace tandem::server {

struct Failure {
  Code code;
  std::string text;
};

[[noreturn]] inline void assertion_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
  std::abort();
}
#define TANDEM_ASSERT(condition) \
  ((condition) ? void() : ::tandem::server::assertion_failed(#condition, __FILE_NAME__, __LINE__))

/// Hardly any result has a failure: so it is elsewhere in memory, and its making and its end are out of line.
class FailurePointer {
 public:
  FailurePointer() = default;
  [[gnu::noinline, gnu::cold]] FailurePointer(Failure&& failure)
      : failure_(new Failure(std::move(failure))) {}
  explicit operator bool() const { return failure_ != nullptr; }
  Failure& operator*() const { return *failure_; }

 private:
  struct Delete {
    [[gnu::noinline, gnu::cold]] void operator()(Failure* failure) const noexcept { delete failure; }
  };
  std::unique_ptr<Failure, Delete> failure_;
};

/// A T, or the Failure for which there is none. One that was moved from has neither.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Failure failure) : failure_(std::move(failure)) {}
  explicit operator bool() const { return !failure_; }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return &*value_; }
  Failure& failure() { return *failure_; }

 private:
  std::optional<T> value_;
  FailurePointer failure_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Failure failure) : failure_(std::move(failure)) {}
  explicit operator bool() const { return !failure_; }
  Failure& failure() { return *failure_; }

 private:
  FailurePointer failure_;
};

}  // namespace tandem::server
