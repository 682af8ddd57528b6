#include "server/session/sessions.hpp"

#include <utility>

#include "client/common/crypto.hpp"

namespace tandem::server {

namespace {

wire::Proof hash_of(const wire::Secret& secret) {
  return client::hmac_sha256("tandem session", {secret});
}

}  // namespace

Session& Sessions::open(std::uint32_t pid, Peer peer, wire::Secret& secret) {
  credentials_.fill_random(secret);
  return restore(next_id_++, hash_of(secret), pid, std::move(peer));
}

Session& Sessions::restore(std::uint64_t id, const wire::Proof& secret_hash, std::uint32_t pid, Peer peer) {
  Session& session = by_id_[id];
  session.id = id;
  session.secret_hash = secret_hash;
  session.pid = pid;
  session.peer = std::move(peer);
  return session;
}

Session* Sessions::find(std::uint64_t id, const wire::Secret& secret, Refusal& refusal) {
  auto found = by_id_.find(id);
  auto lost = found == by_id_.end() ? lost_.find(id) : lost_.end();
  bool was_one = found != by_id_.end() || lost != lost_.end();
  if (was_one && !credentials_.equal(hash_of(secret), found != by_id_.end() ? found->second.secret_hash
                                                                            : lost->second.secret_hash)) {
    refusal = {Code::authentication_error, HandshakeFailure::session,
               "this is not the secret of session " + std::to_string(id)};
    return nullptr;
  }
  if (found != by_id_.end()) return &found->second;
  refusal = {Code::session_lost, HandshakeFailure::session,
             lost != lost_.end()
                 ? lost->second.text
                 : "session " + std::to_string(id) + " is not open (" + why_unknown_ + "); it owned nothing"};
  return nullptr;
}

void Sessions::end(Session& session, std::string lost) {
  if (!lost.empty()) lost_[session.id] = {session.secret_hash, std::move(lost)};
  if (lost_.size() > lost_max) lost_.erase(lost_.begin());
  by_id_.erase(session.id);
}

std::string Sessions::lost(std::uint64_t id) const {
  auto found = lost_.find(id);
  return found == lost_.end() ? std::string() : found->second.text;
}

}  // namespace tandem::server
