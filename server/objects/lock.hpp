#pragma once
// The hosted lock, re-entrant or not: an owner, and the line of those who want it.

#include "server/engine/dispatch.hpp"
#include "server/objects/ownership.hpp"
#include "tandem/ops/lock.hpp"
#include "tandem/ops/rlock.hpp"

namespace tandem::server {

/// What both kinds share.
class OwnedLock : public Object {
 public:
  void serve(Turn&) override;
  void leave(Turn&, Waiter&, Leaving) override;
  void session_ended(Turn&, SessionId) override;
  void each_holding(const std::function<void(const Holding&)>&) const override;

  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return 0; }
  void save(wire::Writer& out) const override { ownership_.save(out); }
  std::optional<std::uint64_t> show(std::uint64_t cursor, const LookAt& look) const override;

 protected:
  explicit OwnedLock(bool reentrant) : reentrant_(reentrant) {}

  Result<Written> acquire(Turn& turn, std::optional<std::int64_t> limit_us);
  Result<void> release(Turn& turn);
  bool locked() const { return ownership_.held(); }
  Result<Written> grant(Turn& turn) const;

 private:
  Failure not_owner(const Turn& turn, std::string_view what) const;

  const bool reentrant_;
  Ownership ownership_;
  Line line_;
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

  const Type& type() const override { return type_of<LockOf>(); }
};

using Lock = LockOf<ops::Lock, false>;
using RLock = LockOf<ops::RLock, true>;

}  // namespace tandem::server
