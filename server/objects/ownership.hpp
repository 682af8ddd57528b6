#pragma once
// Who owns one lock: what Lock, RLock, SharedLock's writer and each key of Locks have in common.

#include "server/engine/call_context.hpp"

namespace tandem::server {

// Holding::how of locks.
inline constexpr std::string_view holding_exclusive = "exclusive";
inline constexpr std::string_view holding_shared = "shared";

/// Answers with what is told of a grant (ops::GrantFacts).
void write_grant(wire::Writer& out, std::uint64_t token, bool previous_owner_died);
/// The same where nothing was granted.
void write_no_grant(wire::Writer& out);

/// Answers with everybody who owns a part of the object: [session, process, thread, shared, depth, token, microseconds
/// since] each.
void write_owners(CallContext& context, const Object& object);
void write_owner(CallContext& context, const Holding& holding);

class Ownership {
 public:
  bool held() const { return depth_ != 0; }
  bool held_by(Owner who) const { return depth_ != 0 && owner_ == who; }
  bool held_by_session(SessionId session) const { return depth_ != 0 && owner_.session == session; }
  /// Good while held.
  Owner owner() const { return owner_; }
  /// How often its owner has to release it; 0: free.
  std::uint64_t depth() const { return depth_; }
  /// 0: taken, but not told.
  std::uint64_t token() const { return token_; }
  std::uint64_t since_ns() const { return since_ns_; }
  /// While held: of the owner before, as the owner was told. While free: of the last owner.
  bool previous_owner_died() const { return previous_owner_died_; }

  /// To a new owner. It was free.
  void grant(CallContext& context, Object& object, Owner who, std::uint64_t depth = 1);
  // In steps, where several are granted together: taken without anybody being told, then told of the common token, or
  // given back as if it had never been taken.
  void take(CallContext& context, Object& object, Owner who);
  void set_token(std::uint64_t token) { token_ = token; }
  void give_back(CallContext& context, Object& object);
  /// Once more to its owner.
  void reenter() { ++depth_; }
  /// By its owner, who keeps it if this was not its last release. Gives whether it is free now.
  bool release(CallContext& context, Object& object);
  /// By its owner, however deep.
  void end(CallContext& context, Object& object);
  /// The owner's session is over. The next grant tells so.
  void orphan(CallContext& context);

  void write_grant(wire::Writer& out) const { server::write_grant(out, token_, previous_owner_died_); }
  /// Why the caller, who does not own `lock`, cannot have done what it asked.
  Failure not_owner(const CallContext& context, std::string_view lock, std::string_view what) const;
  void save(wire::Writer& out) const;
  Holding holding() const;

 private:
  Owner owner_;
  std::uint64_t depth_ = 0;
  std::uint64_t token_ = 0;
  std::uint64_t since_ns_ = 0;
  bool previous_owner_died_ = false;
};

}  // namespace tandem::server
