#pragma once
// The items of a hosted list: both ends grow and shrink in constant time, and what it holds is known without counting.

#include <algorithm>
#include <deque>
#include <iterator>
#include <vector>

#include "server/engine/value.hpp"
#include "server/objects/slice.hpp"

namespace tandem::server {

class Sequence {
 public:
  std::uint64_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  const Value& operator[](std::uint64_t position) const { return items_[position]; }
  /// Memory held, without the Sequence itself.
  std::uint64_t memory_bytes() const { return items_.size() * sizeof(Value) + heap_bytes_; }
  /// Length of all items' MessagePack, one after the other.
  std::uint64_t encoded_bytes() const { return encoded_bytes_; }

  void push_back(Value item) {
    enter(item);
    items_.push_back(std::move(item));
  }
  void insert(std::uint64_t position, Value item) {
    enter(item);
    items_.insert(at(position), std::move(item));
  }
  /// Puts another item in one's place, and gives the one before.
  Value replace(std::uint64_t position, Value item) {
    leave(items_[position]);
    enter(item);
    std::swap(items_[position], item);
    return item;
  }
  Value take(std::uint64_t position) {
    leave(items_[position]);
    Value taken = std::move(items_[position]);
    items_.erase(at(position));
    return taken;
  }

  /// Puts `items` in the place of `count` others, which begin at `position`.
  void splice(std::uint64_t position, std::uint64_t count, std::vector<Value> items) {
    for (std::uint64_t i = 0; i < count; ++i) leave(items_[position + i]);
    for (const Value& item : items) enter(item);
    auto both = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, items.size()));
    auto rest = std::move(items.begin(), items.begin() + both, at(position));
    if (items.size() > count)
      items_.insert(rest, std::make_move_iterator(items.begin() + both), std::make_move_iterator(items.end()));
    else items_.erase(rest, at(position + count));
  }

  void erase(const Slice& slice) {
    const Slice gone = slice.ascending();
    if (gone.count == 0) return;
    for (std::uint64_t i = 0; i < gone.count; ++i) leave(items_[gone.position(i)]);
    const std::uint64_t last = gone.position(gone.count - 1);
    if (gone.step == 1) {
      items_.erase(at(gone.position(0)), at(last + 1));
      return;
    }
    auto kept = at(gone.position(0));  // what stays between two that go moves down over the gaps
    for (std::uint64_t i = 0; i + 1 < gone.count; ++i)
      kept = std::move(at(gone.position(i) + 1), at(gone.position(i + 1)), kept);
    items_.erase(std::move(at(last + 1), items_.end(), kept), items_.end());
  }

  void clear() {
    items_ = std::deque<Value>();
    heap_bytes_ = encoded_bytes_ = 0;
  }
  void reverse() { std::reverse(items_.begin(), items_.end()); }

  /// Brings the item at `order[i]` to position i; `order` holds every position once.
  void arrange(const std::vector<std::uint32_t>& order) {
    std::vector<Value> arranged;
    arranged.reserve(order.size());
    for (std::uint32_t position : order) arranged.push_back(std::move(items_[position]));
    std::move(arranged.begin(), arranged.end(), items_.begin());
  }

 private:
  std::deque<Value>::iterator at(std::uint64_t position) {
    return items_.begin() + static_cast<std::ptrdiff_t>(position);
  }
  void enter(const Value& item) {
    heap_bytes_ += item.heap_bytes();
    encoded_bytes_ += item.encoded_bytes();
  }
  void leave(const Value& item) {
    heap_bytes_ -= item.heap_bytes();
    encoded_bytes_ -= item.encoded_bytes();
  }

  std::deque<Value> items_;
  std::uint64_t heap_bytes_ = 0;
  std::uint64_t encoded_bytes_ = 0;
};

}  // namespace tandem::server
