#pragma once
// The hash table behind dict, set and namespace: insertion order kept, entries in one array, a separate index of their
// positions (the layout that CPython's dict has had since 3.6). An erased entry leaves a gap in the array, closed when
// the array would have to grow, and when gaps are most of it.
//
// Every entry carries an ordinal that only grows along the array. A cursor is an ordinal, not a position, so that
// paging survives gaps being closed: an entry that stays is seen exactly once.
//
// What changes the table takes an Undo, null where nothing will be taken back. Undone, positions, ordinals and memory
// are what they were.

#include <algorithm>
#include <optional>
#include <vector>

#include "server/engine/semantics.hpp"
#include "server/engine/undo.hpp"

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
  Entry& insert(Value key, std::uint32_t hash, Mapped mapped, Undo* undo = nullptr) {
    make_room(undo);
    enter_index(hash, entries_.size());
    heap_bytes_ += key.heap_bytes() + mapped.heap_bytes();
    ++live_;
    if (undo != nullptr) undo->add(0, [this] { drop_last(); });
    return entries_.emplace_back(Entry{std::move(key), std::move(mapped), hash, next_ordinal_++});
  }

  /// Puts another value in an entry's place, and gives the one before.
  Mapped replace(Entry& entry, Mapped mapped) {
    heap_bytes_ += mapped.heap_bytes() - entry.mapped.heap_bytes();
    std::swap(entry.mapped, mapped);
    return mapped;
  }

  void replace(Entry& entry, Mapped mapped, Undo* undo) {
    Mapped before = replace(entry, std::move(mapped));
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = before.heap_bytes();
    undo->add(kept_bytes, [this, position = position_of(entry), before = std::move(before)]() mutable {
      replace(entries_[position], std::move(before));
    });
  }

  /// Takes an entry out. References to others are no longer good.
  std::pair<Value, Mapped> erase(Entry& entry) {
    std::pair<Value, Mapped> taken = unlink(entry);
    drop_gaps_at_end(nullptr);
    shrink(nullptr);
    return taken;
  }
  void erase(Entry& entry, Undo* undo) {
    unlink(entry, undo);
    drop_gaps_at_end(undo);
    shrink(undo);
  }
  /// Takes out all entries for which `wanted(const Entry&)` holds.
  template <class F>
  void erase_if(F&& wanted, Undo* undo) {
    for (std::size_t i = first_; i < entries_.size(); ++i)
      if (!entries_[i].key.absent() && wanted(std::as_const(entries_[i]))) unlink(entries_[i], undo);
    drop_gaps_at_end(undo);
    shrink(undo);
  }

  /// The oldest and the newest entry; null when empty.
  Entry* front() {
    while (first_ < entries_.size() && entries_[first_].key.absent()) ++first_;
    return first_ < entries_.size() ? &entries_[first_] : nullptr;
  }
  Entry* back() { return entries_.empty() ? nullptr : &entries_.back(); }

  /// Empties the table, and gives what was there. Cursors go on counting from where they were.
  OrderedTable take_all() {
    OrderedTable all = std::exchange(*this, OrderedTable());
    next_ordinal_ = all.next_ordinal_;
    epoch_ = all.epoch_;
    return all;
  }
  void clear(Undo* undo = nullptr) { keep(take_all(), undo); }
  /// What take_all() gave, if nothing since has gone to `undo`, is to be put back with all it was.
  void keep(OrderedTable all, Undo* undo) {
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = all.memory_bytes();
    undo->add(kept_bytes, [this, all = std::move(all)]() mutable { *this = std::move(all); });
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

  std::size_t position_of(const Entry& entry) const { return static_cast<std::size_t>(&entry - entries_.data()); }

  void enter_index(std::uint32_t hash, std::size_t position) {
    std::size_t slot = hash & mask();
    while (index_[slot] != vacant) slot = (slot + 1) & mask();
    index_[slot] = static_cast<std::uint32_t>(position);
  }
  void leave_index(const Entry& entry) {
    const auto position = static_cast<std::uint32_t>(position_of(entry));
    std::size_t hole = entry.hash & mask();
    while (index_[hole] != position) hole = (hole + 1) & mask();
    // Close the gap: move back whoever was pushed past it.
    for (std::size_t i = (hole + 1) & mask(); index_[i] != vacant; i = (i + 1) & mask()) {
      std::size_t home = entries_[index_[i]].hash & mask();
      if (((i - home) & mask()) < ((i - hole) & mask())) continue;
      index_[hole] = index_[i];
      hole = i;
    }
    index_[hole] = vacant;
  }

  /// Makes a gap of an entry.
  std::pair<Value, Mapped> unlink(Entry& entry) {
    leave_index(entry);
    heap_bytes_ -= entry.key.heap_bytes() + entry.mapped.heap_bytes();
    --live_;
    return {std::move(entry.key), std::move(entry.mapped)};
  }
  void unlink(Entry& entry, Undo* undo) {
    std::pair<Value, Mapped> taken = unlink(entry);
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = taken.first.heap_bytes() + taken.second.heap_bytes();
    undo->add(kept_bytes,
              [this, position = position_of(entry), hash = entry.hash, taken = std::move(taken)]() mutable {
                Entry& gap = entries_[position];
                gap.key = std::move(taken.first);
                gap.mapped = std::move(taken.second);
                gap.hash = hash;
                heap_bytes_ += gap.key.heap_bytes() + gap.mapped.heap_bytes();
                ++live_;
                enter_index(hash, position);
                first_ = std::min(first_, position);
              });
  }
  /// The inverse of insert(), as long as that entry is the last.
  void drop_last() {
    (void)unlink(entries_.back());
    entries_.pop_back();
    --next_ordinal_;
    first_ = std::min(first_, entries_.size());
  }

  void drop_gaps_at_end(Undo* undo) {
    std::vector<std::uint32_t> ordinals;
    while (!entries_.empty() && entries_.back().key.absent()) {
      if (undo != nullptr) ordinals.push_back(entries_.back().ordinal);
      entries_.pop_back();
    }
    first_ = std::min(first_, entries_.size());
    if (ordinals.empty()) return;
    const std::uint64_t kept_bytes = ordinals.capacity() * sizeof(std::uint32_t);
    undo->add(kept_bytes, [this, ordinals = std::move(ordinals)] {
      for (std::size_t i = ordinals.size(); i != 0; --i) entries_.push_back(Entry{{}, {}, 0, ordinals[i - 1]});
    });
  }
  void shrink(Undo* undo) {
    if (live_ >= entries_.capacity() / 8 || entries_.capacity() <= capacity_kept_max) return;
    remember_layout(undo);
    if (live_ == 0) release_memory();
    else pack(live_ * 2);
  }

  /// Before entries move.
  void remember_layout(Undo* undo) {
    if (undo == nullptr) return;
    struct Layout {
      std::size_t capacity;
      std::size_t first;
      std::uint32_t next_ordinal;
      std::uint64_t epoch;
      std::vector<std::uint32_t> ordinals;
      std::vector<bool> gaps;
    } before{entries_.capacity(), first_, next_ordinal_, epoch_, {}, {}};
    before.ordinals.reserve(entries_.size());
    before.gaps.reserve(entries_.size());
    for (const Entry& entry : entries_) {
      before.ordinals.push_back(entry.ordinal);
      before.gaps.push_back(entry.key.absent());
    }
    const std::uint64_t kept_bytes = before.ordinals.capacity() * sizeof(std::uint32_t) + before.gaps.capacity() / 8;
    undo->add(kept_bytes, [this, before = std::move(before)] {
      std::vector<Entry> entries;
      entries.reserve(before.capacity);
      auto from = entries_.begin();
      for (std::size_t i = 0; i < before.ordinals.size(); ++i) {
        if (before.gaps[i]) {
          entries.push_back(Entry{{}, {}, 0, before.ordinals[i]});
          continue;
        }
        while (from->key.absent()) ++from;
        entries.push_back(std::move(*from++));
        entries.back().ordinal = before.ordinals[i];
      }
      release_memory();
      entries_ = std::move(entries);
      first_ = before.first;
      next_ordinal_ = before.next_ordinal;
      epoch_ = before.epoch;
      if (before.capacity != 0) make_index();
    });
  }

  void make_room(Undo* undo) {
    if (entries_.size() < entries_.capacity() && next_ordinal_ != 0xffffffff) return;
    TANDEM_ASSERT(live_ < entries_max);
    remember_layout(undo);
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
