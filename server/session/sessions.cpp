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
  if (found == by_id_.end()) {
    refusal = {Code::authentication_error, HandshakeFailure::session,
               "session " + std::to_string(id) + " is not open (a session ends with its last channel)"};
    return nullptr;
  }
  if (!credentials_.equal(secret, found->second.secret)) {
    refusal = {Code::authentication_error, HandshakeFailure::session,
               "this is not the secret of session " + std::to_string(id)};
    return nullptr;
  }
  return &found->second;
}

}  // namespace tandem::server
