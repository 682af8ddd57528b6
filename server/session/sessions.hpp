#pragma once
// The sessions of a manager, one per client process.

#include <cstdint>
#include <map>
#include <unordered_set>

#include "server/session/handshake.hpp"
#include "server/session/transport_handle.hpp"
#include "tandem/wire/handshake.hpp"

namespace tandem::server {

class Channel;

/// One client process. Ends with its last channel or, on another machine, when it is silent for
/// session_lease_ms. If it has lanes (kept_replies.hpp), it goes on while one of them can be resumed.
struct Session {
  /// A local process that has died is noticed by the end of its channels; a remote one possibly not at all.
  bool remote() const { return is_remote(peer); }

  std::uint64_t id = 0;
  wire::Proof secret_hash{};
  std::uint32_t pid = 0;  // as the client says
  Peer peer;              // of the channel that opened the session
  std::unordered_set<Channel*> channels;
  std::map<std::uint32_t, std::uint64_t> left_lanes;  // without a channel, and when they end
  std::uint64_t heard_ns = 0;      // last turn of any of its channels; see Service::check_leases
  std::uint64_t outbox_bytes = 0;  // unsent, over all channels, as of their last turns
  /// As of their last turns: requests not completely received, parked, or with a reply not completely sent.
  std::uint64_t requests_under_way = 0;
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

  /// Returns null if no session with this id is open.
  Session* find(std::uint64_t id) {
    auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &found->second;
  }
  /// Why a session may not be known that a client has.
  void explain_unknown(std::string why) { why_unknown_ = std::move(why); }
  /// Ids are given from this one on.
  void continue_from(std::uint64_t next_id) { next_id_ = next_id; }
  /// Opens a session, which has no channel yet, and makes its secret.
  Session& open(std::uint32_t pid, Peer peer, wire::Secret& secret);
  /// A session of the manager's last start, by the hash of its secret.
  Session& restore(std::uint64_t id, const wire::Proof& secret_hash, std::uint32_t pid, Peer peer);
  /// Returns the session with this id if `secret` matches. Otherwise returns null and fills in `refusal`:
  /// session_lost, with what the session owned, if it has ended.
  Session* find(std::uint64_t id, const wire::Secret& secret, Refusal& refusal);
  /// Removes the session. `lost`: why it ended and what it owned, kept for clients that return; empty:
  /// nothing is kept.
  void end(Session& session, std::string lost);
  /// The `lost` text of an ended session; empty if it is not known.
  std::string lost(std::uint64_t id) const;

 private:
  // Number of ended sessions that are remembered for clients that return.
  static constexpr std::size_t lost_max = 4096;
  struct Lost {
    wire::Proof secret_hash{};
    std::string text;
  };

  const Credentials& credentials_;
  std::map<std::uint64_t, Session> by_id_;  // pointers to its elements stay valid
  std::map<std::uint64_t, Lost> lost_;
  std::uint64_t next_id_ = 1;
  std::string why_unknown_ = "a session ends with its last channel";
};

}  // namespace tandem::server
