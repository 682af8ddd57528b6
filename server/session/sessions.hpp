#pragma once
// The client processes as this manager knows them.

#include <cstdint>
#include <map>
#include <unordered_set>

#include "server/session/handshake.hpp"
#include "server/session/transport_handle.hpp"
#include "tandem/wire/handshake.hpp"

namespace tandem::server {

class Channel;

/// One client process. Lives as long as it has a channel, and, if it is on another machine, is heard of.
struct Session {
  /// A channel's end shows that a process of this machine is gone. Of another machine nothing may show at all.
  bool remote() const { return peer.address.starts_with("tcp:"); }

  std::uint64_t id = 0;
  wire::Secret secret{};
  std::uint32_t pid = 0;  // as the client says
  Peer peer;              // of the channel that opened it
  std::unordered_set<Channel*> channels;
  std::uint64_t heard_ns = 0;      // when a channel of it last received anything
  std::uint64_t outbox_bytes = 0;  // unsent, all channels together, as of their last turns
  std::uint64_t requests_under_way =
      0;  // likewise: replies not wholly sent, and requests not wholly received
};

/// Sessions by id. Ids come from a counter and are never reused.
class Sessions {
 public:
  explicit Sessions(const Credentials& credentials) : credentials_(credentials) {}
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  std::size_t size() const { return by_id_.size(); }
  const std::map<std::uint64_t, Session>& all() const { return by_id_; }
  std::map<std::uint64_t, Session>& all() { return by_id_; }

  /// Null: none is open under this id.
  Session* find(std::uint64_t id) {
    auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &found->second;
  }
  /// A new session, without a channel yet.
  Session& open(std::uint32_t pid, Peer peer);
  /// The session of this id if the secret is its; else null and `refusal` says why: session_lost, with what the session
  /// owned, if it has ended.
  Session* find(std::uint64_t id, const wire::Secret& secret, Refusal& refusal);
  /// The session has ended. `lost` says why, and what it owned; empty: nothing worth remembering.
  void end(Session& session, std::string lost);
  /// Of a session that ended; empty if it is not known.
  std::string lost(std::uint64_t id) const;

 private:
  // Ended sessions that are remembered for clients which come back to them.
  static constexpr std::size_t lost_max = 4096;
  struct Lost {
    wire::Secret secret{};
    std::string text;
  };

  const Credentials& credentials_;
  std::map<std::uint64_t, Session> by_id_;  // its nodes stay where they are
  std::map<std::uint64_t, Lost> lost_;
  std::uint64_t next_id_ = 1;
};

}  // namespace tandem::server
