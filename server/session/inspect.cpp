#include "server/session/inspect.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "server/session/channel.hpp"

namespace tandem::server {

std::vector<SessionInfo> ServerState::sessions() const {
  std::map<const Session*, std::set<std::uint32_t>> actors;
  for (const Channel* channel : service.channels())
    if (channel->session() != nullptr && channel->has_actor()) actors[channel->session()].insert(channel->last_actor());

  std::vector<SessionInfo> all;
  for (const auto& [id, session] : service.sessions().all()) {
    auto threads = actors.find(&session);
    all.push_back({id, session.pid, session.peer.uid, session.peer.address, session.channels,
                   threads == actors.end() ? 0 : threads->second.size(), session.requests_under_way,
                   session.outbox_bytes, engine().registry().references_of(id)});
  }
  std::sort(all.begin(), all.end(), [](const SessionInfo& a, const SessionInfo& b) { return a.id < b.id; });
  return all;
}

}  // namespace tandem::server
