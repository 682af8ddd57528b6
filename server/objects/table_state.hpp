#pragma once
// Saving and loading the hash table of dicts, sets and namespaces: with its ordinals, so that cursors stay good.

#include <vector>

#include "server/engine/state.hpp"
#include "server/structures/ordered_table.hpp"

namespace tandem::server {

/// `save_mapped(const Mapped&)` writes what belongs to a key.
template <class Mapped, class F>
void save_table(StateWriter& out, const OrderedTable<Mapped>& table, F&& save_mapped) {
  out.number(table.next_ordinal());
  out.number(table.size());
  std::uint64_t before = 0;
  table.each_with_ordinal([&](std::uint64_t ordinal, const auto& entry) {
    out.number(ordinal - std::exchange(before, ordinal));
    out.value(entry.key);
    save_mapped(entry.mapped);
  });
}

/// `load_mapped()` reads it. Large contents are deferred to the registry's reclaim queue.
template <class Mapped, class F>
void load_table(StateReader& in, OrderedTable<Mapped>& table, F&& load_mapped) {
  table.defer_to(in.registry().reclaim_queue());
  const std::uint64_t next_ordinal = in.number();
  std::uint64_t ordinal = 0;
  struct Read {
    std::uint64_t ordinal;
    Value key;
    std::uint32_t hash;
    Mapped mapped;
  };
  // In a large index each place is a cache miss, so some entries are held back until theirs have been fetched.
  constexpr std::size_t held_back_max = 16;
  std::vector<Read> held_back;
  held_back.reserve(held_back_max);
  const auto append_held_back = [&] {
    for (Read& one : held_back)
      table.append(one.ordinal, std::move(one.key), one.hash, std::move(one.mapped));
    held_back.clear();
  };
  bool is_first = true;
  in.repeat([&] {
    const std::uint64_t step = in.number();
    Value key = in.value();
    const std::uint32_t hash = in.hash(key);
    Mapped mapped = load_mapped();
    if ((!is_first && step == 0) || step >= next_ordinal - ordinal)
      in.fail("the ordinals of a table do not increase");
    if (in.failed()) return;
    is_first = false;
    ordinal += step;
    table.prefetch(hash);
    held_back.push_back({ordinal, std::move(key), hash, std::move(mapped)});
    if (held_back.size() == held_back_max) append_held_back();
  });
  append_held_back();
  table.continue_from(next_ordinal);
}

}  // namespace tandem::server
