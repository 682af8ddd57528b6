#pragma once
// The hosted list.

#include "server/engine/dispatch.hpp"
#include "server/structures/sequence.hpp"
#include "tandem/ops/list.hpp"

namespace tandem::server {

class List final : public Object {
 public:
  using Ops = ops::List;
  static constexpr bool can_undo = true;
  using Index = std::optional<std::int64_t>;

  Result<void> on(Ops::Create, CallContext&, std::optional<ItemsView> items);
  Result<void> on(Ops::Append, CallContext&, ValueView item);
  Result<void> on(Ops::Extend, CallContext&, ItemsView items);
  Result<void> on(Ops::Insert, CallContext&, std::int64_t index, ValueView item);
  Result<ValueView> on(Ops::At, CallContext&, std::int64_t index);
  Result<void> on(Ops::Set, CallContext&, std::int64_t index, ValueView item);
  Result<ValueView> on(Ops::Add, CallContext&, std::int64_t index, ValueView delta,
                       std::optional<std::string_view> typecode);
  Result<void> on(Ops::Erase, CallContext&, std::int64_t index);
  Result<void> on(Ops::Remove, CallContext&, ValueView item);
  Result<Value> on(Ops::Pop, CallContext&, Index index);
  Result<Written> on(Ops::Slice, CallContext&, Index start, Index stop, Index step);
  Result<void> on(Ops::AssignSlice, CallContext&, ItemsView items, Index start, Index stop, Index step);
  Result<void> on(Ops::EraseSlice, CallContext&, Index start, Index stop, Index step);
  Result<std::int64_t> on(Ops::Index, CallContext&, ValueView item, Index start, Index stop);
  Result<std::int64_t> on(Ops::Count, CallContext&, ValueView item);
  Result<bool> on(Ops::Contains, CallContext&, ValueView item);
  Result<void> on(Ops::Reverse, CallContext&);
  Result<void> on(Ops::Sort, CallContext&, std::optional<bool> descending);
  Result<std::int64_t> on(Ops::Size, CallContext&);
  Result<void> on(Ops::Clear, CallContext&);
  Result<void> on(Ops::Repeat, CallContext&, std::int64_t times);
  Result<Written> on(Ops::Snapshot, CallContext&);
  Result<Written> on(Ops::Page, CallContext&, std::int64_t cursor, std::int64_t limit);

  std::uint64_t size() const override { return items_.size(); }
  std::uint64_t memory_bytes() const override { return items_.memory_bytes(); }
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const override { return offset; }
  bool append_items(wire::Writer& out, std::uint64_t& count) const override;

 private:
  Result<std::uint64_t> position(std::int64_t index) const;
  Result<std::optional<std::uint64_t>> find(CallContext& context, ValueView item, std::uint64_t from,
                                            std::uint64_t to) const;

  Sequence items_;
};

}  // namespace tandem::server
