#pragma once
// The path of every operation, a call of its own or one of several steps: lookup, checks, execution,
// accounting.

#include "server/engine/call_context.hpp"
#include "server/values/semantics.hpp"

namespace tandem::server {

// What fails is out of line, so that the rest is inline.
[[gnu::cold, gnu::noinline]] inline Failure no_such_operation(const Object* object, ObjectId id,
                                                              std::uint16_t op) {
  if (object == nullptr)
    return {Code::object_gone, "object " + std::to_string(id) + " is gone: it was removed, or never was"};
  return {Code::protocol_error, "object " + std::to_string(id) + ", a " + std::string(object->type().name) +
                                    ", has no operation " + std::to_string(op)};
}

/// `object` is null if there is none with this id.
[[gnu::always_inline]] inline Result<const OpRow*> find_operation(const Object* object, ObjectId id,
                                                                  std::uint16_t op) {
  if (object != nullptr) [[likely]] {
    const std::span<const OpRow> rows = object->type().rows;
    if (op < rows.size() && rows[op].op != nullptr) [[likely]]
      return &rows[op];
  }
  return no_such_operation(object, id, op);
}

/// Why check_call() fails; `count` is that of the arguments if they are an array.
[[gnu::cold, gnu::noinline]] inline Failure may_not_be_called(const ops::OpDescription& op,
                                                              std::optional<std::uint32_t> count,
                                                              std::uint64_t token) {
  if (!count)
    return {Code::protocol_error, std::string(op.signature) + ": the arguments are not a MessagePack array"};
  if (op.number == 0) return {Code::type_error, "objects are created through the manager"};
  if (*count < op.parameters_min || *count > op.parameters_max)
    return {Code::type_error, std::string(op.signature) + ": " + std::to_string(*count) + " arguments given"};
  return {Code::stale_token, std::string(op.signature) + ": the lock's grant with token " +
                                 std::to_string(token) +
                                 " is over (it was unlocked, or passed on when its owner's session ended)"};
}

/// Checks that the operation may be called with these arguments and this token. Returns the number of
/// arguments; `arguments` is then positioned at the first.
[[gnu::always_inline]] inline Result<std::uint32_t> check_call(const ops::OpDescription& op,
                                                               wire::Reader& arguments, std::uint64_t token,
                                                               const Tokens& tokens) {
  std::uint32_t count = 0;
  if (!arguments.array(count)) [[unlikely]]
    return may_not_be_called(op, std::nullopt, token);
  if (op.number == 0 || count < op.parameters_min || count > op.parameters_max ||
      (token != 0 && !tokens.lives(token))) [[unlikely]]
    return may_not_be_called(op, count, token);
  return count;
}

/// Runs the handler. Its result is then in the context's reply from `mark` on, unless it parked the request.
[[gnu::always_inline]] inline Result<void> carry_out(CallContext& context, Object& object, const OpRow& row,
                                                     wire::Reader arguments, std::uint32_t count,
                                                     std::size_t mark) {
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
