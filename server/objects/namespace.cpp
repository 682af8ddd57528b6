#include "server/objects/namespace.hpp"

namespace tandem::server {
namespace {

/// A name as a key of the table.
class Name {
 public:
  Name(const Turn& turn, std::string_view name) {
    wire::Writer(bytes_).text(name);
    hash_ = *turn.hash(view());  // texts always have one
  }
  ValueView view() const { return {bytes_.view(), false}; }
  std::uint32_t hash() const { return hash_; }

 private:
  wire::Buffer bytes_;
  std::uint32_t hash_ = 0;
};

}  // namespace

Result<void> Namespace::on(Ops::Create, Turn& turn, std::optional<EntriesView> entries) {
  table_.bury_in(turn.registry().graveyard());
  if (!entries) return {};
  ValueView name, value;
  for (EntriesView at = *entries; at.next(name, value);)
    if (name.kind() != wire::Kind::text)
      return Failure{Code::type_error, "a namespace's names are text, not '" + type_name(name) + "'"};
  if (Result<void> room = turn.room_for(entries->bytes() + entries->count() * Table::entry_bytes); !room)
    return room;
  while (entries->next(name, value)) {
    std::string_view text;
    (void)name.reader().text(text);
    if (Result<void> set = on(Ops::Set{}, turn, text, value); !set) return set;
  }
  return {};
}

Result<void> Namespace::on(Ops::Set, Turn& turn, std::string_view name, ValueView value) {
  Name key(turn, name);
  if (Table::Entry* entry = table_.find(key.view(), key.hash()))
    table_.replace(*entry, turn.keep(value), turn.undo());
  else table_.insert(turn.keep(key.view()), key.hash(), turn.keep(value), turn.undo());
  return {};
}

Result<ValueView> Namespace::on(Ops::Get, Turn& turn, std::string_view name) {
  Name key(turn, name);
  const Table::Entry* entry = table_.find(key.view(), key.hash());
  if (entry == nullptr) return Failure{Code::key_error, "the namespace has no " + describe(key.view())};
  return entry->mapped.view();
}

Result<ValueView> Namespace::on(Ops::Add, Turn& turn, std::string_view name, ValueView delta) {
  Name key(turn, name);
  Table::Entry* entry = table_.find(key.view(), key.hash());
  if (entry == nullptr)
    return table_.insert(turn.keep(key.view()), key.hash(), turn.keep(delta), turn.undo()).mapped.view();
  wire::Buffer sum;
  ValueView before = entry->mapped;
  if (Result<void> added = turn.add(before, delta, sum); !added) return std::move(added.failure());
  table_.replace(*entry, turn.keep({sum.view(), before.references || delta.references}), turn.undo());
  return entry->mapped.view();
}

Result<bool> Namespace::on(Ops::Contains, Turn& turn, std::string_view name) {
  Name key(turn, name);
  return table_.find(key.view(), key.hash()) != nullptr;
}

Result<bool> Namespace::on(Ops::Erase, Turn& turn, std::string_view name) {
  Name key(turn, name);
  Table::Entry* entry = table_.find(key.view(), key.hash());
  if (entry == nullptr) return turn.unchanged(), false;
  table_.erase(*entry, turn.undo());
  return true;
}

Result<Written> Namespace::on(Ops::Snapshot, Turn& turn) {
  turn.out().map(table_.size());
  table_.each([&](const Table::Entry& entry) {
    turn.write(entry.key);
    turn.write(entry.mapped);
  });
  return Written{};
}

Result<std::int64_t> Namespace::on(Ops::Size, Turn&) {
  return static_cast<std::int64_t>(table_.size());
}

void Namespace::save(wire::Writer& out) const {
  out.map(table_.size());
  std::uint64_t count = 0;
  append_entries(out, count);
}

std::optional<std::uint64_t> Namespace::show(std::uint64_t cursor, const LookAt& look) const {
  return table_.page(cursor, table_.size(), [&](const Table::Entry& e) { return look(e.key, e.mapped); });
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
