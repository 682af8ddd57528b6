#pragma once
// Deadlock detection: cycles in the wait-for graph, where each waiter is blocked by the thread of the next.
// The objects report which threads block a waiter (Object::each_blocker); the rest is a graph search.
//
// A cycle can only arise when a request starts to wait or starts waiting for something else: a thread that is
// granted a lock waits for nothing else at that time. Each such request is checked once, for a cycle through
// it.

#include <optional>
#include <span>
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

/// An edge of the wait-for graph: the request `ticket` of thread `owner` is blocked by thread `blocker`.
struct WaitEdge {
  Ticket ticket = 0;
  Owner owner;
  Owner blocker;
};
/// Appends the edges of waiters with tickets above `after`: all of at least one waiter, about `edges_max` in all.
/// Examines about as many waiters. Returns the `after` of the next call, 0 at the end.
Ticket copy_edges(const Waits& waits, Ticket after, std::size_t edges_max, std::vector<WaitEdge>& edges);
/// Cycles among the edges, which are in ticket order: of each set of threads that block each other at least one,
/// the shortest through its oldest waiter, and further ones, until every waiter that is part of a cycle is in
/// one of them or as much time is spent again as all edges take. In the order of their first tickets. Takes
/// linear time, up to sorting.
std::vector<std::vector<WaitEdge>> find_cycles(std::span<const WaitEdge> edges);
/// The link that the edge describes, unless the request has ended or is no longer blocked by that thread.
std::optional<WaitCycle::Link> find_link(const Waits& waits, const WaitEdge& edge);

/// The cycles that there are now, including waits with time limits.
std::vector<WaitCycle> find_cycles(const Waits& waits);

/// Cycles name so many links; of longer ones, the others are counted.
inline constexpr std::size_t links_described_max = 100;

/// `session 3 (process 4711) thread 1 waits for lock "a", held by session 4 (process 4712) thread 1, which
/// waits for …`. `links_left`: how many more links there are than `cycle` has.
std::string describe(const WaitCycle& cycle, const std::function<std::uint32_t(SessionId)>& pid_of,
                     std::size_t links_left = 0);

/// `lock "a"`, or `lock 17` if it has no name.
std::string describe(const Object& object);
/// `session 3 (process 4711) thread 1`
std::string describe(Owner owner, const std::function<std::uint32_t(SessionId)>& pid_of);

}  // namespace tandem::server
