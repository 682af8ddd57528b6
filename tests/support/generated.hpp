#pragma once
// A range whose elements a function makes when they are read: for a single pass, and maybe without an end.

#include <cstddef>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

namespace tandem::test {

/// `Next` returns an optional, which is empty at the end, or an element; then the range has no end.
template <class Next>
class Generated {
  using Made = std::invoke_result_t<Next&>;
  template <class T>
  struct Element {
    using Type = T;
    using Sentinel = std::unreachable_sentinel_t;
  };
  template <class T>
  struct Element<std::optional<T>> {
    using Type = T;
    using Sentinel = std::default_sentinel_t;
  };

 public:
  class iterator {
   public:
    using value_type = typename Element<Made>::Type;
    using difference_type = std::ptrdiff_t;

    iterator() = default;
    explicit iterator(Next& next) : next_(&next), current_(next()) {}
    value_type operator*() const { return *current_; }
    iterator& operator++() {
      current_ = (*next_)();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& at, std::default_sentinel_t) { return !at.current_; }

   private:
    Next* next_ = nullptr;
    std::optional<value_type> current_;
  };

  explicit Generated(Next next) : next_(std::move(next)) {}
  iterator begin() { return iterator(next_); }
  typename Element<Made>::Sentinel end() { return {}; }

 private:
  Next next_;
};

/// 0, 1, 2, …
inline auto naturals() {
  return Generated([n = 0]() mutable { return n++; });
}

}  // namespace tandem::test
