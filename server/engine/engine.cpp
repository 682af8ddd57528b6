#include "server/engine/engine.hpp"

#include <algorithm>

#include "tandem/ops/manager.hpp"

namespace tandem::server {

Engine::Engine(const Limits& limits, Facts facts, std::span<const Type* const> types)
    : facts_(std::move(facts)), registry_(limits, types) {
  TANDEM_ASSERT(!types.empty() && types[0]->number == ops::Manager::number);
  for (const Type* type : types) {
    if (first_operation_.size() <= type->number) first_operation_.resize(type->number + std::size_t{1});
    first_operation_[type->number] = static_cast<std::uint16_t>(operation_index_.size());
    for (const OpRow& row : type->rows) {
      operation_index_.push_back(row.op == nullptr ? operation_none : static_cast<std::uint16_t>(operations_.size()));
      if (row.op != nullptr) operations_.push_back({type, row.op});
    }
  }
  Object& manager = registry_.adopt(types[0]->make());
  TANDEM_ASSERT(manager.id() == ops::Manager::id);
  registry_.retain(manager.id());  // for ever
}

Outcome Engine::step(const Call& call, wire::Buffer& reply) {
  const std::size_t mark = reply.size();
  TANDEM_ASSERT(registry_.has(call.session));
  Object* object = registry_.find(call.object);
  if (object == nullptr)
    return refuse(Code::object_gone, "object " + std::to_string(call.object) + " is gone: it was removed, or never was",
                  operation_none, mark, reply);
  const Type& type = object->type();
  if (call.op >= type.rows.size() || type.rows[call.op].op == nullptr)
    return refuse(Code::protocol_error,
                  "object " + std::to_string(call.object) + ", a " + std::string(type.name) + ", has no operation " +
                      std::to_string(call.op),
                  operation_none, mark, reply);
  const OpRow& row = type.rows[call.op];
  const ops::OpDescription& op = *row.op;
  const std::uint16_t operation = operation_index_[first_operation_[type.number] + call.op];
  wire::Reader arguments(call.arguments);
  std::uint32_t count = 0;
  if (!arguments.array(count))
    return refuse(Code::protocol_error, std::string(op.signature) + ": the arguments are not a MessagePack array",
                  operation, mark, reply);
  if (count < op.parameters_min || count > op.parameters_max || op.number == 0)
    return refuse(Code::type_error,
                  op.number == 0 ? "objects are created through the manager"
                                 : std::string(op.signature) + ": " + std::to_string(count) + " arguments given",
                  operation, mark, reply);
  Turn turn(registry_, facts_, call.session, call.actor, reply);
  if (op.effect == ops::Effect::writes)
    if (Result<void> room = turn.room_for(call.arguments.size()); !room)
      return refuse(room.failure().code, room.failure().text, operation, mark, reply);

  Result<void> result = row.invoke(*object, turn, arguments, count);

  if (result) result = turn.reply_fits(reply.size() - mark);
  if (result && turn.references_written()) registry_.hold(call.session, reply.view_from(mark));
  if (op.effect != ops::Effect::reads) {
    registry_.account(*object);
    registry_.destroy_unheld();
  }
  if (!result) return refuse(result.failure().code, result.failure().text, operation, mark, reply);
  return {Code::ok, operation};
}

Outcome Engine::refuse(Code code, const std::string& text, std::uint16_t operation, std::size_t mark,
                       wire::Buffer& reply) {
  reply.truncate(mark);
  wire::Writer(reply).text(text);
  return {code, operation};
}

void Engine::step(const SessionOpened& input) { registry_.open(input.session, input.inherits_from); }

void Engine::step(const SessionClosed& input) {
  registry_.close(input.session);
  registry_.destroy_unheld();
}

void Engine::save(wire::Writer& out) const {
  out.array(3);
  out.unsigned_integer(registry_.next_id());
  out.array(registry_.size());
  registry_.each(ops::Manager::id, [&](const Object& object) {
    out.array(5);
    out.unsigned_integer(object.id());
    out.text(object.type().name);
    if (object.named()) out.text(object.name());
    else out.nil();
    out.unsigned_integer(object.references());
    object.save(out);
    return true;
  });
  out.map(registry_.sessions_count());
  registry_.each_session([&](SessionId id, const IdTable<std::uint64_t>& held) {
    std::vector<std::pair<ObjectId, std::uint64_t>> sorted;
    held.each([&](ObjectId object, std::uint64_t count) { sorted.emplace_back(object, count); });
    std::sort(sorted.begin(), sorted.end());
    out.unsigned_integer(id);
    out.map(sorted.size());
    for (auto [object, references] : sorted) {
      out.unsigned_integer(object);
      out.unsigned_integer(references);
    }
  });
}

}  // namespace tandem::server
