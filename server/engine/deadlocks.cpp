#include "server/engine/deadlocks.hpp"

#include <algorithm>
#include <set>

#include "server/values/semantics.hpp"

namespace tandem::server {
namespace {

/// A thread found in the search through the wait-for graph.
struct Found {
  std::size_t before = 0;          // index in `found` of the thread that it blocks
  const Waiter* waiter = nullptr;  // the request of that thread
  Blocker blocker;
};

WaitCycle cycle_back_from(const std::vector<Found>& found, Found last) {
  WaitCycle cycle;
  cycle.links.push_back({last.waiter, last.blocker});
  for (std::size_t at = last.before; at != 0; at = found[at].before)
    cycle.links.push_back({found[at].waiter, found[at].blocker});
  std::reverse(cycle.links.begin(), cycle.links.end());
  return cycle;
}

}  // namespace

bool WaitCycle::for_ever() const {
  return std::all_of(links.begin(), links.end(),
                     [](const Link& l) { return l.waiter->deadline_ns == never_ns; });
}

/// Searches breadth first, so that the shortest cycle is found. Each thread is visited once, however many
/// others it blocks.
std::optional<WaitCycle> find_cycle(const Waits& waits, const Waiter& waiter, bool for_ever) {
  if (for_ever && waiter.deadline_ns != never_ns) return std::nullopt;
  std::vector<Found> found(1);  // the first is the waiter's own thread
  std::set<Owner> seen;
  std::optional<WaitCycle> cycle;
  auto look_at = [&](const Waiter& request, std::size_t before) {
    if (cycle || (for_ever && request.deadline_ns != never_ns) || request.object->is_watched_by(request))
      return;
    request.object->each_blocker(request, [&](const Blocker& blocker) {
      if (cycle) return;
      if (blocker.owner == waiter.owner) cycle = cycle_back_from(found, {before, &request, blocker});
      else if (seen.insert(blocker.owner).second) found.push_back({before, &request, blocker});
    });
  };
  look_at(waiter, 0);
  for (std::size_t i = 1; i < found.size() && !cycle; ++i)
    waits.each_blockable_of(found[i].blocker.owner, [&](const Waiter& request) {
      look_at(request, i);
      return !cycle;
    });
  return cycle;
}

std::vector<WaitCycle> find_cycles(const Waits& waits) {
  std::vector<WaitCycle> deadlocks;
  std::set<Ticket> listed;
  waits.each([&](const Waiter& waiter) {
    if (listed.count(waiter.ticket) != 0) return;
    std::optional<WaitCycle> cycle = find_cycle(waits, waiter, false);
    if (!cycle) return;
    for (const WaitCycle::Link& link : cycle->links) listed.insert(link.waiter->ticket);
    deadlocks.push_back(std::move(*cycle));
  });
  return deadlocks;
}

std::string describe(const Object& object) {
  return std::string(object.type().name) + " " +
         (object.named() ? quote(object.name()) : std::to_string(object.id()));
}

std::string Object::describe_wait(const Waiter&) const {
  return describe(*this);
}

std::string describe(Owner owner, const std::function<std::uint32_t(SessionId)>& pid_of) {
  const std::uint32_t pid = pid_of(owner.session);
  return "session " + std::to_string(owner.session) +
         (pid == 0 ? "" : " (process " + std::to_string(pid) + ")") + " thread " +
         std::to_string(owner.actor);
}

std::string describe(const WaitCycle& cycle, const std::function<std::uint32_t(SessionId)>& pid_of) {
  std::string text = describe(cycle.links.front().waiter->owner, pid_of);
  for (const WaitCycle::Link& link : cycle.links) {
    const Waiter& waiter = *link.waiter;
    if (&link != &cycle.links.front()) text += ", which";
    text += " waits for " + waiter.object->describe_wait(waiter);
    const bool itself = link.blocker.owner == waiter.owner;
    if (!link.blocker.holds) text += ", behind " + describe(link.blocker.owner, pid_of) + " in the line";
    else if (itself) text += ", which it holds itself";
    else text += ", held by " + describe(link.blocker.owner, pid_of);
  }
  return text;
}

}  // namespace tandem::server
