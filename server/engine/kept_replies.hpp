#pragma once
// Replies that are kept until the client has read them, so that a request which is sent again after its connection broke
// gets the answer of the first time instead of being carried out twice. (Lee et al., "Implementing Linearizability at
// Large Scale and Low Latency", SOSP 2015: completion records.)
//
// Requests are numbered by lane: a lane is one channel of a session, over all the connections that it has one after
// another. The replies of a lane are in the order in which its client reads them.

#include <deque>
#include <map>
#include <string>

#include "server/engine/waits.hpp"

namespace tandem::server {

/// How much is kept.
struct KeptLimits {
  std::uint64_t session_bytes = 0;  // of one session
  std::uint64_t bytes = 0;          // of all together
};

struct KeptReply {
  std::uint32_t request = 0;
  Code code = Code::ok;
  bool one_way = false;    // its client reads no reply
  std::string payload;     // empty if one_way
  std::uint64_t lost = 0;  // not 0: the payload had so many bytes and is not kept
};

class Lane {
 public:
  /// Null if no reply to this request is kept.
  const KeptReply* find(std::uint32_t request) const;
  const std::deque<KeptReply>& replies() const { return replies_; }

 private:
  friend class KeptReplies;
  std::deque<KeptReply> replies_;
  std::uint64_t* session_bytes_ = nullptr;  // of its session
};

/// The lanes of all sessions that have any.
class KeptReplies {
 public:
  /// Memory of a kept reply without its payload.
  static constexpr std::uint64_t reply_bytes = 64;
  static_assert(sizeof(KeptReply) <= reply_bytes);

  /// Gives the session its first lane, 1.
  void open(SessionId session);
  bool has(SessionId session) const { return sessions_.find(session) != sessions_.end(); }
  /// The lane that add_lane() makes next; 0: the session has no lanes.
  LaneId next_lane(SessionId session) const;
  void add_lane(SessionId session);
  /// Null if there is none.
  Lane* find(SessionId session, LaneId lane);
  const Lane* find(SessionId session, LaneId lane) const {
    return const_cast<KeptReplies*>(this)->find(session, lane);
  }
  void end_lane(SessionId session, LaneId lane);
  void close(SessionId session);

  /// Keeps a reply behind the first `place` ones of its lane. Its payload is `front` and `tail`; beyond the limits it is not
  /// kept.
  void keep(Lane& lane, std::size_t place, KeptReply reply, wire::Bytes front, wire::Bytes tail,
            const KeptLimits& limits);
  /// The reply is sent again: it is the last one to be read.
  void move_to_end(Lane& lane, std::uint32_t request);
  /// The client has read the reply to `request`, and so all before it. Returns whether it was kept.
  bool acknowledge(Lane& lane, std::uint32_t request);
  /// The client has read all replies among the first `count` of the lane. One-way requests behind the last of them may be
  /// sent again. Returns how many were dropped.
  std::size_t acknowledge_all(Lane& lane, std::size_t count);

  /// Memory of all sessions' replies. It comes on top of memory_bytes_max: an operation is not refused because of the copy
  /// of its own result.
  std::uint64_t memory_bytes() const { return memory_bytes_; }
  std::uint64_t memory_bytes(SessionId session) const;
  /// Calls f(LaneId, const Lane&) for the lanes of a session, in their order.
  template <class F>
  void each_lane(SessionId session, F&& f) const {
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) return;
    for (const auto& [id, lane] : found->second.lanes) f(id, lane);
  }

  // For loading.
  /// Lanes are restored in ascending order, below `next`.
  Lane& restore_lane(SessionId session, LaneId lane);
  void continue_from(SessionId session, LaneId next) { sessions_[session].next = next; }
  void restore(Lane& lane, KeptReply reply);

 private:
  struct OfSession {
    std::map<LaneId, Lane> lanes;  // pointers to its elements stay valid
    LaneId next = 1;
    std::uint64_t bytes = 0;
  };
  static std::uint64_t bytes_of(const KeptReply& reply) { return reply_bytes + reply.payload.size(); }
  void account(const Lane& lane, std::uint64_t before, std::uint64_t now);
  void drop_front(Lane& lane, std::size_t count);

  std::map<SessionId, OfSession> sessions_;
  std::uint64_t memory_bytes_ = 0;
  // The lane found last, since most calls follow one of the same.
  SessionId found_session_ = 0;
  LaneId found_lane_ = 0;
  Lane* found_ = nullptr;
};

}  // namespace tandem::server
