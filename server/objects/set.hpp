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

  Result<void> on(Ops::Create, CallContext&, std::optional<ItemsView> items);
  Result<bool> on(Ops::Insert, CallContext&, ValueView item);
  Result<bool> on(Ops::Erase, CallContext&, ValueView item);
  Result<void> on(Ops::Remove, CallContext&, ValueView item);
  Result<Value> on(Ops::Pop, CallContext&);
  Result<bool> on(Ops::Contains, CallContext&, ValueView item);
  Result<std::int64_t> on(Ops::Size, CallContext&);
  Result<void> on(Ops::Clear, CallContext&);
  Result<void> on(Ops::Update, CallContext&, ItemsView items);
  Result<void> on(Ops::IntersectionUpdate, CallContext&, ItemsView items);
  Result<void> on(Ops::DifferenceUpdate, CallContext&, ItemsView items);
  Result<void> on(Ops::SymmetricDifferenceUpdate, CallContext&, ItemsView items);
  Result<Written> on(Ops::Union, CallContext&, ItemsView items);
  Result<Written> on(Ops::Intersection, CallContext&, ItemsView items);
  Result<Written> on(Ops::Difference, CallContext&, ItemsView items);
  Result<Written> on(Ops::SymmetricDifference, CallContext&, ItemsView items);
  Result<bool> on(Ops::IsSubset, CallContext&, ItemsView items);
  Result<bool> on(Ops::IsSuperset, CallContext&, ItemsView items);
  Result<bool> on(Ops::IsDisjoint, CallContext&, ItemsView items);
  Result<Written> on(Ops::Snapshot, CallContext&);
  Result<Written> on(Ops::Page, CallContext&, std::int64_t cursor, std::int64_t limit);

  std::uint64_t size() const override { return table_.size(); }
  std::uint64_t memory_bytes() const override { return table_.memory_bytes(); }
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const override {
    return table_.cursor_at(offset);
  }
  bool append_items(wire::Writer& out, std::uint64_t& count) const override;

 private:
  using Table = OrderedTable<NoMapped>;

  void insert(CallContext& context, ValueView item, std::uint32_t hash);

  Table table_;
};

}  // namespace tandem::server
