#pragma once
// The hosted lock, re-entrant or not: an owner, and the line of those who want it. Among these are threads that waited for
// a condition on it and are to have it again.

#include "server/engine/dispatch.hpp"
#include "server/objects/ownership.hpp"
#include "tandem/ops/lock.hpp"
#include "tandem/ops/rlock.hpp"

namespace tandem::server {

class Condition;

/// What both kinds share.
class OwnedLock : public Object {
 public:
  // What its operations do, and those of conditions on it.
  Result<Written> acquire(Turn& turn, std::optional<std::int64_t> limit_us);
  Result<void> release(Turn& turn);
  bool locked() const { return ownership_.held(); }
  Result<Written> grant(Turn& turn) const;
  /// not_owner unless the caller holds it.
  Result<void> check_owner(const Turn& turn, std::string_view what) const;

  // For conditions on it. In its line, their waiters have the condition as `origin`, in `kind` how they came here, and in
  // `amount` how deep they held the lock.
  enum Return : std::uint32_t { gave_up, notified, notified_with_all };
  void add(const Condition& condition);
  void forget(const Condition& condition);
  bool has_waiters() const { return !line_.empty(); }
  /// By the caller, who owns it; gives how deep.
  std::uint64_t release_wholly(Turn& turn);
  /// The caller comes from releasing it wholly and waits for it alone.
  void park_to_return(Turn& turn, ObjectId condition, std::uint64_t depth);
  void move_to_return(Turn& turn, Waiter& waiter, Return how);
  void write_returned(wire::Writer& out, Return how) const;

  void serve(Turn&) override;
  void leave(Turn&, Waiter&, Leaving) override;
  void session_ended(Turn&, SessionId) override;
  void going(Turn&) override;
  void each_blocker(const Waiter&, const std::function<void(const Blocker&)>&) const override;
  bool must_be_served(const Waiter& waiter) const override { return waiter.origin != 0; }
  void each_holding(const std::function<void(const Holding&)>&) const override;

  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return 0; }
  void save(wire::Writer& out) const override { ownership_.save(out); }
  std::optional<std::uint64_t> show(std::uint64_t cursor, const LookAt& look) const override;

 protected:
  explicit OwnedLock(bool reentrant) : reentrant_(reentrant) {}

 private:
  const bool reentrant_;
  Ownership ownership_;
  Line line_;
  std::vector<ObjectId> conditions_;
};

template <class TheOps, bool reentrant>
class LockOf final : public OwnedLock {
 public:
  using Ops = TheOps;

  LockOf() : OwnedLock(reentrant) {}

  Result<void> on(typename Ops::Create, Turn&) { return {}; }
  Result<Written> on(typename Ops::Acquire, Turn& turn, std::optional<std::int64_t> limit_us) {
    return acquire(turn, limit_us);
  }
  Result<void> on(typename Ops::Release, Turn& turn) { return release(turn); }
  Result<bool> on(typename Ops::Locked, Turn&) { return locked(); }
  Result<Written> on(typename Ops::Grant, Turn& turn) { return grant(turn); }
  Result<Written> on(typename Ops::Owners, Turn& turn) {
    write_owners(turn, *this);
    return Written{};
  }

  const Type& type() const override { return type_of<LockOf>(); }
};

using Lock = LockOf<ops::Lock, false>;
using RLock = LockOf<ops::RLock, true>;

}  // namespace tandem::server
