#include "server/objects/queue.hpp"

#include <algorithm>

#include "server/objects/paging.hpp"

namespace tandem::server {
namespace {

/// Bytes of a reply besides the item itself: its framing and lease.
constexpr std::uint64_t item_overhead_bytes = 32;

/// Returns the memory of a value that a waiting putter holds.
std::uint64_t parked_bytes(const Value& value) {
  return sizeof(Value) + value.heap_bytes();
}

Failure is_closed() {
  return {Code::closed, "the queue is closed"};
}

}  // namespace

Result<void> QueueObject::on(Ops::Create, CallContext& context, std::optional<std::int64_t> maxsize) {
  reclaim_queue_ = &context.registry().reclaim_queue();
  maxsize_ = static_cast<std::uint64_t>(std::max<std::int64_t>(maxsize.value_or(0), 0));
  return {};
}

// ---- items ------------------------------------------------------------------------------------------------

Result<void> QueueObject::add(Value value) {
  const std::size_t heap_bytes = value.heap_bytes();
  if (Result<void> entered = enter({std::move(value), next_sequence_, 0}); !entered) return entered;
  ++next_sequence_;
  ++unfinished_;
  heap_bytes_ += heap_bytes;
  return {};
}

QueueItem QueueObject::take() {
  QueueItem item = take_first();
  heap_bytes_ -= item.value.heap_bytes();
  return item;
}

void QueueObject::put_back(QueueItem item) {
  if (dropping_) return finish(1);
  heap_bytes_ += item.value.heap_bytes();
  reenter(std::move(item));
}

/// An item still in the queue may have been counted by task_done already.
void QueueObject::finish(std::uint64_t count) {
  unfinished_ -= std::min(count, unfinished_);
}

// ---- putting ----------------------------------------------------------------------------------------------

/// Refuses an item too long for any reply: it would block the queue for ever.
Result<void> QueueObject::check_item(const CallContext& context, ValueView item) const {
  return context.reply_fits(item.bytes.size() + item_overhead_bytes);
}

Result<Written> QueueObject::on(Ops::Put, CallContext& context, ValueView item, Limit limit_us) {
  if (closed_) return is_closed();
  if (Result<void> good = check_item(context, item); !good) return std::move(good.failure());
  if (Waiter* getter = getters_.front(); getter != nullptr && getter->kind == get_one && count() == 0) {
    ++unfinished_;
    context.changed(*this);
    context.answer(*getter, [&](CallContext& reply) {
      reply.out().array(1);
      reply.write(item);
    });
    context.out().boolean(true);
    return Written{};
  }
  if (Result<void> room = context.room_for(item.bytes.size() + place_bytes()); !room)
    return std::move(room.failure());
  if (has_room()) {
    if (Result<void> added = add(context.keep(item)); !added) return std::move(added.failure());
    context.changed(*this);
    if (!getters_.empty()) context.schedule_serve(*this);
    context.out().boolean(true);
  } else if (context.may_wait(limit_us)) {
    Waiter& putter = context.park(putters_, *this, limit_us);
    putter.kind = put_one;
    putter.values.push_back(context.keep(item));
    parked_bytes_ += parked_bytes(putter.values.back());
  } else {
    context.out().boolean(false);
  }
  return Written{};
}

Result<Written> QueueObject::on(Ops::PutMany, CallContext& context, ItemsView items, Limit limit_us) {
  if (closed_) return is_closed();
  ValueView item;
  for (ItemsView all = items; all.next(item);)
    if (Result<void> good = check_item(context, item); !good) return std::move(good.failure());
  if (Result<void> room = context.room_for(items.bytes() + items.count() * place_bytes()); !room)
    return std::move(room.failure());
  if (maxsize_ != 0 && count() + items.count() > maxsize_)
    if (Result<void> room = context.room_to_wait(limit_us); !room) return std::move(room.failure());
  const std::uint64_t before = next_sequence_;
  const std::uint64_t heap_bytes_before = heap_bytes_;
  while (has_room() && items.next(item)) {
    Result<void> added = add(context.keep(item));
    if (added) continue;
    withdraw(before);
    unfinished_ -= next_sequence_ - before;
    next_sequence_ = before;
    heap_bytes_ = heap_bytes_before;
    return std::move(added.failure());
  }
  const std::uint64_t entered = next_sequence_ - before;
  if (entered != 0) context.changed(*this);
  if (entered != 0 && !getters_.empty()) context.schedule_serve(*this);
  if (items.count() == 0 || !context.may_wait(limit_us)) {
    context.out().unsigned_integer(entered);
    return Written{};
  }
  Waiter& putter = context.park(putters_, *this, limit_us);
  putter.kind = put_several;
  putter.amount = entered;
  putter.values.reserve(items.count());
  while (items.next(item)) {
    putter.values.push_back(context.keep(item));
    parked_bytes_ += parked_bytes(putter.values.back());
  }
  return Written{};
}

void QueueObject::forget_values(Waiter& putter) {
  for (std::size_t i = putter.position; i < putter.values.size(); ++i)
    parked_bytes_ -= parked_bytes(putter.values[i]);
}

// ---- getting ----------------------------------------------------------------------------------------------

Result<Written> QueueObject::on(Ops::Get, CallContext& context, Limit limit_us) {
  return get(context, get_one, 1, limit_us);
}
Result<Written> QueueObject::on(Ops::GetMany, CallContext& context, std::int64_t max, Limit limit_us) {
  return get(context, get_several, max, limit_us);
}
Result<Written> QueueObject::on(Ops::GetLeased, CallContext& context, std::int64_t max, Limit limit_us) {
  return get(context, get_leased, max, limit_us);
}

Result<Written> QueueObject::get(CallContext& context, Kind kind, std::int64_t max, Limit limit_us) {
  if (max < 1) return Failure{Code::value_error, "at least one item has to be asked for"};
  if (!getters_.empty()) (void)serve_getters(context);  // earlier getters come first
  if (count() != 0) {
    give(context, kind, context.owner(), static_cast<std::uint64_t>(max));
    context.changed(*this);
    if (!putters_.empty()) context.schedule_serve(*this);
  } else if (closed_ && !more_may_come(context.owner())) {
    return is_closed();
  } else if (context.may_wait(limit_us)) {
    Waiter& getter = context.park(getters_, *this, limit_us);
    getter.kind = kind;
    getter.amount = static_cast<std::uint64_t>(max);
    if (closed_) context.schedule_serve(*this);  // the other getters may wait for this one's leases
  } else {
    context.out().array(0);
  }
  return Written{};
}

/// Writes items as the reply to a caller or waiter. The queue must not be empty.
void QueueObject::give(CallContext& context, std::uint32_t kind, Owner owner, std::uint64_t max) {
  if (kind == get_one) {
    const QueueItem item = take();
    context.out().array(1);
    context.write_last(item.value);
    return;
  }
  const std::uint64_t most = std::min(max, static_cast<std::uint64_t>(page_elements_max));
  const std::uint64_t bytes_max = std::min(page_bytes_max, context.limits().outbox_bytes_max / 2);
  std::vector<QueueItem> taken;
  std::uint64_t bytes = 0;
  while (count() != 0 && taken.size() < most) {
    bytes += first().value.encoded_bytes() + item_overhead_bytes;
    if (bytes > bytes_max && !taken.empty()) break;
    taken.push_back(take());
  }
  context.out().array(taken.size());
  for (QueueItem& item : taken) {
    if (kind == get_leased) lease(context, owner, std::move(item));
    else context.write(item.value);
  }
}

Result<Written> QueueObject::on(Ops::Page, CallContext& context, std::int64_t cursor, std::int64_t limit) {
  Result<std::uint64_t> most = page_limit(cursor, limit);
  if (!most) return std::move(most.failure());
  const auto begin = static_cast<std::uint64_t>(cursor);
  std::vector<const QueueItem*> found;
  std::uint64_t bytes = 0;
  if (begin < count())
    each_from(begin, [&](const QueueItem& item) {
      found.push_back(&item);
      bytes += item.value.encoded_bytes();
      return found.size() < *most && bytes < page_bytes_max;
    });
  context.out().array(2);
  const std::uint64_t end = begin + found.size();
  context.out().integer(end < count() ? static_cast<std::int64_t>(end) : std::int64_t{-1});
  context.out().array(found.size());
  for (const QueueItem* item : found) context.write(item->value);
  return Written{};
}

// ---- leases -----------------------------------------------------------------------------------------------

/// Leases the item to `who`; writes [lease, deliveries, item].
void QueueObject::lease(CallContext& context, Owner owner, QueueItem item) {
  const std::uint64_t id = next_lease_++;
  context.out().array(3);
  context.out().unsigned_integer(id);
  context.out().unsigned_integer(++item.deliveries);
  context.write(item.value);
  context.own(*this, owner.session);
  lease_bytes_ += item.value.heap_bytes();
  leases_.emplace_hint(leases_.end(), id, Lease{std::move(item), owner});
  ++lessees_.try_emplace(owner, Lessee{0, context.now_ns()}).first->second.leases;
}

QueueItem QueueObject::end_lease(CallContext& context, Leases::iterator at) {
  QueueItem item = std::move(at->second.item);
  lease_bytes_ -= item.value.heap_bytes();
  context.disown(*this, at->second.owner.session);
  if (auto lessee = lessees_.find(at->second.owner); --lessee->second.leases == 0) lessees_.erase(lessee);
  leases_.erase(at);
  return item;
}

/// Returns all the leases, oldest first, or a failure.
Result<std::vector<QueueObject::Leases::iterator>> QueueObject::leases_of(SessionId session, ItemsView ids) {
  std::vector<Leases::iterator> found;
  for (ValueView value; ids.next(value);) {
    std::int64_t id = 0;
    if (!value.reader().int64(id))
      return Failure{Code::type_error, "a lease is named by an integer, not '" + type_name(value) + "'"};
    auto at = leases_.find(static_cast<std::uint64_t>(id));
    if (at == leases_.end() || at->second.owner.session != session)
      return Failure{Code::not_owner,
                     "lease " + std::to_string(id) +
                         " is not this session's: it is done or given back, or was another's"};
    found.push_back(at);
  }
  auto older = [](Leases::iterator a, Leases::iterator b) { return a->first < b->first; };
  std::sort(found.begin(), found.end(), older);
  if (std::adjacent_find(found.begin(), found.end()) != found.end())
    return Failure{Code::value_error, "a lease is named twice among those to end"};
  return found;
}

Result<void> QueueObject::on(Ops::Done, CallContext& context, ItemsView leases) {
  auto ending = leases_of(context.session(), leases);
  if (!ending) return std::move(ending.failure());
  for (Leases::iterator at : *ending) (void)end_lease(context, at);
  finish(ending->size());
  if (ending->empty()) context.unchanged();
  if (!joiners_.empty() || closed_) context.schedule_serve(*this);
  return {};
}

Result<void> QueueObject::on(Ops::GiveBack, CallContext& context, ItemsView leases) {
  auto ending = leases_of(context.session(), leases);
  if (!ending) return std::move(ending.failure());
  for (auto at = ending->rbegin(); at != ending->rend(); ++at) put_back(end_lease(context, *at));
  if (ending->empty()) context.unchanged();
  context.schedule_serve(*this);
  return {};
}

/// Leases are the session's: another of its threads may end those that an ended one took.
void QueueObject::owners_ended(CallContext& context, const EndedOwners& owners) {
  if (!owners.is_whole_session()) return;
  // Newest first: each is then put back before those already returned.
  for (auto at = leases_.end(); at != leases_.begin();) {
    auto lease = std::prev(at);
    if (owners.includes(lease->second.owner)) put_back(end_lease(context, lease));
    else at = lease;
  }
  context.changed(*this);  // only called for a session that had leases
}

void QueueObject::on_destroy(CallContext& context) {
  for (const auto& [id, lease] : leases_) context.disown(*this, lease.owner.session);
}

std::optional<HoldingCursor> QueueObject::visit_holdings(HoldingCursor cursor,
                                                         const HoldingVisitor& visit) const {
  for (auto at = lessees_.upper_bound(owner_at(cursor)); at != lessees_.end(); ++at) {
    const auto& [owner, lessee] = *at;
    if (!visit({owner, "leased", {}, lessee.leases, 0, lessee.since_ns})) return cursor_of(owner);
  }
  return std::nullopt;
}

// ---- completion -------------------------------------------------------------------------------------------

Result<void> QueueObject::on(Ops::TaskDone, CallContext& context, std::optional<std::int64_t> count) {
  const std::uint64_t most = unfinished_ - std::min<std::uint64_t>(leases_.size(), unfinished_);
  const std::int64_t done = count.value_or(1);
  if (done < 0 || static_cast<std::uint64_t>(done) > most)
    return Failure{Code::value_error, "task_done: called for " + std::to_string(done) + " items, with " +
                                          std::to_string(most) + " put and not done" +
                                          (leases_.empty() ? "" : ", without those that are leased")};
  finish(static_cast<std::uint64_t>(done));
  if (done == 0) context.unchanged();
  if (!joiners_.empty()) context.schedule_serve(*this);
  return {};
}

Result<Written> QueueObject::on(Ops::Join, CallContext& context, Limit limit_us) {
  if (unfinished_ != 0 && context.may_wait(limit_us)) context.park(joiners_, *this, limit_us);
  else context.out().boolean(unfinished_ == 0);
  return Written{};
}

Result<void> QueueObject::on(Ops::Close, CallContext& context, std::optional<bool> immediate) {
  if (closed_ && (dropping_ || !immediate.value_or(false))) context.unchanged();
  closed_ = true;
  if (immediate.value_or(false)) {
    dropping_ = true;
    finish(count());
    drop_all();
    heap_bytes_ = 0;
  }
  context.schedule_serve(*this);
  return {};
}

// ---- waiters ----------------------------------------------------------------------------------------------

void QueueObject::serve(CallContext& context) {
  for (bool moved = true; moved;) {
    if (closed_) end_putters(context);
    moved = serve_getters(context);
    moved = serve_putters(context) || moved;
    if (moved) context.changed(*this);
  }
  while (unfinished_ == 0 && !joiners_.empty())
    context.answer(*joiners_.front(), [](CallContext& reply) { reply.out().boolean(true); });
  if (!closed_ || getters_.empty() || more_may_come(getters_.front()->owner)) return;
  while (!getters_.empty()) context.refuse(*getters_.front(), is_closed());
}

bool QueueObject::serve_getters(CallContext& context) {
  bool moved = false;
  for (; count() != 0 && !getters_.empty(); moved = true) {
    Waiter& getter = *getters_.front();
    context.answer(getter,
                   [&](CallContext& reply) { give(reply, getter.kind, getter.owner, getter.amount); });
  }
  return moved;
}

bool QueueObject::serve_putters(CallContext& context) {
  bool moved = false;
  for (; has_room() && !putters_.empty(); moved = true) {
    Waiter& putter = *putters_.front();
    Value& value = putter.values[putter.position];
    const std::uint64_t bytes = parked_bytes(value);
    Result<void> added = add(std::move(value));
    if (!added) {
      forget_values(putter);
      parked_bytes_ -= bytes - sizeof(Value);  // the value that was moved from
      if (std::uint64_t put = putter.amount + putter.position; put != 0)
        added.failure().text += "; the " + std::to_string(put) + " items before it were put";
      context.refuse(putter, added.failure());
      continue;
    }
    parked_bytes_ -= bytes;
    if (++putter.position == putter.values.size()) answer_putter(context, putter, true);
  }
  return moved;
}

void QueueObject::answer_putter(CallContext& context, Waiter& putter, bool all) {
  context.answer(putter, [&](CallContext& reply) {
    if (putter.kind == put_one) reply.out().boolean(all);
    else reply.out().unsigned_integer(putter.amount + putter.position);
  });
}

/// Ends the waits of putters of a closed queue: a putter that has put some of its items gets their number.
void QueueObject::end_putters(CallContext& context) {
  while (!putters_.empty()) {
    Waiter& putter = *putters_.front();
    forget_values(putter);
    if (putter.amount + putter.position == 0) context.refuse(putter, is_closed());
    else answer_putter(context, putter, false);
  }
}

/// Whether a leased item may still return to this closed, empty queue. Leases held by waiters of this queue
/// do not count: they could only deadlock.
bool QueueObject::more_may_come(Owner asking) const {
  if (dropping_ || leases_.empty()) return false;
  std::set<Owner> waiting{asking};
  for (const Waiter* getter = getters_.front(); getter != nullptr; getter = WaitQueue::next(*getter))
    waiting.insert(getter->owner);
  return std::any_of(leases_.begin(), leases_.end(),
                     [&](const auto& lease) { return waiting.count(lease.second.owner) == 0; });
}

void QueueObject::on_wait_ended(CallContext& context, Waiter& waiter, WaitEnd why) {
  const WaitQueue* queue = WaitQueue::of(waiter);
  if (queue == &putters_) forget_values(waiter);
  if (why != WaitEnd::timed_out && why != WaitEnd::cancelled) return;
  if (queue == &putters_) answer_putter(context, waiter, false);
  else if (queue == &getters_) context.answer(waiter, [](CallContext& reply) { reply.out().array(0); });
  else context.answer(waiter, [](CallContext& reply) { reply.out().boolean(false); });
}

// ---- inspection -------------------------------------------------------------------------------------------

std::uint64_t QueueObject::memory_bytes() const {
  // With those of a tree node.
  constexpr std::uint64_t lease_place_bytes = 104;
  constexpr std::uint64_t lessee_bytes = 80;
  static_assert(sizeof(Leases::value_type) + 48 <= lease_place_bytes);
  static_assert(sizeof(std::pair<const Owner, Lessee>) + 48 <= lessee_bytes);
  return count() * place_bytes() + heap_bytes_ + leases_.size() * lease_place_bytes +
         lessees_.size() * lessee_bytes + lease_bytes_ + parked_bytes_;
}

void QueueObject::save(StateWriter& out) const {
  out.boolean(closed_);
  out.boolean(dropping_);
  for (std::uint64_t number : {maxsize_, unfinished_, next_sequence_, next_lease_}) out.number(number);
  auto save_item = [&](const QueueItem& item) {
    out.number(item.sequence);
    out.number(item.deliveries);
    out.value(item.value);
    return true;
  };
  out.number(count());
  each_from(0, save_item);
  out.number(leases_.size());
  for (const auto& [id, lease] : leases_) {
    out.number(id);
    out.owner(lease.owner);
    save_item(lease.item);
  }
  for (const auto& [owner, lessee] : lessees_) out.number(lessee.since_ns);
}

void QueueObject::load(StateReader& in) {
  reclaim_queue_ = &in.registry().reclaim_queue();
  closed_ = in.boolean();
  dropping_ = in.boolean();
  for (std::uint64_t* number : {&maxsize_, &unfinished_, &next_sequence_, &next_lease_})
    *number = in.number();
  auto load_item = [&] {
    QueueItem item;
    item.sequence = in.number();
    item.deliveries = in.number();
    item.value = in.value();
    return item;
  };
  in.repeat([&] {
    QueueItem item = load_item();
    if (in.failed()) return;
    heap_bytes_ += item.value.heap_bytes();
    restore(std::move(item));
  });
  in.repeat([&] {
    const std::uint64_t id = in.number();
    const Owner owner = in.owner();
    QueueItem item = load_item();
    if (in.failed()) return;
    lease_bytes_ += item.value.heap_bytes();
    if (!leases_.try_emplace(id, Lease{std::move(item), owner}).second) in.fail("a lease is there twice");
    ++lessees_[owner].leases;
  });
  for (auto& [owner, lessee] : lessees_) lessee.since_ns = in.number();
}

void QueueObject::waiter_loaded(const Waiter& waiter) {
  if (WaitQueue::of(waiter) != &putters_) return;
  for (std::size_t i = waiter.position; i < waiter.values.size(); ++i)
    parked_bytes_ += parked_bytes(waiter.values[i]);
}

std::optional<std::uint64_t> QueueObject::visit_elements(std::uint64_t cursor,
                                                         const ElementVisitor& visit) const {
  std::uint64_t next = cursor;
  if (cursor < count())
    each_from(cursor, [&](const QueueItem& item) {
      ++next;
      return visit({}, item.value);
    });
  return next < count() ? std::optional(next) : std::nullopt;
}

}  // namespace tandem::server
