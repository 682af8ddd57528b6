#include "server/objects/dict.hpp"

#include "server/objects/paging.hpp"

namespace tandem::server {
namespace {

Failure no_key(ValueView key) {
  return {Code::key_error, "no key " + describe(key)};
}

/// Every key must be hashable before the first entry is changed: an operation is done whole or not at all.
Result<void> check_keys(Turn& turn, EntriesView entries) {
  ValueView key, value;
  while (entries.next(key, value))
    if (Result<std::uint32_t> hash = turn.hash(key); !hash) return std::move(hash.failure());
  return {};
}

}  // namespace

Result<Dict::Table::Entry*> Dict::entry_at(Turn& turn, ValueView key) {
  Result<std::uint32_t> hash = turn.hash(key);
  if (!hash) return std::move(hash.failure());
  return table_.find(key, *hash);
}

void Dict::set(Turn& turn, ValueView key, std::uint32_t hash, ValueView value, Undo* undo) {
  if (Table::Entry* entry = table_.find(key, hash)) table_.replace(*entry, turn.keep(value), undo);
  else table_.insert(turn.keep(key), hash, turn.keep(value), undo);
}

Value Dict::pop(Turn& turn, Table::Entry& entry) {
  if (turn.undo() == nullptr) return table_.erase(entry).second;
  Value popped = turn.keep(entry.mapped);
  table_.erase(entry, turn.undo());
  return popped;
}

Result<void> Dict::on(Ops::Create, Turn& turn, std::optional<EntriesView> entries) {
  table_.bury_in(turn.registry().graveyard());
  if (!entries) return {};
  return on(Ops::Update{}, turn, *entries);
}

Result<ValueView> Dict::on(Ops::At, Turn& turn, ValueView key) {
  Result<Table::Entry*> entry = entry_at(turn, key);
  if (!entry) return std::move(entry.failure());
  if (*entry == nullptr) return no_key(key);
  return (*entry)->mapped.view();
}

Result<std::optional<ValueView>> Dict::on(Ops::Find, Turn& turn, ValueView key) {
  Result<Table::Entry*> entry = entry_at(turn, key);
  if (!entry) return std::move(entry.failure());
  if (*entry == nullptr) return std::optional<ValueView>();
  return std::optional((*entry)->mapped.view());
}

Result<bool> Dict::on(Ops::Set, Turn& turn, ValueView key, ValueView value) {
  Result<std::uint32_t> hash = turn.hash(key);
  if (!hash) return std::move(hash.failure());
  std::uint64_t before = table_.size();
  set(turn, key, *hash, value, turn.undo());
  return table_.size() != before;
}

Result<bool> Dict::on(Ops::Insert, Turn& turn, ValueView key, ValueView value) {
  Result<std::uint32_t> hash = turn.hash(key);
  if (!hash) return std::move(hash.failure());
  if (table_.find(key, *hash) != nullptr) return turn.unchanged(), false;
  table_.insert(turn.keep(key), *hash, turn.keep(value), turn.undo());
  return true;
}

Result<ValueView> Dict::on(Ops::GetOrInsert, Turn& turn, ValueView key, ValueView value) {
  Result<std::uint32_t> hash = turn.hash(key);
  if (!hash) return std::move(hash.failure());
  Table::Entry* entry = table_.find(key, *hash);
  if (entry == nullptr) entry = &table_.insert(turn.keep(key), *hash, turn.keep(value), turn.undo());
  else turn.unchanged();
  return entry->mapped.view();
}

Result<ValueView> Dict::on(Ops::Add, Turn& turn, ValueView key, ValueView delta,
                           std::optional<ValueView> initial) {
  Result<std::uint32_t> hash = turn.hash(key);
  if (!hash) return std::move(hash.failure());
  Table::Entry* entry = table_.find(key, *hash);
  std::optional<ValueView> before = entry != nullptr ? std::optional(entry->mapped.view()) : initial;
  wire::Buffer buffer;
  ValueView after = delta;
  if (before) {
    if (Result<void> sum = turn.add(*before, delta, buffer); !sum) return std::move(sum.failure());
    after = {buffer.view(), before->references || delta.references};
  }
  if (entry != nullptr) table_.replace(*entry, turn.keep(after), turn.undo());
  else entry = &table_.insert(turn.keep(key), *hash, turn.keep(after), turn.undo());
  return entry->mapped.view();
}

Result<Written> Dict::on(Ops::CompareExchange, Turn& turn, ValueView key, std::optional<ValueView> expected,
                         std::optional<ValueView> desired) {
  Result<std::uint32_t> hash = turn.hash(key);
  if (!hash) return std::move(hash.failure());
  Table::Entry* entry = table_.find(key, *hash);
  bool same = entry == nullptr ? !expected : expected && are_equal(entry->mapped, *expected);
  turn.out().array(2);
  turn.out().boolean(same);
  turn.out().array(entry != nullptr ? 1 : 0);
  if (entry != nullptr) turn.write(entry->mapped);
  if (!same) return turn.unchanged(), Written{};
  if (desired) set(turn, key, *hash, *desired, turn.undo());
  else if (entry != nullptr) table_.erase(*entry, turn.undo());
  else turn.unchanged();
  return Written{};
}

Result<bool> Dict::on(Ops::Erase, Turn& turn, ValueView key) {
  Result<Table::Entry*> entry = entry_at(turn, key);
  if (!entry) return std::move(entry.failure());
  if (*entry == nullptr) return turn.unchanged(), false;
  table_.erase(**entry, turn.undo());
  return true;
}

Result<Value> Dict::on(Ops::Pop, Turn& turn, ValueView key) {
  Result<Table::Entry*> entry = entry_at(turn, key);
  if (!entry) return std::move(entry.failure());
  if (*entry == nullptr) return no_key(key);
  if (Result<void> fits = turn.reply_fits((*entry)->mapped.encoded_bytes()); !fits)
    return std::move(fits.failure());
  return pop(turn, **entry);
}

Result<std::optional<Value>> Dict::on(Ops::PopIfThere, Turn& turn, ValueView key) {
  Result<Table::Entry*> entry = entry_at(turn, key);
  if (!entry) return std::move(entry.failure());
  if (*entry == nullptr) return turn.unchanged(), std::optional<Value>();
  if (Result<void> fits = turn.reply_fits(1 + (*entry)->mapped.encoded_bytes()); !fits)
    return std::move(fits.failure());
  return std::optional<Value>(pop(turn, **entry));
}

Result<Written> Dict::on(Ops::PopItem, Turn& turn, std::optional<bool> last) {
  Table::Entry* entry = last.value_or(true) ? table_.back() : table_.front();
  if (entry == nullptr) return Failure{Code::key_error, "popitem: the dict is empty"};
  if (Result<void> fits = turn.reply_fits(1 + entry->key.encoded_bytes() + entry->mapped.encoded_bytes());
      !fits)
    return std::move(fits.failure());
  turn.out().array(2);
  turn.write(entry->key);
  turn.write(entry->mapped);
  table_.erase(*entry, turn.undo());
  return Written{};
}

Result<bool> Dict::on(Ops::Contains, Turn& turn, ValueView key) {
  Result<Table::Entry*> entry = entry_at(turn, key);
  if (!entry) return std::move(entry.failure());
  return *entry != nullptr;
}

Result<std::int64_t> Dict::on(Ops::Size, Turn&) {
  return static_cast<std::int64_t>(table_.size());
}

Result<void> Dict::on(Ops::Clear, Turn& turn) {
  if (table_.empty()) turn.unchanged();
  table_.clear(turn.undo());
  return {};
}

Result<void> Dict::on(Ops::Update, Turn& turn, EntriesView entries) {
  if (Result<void> room = turn.room_for(entries.bytes() + entries.count() * Table::entry_bytes); !room)
    return room;
  if (Result<void> good = check_keys(turn, entries); !good) return good;
  if (entries.count() == 0) turn.unchanged();
  ValueView key, value;
  while (entries.next(key, value)) set(turn, key, *turn.hash(key), value, turn.undo());
  return {};
}

Result<void> Dict::on(Ops::Assign, Turn& turn, EntriesView entries) {
  if (Result<void> good = check_keys(turn, entries); !good) return good;
  if (Result<void> room = turn.room_for(entries.bytes() + entries.count() * Table::entry_bytes); !room)
    return room;
  Table before = table_.take_all();  // kept until the end: the entries may refer to what only it holds
  ValueView key, value;
  while (entries.next(key, value)) set(turn, key, *turn.hash(key), value, nullptr);
  if (before.empty() && table_.empty()) turn.unchanged();
  table_.keep(std::move(before), turn.undo());
  return {};
}

Result<Written> Dict::on(Ops::Keys, Turn& turn) {
  turn.out().array(table_.size());
  table_.each([&](const Table::Entry& entry) { turn.write(entry.key); });
  return Written{};
}

Result<Written> Dict::on(Ops::Values, Turn& turn) {
  turn.out().array(table_.size());
  table_.each([&](const Table::Entry& entry) { turn.write(entry.mapped); });
  return Written{};
}

Result<Written> Dict::on(Ops::Snapshot, Turn& turn) {
  turn.out().map(table_.size());
  table_.each([&](const Table::Entry& entry) {
    turn.write(entry.key);
    turn.write(entry.mapped);
  });
  return Written{};
}

Result<Written> Dict::on(Ops::Page, Turn& turn, std::int64_t cursor, std::int64_t limit) {
  return write_page(
      turn, table_, cursor, limit, [&](std::uint64_t count) { turn.out().map(count); },
      [&](const Table::Entry& entry) {
        turn.write(entry.key);
        turn.write(entry.mapped);
      });
}

void Dict::save(wire::Writer& out) const {
  out.map(table_.size());
  std::uint64_t count = 0;
  append_entries(out, count);
}

std::optional<std::uint64_t> Dict::show(std::uint64_t cursor, const LookAt& look) const {
  return table_.page(cursor, table_.size(), [&](const Table::Entry& e) { return look(e.key, e.mapped); });
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
