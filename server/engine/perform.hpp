#pragma once
// The path of every operation, a call of its own or one of several steps: lookup, checks, execution,
// accounting.

#include "server/engine/call_context.hpp"
#include "server/values/semantics.hpp"

namespace tandem::server {

/// `object` is null if there is none with this id.
inline Result<const OpRow*> find_operation(const Object* object, ObjectId id, std::uint16_t op) {
  if (object == nullptr)
    return Failure{Code::object_gone,
                   "object " + std::to_string(id) + " is gone: it was removed, or never was"};
  const Type& type = object->type();
  if (op >= type.rows.size() || type.rows[op].op == nullptr)
    return Failure{Code::protocol_error, "object " + std::to_string(id) + ", a " + std::string(type.name) +
                                             ", has no operation " + std::to_string(op)};
  return &type.rows[op];
}

/// Checks that the operation may be called with these arguments and this token. Returns the number of
/// arguments; `arguments` is then positioned at the first.
inline Result<std::uint32_t> check_call(const ops::OpDescription& op, wire::Reader& arguments,
                                        std::uint64_t token, const Tokens& tokens) {
  std::uint32_t count = 0;
  if (!arguments.array(count))
    return Failure{Code::protocol_error,
                   std::string(op.signature) + ": the arguments are not a MessagePack array"};
  if (op.number == 0) return Failure{Code::type_error, "objects are created through the manager"};
  if (count < op.parameters_min || count > op.parameters_max)
    return Failure{Code::type_error,
                   std::string(op.signature) + ": " + std::to_string(count) + " arguments given"};
  if (token != 0 && !tokens.lives(token)) [[unlikely]]
    return Failure{Code::stale_token,
                   std::string(op.signature) + ": the lock's grant with token " + std::to_string(token) +
                       " is over (it was unlocked, or passed on when its owner's session ended)"};
  return count;
}

/// Runs the handler. Its result is then in the context's reply from `mark` on, unless it parked the request.
inline Result<void> carry_out(CallContext& context, Object& object, const OpRow& row, wire::Reader arguments,
                              std::uint32_t count, std::size_t mark) {
  const ops::Effect effect = row.op->effect;
  if (effect == ops::Effect::writes)
    if (Result<void> room = context.room_for(arguments.rest().size()); !room) return room;
  Result<void> result = row.invoke(object, context, arguments, count);
  if (result && !context.is_unchanged() && (effect == ops::Effect::writes || effect == ops::Effect::frees))
    context.changed(object);
  if (effect == ops::Effect::waits && context.no_room_to_wait()) [[unlikely]]
    result = context.room_for(Waits::waiter_bytes);
  if (result && context.parked() == nullptr)
    result = context.reply_fits(context.out().buffer().size() - mark + context.tail_bytes());
  if (effect != ops::Effect::reads) context.registry().account(object);
  return result;
}

}  // namespace tandem::server
