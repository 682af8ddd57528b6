#pragma once
// The hash table behind dict, set and namespace: insertion order kept, entries in one array, a separate index of their
// positions (the layout that CPython's dict has had since 3.6). An erased entry leaves a gap in the array, closed when
// the array would have to grow, and when gaps are most of it.
//
// Every entry carries an ordinal that only grows along the array. A cursor is an ordinal, not a position, so that
// paging survives gaps being closed: an entry that stays is seen exactly once.

#include <algorithm>
#include <optional>
#include <vector>

#include "server/engine/semantics.hpp"

namespace tandem::server {

/// What a set's entries have in place of a value.
struct NoMapped {
  std::size_t heap_bytes() const { return 0; }
  std::size_t encoded_bytes() const { return 0; }
};

template <class Mapped>
class OrderedTable {
 public:
  struct Entry {
    Value key;  // absent: a gap
    [[no_unique_address]] Mapped mapped;
    std::uint32_t hash = 0;
    std::uint32_t ordinal = 0;
  };

  std::uint64_t size() const { return live_; }
  bool empty() const { return live_ == 0; }
  std::uint64_t memory_bytes() const {
    return entries_.capacity() * sizeof(Entry) + index_.capacity() * sizeof(std::uint32_t) + heap_bytes_;
  }

  Entry* find(ValueView key, std::uint32_t hash) {
    if (live_ == 0) return nullptr;
    std::size_t slot = slot_of(key, hash);
    return index_[slot] == vacant ? nullptr : &entries_[index_[slot]];
  }
  const Entry* find(ValueView key, std::uint32_t hash) const {
    return const_cast<OrderedTable*>(this)->find(key, hash);
  }

  /// Adds an entry whose key is not there yet.
  Entry& insert(Value key, std::uint32_t hash, Mapped mapped) {
    make_room();
    std::size_t slot = hash & mask();
    while (index_[slot] != vacant) slot = (slot + 1) & mask();
    index_[slot] = static_cast<std::uint32_t>(entries_.size());
    heap_bytes_ += key.heap_bytes() + mapped.heap_bytes();
    ++live_;
    return entries_.emplace_back(Entry{std::move(key), std::move(mapped), hash, next_ordinal_++});
  }

  /// Puts another value in an entry's place, and gives the one before.
  Mapped replace(Entry& entry, Mapped mapped) {
    heap_bytes_ += mapped.heap_bytes() - entry.mapped.heap_bytes();
    std::swap(entry.mapped, mapped);
    return mapped;
  }

  /// Takes an entry out. References to others are no longer good.
  std::pair<Value, Mapped> erase(Entry& entry) {
    auto position = static_cast<std::uint32_t>(&entry - entries_.data());
    std::size_t hole = entry.hash & mask();
    while (index_[hole] != position) hole = (hole + 1) & mask();
    // Close the index's gap: move back whoever was pushed past it.
    for (std::size_t i = (hole + 1) & mask(); index_[i] != vacant; i = (i + 1) & mask()) {
      std::size_t home = entries_[index_[i]].hash & mask();
      if (((i - home) & mask()) < ((i - hole) & mask())) continue;
      index_[hole] = index_[i];
      hole = i;
    }
    index_[hole] = vacant;
    heap_bytes_ -= entry.key.heap_bytes() + entry.mapped.heap_bytes();
    --live_;
    std::pair<Value, Mapped> taken{std::move(entry.key), std::move(entry.mapped)};
    while (!entries_.empty() && entries_.back().key.absent()) entries_.pop_back();
    if (first_ > entries_.size()) first_ = entries_.size();
    if (live_ < entries_.capacity() / 8 && entries_.capacity() > capacity_kept_max) {
      if (live_ == 0) release_memory();
      else pack(live_ * 2);
    }
    return taken;
  }

  /// The oldest and the newest entry; null when empty.
  Entry* front() {
    while (first_ < entries_.size() && entries_[first_].key.absent()) ++first_;
    return first_ < entries_.size() ? &entries_[first_] : nullptr;
  }
  Entry* back() { return entries_.empty() ? nullptr : &entries_.back(); }

  void clear() {
    entries_.clear();
    live_ = 0;
    heap_bytes_ = 0;
    release_memory();
  }

  /// Calls `f(const Entry&)` for each entry, oldest first.
  template <class F>
  void each(F&& f) const {
    for (std::size_t i = first_; i < entries_.size(); ++i)
      if (!entries_[i].key.absent()) f(entries_[i]);
  }

  /// Calls `f(const Entry&)` for at most `limit` entries behind `cursor` (0: from the start), until it returns false.
  /// Gives the cursor to go on from; none at the end.
  template <class F>
  std::optional<std::uint64_t> page(std::uint64_t cursor, std::uint64_t limit, F&& f) const {
    // A cursor is epoch and ordinal + 1. Ordinals are renewed, and the epoch counts up, once in four billion
    // insertions; a cursor from before then begins again.
    std::uint64_t from = (cursor >> 32) == epoch_ ? cursor & 0xffffffff : 0;
    auto at = std::lower_bound(entries_.begin() + static_cast<std::ptrdiff_t>(first_), entries_.end(), from,
                               [](const Entry& e, std::uint64_t ordinal) { return e.ordinal < ordinal; });
    std::uint64_t last = 0;
    bool more = true;
    for (; at != entries_.end() && limit != 0 && more; ++at) {
      if (at->key.absent()) continue;
      more = f(*at);
      last = std::uint64_t{at->ordinal} + 1;
      --limit;
    }
    while (at != entries_.end() && at->key.absent()) ++at;
    if (at == entries_.end()) return std::nullopt;
    return epoch_ << 32 | last;
  }
  /// The cursor behind the first `offset` entries; none where gaps make that a matter of counting.
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const {
    if (entries_.size() - first_ != live_ || offset >= live_) return std::nullopt;
    return epoch_ << 32 | entries_[first_ + offset].ordinal;
  }

 private:
  static constexpr std::uint32_t vacant = 0xffffffff;
  static constexpr std::size_t entries_max = 0xfffffffe;
  static constexpr std::size_t capacity_kept_max = 64;  // a table that small keeps its memory

  std::size_t mask() const { return index_.size() - 1; }

  /// Where the key is in the index, or the vacant slot where its search ends.
  std::size_t slot_of(ValueView key, std::uint32_t hash) const {
    std::size_t slot = hash & mask();
    for (; index_[slot] != vacant; slot = (slot + 1) & mask()) {
      const Entry& entry = entries_[index_[slot]];
      if (entry.hash == hash && are_equal(entry.key, key)) break;
    }
    return slot;
  }

  void make_room() {
    if (entries_.size() < entries_.capacity() && next_ordinal_ != 0xffffffff) return;
    TANDEM_ASSERT(live_ < entries_max);
    if (live_ == entries_.size() && next_ordinal_ != 0xffffffff) {
      entries_.reserve(std::max<std::size_t>(8, entries_.capacity() + entries_.capacity() / 2));
      make_index();
    } else {
      pack(std::max<std::size_t>(8, live_ + live_ / 2));
    }
  }

  /// Closes the gaps; grows where they were few, shrinks where they were many.
  void pack(std::size_t capacity) {
    std::vector<Entry> packed;
    packed.reserve(capacity);
    for (Entry& entry : entries_)
      if (!entry.key.absent()) packed.push_back(std::move(entry));
    entries_ = std::move(packed);
    first_ = 0;
    if (next_ordinal_ == 0xffffffff) renew_ordinals();
    make_index();
  }

  void make_index() {
    std::size_t slots = std::bit_ceil(entries_.capacity() + entries_.capacity() / 2);
    std::vector<std::uint32_t>(slots, vacant).swap(index_);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].key.absent()) continue;
      std::size_t slot = entries_[i].hash & mask();
      while (index_[slot] != vacant) slot = (slot + 1) & mask();
      index_[slot] = static_cast<std::uint32_t>(i);
    }
  }

  void renew_ordinals() {
    ++epoch_;
    next_ordinal_ = 0;
    for (Entry& entry : entries_) entry.ordinal = next_ordinal_++;
  }

  void release_memory() {
    std::vector<Entry>().swap(entries_);
    std::vector<std::uint32_t>().swap(index_);
    first_ = 0;
  }

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> index_;  // positions in entries_; a power of two of them
  std::size_t first_ = 0;             // no entry before this position
  std::uint64_t live_ = 0;
  std::uint64_t heap_bytes_ = 0;
  std::uint32_t next_ordinal_ = 0;
  std::uint64_t epoch_ = 0;
};

}  // namespace tandem::server
