#pragma once
// The hash table behind dict, set and namespace: it keeps the insertion order, with entries in array-like
// chunks and a separate index of their places. An erased entry leaves a gap in its chunk. The last chunk is
// compacted when it is full and at least a quarter of it is gaps; sparse neighbours are merged. No operation
// on one entry moves more than a chunk or two and a segment of the index, however many entries there are. A
// table of few entries has one small chunk and no index.
//
// Every entry has an ordinal; ordinals increase along the table. A cursor is an ordinal, not a position, so
// paging is unaffected by compaction: an entry that stays in the table is visited exactly once.
//
// Operations that change the table take an Undo, null if they are never rolled back. A rollback restores
// order, ordinals and memory_bytes().

#include <algorithm>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "server/structures/hash_index.hpp"
#include "server/structures/reclaim_queue.hpp"
#include "server/structures/undo.hpp"
#include "server/values/semantics.hpp"

namespace tandem::server {

/// Takes the place of the value in a set's entries.
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
  };
  /// Memory of one entry without the heap memory of its key and value: its place, and its share of the index. Like all
  /// accounts of memory, which decide what is refused, it is the same for every build.
  static constexpr std::uint64_t entry_bytes = std::is_empty_v<Mapped> ? 29 : 45;
  static_assert(sizeof(Entry) + 9 <= entry_bytes);

  OrderedTable() = default;
  OrderedTable(OrderedTable&& other) noexcept { swap(other); }
  OrderedTable& operator=(OrderedTable&& other) noexcept {
    OrderedTable before(std::move(other));
    swap(before);
    return *this;
  }
  ~OrderedTable() {
    if (ReclaimQueue* reclaim_queue = std::exchange(reclaim_queue_, nullptr);
        reclaim_queue != nullptr && ReclaimQueue::is_large(live_))
      reclaim_queue->defer(std::move(*this));
  }

  /// Contents are deferred to `reclaim_queue` when they are large; it must outlive the table.
  void defer_to(ReclaimQueue& reclaim_queue) { reclaim_queue_ = &reclaim_queue; }

  std::uint64_t size() const { return live_; }
  bool empty() const { return live_ == 0; }
  /// Memory of the entries in the table. It depends only on them, so unused capacity is not included.
  std::uint64_t memory_bytes() const { return live_ * entry_bytes + heap_bytes_; }
  /// All memory, without the entries' heap memory.
  std::uint64_t capacity_bytes() const {
    std::uint64_t bytes = index_.capacity_bytes() + chunks_.capacity() * sizeof(Chunk) +
                          (order_.capacity() + free_.capacity()) * sizeof(std::uint32_t);
    for (const Chunk& chunk : chunks_)
      bytes += chunk.capacity * (sizeof(Entry) + (chunk.ordinals ? sizeof(std::uint32_t) : 0));
    return bytes;
  }
  /// Number of entries and index slots moved so far.
  std::uint64_t moved() const { return moved_ + index_.moved(); }

  Entry* find(ValueView key, std::uint32_t hash) {
    if (live_ == 0) return nullptr;
    if (index_.empty()) return find_among_few(key, hash);
    Entry* found = nullptr;
    index_.find(hash, [&](Reference reference) {
      Entry& entry = entry_at(reference);
      if (entry.hash != hash || !are_equal(entry.key, key)) return false;
      found = &entry;
      return true;
    });
    return found;
  }
  const Entry* find(ValueView key, std::uint32_t hash) const {
    return const_cast<OrderedTable*>(this)->find(key, hash);
  }

  /// Adds an entry whose key is not in the table yet.
  Entry& insert(Value key, std::uint32_t hash, Mapped mapped, Undo* undo = nullptr) {
    Chunk& chunk = room_at_end();
    const std::uint32_t offset =
        chunk.ordinals ? chunk.end : static_cast<std::uint32_t>(next_ordinal_ - chunk.first_ordinal);
    if (chunk.ordinals)
      chunk.ordinals[offset] = static_cast<std::uint32_t>(next_ordinal_ - chunk.first_ordinal);
    ++next_ordinal_;
    if (undo != nullptr) undo->add(0, [this] { drop_last(); });
    return fill(chunk, offset, std::move(key), hash, std::move(mapped));
  }

  // For loading.
  std::uint64_t next_ordinal() const { return next_ordinal_; }
  /// append() with this hash is about to follow.
  void prefetch(std::uint32_t hash) const { index_.prefetch(hash); }
  /// Adds an entry whose key is not in the table yet, with an ordinal above those there.
  void append(std::uint64_t ordinal, Value key, std::uint32_t hash, Mapped mapped) {
    next_ordinal_ = ordinal;
    insert(std::move(key), hash, std::move(mapped));
  }
  /// The ordinal of the entry that is added next, which is above all others.
  void continue_from(std::uint64_t ordinal) { next_ordinal_ = ordinal; }
  /// Calls `f(ordinal, const Entry&)` for each entry, oldest first.
  template <class F>
  void each_with_ordinal(F&& f) const {
    for (std::uint32_t number : order_) {
      const Chunk& chunk = chunks_[number];
      for (std::uint32_t i = chunk.begin; i < chunk.end; ++i)
        if (!chunk.entries[i].key.absent()) f(chunk.ordinal_at(i), std::as_const(chunk.entries[i]));
    }
  }

  /// Replaces the value of an entry and returns the previous one.
  Mapped replace(Entry& entry, Mapped mapped) {
    heap_bytes_ += mapped.heap_bytes() - entry.mapped.heap_bytes();
    std::swap(entry.mapped, mapped);
    return mapped;
  }

  void replace(Entry& entry, Mapped mapped, Undo* undo) {
    Mapped before = replace(entry, std::move(mapped));
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = before.heap_bytes();
    const std::uint64_t ordinal = ordinal_of(entry);
    undo->add(kept_bytes, [this, ordinal, before = std::move(before)]() mutable {
      replace(entry_with(ordinal), std::move(before));
    });
  }

  /// Removes an entry and returns its key and value. Invalidates references to other entries.
  std::pair<Value, Mapped> erase(Entry& entry) {
    const Place place = place_of(entry);
    std::pair<Value, Mapped> taken = unlink(place);
    tidy(place.chunk);
    return taken;
  }
  void erase(Entry& entry, Undo* undo) {
    const Place place = place_of(entry);
    unlink(place, undo);
    tidy(place.chunk);
  }
  /// Removes all entries for which `wanted(const Entry&)` holds.
  template <class F>
  void erase_if(F&& wanted, Undo* undo) {
    for (std::uint32_t number : order_) {
      Chunk& chunk = chunks_[number];
      for (std::uint32_t i = chunk.begin, end = chunk.end; i < end; ++i)
        if (!chunk.entries[i].key.absent() && wanted(std::as_const(chunk.entries[i])))
          unlink({number, i}, undo);
    }
    for (std::size_t i = order_.size(); i != 0; --i)
      if (i <= order_.size()) tidy(order_[i - 1], true);
  }

  /// The oldest and the newest entry; null if empty.
  Entry* front() {
    return live_ == 0 ? nullptr : &chunks_[order_.front()].entries[chunks_[order_.front()].begin];
  }
  Entry* back() {
    return live_ == 0 ? nullptr : &chunks_[order_.back()].entries[chunks_[order_.back()].end - 1];
  }

  /// Empties the table and returns its former contents. Ordinals continue from where they were.
  OrderedTable take_all() {
    OrderedTable all;
    all.reclaim_queue_ = reclaim_queue_;
    all.next_ordinal_ = next_ordinal_;
    swap(all);
    return all;
  }
  void clear(Undo* undo = nullptr) { keep(take_all(), undo); }
  /// Makes a rollback restore `all`, which take_all() returned. Nothing else may have been added to `undo` in
  /// between.
  void keep(OrderedTable all, Undo* undo) {
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = all.memory_bytes();
    undo->add(kept_bytes, [this, all = std::move(all)]() mutable { *this = std::move(all); });
  }
  /// Frees about `most` entries, the newest first. Returns how many, 0 at the end. Afterwards only this and
  /// the destructor may be called. For the ReclaimQueue.
  std::uint64_t release_some(std::uint64_t most) {
    reclaim_queue_ = nullptr;
    std::uint64_t released = 0;
    while (released < most && !order_.empty()) {
      Chunk& chunk = chunks_[order_.back()];
      for (std::uint32_t i = chunk.begin; i < chunk.end; ++i)
        heap_bytes_ -= chunk.entries[i].key.heap_bytes() + chunk.entries[i].mapped.heap_bytes();
      live_ -= chunk.live;
      released += chunk.live + 1u;
      chunk.entries.reset();
      order_.pop_back();
    }
    while (released < most) {
      const std::uint64_t slots = index_.release_segment();
      if (slots == 0) break;
      released += slots / 8;
    }
    return released;
  }

  /// Calls `f(const Entry&)` for each entry, oldest first.
  template <class F>
  void each(F&& f) const {
    each_with_ordinal([&](std::uint64_t, const Entry& entry) { f(entry); });
  }

  /// Calls `f(const Entry&)` for at most `limit` entries from `cursor` on (0: from the start), until it
  /// returns false. Returns the cursor to continue from; none at the end.
  template <class F>
  std::optional<std::uint64_t> page(std::uint64_t cursor, std::uint64_t limit, F&& f) const {
    if (live_ == 0) return std::nullopt;
    std::size_t position = position_with(cursor);
    std::uint32_t i = chunks_[order_[position]].offset_from(cursor);
    std::uint64_t last = cursor;
    bool more = true;
    for (;;) {
      const Chunk& chunk = chunks_[order_[position]];
      for (; i < chunk.end && limit != 0 && more; ++i) {
        if (chunk.entries[i].key.absent()) continue;
        more = f(std::as_const(chunk.entries[i]));
        last = chunk.ordinal_at(i) + 1;
        --limit;
      }
      if (i < chunk.end) return last;  // the entry before `end` is not a gap
      if (++position == order_.size()) return std::nullopt;
      if (limit == 0 || !more) return last;
      i = chunks_[order_[position]].begin;
    }
  }
  /// The cursor after the first `offset` entries; none if there are no more.
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const {
    if (offset >= live_) return std::nullopt;
    auto number = order_.begin();
    for (; offset >= chunks_[*number].live; ++number) offset -= chunks_[*number].live;
    const Chunk& chunk = chunks_[*number];
    for (std::uint32_t i = chunk.begin;; ++i)
      if (!chunk.entries[i].key.absent() && offset-- == 0) return chunk.ordinal_at(i);
  }

 private:
  using Reference = HashIndex::Reference;
  static constexpr std::uint32_t offset_bits = 8;
  static constexpr std::uint32_t chunk_entries_max = 1u << offset_bits;
  static constexpr std::uint32_t chunk_entries_min = 8;   // a single chunk of this capacity has no index
  static constexpr std::uint32_t capacity_kept_max = 64;  // a chunk up to this capacity is never shrunk
  static constexpr std::size_t chunks_max = (std::size_t{1} << (32 - offset_bits)) - 1;
  static constexpr std::uint64_t ordinals_span_max = 0xffffffff;

  // A chunk is empty only if it is the table's only one. The entries at `begin` and just before `end` are not
  // gaps.
  struct Chunk {
    std::unique_ptr<Entry[]> entries;
    std::unique_ptr<std::uint32_t[]> ordinals;  // relative to first_ordinal; null: equal to the offsets
    std::uint64_t first_ordinal = 0;
    std::uint16_t capacity = 0;
    std::uint16_t live = 0;   // entries that are not gaps
    std::uint16_t begin = 0;  // all of them are in [begin, end)
    std::uint16_t end = 0;

    std::uint64_t ordinal_at(std::uint32_t offset) const {
      return first_ordinal + (ordinals ? ordinals[offset] : offset);
    }
    /// The offset of the first entry whose ordinal is not below this one.
    std::uint32_t offset_from(std::uint64_t ordinal) const {
      if (ordinal <= first_ordinal) return begin;
      const std::uint64_t behind = ordinal - first_ordinal;
      if (!ordinals) return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(behind, begin, end));
      return static_cast<std::uint32_t>(
          std::lower_bound(ordinals.get() + begin, ordinals.get() + end, behind) - ordinals.get());
    }
  };
  struct Place {
    std::uint32_t chunk;  // its number
    std::uint32_t offset;
  };

  void swap(OrderedTable& other) noexcept {
    std::swap(chunks_, other.chunks_);
    std::swap(order_, other.order_);
    std::swap(free_, other.free_);
    std::swap(index_, other.index_);
    std::swap(live_, other.live_);
    std::swap(heap_bytes_, other.heap_bytes_);
    std::swap(next_ordinal_, other.next_ordinal_);
    std::swap(moved_, other.moved_);
    std::swap(reclaim_queue_, other.reclaim_queue_);
  }

  // ---- places

  static Reference reference_to(Place place) { return (place.chunk + 1) << offset_bits | place.offset; }
  static Place place_in(Reference reference) {
    return {(reference >> offset_bits) - 1, reference & (chunk_entries_max - 1)};
  }
  Entry& entry_at(Reference reference) {
    const Place place = place_in(reference);
    return chunks_[place.chunk].entries[place.offset];
  }
  auto hash_of() {
    return [this](Reference reference) { return entry_at(reference).hash; };
  }
  Entry* find_among_few(ValueView key, std::uint32_t hash) {
    Chunk& chunk = chunks_[order_.front()];
    for (std::uint32_t i = chunk.begin; i < chunk.end; ++i) {
      Entry& entry = chunk.entries[i];
      if (entry.hash == hash && !entry.key.absent() && are_equal(entry.key, key)) return &entry;
    }
    return nullptr;
  }
  Place place_of(const Entry& entry) {
    if (index_.empty())
      return {order_.front(), static_cast<std::uint32_t>(&entry - chunks_[order_.front()].entries.get())};
    return place_in(
        index_.find(entry.hash, [&](Reference reference) { return &entry_at(reference) == &entry; }));
  }
  std::uint64_t ordinal_of(const Entry& entry) {
    const Place place = place_of(entry);
    return chunks_[place.chunk].ordinal_at(place.offset);
  }
  /// The position in order_ of the chunk that contains or would contain the ordinal.
  std::size_t position_with(std::uint64_t ordinal) const {
    auto behind = std::upper_bound(
        order_.begin(), order_.end(), ordinal,
        [this](std::uint64_t o, std::uint32_t number) { return o < chunks_[number].first_ordinal; });
    return behind == order_.begin() ? 0 : static_cast<std::size_t>(behind - order_.begin()) - 1;
  }
  Entry& entry_with(std::uint64_t ordinal) {
    Chunk& chunk = chunks_[order_[position_with(ordinal)]];
    return chunk.entries[chunk.offset_from(ordinal)];
  }

  // ---- entries

  Entry& fill(Chunk& chunk, std::uint32_t offset, Value key, std::uint32_t hash, Mapped mapped) {
    Entry& entry = chunk.entries[offset];
    heap_bytes_ += key.heap_bytes() + mapped.heap_bytes();
    entry.key = std::move(key);
    entry.mapped = std::move(mapped);
    entry.hash = hash;
    chunk.begin =
        static_cast<std::uint16_t>(chunk.live == 0 ? offset : std::min<std::uint32_t>(chunk.begin, offset));
    chunk.end = static_cast<std::uint16_t>(chunk.live == 0 ? offset + 1
                                                           : std::max<std::uint32_t>(chunk.end, offset + 1));
    ++chunk.live;
    ++live_;
    if (!index_.empty()) index_.insert(hash, reference_to({number_of(chunk), offset}), hash_of());
    return entry;
  }
  std::uint32_t number_of(const Chunk& chunk) const {
    return static_cast<std::uint32_t>(&chunk - chunks_.data());
  }

  /// Removes an entry and leaves a gap.
  std::pair<Value, Mapped> unlink(Place place) {
    Chunk& chunk = chunks_[place.chunk];
    Entry& entry = chunk.entries[place.offset];
    if (!index_.empty()) index_.erase(entry.hash, reference_to(place), hash_of());
    heap_bytes_ -= entry.key.heap_bytes() + entry.mapped.heap_bytes();
    std::pair<Value, Mapped> taken{std::move(entry.key), std::move(entry.mapped)};
    --chunk.live;
    --live_;
    while (chunk.begin < chunk.end && chunk.entries[chunk.begin].key.absent()) ++chunk.begin;
    while (chunk.begin < chunk.end && chunk.entries[chunk.end - 1].key.absent()) --chunk.end;
    return taken;
  }
  void unlink(Place place, Undo* undo) {
    const std::uint64_t ordinal = undo == nullptr ? 0 : chunks_[place.chunk].ordinal_at(place.offset);
    const std::uint32_t hash = chunks_[place.chunk].entries[place.offset].hash;
    std::pair<Value, Mapped> taken = unlink(place);
    if (undo == nullptr) return;
    const std::uint64_t kept_bytes = taken.first.heap_bytes() + taken.second.heap_bytes();
    undo->add(kept_bytes, [this, ordinal, hash, taken = std::move(taken)]() mutable {
      put_back(ordinal, std::move(taken.first), hash, std::move(taken.second));
    });
  }
  /// The inverse of insert() if that entry is the last.
  void drop_last() {
    const Place place{order_.back(), chunks_[order_.back()].end - 1u};
    next_ordinal_ = chunks_[place.chunk].ordinal_at(place.offset);
    (void)unlink(place);
    tidy(place.chunk);
  }
  /// The inverse of unlink().
  void put_back(std::uint64_t ordinal, Value key, std::uint32_t hash, Mapped mapped) {
    Place place = gap_for(ordinal);
    Chunk& chunk = chunks_[place.chunk];
    if (chunk.ordinals)
      chunk.ordinals[place.offset] = static_cast<std::uint32_t>(ordinal - chunk.first_ordinal);
    fill(chunk, place.offset, std::move(key), hash, std::move(mapped));
  }
  /// A gap at the place of an entry with this ordinal; its former place if that is still there.
  Place gap_for(std::uint64_t ordinal) {
    if (order_.empty()) add_chunk(0, chunk_entries_min, ordinal);
    std::size_t position = position_with(ordinal);
    if (Chunk& chunk = chunks_[order_[position]]; chunk.live == 0) {
      chunk.ordinals.reset();
      chunk.first_ordinal = ordinal;
      return {order_[position], 0};
    }
    {
      const Chunk& chunk = chunks_[order_[position]];
      const std::uint64_t behind = ordinal - chunk.first_ordinal;
      if (ordinal >= chunk.first_ordinal && !chunk.ordinals && behind < chunk.capacity)
        return {order_[position], static_cast<std::uint32_t>(behind)};
    }
    const bool in_front = ordinal < chunks_[order_[position]].first_ordinal;
    const Chunk& near = chunks_[order_[position]];
    const std::uint64_t lowest = std::min(ordinal, near.ordinal_at(near.begin));
    if (std::max(ordinal, near.ordinal_at(near.end - 1u)) - lowest > ordinals_span_max) {
      add_chunk(in_front ? position : position + 1, chunk_entries_max, ordinal);
      return {order_[in_front ? position : position + 1], 0};
    }
    if (near.live == chunk_entries_max) {
      halve(position);
      position = position_with(ordinal);
    }
    return make_gap(position, ordinal);
  }
  /// Makes a gap after all entries with lower ordinals, in a chunk that has room or can grow.
  Place make_gap(std::size_t position, std::uint64_t ordinal) {
    const Chunk& full = chunks_[order_[position]];
    gather(position, 1,
           full.live < full.capacity ? full.capacity : std::min(full.capacity * 2u, chunk_entries_max));
    const std::uint32_t number = order_[position];
    Chunk& chunk = chunks_[number];
    make_explicit(chunk);
    if (ordinal < chunk.first_ordinal) {
      const auto lower = static_cast<std::uint32_t>(chunk.first_ordinal - ordinal);
      for (std::uint32_t i = 0; i < chunk.end; ++i) chunk.ordinals[i] += lower;
      chunk.first_ordinal = ordinal;
    }
    std::uint32_t offset = chunk.end;
    for (; offset != 0 && chunk.ordinal_at(offset - 1) > ordinal; --offset) {
      chunk.ordinals[offset] = chunk.ordinals[offset - 1];
      relocate({number, offset - 1}, {number, offset});
    }
    if (offset != chunk.end) ++chunk.end;
    return {number, offset};
  }

  // ---- chunks

  /// The last chunk, with room behind its last entry for the next ordinal.
  Chunk& room_at_end() {
    if (order_.empty()) return add_chunk(0, chunk_entries_min, next_ordinal_);
    for (;;) {
      Chunk& chunk = chunks_[order_.back()];
      if (chunk.live == 0) {  // the only chunk
        chunk.ordinals.reset();
        chunk.first_ordinal = next_ordinal_;
        return chunk;
      }
      const std::uint64_t span = next_ordinal_ - chunk.first_ordinal;
      if (chunk.ordinals ? chunk.end < chunk.capacity && span <= ordinals_span_max : span < chunk.capacity)
        return chunk;
      const bool spans = next_ordinal_ - chunk.ordinal_at(chunk.begin) <= ordinals_span_max;
      if (spans && chunk.live * 4u <= chunk.capacity * 3u) gather(order_.size() - 1, 1, chunk.capacity);
      else if (spans && chunk.capacity < chunk_entries_max)
        gather(order_.size() - 1, 1, std::min(chunk.capacity * 2u, chunk_entries_max));
      else return add_chunk(order_.size(), chunk_entries_max, next_ordinal_);
    }
  }

  /// Adds an empty chunk at a position in the order.
  Chunk& add_chunk(std::size_t position, std::uint32_t capacity, std::uint64_t first_ordinal) {
    if (!order_.empty() && index_.empty()) make_index();
    const std::uint32_t number = new_number();
    Chunk& chunk = chunks_[number];
    chunk.entries = std::make_unique<Entry[]>(capacity);
    chunk.capacity = static_cast<std::uint16_t>(capacity);
    chunk.first_ordinal = first_ordinal;
    order_.insert(order_.begin() + static_cast<std::ptrdiff_t>(position), number);
    return chunk;
  }
  std::uint32_t new_number() {
    if (free_.empty()) {
      TANDEM_ASSERT(chunks_.size() < chunks_max);
      chunks_.emplace_back();
      return static_cast<std::uint32_t>(chunks_.size() - 1);
    }
    const std::uint32_t number = free_.back();
    free_.pop_back();
    return number;
  }
  void remove_chunk(std::size_t position) {
    const std::uint32_t number = order_[position];
    order_.erase(order_.begin() + static_cast<std::ptrdiff_t>(position));
    chunks_[number] = Chunk();
    free_.push_back(number);
    if (!order_.empty()) return;
    std::vector<Chunk>().swap(chunks_);
    std::vector<std::uint32_t>().swap(order_);
    std::vector<std::uint32_t>().swap(free_);
    index_.clear();
  }

  /// To be called after an entry of the chunk was removed.
  void tidy(std::uint32_t number, bool thoroughly = false) {
    const Chunk& chunk = chunks_[number];
    if (order_.size() == 1) {
      if (chunk.live == 0 && chunk.capacity > chunk_entries_min) remove_chunk(0);
      else if (chunk.capacity > capacity_kept_max && chunk.live < chunk.capacity / 8u)
        gather(0, 1, std::max(chunk_entries_min * 2u, chunk.live * 2u));
      return;
    }
    // Finding the neighbours takes a search, so a sparse chunk does it only at every eighth entry.
    if (chunk.live > chunk_entries_max / 4 || (chunk.live % 8 != 0 && !thoroughly)) return;
    const std::size_t position = position_with(chunk.first_ordinal);
    if (chunk.live == 0) remove_chunk(position);
    else if (can_join(position)) gather(position, 2, chunk_entries_max);
    else if (position != 0 && can_join(position - 1)) gather(position - 1, 2, chunk_entries_max);
  }
  bool can_join(std::size_t position) const {
    if (position + 1 >= order_.size()) return false;
    const Chunk& one = chunks_[order_[position]];
    const Chunk& next = chunks_[order_[position + 1]];
    return one.live + next.live <= chunk_entries_max * 3 / 4 && one.live != 0 && next.live != 0 &&
           next.ordinal_at(next.end - 1u) - one.ordinal_at(one.begin) <= ordinals_span_max;
  }

  /// Moves the entries of `count` chunks into one, without gaps.
  void gather(std::size_t position, std::size_t count, std::uint32_t capacity) {
    const std::uint32_t number = order_[position];
    const bool last = position + count == order_.size();
    if (index_.empty() && capacity > chunk_entries_min) make_index();
    Chunk into;
    into.entries = std::make_unique<Entry[]>(capacity);
    into.ordinals = std::make_unique<std::uint32_t[]>(capacity);
    into.capacity = static_cast<std::uint16_t>(capacity);
    into.first_ordinal = chunks_[number].ordinal_at(chunks_[number].begin);
    for (std::size_t i = position; i < position + count; ++i) move_all(order_[i], into, number);
    const std::uint32_t span = into.end == 0 ? 0 : into.ordinals[into.end - 1u] + 1;
    if (span == into.end && (!last || next_ordinal_ - into.first_ordinal == span)) into.ordinals.reset();
    for (std::size_t i = position + count - 1; i > position; --i) remove_chunk(i);
    chunks_[number] = std::move(into);
  }
  void move_all(std::uint32_t from, Chunk& into, std::uint32_t into_number) {
    Chunk& chunk = chunks_[from];
    for (std::uint32_t i = chunk.begin; i < chunk.end; ++i) {
      Entry& entry = chunk.entries[i];
      if (entry.key.absent()) continue;
      const std::uint32_t to = into.end++;
      into.ordinals[to] = static_cast<std::uint32_t>(chunk.ordinal_at(i) - into.first_ordinal);
      const Place before{from, i};
      const Place after{into_number, to};
      if (!index_.empty() && reference_to(before) != reference_to(after))
        index_.replace(entry.hash, reference_to(before), reference_to(after));
      into.entries[to] = std::move(entry);
      ++into.live;
      ++moved_;
    }
  }
  void relocate(Place from, Place to) {
    Entry& entry = chunks_[from.chunk].entries[from.offset];
    if (!index_.empty()) index_.replace(entry.hash, reference_to(from), reference_to(to));
    chunks_[to.chunk].entries[to.offset] = std::move(entry);
    ++moved_;
  }
  static void make_explicit(Chunk& chunk) {
    if (chunk.ordinals) return;
    chunk.ordinals = std::make_unique<std::uint32_t[]>(chunk.capacity);
    for (std::uint32_t i = 0; i < chunk.end; ++i) chunk.ordinals[i] = i;
  }
  /// Splits a chunk without gaps into two.
  void halve(std::size_t position) {
    const std::uint32_t from = order_[position];
    const std::uint32_t kept = chunks_[from].live / 2u;
    const std::uint64_t first_ordinal = chunks_[from].ordinal_at(kept);
    (void)add_chunk(position + 1, chunk_entries_max, first_ordinal);
    const std::uint32_t to = order_[position + 1];
    make_explicit(chunks_[to]);
    for (std::uint32_t i = kept; i < chunks_[from].end; ++i) {
      chunks_[to].ordinals[i - kept] =
          static_cast<std::uint32_t>(chunks_[from].ordinal_at(i) - first_ordinal);
      relocate({from, i}, {to, i - kept});
    }
    Chunk& upper = chunks_[to];
    upper.live = upper.end = static_cast<std::uint16_t>(chunks_[from].end - kept);
    chunks_[from].live = chunks_[from].end = static_cast<std::uint16_t>(kept);
  }
  /// Builds the index of the only chunk, which had none.
  void make_index() {
    const std::uint32_t number = order_.front();
    const Chunk& chunk = chunks_[number];
    for (std::uint32_t i = chunk.begin; i < chunk.end; ++i)
      if (!chunk.entries[i].key.absent())
        index_.insert(chunk.entries[i].hash, reference_to({number, i}), hash_of());
  }

  std::vector<Chunk> chunks_;         // by chunk number, which is part of a reference
  std::vector<std::uint32_t> order_;  // numbers of the chunks in use, oldest entries first
  std::vector<std::uint32_t> free_;   // the unused numbers
  HashIndex index_;
  std::uint64_t live_ = 0;
  std::uint64_t heap_bytes_ = 0;
  std::uint64_t next_ordinal_ = 0;
  std::uint64_t moved_ = 0;
  ReclaimQueue* reclaim_queue_ = nullptr;
};

}  // namespace tandem::server
