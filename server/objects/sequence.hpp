#pragma once
// The items of a hosted list: both ends grow and shrink in constant time, and what it holds is known without counting.
// What changes it takes an Undo, null where nothing will be taken back.

#include <algorithm>
#include <deque>
#include <iterator>
#include <vector>

#include "server/engine/undo.hpp"
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

  /// Undone, there are no more items than now: said once before any number of push_back().
  void remember_size(Undo* undo) {
    if (undo == nullptr) return;
    undo->add(0, [this, count = size()] {
      while (size() > count) {
        leave(items_.back());
        items_.pop_back();
      }
    });
  }
  void push_back(Value item) {
    enter(item);
    items_.push_back(std::move(item));
  }
  void insert(std::uint64_t position, Value item, Undo* undo) {
    enter(item);
    items_.insert(at(position), std::move(item));
    if (undo != nullptr) undo->add(0, [this, position] { take(position); });
  }
  /// Puts another item in one's place.
  void replace(std::uint64_t position, Value item, Undo* undo) {
    leave(items_[position]);
    enter(item);
    std::swap(items_[position], item);
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = item.heap_bytes();
    undo->add(kept_bytes, [this, position, item = std::move(item)]() mutable {
      replace(position, std::move(item), nullptr);
    });
  }
  Value take(std::uint64_t position) {
    leave(items_[position]);
    Value taken = std::move(items_[position]);
    items_.erase(at(position));
    return taken;
  }
  void erase(std::uint64_t position, Undo* undo) {
    Value taken = take(position);
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = taken.heap_bytes();
    undo->add(kept_bytes, [this, position, taken = std::move(taken)]() mutable {
      insert(position, std::move(taken), nullptr);
    });
  }

  /// Puts `items` in the place of `count` others, which begin at `position`.
  void splice(std::uint64_t position, std::uint64_t count, std::vector<Value> items, Undo* undo) {
    std::vector<Value> before = undo == nullptr ? std::vector<Value>() : take_out({as_signed(position), 1, count});
    const std::uint64_t put = items.size();
    splice(position, count, std::move(items));
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = bytes_of(before);
    undo->add(kept_bytes, [this, position, put, before = std::move(before)]() mutable {
      splice(position, put, std::move(before));
    });
  }

  void erase(const Slice& slice, Undo* undo) {
    const Slice gone = slice.ascending();
    if (gone.count == 0) return;
    if (undo != nullptr) {
      std::vector<Value> before = take_out(gone);
      const std::uint64_t kept_bytes = bytes_of(before);
      undo->add(kept_bytes, [this, gone, before = std::move(before)]() mutable { put_back(gone, std::move(before)); });
    }
    close_gaps(gone);
  }

  void clear(Undo* undo) {
    std::deque<Value> before = std::exchange(items_, {});
    const std::uint64_t heap_bytes = std::exchange(heap_bytes_, 0);
    const std::uint64_t encoded_bytes = std::exchange(encoded_bytes_, 0);
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = before.size() * sizeof(Value) + heap_bytes;
    undo->add(kept_bytes, [this, heap_bytes, encoded_bytes, before = std::move(before)]() mutable {
      items_ = std::move(before);
      heap_bytes_ = heap_bytes;
      encoded_bytes_ = encoded_bytes;
    });
  }
  void reverse(Undo* undo) {
    std::reverse(items_.begin(), items_.end());
    if (undo != nullptr) undo->add(0, [this] { std::reverse(items_.begin(), items_.end()); });
  }

  /// Brings the item at `order[i]` to position i; `order` holds every position once.
  void arrange(const std::vector<std::uint32_t>& order, Undo* undo) {
    std::vector<Value> arranged;
    arranged.reserve(order.size());
    for (std::uint32_t position : order) arranged.push_back(std::move(items_[position]));
    std::move(arranged.begin(), arranged.end(), items_.begin());
    if (undo == nullptr) return;
    std::vector<std::uint32_t> back(order.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) back[order[i]] = i;
    undo->add(order.size() * sizeof(std::uint32_t), [this, back = std::move(back)] { arrange(back, nullptr); });
  }

 private:
  static std::int64_t as_signed(std::uint64_t position) { return static_cast<std::int64_t>(position); }
  static std::uint64_t bytes_of(const std::vector<Value>& items) {
    std::uint64_t bytes = items.capacity() * sizeof(Value);
    for (const Value& item : items) bytes += item.heap_bytes();
    return bytes;
  }
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

  /// Leaves absent values behind, for whose memory nobody need account.
  std::vector<Value> take_out(const Slice& slice) {
    std::vector<Value> taken;
    taken.reserve(slice.count);
    for (std::uint64_t i = 0; i < slice.count; ++i) {
      leave(items_[slice.position(i)]);
      taken.push_back(std::move(items_[slice.position(i)]));
    }
    return taken;
  }
  void splice(std::uint64_t position, std::uint64_t count, std::vector<Value> items) {
    for (std::uint64_t i = 0; i < count; ++i) leave(items_[position + i]);
    for (const Value& item : items) enter(item);
    auto both = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, items.size()));
    auto rest = std::move(items.begin(), items.begin() + both, at(position));
    if (items.size() > count)
      items_.insert(rest, std::make_move_iterator(items.begin() + both), std::make_move_iterator(items.end()));
    else items_.erase(rest, at(position + count));
  }
  void close_gaps(const Slice& gone) {
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
  /// The inverse of close_gaps().
  void put_back(const Slice& gone, std::vector<Value> items) {
    if (gone.step == 1) return splice(gone.position(0), 0, std::move(items));
    std::uint64_t from = size();
    items_.resize(from + gone.count);
    std::uint64_t to = size();
    for (std::uint64_t i = gone.count; i != 0; --i) {  // what stays moves up again
      const std::uint64_t position = gone.position(i - 1);
      while (to > position + 1) items_[--to] = std::move(items_[--from]);
      enter(items[i - 1]);
      items_[--to] = std::move(items[i - 1]);
    }
  }

  std::deque<Value> items_;
  std::uint64_t heap_bytes_ = 0;
  std::uint64_t encoded_bytes_ = 0;
};

}  // namespace tandem::server
