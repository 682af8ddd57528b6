#pragma once
// An index from hashes to references: 32-bit numbers, not 0, by which its owner finds the entries themselves.
// It grows and shrinks incrementally: no insertion or erasure moves more than one segment of it.
//
//   directory   by the highest `depth_` bits of the hash; neighbours may share a segment (extendible hashing)
//   segment     an open-addressing table by the lowest bits, at most three quarters full. A full one is
//               doubled, and from 512 slots on split by one more bit of the hash; two nearly empty halves are
//               merged
//   slot        a reference, and in the bits that it leaves free a part of the hash (the tag), so that a
//               search seldom compares an entry that does not match
//
// A split that would make the directory too large for the number of entries is not done: the segment grows
// instead. That happens when very many hashes are equal, which crafted keys cannot cause while the hash seed
// is secret.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "server/values/result.hpp"

namespace tandem::server {

class HashIndex {
 public:
  using Reference = std::uint32_t;
  static constexpr std::uint32_t segment_slots_max = 512;

  HashIndex() = default;
  HashIndex(HashIndex&& other) noexcept { *this = std::move(other); }
  HashIndex& operator=(HashIndex&& other) noexcept {
    std::swap(directory_, other.directory_);
    std::swap(depth_, other.depth_);
    std::swap(count_, other.count_);
    std::swap(slots_, other.slots_);
    std::swap(moved_, other.moved_);
    return *this;
  }
  ~HashIndex() { clear(); }

  bool empty() const { return directory_.empty(); }
  std::uint64_t size() const { return count_; }
  std::uint64_t capacity_bytes() const {
    return slots_ * sizeof(Slot) + directory_.capacity() * sizeof(Segment*);
  }
  /// Number of slots moved so far.
  std::uint64_t moved() const { return moved_; }

  /// Returns the reference under `hash` for which `is_it(reference)` holds; 0: none.
  template <class F>
  Reference find(std::uint32_t hash, F&& is_it) const {
    if (directory_.empty()) return 0;
    const Segment& segment = *directory_[place_of(hash)];
    const Slot* slots = segment.slots();
    const std::uint64_t tag = segment.tag(hash);
    for (std::uint32_t i = hash & segment.mask();; i = (i + 1) & segment.mask()) {
      if (slots[i] == 0) return 0;
      if (std::uint64_t{slots[i]} >> segment.reference_bits != tag) continue;
      const auto reference = static_cast<Reference>(slots[i] & segment.reference_mask());
      if (is_it(reference)) return reference;
    }
  }

  /// insert() with this hash is about to follow: has the processor fetch what it will look at.
  void prefetch(std::uint32_t hash) const {
    if (directory_.empty()) return;
    const Segment* segment = directory_[place_of(hash)];
    __builtin_prefetch(segment, 1);
    __builtin_prefetch(segment->slots() + (hash & (segment_slots_max - 1)), 1);
  }
  /// `hash_of(reference)` returns the hash of an entry already in the index.
  template <class F>
  void insert(std::uint32_t hash, Reference reference, F&& hash_of) {
    Segment& segment = *room_for(hash, hash_of);
    segment.widen(reference, moved_);
    segment.enter(hash, reference);
    ++segment.count;
    ++count_;
  }

  template <class F>
  void erase(std::uint32_t hash, Reference reference, F&& hash_of) {
    Segment& segment = *directory_[place_of(hash)];
    Slot* slots = segment.slots();
    std::uint32_t hole = segment.slot_with(hash, reference);
    // Close the gap: move back the slots that were displaced past it.
    for (std::uint32_t i = (hole + 1) & segment.mask(); slots[i] != 0; i = (i + 1) & segment.mask()) {
      const std::uint32_t home = hash_of(segment.reference_in(i)) & segment.mask();
      if (((i - home) & segment.mask()) < ((i - hole) & segment.mask())) continue;
      slots[hole] = slots[i];
      hole = i;
      ++moved_;
    }
    slots[hole] = 0;
    --segment.count;
    --count_;
    if (segment.count * 8 < segment.slots_count) shrink(hash, hash_of);
  }

  /// Replaces reference `before` by `reference`: the entry has moved.
  void replace(std::uint32_t hash, Reference before, Reference reference) {
    Segment& segment = *directory_[place_of(hash)];
    segment.widen(reference, moved_);
    const std::uint32_t at = segment.slot_with(hash, before);
    segment.slots()[at] = segment.slot_of(hash, reference);
    ++moved_;
  }

  void clear() {
    while (release_segment() != 0) {
    }
  }
  /// Frees one segment and returns its number of slots, 0 at the end. Afterwards only this and the destructor
  /// may be called.
  std::uint64_t release_segment() {
    if (directory_.empty()) return 0;
    Segment* last = directory_.back();
    while (!directory_.empty() && directory_.back() == last) directory_.pop_back();
    const std::uint64_t released = last->slots_count;
    drop(last);
    if (directory_.empty()) {
      std::vector<Segment*>().swap(directory_);
      depth_ = 0;
      count_ = 0;
    }
    return released;
  }

 private:
  using Slot = std::uint32_t;
  static constexpr std::uint32_t segment_slots_min = 16;
  static constexpr std::uint32_t reference_bits_min = 16;
  // The lowest bits of the hash select the slot in a segment and are not part of the tag.
  static constexpr std::uint32_t slot_hash_bits = 9;

  struct Segment {
    std::uint32_t slots_count;
    std::uint32_t count;
    std::uint8_t depth;
    std::uint8_t reference_bits;

    Slot* slots() { return reinterpret_cast<Slot*>(this + 1); }
    const Slot* slots() const { return reinterpret_cast<const Slot*>(this + 1); }
    std::uint32_t mask() const { return slots_count - 1; }
    std::uint64_t reference_mask() const { return (std::uint64_t{1} << reference_bits) - 1; }
    /// The bits of a tag, as in a slot shifted right by `reference_bits`.
    std::uint64_t tag_mask() const { return std::uint64_t{0xffffffff} >> reference_bits; }
    std::uint64_t tag(std::uint32_t hash) const { return hash >> slot_hash_bits & tag_mask(); }
    Slot slot_of(std::uint32_t hash, Reference reference) const {
      return static_cast<Slot>(tag(hash) << reference_bits | reference);
    }
    Reference reference_in(std::uint32_t i) const {
      return static_cast<Reference>(slots()[i] & reference_mask());
    }
    std::uint32_t slot_with(std::uint32_t hash, Reference reference) const {
      const Slot wanted = slot_of(hash, reference);
      std::uint32_t i = hash & mask();
      while (slots()[i] != wanted) i = (i + 1) & mask();
      return i;
    }
    void enter(std::uint32_t hash, Reference reference) {
      std::uint32_t i = hash & mask();
      while (slots()[i] != 0) i = (i + 1) & mask();
      slots()[i] = slot_of(hash, reference);
    }
    /// Makes room for references as large as this one, by shortening the tags.
    void widen(Reference reference, std::uint64_t& moved) {
      if (reference <= reference_mask()) return;
      const std::uint64_t mask_before = reference_mask();
      const std::uint32_t bits_before = reference_bits;
      while (reference > reference_mask()) ++reference_bits;
      for (std::uint32_t i = 0; i < slots_count; ++i) {
        const std::uint64_t slot = slots()[i];
        slots()[i] =
            static_cast<Slot>((slot >> bits_before & tag_mask()) << reference_bits | (slot & mask_before));
      }
      moved += slots_count;
    }
  };

  std::size_t place_of(std::uint32_t hash) const {
    return static_cast<std::size_t>(std::uint64_t{hash} >> (32 - depth_));
  }

  Segment* make(std::uint32_t slots, std::uint32_t depth, std::uint32_t reference_bits) {
    auto* made = static_cast<Segment*>(std::calloc(1, sizeof(Segment) + slots * sizeof(Slot)));
    if (made == nullptr) throw std::bad_alloc();
    made->slots_count = slots;
    made->depth = static_cast<std::uint8_t>(depth);
    made->reference_bits = static_cast<std::uint8_t>(reference_bits);
    slots_ += slots;
    return made;
  }
  void drop(Segment* segment) {
    slots_ -= segment->slots_count;
    std::free(segment);
  }

  template <class F>
  Segment* room_for(std::uint32_t hash, F&& hash_of) {
    if (directory_.empty()) directory_.push_back(make(segment_slots_min, 0, reference_bits_min));
    for (;;) {
      Segment* segment = directory_[place_of(hash)];
      if ((segment->count + 1) * 4 <= segment->slots_count * 3) return segment;
      const bool directory_fits = segment->depth < depth_ || directory_.size() * 64 <= count_;
      if (segment->slots_count >= segment_slots_max && directory_fits && depth_ < 32) split(hash, hash_of);
      else resize(hash, segment->slots_count * 2, hash_of);
    }
  }

  /// The directory slots that point to the segment of `hash`: first slot and count.
  std::pair<std::size_t, std::size_t> places_of(std::uint32_t hash) const {
    const std::size_t place = place_of(hash);
    const std::size_t places = std::size_t{1} << (depth_ - directory_[place]->depth);
    return {place & ~(places - 1), places};
  }
  template <class F>
  void move_into(const Segment& from, Segment& to, F&& hash_of) {
    for (std::uint32_t i = 0; i < from.slots_count; ++i) {
      if (from.slots()[i] == 0) continue;
      const Reference reference = from.reference_in(i);
      to.enter(hash_of(reference), reference);
    }
    to.count += from.count;
    moved_ += from.count;
  }
  template <class F>
  void resize(std::uint32_t hash, std::uint32_t slots, F&& hash_of) {
    auto [first, places] = places_of(hash);
    Segment* before = directory_[first];
    Segment* after = make(slots, before->depth, before->reference_bits);
    move_into(*before, *after, hash_of);
    for (std::size_t i = 0; i < places; ++i) directory_[first + i] = after;
    drop(before);
  }
  template <class F>
  void split(std::uint32_t hash, F&& hash_of) {
    if (directory_[place_of(hash)]->depth == depth_) {
      std::vector<Segment*> wider;
      wider.reserve(directory_.size() * 2);
      for (Segment* segment : directory_) wider.insert(wider.end(), 2, segment);
      directory_.swap(wider);
      ++depth_;
    }
    auto [first, places] = places_of(hash);
    Segment* before = directory_[first];
    const std::uint32_t depth = before->depth + 1u;
    Segment* halves[2] = {make(before->slots_count, depth, before->reference_bits),
                          make(before->slots_count, depth, before->reference_bits)};
    for (std::uint32_t i = 0; i < before->slots_count; ++i) {
      if (before->slots()[i] == 0) continue;
      const Reference reference = before->reference_in(i);
      const std::uint32_t its_hash = hash_of(reference);
      Segment& half = *halves[its_hash >> (32 - depth) & 1];
      half.enter(its_hash, reference);
      ++half.count;
    }
    moved_ += before->count;
    for (std::size_t i = 0; i < places; ++i) directory_[first + i] = halves[i >= places / 2 ? 1 : 0];
    drop(before);
  }

  template <class F>
  void shrink(std::uint32_t hash, F&& hash_of) {
    Segment* segment = directory_[place_of(hash)];
    if (segment->slots_count > segment_slots_max || segment->depth == 0) {
      if (segment->slots_count > segment_slots_min) resize(hash, segment->slots_count / 2, hash_of);
      return;
    }
    const std::uint32_t buddy_hash = hash ^ (std::uint32_t{1} << (32 - segment->depth));
    Segment* buddy = directory_[place_of(buddy_hash)];
    if (buddy->depth != segment->depth || buddy->slots_count != segment_slots_max ||
        segment->slots_count != segment_slots_max || segment->count + buddy->count > segment_slots_max / 4)
      return;
    const std::size_t first = std::min(places_of(hash).first, places_of(buddy_hash).first);
    const std::size_t places = places_of(hash).second * 2;
    Segment* joined = make(segment_slots_max, segment->depth - 1u,
                           std::max(segment->reference_bits, buddy->reference_bits));
    move_into(*segment, *joined, hash_of);
    move_into(*buddy, *joined, hash_of);
    for (std::size_t i = 0; i < places; ++i) directory_[first + i] = joined;
    drop(segment);
    drop(buddy);
    halve_directory();
  }
  /// Halves the directory while it is too large for the number of entries and no segment needs all of it.
  void halve_directory() {
    while (depth_ != 0 && directory_.size() * 32 > count_) {
      for (std::size_t i = 0; i < directory_.size(); i += 2)
        if (directory_[i] != directory_[i + 1]) return;
      std::vector<Segment*> narrower;
      narrower.reserve(directory_.size() / 2);
      for (std::size_t i = 0; i < directory_.size(); i += 2) narrower.push_back(directory_[i]);
      directory_.swap(narrower);
      --depth_;
    }
  }

  std::vector<Segment*> directory_;
  std::uint32_t depth_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t slots_ = 0;
  std::uint64_t moved_ = 0;
};

}  // namespace tandem::server
