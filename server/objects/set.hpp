#pragma once
// The hosted set.

#include "server/engine/dispatch.hpp"
#include "server/structures/ordered_table.hpp"
#include "tandem/ops/set.hpp"

namespace tandem::server {

class Set final : public Object {
 public:
  using Ops = ops::Set;
  static constexpr bool can_undo = true;

  Result<void> on(Ops::Create, Turn&, std::optional<ItemsView> items);
  Result<bool> on(Ops::Insert, Turn&, ValueView item);
  Result<bool> on(Ops::Erase, Turn&, ValueView item);
  Result<void> on(Ops::Remove, Turn&, ValueView item);
  Result<Value> on(Ops::Pop, Turn&);
  Result<bool> on(Ops::Contains, Turn&, ValueView item);
  Result<std::int64_t> on(Ops::Size, Turn&);
  Result<void> on(Ops::Clear, Turn&);
  Result<void> on(Ops::Update, Turn&, ItemsView items);
  Result<void> on(Ops::IntersectionUpdate, Turn&, ItemsView items);
  Result<void> on(Ops::DifferenceUpdate, Turn&, ItemsView items);
  Result<void> on(Ops::SymmetricDifferenceUpdate, Turn&, ItemsView items);
  Result<Written> on(Ops::Union, Turn&, ItemsView items);
  Result<Written> on(Ops::Intersection, Turn&, ItemsView items);
  Result<Written> on(Ops::Difference, Turn&, ItemsView items);
  Result<Written> on(Ops::SymmetricDifference, Turn&, ItemsView items);
  Result<bool> on(Ops::IsSubset, Turn&, ItemsView items);
  Result<bool> on(Ops::IsSuperset, Turn&, ItemsView items);
  Result<bool> on(Ops::IsDisjoint, Turn&, ItemsView items);
  Result<Written> on(Ops::Snapshot, Turn&);
  Result<Written> on(Ops::Page, Turn&, std::int64_t cursor, std::int64_t limit);

  const Type& type() const override { return type_of<Set>(); }
  std::uint64_t size() const override { return table_.size(); }
  std::uint64_t memory_bytes() const override { return table_.memory_bytes(); }
  void save(wire::Writer& out) const override;
  std::optional<std::uint64_t> show(std::uint64_t cursor, const LookAt& look) const override;
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const override {
    return table_.cursor_at(offset);
  }
  bool append_items(wire::Writer& out, std::uint64_t& count) const override;

 private:
  using Table = OrderedTable<NoMapped>;

  void insert(Turn& turn, ValueView item, std::uint32_t hash);

  Table table_;
};

}  // namespace tandem::server
