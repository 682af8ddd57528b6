#pragma once
// A hash table from ids to small values: open addressing, linear probing, no allocation per entry. 0 is not a
// valid id: it is never found, and nothing may be stored under it. A large table is divided into 256 parts
// that grow separately, so that growing moves only about a 256th of it.

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "server/values/result.hpp"

namespace tandem::server {

template <class T>
class IdTable {
 public:
  [[gnu::always_inline]] T* find(std::uint64_t id) {
    if (!parts_.empty()) [[unlikely]]
      return find_in_part(id);
    std::size_t i = position(id);
    return i == nowhere ? nullptr : &slots_[i].value;
  }
  const T* find(std::uint64_t id) const { return const_cast<IdTable*>(this)->find(id); }

  /// The value of `id`, default-constructed if there is none.
  T& operator[](std::uint64_t id) {
    TANDEM_ASSERT(id != 0);
    if (T* found = find(id)) return *found;
    if (parts_.empty() && (count_ + 1) * 4 > slots_.size() * 3) {
      if (slots_.size() >= slots_together_max && !is_part_) divide();
      else resize(slots_.empty() ? 8 : slots_.size() * 2);
    }
    if (!parts_.empty()) [[unlikely]] {
      ++count_;
      return part_of(id)[id];
    }
    ++count_;
    std::size_t i = home(id);
    while (slots_[i].id != 0) i = (i + 1) & mask();
    slots_[i].id = id;
    return slots_[i].value;
  }

  /// Returns whether there was one. Invalidates the pointers that find() returned.
  bool erase(std::uint64_t id) {
    if (!parts_.empty()) [[unlikely]]
      return erase_in_part(id);
    std::size_t hole = position(id);
    if (hole == nowhere) return false;
    --count_;
    // Close the gap: move back the slots that were displaced past it, so that no search stops too early.
    for (std::size_t i = (hole + 1) & mask(); slots_[i].id != 0; i = (i + 1) & mask()) {
      if (((i - home(slots_[i].id)) & mask()) < ((i - hole) & mask())) continue;
      slots_[hole] = std::move(slots_[i]);
      hole = i;
    }
    slots_[hole] = Slot{};
    if (slots_.size() > slots_kept_max && count_ * 8 < slots_.size()) resize(slots_.size() / 2);
    return true;
  }

  std::size_t size() const { return count_; }
  template <class F>
  void each(F&& f) const {
    for (const Slot& slot : slots_)
      if (slot.id != 0) f(slot.id, slot.value);
    for (const IdTable& part : parts_) part.each(f);
  }
  /// Number of slots, used or not.
  std::size_t slots() const {
    std::size_t all = slots_.size();
    for (const IdTable& part : parts_) all += part.slots_.size();
    return all;
  }
  /// The largest number of slots that growing or shrinking rehashes in one call.
  std::size_t largest_part() const {
    std::size_t largest = slots_.size();  // 0 if divided
    for (const IdTable& part : parts_) largest = std::max(largest, part.slots_.size());
    return largest;
  }

 private:
  struct Slot {
    std::uint64_t id = 0;
    T value{};
  };
  static constexpr std::size_t nowhere = ~std::size_t{0};
  static constexpr std::size_t slots_kept_max = 64;  // a table of at most this size is not shrunk
  static constexpr std::size_t slots_together_max = 8'192;
  static constexpr std::size_t count_divided_min = 1'024;
  static constexpr int part_bits = 8;

  [[gnu::always_inline]] std::size_t position(std::uint64_t id) const {
    if (slots_.empty() || id == 0) return nowhere;
    for (std::size_t i = home(id);; i = (i + 1) & mask()) {
      if (slots_[i].id == id) return i;
      if (slots_[i].id == 0) return nowhere;
    }
  }
  std::size_t mask() const { return slots_.size() - 1; }
  std::size_t home(std::uint64_t id) const {
    return static_cast<std::size_t>((id * 0x9e3779b97f4a7c15) >> 20) & mask();
  }
  void resize(std::size_t slots) {
    std::vector<Slot> old(slots);
    old.swap(slots_);
    for (Slot& slot : old) {
      if (slot.id == 0) continue;
      std::size_t i = home(slot.id);
      while (slots_[i].id != 0) i = (i + 1) & mask();
      slots_[i] = std::move(slot);
    }
  }

  [[gnu::noinline]] T* find_in_part(std::uint64_t id) {
    IdTable& part = part_of(id);
    const std::size_t i = part.position(id);
    return i == nowhere ? nullptr : &part.slots_[i].value;
  }
  IdTable& part_of(std::uint64_t id) { return parts_[(id * 0x9e3779b97f4a7c15) >> (64 - part_bits)]; }
  void divide() {
    parts_.resize(std::size_t{1} << part_bits);
    for (IdTable& part : parts_) part.is_part_ = true;
    for (Slot& slot : slots_)
      if (slot.id != 0) part_of(slot.id)[slot.id] = std::move(slot.value);
    std::vector<Slot>().swap(slots_);
  }
  bool erase_in_part(std::uint64_t id) {
    if (!part_of(id).erase(id)) return false;
    if (--count_ >= count_divided_min) return true;
    std::vector<IdTable> parts;
    parts.swap(parts_);
    count_ = 0;
    for (IdTable& part : parts)
      for (Slot& slot : part.slots_)
        if (slot.id != 0) (*this)[slot.id] = std::move(slot.value);
    return true;
  }

  std::vector<Slot> slots_;
  std::vector<IdTable> parts_;  // used instead of slots_ if not empty
  bool is_part_ = false;
  std::size_t count_ = 0;
};

}  // namespace tandem::server
