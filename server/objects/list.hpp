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

  Result<void> on(Ops::Create, Turn&, std::optional<ItemsView> items);
  Result<void> on(Ops::Append, Turn&, ValueView item);
  Result<void> on(Ops::Extend, Turn&, ItemsView items);
  Result<void> on(Ops::Insert, Turn&, std::int64_t index, ValueView item);
  Result<ValueView> on(Ops::At, Turn&, std::int64_t index);
  Result<void> on(Ops::Set, Turn&, std::int64_t index, ValueView item);
  Result<ValueView> on(Ops::Add, Turn&, std::int64_t index, ValueView delta);
  Result<void> on(Ops::Erase, Turn&, std::int64_t index);
  Result<void> on(Ops::Remove, Turn&, ValueView item);
  Result<Value> on(Ops::Pop, Turn&, Index index);
  Result<Written> on(Ops::Slice, Turn&, Index start, Index stop, Index step);
  Result<void> on(Ops::AssignSlice, Turn&, ItemsView items, Index start, Index stop, Index step);
  Result<void> on(Ops::EraseSlice, Turn&, Index start, Index stop, Index step);
  Result<std::int64_t> on(Ops::Index, Turn&, ValueView item, Index start, Index stop);
  Result<std::int64_t> on(Ops::Count, Turn&, ValueView item);
  Result<bool> on(Ops::Contains, Turn&, ValueView item);
  Result<void> on(Ops::Reverse, Turn&);
  Result<void> on(Ops::Sort, Turn&, std::optional<bool> descending);
  Result<std::int64_t> on(Ops::Size, Turn&);
  Result<void> on(Ops::Clear, Turn&);
  Result<void> on(Ops::Repeat, Turn&, std::int64_t times);
  Result<Written> on(Ops::Snapshot, Turn&);
  Result<Written> on(Ops::Page, Turn&, std::int64_t cursor, std::int64_t limit);

  const Type& type() const override { return type_of<List>(); }
  std::uint64_t size() const override { return items_.size(); }
  std::uint64_t memory_bytes() const override { return items_.memory_bytes(); }
  void save(wire::Writer& out) const override;
  std::optional<std::uint64_t> show(std::uint64_t cursor, const LookAt& look) const override;
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const override { return offset; }
  bool append_items(wire::Writer& out, std::uint64_t& count) const override;

 private:
  Result<std::uint64_t> position(std::int64_t index) const;
  std::optional<std::uint64_t> find(ValueView item, std::uint64_t from, std::uint64_t to) const;

  Sequence items_;
};

}  // namespace tandem::server
