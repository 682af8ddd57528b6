#pragma once
// Ownership of one lock: the common part of Lock, RLock, SharedLock's writer and each key of Locks.

#include "server/engine/call_context.hpp"
#include "server/engine/state.hpp"

namespace tandem::server {

// Values of Holding::how for locks.
inline constexpr std::string_view holding_exclusive = "exclusive";
inline constexpr std::string_view holding_shared = "shared";

/// Writes the reply to a granted request (ops::GrantFacts).
void write_grant(wire::Writer& out, std::uint64_t token, bool previous_owner_died);
/// Writes the reply when nothing was granted: token 0.
void write_no_grant(wire::Writer& out);

/// Writes all owners of the object, each as [session, process, thread, shared, depth, token, microseconds
/// held].
void write_owners(CallContext& context, const Object& object);
void write_owner(CallContext& context, const Holding& holding);

class Ownership {
 public:
  bool held() const { return depth_ != 0; }
  bool held_by(Owner owner) const { return depth_ != 0 && owner_ == owner; }
  bool held_by_any(const EndedOwners& owners) const { return depth_ != 0 && owners.includes(owner_); }
  /// Valid while held.
  Owner owner() const { return owner_; }
  /// Number of releases until it is free; 0: free.
  std::uint64_t depth() const { return depth_; }
  /// Valid while held; 0: taken, but not granted yet.
  std::uint64_t token() const { return token_; }
  std::uint64_t since_ns() const { return since_ns_; }
  /// While held: whether the owner before the current one died. While free: whether the last owner died.
  bool previous_owner_died() const { return previous_owner_died_; }

  /// Grants the lock, which must be free, to a new owner, with a new token.
  void grant(CallContext& context, Object& object, Owner owner, std::uint64_t depth = 1);
  // For multi-key grants: take() reserves without a reply, set_token() sets the shared token, give_back()
  // cancels.
  void take(CallContext& context, Object& object, Owner owner);
  void set_token(std::uint64_t token) { token_ = token; }
  void give_back(CallContext& context, Object& object);
  /// Re-entrant acquisition by the owner.
  void reenter() { ++depth_; }
  /// Releases one level of the owner; returns whether the lock is free now.
  bool release(CallContext& context, Object& object);
  /// Releases all levels of the owner.
  void end(CallContext& context, Object& object);
  /// Releases the lock because its owner ended; the next grant reports this.
  void orphan(CallContext& context);

  void write_grant(wire::Writer& out) const { server::write_grant(out, token_, previous_owner_died_); }
  /// Returns the not_owner failure for a caller that does not own `lock`; `what` is the refused action.
  Failure not_owner(const CallContext& context, std::string_view lock, std::string_view what) const;
  void save(StateWriter& out) const;
  void load(StateReader& in);
  Holding holding() const;

 private:
  Owner owner_;
  std::uint64_t depth_ = 0;
  std::uint64_t token_ = 0;
  std::uint64_t since_ns_ = 0;
  bool previous_owner_died_ = false;
};

}  // namespace tandem::server
