#include "server/objects/set.hpp"

#include "server/objects/paging.hpp"
#include "server/objects/table_state.hpp"

namespace tandem::server {
namespace {

/// The other operand of a set operation, without duplicates: a hash index over its bytes, which are not
/// copied.
class OtherSet {
 public:
  struct Element {
    ValueView value;
    std::uint32_t hash;
    bool first;  // no equal element before it
  };

  /// Fails if an element cannot be in a set.
  static Result<OtherSet> of(const CallContext& context, ItemsView items) {
    OtherSet other;
    other.elements_.reserve(items.count());
    other.slots_.assign(std::bit_ceil(items.count() * 2 + 1), 0);
    ValueView item;
    while (items.next(item)) {
      Result<std::uint32_t> hash = context.hash(item);
      if (!hash) return std::move(hash.failure());
      std::uint32_t& slot = other.slot_of(item, *hash);
      other.elements_.push_back({item, *hash, slot == 0});
      if (slot != 0) continue;
      slot = static_cast<std::uint32_t>(other.elements_.size());
      ++other.distinct_;
    }
    return other;
  }

  bool contains(ValueView value, std::uint32_t hash) { return slot_of(value, hash) != 0; }
  std::uint64_t size() const { return distinct_; }
  /// Calls `f(const Element&)` for each distinct element, in the operand's order.
  template <class F>
  void each(F&& f) const {
    for (const Element& element : elements_)
      if (element.first) f(element);
  }

 private:
  std::uint32_t& slot_of(ValueView value, std::uint32_t hash) {
    std::size_t mask = slots_.size() - 1;
    std::size_t slot = hash & mask;
    for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
      const Element& there = elements_[slots_[slot] - 1];
      if (there.hash == hash && are_equal(there.value, value)) break;
    }
    return slots_[slot];
  }

  std::vector<Element> elements_;
  std::vector<std::uint32_t> slots_;  // positions in elements_, plus one; 0: vacant
  std::uint64_t distinct_ = 0;
};

Written write_items(CallContext& context, const std::vector<ValueView>& items) {
  context.out().array(items.size());
  for (ValueView item : items) context.write(item);
  return {};
}

}  // namespace

void Set::insert(CallContext& context, ValueView item, std::uint32_t hash) {
  if (table_.find(item, hash) == nullptr) table_.insert(context.keep(item), hash, {}, context.undo());
}

Result<void> Set::on(Ops::Create, CallContext& context, std::optional<ItemsView> items) {
  table_.defer_to(context.registry().reclaim_queue());
  if (!items) return {};
  return on(Ops::Update{}, context, *items);
}

Result<bool> Set::on(Ops::Insert, CallContext& context, ValueView item) {
  Result<std::uint32_t> hash = context.hash(item);
  if (!hash) return std::move(hash.failure());
  std::uint64_t before = table_.size();
  insert(context, item, *hash);
  if (table_.size() == before) context.unchanged();
  return table_.size() != before;
}

Result<bool> Set::on(Ops::Erase, CallContext& context, ValueView item) {
  Result<std::uint32_t> hash = context.hash(item);
  if (!hash) return std::move(hash.failure());
  Table::Entry* entry = table_.find(item, *hash);
  if (entry == nullptr) return context.unchanged(), false;
  table_.erase(*entry, context.undo());
  return true;
}

Result<void> Set::on(Ops::Remove, CallContext& context, ValueView item) {
  Result<bool> erased = on(Ops::Erase{}, context, item);
  if (!erased) return std::move(erased.failure());
  if (!*erased) return Failure{Code::key_error, "no element " + describe(item)};
  return {};
}

Result<Value> Set::on(Ops::Pop, CallContext& context) {
  Table::Entry* entry = table_.front();
  if (entry == nullptr) return Failure{Code::key_error, "pop: the set is empty"};
  if (Result<void> fits = context.reply_fits(entry->key.encoded_bytes()); !fits)
    return std::move(fits.failure());
  if (context.undo() == nullptr) return table_.erase(*entry).first;
  Value popped = context.keep(entry->key);
  table_.erase(*entry, context.undo());
  return popped;
}

Result<bool> Set::on(Ops::Contains, CallContext& context, ValueView item) {
  Result<std::uint32_t> hash = context.hash(item);
  if (!hash) return std::move(hash.failure());
  return table_.find(item, *hash) != nullptr;
}

Result<std::int64_t> Set::on(Ops::Size, CallContext&) {
  return static_cast<std::int64_t>(table_.size());
}

Result<void> Set::on(Ops::Clear, CallContext& context) {
  if (table_.empty()) context.unchanged();
  table_.clear(context.undo());
  return {};
}

Result<void> Set::on(Ops::Update, CallContext& context, ItemsView items) {
  Result<OtherSet> other = OtherSet::of(context, items);
  if (!other) return std::move(other.failure());
  if (Result<void> room = context.room_for(items.bytes() + other->size() * Table::entry_bytes); !room)
    return room;
  const std::uint64_t before = table_.size();
  other->each([&](const OtherSet::Element& e) { insert(context, e.value, e.hash); });
  if (table_.size() == before) context.unchanged();
  return {};
}

Result<void> Set::on(Ops::IntersectionUpdate, CallContext& context, ItemsView items) {
  if (Result<void> work = context.work_on(table_.size()); !work) return work;
  Result<OtherSet> other = OtherSet::of(context, items);
  if (!other) return std::move(other.failure());
  const std::uint64_t before = table_.size();
  table_.erase_if([&](const Table::Entry& entry) { return !other->contains(entry.key, entry.hash); },
                  context.undo());
  if (table_.size() == before) context.unchanged();
  return {};
}

Result<void> Set::on(Ops::DifferenceUpdate, CallContext& context, ItemsView items) {
  Result<OtherSet> other = OtherSet::of(context, items);
  if (!other) return std::move(other.failure());
  const std::uint64_t before = table_.size();
  other->each([&](const OtherSet::Element& e) {
    if (Table::Entry* entry = table_.find(e.value, e.hash)) table_.erase(*entry, context.undo());
  });
  if (table_.size() == before) context.unchanged();
  return {};
}

Result<void> Set::on(Ops::SymmetricDifferenceUpdate, CallContext& context, ItemsView items) {
  Result<OtherSet> other = OtherSet::of(context, items);
  if (!other) return std::move(other.failure());
  if (Result<void> room = context.room_for(items.bytes() + other->size() * Table::entry_bytes); !room)
    return room;
  if (other->size() == 0) context.unchanged();
  other->each([&](const OtherSet::Element& e) {
    if (Table::Entry* entry = table_.find(e.value, e.hash)) table_.erase(*entry, context.undo());
    else table_.insert(context.keep(e.value), e.hash, {}, context.undo());
  });
  return {};
}

Result<Written> Set::on(Ops::Union, CallContext& context, ItemsView items) {
  if (Result<void> work = context.work_on(table_.size()); !work) return std::move(work.failure());
  Result<OtherSet> other = OtherSet::of(context, items);
  if (!other) return std::move(other.failure());
  std::vector<ValueView> found;
  table_.each([&](const Table::Entry& entry) { found.push_back(entry.key); });
  other->each([&](const OtherSet::Element& e) {
    if (table_.find(e.value, e.hash) == nullptr) found.push_back(e.value);
  });
  return write_items(context, found);
}

Result<Written> Set::on(Ops::Intersection, CallContext& context, ItemsView items) {
  if (Result<void> work = context.work_on(table_.size()); !work) return std::move(work.failure());
  Result<OtherSet> other = OtherSet::of(context, items);
  if (!other) return std::move(other.failure());
  std::vector<ValueView> found;
  table_.each([&](const Table::Entry& entry) {
    if (other->contains(entry.key, entry.hash)) found.push_back(entry.key);
  });
  return write_items(context, found);
}

Result<Written> Set::on(Ops::Difference, CallContext& context, ItemsView items) {
  if (Result<void> work = context.work_on(table_.size()); !work) return std::move(work.failure());
  Result<OtherSet> other = OtherSet::of(context, items);
  if (!other) return std::move(other.failure());
  std::vector<ValueView> found;
  table_.each([&](const Table::Entry& entry) {
    if (!other->contains(entry.key, entry.hash)) found.push_back(entry.key);
  });
  return write_items(context, found);
}

Result<Written> Set::on(Ops::SymmetricDifference, CallContext& context, ItemsView items) {
  if (Result<void> work = context.work_on(table_.size()); !work) return std::move(work.failure());
  Result<OtherSet> other = OtherSet::of(context, items);
  if (!other) return std::move(other.failure());
  std::vector<ValueView> found;
  table_.each([&](const Table::Entry& entry) {
    if (!other->contains(entry.key, entry.hash)) found.push_back(entry.key);
  });
  other->each([&](const OtherSet::Element& e) {
    if (table_.find(e.value, e.hash) == nullptr) found.push_back(e.value);
  });
  return write_items(context, found);
}

Result<bool> Set::on(Ops::IsSubset, CallContext& context, ItemsView items) {
  if (Result<void> work = context.work_on(table_.size()); !work) return std::move(work.failure());
  Result<OtherSet> other = OtherSet::of(context, items);
  if (!other) return std::move(other.failure());
  bool all = true;
  table_.each([&](const Table::Entry& entry) { all = all && other->contains(entry.key, entry.hash); });
  return all;
}

Result<bool> Set::on(Ops::IsSuperset, CallContext& context, ItemsView items) {
  Result<OtherSet> other = OtherSet::of(context, items);
  if (!other) return std::move(other.failure());
  bool all = true;
  other->each([&](const OtherSet::Element& e) { all = all && table_.find(e.value, e.hash) != nullptr; });
  return all;
}

Result<bool> Set::on(Ops::IsDisjoint, CallContext& context, ItemsView items) {
  Result<OtherSet> other = OtherSet::of(context, items);
  if (!other) return std::move(other.failure());
  bool none = true;
  other->each([&](const OtherSet::Element& e) { none = none && table_.find(e.value, e.hash) == nullptr; });
  return none;
}

Result<Written> Set::on(Ops::Snapshot, CallContext& context) {
  if (Result<void> look = context.look_at(table_.size()); !look) return std::move(look.failure());
  context.out().array(table_.size());
  table_.each([&](const Table::Entry& entry) { context.write(entry.key); });
  return Written{};
}

Result<Written> Set::on(Ops::Page, CallContext& context, std::int64_t cursor, std::int64_t limit) {
  return write_page(
      context, table_, cursor, limit, [&](std::uint64_t count) { context.out().array(count); },
      [&](const Table::Entry& entry) { context.write(entry.key); });
}

void Set::save(StateWriter& out) const {
  save_table(out, table_, [](const NoMapped&) {});
}

void Set::load(StateReader& in) {
  load_table(in, table_, [] { return NoMapped(); });
}

std::optional<std::uint64_t> Set::visit_elements(std::uint64_t cursor, const ElementVisitor& visit) const {
  return table_.page(cursor, table_.size(), [&](const Table::Entry& e) { return visit({}, e.key); });
}

bool Set::append_items(wire::Writer& out, std::uint64_t& count) const {
  table_.each([&](const Table::Entry& entry) { out.raw(entry.key.view().bytes); });
  count += table_.size();
  return true;
}

}  // namespace tandem::server
