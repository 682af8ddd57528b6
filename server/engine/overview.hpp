#pragma once
// Who waits for what, and who owns it: copied out of the engine for people to read.

#include <string>
#include <vector>

#include "server/engine/call_context.hpp"

namespace tandem::server {

struct ObjectLabel {
  ObjectId id = 0;
  std::string type;
  std::string name;  // empty: none
};
/// `lock "jobs"`, or `lock 17` for one without a name.
std::string to_text(const ObjectLabel& object);

struct HoldingInfo {
  ObjectLabel object;
  Owner who;
  std::uint32_t pid = 0;  // 0: not known
  std::string how;        // "exclusive", "shared", "permits", …
  std::string key;        // as text; empty: none
  std::uint64_t count = 1;
  std::uint64_t token = 0;  // 0: none
  std::uint64_t held_ns = 0;
};
/// `key "doc-42" of locks "documents" (token 7)`.
std::string to_text(const HoldingInfo& holding);

struct WaitInfo {
  Ticket ticket = 0;
  ObjectLabel object;
  Owner who;
  std::uint32_t pid = 0;
  std::string operation;  // "condition.wait"; of another type than the object where it waits for a lock again
  std::uint64_t waited_ns = 0;
  std::uint64_t left_ns = never_ns;  // never_ns: waits without limit
};

/// What `session` owns, at most so much of it; then `more` says that there is more.
std::vector<HoldingInfo> holdings_of(const EngineState& state, SessionId session, std::size_t limit,
                                     bool& more);
/// What anybody owns of the objects behind id `after`, in the order of ids: whole objects, until there are `limit`.
/// `next`: the id to go on behind, 0 at the end.
std::vector<HoldingInfo> holdings(const EngineState& state, ObjectId after, std::size_t limit,
                                  ObjectId& next);
/// Waiters behind ticket `after`, oldest first. `next` likewise.
std::vector<WaitInfo> waits(const EngineState& state, Ticket after, std::size_t limit, Ticket& next);

/// Cycles of owners who wait for each other, each with every link named: those with a time limit, and all where cycles
/// are not refused.
std::vector<std::string> deadlocks(const EngineState& state);

}  // namespace tandem::server
