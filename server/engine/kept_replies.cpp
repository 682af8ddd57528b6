#include "server/engine/kept_replies.hpp"

#include <algorithm>

namespace tandem::server {
namespace {

template <class Replies>
auto position(Replies& replies, std::uint32_t request) {
  return std::find_if(replies.begin(), replies.end(),
                      [request](const KeptReply& reply) { return reply.request == request; });
}

}  // namespace

const KeptReply* Lane::find(std::uint32_t request) const {
  const auto at = position(replies_, request);
  return at == replies_.end() ? nullptr : &*at;
}

void KeptReplies::open(SessionId session) {
  (void)sessions_[session];
  add_lane(session);
}

LaneId KeptReplies::next_lane(SessionId session) const {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? 0 : found->second.next;
}

void KeptReplies::add_lane(SessionId session) {
  restore_lane(session, sessions_.at(session).next++);
}

Lane* KeptReplies::find(SessionId session, LaneId lane) {
  if (session == found_session_ && lane == found_lane_) return found_;
  const auto of = sessions_.find(session);
  if (of == sessions_.end()) return nullptr;
  const auto found = of->second.lanes.find(lane);
  if (found == of->second.lanes.end()) return nullptr;
  found_session_ = session;
  found_lane_ = lane;
  return found_ = &found->second;
}

void KeptReplies::end_lane(SessionId session, LaneId lane) {
  found_session_ = 0;
  const auto of = sessions_.find(session);
  if (of == sessions_.end()) return;
  const auto found = of->second.lanes.find(lane);
  if (found == of->second.lanes.end()) return;
  drop_front(found->second, found->second.replies_.size());
  of->second.lanes.erase(found);
}

void KeptReplies::close(SessionId session) {
  found_session_ = 0;
  const auto of = sessions_.find(session);
  if (of == sessions_.end()) return;
  memory_bytes_ -= of->second.bytes;
  sessions_.erase(of);
}

void KeptReplies::account(const Lane& lane, std::uint64_t before, std::uint64_t now) {
  *lane.session_bytes_ += now - before;
  memory_bytes_ += now - before;
}

void KeptReplies::drop_front(Lane& lane, std::size_t count) {
  for (; count != 0; --count) {
    account(lane, bytes_of(lane.replies_.front()), 0);
    lane.replies_.pop_front();
  }
}

void KeptReplies::keep(Lane& lane, std::size_t place, KeptReply reply, wire::Bytes front, wire::Bytes tail,
                       const KeptLimits& limits) {
  const std::size_t payload_bytes = front.size() + tail.size();
  const std::uint64_t bytes = reply_bytes + payload_bytes;
  if (*lane.session_bytes_ + bytes <= limits.session_bytes && memory_bytes_ + bytes <= limits.bytes) {
    reply.payload.reserve(payload_bytes);
    reply.payload.append(wire::as_text(front)).append(wire::as_text(tail));
  } else {
    reply.lost = payload_bytes;
  }
  account(lane, 0, bytes_of(reply));
  lane.replies_.insert(lane.replies_.begin() + static_cast<std::ptrdiff_t>(place), std::move(reply));
}

void KeptReplies::move_to_end(Lane& lane, std::uint32_t request) {
  const auto at = position(lane.replies_, request);
  std::rotate(at, at + 1, lane.replies_.end());
}

bool KeptReplies::acknowledge(Lane& lane, std::uint32_t request) {
  const auto at = position(lane.replies_, request);
  if (at == lane.replies_.end()) return false;
  drop_front(lane, static_cast<std::size_t>(at - lane.replies_.begin()) + 1);
  return true;
}

std::size_t KeptReplies::acknowledge_all(Lane& lane, std::size_t count) {
  while (count != 0 && lane.replies_[count - 1].one_way) --count;
  drop_front(lane, count);
  return count;
}

std::uint64_t KeptReplies::memory_bytes(SessionId session) const {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? 0 : found->second.bytes;
}

Lane& KeptReplies::restore_lane(SessionId session, LaneId lane) {
  OfSession& of = sessions_[session];
  Lane& made = of.lanes[lane];
  made.session_bytes_ = &of.bytes;
  return made;
}

void KeptReplies::restore(Lane& lane, KeptReply reply) {
  account(lane, 0, bytes_of(reply));
  lane.replies_.push_back(std::move(reply));
}

}  // namespace tandem::server
