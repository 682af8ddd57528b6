#pragma once
// A hash table from ids to small things: open addressing, linear probing, no allocation per entry. 0 is nobody's id: it
// is never found, and nothing may be stored under it.

#include <cstdint>
#include <utility>
#include <vector>

#include "server/engine/result.hpp"

namespace tandem::server {

template <class T>
class IdTable {
 public:
  T* find(std::uint64_t id) {
    std::size_t i = position(id);
    return i == nowhere ? nullptr : &slots_[i].value;
  }
  const T* find(std::uint64_t id) const { return const_cast<IdTable*>(this)->find(id); }

  /// The value of `id`, made by default where there is none.
  T& operator[](std::uint64_t id) {
    TANDEM_ASSERT(id != 0);
    if (T* found = find(id)) return *found;
    if ((count_ + 1) * 4 > slots_.size() * 3) resize(slots_.empty() ? 8 : slots_.size() * 2);
    ++count_;
    std::size_t i = home(id);
    while (slots_[i].id != 0) i = (i + 1) & mask();
    slots_[i].id = id;
    return slots_[i].value;
  }

  /// What find() gave before is no longer good.
  bool erase(std::uint64_t id) {
    std::size_t hole = position(id);
    if (hole == nowhere) return false;
    --count_;
    // Close the gap: move back whoever was pushed past it, so that no search stops too early.
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
  }

 private:
  struct Slot {
    std::uint64_t id = 0;
    T value{};
  };
  static constexpr std::size_t nowhere = ~std::size_t{0};
  static constexpr std::size_t slots_kept_max = 64;  // a table that small keeps its memory

  std::size_t position(std::uint64_t id) const {
    if (slots_.empty() || id == 0) return nowhere;
    for (std::size_t i = home(id);; i = (i + 1) & mask()) {
      if (slots_[i].id == id) return i;
      if (slots_[i].id == 0) return nowhere;
    }
  }
  std::size_t mask() const { return slots_.size() - 1; }
  std::size_t home(std::uint64_t id) const { return static_cast<std::size_t>((id * 0x9e3779b97f4a7c15) >> 20) & mask(); }
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

  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

}  // namespace tandem::server
