#include "server/objects/ownership.hpp"

namespace tandem::server {

void write_grant(wire::Writer& out, std::uint64_t token, bool previous_owner_died) {
  out.array(2);
  out.unsigned_integer(token);
  out.boolean(previous_owner_died);
}

void write_no_grant(wire::Writer& out) {
  write_grant(out, 0, false);
}

void write_owners(CallContext& context, const Object& object) {
  std::uint32_t count = 0;
  object.each_holding([&](const Holding&) { ++count; });
  wire::Writer& out = context.out();
  out.array(count);
  object.each_holding([&](const Holding& holding) { write_owner(context, holding); });
}

void write_owner(CallContext& context, const Holding& holding) {
  wire::Writer& out = context.out();
  out.array(7);
  out.unsigned_integer(holding.owner.session);
  out.unsigned_integer(context.pid_of(holding.owner.session));
  out.unsigned_integer(holding.owner.actor);
  out.boolean(holding.mode == holding_shared);
  out.unsigned_integer(holding.count);
  out.unsigned_integer(holding.token);
  out.unsigned_integer((context.now_ns() - holding.since_ns) / 1000);
}

void Ownership::grant(CallContext& context, Object& object, Owner owner, std::uint64_t depth) {
  TANDEM_ASSERT(depth != 0);
  take(context, object, owner);
  depth_ = depth;
  token_ = context.tokens().grant();
}

void Ownership::take(CallContext& context, Object& object, Owner owner) {
  TANDEM_ASSERT(depth_ == 0);
  owner_ = owner;
  depth_ = 1;
  token_ = 0;
  since_ns_ = context.now_ns();
  context.own(object, owner);
}

void Ownership::give_back(CallContext& context, Object& object) {
  const bool previous_owner_died = previous_owner_died_;
  end(context, object);
  previous_owner_died_ = previous_owner_died;
}

bool Ownership::release(CallContext& context, Object& object) {
  TANDEM_ASSERT(depth_ != 0);
  if (depth_ > 1) return --depth_, false;
  end(context, object);
  return true;
}

void Ownership::end(CallContext& context, Object& object) {
  context.disown(object, owner_);
  if (token_ != 0) context.tokens().end(token_);
  depth_ = 0;
  previous_owner_died_ = false;
}

void Ownership::orphan(CallContext& context) {
  if (token_ != 0) context.tokens().end(token_);
  depth_ = 0;
  previous_owner_died_ = true;
}

Failure Ownership::not_owner(const CallContext& context, std::string_view lock, std::string_view what) const {
  std::string text = std::string(lock) + " can be " + std::string(what) + " by its owner only: ";
  if (!held()) return {Code::not_owner, text + "it is not held"};
  text += "it is held by thread " + std::to_string(owner_.actor) + " of ";
  text +=
      owner_.session == context.session() ? "the same session" : "session " + std::to_string(owner_.session);
  return {Code::not_owner, text};
}

void Ownership::save(StateWriter& out) const {
  out.number(depth_);
  out.boolean(previous_owner_died_);
  if (!held()) return;
  out.owner(owner_);
  out.number(token_);
  out.number(since_ns_);
}

void Ownership::load(StateReader& in) {
  depth_ = in.number();
  previous_owner_died_ = in.boolean();
  if (!held()) return;
  owner_ = in.owner();
  token_ = in.number();
  since_ns_ = in.number();
}

Holding Ownership::holding() const {
  return {owner_, holding_exclusive, {}, depth_, token_, since_ns_};
}

}  // namespace tandem::server
