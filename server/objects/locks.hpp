#pragma once
// The hosted keyed locks. A request for several keys takes them one by one and waits in the queue of the
// first key that is not free; the keys taken so far count as held.

#include <map>

#include "server/engine/dispatch.hpp"
#include "server/objects/lock_table.hpp"
#include "tandem/ops/locks.hpp"

namespace tandem::server {

class Locks final : public Object {
 public:
  using Ops = ops::Locks;

  Result<void> on(Ops::Create, CallContext&) { return {}; }
  Result<Written> on(Ops::Acquire, CallContext&, ValueView key, std::optional<std::int64_t> limit_us);
  Result<void> on(Ops::Release, CallContext&, ValueView key);
  Result<bool> on(Ops::Locked, CallContext&, ValueView key);
  Result<Written> on(Ops::Grant, CallContext&, ValueView key);
  Result<Written> on(Ops::Owners, CallContext&, ValueView key);
  Result<Written> on(Ops::AcquireAll, CallContext&, ItemsView keys, std::optional<std::int64_t> limit_us);
  Result<void> on(Ops::ReleaseAll, CallContext&, ItemsView keys);
  Result<std::int64_t> on(Ops::Size, CallContext&) { return static_cast<std::int64_t>(table_.size()); }

  void serve(CallContext&) override;
  void on_wait_ended(CallContext&, Waiter&, WaitEnd) override;
  void owners_ended(CallContext&, const EndedOwners&) override;
  void on_destroy(CallContext&) override;
  bool has_blockers() const override { return true; }
  void each_blocker(const Waiter&, const std::function<void(const Blocker&)>&) const override;
  std::string describe_wait(const Waiter&) const override;
  std::optional<HoldingCursor> visit_holdings(HoldingCursor cursor,
                                              const HoldingVisitor& visit) const override;

  std::uint64_t size() const override { return table_.size(); }
  std::uint64_t memory_bytes() const override { return table_.memory_bytes() + waiting_keys_bytes_; }
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void waiter_loaded(const Waiter& waiter) override;
  void visit_queues(const std::function<void(WaitQueue&)>& visit) override {
    table_.each([&](KeyLock& lock) { visit(lock.wait_queue); });
  }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;
  bool keyed() const override { return true; }

 private:
  struct Wanted {
    ValueView key;
    std::uint32_t hash = 0;
    std::uint32_t place = 0;  // position in the fixed locking order
  };

  /// Returns each key once, in locking order.
  Result<std::vector<Wanted>> wanted(CallContext& context, ItemsView keys) const;
  Result<Written> acquire(CallContext& context, std::span<const Wanted> keys,
                          std::optional<std::int64_t> limit_us);
  Result<KeyLock*> owned(CallContext& context, ValueView key, std::uint32_t hash,
                         std::string_view what) const;

  bool is_free(const Wanted& wanted) const;
  /// Reserves the key for `who`, the caller or a waiter, without a token or reply yet.
  KeyLock& take(CallContext& context, ValueView key, std::uint32_t hash, Owner owner);
  void take(CallContext& context, KeyLock& lock, Owner owner);
  void give_back(CallContext& context, KeyLock& lock);
  void release(CallContext& context, KeyLock& lock);
  /// Sets the common token of all keys that the caller or a waiter has taken, and writes the reply.
  void write_grants(CallContext& reply, std::span<KeyLock* const> locks);
  void advance(CallContext& context, KeyLock& lock);
  /// Called when `lock` became free: has its waiters served, or erases it, see erase_or_keep().
  void freed(CallContext& context, KeyLock& lock);
  /// Erases a free lock that no request waits for. One whose last owner died becomes an orphan, the newest of
  /// at most orphaned_keys_max.
  void erase_or_keep(CallContext& context, KeyLock& lock);
  void link_orphan(KeyLock& lock);
  void unlink_orphan(KeyLock& lock);
  void touch(CallContext& context, KeyLock& lock);
  void link(KeyLock& lock, Owner owner);
  void unlink(KeyLock& lock, Owner owner);
  /// Memory of the keys that a waiter has.
  static std::uint64_t keys_bytes(const Waiter& waiter);

  LockTable table_;
  std::map<Owner, KeyLock*> by_owner_;  // heads of lists
  std::map<Owner, KeyLock*>::node_type
      spare_head_;  // saves an allocation when a thread's only key is unlocked
  KeyLock* oldest_orphan_ = nullptr;
  KeyLock* newest_orphan_ = nullptr;
  std::uint64_t orphans_ = 0;
  std::vector<KeyLock*> touched_;  // serve() has to check them
  std::uint64_t waiting_keys_bytes_ = 0;
};

}  // namespace tandem::server
