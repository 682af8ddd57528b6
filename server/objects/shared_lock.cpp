#include "server/objects/shared_lock.hpp"

#include <algorithm>

#include "server/engine/deadlocks.hpp"

namespace tandem::server {

Result<Written> SharedLock::on(Ops::Acquire, Turn& turn, std::optional<std::int64_t> limit_us) {
  if (held() || !line_.empty()) return wait(turn, limit_us, writes);
  writer_.grant(turn, *this, turn.who());
  writer_.write_grant(turn.out());
  return Written{};
}

Result<Written> SharedLock::on(Ops::AcquireShared, Turn& turn, std::optional<std::int64_t> limit_us) {
  if (writer_.held() || !line_.empty()) return wait(turn, limit_us, reads);
  write_grant(turn.out(), admit(turn, turn.who()));
  return Written{};
}

Result<Written> SharedLock::wait(Turn& turn, std::optional<std::int64_t> limit_us, Kind kind) {
  if (turn.may_wait(limit_us)) turn.park(line_, *this, limit_us).kind = kind;
  else write_no_grant(turn.out());
  return Written{};
}

Result<void> SharedLock::on(Ops::Release, Turn& turn) {
  if (!writer_.held_by(turn.who())) return writer_.not_owner(turn, "a shared_lock", "released");
  writer_.end(turn, *this);
  turn.serve_later(*this);
  return {};
}

Result<void> SharedLock::on(Ops::ReleaseShared, Turn& turn) {
  auto reader = find(turn.who());
  if (reader == readers_.end())
    return Failure{Code::not_owner,
                   "a shared_lock can be released by its readers only: the calling thread is none"};
  if (--reader->depth != 0) return {};
  end(turn, *reader);
  readers_.erase(reader);
  turn.serve_later(*this);
  return {};
}

Result<Written> SharedLock::on(Ops::Grant, Turn& turn) {
  if (writer_.held_by(turn.who())) {
    writer_.write_grant(turn.out());
    return Written{};
  }
  auto reader = find(turn.who());
  if (reader == readers_.end())
    return Failure{Code::not_owner, "the calling thread holds this shared_lock neither to write nor to read"};
  write_grant(turn.out(), reader->token);
  return Written{};
}

Result<Written> SharedLock::on(Ops::Owners, Turn& turn) {
  write_owners(turn, *this);
  return Written{};
}

std::uint64_t SharedLock::admit(Turn& turn, Owner who) {
  auto reader = find(who);
  if (reader == readers_.end()) {
    turn.own(*this, who.session);
    readers_.push_back({who, 0, turn.tokens().grant(), turn.now_ns()});
    reader = readers_.end() - 1;
  }
  ++reader->depth;
  return reader->token;
}

std::vector<SharedLock::Reader>::iterator SharedLock::find(Owner who) {
  return std::find_if(readers_.begin(), readers_.end(),
                      [&](const Reader& reader) { return reader.who == who; });
}

void SharedLock::end(Turn& turn, const Reader& reader) {
  turn.disown(*this, reader.who.session);
  turn.tokens().end(reader.token);
}

// ---- waiting ----------------------------------------------------------------------------------------------------------

void SharedLock::serve(Turn& turn) {
  while (!line_.empty() && !writer_.held()) {
    Waiter& first = *line_.front();
    if (first.kind == writes) {
      if (!readers_.empty()) return;
      writer_.grant(turn, *this, first.who);
      turn.answer(first, [&](Turn& its) { writer_.write_grant(its.out()); });
    } else {
      const std::uint64_t token = admit(turn, first.who);
      turn.answer(first, [&](Turn& its) { write_grant(its.out(), token); });
    }
  }
}

void SharedLock::leave(Turn& turn, Waiter& waiter, Leaving why) {
  if (why == Leaving::timed_out || why == Leaving::cancelled)
    turn.answer(waiter, [](Turn& its) { write_no_grant(its.out()); });
}

void SharedLock::session_ended(Turn& turn, SessionId session) {
  if (writer_.held_by_session(session)) writer_.orphan(turn);
  std::erase_if(readers_, [&](const Reader& reader) {
    if (reader.who.session != session) return false;
    end(turn, reader);
    return true;
  });
}

void SharedLock::going(Turn& turn) {
  if (writer_.held()) writer_.end(turn, *this);
  for (const Reader& reader : readers_) end(turn, reader);
  readers_.clear();
}

void SharedLock::each_blocker(const Waiter& waiter, const std::function<void(const Blocker&)>& show) const {
  if (writer_.held()) return show({writer_.owner()});
  if (waiter.kind == writes) {
    for (const Reader& reader : readers_) show({reader.who});
    return;
  }
  // Behind a writer that waits for the readers. One without a time limit counts for more.
  const Waiter* before = nullptr;
  for (const Waiter* at = line_.front(); at != nullptr && at != &waiter; at = Line::next(*at)) {
    if (at->kind != writes) continue;
    if (before == nullptr || at->deadline_ns == never_ns) before = at;
    if (before->deadline_ns == never_ns) break;
  }
  if (before != nullptr) show({before->who, false});
}

std::string SharedLock::describe_wait(const Waiter& waiter) const {
  return describe(*this) + (waiter.kind == writes ? " to write" : " to read");
}

// ---- for people -------------------------------------------------------------------------------------------------------

void SharedLock::each_holding(const std::function<void(const Holding&)>& show) const {
  if (writer_.held()) show(writer_.holding());
  for (const Reader& reader : readers_)
    show({reader.who, holding_shared, {}, reader.depth, reader.token, reader.since_ns});
}

void SharedLock::save(wire::Writer& out) const {
  out.array(2);
  writer_.save(out);
  out.array(readers_.size());
  for (const Reader& reader : readers_) {
    out.array(5);
    for (std::uint64_t number :
         {reader.who.session, std::uint64_t{reader.who.actor}, reader.depth, reader.token, reader.since_ns})
      out.unsigned_integer(number);
  }
}

std::optional<std::uint64_t> SharedLock::show(std::uint64_t cursor, const LookAt& look) const {
  wire::Buffer state;
  wire::Writer writer(state);
  writer.map(2);
  writer.text("writer");
  writer.boolean(writer_.held());
  writer.text("readers");
  writer.unsigned_integer(readers_.size());
  if (cursor == 0) (void)look({}, {state.view(), false});
  return std::nullopt;
}

}  // namespace tandem::server
