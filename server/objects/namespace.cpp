#include "server/objects/namespace.hpp"

#include "server/objects/sum.hpp"
#include "server/objects/table_state.hpp"

namespace tandem::server {
namespace {

/// A name as a key of the table.
class Name {
 public:
  Name(const CallContext& context, std::string_view name) {
    wire::Writer(bytes_).text(name);
    hash_ = *context.hash(view());  // texts are always hashable
  }
  ValueView view() const { return {bytes_.view(), false}; }
  std::uint32_t hash() const { return hash_; }

 private:
  wire::Buffer bytes_;
  std::uint32_t hash_ = 0;
};

}  // namespace

Result<void> Namespace::on(Ops::Create, CallContext& context, std::optional<EntriesView> entries) {
  table_.defer_to(context.registry().reclaim_queue());
  if (!entries) return {};
  ValueView name, value;
  for (EntriesView at = *entries; at.next(name, value);)
    if (name.kind() != wire::Kind::text)
      return Failure{Code::type_error, "a namespace's names are text, not '" + type_name(name) + "'"};
  if (Result<void> room = context.room_for(entries->bytes() + entries->count() * Table::entry_bytes); !room)
    return room;
  while (entries->next(name, value)) {
    std::string_view text;
    (void)name.reader().text(text);
    if (Result<void> set = on(Ops::Set{}, context, text, value); !set) return set;
  }
  return {};
}

Result<void> Namespace::on(Ops::Set, CallContext& context, std::string_view name, ValueView value) {
  Name key(context, name);
  if (Table::Entry* entry = table_.find(key.view(), key.hash()))
    table_.replace(*entry, context.keep(value), context.undo());
  else table_.insert(context.keep(key.view()), key.hash(), context.keep(value), context.undo());
  return {};
}

Result<ValueView> Namespace::on(Ops::Get, CallContext& context, std::string_view name) {
  Name key(context, name);
  const Table::Entry* entry = table_.find(key.view(), key.hash());
  if (entry == nullptr) return Failure{Code::key_error, "the namespace has no " + describe(key.view())};
  return entry->mapped.view();
}

Result<ValueView> Namespace::on(Ops::Add, CallContext& context, std::string_view name, ValueView delta) {
  Name key(context, name);
  Table::Entry* entry = table_.find(key.view(), key.hash());
  std::optional<ValueView> before;
  if (entry != nullptr) before = entry->mapped.view();
  wire::Buffer& buffer = context.scratch();
  Result<ValueView> after = sum_of(context, before, delta, std::nullopt, buffer);
  if (!after) return failure_at(key.view(), std::move(after.failure()));
  if (entry != nullptr) table_.replace(*entry, context.keep(*after), context.undo());
  else entry = &table_.insert(context.keep(key.view()), key.hash(), context.keep(*after), context.undo());
  return entry->mapped.view();
}

Result<bool> Namespace::on(Ops::Contains, CallContext& context, std::string_view name) {
  Name key(context, name);
  return table_.find(key.view(), key.hash()) != nullptr;
}

Result<bool> Namespace::on(Ops::Erase, CallContext& context, std::string_view name) {
  Name key(context, name);
  Table::Entry* entry = table_.find(key.view(), key.hash());
  if (entry == nullptr) return context.unchanged(), false;
  table_.erase(*entry, context.undo());
  return true;
}

Result<Written> Namespace::on(Ops::Snapshot, CallContext& context) {
  context.out().map(table_.size());
  table_.each([&](const Table::Entry& entry) {
    context.write(entry.key);
    context.write(entry.mapped);
  });
  return Written{};
}

Result<std::int64_t> Namespace::on(Ops::Size, CallContext&) {
  return static_cast<std::int64_t>(table_.size());
}

void Namespace::save(StateWriter& out) const {
  save_table(out, table_, [&](const Value& mapped) { out.value(mapped); });
}

void Namespace::load(StateReader& in) {
  load_table(in, table_, [&] { return in.value(); });
}

std::optional<std::uint64_t> Namespace::visit_elements(std::uint64_t cursor,
                                                       const ElementVisitor& visit) const {
  return table_.page(cursor, table_.size(), [&](const Table::Entry& e) { return visit(e.key, e.mapped); });
}

bool Namespace::append_entries(wire::Writer& out, std::uint64_t& count) const {
  table_.each([&](const Table::Entry& entry) {
    out.raw(entry.key.view().bytes);
    out.raw(entry.mapped.view().bytes);
  });
  count += table_.size();
  return true;
}

}  // namespace tandem::server
