#include "server/session/service.hpp"

#include "server/session/channel.hpp"

namespace tandem::server {

std::string over_limit(std::string_view what, std::string_view limit_name, std::uint64_t limit) {
  return std::string(what) + ": over " + std::string(limit_name) + " (" + std::to_string(limit) + ")";
}

Service::Service(Engine& engine, const Limits& limits, Credentials credentials, spdlog::logger& log)
    : engine_(engine),
      limits_(limits),
      credentials_(std::move(credentials)),
      log_(log),
      sessions_(credentials_),
      statistics_(engine.operations().size()) {}

Session* Service::admit(const Channel& channel, const wire::Answer& answer, Refusal& refusal) {
  if (shutting_down_) {
    refusal = {Code::shutting_down, HandshakeFailure::shutting_down, "the manager is stopping"};
    return nullptr;
  }
  if (!credentials_.has_authkey && channel.peer().uid != credentials_.own_uid &&
      channel.peer().uid != 0u) {
    refusal = {Code::authentication_error, HandshakeFailure::uid,
               "this manager has no authkey and takes only clients of its own user, uid " +
                   std::to_string(credentials_.own_uid)};
    return nullptr;
  }
  if (channels_admitted_ >= limits_.channels_max) {
    refusal = {Code::resource_exhausted, HandshakeFailure::limit,
               over_limit("one more channel", "channels_max", limits_.channels_max)};
    return nullptr;
  }
  Session* session = answer.purpose == wire::Purpose::join ? sessions_.find(answer.session, answer.secret, refusal)
                                                           : open_session(answer, channel.peer(), refusal);
  if (session == nullptr) return nullptr;
  session->channels.insert(&channel);
  ++channels_admitted_;
  return session;
}

Session* Service::open_session(const wire::Answer& answer, const Peer& peer, Refusal& refusal) {
  std::uint64_t inherits_from = 0;
  if (answer.purpose == wire::Purpose::inherit) {
    Session* parent = sessions_.find(answer.session, answer.secret, refusal);
    if (parent == nullptr) return nullptr;
    inherits_from = parent->id;
  }
  if (sessions_.size() >= limits_.sessions_max) {
    refusal = {Code::resource_exhausted, HandshakeFailure::limit,
               over_limit("one more session", "sessions_max", limits_.sessions_max)};
    return nullptr;
  }
  Session& session = sessions_.open(answer.pid, peer);
  ++statistics_.sessions_opened;
  engine_.step(SessionOpened{session.id, inherits_from, session.pid});
  log_.info("session {} opened by process {} on {}", session.id, session.pid, peer.address);
  return &session;
}

void Service::leave(const Channel& channel, Session& session) {
  --channels_admitted_;
  session.channels.erase(&channel);
  if (!session.channels.empty()) return;
  engine_.step(SessionClosed{session.id});
  after_step();
  log_.info("session {} of process {} closed", session.id, session.pid);
  sessions_.erase(session);
}

// ---- requests that wait -----------------------------------------------------------------------------------------------

void Service::park(Ticket ticket, Channel& channel, std::uint32_t request) {
  parked_.emplace(ticket, Parked{&channel, request});
}

void Service::cancel(Ticket ticket) {
  engine_.step(Cancel{ticket});
  after_step();
}

void Service::forget(Ticket ticket, const Session& session) {
  parked_.erase(ticket);
  if (session.channels.size() > 1) cancel(ticket);
}

void Service::deliver() {
  while (!engine_.deliveries().empty()) {
    Deliveries taken = std::move(spare_);
    engine_.take_deliveries(taken);
    for (const Deliveries::Delivery& delivery : taken.all()) {
      auto found = parked_.find(delivery.ticket);
      if (found == parked_.end()) continue;
      Parked parked = found->second;
      parked_.erase(found);
      parked.channel->answer_parked(parked.request, delivery.code, taken.payload(delivery));
    }
    spare_ = std::move(taken);
  }
}

void Service::set_alarm() {
  alarm_ns_ = engine_.next_deadline_ns();
  if (on_alarm) on_alarm(alarm_ns_);
}

void Service::tick(std::uint64_t now_ns) {
  alarm_ns_ = never_ns;
  engine_.step(Tick{now_ns});
  after_step();
}

void Service::handshake_failed(const Peer& peer, HandshakeFailure reason, std::string_view text) {
  ++statistics_.handshakes_failed[static_cast<std::size_t>(reason)];
  log_.warn("handshake with {} failed ({}): {}", peer.address, name_of(reason), text);
}

void Service::shut_down() {
  shutting_down_ = true;
  for (Channel* channel : channels_) channel->link().wake();
}

void Service::close_all() {
  for (Channel* channel : channels_) channel->link().close();
}

}  // namespace tandem::server
