#include "server/objects/list.hpp"

#include "server/objects/paging.hpp"
#include "server/objects/sort.hpp"
#include "server/objects/sum.hpp"

namespace tandem::server {
namespace {

/// The longest array of MessagePack: a snapshot is one.
constexpr std::uint64_t list_items_max = 0xffffffff;

/// Checks the list's length and memory for operations that add items; `bytes` is the memory they need.
Result<void> room_for_items(const CallContext& context, std::uint64_t held, std::uint64_t count,
                            std::uint64_t bytes) {
  if (count > list_items_max || held > list_items_max - count)
    return Failure{Code::resource_exhausted,
                   "a list holds at most " + std::to_string(list_items_max) + " items"};
  return context.room_for(bytes);
}

std::vector<Value> keep_all(CallContext& context, ItemsView items) {
  std::vector<Value> kept;
  kept.reserve(items.count());
  for (ValueView item; items.next(item);) kept.push_back(context.keep(item));
  return kept;
}

Failure not_there(ValueView item) {
  return {Code::value_error, describe(item) + " is not in the list"};
}

}  // namespace

Result<std::uint64_t> List::position(std::int64_t index) const {
  if (auto found = position_of(index, items_.size())) return *found;
  return Failure{Code::index_error, "list index " + std::to_string(index) +
                                        " is out of range: the list has " + std::to_string(items_.size()) +
                                        " items"};
}

Result<std::optional<std::uint64_t>> List::find(CallContext& context, ValueView item, std::uint64_t from,
                                                std::uint64_t to) const {
  constexpr std::uint64_t part = 1024;
  for (std::uint64_t i = from; i < to; ++i) {
    if ((i - from) % part == 0) {
      const std::uint64_t looks = std::min(part, to - i) * CallContext::looks_for(item.bytes.size());
      if (Result<void> look = context.look_at(looks); !look) return std::move(look.failure());
    }
    if (are_equal(items_[i], item)) return std::optional(i);
  }
  return std::optional<std::uint64_t>();
}

Result<void> List::on(Ops::Create, CallContext& context, std::optional<ItemsView> items) {
  items_.defer_to(context.registry().reclaim_queue());
  if (!items) return {};
  return on(Ops::Extend{}, context, *items);
}

Result<void> List::on(Ops::Append, CallContext& context, ValueView item) {
  if (Result<void> room = room_for_items(context, items_.size(), 1, sizeof(Value)); !room) return room;
  items_.remember_size(context.undo());
  items_.push_back(context.keep(item));
  return {};
}

Result<void> List::on(Ops::Extend, CallContext& context, ItemsView items) {
  const std::uint64_t bytes = items.bytes() + items.count() * sizeof(Value);
  if (Result<void> room = room_for_items(context, items_.size(), items.count(), bytes); !room) return room;
  if (items.count() == 0) context.unchanged();
  items_.remember_size(context.undo());
  for (ValueView item; items.next(item);) items_.push_back(context.keep(item));
  return {};
}

Result<void> List::on(Ops::Insert, CallContext& context, std::int64_t index, ValueView item) {
  if (Result<void> room = room_for_items(context, items_.size(), 1, sizeof(Value)); !room) return room;
  items_.insert(clamped_position_of(index, items_.size()), context.keep(item), context.undo());
  return {};
}

Result<ValueView> List::on(Ops::At, CallContext&, std::int64_t index) {
  Result<std::uint64_t> at = position(index);
  if (!at) return std::move(at.failure());
  return items_[*at];
}

Result<void> List::on(Ops::Set, CallContext& context, std::int64_t index, ValueView item) {
  Result<std::uint64_t> at = position(index);
  if (!at) return std::move(at.failure());
  items_.replace(*at, context.keep(item), context.undo());
  return {};
}

Result<ValueView> List::on(Ops::Add, CallContext& context, std::int64_t index, ValueView delta,
                           std::optional<std::string_view> typecode) {
  Result<std::uint64_t> at = position(index);
  if (!at) return std::move(at.failure());
  wire::Buffer& buffer = context.scratch();
  Result<ValueView> after = sum_of(context, items_[*at], delta, typecode, buffer);
  if (!after) {
    after.failure().text += ", at index " + std::to_string(index);
    return after;
  }
  items_.replace(*at, context.keep(*after), context.undo());
  return items_[*at];
}

Result<void> List::on(Ops::Erase, CallContext& context, std::int64_t index) {
  Result<std::uint64_t> at = position(index);
  if (!at) return std::move(at.failure());
  items_.erase(*at, context.undo());
  return {};
}

Result<void> List::on(Ops::Remove, CallContext& context, ValueView item) {
  Result<std::optional<std::uint64_t>> at = find(context, item, 0, items_.size());
  if (!at) return std::move(at.failure());
  if (!*at) return not_there(item);
  items_.erase(**at, context.undo());
  return {};
}

Result<Value> List::on(Ops::Pop, CallContext& context, Index index) {
  if (items_.empty()) return Failure{Code::index_error, "pop: the list is empty"};
  Result<std::uint64_t> at = position(index.value_or(-1));
  if (!at) return std::move(at.failure());
  if (Result<void> fits = context.reply_fits(items_[*at].bytes.size()); !fits)
    return std::move(fits.failure());
  if (context.undo() == nullptr) return items_.take(*at);
  Value popped = context.keep(items_[*at]);
  items_.erase(*at, context.undo());
  return popped;
}

Result<Written> List::on(Ops::Slice, CallContext& context, Index start, Index stop, Index step) {
  Result<Slice> slice = slice_of(start, stop, step, items_.size());
  if (!slice) return std::move(slice.failure());
  if (Result<void> look = context.look_at(slice->count); !look) return std::move(look.failure());
  std::uint64_t bytes = 0;
  for (std::uint64_t i = 0; i < slice->count; ++i) bytes += items_[slice->position(i)].bytes.size();
  if (Result<void> fits = context.reply_fits(bytes); !fits) return std::move(fits.failure());
  context.out().array(slice->count);
  for (std::uint64_t i = 0; i < slice->count; ++i) context.write(items_[slice->position(i)]);
  return Written{};
}

Result<void> List::on(Ops::AssignSlice, CallContext& context, ItemsView items, Index start, Index stop,
                      Index step) {
  Result<Slice> slice = slice_of(start, stop, step, items_.size());
  if (!slice) return std::move(slice.failure());
  if (slice->step != 1 && slice->count != items.count())
    return Failure{Code::value_error, "attempt to assign " + std::to_string(items.count()) +
                                          " items to an extended slice of " + std::to_string(slice->count)};
  const std::uint64_t staying = items_.size() - slice->count;
  const std::uint64_t bytes = items.bytes() + items.count() * sizeof(Value);
  if (Result<void> room = room_for_items(context, staying, items.count(), bytes); !room) return room;
  if (items.count() == 0 && slice->count == 0) context.unchanged();
  std::vector<Value> kept = keep_all(context, items);
  if (slice->step == 1)
    items_.splice(static_cast<std::uint64_t>(slice->start), slice->count, std::move(kept), context.undo());
  else
    for (std::uint64_t i = 0; i < slice->count; ++i)
      items_.replace(slice->position(i), std::move(kept[i]), context.undo());
  return {};
}

Result<void> List::on(Ops::EraseSlice, CallContext& context, Index start, Index stop, Index step) {
  Result<Slice> slice = slice_of(start, stop, step, items_.size());
  if (!slice) return std::move(slice.failure());
  if (slice->step != 1 && slice->step != -1)
    if (Result<void> work = context.work_on(slice->count); !work) return work;
  if (slice->count == 0) context.unchanged();
  items_.erase(*slice, context.undo());
  return {};
}

Result<std::int64_t> List::on(Ops::Index, CallContext& context, ValueView item, Index start, Index stop) {
  const std::uint64_t from = clamped_position_of(start.value_or(0), items_.size());
  const std::uint64_t to = stop ? clamped_position_of(*stop, items_.size()) : items_.size();
  Result<std::optional<std::uint64_t>> at = find(context, item, from, to);
  if (!at) return std::move(at.failure());
  if (!*at) return not_there(item);
  return static_cast<std::int64_t>(**at);
}

Result<std::int64_t> List::on(Ops::Count, CallContext& context, ValueView item) {
  const std::uint64_t looks = items_.size() * CallContext::looks_for(item.bytes.size());
  if (Result<void> look = context.look_at(looks); !look) return std::move(look.failure());
  std::int64_t count = 0;
  for (std::uint64_t i = 0; i < items_.size(); ++i) count += are_equal(items_[i], item) ? 1 : 0;
  return count;
}

Result<bool> List::on(Ops::Contains, CallContext& context, ValueView item) {
  Result<std::optional<std::uint64_t>> at = find(context, item, 0, items_.size());
  if (!at) return std::move(at.failure());
  return at->has_value();
}

Result<void> List::on(Ops::Reverse, CallContext& context) {
  if (Result<void> look = context.look_at(2 * items_.size()); !look) return look;
  if (items_.size() < 2) context.unchanged();
  items_.reverse(context.undo());
  return {};
}

Result<void> List::on(Ops::Sort, CallContext& context, std::optional<bool> descending) {
  Result<std::vector<std::uint32_t>> order = sorted_order(context, items_, descending.value_or(false));
  if (!order) return std::move(order.failure());
  if (std::is_sorted(order->begin(), order->end())) context.unchanged();
  items_.arrange(*order, context.undo());
  return {};
}

Result<std::int64_t> List::on(Ops::Size, CallContext&) {
  return static_cast<std::int64_t>(items_.size());
}

Result<void> List::on(Ops::Clear, CallContext& context) {
  if (items_.empty()) context.unchanged();
  items_.clear(context.undo());
  return {};
}

Result<void> List::on(Ops::Repeat, CallContext& context, std::int64_t times) {
  if (times <= 0) return on(Ops::Clear{}, context);
  if (times == 1 || items_.empty()) return context.unchanged(), Result<void>();
  const std::uint64_t length = items_.size();
  const auto more = static_cast<std::uint64_t>(times) - 1;
  // A product that overflows is replaced by a number that is refused in any case.
  const std::uint64_t count = more > list_items_max / length ? list_items_max : more * length;
  const std::uint64_t memory_bytes = items_.memory_bytes();
  const bool fits = more <= ~std::uint64_t{0} / 2 / memory_bytes;
  const std::uint64_t bytes = fits ? more * memory_bytes : ~std::uint64_t{0} / 2;
  if (Result<void> room = room_for_items(context, length, count, bytes); !room) return room;
  if (Result<void> work = context.work_on(count); !work) return work;
  items_.remember_size(context.undo());
  for (std::uint64_t i = 0; i < count; ++i) items_.push_back(context.keep(items_[i]));
  return {};
}

Result<Written> List::on(Ops::Snapshot, CallContext& context) {
  if (Result<void> look = context.look_at(items_.size()); !look) return std::move(look.failure());
  if (Result<void> fits = context.reply_fits(items_.encoded_bytes()); !fits) return std::move(fits.failure());
  context.out().array(items_.size());
  for (std::uint64_t i = 0; i < items_.size(); ++i) context.write(items_[i]);
  return Written{};
}

Result<Written> List::on(Ops::Page, CallContext& context, std::int64_t cursor, std::int64_t limit) {
  Result<std::uint64_t> most = page_limit(cursor, limit);
  if (!most) return std::move(most.failure());
  const std::uint64_t begin = std::min(static_cast<std::uint64_t>(cursor), items_.size());
  std::uint64_t end = begin;
  std::uint64_t bytes = 0;
  while (end < items_.size() && end - begin < *most && bytes < page_bytes_max)
    bytes += items_[end++].bytes.size();
  context.out().array(2);
  context.out().integer(end < items_.size() ? static_cast<std::int64_t>(end) : std::int64_t{-1});
  context.out().array(end - begin);
  for (std::uint64_t i = begin; i < end; ++i) context.write(items_[i]);
  return Written{};
}

void List::save(StateWriter& out) const {
  out.number(items_.size());
  for (std::uint64_t i = 0; i < items_.size(); ++i) out.value(items_[i]);
}

void List::load(StateReader& in) {
  items_.defer_to(in.registry().reclaim_queue());
  in.repeat([&] { items_.push_back(in.value()); });
}

std::optional<std::uint64_t> List::visit_elements(std::uint64_t cursor, const ElementVisitor& visit) const {
  for (std::uint64_t i = cursor; i < items_.size(); ++i)
    if (!visit({}, items_[i]) && i + 1 < items_.size()) return i + 1;
  return std::nullopt;
}

bool List::append_items(wire::Writer& out, std::uint64_t& count) const {
  for (std::uint64_t i = 0; i < items_.size(); ++i) out.raw(items_[i].bytes);
  count += items_.size();
  return true;
}

}  // namespace tandem::server
