#pragma once
// The hosted dict.

#include "server/engine/dispatch.hpp"
#include "server/structures/ordered_table.hpp"
#include "tandem/ops/dict.hpp"

namespace tandem::server {

class Dict final : public Object {
 public:
  using Ops = ops::Dict;
  static constexpr bool can_undo = true;

  Result<void> on(Ops::Create, Turn&, std::optional<EntriesView> entries);
  Result<ValueView> on(Ops::At, Turn&, ValueView key);
  Result<std::optional<ValueView>> on(Ops::Find, Turn&, ValueView key);
  Result<bool> on(Ops::Set, Turn&, ValueView key, ValueView value);
  Result<bool> on(Ops::Insert, Turn&, ValueView key, ValueView value);
  Result<ValueView> on(Ops::GetOrInsert, Turn&, ValueView key, ValueView value);
  Result<ValueView> on(Ops::Add, Turn&, ValueView key, ValueView delta, std::optional<ValueView> initial);
  Result<Written> on(Ops::CompareExchange, Turn&, ValueView key, std::optional<ValueView> expected,
                     std::optional<ValueView> desired);
  Result<bool> on(Ops::Erase, Turn&, ValueView key);
  Result<Value> on(Ops::Pop, Turn&, ValueView key);
  Result<std::optional<Value>> on(Ops::PopIfThere, Turn&, ValueView key);
  Result<Written> on(Ops::PopItem, Turn&, std::optional<bool> last);
  Result<bool> on(Ops::Contains, Turn&, ValueView key);
  Result<std::int64_t> on(Ops::Size, Turn&);
  Result<void> on(Ops::Clear, Turn&);
  Result<void> on(Ops::Update, Turn&, EntriesView entries);
  Result<void> on(Ops::Assign, Turn&, EntriesView entries);
  Result<Written> on(Ops::Keys, Turn&);
  Result<Written> on(Ops::Values, Turn&);
  Result<Written> on(Ops::Snapshot, Turn&);
  Result<Written> on(Ops::Page, Turn&, std::int64_t cursor, std::int64_t limit);

  const Type& type() const override { return type_of<Dict>(); }
  std::uint64_t size() const override { return table_.size(); }
  std::uint64_t memory_bytes() const override { return table_.memory_bytes(); }
  void save(wire::Writer& out) const override;
  std::optional<std::uint64_t> show(std::uint64_t cursor, const LookAt& look) const override;
  std::optional<std::uint64_t> cursor_at(std::uint64_t offset) const override {
    return table_.cursor_at(offset);
  }
  bool keyed() const override { return true; }
  bool append_items(wire::Writer& out, std::uint64_t& count) const override;
  bool append_entries(wire::Writer& out, std::uint64_t& count) const override;

 private:
  using Table = OrderedTable<Value>;

  Result<Table::Entry*> entry_at(Turn& turn, ValueView key);
  void set(Turn& turn, ValueView key, std::uint32_t hash, ValueView value, Undo* undo);
  Value pop(Turn& turn, Table::Entry& entry);

  Table table_;
};

}  // namespace tandem::server
