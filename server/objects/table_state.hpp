#pragma once
// Saving and loading the hash table of dicts, sets and namespaces: with its ordinals, so that cursors stay good.

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
  in.repeat([&] {
    const std::uint64_t step = in.number();
    Value key = in.value();
    const std::uint32_t hash = in.hash(key);
    Mapped mapped = load_mapped();
    if ((!table.empty() && step == 0) || step >= next_ordinal - ordinal)
      in.fail("the ordinals of a table do not increase");
    if (in.failed()) return;
    ordinal += step;
    table.append(ordinal, std::move(key), hash, std::move(mapped));
  });
  table.continue_from(next_ordinal);
}

}  // namespace tandem::server
