#include "server/engine/engine.hpp"

#include <algorithm>

#include "server/engine/perform.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem::server {

Engine::Engine(const Limits& limits, ServerInfo server_info, std::span<const Type* const> types)
    : state_(limits, std::move(server_info), types) {
  TANDEM_ASSERT(!types.empty() && types[0]->number == ops::Manager::number);
  for (const Type* type : types) {
    if (first_operation_.size() <= type->number) first_operation_.resize(type->number + std::size_t{1});
    first_operation_[type->number] = static_cast<std::uint16_t>(operation_index_.size());
    for (const OpRow& row : type->rows) {
      operation_index_.push_back(row.op == nullptr ? operation_none
                                                   : static_cast<std::uint16_t>(state_.operations.size()));
      if (row.op != nullptr) state_.operations.push_back({type, row.op});
    }
  }
  Object& manager = state_.registry.make(*types[0]);
  TANDEM_ASSERT(manager.id() == ops::Manager::id);
  state_.registry.retain(manager.id());  // never released
  std::int64_t any = Registry::cleaning_per_step_max;
  state_.registry.clean_up(any);  // a new object is a candidate: an engine begins with nothing left to do
  state_.registry.before_destroyed = [this](Object& object) { before_destroy(object); };
}

namespace {

/// Ends what a call lends for its step.
struct Lending {
  EngineState& state;
  const bool any;
  Lending(EngineState& of, wire::Buffer* memory) : state(of), any(memory != nullptr) {
    if (any) [[unlikely]]
      state.arguments_memory = memory;
  }
  ~Lending() {
    if (any) [[unlikely]] {
      state.arguments_memory = nullptr;
      state.lent = {};
    }
  }
};

}  // namespace

std::uint16_t Engine::operation_of(ObjectId object, std::uint16_t op) const {
  const Object* found = registry().find(object);
  return found == nullptr ? operation_none : operation_of_type(found->type().number, op);
}

bool Engine::was_local(const Call& call, const Outcome& outcome) const {
  return !state_.uses_others && call.object != ops::Manager::id && call.token == 0 && outcome.parked == 0 &&
         outcome.operation != operation_none;
}

inline Outcome Engine::run(const Call& call, wire::Buffer& reply) {
  const std::size_t mark = reply.size();
  Registry& registry = state_.registry;
  const std::uint64_t before_ns = state_.now_ns;
  advance_time(call.now_ns);
  state_.looked_at = 0;
  Object* object = registry.find(call.object);
  Result<const OpRow*> row = find_operation(object, call.object, call.op);
  if (!row) return refuse_unchanged(row.failure(), operation_none, mark, reply, before_ns);
  const ops::OpDescription& op = *(*row)->op;
  const std::uint16_t operation = operation_index_[first_operation_[object->type().number] + call.op];
  wire::Reader arguments(call.arguments);
  Result<std::uint32_t> count = check_call(op, arguments, call.token, state_.tokens);
  if (!count) return refuse_unchanged(count.failure(), operation, mark, reply, before_ns);
  const Lending lending(state_, call.memory);
  CallContext context(state_, Owner{call.session, call.actor}, operation, reply);
  if (call.may_share) context.may_share();

  Result<void> result = carry_out(context, *object, **row, arguments, *count, mark);
  if (!result) result = failure_on(*object, std::move(result.failure()));

  const Ticket parked = context.parked() == nullptr ? 0 : context.parked()->ticket;
  bool changed = op.effect != ops::Effect::reads;
  if (result && parked == 0 && context.references_written())
    changed |= registry.hold(call.session, reply.view_from(mark));
  if (op.effect != ops::Effect::reads) end_step();
  // What a read sees of the time is its own: an engine that is given the changes alone has the same time.
  if (!changed) state_.now_ns = before_ns;
  if (!result) return refuse(result.failure(), operation, mark, reply, changed);
  if (parked != 0) reply.truncate(mark);
  return {Code::ok, changed, operation, parked, context.take_tail()};
}

Outcome Engine::step(const Call& call, wire::Buffer& reply) {
  TANDEM_ASSERT(registry().has(call.session));
  if (call.sent_as.lane != 0) [[unlikely]]
    return run_on_lane(call, reply);
  return run(call, reply);
}

// ---- requests that may be sent again ------------------------------------------------------------------------

bool Engine::is_known(const Call& call) const {
  if (!call.is_again()) return false;
  const Lane* const lane = kept().find(call.session, call.sent_as.lane);
  return (lane != nullptr && lane->find(call.sent_as.request) != nullptr) ||
         waits().find(call.session, call.sent_as) != nullptr;
}

Outcome Engine::run_on_lane(const Call& call, wire::Buffer& reply) {
  Lane* const lane = state_.kept.find(call.session, call.sent_as.lane);
  TANDEM_ASSERT(lane != nullptr);
  if (call.is_again()) {
    if (const KeptReply* kept = lane->find(call.sent_as.request)) return answer_again(call, *kept, reply);
    if (const Waiter* waiter = state_.waits.find(call.session, call.sent_as))
      return {.changed = false, .operation = waiter->operation, .parked = waiter->ticket};
  }
  if (Result<void> room = room_to_keep(*lane); !room)
    return refuse(room.failure(), operation_of(call.object, call.op), reply.size(), reply, false);
  const std::size_t mark = reply.size();
  // Replies that this step makes to waiting requests follow its own.
  std::size_t place = lane->replies().size();
  struct SentAs {
    LaneRequest& sent_as;
    SentAs(LaneRequest& of_state, LaneRequest of_call) : sent_as(of_state) { sent_as = of_call; }
    ~SentAs() { sent_as = {}; }
  };
  Outcome outcome;
  {
    const SentAs sent_as(state_.sent_as, call.sent_as);
    outcome = run(call, reply);
  }
  if (!outcome.changed) return outcome;
  if (call.has_read_all()) place -= state_.kept.acknowledge_all(*lane, place);
  if (outcome.parked != 0) return outcome;
  const bool has_reply = !call.is_one_way();
  state_.kept.keep(
      *lane, place,
      {.request = call.sent_as.request, .code = outcome.code, .one_way = !has_reply, .payload = {}},
      has_reply ? reply.view_from(mark) : wire::Bytes(),
      has_reply && outcome.tail != nullptr ? outcome.tail->bytes : wire::Bytes(), state_.kept_limits());
  return outcome;
}

/// A client says in time what it has read; one that does not would fill the memory with marks of what was carried out.
Result<void> Engine::room_to_keep(const Lane& lane) const {
  constexpr std::uint64_t read_and_not_said = 4'096;  // more than a client has of such
  if (lane.replies().size() < limits().requests_under_way_max + read_and_not_said) return {};
  return Failure{Code::resource_exhausted,
                 "the client has not said of " + std::to_string(lane.replies().size()) +
                     " replies that it has read them, more than requests_under_way_max (" +
                     std::to_string(limits().requests_under_way_max) + ") and some"};
}

/// Nothing is carried out.
Outcome Engine::answer_again(const Call& call, const KeptReply& kept, wire::Buffer& reply) {
  advance_time(call.now_ns);
  state_.uses_others = true;
  Code code = kept.code;
  if (kept.lost == 0) {
    reply.append(wire::as_bytes(kept.payload));
  } else {
    code = Code::reply_lost;
    wire::Writer(reply).text("the operation was carried out, but its result of " + std::to_string(kept.lost) +
                             " bytes is no longer kept: over replies_kept_bytes_max (" +
                             std::to_string(limits().replies_kept_bytes_max) +
                             "), or all sessions together over a sixteenth of memory_bytes_max");
  }
  state_.kept.move_to_end(*state_.kept.find(call.session, call.sent_as.lane), call.sent_as.request);
  return {.code = code, .operation = operation_of(call.object, call.op)};
}

bool Engine::step(const Acknowledged& input) {
  Lane* const lane = state_.kept.find(input.session, input.sent_as.lane);
  if (lane == nullptr || !state_.kept.acknowledge(*lane, input.sent_as.request)) return false;
  advance_time(input.now_ns);
  return true;
}

// ---- waits ------------------------------------------------------------------------------------------------

/// Serves ready objects, breaks deadlocks, destroys objects without a
/// holder. It frees about cleaning_per_step_max elements at most; later steps free the rest.
void Engine::end_busy_step() {
  state_.uses_others = true;
  std::int64_t cleaning_left = Registry::cleaning_per_step_max;
  do {
    if (!state_.ready_objects.empty()) serve_ready();
    if (!state_.new_waits.empty()) look_for_cycles();
    if (!state_.registry.is_clean()) state_.registry.clean_up(cleaning_left);
  } while (!state_.ready_objects.empty() || !state_.new_waits.empty());
  state_.registry.account_waits(state_.waits.size());
}

void Engine::look_for_cycles() {
  for (std::size_t i = 0; i < state_.new_waits.size(); ++i) {
    const Ticket ticket = state_.new_waits[i];
    const Waiter* waiter = state_.waits.find(ticket);
    while (waiter != nullptr && refuse_cycle_through(*waiter)) waiter = state_.waits.find(ticket);
  }
  state_.new_waits.clear();
}

/// Whether it is certain that no request waits for the thread of `waiter`, so that no cycle leads through it: the
/// thread has no other wait that others could be queued behind, and owns nothing that is waited for. This takes no
/// longer than the thread's own holdings are many; the search for a cycle would go through all waits of the
/// threads in front of `waiter`.
bool Engine::blocks_nobody(const Waiter& waiter) const {
  constexpr std::size_t looked_at_max = 1'000;
  if (state_.holdings.count_of(waiter.owner) > looked_at_max) return false;
  bool may_block = false;
  state_.waits.each_blockable_of(waiter.owner, [&](const Waiter& other) {
    may_block = &other != &waiter;
    return !may_block;
  });
  if (may_block) return false;
  state_.holdings.each_of(waiter.owner, [&](ObjectId id) {
    const Object* object = may_block ? nullptr : registry().find(id);
    may_block = may_block || (object != nullptr && object->waiters() != 0);
  });
  return !may_block;
}

/// Returns whether a wait was refused: that of `waiter`, which closes the cycle, or, if it must be served,
/// the newest wait in the cycle that may be refused. (There is always one: a waiter that must be served gave
/// up its lock before the next thread in the cycle acquired it, and that thread acquired it before its own
/// wait began. If every waiter had to be served, this order would be circular.)
bool Engine::refuse_cycle_through(const Waiter& waiter) {
  if (!waiter.object->has_blockers() || blocks_nobody(waiter)) return false;
  std::optional<WaitCycle> cycle = find_cycle(state_.waits, waiter, false);
  if (!cycle) return false;
  std::optional<WaitCycle> endless = find_cycle(state_.waits, waiter, true);
  const bool for_ever = endless.has_value();
  if (for_ever) cycle = std::move(endless);
  const std::string text = describe(*cycle);
  const Waiter* refused = nullptr;
  if (for_ever && server_info().refuse_deadlocks) {
    for (const WaitCycle::Link& link : cycle->links)
      if (!link.waiter->object->must_be_served(*link.waiter) &&
          (refused == nullptr || link.waiter->ticket > refused->ticket))
        refused = link.waiter;
    if (!waiter.object->must_be_served(waiter)) refused = &waiter;
  }
  state_.deadlocks_found.push_back((refused != nullptr ? "refused: "
                                    : for_ever         ? "not refused: "
                                                       : "has a time limit: ") +
                                   text);
  if (refused == nullptr) return false;
  refuse_wait(*state_.waits.find(refused->ticket), text);
  return true;
}

void Engine::refuse_wait(Waiter& waiter, const std::string& cycle) {
  wire::Buffer unused;
  CallContext context(state_, Owner{}, operation_none, unused);
  const Ticket ticket = waiter.ticket;
  context.end_wait(waiter, WaitEnd::deadlock);
  if (Waiter* still = state_.waits.find(ticket))
    context.refuse(*still, {Code::deadlock, "this wait would never end: " + cycle});
}

void Engine::serve_ready() {
  wire::Buffer unused;
  CallContext context(state_, Owner{}, operation_none, unused);
  for (std::size_t i = 0; i < state_.ready_objects.size(); ++i) {  // serving one may schedule others
    Object* object = state_.registry.find(state_.ready_objects[i]);
    if (object == nullptr) continue;
    object->serve(context);
    // All watchers wait for a change from the same version: every change answers them all.
    while (!object->watchers_.empty() && object->watchers_.front()->amount != object->version_)
      context.answer(*object->watchers_.front(),
                     [&](CallContext& reply) { reply.out().unsigned_integer(object->version_); });
    state_.registry.account(*object);
  }
  state_.ready_objects.clear();
}

/// Called before an object is destroyed: refuses the requests that wait for it.
void Engine::before_destroy(Object& object) {
  wire::Buffer unused;
  CallContext context(state_, Owner{}, operation_none, unused);
  object.on_destroy(context);
  if (object.waiters() == 0) return;
  for (Ticket ticket : state_.waits.tickets_of(object))
    context.refuse(
        *state_.waits.find(ticket),
        {Code::object_gone, "object " + std::to_string(object.id()) + ", a " +
                                std::string(object.type().name) + ", was removed while it was waited for"});
}

bool Engine::step(const Cancel& input) {
  Waiter* waiter = state_.waits.find(input.ticket);
  if (waiter == nullptr) return false;
  advance_time(input.now_ns);
  wire::Buffer unused;
  CallContext(state_, Owner{}, operation_none, unused).end_wait(*waiter, WaitEnd::cancelled);
  end_step();
  return true;
}

bool Engine::step(const Tick& input) {
  const std::uint64_t before_ns = state_.now_ns;
  advance_time(input.now_ns);
  if (next_deadline_ns() > state_.now_ns) {
    state_.now_ns = before_ns;
    return false;
  }
  wire::Buffer unused;
  CallContext context(state_, Owner{}, operation_none, unused);
  while (Waiter* waiter = state_.waits.first_due(state_.now_ns))
    context.end_wait(*waiter, WaitEnd::timed_out);
  end_step();
  return true;
}

/// The step was none: neither is its time.
Outcome Engine::refuse_unchanged(const Failure& failure, std::uint16_t operation, std::size_t mark,
                                 wire::Buffer& reply, std::uint64_t before_ns) {
  state_.now_ns = before_ns;
  return refuse(failure, operation, mark, reply, false);
}

Outcome Engine::refuse(const Failure& failure, std::uint16_t operation, std::size_t mark, wire::Buffer& reply,
                       bool changed) {
  reply.truncate(mark);
  wire::Writer(reply).text(failure.text);
  return {.code = failure.code, .changed = changed, .operation = operation};
}

// ---- sessions ---------------------------------------------------------------------------------------------

void Engine::step(const SessionOpened& input) {
  advance_time(input.now_ns);
  state_.registry.open(input.session, input.inherits_from);
  state_.next_session = std::max(state_.next_session, input.session + 1);
  state_.clients[input.session] = input.client;
  if (input.has_lanes) state_.kept.open(input.session);
}

void Engine::step(const SessionIdentified& input) {
  advance_time(input.now_ns);
  SessionClient& client = state_.clients[input.session];
  client.pid = input.pid;
  client.process = input.process;
}

void Engine::step(const LaneOpened& input) {
  advance_time(input.now_ns);
  state_.kept.add_lane(input.session);
}

void Engine::step(const LaneEnded& input) {
  advance_time(input.now_ns);
  // First, so that no reply of its waits is kept.
  state_.kept.end_lane(input.session, input.lane);
  wire::Buffer unused;
  CallContext context(state_, Owner{}, operation_none, unused);
  for (const Ticket ticket : state_.waits.tickets_of(input.session, input.lane))
    if (Waiter* waiter = state_.waits.find(ticket)) context.end_wait(*waiter, WaitEnd::cancelled);
  end_step();
}

void Engine::step(const Started& input) {
  advance_time(input.now_ns);
  // These are this process's own.
  const std::uint64_t hash_seed = state_.server_info.hash_seed;
  const bool survives_bad_alloc = state_.server_info.survives_bad_alloc;
  state_.server_info = input.server_info;
  state_.server_info.hash_seed = hash_seed;
  state_.server_info.survives_bad_alloc = survives_bad_alloc;
  state_.registry.set_limits(input.limits);
  state_.registry.continue_from(state_.registry.next_id() + input.skip);
  state_.waits.continue_from(state_.waits.next_ticket() + input.skip);
  state_.tokens.continue_from(state_.tokens.next() + input.skip);
  state_.next_session += input.skip;
}

void Engine::step(const SessionClosed& input) {
  advance_time(input.now_ns);
  state_.kept.close(input.session);
  wire::Buffer unused;
  CallContext(state_, Owner{}, operation_none, unused).end_owners({input.session, std::nullopt});
  state_.clients.erase(input.session);
  state_.registry.close(input.session);
  end_step();
}

}  // namespace tandem::server
