#pragma once
// The items of a hosted list. Operations that change them take an Undo, null if they are never rolled back.

#include <algorithm>
#include <vector>

#include "server/structures/slice.hpp"
#include "server/structures/undo.hpp"
#include "server/structures/value_rope.hpp"

namespace tandem::server {

class Sequence {
 public:
  /// Contents are deferred to `reclaim_queue` when they are large; it must outlive the sequence.
  void defer_to(ReclaimQueue& reclaim_queue) { items_.defer_to(&reclaim_queue); }

  std::uint64_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  /// Valid until the sequence changes.
  ValueView operator[](std::uint64_t position) const { return items_[position]; }
  /// Memory held, without the Sequence itself.
  std::uint64_t memory_bytes() const { return items_.memory_bytes(); }
  /// Total length of all items' MessagePack.
  std::uint64_t encoded_bytes() const { return items_.encoded_bytes(); }

  /// Makes a rollback cut the sequence to its present size; called once before any number of push_back().
  void remember_size(Undo* undo) {
    if (undo == nullptr) return;
    undo->add(0, [this, count = size()] { (void)items_.cut(count, size() - count); });
  }
  void push_back(Value item) { items_.push_back(std::move(item)); }
  void insert(std::uint64_t position, Value item, Undo* undo) {
    items_.insert(position, std::move(item));
    if (undo != nullptr) undo->add(0, [this, position] { (void)items_.take(position); });
  }
  /// Replaces an item.
  void replace(std::uint64_t position, Value item, Undo* undo) {
    Value before = items_.replace(position, std::move(item));
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = before.heap_bytes();
    undo->add(kept_bytes, [this, position, before = std::move(before)]() mutable {
      (void)items_.replace(position, std::move(before));
    });
  }
  Value take(std::uint64_t position) { return items_.take(position); }
  void erase(std::uint64_t position, Undo* undo) {
    Value taken = take(position);
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = taken.heap_bytes();
    undo->add(kept_bytes, [this, position, taken = std::move(taken)]() mutable {
      items_.insert(position, std::move(taken));
    });
  }

  /// Replaces the `count` items from `position` on by `items`.
  void splice(std::uint64_t position, std::uint64_t count, std::vector<Value> items, Undo* undo) {
    ValueRope before = items_.cut(position, count);
    const std::uint64_t put = items.size();
    items_.paste(position, rope_of(std::move(items)));
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = before.memory_bytes();
    undo->add(kept_bytes, [this, position, put, before = std::move(before)]() mutable {
      (void)items_.cut(position, put);
      items_.paste(position, std::move(before));
    });
  }

  void erase(const Slice& slice, Undo* undo) {
    const Slice gone = slice.ascending();
    if (gone.count == 0) return;
    ValueRope before;
    if (gone.step == 1) before = items_.cut(gone.position(0), gone.count);
    else  // each position is lower by the number of items already removed
      for (std::uint64_t i = 0; i < gone.count; ++i) before.push_back(items_.take(gone.position(i) - i));
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = before.memory_bytes();
    undo->add(kept_bytes, [this, gone, before = std::move(before)]() mutable {
      if (gone.step == 1) return items_.paste(gone.position(0), std::move(before));
      for (std::uint64_t i = 0; i < gone.count; ++i) items_.insert(gone.position(i), before.take(0));
    });
  }

  void clear(Undo* undo) { splice(0, size(), {}, undo); }
  void reverse(Undo* undo) {
    std::vector<Value> items = take_all();
    std::reverse(items.begin(), items.end());
    put_all(std::move(items));
    if (undo != nullptr) undo->add(0, [this] { reverse(nullptr); });
  }

  /// Moves the item at `order[i]` to position i; `order` contains every position once.
  void arrange(const std::vector<std::uint32_t>& order, Undo* undo) {
    std::vector<Value> items = take_all();
    std::vector<Value> arranged;
    arranged.reserve(order.size());
    for (std::uint32_t position : order) arranged.push_back(std::move(items[position]));
    put_all(std::move(arranged));
    if (undo == nullptr) return;
    std::vector<std::uint32_t> back(order.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) back[order[i]] = i;
    undo->add(order.size() * sizeof(std::uint32_t),
              [this, back = std::move(back)] { arrange(back, nullptr); });
  }

 private:
  static ValueRope rope_of(std::vector<Value> items) {
    ValueRope rope;
    for (Value& item : items) rope.push_back(std::move(item));
    return rope;
  }
  std::vector<Value> take_all() {
    std::vector<Value> items;
    items.reserve(size());
    ValueRope all = items_.cut(0, size());
    while (!all.empty()) items.push_back(all.take(0));
    return items;
  }
  void put_all(std::vector<Value> items) { items_.paste(0, rope_of(std::move(items))); }

  ValueRope items_;
};

}  // namespace tandem::server
