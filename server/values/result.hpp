#pragma once
// Outcomes inside the server: expected failures are values with a code; bugs are caught by assertions, which
// stay on in release builds.

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <variant>

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

/// A T, or the Failure for which there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}
  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() { return *std::get_if<0>(&state_); }
  const T& operator*() const { return *std::get_if<0>(&state_); }
  T* operator->() { return std::get_if<0>(&state_); }
  Failure& failure() { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Failure> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Failure failure) : failure_(std::move(failure)) {}
  explicit operator bool() const { return !failure_; }
  Failure& failure() { return *failure_; }

 private:
  std::optional<Failure> failure_;
};

}  // namespace tandem::server
