#include "server/objects/dict.hpp"

#include "server/objects/paging.hpp"
#include "server/objects/sum.hpp"
#include "server/objects/table_state.hpp"

namespace tandem::server {
namespace {

Failure no_key(ValueView key) {
  return {Code::key_error, "no key " + describe(key)};
}

/// Checks that every key is hashable before the first entry is changed: an operation is done completely or
/// not at all.
Result<void> check_keys(CallContext& context, EntriesView entries) {
  ValueView key, value;
  while (entries.next(key, value))
    if (Result<std::uint32_t> hash = context.hash(key); !hash) return std::move(hash.failure());
  return {};
}

}  // namespace

Result<Dict::Table::Entry*> Dict::entry_at(CallContext& context, ValueView key) {
  Result<std::uint32_t> hash = context.hash(key);
  if (!hash) return std::move(hash.failure());
  return table_.find(key, *hash);
}

void Dict::set(CallContext& context, ValueView key, std::uint32_t hash, ValueView value, Undo* undo) {
  if (Table::Entry* entry = table_.find(key, hash)) table_.replace(*entry, context.keep(value), undo);
  else table_.insert(context.keep(key), hash, context.keep(value), undo);
}

Value Dict::pop(CallContext& context, Table::Entry& entry) {
  if (context.undo() == nullptr) return table_.erase(entry).second;
  Value popped = context.keep(entry.mapped);
  table_.erase(entry, context.undo());
  return popped;
}

Result<void> Dict::on(Ops::Create, CallContext& context, std::optional<EntriesView> entries) {
  table_.defer_to(context.registry().reclaim_queue());
  if (!entries) return {};
  return on(Ops::Update{}, context, *entries);
}

Result<ValueView> Dict::on(Ops::At, CallContext& context, ValueView key) {
  Result<Table::Entry*> entry = entry_at(context, key);
  if (!entry) return std::move(entry.failure());
  if (*entry == nullptr) return no_key(key);
  return (*entry)->mapped.view();
}

Result<std::optional<ValueView>> Dict::on(Ops::Find, CallContext& context, ValueView key) {
  Result<Table::Entry*> entry = entry_at(context, key);
  if (!entry) return std::move(entry.failure());
  if (*entry == nullptr) return std::optional<ValueView>();
  return std::optional((*entry)->mapped.view());
}

Result<bool> Dict::on(Ops::Set, CallContext& context, ValueView key, ValueView value) {
  Result<std::uint32_t> hash = context.hash(key);
  if (!hash) return std::move(hash.failure());
  std::uint64_t before = table_.size();
  set(context, key, *hash, value, context.undo());
  return table_.size() != before;
}

Result<bool> Dict::on(Ops::Insert, CallContext& context, ValueView key, ValueView value) {
  Result<std::uint32_t> hash = context.hash(key);
  if (!hash) return std::move(hash.failure());
  if (table_.find(key, *hash) != nullptr) return context.unchanged(), false;
  table_.insert(context.keep(key), *hash, context.keep(value), context.undo());
  return true;
}

Result<ValueView> Dict::on(Ops::GetOrInsert, CallContext& context, ValueView key, ValueView value) {
  Result<std::uint32_t> hash = context.hash(key);
  if (!hash) return std::move(hash.failure());
  Table::Entry* entry = table_.find(key, *hash);
  if (entry == nullptr) entry = &table_.insert(context.keep(key), *hash, context.keep(value), context.undo());
  else context.unchanged();
  return entry->mapped.view();
}

Result<ValueView> Dict::on(Ops::Add, CallContext& context, ValueView key, ValueView delta,
                           std::optional<ValueView> initial, std::optional<std::string_view> typecode) {
  Result<std::uint32_t> hash = context.hash(key);
  if (!hash) return std::move(hash.failure());
  Table::Entry* entry = table_.find(key, *hash);
  std::optional<ValueView> before = entry != nullptr ? std::optional(entry->mapped.view()) : initial;
  wire::Buffer& buffer = context.scratch();
  Result<ValueView> after = sum_of(context, before, delta, typecode, buffer);
  if (!after) return failure_at(key, std::move(after.failure()));
  if (entry != nullptr) table_.replace(*entry, context.keep(*after), context.undo());
  else entry = &table_.insert(context.keep(key), *hash, context.keep(*after), context.undo());
  return entry->mapped.view();
}

Result<Written> Dict::on(Ops::CompareExchange, CallContext& context, ValueView key,
                         std::optional<ValueView> expected, std::optional<ValueView> desired) {
  Result<std::uint32_t> hash = context.hash(key);
  if (!hash) return std::move(hash.failure());
  Table::Entry* entry = table_.find(key, *hash);
  bool same = entry == nullptr ? !expected : expected && are_equal(entry->mapped, *expected);
  context.out().array(2);
  context.out().boolean(same);
  context.out().array(entry != nullptr ? 1 : 0);
  if (entry != nullptr) context.write(entry->mapped);
  if (!same) return context.unchanged(), Written{};
  if (desired) set(context, key, *hash, *desired, context.undo());
  else if (entry != nullptr) table_.erase(*entry, context.undo());
  else context.unchanged();
  return Written{};
}

Result<bool> Dict::on(Ops::Erase, CallContext& context, ValueView key) {
  Result<Table::Entry*> entry = entry_at(context, key);
  if (!entry) return std::move(entry.failure());
  if (*entry == nullptr) return context.unchanged(), false;
  table_.erase(**entry, context.undo());
  return true;
}

Result<Value> Dict::on(Ops::Pop, CallContext& context, ValueView key) {
  Result<Table::Entry*> entry = entry_at(context, key);
  if (!entry) return std::move(entry.failure());
  if (*entry == nullptr) return no_key(key);
  if (Result<void> fits = context.reply_fits((*entry)->mapped.encoded_bytes()); !fits)
    return std::move(fits.failure());
  return pop(context, **entry);
}

Result<std::optional<Value>> Dict::on(Ops::PopIfThere, CallContext& context, ValueView key) {
  Result<Table::Entry*> entry = entry_at(context, key);
  if (!entry) return std::move(entry.failure());
  if (*entry == nullptr) return context.unchanged(), std::optional<Value>();
  if (Result<void> fits = context.reply_fits(1 + (*entry)->mapped.encoded_bytes()); !fits)
    return std::move(fits.failure());
  return std::optional<Value>(pop(context, **entry));
}

Result<Written> Dict::on(Ops::PopItem, CallContext& context, std::optional<bool> last) {
  Table::Entry* entry = last.value_or(true) ? table_.back() : table_.front();
  if (entry == nullptr) return Failure{Code::key_error, "popitem: the dict is empty"};
  if (Result<void> fits = context.reply_fits(1 + entry->key.encoded_bytes() + entry->mapped.encoded_bytes());
      !fits)
    return std::move(fits.failure());
  context.out().array(2);
  context.write(entry->key);
  context.write(entry->mapped);
  table_.erase(*entry, context.undo());
  return Written{};
}

Result<bool> Dict::on(Ops::Contains, CallContext& context, ValueView key) {
  Result<Table::Entry*> entry = entry_at(context, key);
  if (!entry) return std::move(entry.failure());
  return *entry != nullptr;
}

Result<std::int64_t> Dict::on(Ops::Size, CallContext&) {
  return static_cast<std::int64_t>(table_.size());
}

Result<void> Dict::on(Ops::Clear, CallContext& context) {
  if (table_.empty()) context.unchanged();
  table_.clear(context.undo());
  return {};
}

Result<void> Dict::on(Ops::Update, CallContext& context, EntriesView entries) {
  if (Result<void> room = context.room_for(entries.bytes() + entries.count() * Table::entry_bytes); !room)
    return room;
  if (Result<void> good = check_keys(context, entries); !good) return good;
  if (entries.count() == 0) context.unchanged();
  ValueView key, value;
  while (entries.next(key, value)) set(context, key, *context.hash(key), value, context.undo());
  return {};
}

Result<void> Dict::on(Ops::Assign, CallContext& context, EntriesView entries) {
  if (Result<void> good = check_keys(context, entries); !good) return good;
  if (Result<void> room = context.room_for(entries.bytes() + entries.count() * Table::entry_bytes); !room)
    return room;
  Table before = table_.take_all();  // kept until the end: `entries` may refer to objects that only it holds
  ValueView key, value;
  while (entries.next(key, value)) set(context, key, *context.hash(key), value, nullptr);
  if (before.empty() && table_.empty()) context.unchanged();
  table_.keep(std::move(before), context.undo());
  return {};
}

Result<Written> Dict::on(Ops::Keys, CallContext& context) {
  if (Result<void> look = context.look_at(table_.size()); !look) return std::move(look.failure());
  context.out().array(table_.size());
  table_.each([&](const Table::Entry& entry) { context.write(entry.key); });
  return Written{};
}

Result<Written> Dict::on(Ops::Values, CallContext& context) {
  if (Result<void> look = context.look_at(table_.size()); !look) return std::move(look.failure());
  context.out().array(table_.size());
  table_.each([&](const Table::Entry& entry) { context.write(entry.mapped); });
  return Written{};
}

Result<Written> Dict::on(Ops::Snapshot, CallContext& context) {
  if (Result<void> look = context.look_at(table_.size()); !look) return std::move(look.failure());
  context.out().map(table_.size());
  table_.each([&](const Table::Entry& entry) {
    context.write(entry.key);
    context.write(entry.mapped);
  });
  return Written{};
}

Result<Written> Dict::on(Ops::Page, CallContext& context, std::int64_t cursor, std::int64_t limit) {
  return write_page(
      context, table_, cursor, limit, [&](std::uint64_t count) { context.out().map(count); },
      [&](const Table::Entry& entry) {
        context.write(entry.key);
        context.write(entry.mapped);
      });
}

void Dict::save(StateWriter& out) const {
  save_table(out, table_, [&](const Value& mapped) { out.value(mapped); });
}

void Dict::load(StateReader& in) {
  load_table(in, table_, [&] { return in.value(); });
}

std::optional<std::uint64_t> Dict::visit_elements(std::uint64_t cursor, const ElementVisitor& visit) const {
  return table_.page(cursor, table_.size(), [&](const Table::Entry& e) { return visit(e.key, e.mapped); });
}

bool Dict::append_items(wire::Writer& out, std::uint64_t& count) const {
  table_.each([&](const Table::Entry& entry) { out.raw(entry.key.view().bytes); });
  count += table_.size();
  return true;
}

bool Dict::append_entries(wire::Writer& out, std::uint64_t& count) const {
  table_.each([&](const Table::Entry& entry) {
    out.raw(entry.key.view().bytes);
    out.raw(entry.mapped.view().bytes);
  });
  count += table_.size();
  return true;
}

}  // namespace tandem::server
