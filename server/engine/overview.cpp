#include "server/engine/overview.hpp"

#include "server/engine/deadlocks.hpp"
#include "tandem/text.hpp"

namespace tandem::server {
namespace {

ObjectLabel label_of(const Object& object) {
  return {object.id(), std::string(object.type().name), object.name()};
}

HoldingInfo info_of(const EngineState& state, const Object& object, const Holding& holding) {
  HoldingInfo info;
  info.object = label_of(object);
  info.owner = holding.owner;
  info.pid = state.pid_of(holding.owner.session);
  info.mode = holding.mode;
  if (!holding.key.bytes.empty()) info.key = tandem::to_text(holding.key.bytes);
  info.count = holding.count;
  info.token = holding.token;
  info.held_ns = state.now_ns > holding.since_ns ? state.now_ns - holding.since_ns : 0;
  return info;
}

}  // namespace

std::string to_text(const ObjectLabel& object) {
  return object.type + ' ' + (object.name.empty() ? std::to_string(object.id) : '"' + object.name + '"');
}

std::string to_text(const HoldingInfo& holding) {
  std::string text;
  if (!holding.key.empty()) text = "key " + holding.key + " of ";
  else if (holding.count != 1) text = std::to_string(holding.count) + " × ";
  text += to_text(holding.object);
  if (holding.token != 0) text += " (token " + std::to_string(holding.token) + ")";
  return text;
}

std::vector<HoldingInfo> holdings_of(const EngineState& state, SessionId session, std::size_t limit,
                                     bool& more) {
  std::vector<HoldingInfo> found;
  more = false;
  for (ObjectId id : state.holdings.of(session)) {
    const Object* object = state.registry.find(id);
    if (object == nullptr) continue;
    object->each_holding([&](const Holding& holding) {
      if (holding.owner.session != session) return;
      if (found.size() < limit) found.push_back(info_of(state, *object, holding));
      else more = true;
    });
  }
  return found;
}

std::vector<HoldingInfo> holdings(const EngineState& state, ObjectId after, std::size_t limit,
                                  ObjectId& next) {
  std::vector<HoldingInfo> found;
  next = 0;
  ObjectId last = after;
  for (ObjectId id : state.holdings.objects()) {
    const Object* object = state.registry.find(id);
    if (object == nullptr || id <= after) continue;
    if (found.size() >= limit) {
      next = last;
      break;
    }
    object->each_holding([&](const Holding& holding) { found.push_back(info_of(state, *object, holding)); });
    last = id;
  }
  return found;
}

std::vector<WaitInfo> waits(const EngineState& state, Ticket after, std::size_t limit, Ticket& next) {
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
    info.waited_ns = state.now_ns > waiter.since_ns ? state.now_ns - waiter.since_ns : 0;
    if (waiter.deadline_ns != never_ns)
      info.left_ns = waiter.deadline_ns > state.now_ns ? waiter.deadline_ns - state.now_ns : 0;
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
