#include "server/objects/shared_lock.hpp"

#include <algorithm>

#include "server/engine/deadlocks.hpp"

namespace tandem::server {

Result<Written> SharedLock::on(Ops::Acquire, CallContext& context, std::optional<std::int64_t> limit_us) {
  if (held() || !wait_queue_.empty()) return wait(context, limit_us, writes);
  writer_.grant(context, *this, context.owner());
  writer_.write_grant(context.out());
  return Written{};
}

Result<Written> SharedLock::on(Ops::AcquireShared, CallContext& context,
                               std::optional<std::int64_t> limit_us) {
  if (writer_.held() || !wait_queue_.empty()) return wait(context, limit_us, reads);
  write_grant(context.out(), admit(context, context.owner()));
  return Written{};
}

Result<Written> SharedLock::wait(CallContext& context, std::optional<std::int64_t> limit_us, Kind kind) {
  if (context.may_wait(limit_us)) context.park(wait_queue_, *this, limit_us).kind = kind;
  else write_no_grant(context.out());
  return Written{};
}

Result<void> SharedLock::on(Ops::Release, CallContext& context) {
  if (!writer_.held_by(context.owner())) return writer_.not_owner(context, "a shared_lock", "released");
  writer_.end(context, *this);
  context.schedule_serve(*this);
  return {};
}

Result<void> SharedLock::on(Ops::ReleaseShared, CallContext& context) {
  auto reader = find(context.owner());
  if (reader == readers_.end())
    return Failure{Code::not_owner,
                   "a shared_lock can be released by its readers only: the calling thread is none"};
  if (--reader->depth != 0) return {};
  end(context, *reader);
  readers_.erase(reader);
  context.schedule_serve(*this);
  return {};
}

Result<Written> SharedLock::on(Ops::Grant, CallContext& context) {
  if (writer_.held_by(context.owner())) {
    writer_.write_grant(context.out());
    return Written{};
  }
  auto reader = find(context.owner());
  if (reader == readers_.end())
    return Failure{Code::not_owner, "the calling thread holds this shared_lock neither to write nor to read"};
  write_grant(context.out(), reader->token);
  return Written{};
}

Result<Written> SharedLock::on(Ops::Owners, CallContext& context) {
  write_owners(context, *this);
  return Written{};
}

std::uint64_t SharedLock::admit(CallContext& context, Owner owner) {
  auto reader = find(owner);
  if (reader == readers_.end()) {
    context.own(*this, owner);
    readers_.push_back({owner, 0, context.tokens().grant(), context.now_ns()});
    reader = readers_.end() - 1;
  }
  ++reader->depth;
  return reader->token;
}

std::vector<SharedLock::Reader>::iterator SharedLock::find(Owner owner) {
  return std::find_if(readers_.begin(), readers_.end(),
                      [&](const Reader& reader) { return reader.owner == owner; });
}

void SharedLock::end(CallContext& context, const Reader& reader) {
  context.disown(*this, reader.owner);
  context.tokens().end(reader.token);
}

// ---- waiting ----------------------------------------------------------------------------------------------

void SharedLock::serve(CallContext& context) {
  while (!wait_queue_.empty() && !writer_.held()) {
    Waiter& first = *wait_queue_.front();
    if (first.kind == writes) {
      if (!readers_.empty()) return;
      writer_.grant(context, *this, first.owner);
      context.answer(first, [&](CallContext& reply) { writer_.write_grant(reply.out()); });
    } else {
      const std::uint64_t token = admit(context, first.owner);
      context.answer(first, [&](CallContext& reply) { write_grant(reply.out(), token); });
    }
  }
}

void SharedLock::on_wait_ended(CallContext& context, Waiter& waiter, WaitEnd why) {
  if (why == WaitEnd::timed_out || why == WaitEnd::cancelled)
    context.answer(waiter, [](CallContext& reply) { write_no_grant(reply.out()); });
}

void SharedLock::owners_ended(CallContext& context, const EndedOwners& owners) {
  if (writer_.held_by_any(owners)) writer_.orphan(context);
  std::erase_if(readers_, [&](const Reader& reader) {
    if (!owners.includes(reader.owner)) return false;
    end(context, reader);
    return true;
  });
}

void SharedLock::on_destroy(CallContext& context) {
  if (writer_.held()) writer_.end(context, *this);
  for (const Reader& reader : readers_) end(context, reader);
  readers_.clear();
}

void SharedLock::each_blocker(const Waiter& waiter, const std::function<void(const Blocker&)>& visit) const {
  if (writer_.held()) return visit({writer_.owner()});
  if (waiter.kind == writes) {
    for (const Reader& reader : readers_) visit({reader.owner});
    return;
  }
  // The reader is queued behind a writer that waits for the readers. One without a time limit is preferred:
  // its wait does not end by itself.
  const Waiter* before = nullptr;
  for (const Waiter* at = wait_queue_.front(); at != nullptr && at != &waiter; at = WaitQueue::next(*at)) {
    if (at->kind != writes) continue;
    if (before == nullptr || at->deadline_ns == never_ns) before = at;
    if (before->deadline_ns == never_ns) break;
  }
  if (before != nullptr) visit({before->owner, false});
}

std::string SharedLock::describe_wait(const Waiter& waiter) const {
  return describe(*this) + (waiter.kind == writes ? " to write" : " to read");
}

// ---- inspection -------------------------------------------------------------------------------------------

std::optional<HoldingCursor> SharedLock::visit_holdings(HoldingCursor cursor,
                                                        const HoldingVisitor& visit) const {
  if (writer_.held()) {  // then there are no readers
    if (cursor == HoldingCursor{}) (void)visit(writer_.holding());
    return std::nullopt;
  }
  // Tokens grow in the order of grants.
  auto at = std::upper_bound(readers_.begin(), readers_.end(), cursor.first,
                             [](std::uint64_t token, const Reader& reader) { return token < reader.token; });
  for (; at != readers_.end(); ++at)
    if (!visit({at->owner, holding_shared, {}, at->depth, at->token, at->since_ns}))
      return HoldingCursor{at->token};
  return std::nullopt;
}

void SharedLock::save(StateWriter& out) const {
  writer_.save(out);
  out.number(readers_.size());
  for (const Reader& reader : readers_) {
    out.owner(reader.owner);
    for (std::uint64_t number : {reader.depth, reader.token, reader.since_ns}) out.number(number);
  }
}

void SharedLock::load(StateReader& in) {
  writer_.load(in);
  in.repeat([&] {
    Reader& reader = readers_.emplace_back();
    reader.owner = in.owner();
    for (std::uint64_t* number : {&reader.depth, &reader.token, &reader.since_ns}) *number = in.number();
  });
}

std::optional<std::uint64_t> SharedLock::visit_elements(std::uint64_t cursor,
                                                        const ElementVisitor& visit) const {
  wire::Buffer state;
  wire::Writer writer(state);
  writer.map(2);
  writer.text("writer");
  writer.boolean(writer_.held());
  writer.text("readers");
  writer.unsigned_integer(readers_.size());
  if (cursor == 0) (void)visit({}, {state.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
