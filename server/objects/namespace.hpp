#pragma once
// The hosted namespace: a dict whose keys are names.

#include "server/engine/dispatch.hpp"
#include "server/structures/ordered_table.hpp"
#include "tandem/ops/namespace.hpp"

namespace tandem::server {

class Namespace final : public Object {
 public:
  using Ops = ops::Namespace;
  static constexpr bool can_undo = true;

  Result<void> on(Ops::Create, CallContext&, std::optional<EntriesView> entries);
  Result<void> on(Ops::Set, CallContext&, std::string_view name, ValueView value);
  Result<ValueView> on(Ops::Get, CallContext&, std::string_view name);
  Result<ValueView> on(Ops::Add, CallContext&, std::string_view name, ValueView delta);
  Result<bool> on(Ops::Contains, CallContext&, std::string_view name);
  Result<bool> on(Ops::Erase, CallContext&, std::string_view name);
  Result<Written> on(Ops::Snapshot, CallContext&);
  Result<std::int64_t> on(Ops::Size, CallContext&);

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
  bool append_entries(wire::Writer& out, std::uint64_t& count) const override;

 private:
  using Table = OrderedTable<Value>;

  Table table_;
};

}  // namespace tandem::server
