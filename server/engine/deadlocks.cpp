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

// ---- all cycles -------------------------------------------------------------------------------------------

Ticket copy_edges(const Waits& waits, Ticket after, std::size_t edges_max, std::vector<WaitEdge>& edges) {
  const std::size_t before = edges.size();
  std::size_t examined = 0;
  Ticket last = after;
  bool at_end = true;
  waits.each_behind(after, [&](const Waiter& waiter) {
    if (edges.size() - before >= edges_max || examined == edges_max) return at_end = false;
    ++examined;
    last = waiter.ticket;
    if (waiter.object->is_watched_by(waiter)) return true;
    waiter.object->each_blocker(waiter, [&](const Blocker& blocker) {
      edges.push_back({waiter.ticket, waiter.owner, blocker.owner});
    });
    return true;
  });
  return at_end ? 0 : last;
}

namespace {

/// The wait-for graph between threads, with indices instead of pointers.
class WaitGraph {
 public:
  explicit WaitGraph(std::span<const WaitEdge> edges) : edges_(edges) {
    for (const WaitEdge& edge : edges) {
      owners_.push_back(edge.owner);
      owners_.push_back(edge.blocker);
    }
    std::sort(owners_.begin(), owners_.end());
    owners_.erase(std::unique(owners_.begin(), owners_.end()), owners_.end());
    first_edge_.assign(owners_.size() + 1, 0);
    for (const WaitEdge& edge : edges) {
      from_.push_back(index_of(edge.owner));
      to_.push_back(index_of(edge.blocker));
      ++first_edge_[from_.back() + 1];
    }
    for (std::size_t i = 1; i < first_edge_.size(); ++i) first_edge_[i] += first_edge_[i - 1];
    edges_of_.resize(edges.size());
    std::vector<std::size_t> next(first_edge_.begin(), first_edge_.end() - 1);
    for (std::size_t edge = 0; edge < edges.size(); ++edge) edges_of_[next[from_[edge]]++] = edge;
    find_components();
  }

  std::vector<std::vector<WaitEdge>> cycles() {
    std::vector<std::vector<WaitEdge>> found;
    std::vector<bool> listed(edges_.size(), false);      // its waiter is in a cycle of `found`
    std::vector<bool> has_cycle(owners_.size(), false);  // by component
    seen_in_.assign(owners_.size(), 0);
    std::size_t left = 2 * edges_.size() + 1'000;  // for more than one cycle of a component
    for (std::size_t edge = 0; edge < edges_.size(); ++edge) {
      const std::size_t component = component_of_[from_[edge]];
      if (listed[edge] || component_of_[to_[edge]] != component) continue;
      if (has_cycle[component] && left == 0) continue;
      std::size_t work = 0;
      const std::vector<std::size_t> cycle = shortest_through(edge, work);
      if (has_cycle[component]) left -= std::min(left, work);
      has_cycle[component] = true;
      for (std::size_t link : cycle) list_waiter_of(link, listed);
      std::vector<WaitEdge>& added = found.emplace_back();
      for (std::size_t link : cycle) added.push_back(edges_[link]);
    }
    return found;
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  std::size_t index_of(Owner owner) const {
    return static_cast<std::size_t>(std::lower_bound(owners_.begin(), owners_.end(), owner) -
                                    owners_.begin());
  }

  /// Tarjan's algorithm, without recursion: threads that block each other get the same component.
  void find_components() {
    constexpr std::size_t unvisited = none;
    std::vector<std::size_t> number(owners_.size(), unvisited), low(owners_.size(), 0);
    std::vector<std::size_t> stack, path, next(first_edge_.begin(), first_edge_.end() - 1);
    component_of_.assign(owners_.size(), none);
    std::size_t numbers = 0;
    for (std::size_t root = 0; root < owners_.size(); ++root) {
      if (number[root] != unvisited) continue;
      path.push_back(root);
      while (!path.empty()) {
        const std::size_t at = path.back();
        if (number[at] == unvisited) {
          number[at] = low[at] = numbers++;
          stack.push_back(at);
        }
        if (next[at] != first_edge_[at + 1]) {
          const std::size_t to = to_[edges_of_[next[at]++]];
          if (number[to] == unvisited) path.push_back(to);
          else if (component_of_[to] == none) low[at] = std::min(low[at], number[to]);
          continue;
        }
        path.pop_back();
        if (!path.empty()) low[path.back()] = std::min(low[path.back()], low[at]);
        if (low[at] != number[at]) continue;
        for (std::size_t member = none; member != at;) {
          member = stack.back();
          stack.pop_back();
          component_of_[member] = at;
        }
      }
    }
  }

  /// Breadth first within the component, from the waiter of `edge`. Its edges are adjacent.
  std::vector<std::size_t> shortest_through(std::size_t edge, std::size_t& work) {
    const std::size_t target = from_[edge];
    const Ticket ticket = edges_[edge].ticket;
    ++searches_;
    std::vector<std::pair<std::size_t, std::size_t>> reached;  // by which edge, from which of `reached`
    std::size_t last = none;
    auto follow = [&](std::size_t by, std::size_t before) {
      ++work;
      if (component_of_[to_[by]] != component_of_[target]) return false;
      if (to_[by] == target) {
        reached.emplace_back(by, before);
        last = reached.size() - 1;
        return true;
      }
      if (seen_in_[to_[by]] == searches_) return false;
      seen_in_[to_[by]] = searches_;
      reached.emplace_back(by, before);
      return false;
    };
    for (; edge < edges_.size() && edges_[edge].ticket == ticket && last == none; ++edge) follow(edge, none);
    for (std::size_t at = 0; last == none; ++at) {
      const std::size_t thread = to_[reached[at].first];
      for (std::size_t i = first_edge_[thread]; i != first_edge_[thread + 1]; ++i)
        if (follow(edges_of_[i], at)) break;
    }
    std::vector<std::size_t> cycle;
    for (std::size_t at = last; at != none; at = reached[at].second) cycle.push_back(reached[at].first);
    std::reverse(cycle.begin(), cycle.end());
    return cycle;
  }

  /// The edges of one waiter are adjacent.
  void list_waiter_of(std::size_t edge, std::vector<bool>& listed) const {
    const Ticket ticket = edges_[edge].ticket;
    for (std::size_t at = edge; at < edges_.size() && edges_[at].ticket == ticket && !listed[at]; ++at)
      listed[at] = true;
    for (std::size_t at = edge; at > 0 && edges_[at - 1].ticket == ticket && !listed[at - 1]; --at)
      listed[at - 1] = true;
  }

  const std::span<const WaitEdge> edges_;
  std::vector<Owner> owners_;            // sorted
  std::vector<std::size_t> from_, to_;   // of each edge: indices in owners_
  std::vector<std::size_t> edges_of_;    // by owner, in ticket order
  std::vector<std::size_t> first_edge_;  // of each owner, in edges_of_
  std::vector<std::size_t> component_of_;
  std::vector<std::size_t> seen_in_;  // the last search that reached the owner
  std::size_t searches_ = 0;
};

}  // namespace

std::vector<std::vector<WaitEdge>> find_cycles(std::span<const WaitEdge> edges) {
  return WaitGraph(edges).cycles();
}

std::optional<WaitCycle::Link> find_link(const Waits& waits, const WaitEdge& edge) {
  const Waiter* waiter = waits.find(edge.ticket);
  if (waiter == nullptr || waiter->object->is_watched_by(*waiter)) return std::nullopt;
  std::optional<WaitCycle::Link> link;
  waiter->object->each_blocker(*waiter, [&](const Blocker& blocker) {
    if (blocker.owner == edge.blocker) link = {waiter, blocker};
  });
  return link;
}

std::vector<WaitCycle> find_cycles(const Waits& waits) {
  std::vector<WaitEdge> edges;
  (void)copy_edges(waits, 0, static_cast<std::size_t>(-1), edges);
  std::vector<WaitCycle> cycles;
  for (const std::vector<WaitEdge>& found : find_cycles(edges)) {
    WaitCycle& cycle = cycles.emplace_back();
    for (const WaitEdge& edge : found) cycle.links.push_back(*find_link(waits, edge));
  }
  return cycles;
}

// ---- as text ----------------------------------------------------------------------------------------------

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

std::string describe(const WaitCycle& cycle, const std::function<std::uint32_t(SessionId)>& pid_of,
                     std::size_t links_left) {
  const std::size_t shown = std::min(cycle.links.size(), links_described_max);
  std::string text = describe(cycle.links.front().waiter->owner, pid_of);
  for (const WaitCycle::Link& link : std::span(cycle.links).first(shown)) {
    const Waiter& waiter = *link.waiter;
    if (&link != &cycle.links.front()) text += ", which";
    text += " waits for " + waiter.object->describe_wait(waiter);
    const bool itself = link.blocker.owner == waiter.owner;
    if (!link.blocker.holds) text += ", behind " + describe(link.blocker.owner, pid_of) + " in the queue";
    else if (itself) text += ", which it holds itself";
    else text += ", held by " + describe(link.blocker.owner, pid_of);
  }
  links_left += cycle.links.size() - shown;
  if (links_left != 0) text += ", and so on through " + std::to_string(links_left) + " more";
  return text;
}

}  // namespace tandem::server
