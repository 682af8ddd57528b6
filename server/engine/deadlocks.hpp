#pragma once
// Deadlock detection: cycles in the wait-for graph, where each waiter is blocked by the thread of the next.
// The objects report which threads block a waiter (Object::each_blocker); the rest is a graph search.
//
// A cycle can only arise when a request starts to wait or starts waiting for something else: a thread that is
// granted a lock waits for nothing else at that time. Each such request is checked once, for a cycle through
// it.

#include <optional>
#include <string>
#include <vector>

#include "server/engine/object.hpp"

namespace tandem::server {

struct WaitCycle {
  struct Link {
    const Waiter* waiter;  // is blocked…
    Blocker blocker;       // …by this thread, which made the next link's request
  };
  std::vector<Link> links;  // at least one

  /// Whether none of its waits has a time limit.
  bool for_ever() const;
};

/// The shortest cycle through `waiter`, if there is one. `for_ever`: only waits without a time limit count.
std::optional<WaitCycle> find_cycle(const Waits& waits, const Waiter& waiter, bool for_ever);

/// Cycles that together contain every waiter that is part of one, including waits with time limits.
std::vector<WaitCycle> find_cycles(const Waits& waits);

/// `session 3 (process 4711) thread 1 waits for lock "a", held by session 4 (process 4712) thread 1, which
/// waits for …`
std::string describe(const WaitCycle& cycle, const std::function<std::uint32_t(SessionId)>& pid_of);

/// `lock "a"`, or `lock 17` if it has no name.
std::string describe(const Object& object);
/// `session 3 (process 4711) thread 1`
std::string describe(Owner owner, const std::function<std::uint32_t(SessionId)>& pid_of);

}  // namespace tandem::server
