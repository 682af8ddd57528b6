#include "server/engine/steps.hpp"

#include <algorithm>
#include <new>

#include "server/engine/perform.hpp"
#include "server/values/semantics.hpp"

namespace tandem::server {
namespace {

struct Step {
  ObjectId object = 0;
  std::uint16_t op = 0;
  wire::Bytes arguments;
  bool wanted = true;  // whether its result is wanted
  std::optional<wire::Bytes> expected;
  std::optional<std::uint64_t> expected_code;
  std::uint64_t token = 0;
};

/// Inverses take memory even where the operation itself frees some; this much is allowed beyond
/// memory_bytes_max.
constexpr std::uint64_t undo_bytes_always = 1024 * 1024;

bool read_step(ValueView item, Step& step) {
  wire::Reader reader = item.reader();
  std::uint32_t count = 0;
  std::uint64_t op = 0;
  if (!reader.array(count) || count < 3 || count > 5) return false;
  if (!reader.uint64(step.object) || !reader.uint64(op) || op > 0xffff || !reader.bytes(step.arguments))
    return false;
  step.op = static_cast<std::uint16_t>(op);
  if (count > 3 && !reader.nil()) {
    wire::Bytes expected;
    std::uint64_t code = 0;
    bool truth = false;
    step.wanted = false;
    if (reader.bytes(expected)) step.expected = expected;
    else if (reader.uint64(code)) step.expected_code = code;
    else if (!reader.boolean(truth) || truth) return false;
  }
  return count < 5 || reader.uint64(step.token);
}

Result<void> check_all(ItemsView steps) {
  const std::uint64_t count = steps.count();
  ValueView item;
  for (std::uint64_t i = 1; steps.next(item); ++i)
    if (Step step; !read_step(item, step))
      return Failure{Code::type_error, "run: step " + std::to_string(i) + " of " + std::to_string(count) +
                                           " is not [object, op, arguments, expected, token]"};
  return {};
}

class Run {
 public:
  Run(CallContext& context, ItemsView steps, ops::RunMode mode)
      : context_(context),
        steps_(steps),
        count_(steps.count()),
        mode_(mode),
        begin_(context.out().buffer().size()),
        ready_before_(context.ready_count()) {}

  Result<void> each() {
    context_.out().array(count_);
    for (ValueView item; next(item);) {
      begin_answer();
      Result<void> done = compared(perform(nullptr));
      if (done) end_answer();
      else refuse(done.failure());
    }
    return {};
  }

  Result<void> together() {
    Undo undo;
    try {
      return together(undo);
    } catch (const std::bad_alloc&) {
      take_back(undo);
      throw;
    }
  }

 private:
  Result<void> together(Undo& undo) {
    context_.out().array(count_);
    for (ValueView item; next(item);) {
      begin_answer();
      Result<void> done = check_room(undo);
      if (done) done = compared(perform(&undo));
      if (!done && mode_ == ops::RunMode::trial && number_ == count_ && step_.wanted) {
        refuse(done.failure());
        break;
      }
      if (!done) {
        take_back(undo);
        return Failure{done.failure().code,
                       name_of_step() + ": " + done.failure().text + " (nothing was changed)"};
      }
      end_answer();
    }
    if (mode_ == ops::RunMode::trial) take_back(undo);
    return {};
  }

  bool next(ValueView& item) {
    step_ = {};
    ++number_;
    return steps_.next(item) && read_step(item, step_);
  }
  wire::Buffer& buffer() { return context_.out().buffer(); }

  /// The code is the one byte before the result.
  void begin_answer() {
    context_.out().array(2);
    context_.out().integer(static_cast<std::int64_t>(Code::ok));
    result_at_ = buffer().size();
  }
  void end_answer() {
    if (step_.wanted) return;
    buffer().truncate(result_at_);
    context_.out().nil();
  }
  void refuse(const Failure& failure) {
    buffer().truncate(result_at_);
    buffer().data()[result_at_ - 1] = static_cast<std::uint8_t>(failure.code);
    const Object* object = context_.registry().find(step_.object);
    context_.out().text(object == nullptr ? failure.text : failure_on(*object, failure).text);
  }

  Result<void> perform(Undo* undo) {
    Object* object = context_.registry().find(step_.object);
    Result<const OpRow*> row = find_operation(object, step_.object, step_.op);
    if (!row) return std::move(row.failure());
    const ops::OpDescription& op = *(*row)->op;
    wire::Reader arguments(step_.arguments);
    Result<std::uint32_t> count = check_call(op, arguments, step_.token, context_.tokens());
    if (!count) return std::move(count.failure());
    if (undo != nullptr && op.effect != ops::Effect::reads) {
      const Type& type = object->type();
      if (!type.can_undo)
        return Failure{Code::type_error, "what is done to a " + std::string(type.name) +
                                             " cannot be undone, so it cannot be part of a transaction"};
      context_.remember(*object, *undo);
    }
    CallContext step_context(context_, undo, result_at_ - begin_);
    Result<void> done = carry_out(step_context, *object, **row, arguments, *count, result_at_);
    if (done && step_.wanted && step_context.references_written()) context_.note_references();
    return done;
  }

  Result<void> check_room(const Undo& undo) const {
    return undo.bytes() <= undo_bytes_always ? Result<void>() : context_.room_for(undo.bytes());
  }
  /// Compares the outcome of a step with the expected one; conflict if they differ.
  Result<void> compared(Result<void> done) {
    bool same = true;
    if (step_.expected) same = done && std::ranges::equal(buffer().view_from(result_at_), *step_.expected);
    else if (step_.expected_code)
      same = !done && static_cast<std::uint64_t>(done.failure().code) == *step_.expected_code;
    else return done;
    if (same) return {};
    return Failure{Code::conflict, done ? "its result is not the expected one"
                                        : "its result is not the expected one, but " + done.failure().text};
  }
  void take_back(Undo& undo) {
    undo.roll_back();
    context_.truncate_ready(ready_before_);
  }

  /// "step 3 of 5, dict.erase on object 17"
  std::string name_of_step() {
    std::string text = "step " + std::to_string(number_) + " of " + std::to_string(count_);
    const Object* object = context_.registry().find(step_.object);
    if (!find_operation(object, step_.object, step_.op)) return text;
    text +=
        ", " + std::string(object->type().name) + "." + std::string(object->type().rows[step_.op].op->name);
    return text + " on " +
           (object->named() ? quote(object->name()) : "object " + std::to_string(object->id()));
  }

  CallContext& context_;
  ItemsView steps_;
  const std::uint64_t count_;
  const ops::RunMode mode_;
  const std::size_t begin_;         // where the whole result begins in the reply
  const std::size_t ready_before_;  // number of ready objects at the start

  Step step_;
  std::uint64_t number_ = 0;
  std::size_t result_at_ = 0;  // where the current step's result begins
};

}  // namespace

Result<void> run_steps(CallContext& context, ItemsView steps, ops::RunMode mode) {
  if (context.is_step()) return Failure{Code::type_error, "run: a step cannot have steps of its own"};
  if (Result<void> good = check_all(steps); !good) return good;
  Run run(context, steps, mode);
  return mode == ops::RunMode::each ? run.each() : run.together();
}

}  // namespace tandem::server
