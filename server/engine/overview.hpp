#pragma once
// Waits and holdings, copied out of the engine for display.

#include <string>
#include <vector>

#include "server/engine/call_context.hpp"

namespace tandem::server {

struct ObjectLabel {
  ObjectId id = 0;
  std::string type;
  std::string name;  // empty: none
};
/// `lock "jobs"`, or `lock 17` if it has no name.
std::string to_text(const ObjectLabel& object);

struct HoldingInfo {
  ObjectLabel object;
  Owner owner;
  std::uint32_t pid = 0;  // 0: not known
  std::string mode;       // "exclusive", "shared", "permits", …
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
  Owner owner;
  std::uint32_t pid = 0;
  // "condition.wait"; its type differs from the object's while the request reacquires a lock.
  std::string operation;
  std::uint64_t waited_ns = 0;
  std::uint64_t left_ns = never_ns;  // never_ns: waits without limit
};

// Times are told as of `now_ns`; the engine's own time is that of its last change.

/// What `session` owns, at most `limit` holdings; `more` is set if there may be further ones, which a bounded
/// search has not seen.
std::vector<HoldingInfo> holdings_of(const EngineState& state, std::uint64_t now_ns, SessionId session,
                                     std::size_t limit, bool& more);
/// A place among all holdings: after those of the objects with ids up to `object`, or, if `within`, after some
/// of those of `object`.
struct HoldingsCursor {
  ObjectId object = 0;
  std::optional<HoldingCursor> within{};
};
/// As text: "17", "17:3:1".
std::string to_text(const HoldingsCursor& cursor);
/// "" is the beginning. Returns nullopt if it is no cursor.
std::optional<HoldingsCursor> parse_holdings_cursor(std::string_view text);

struct HoldingsPage {
  std::vector<HoldingInfo> holdings;
  std::optional<HoldingsCursor> next;  // none at the end
};
/// Holdings after `after`, in the order of objects' ids: at most `limit`. Examines a bounded number of objects,
/// holdings and bytes, so the page may be short, or empty, before the end.
HoldingsPage holdings(const EngineState& state, std::uint64_t now_ns, const HoldingsCursor& after,
                      std::size_t limit);
/// Waiters with tickets above `after`, oldest first, at most `limit`. `next` is the `after` of the next page, 0
/// at the end.
std::vector<WaitInfo> waits(const EngineState& state, std::uint64_t now_ns, Ticket after, std::size_t limit,
                            Ticket& next);

/// The current deadlocks as text, each naming every link: those that a time limit ends, and all if
/// refuse_deadlocks is off.
std::vector<std::string> deadlocks(const EngineState& state);

}  // namespace tandem::server
