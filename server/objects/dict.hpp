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

  Result<void> on(Ops::Create, CallContext&, std::optional<EntriesView> entries);
  Result<ValueView> on(Ops::At, CallContext&, ValueView key);
  Result<std::optional<ValueView>> on(Ops::Find, CallContext&, ValueView key);
  Result<bool> on(Ops::Set, CallContext&, ValueView key, ValueView value);
  Result<bool> on(Ops::Insert, CallContext&, ValueView key, ValueView value);
  Result<ValueView> on(Ops::GetOrInsert, CallContext&, ValueView key, ValueView value);
  Result<ValueView> on(Ops::Add, CallContext&, ValueView key, ValueView delta,
                       std::optional<ValueView> initial, std::optional<std::string_view> typecode);
  Result<Written> on(Ops::CompareExchange, CallContext&, ValueView key, std::optional<ValueView> expected,
                     std::optional<ValueView> desired);
  Result<bool> on(Ops::Erase, CallContext&, ValueView key);
  Result<Value> on(Ops::Pop, CallContext&, ValueView key);
  Result<std::optional<Value>> on(Ops::PopIfThere, CallContext&, ValueView key);
  Result<Written> on(Ops::PopItem, CallContext&, std::optional<bool> last);
  Result<bool> on(Ops::Contains, CallContext&, ValueView key);
  Result<std::int64_t> on(Ops::Size, CallContext&);
  Result<void> on(Ops::Clear, CallContext&);
  Result<void> on(Ops::Update, CallContext&, EntriesView entries);
  Result<void> on(Ops::Assign, CallContext&, EntriesView entries);
  Result<Written> on(Ops::Keys, CallContext&);
  Result<Written> on(Ops::Values, CallContext&);
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
  bool keyed() const override { return true; }
  bool append_items(wire::Writer& out, std::uint64_t& count) const override;
  bool append_entries(wire::Writer& out, std::uint64_t& count) const override;

 private:
  using Table = OrderedTable<Value>;

  Result<Table::Entry*> entry_at(CallContext& context, ValueView key);
  void set(CallContext& context, ValueView key, std::uint32_t hash, ValueView value, Undo* undo);
  Value pop(CallContext& context, Table::Entry& entry);

  Table table_;
};

}  // namespace tandem::server
