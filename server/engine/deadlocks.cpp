#include "server/engine/deadlocks.hpp"

#include <algorithm>
#include <set>

#include "server/values/semantics.hpp"

namespace tandem::server {
namespace {

/// A thread that was found on the way from a waiter to those whom it waits for, directly or not.
struct Found {
  std::size_t before = 0;          // who waits for it, by place among all found
  const Waiter* waiter = nullptr;  // by this request
  Blocker blocker;
};

Circle circle_back_from(const std::vector<Found>& found, Found last) {
  Circle circle;
  circle.links.push_back({last.waiter, last.blocker});
  for (std::size_t at = last.before; at != 0; at = found[at].before)
    circle.links.push_back({found[at].waiter, found[at].blocker});
  std::reverse(circle.links.begin(), circle.links.end());
  return circle;
}

}  // namespace

bool Circle::for_ever() const {
  return std::all_of(links.begin(), links.end(),
                     [](const Link& l) { return l.waiter->deadline_ns == never_ns; });
}

/// Breadth first, so that the shortest one is found. Each thread is looked at once, whatever many wait for it.
std::optional<Circle> find_circle(const Waits& waits, const Waiter& waiter, bool for_ever) {
  if (for_ever && waiter.deadline_ns != never_ns) return std::nullopt;
  std::vector<Found> found(1);  // the first is the waiter's own thread
  std::set<Owner> seen;
  std::optional<Circle> circle;
  auto look_at = [&](const Waiter& request, std::size_t before) {
    if (circle || (for_ever && request.deadline_ns != never_ns) || request.object->is_watched_by(request))
      return;
    request.object->each_blocker(request, [&](const Blocker& blocker) {
      if (circle) return;
      if (blocker.who == waiter.who) circle = circle_back_from(found, {before, &request, blocker});
      else if (seen.insert(blocker.who).second) found.push_back({before, &request, blocker});
    });
  };
  look_at(waiter, 0);
  for (std::size_t i = 1; i < found.size() && !circle; ++i)
    waits.each_of(found[i].blocker.who, [&](const Waiter& request) { look_at(request, i); });
  return circle;
}

std::vector<Circle> find_circles(const Waits& waits) {
  std::vector<Circle> circles;
  std::set<Ticket> listed;
  waits.each([&](const Waiter& waiter) {
    if (listed.count(waiter.ticket) != 0) return;
    std::optional<Circle> circle = find_circle(waits, waiter, false);
    if (!circle) return;
    for (const Circle::Link& link : circle->links) listed.insert(link.waiter->ticket);
    circles.push_back(std::move(*circle));
  });
  return circles;
}

std::string describe(const Object& object) {
  return std::string(object.type().name) + " " +
         (object.named() ? quote(object.name()) : std::to_string(object.id()));
}

std::string Object::describe_wait(const Waiter&) const {
  return describe(*this);
}

std::string describe(Owner who, const std::function<std::uint32_t(SessionId)>& pid_of) {
  const std::uint32_t pid = pid_of(who.session);
  return "session " + std::to_string(who.session) +
         (pid == 0 ? "" : " (process " + std::to_string(pid) + ")") + " thread " + std::to_string(who.actor);
}

std::string describe(const Circle& circle, const std::function<std::uint32_t(SessionId)>& pid_of) {
  std::string text = describe(circle.links.front().waiter->who, pid_of);
  for (const Circle::Link& link : circle.links) {
    const Waiter& waiter = *link.waiter;
    if (&link != &circle.links.front()) text += ", which";
    text += " waits for " + waiter.object->describe_wait(waiter);
    const bool itself = link.blocker.who == waiter.who;
    if (!link.blocker.holds) text += ", behind " + describe(link.blocker.who, pid_of) + " in the line";
    else if (itself) text += ", which it holds itself";
    else text += ", held by " + describe(link.blocker.who, pid_of);
  }
  return text;
}

}  // namespace tandem::server
