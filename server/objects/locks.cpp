#include "server/objects/locks.hpp"

#include <algorithm>
#include <set>

#include "server/engine/deadlocks.hpp"

namespace tandem::server {

// ---- operations -------------------------------------------------------------------------------------------

Result<Written> Locks::on(Ops::Acquire, CallContext& context, ValueView key,
                          std::optional<std::int64_t> limit_us) {
  Result<std::uint32_t> hash = context.hash(key);
  if (!hash) return std::move(hash.failure());
  const Wanted wanted{key, *hash};
  return acquire(context, {&wanted, 1}, limit_us);
}

Result<Written> Locks::on(Ops::AcquireAll, CallContext& context, ItemsView keys,
                          std::optional<std::int64_t> limit_us) {
  Result<std::vector<Wanted>> all = wanted(context, keys);
  if (!all) return std::move(all.failure());
  return acquire(context, *all, limit_us);
}

Result<Written> Locks::acquire(CallContext& context, std::span<const Wanted> keys,
                               std::optional<std::int64_t> limit_us) {
  const auto taken_end = std::find_if(keys.begin(), keys.end(), [&](const Wanted& w) { return !is_free(w); });
  if (taken_end != keys.end() && !context.may_wait(limit_us)) {
    write_no_grant(context.out());
    return Written{};
  }
  std::uint64_t bytes = 0;
  for (const Wanted& wanted : keys) {
    bytes += LockTable::bytes_for(wanted.key.bytes.size());
    if (taken_end != keys.end()) bytes += sizeof(Value) + Value::heap_bytes_for(wanted.key.bytes.size());
  }
  if (Result<void> room = context.room_for(bytes); !room) return std::move(room.failure());
  std::vector<KeyLock*> locks;
  for (const Wanted& wanted : keys.first(static_cast<std::size_t>(taken_end - keys.begin())))
    locks.push_back(&take(context, wanted.key, wanted.hash, context.owner()));
  if (taken_end == keys.end()) {
    write_grants(context, locks);
    return Written{};
  }
  Waiter& waiter = context.park(table_.find(taken_end->key, taken_end->hash)->wait_queue, *this, limit_us);
  waiter.position = locks.size();
  waiter.values.reserve(keys.size());
  for (const Wanted& wanted : keys) waiter.values.push_back(context.keep(wanted.key));
  waiting_keys_bytes_ += keys_bytes(waiter);
  return Written{};
}

std::uint64_t Locks::keys_bytes(const Waiter& waiter) {
  std::uint64_t bytes = 0;
  for (const Value& key : waiter.values) bytes += sizeof(Value) + key.heap_bytes();
  return bytes;
}

Result<void> Locks::on(Ops::Release, CallContext& context, ValueView key) {
  Result<std::uint32_t> hash = context.hash(key);
  if (!hash) return std::move(hash.failure());
  Result<KeyLock*> lock = owned(context, key, *hash, "released");
  if (!lock) return std::move(lock.failure());
  release(context, **lock);
  return {};
}

Result<void> Locks::on(Ops::ReleaseAll, CallContext& context, ItemsView keys) {
  Result<std::vector<Wanted>> all = wanted(context, keys);
  if (!all) return std::move(all.failure());
  std::vector<KeyLock*> locks;
  for (const Wanted& wanted : *all) {
    Result<KeyLock*> lock = owned(context, wanted.key, wanted.hash, "released");
    if (!lock) return std::move(lock.failure());
    locks.push_back(*lock);
  }
  for (KeyLock* lock : locks) release(context, *lock);
  return {};
}

Result<bool> Locks::on(Ops::Locked, CallContext& context, ValueView key) {
  Result<std::uint32_t> hash = context.hash(key);
  if (!hash) return std::move(hash.failure());
  const KeyLock* lock = table_.find(key, *hash);
  return lock != nullptr && lock->ownership.held();
}

Result<Written> Locks::on(Ops::Grant, CallContext& context, ValueView key) {
  Result<std::uint32_t> hash = context.hash(key);
  if (!hash) return std::move(hash.failure());
  Result<KeyLock*> lock = owned(context, key, *hash, "asked for its grant");
  if (!lock) return std::move(lock.failure());
  (*lock)->ownership.write_grant(context.out());
  return Written{};
}

Result<Written> Locks::on(Ops::Owners, CallContext& context, ValueView key) {
  Result<std::uint32_t> hash = context.hash(key);
  if (!hash) return std::move(hash.failure());
  const KeyLock* lock = table_.find(key, *hash);
  const bool held = lock != nullptr && lock->ownership.held();
  context.out().array(held ? 1 : 0);
  if (held) write_owner(context, lock->ownership.holding());
  return Written{};
}

/// The order depends on the keys alone. The secret hash finds equal ones among many, whatever they are.
Result<std::vector<Locks::Wanted>> Locks::wanted(CallContext& context, ItemsView keys) const {
  std::vector<Wanted> all;
  all.reserve(keys.count());
  ValueView key;
  while (keys.next(key)) {
    Result<std::uint32_t> hash = context.hash(key);
    if (!hash) return std::move(hash.failure());
    all.push_back({key, *hash, *hash_key(key, 0)});
  }
  if (all.empty()) return Failure{Code::value_error, "no keys are given"};
  std::stable_sort(all.begin(), all.end(), [](const Wanted& a, const Wanted& b) { return a.hash < b.hash; });
  std::vector<Wanted> distinct;
  for (const Wanted& one : all) {
    bool is_new = true;
    for (auto at = distinct.rbegin(); at != distinct.rend() && at->hash == one.hash && is_new; ++at)
      is_new = !are_equal(at->key, one.key);
    if (is_new) distinct.push_back(one);
  }
  std::sort(distinct.begin(), distinct.end(), [](const Wanted& a, const Wanted& b) {
    if (a.place != b.place) return a.place < b.place;
    return std::lexicographical_compare(a.key.bytes.begin(), a.key.bytes.end(), b.key.bytes.begin(),
                                        b.key.bytes.end());
  });
  return distinct;
}

Result<KeyLock*> Locks::owned(CallContext& context, ValueView key, std::uint32_t hash,
                              std::string_view what) const {
  static const Ownership unowned;
  KeyLock* lock = table_.find(key, hash);
  const bool is_granted = lock != nullptr && lock->ownership.token() != 0;
  if (is_granted && lock->ownership.held_by(context.owner())) return lock;
  return (lock == nullptr ? unowned : lock->ownership)
      .not_owner(context, "the lock of key " + server::describe(key), what);
}

// ---- taking and giving back -------------------------------------------------------------------------------

bool Locks::is_free(const Wanted& wanted) const {
  const KeyLock* lock = table_.find(wanted.key, wanted.hash);
  return lock == nullptr || (!lock->ownership.held() && lock->wait_queue.empty());
}

KeyLock& Locks::take(CallContext& context, ValueView key, std::uint32_t hash, Owner owner) {
  KeyLock* lock = table_.find(key, hash);
  if (lock == nullptr) lock = &table_.insert(context.keep(key), hash);
  take(context, *lock, owner);
  return *lock;
}

void Locks::take(CallContext& context, KeyLock& lock, Owner owner) {
  if (lock.is_orphan) unlink_orphan(lock);
  lock.ownership.take(context, *this, owner);
  link(lock, owner);
}

void Locks::give_back(CallContext& context, KeyLock& lock) {
  unlink(lock, lock.ownership.owner());
  lock.ownership.give_back(context, *this);
  freed(context, lock);
}

void Locks::release(CallContext& context, KeyLock& lock) {
  unlink(lock, lock.ownership.owner());
  lock.ownership.end(context, *this);
  freed(context, lock);
}

void Locks::write_grants(CallContext& reply, std::span<KeyLock* const> locks) {
  const std::uint64_t token = reply.tokens().grant();
  bool previous_owner_died = false;
  for (KeyLock* lock : locks) {
    lock->ownership.set_token(token);
    previous_owner_died |= lock->ownership.previous_owner_died();
  }
  write_grant(reply.out(), token, previous_owner_died);
}

void Locks::freed(CallContext& context, KeyLock& lock) {
  if (!lock.wait_queue.empty() || lock.is_touched) touch(context, lock);
  else erase_or_keep(context, lock);
}

void Locks::erase_or_keep(CallContext& context, KeyLock& lock) {
  if (!lock.ownership.previous_owner_died()) return table_.erase(lock);
  link_orphan(lock);
  if (orphans_ <= context.limits().orphaned_keys_max) return;
  KeyLock& oldest = *oldest_orphan_;
  unlink_orphan(oldest);
  table_.erase(oldest);
}

void Locks::link_orphan(KeyLock& lock) {
  lock.is_orphan = true;
  lock.next_of_owner = std::exchange(newest_orphan_, &lock);
  (lock.next_of_owner != nullptr ? lock.next_of_owner->previous_of_owner : oldest_orphan_) = &lock;
  ++orphans_;
}

void Locks::unlink_orphan(KeyLock& lock) {
  KeyLock* older = std::exchange(lock.next_of_owner, nullptr);
  KeyLock* newer = std::exchange(lock.previous_of_owner, nullptr);
  (older != nullptr ? older->previous_of_owner : oldest_orphan_) = newer;
  (newer != nullptr ? newer->next_of_owner : newest_orphan_) = older;
  lock.is_orphan = false;
  --orphans_;
}

void Locks::touch(CallContext& context, KeyLock& lock) {
  if (!std::exchange(lock.is_touched, true)) touched_.push_back(&lock);
  context.schedule_serve(*this);
}

void Locks::link(KeyLock& lock, Owner owner) {
  auto at = by_owner_.find(owner);
  if (at == by_owner_.end()) {
    if (spare_head_) spare_head_.key() = owner;
    at = spare_head_ ? by_owner_.insert(std::move(spare_head_)).position
                     : by_owner_.emplace(owner, nullptr).first;
    at->second = nullptr;
  }
  lock.next_of_owner = at->second;
  if (at->second != nullptr) at->second->previous_of_owner = &lock;
  at->second = &lock;
}

void Locks::unlink(KeyLock& lock, Owner owner) {
  KeyLock* next = std::exchange(lock.next_of_owner, nullptr);
  KeyLock* previous = std::exchange(lock.previous_of_owner, nullptr);
  if (next != nullptr) next->previous_of_owner = previous;
  if (previous != nullptr) previous->next_of_owner = next;
  else if (next != nullptr) by_owner_.at(owner) = next;
  else spare_head_ = by_owner_.extract(owner);
}

// ---- waiting ----------------------------------------------------------------------------------------------

void Locks::serve(CallContext& context) {
  for (std::size_t i = 0; i < touched_.size(); ++i) {  // serving one lock may touch others
    KeyLock& lock = *touched_[i];
    lock.is_touched = false;
    if (lock.ownership.held()) continue;
    if (!lock.wait_queue.empty()) advance(context, lock);
    else erase_or_keep(context, lock);
  }
  touched_.clear();
}

/// Gives the free lock to its first waiter, which goes on to its next keys: it waits for one of them or is
/// answered.
void Locks::advance(CallContext& context, KeyLock& lock) {
  Waiter& waiter = *lock.wait_queue.front();
  take(context, lock, waiter.owner);
  while (++waiter.position < waiter.values.size()) {
    const ValueView key = waiter.values[waiter.position];
    const std::uint32_t hash = *context.hash(key);
    if (!is_free({key, hash})) return context.move(waiter, table_.find(key, hash)->wait_queue, *this);
    take(context, key, hash, waiter.owner);
  }
  std::vector<KeyLock*> locks;
  for (const Value& key : waiter.values) locks.push_back(table_.find(key, *context.hash(key)));
  waiting_keys_bytes_ -= keys_bytes(waiter);
  context.answer(waiter, [&](CallContext& reply) { write_grants(reply, locks); });
}

void Locks::on_wait_ended(CallContext& context, Waiter& waiter, WaitEnd why) {
  for (std::size_t i = 0; i < waiter.position; ++i)
    give_back(context, *table_.find(waiter.values[i], *context.hash(waiter.values[i])));
  waiter.position = 0;
  waiting_keys_bytes_ -= keys_bytes(waiter);
  if (why == WaitEnd::timed_out || why == WaitEnd::cancelled)
    context.answer(waiter, [](CallContext& reply) { write_no_grant(reply.out()); });
}

void Locks::owners_ended(CallContext& context, const EndedOwners& owners) {
  for (auto at = by_owner_.lower_bound(owners.first()); at != by_owner_.end() && owners.includes(at->first);
       at = by_owner_.lower_bound(owners.first())) {
    KeyLock& lock = *at->second;
    unlink(lock, at->first);
    lock.ownership.orphan(context);
    freed(context, lock);
  }
}

void Locks::on_destroy(CallContext& context) {
  table_.each([&](KeyLock& lock) {
    if (lock.ownership.held()) lock.ownership.end(context, *this);
  });
}

void Locks::each_blocker(const Waiter& waiter, const std::function<void(const Blocker&)>& visit) const {
  const Ownership& ownership = static_cast<const KeyQueue*>(WaitQueue::of(waiter))->lock.ownership;
  if (ownership.held()) visit({ownership.owner()});
}

std::string Locks::describe_wait(const Waiter& waiter) const {
  return "key " + server::describe(waiter.values[waiter.position]) + " of " + server::describe(*this);
}

// ---- inspection -------------------------------------------------------------------------------------------

std::optional<HoldingCursor> Locks::visit_holdings(HoldingCursor cursor, const HoldingVisitor& visit) const {
  constexpr int examined_max = 4'096;  // keys that nothing owns may be many
  int examined = 0;
  const std::optional<std::uint64_t> next = table_.page(cursor.first, [&](const KeyLock& lock) {
    const bool enough = ++examined == examined_max;
    if (!lock.ownership.held()) return !enough;
    Holding holding = lock.ownership.holding();
    holding.key = lock.key;
    return visit(holding) && !enough;
  });
  if (!next) return std::nullopt;
  return HoldingCursor{*next};
}

void Locks::save(StateWriter& out) const {
  out.number(table_.size());
  table_.each([&](const KeyLock& lock) {
    out.number(table_.ordinal_of(lock));
    out.value(lock.key);
    lock.ownership.save(out);
  });
  out.number(table_.last_ordinal());
  // The order in which an owner has got its keys, and in which keys became orphans, decides who is served first when
  // they become free. The lists begin with the newest.
  auto save_list = [&](const KeyLock* newest) {
    std::vector<std::uint64_t> ordinals;
    for (const KeyLock* lock = newest; lock != nullptr; lock = lock->next_of_owner)
      ordinals.push_back(table_.ordinal_of(*lock));
    out.number(ordinals.size());
    for (auto ordinal = ordinals.rbegin(); ordinal != ordinals.rend(); ++ordinal) out.number(*ordinal);
  };
  out.number(by_owner_.size());
  for (const auto& [owner, newest] : by_owner_) save_list(newest);
  save_list(newest_orphan_);
}

void Locks::load(StateReader& in) {
  in.repeat([&] {
    const std::uint64_t ordinal = in.number();
    Value key = in.value();
    const std::uint32_t hash = in.hash(key);
    if (ordinal <= table_.last_ordinal()) in.fail("the ordinals of keyed locks do not increase");
    if (in.failed()) return;
    table_.continue_behind(ordinal - 1);
    table_.insert(std::move(key), hash).ownership.load(in);
  });
  table_.continue_behind(in.number());
  std::set<const KeyLock*> listed;
  auto load_list = [&](bool owned, const std::function<void(KeyLock&)>& add) {
    in.repeat([&] {
      KeyLock* lock = table_.with_ordinal(in.number());
      if (lock == nullptr || lock->ownership.held() != owned || !listed.insert(lock).second)
        return in.fail("a list of keyed locks has one that does not belong there");
      add(*lock);
    });
  };
  in.repeat([&] { load_list(true, [&](KeyLock& lock) { link(lock, lock.ownership.owner()); }); });
  load_list(false, [&](KeyLock& lock) { link_orphan(lock); });
  table_.each([&](const KeyLock& lock) {
    if (lock.ownership.held() && !listed.contains(&lock)) in.fail("a keyed lock is not listed by its owner");
  });
}

void Locks::waiter_loaded(const Waiter& waiter) {
  waiting_keys_bytes_ += keys_bytes(waiter);
}

std::optional<std::uint64_t> Locks::visit_elements(std::uint64_t cursor, const ElementVisitor& visit) const {
  return table_.page(cursor, [&](const KeyLock& lock) {
    wire::Buffer state;
    wire::Writer(state).boolean(lock.ownership.held());
    return visit(lock.key, {state.view(), false});
  });
}

}  // namespace tandem::server
