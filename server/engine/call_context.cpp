#include "server/engine/call_context.hpp"

#include "server/values/semantics.hpp"

namespace tandem::server {

/// Memory that only waits to be freed must not cause a refusal: frees it now.
Result<void> CallContext::make_room_for(std::uint64_t bytes) const {
  const std::uint64_t most = limits().memory_bytes_max;
  std::uint64_t held = held_bytes();
  while (state_.registry.reclaim_queue().release(Registry::cleaning_per_step_max) != 0) {
    held = held_bytes();
    if (bytes <= most && held <= most - bytes) return {};
  }
  return Failure{Code::resource_exhausted, "memory_bytes_max (" + std::to_string(most) +
                                               ") would be exceeded: " + std::to_string(held) +
                                               " bytes are held, " + std::to_string(bytes) +
                                               " more were asked for"};
}

Result<void> CallContext::room_to_wait(std::optional<std::int64_t> limit_us) const {
  constexpr std::uint64_t part_for_waits = 16;
  if (!would_wait(limit_us)) return {};
  const std::uint64_t waits_bytes = state_.registry.waits_bytes() + Waits::waiter_bytes;
  if (waits_bytes <= limits().memory_bytes_max / part_for_waits) return {};
  return room_for(Waits::waiter_bytes);
}

Result<void> CallContext::reply_too_long(std::uint64_t bytes) const {
  return Failure{Code::resource_exhausted, "a reply of " + std::to_string(bytes) +
                                               " bytes is over outbox_bytes_max (" +
                                               std::to_string(limits().outbox_bytes_max) +
                                               "); ask for parts of it, by slices or pages"};
}

Result<void> CallContext::account(std::uint64_t elements, std::uint64_t looks_each) {
  const std::uint64_t most = limits().step_elements_max * looks_per_work;
  if (elements <= most && elements * looks_each <= most - state_.looked_at) [[likely]] {
    state_.looked_at += elements * looks_each;
    return {};
  }
  return Failure{Code::resource_exhausted,
                 "step_elements_max (" + std::to_string(limits().step_elements_max) +
                     ") would be exceeded: " + std::to_string(elements) +
                     " elements at once, during which no other client is served; do it in parts (several "
                     "requests, slices, pages), or give the manager a higher limit"};
}

Result<void> CallContext::add(ValueView a, ValueView b, wire::Buffer& out) const {
  const std::uint64_t most = limits().message_bytes_max;
  if (a.bytes.size() + b.bytes.size() > most)
    return Failure{Code::resource_exhausted, "a value of " + std::to_string(a.bytes.size() + b.bytes.size()) +
                                                 " bytes would be over message_bytes_max (" +
                                                 std::to_string(most) + ")"};
  return server::add(a, b, out);
}

Result<const Object*> CallContext::operand_object(ValueView operand) const {
  wire::Reference reference;
  wire::Reader reader = operand.reader();
  if (!reader.reference(reference))
    return Failure{Code::type_error, "'" + type_name(operand) + "' object is not iterable"};
  return static_cast<const Object*>(find_other(reference.id));  // exists: validated with the arguments
}

Waiter& CallContext::park(WaitQueue& queue, Object& object, std::optional<std::int64_t> limit_us) {
  TANDEM_ASSERT(parked_ == nullptr && would_wait(limit_us));
  std::uint64_t deadline_ns = never_ns;
  if (limit_us) {
    const auto limit = static_cast<std::uint64_t>(*limit_us);
    if (limit < (never_ns - state_.now_ns) / 1000) deadline_ns = state_.now_ns + limit * 1000;
  }
  parked_ = &state_.waits.park(queue, object, owner_, operation_, state_.now_ns, deadline_ns);
  if (state_.sent_as.lane != 0) [[unlikely]]
    state_.waits.set_sent_as(*parked_, state_.sent_as);
  state_.new_waits.push_back(parked_->ticket);
  return *parked_;
}

void CallContext::end_answer(Waiter& waiter, const CallContext& reply, std::size_t begin) {
  Deliveries& deliveries = state_.deliveries;
  if (reply.references_written())
    state_.registry.hold(waiter.owner.session, deliveries.buffer().view_from(begin));
  deliveries.add(waiter, Code::ok, begin);
  if (waiter.sent_as.lane != 0) [[unlikely]]
    state_.keep(waiter, Code::ok, deliveries.buffer().view_from(begin));
  state_.waits.remove(waiter);
}

void CallContext::end_wait(Waiter& waiter, WaitEnd why) {
  const Ticket ticket = waiter.ticket;
  const ObjectId object = waiter.object->id();
  wire::Buffer unused;
  CallContext context(state_, Owner{}, operation_, unused);
  if (WaitQueue::of(waiter) != &waiter.object->watchers_) waiter.object->on_wait_ended(context, waiter, why);
  else if (why == WaitEnd::timed_out || why == WaitEnd::cancelled)
    context.answer(waiter,
                   [version = waiter.amount](CallContext& reply) { reply.out().unsigned_integer(version); });
  if (Waiter* still = state_.waits.find(ticket);
      still != nullptr && (why == WaitEnd::timed_out || why == WaitEnd::cancelled))
    state_.waits.set_deadline(*still, never_ns);
  state_.ready_objects.push_back(object);  // waiters behind it may be served now
}

void CallContext::end_owners(const EndedOwners& owners) {
  while (Waiter* waiter = state_.waits.first_of(owners)) {
    const Ticket ticket = waiter->ticket;
    end_wait(*waiter, WaitEnd::owner_ended);
    Waiter* still = state_.waits.find(ticket);
    if (still == nullptr) continue;
    if (owners.is_whole_session()) state_.waits.remove(*still);
    else refuse(*still, {Code::not_owner, "the thread that made this request has ended"});
  }
  wire::Buffer unused;
  CallContext context(state_, Owner{}, operation_, unused);
  for (ObjectId id : state_.holdings.of(owners)) {
    Object* object = state_.registry.find(id);
    if (object == nullptr) continue;
    object->owners_ended(context, owners);
    context.schedule_serve(*object);
  }
  state_.holdings.forget(owners);
}

/// Takes over the memory of the arguments if the value is most of it; otherwise much would be kept for nothing.
Value CallContext::keep_long(ValueView value) {
  if (state_.arguments_memory == nullptr) return Value(value, state_.registry);
  const wire::Buffer& memory = *state_.arguments_memory;
  const wire::Bytes all = memory.view();
  const bool is_inside =
      value.bytes.data() >= all.data() && value.bytes.data() + value.bytes.size() <= all.data() + all.size();
  if (value.references || !is_inside || value.bytes.size() < memory.capacity() / 8 * 7)
    return Value(value, state_.registry);
  SharedBytes bytes =
      SharedBytes::adopt(std::move(*std::exchange(state_.arguments_memory, nullptr)), value.bytes);
  state_.lent = bytes;
  return Value(std::move(bytes));
}

void EngineState::keep(const Waiter& waiter, Code code, wire::Bytes payload) {
  Lane* const lane = kept.find(waiter.owner.session, waiter.sent_as.lane);
  if (lane == nullptr) return;  // it has ended, and its waits end for that
  kept.keep(*lane, lane->replies().size(), {.request = waiter.sent_as.request, .code = code, .payload = {}},
            payload, {}, kept_limits());
}

void CallContext::refuse(Waiter& waiter, const Failure& failure) {
  Deliveries& deliveries = state_.deliveries;
  const std::size_t begin = deliveries.buffer().size();
  wire::Writer(deliveries.buffer()).text(failure_on(*waiter.object, failure).text);
  deliveries.add(waiter, failure.code, begin);
  if (waiter.sent_as.lane != 0) [[unlikely]]
    state_.keep(waiter, failure.code, deliveries.buffer().view_from(begin));
  state_.waits.remove(waiter);
}

Result<ItemsView> CallContext::items_of(ValueView operand) {
  wire::Reader reader = operand.reader();
  std::uint32_t count = 0;
  if (reader.array(count)) {
    if (Result<void> work = work_on(count); !work) return std::move(work.failure());
    return ItemsView(reader, count, operand.references);
  }
  wire::Bytes body;
  if (reader.extension(wire::Extension::tuple, body) || reader.extension(wire::Extension::set, body)) {
    std::uint64_t elements = 0;
    for (wire::Reader at(body); !at.at_end(); ++elements) (void)at.skip();
    if (Result<void> work = work_on(elements); !work) return std::move(work.failure());
    return ItemsView(wire::Reader(body), elements, operand.references);
  }
  Result<const Object*> object = operand_object(operand);
  if (!object) return std::move(object.failure());
  if (Result<void> work = work_on((*object)->size()); !work) return std::move(work.failure());
  std::uint64_t elements = 0;
  wire::Buffer& copy = new_copy();
  wire::Writer writer(copy);
  if (!(*object)->append_items(writer, elements))
    return Failure{Code::type_error, "a " + std::string((*object)->type().name) + " has no items to take"};
  return ItemsView(wire::Reader(copy.view()), elements, true);
}

wire::Buffer& CallContext::new_copy() {
  if (copies_ == nullptr) copies_ = std::make_unique<std::forward_list<wire::Buffer>>();
  return copies_->emplace_front();
}

Result<EntriesView> CallContext::entries_of(ValueView operand) {
  wire::Reader reader = operand.reader();
  std::uint32_t count = 0;
  if (reader.map(count)) {
    if (Result<void> work = work_on(count); !work) return std::move(work.failure());
    return EntriesView(reader, count, operand.references);
  }
  Result<const Object*> object = operand_object(operand);
  if (!object)
    return Failure{Code::type_error,
                   "a dict's entries are a map or a dict, not '" + type_name(operand) + "'"};
  if (Result<void> work = work_on((*object)->size()); !work) return std::move(work.failure());
  std::uint64_t entries = 0;
  wire::Buffer& copy = new_copy();
  wire::Writer writer(copy);
  if (!(*object)->append_entries(writer, entries))
    return Failure{Code::type_error, "a " + std::string((*object)->type().name) + " has no entries to take"};
  return EntriesView(wire::Reader(copy.view()), entries, true);
}

Failure failure_on(const Object& object, Failure failure) {
  if (object.named() && failure.code != Code::deadlock)
    failure.text = std::string(object.type().name) + ' ' + quote(object.name()) + ": " + failure.text;
  return failure;
}

}  // namespace tandem::server
