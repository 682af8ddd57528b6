#include "server/engine/overview.hpp"

#include <array>
#include <charconv>

#include "server/engine/deadlocks.hpp"
#include "server/values/semantics.hpp"
#include "tandem/text.hpp"

namespace tandem::server {
namespace {

// Bounds of one page, so that the step that makes it is short.
constexpr std::size_t examined_max = 8'192;  // objects and holdings
constexpr std::size_t names_bytes_max = std::size_t{256} * 1024;
constexpr std::size_t key_bytes_max = 1'024;  // longer keys are shown cut

ObjectLabel label_of(const Object& object) {
  return {object.id(), std::string(object.type().name), object.name()};
}

HoldingInfo info_of(const EngineState& state, std::uint64_t now_ns, const Object& object,
                    const Holding& holding) {
  HoldingInfo info;
  info.object = label_of(object);
  info.owner = holding.owner;
  info.pid = state.pid_of(holding.owner.session);
  info.mode = holding.mode;
  if (!holding.key.bytes.empty()) info.key = tandem::to_text(holding.key.bytes, key_bytes_max);
  info.count = holding.count;
  info.token = holding.token;
  info.held_ns = now_ns > holding.since_ns ? now_ns - holding.since_ns : 0;
  return info;
}

}  // namespace

std::string to_text(const ObjectLabel& object) {
  return object.type + ' ' + (object.name.empty() ? std::to_string(object.id) : quote(object.name));
}

std::string to_text(const HoldingInfo& holding) {
  std::string text;
  if (!holding.key.empty()) text = "key " + holding.key + " of ";
  else if (holding.count != 1) text = std::to_string(holding.count) + " × ";
  text += to_text(holding.object);
  if (holding.token != 0) text += " (token " + std::to_string(holding.token) + ")";
  return text;
}

std::string to_text(const HoldingsCursor& cursor) {
  std::string text = std::to_string(cursor.object);
  if (cursor.within)
    text += ':' + std::to_string(cursor.within->first) + ':' + std::to_string(cursor.within->second);
  return text;
}

std::optional<HoldingsCursor> parse_holdings_cursor(std::string_view text) {
  if (text.empty()) return HoldingsCursor{};
  std::array<std::uint64_t, 3> numbers{};
  std::size_t count = 0;
  for (const char* at = text.data();;) {
    auto [end, error] = std::from_chars(at, text.data() + text.size(), numbers[count]);
    if (error != std::errc() || end == at) return std::nullopt;
    ++count;
    if (end == text.data() + text.size()) break;
    if (*end != ':' || count == numbers.size()) return std::nullopt;
    at = end + 1;
  }
  if (count == 1) return HoldingsCursor{numbers[0]};
  if (count == 2) return std::nullopt;
  return HoldingsCursor{numbers[0], HoldingCursor{numbers[1], numbers[2]}};
}

std::vector<HoldingInfo> holdings_of(const EngineState& state, std::uint64_t now_ns, SessionId session,
                                     std::size_t limit, bool& more) {
  std::vector<HoldingInfo> found;
  more = false;
  std::size_t examined = 0;
  for (ObjectId id : state.holdings.of({session, std::nullopt})) {
    const Object* object = state.registry.find(id);
    if (object == nullptr) continue;
    std::optional<HoldingCursor> cursor = HoldingCursor{};
    while (cursor && !more)
      cursor = object->visit_holdings(*cursor, [&](const Holding& holding) {
        const bool wanted = holding.owner.session == session;
        if (wanted && found.size() < limit) found.push_back(info_of(state, now_ns, *object, holding));
        else more = wanted || ++examined == examined_max;
        return !more;
      });
    if (more) break;
  }
  return found;
}

HoldingsPage holdings(const EngineState& state, std::uint64_t now_ns, const HoldingsCursor& after,
                      std::size_t limit) {
  HoldingsPage page;
  std::size_t examined = 0;
  std::size_t bytes = 0;
  auto is_full = [&] {
    return page.holdings.size() >= limit || bytes >= names_bytes_max || examined >= examined_max;
  };
  HoldingsCursor at = after;
  // Returns whether there was room for all that is left of the object.
  auto take_from = [&](const Object& object, HoldingCursor from) {
    std::optional<HoldingCursor> cursor = from;
    while (cursor && !is_full()) {
      cursor = object.visit_holdings(*cursor, [&](const Holding& holding) {
        page.holdings.push_back(info_of(state, now_ns, object, holding));
        bytes += page.holdings.back().object.name.size() + page.holdings.back().key.size();
        return !is_full();
      });
      examined += cursor ? examined_max / 2 : 1;  // it may have examined as many that nothing owns
    }
    at = {object.id(), cursor};
    return !cursor;
  };
  if (after.within)
    if (const Object* object = state.registry.find(after.object))
      if (!take_from(*object, *after.within)) return page.next = at, page;
  state.registry.each(after.object, [&](const Object& object) {
    if (is_full()) return page.next = at, false;
    if (!take_from(object, {})) return page.next = at, false;
    return true;
  });
  return page;
}

std::vector<WaitInfo> waits(const EngineState& state, std::uint64_t now_ns, Ticket after, std::size_t limit,
                            Ticket& next) {
  std::vector<WaitInfo> found;
  next = 0;
  state.waits.each_behind(after, [&](const Waiter& waiter) {
    if (found.size() == limit) {
      next = found.back().ticket;
      return false;
    }
    WaitInfo info;
    info.ticket = waiter.ticket;
    info.object = label_of(*waiter.object);
    info.owner = waiter.owner;
    info.pid = state.pid_of(waiter.owner.session);
    info.operation = state.operations.at(waiter.operation).type->name;
    info.operation += '.';
    info.operation += state.operations.at(waiter.operation).op->name;
    info.waited_ns = now_ns > waiter.since_ns ? now_ns - waiter.since_ns : 0;
    if (waiter.deadline_ns != never_ns)
      info.left_ns = waiter.deadline_ns > now_ns ? waiter.deadline_ns - now_ns : 0;
    found.push_back(std::move(info));
    return true;
  });
  return found;
}

std::vector<std::string> deadlocks(const EngineState& state) {
  std::vector<std::string> texts;
  for (const WaitCycle& cycle : find_cycles(state.waits))
    texts.push_back(describe(cycle, [&](SessionId session) { return state.pid_of(session); }));
  return texts;
}

}  // namespace tandem::server
