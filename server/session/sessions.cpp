#include "server/session/sessions.hpp"

#include <utility>

namespace tandem::server {

Session& Sessions::open(std::uint32_t pid, Peer peer) {
  Session& session = by_id_[next_id_];
  session.id = next_id_++;
  credentials_.fill_random(session.secret);
  session.pid = pid;
  session.peer = std::move(peer);
  return session;
}

Session* Sessions::find(std::uint64_t id, const wire::Secret& secret, Refusal& refusal) {
  auto found = by_id_.find(id);
  auto lost = found == by_id_.end() ? lost_.find(id) : lost_.end();
  bool was_one = found != by_id_.end() || lost != lost_.end();
  if (was_one &&
      !credentials_.equal(secret, found != by_id_.end() ? found->second.secret : lost->second.secret)) {
    refusal = {Code::authentication_error, HandshakeFailure::session,
               "this is not the secret of session " + std::to_string(id)};
    return nullptr;
  }
  if (found != by_id_.end()) return &found->second;
  refusal = {Code::session_lost, HandshakeFailure::session,
             lost != lost_.end()
                 ? lost->second.text
                 : "session " + std::to_string(id) +
                       " is not open (a session ends with its last channel); it owned nothing"};
  return nullptr;
}

void Sessions::end(Session& session, std::string lost) {
  if (!lost.empty()) lost_[session.id] = {session.secret, std::move(lost)};
  if (lost_.size() > lost_max) lost_.erase(lost_.begin());
  by_id_.erase(session.id);
}

std::string Sessions::lost(std::uint64_t id) const {
  auto found = lost_.find(id);
  return found == lost_.end() ? std::string() : found->second.text;
}

}  // namespace tandem::server
