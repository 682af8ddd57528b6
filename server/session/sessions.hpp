#pragma once
// The client processes as this manager knows them.

#include <cstdint>
#include <map>
#include <unordered_set>

#include "server/session/handshake.hpp"
#include "server/session/link.hpp"
#include "tandem/wire/handshake.hpp"

namespace tandem::server {

class Channel;

/// One client process. Lives as long as it has a channel.
struct Session {
  std::uint64_t id = 0;
  wire::Secret secret{};
  std::uint32_t pid = 0;  // as the client says
  Peer peer;              // of the channel that opened it
  std::unordered_set<const Channel*> channels;
  std::uint64_t outbox_bytes = 0;        // unsent, all channels together, as of their last turns
  std::uint64_t requests_under_way = 0;  // likewise: replies not wholly sent, and requests not wholly received
};

/// Sessions by id. Ids come from a counter and are never reused.
class Sessions {
 public:
  explicit Sessions(const Credentials& credentials) : credentials_(credentials) {}
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  std::size_t size() const { return by_id_.size(); }
  const std::map<std::uint64_t, Session>& all() const { return by_id_; }

  /// A new session, without a channel yet.
  Session& open(std::uint32_t pid, Peer peer);
  /// The session of this id if the secret is its; else null and `refusal` says why.
  Session* find(std::uint64_t id, const wire::Secret& secret, Refusal& refusal);
  void erase(Session& session) { by_id_.erase(session.id); }

 private:
  const Credentials& credentials_;
  std::map<std::uint64_t, Session> by_id_;  // its nodes stay where they are
  std::uint64_t next_id_ = 1;
};

}  // namespace tandem::server
