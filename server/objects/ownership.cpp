#include "server/objects/ownership.hpp"

namespace tandem::server {

void write_grant(wire::Writer& out, std::uint64_t token, bool previous_owner_died) {
  out.array(2);
  out.unsigned_integer(token);
  out.boolean(previous_owner_died);
}

void write_no_grant(wire::Writer& out) { write_grant(out, 0, false); }

void Ownership::grant(Turn& turn, Object& object, Owner who, std::uint64_t depth) {
  TANDEM_ASSERT(depth_ == 0 && depth != 0);
  owner_ = who;
  depth_ = depth;
  token_ = turn.tokens().grant();
  since_ns_ = turn.now_ns();
  turn.own(object, who.session);
}

bool Ownership::release(Turn& turn, Object& object) {
  TANDEM_ASSERT(depth_ != 0);
  if (depth_ > 1) return --depth_, false;
  end(turn, object);
  return true;
}

void Ownership::end(Turn& turn, Object& object) {
  turn.disown(object, owner_.session);
  turn.tokens().end(token_);
  depth_ = 0;
  previous_owner_died_ = false;
}

void Ownership::orphan(Turn& turn) {
  turn.tokens().end(token_);
  depth_ = 0;
  previous_owner_died_ = true;
}

void Ownership::save(wire::Writer& out) const {
  out.array(6);
  const Owner shown = held() ? owner_ : Owner{};
  for (std::uint64_t number : {shown.session, std::uint64_t{shown.actor}, depth_, held() ? token_ : 0,
                               held() ? since_ns_ : 0})
    out.unsigned_integer(number);
  out.boolean(previous_owner_died_);
}

Holding Ownership::holding(std::string_view how) const { return {owner_, how, {}, depth_, token_, since_ns_}; }

}  // namespace tandem::server
