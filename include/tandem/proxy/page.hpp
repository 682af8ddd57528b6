#pragma once
// Range-for over a proxy: reads a large object page by page.

#include "tandem/cxx20.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "tandem/proxy/proxy.hpp"

namespace tandem {

/// Maximum number of items per round trip of a range-for. The manager may return fewer.
inline constexpr std::int64_t page_items_max = 1000;

/// An input iterator over the items that `Pages` fetches. Copies share one position, as those of
/// std::istream_iterator do. Each page is consistent; between two pages the object may change, and the loop
/// continues with its contents then.
///
/// `Pages::fetch(cursor)` returns the next cursor, negative at the end, and the items.
template <class Pages>
class PageIterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using iterator_category = std::input_iterator_tag;
  using value_type = typename Pages::Item;
  using difference_type = std::ptrdiff_t;
  using reference = const value_type&;
  using pointer = const value_type*;

  PageIterator() = default;  // the end iterator
  explicit PageIterator(Pages pages) : state_(std::make_shared<State>(std::move(pages))) { settle(); }

  reference operator*() const { return state_->items[state_->at]; }
  pointer operator->() const { return &**this; }
  PageIterator& operator++() {
    ++state_->at;
    settle();
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const PageIterator& a, const PageIterator& b) { return a.state_ == b.state_; }

 private:
  struct State {
    explicit State(Pages from) : pages(std::move(from)) {}
    Pages pages;
    std::int64_t cursor = 0;
    std::vector<value_type> items{};
    std::size_t at = 0;
  };

  /// Fetches until there is an item, or becomes the end iterator.
  void settle() {
    while (state_->at == state_->items.size()) {
      if (state_->cursor < 0) {
        state_.reset();
        return;
      }
      std::pair<std::int64_t, std::vector<value_type>> page = state_->pages.fetch(state_->cursor);
      state_->cursor = page.first;
      state_->items = std::move(page.second);
      state_->at = 0;
    }
  }

  std::shared_ptr<State> state_;
};

namespace client {

/// The pages that the operation `Op` of an object returns: (cursor, limit) → (next cursor, items).
template <class Op, class T>
class PageOf : Proxy {
 public:
  using Item = T;
  using Page = std::pair<std::int64_t, std::vector<T>>;
  explicit PageOf(const Proxy& of) : Proxy(of) {}
  Page fetch(std::int64_t cursor) const { return call<Op, Page>(cursor, page_items_max); }
};

}  // namespace client
}  // namespace tandem
