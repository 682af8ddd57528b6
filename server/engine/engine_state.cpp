// Saving and loading an engine.

#include <algorithm>
#include <memory>
#include <vector>

#include "server/engine/engine.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem::server {
namespace {

constexpr std::uint64_t format = 1;
constexpr std::string_view last_word = "end";

}  // namespace

// ---- saving -----------------------------------------------------------------------------------------------

void Engine::save(StateWriter& out) const {
  const Registry& registry = state_.registry;
  for (const std::uint64_t number : {format, state_.now_ns, state_.waits.next_ticket(), state_.tokens.next(),
                                     registry.next_id(), state_.next_session, registry.unreleased()})
    out.number(number);
  registry.each_unreleased([&](ObjectId object, std::uint64_t references) {
    out.number(object);
    out.number(references);
  });

  const ServerInfo& info = state_.server_info;
  out.text(info.version);
  out.text(info.incarnation_hex);
  out.text(info.boot_id);
  out.number(info.pid);
  out.integer(info.started_ms);
  out.boolean(info.refuse_deadlocks);
  out.number(limit_descriptions.size());
  for (const LimitDescription& limit : limit_descriptions) {
    out.text(limit.name);
    out.number(limits().*limit.member);
  }

  out.number(registry.sessions_count());
  registry.each_session([&](SessionId id, const IdTable<std::uint64_t>&) {
    out.number(id);
    save_client(out, state_.clients.at(id));
    save_lanes(out, id);
  });

  // All objects before the contents of the first, which may refer to any.
  out.number(registry.size());
  registry.each(ops::Manager::id, [&](const Object& object) {
    out.number(object.id());
    out.number(object.type().number);
    out.boolean(object.named());
    if (object.named()) out.text(object.name());
    return true;
  });
  registry.each(0, [&](const Object& object) {
    out.number(object.version());
    out.number(object.references());
    object.save(out);
    return true;
  });
  save_waiters(out);

  const std::vector<Holdings::Holding> holdings = state_.holdings.all();
  out.number(holdings.size());
  for (const Holdings::Holding& one : holdings)
    for (std::uint64_t number : {one.session, one.part, one.object, one.count}) out.number(number);
  const std::vector<std::uint64_t> tokens = state_.tokens.all();
  out.number(tokens.size());
  for (std::uint64_t token : tokens) out.number(token);

  registry.each_session([&](SessionId, const IdTable<std::uint64_t>& held) {
    std::vector<std::pair<ObjectId, std::uint64_t>> sorted;
    held.each([&](ObjectId object, std::uint64_t count) { sorted.emplace_back(object, count); });
    std::sort(sorted.begin(), sorted.end());
    out.number(sorted.size());
    for (const auto& [object, count] : sorted) {
      out.number(object);
      out.number(count);
    }
  });
  out.text(last_word);
}

void Engine::save_client(StateWriter& out, const SessionClient& client) {
  out.number(client.pid);
  out.text({reinterpret_cast<const char*>(client.secret_hash.data()), client.secret_hash.size()});
  out.text(client.address);
  out.maybe(client.uid ? std::optional<std::int64_t>(*client.uid) : std::nullopt);
  out.text(client.process);
}

/// After the number of the next one, 0 if the session has none, 0 ends them.
void Engine::save_lanes(StateWriter& out, SessionId session) const {
  out.number(kept().next_lane(session));
  kept().each_lane(session, [&](LaneId id, const Lane& lane) {
    out.number(id);
    out.number(lane.replies().size());
    for (const KeptReply& reply : lane.replies()) {
      for (const std::uint64_t field : {std::uint64_t{reply.request}, static_cast<std::uint64_t>(reply.code),
                                        std::uint64_t{reply.one_way}, reply.lost})
        out.number(field);
      out.bytes(wire::as_bytes(reply.payload));
    }
  });
  if (kept().has(session)) out.number(0);
}

/// By object and queue, in the order of the queue. The queue of watchers has the number 0, those of the type's own follow.
/// In place of another object, 0 ends them.
void Engine::save_waiters(StateWriter& out) const {
  auto save_queue = [&](const Object& object, std::uint64_t number, const WaitQueue& queue) {
    if (queue.empty()) return;
    for (std::uint64_t field : {object.id(), number, std::uint64_t{queue.size()}}) out.number(field);
    for (const Waiter* waiter = queue.front(); waiter != nullptr; waiter = WaitQueue::next(*waiter))
      save_waiter(out, *waiter);
  };
  state_.registry.each(0, [&](const Object& object) {
    if (object.waiters() == 0) return true;
    save_queue(object, 0, object.watchers_);
    // Only reads: there is no second list of queues that cannot be written.
    const_cast<Object&>(object).visit_queues(
        [&, number = std::uint64_t{0}](WaitQueue& queue) mutable { save_queue(object, ++number, queue); });
    return true;
  });
  out.number(0);
}

void Engine::save_waiter(StateWriter& out, const Waiter& waiter) const {
  const Operation& operation = state_.operations[waiter.operation];
  out.number(waiter.ticket);
  out.owner(waiter.owner);
  for (const std::uint64_t field :
       {std::uint64_t{waiter.sent_as.lane}, std::uint64_t{waiter.sent_as.request},
        std::uint64_t{operation.type->number}, std::uint64_t{operation.op->number}, waiter.since_ns,
        waiter.deadline_ns, std::uint64_t{waiter.kind}, waiter.amount, waiter.origin,
        std::uint64_t{waiter.position}, std::uint64_t{waiter.values.size()}})
    out.number(field);
  for (const Value& value : waiter.values) out.maybe(value);
}

// ---- loading ----------------------------------------------------------------------------------------------

Result<void> Engine::load(StateReader::Source source) {
  TANDEM_ASSERT(state_.registry.next_id() == ops::Manager::id + 1 && state_.now_ns == 0);
  StateReader in(std::move(source), state_.registry, state_.server_info.hash_seed);
  if (const std::uint64_t found = in.number(); found != format)
    in.fail("its format is " + std::to_string(found) + ", and this program reads " + std::to_string(format));
  state_.now_ns = in.number();
  state_.waits.continue_from(in.number());
  state_.tokens.continue_from(in.number());
  const ObjectId next_id = in.number();
  state_.next_session = in.number();
  if (in.number() != 0) in.fail("it was saved while something was left to free");
  load_facts(in);
  load_sessions(in);
  if (!in.failed()) load_objects(in);
  if (!in.failed() && state_.registry.next_id() > next_id) in.fail("an object's id is above the last one");
  state_.registry.continue_from(next_id);
  if (!in.failed() && (in.text() != last_word || !in.at_end())) in.fail("its end is missing");
  if (in.failed()) return Failure{Code::value_error, "a saved state cannot be loaded: " + in.failure()};
  return {};
}

/// What was so when the state was saved; the hashes keep this process's own secret.
void Engine::load_facts(StateReader& in) {
  ServerInfo& info = state_.server_info;
  info.version = in.text();
  info.incarnation_hex = in.text();
  info.boot_id = in.text();
  info.pid = static_cast<std::uint32_t>(in.number_up_to(~std::uint32_t{0}, "a process id"));
  info.started_ms = in.integer();
  info.refuse_deadlocks = in.boolean();
  Limits limits;
  in.repeat([&] {
    const std::string name = in.text();
    const std::uint64_t value = in.number();
    const LimitDescription* found = find_limit(name);
    if (found != nullptr) limits.*(found->member) = value;
    else in.fail("there is no limit " + name);
  });
  if (!in.failed()) state_.registry.set_limits(limits);
}

void Engine::load_sessions(StateReader& in) {
  SessionId last = 0;
  in.repeat([&] {
    const SessionId id = in.number();
    if (id <= last || id >= state_.next_session) in.fail("the sessions are not in their order");
    if (in.failed()) return;
    last = id;
    state_.registry.open(id, 0);
    load_client(in, state_.clients[id]);
    load_lanes(in, id);
  });
}

void Engine::load_client(StateReader& in, SessionClient& client) {
  constexpr std::uint64_t u32_max = ~std::uint32_t{0};
  client.pid = static_cast<std::uint32_t>(in.number_up_to(u32_max, "a process id"));
  const std::string hash = in.text();
  if (!in.failed() && hash.size() != client.secret_hash.size()) in.fail("the hash of a secret cannot be");
  if (in.failed()) return;
  std::copy(hash.begin(), hash.end(), client.secret_hash.begin());
  client.address = in.text();
  if (const std::optional<std::int64_t> uid = in.maybe_integer()) {
    if (*uid < 0 || *uid > static_cast<std::int64_t>(u32_max)) in.fail("a user id cannot be");
    client.uid = static_cast<std::uint32_t>(*uid);
  }
  client.process = in.text();
}

void Engine::load_lanes(StateReader& in, SessionId session) {
  constexpr std::uint64_t u32_max = ~std::uint32_t{0};
  const std::uint64_t next = in.number_up_to(u32_max, "a lane");
  if (next == 0) return;
  state_.kept.continue_from(session, static_cast<LaneId>(next));
  std::uint64_t last = 0;
  for (std::uint64_t id = in.number(); id != 0; id = in.number()) {
    if (id <= last || id >= next) return in.fail("the lanes of a session are not in their order");
    last = id;
    Lane& lane = state_.kept.restore_lane(session, static_cast<LaneId>(id));
    in.repeat([&] {
      KeptReply reply;
      reply.request = static_cast<std::uint32_t>(in.number_up_to(u32_max, "a request"));
      reply.code = static_cast<Code>(in.number_up_to(0xff, "a code"));
      reply.one_way = in.number_up_to(1, "a flag") != 0;
      reply.lost = in.number();
      in.bytes(limits().message_bytes_max + limits().outbox_bytes_max, [&](std::uint64_t size) {
        reply.payload.resize(size);
        return reinterpret_cast<std::uint8_t*>(reply.payload.data());
      });
      if (!in.failed()) state_.kept.restore(lane, std::move(reply));
    });
  }
}

void Engine::load_objects(StateReader& in) {
  Registry& registry = state_.registry;
  in.repeat([&] { load_object(in); });
  std::vector<std::pair<Object*, std::uint64_t>> references;  // as they were saved
  registry.each(
      0, [&](const Object& object) { return references.emplace_back(registry.find(object.id()), 0), true; });
  for (auto& [object, count] : references) {
    object->version_ = in.number();
    count = in.number();
    object->load(in);
    if (in.failed()) return;
  }
  load_waiters(in);
  load_holdings(in);
  if (in.failed()) return;
  for (const auto& [object, count] : references) {
    registry.account(*object);
    if (object->references() != count)
      in.fail("object " + std::to_string(object->id()) + " has " + std::to_string(object->references()) +
              " references, and " + std::to_string(count) + " were saved");
  }
  registry.account_waits(state_.waits.size());
}

/// Makes it, without its contents.
void Engine::load_object(StateReader& in) {
  Registry& registry = state_.registry;
  const ObjectId id = in.number();
  const std::uint64_t number = in.number();
  const bool named = in.boolean();
  const std::string name = named ? in.text() : std::string();
  if (in.failed()) return;
  const auto types = registry.types();
  const auto type =
      std::find_if(types.begin(), types.end(), [&](const Type* one) { return one->number == number; });
  if (type == types.end())
    return in.fail("object " + std::to_string(id) + " is of type " + std::to_string(number) +
                   ", which this manager does not have");
  if (id < registry.next_id()) return in.fail("the objects are not in their order");
  if (named && registry.find(name) != nullptr) return in.fail("two objects have the same name");
  Object& object = registry.restore(**type, id);
  if (named) registry.give_name(object, name);
}

void Engine::load_waiters(StateReader& in) {
  std::vector<WaitQueue*> queues;  // of the object before, which may have very many
  for (ObjectId id = in.number(); id != 0; id = in.number()) {
    Object* object = state_.registry.find(id);
    const std::uint64_t number = in.number();
    if (object == nullptr) return in.fail("a request waits for an object that is not there");
    if (queues.empty() || queues.front() != &object->watchers_) {
      queues = {&object->watchers_};
      object->visit_queues([&](WaitQueue& one) { queues.push_back(&one); });
    }
    if (number >= queues.size()) return in.fail("a request waits in a queue that is not there");
    in.repeat([&] { load_waiter(in, *queues[number], *object); });
  }
}

/// Its index in operations(); operation_none if there is none.
std::uint16_t Engine::operation_of_type(std::uint64_t type, std::uint64_t op) const {
  if (type >= first_operation_.size() || op >= operation_index_.size() - first_operation_[type])
    return operation_none;
  const std::uint16_t index = operation_index_[first_operation_[type] + op];
  if (index == operation_none) return operation_none;
  const Operation& found = state_.operations[index];
  return found.type->number == type && found.op->number == op ? index : operation_none;
}

void Engine::load_waiter(StateReader& in, WaitQueue& queue, Object& object) {
  auto made = std::make_unique<Waiter>();
  made->ticket = in.number();
  made->owner = in.owner();
  made->sent_as.lane = static_cast<LaneId>(in.number_up_to(~std::uint32_t{0}, "a lane"));
  made->sent_as.request = static_cast<std::uint32_t>(in.number_up_to(~std::uint32_t{0}, "a request"));
  const std::uint64_t type = in.number();
  const std::uint64_t op = in.number();
  made->since_ns = in.number();
  made->deadline_ns = in.number();
  made->kind = static_cast<std::uint32_t>(in.number_up_to(~std::uint32_t{0}, "a waiter's kind"));
  made->amount = in.number();
  made->origin = in.number();
  made->position = in.number();
  in.repeat([&] { made->values.push_back(in.maybe_value()); });
  if (in.failed()) return;
  const std::uint16_t operation = operation_of_type(type, op);
  if (operation == operation_none)
    return in.fail("a request waits by operation " + std::to_string(op) + " of type " + std::to_string(type) +
                   ", which this manager does not have");
  if (state_.waits.find(made->ticket) != nullptr || made->ticket >= state_.waits.next_ticket() ||
      !state_.registry.has(made->owner.session) ||
      (made->sent_as.lane != 0 && state_.waits.find(made->owner.session, made->sent_as) != nullptr))
    return in.fail("waiting request " + std::to_string(made->ticket) + " cannot be");
  made->operation = operation;
  object.waiter_loaded(state_.waits.restore(std::move(made), queue, object));
}

void Engine::load_holdings(StateReader& in) {
  in.repeat([&] {
    Holdings::Holding one;
    for (std::uint64_t* number : {&one.session, &one.part, &one.object, &one.count})
      if ((*number = in.number()) == 0) in.fail("a holding cannot be");
    if (!in.failed()) state_.holdings.restore(one);
  });
  in.repeat([&] {
    const std::uint64_t token = in.number();
    if (token == 0 || token >= state_.tokens.next()) in.fail("a token cannot be");
    if (!in.failed()) state_.tokens.restore(token);
  });
  std::vector<SessionId> sessions;
  state_.registry.each_session([&](SessionId id, const IdTable<std::uint64_t>&) { sessions.push_back(id); });
  for (const SessionId session : sessions)
    in.repeat([&] {
      const ObjectId object = in.number();
      const std::uint64_t count = in.number();
      if (object == 0 || count == 0) in.fail("a reference cannot be");
      if (!in.failed()) state_.registry.restore_held(session, object, count);
    });
}

}  // namespace tandem::server
