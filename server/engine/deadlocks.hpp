#pragma once
// Cycles among requests that wait: each waits for something that the thread of the next one holds, and none ever ends by
// itself. Who holds what a waiter needs, the objects say (Object::each_blocker); the rest is a search through the graph.
//
// A cycle can come about only when somebody begins to wait, or goes on to wait for something else: whoever gets a lock
// waits for nothing else at that time. So those are looked at, once each, and the cycle is found that goes through
// them.

#include <optional>
#include <string>
#include <vector>

#include "server/engine/object.hpp"

namespace tandem::server {

struct WaitCycle {
  struct Link {
    const Waiter* waiter;  // waits…
    Blocker blocker;       // …for this thread, which is the next link's waiter's
  };
  std::vector<Link> links;  // at least one

  /// Whether none of its waits has a time limit.
  bool for_ever() const;
};

/// The shortest cycle through `waiter`; nothing when there is none. `for_ever`: only waits without a time limit count.
std::optional<WaitCycle> find_cycle(const Waits& waits, const Waiter& waiter, bool for_ever);

/// Cycles that every waiter who is in one is in; those with time limits too.
std::vector<WaitCycle> find_cycles(const Waits& waits);

/// `session 3 (process 4711) thread 1 waits for lock "a", held by session 4 (process 4712) thread 1, which waits for …`
std::string describe(const WaitCycle& cycle, const std::function<std::uint32_t(SessionId)>& pid_of);

/// `lock "a"`, or `lock 17` when it has no name.
std::string describe(const Object& object);
/// `session 3 (process 4711) thread 1`
std::string describe(Owner who, const std::function<std::uint32_t(SessionId)>& pid_of);

}  // namespace tandem::server
