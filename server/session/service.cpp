#include "server/session/service.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>

#include "client/os/clock.hpp"
#include "client/os/process_identity.hpp"
#include "server/engine/overview.hpp"
#include "server/session/channel.hpp"

namespace tandem::server {
namespace {

// If a lease check runs later than lease/10, the manager itself was stalled; every remote session then gets
// at least lease/10 from now.
constexpr std::uint64_t grace_part = 10;
constexpr std::uint64_t ns_per_ms = 1'000'000;

}  // namespace

std::string over_limit(std::string_view what, std::string_view limit_name, std::uint64_t limit) {
  return std::string(what) + ": over " + std::string(limit_name) + " (" + std::to_string(limit) + ")";
}

Service::Service(Engine& engine, const Limits& limits, Credentials credentials, spdlog::logger& log,
                 Journal* journal)
    : engine_(engine),
      journal_(journal),
      limits_(limits),
      credentials_(std::move(credentials)),
      log_(log),
      sessions_(credentials_),
      statistics_(engine.operations().size()) {
  sessions_.continue_from(engine.next_session());
  restore_sessions();
}

// ---- sessions of the last start ---------------------------------------------------------------------------

/// Their clients have lost their connections, and may come back within session_grace_ms.
void Service::restore_sessions() {
  if (journal_ != nullptr && journal_->may_have_lost()) sessions_.explain_unknown(what_may_be_lost());
  std::vector<SessionId> open;
  engine_.registry().each_session([&](SessionId id, const auto&) { open.push_back(id); });
  const std::uint64_t now_ns = os::clock_ns();
  for (const SessionId id : open) {
    const SessionClient& client = engine_.state().clients.at(id);
    Session& session = sessions_.restore(id, client.secret_hash, client.pid, {client.address, client.uid, 0});
    session.heard_ns = now_ns;
    if (std::string why = why_not_restored(id, client); !why.empty()) {
      end_session(session, std::move(why));
      continue;
    }
    engine_.kept().each_lane(id, [&](LaneId lane, const Lane&) {
      leave_lane(session, lane, now_ns + limits_.session_grace_ms * ns_per_ms);
    });
    log_.info("session {} of process {} on {} can be resumed", id, client.pid, client.address);
  }
  hand_over();
}

std::string Service::what_may_be_lost() const {
  return "the manager may have lost what it did last (journal level " +
         std::string(name_of(journal_->recovered().level)) + ")";
}

/// Returns an empty text if it can be resumed.
std::string Service::why_not_restored(SessionId id, const SessionClient& client) const {
  if (journal_->may_have_lost()) return what_may_be_lost();
  if (!engine_.kept().has(id) || limits_.session_grace_ms == 0 || client.address == in_process_address)
    return "the manager was started again";
  if (os::has_ended(client.process)) return "its process ended while the manager was away";
  return {};
}

/// Also ends what its channels are for, but not the channels.
void Service::end_session(Session& session, std::string why) {
  std::string lost = what_is_lost(session, std::move(why));
  log_.info("session {} of process {} closed: {}", session.id, session.pid, lost);
  step(SessionClosed{session.id, os::clock_ns()});
  sessions_.end(session, std::move(lost));
  after_step();
}

// ---- lanes ------------------------------------------------------------------------------------------------

std::uint64_t Service::resume_ms() const {
  if (journal_ == nullptr) return limits_.session_resume_ms;
  return std::min(limits_.session_resume_ms, limits_.session_grace_ms);
}

/// Without a journal, a local client that has lost its connection has lost the manager.
bool Service::can_have_lanes(const wire::Answer& answer, const Peer& peer) const {
  return (answer.wishes & wire::wish_lane) != 0 && peer.address != in_process_address && resume_ms() != 0 &&
         (journal_ != nullptr || is_remote(peer));
}

void Service::describe_resumption(LaneId lane, wire::Welcome& welcome) const {
  if (journal_ != nullptr) welcome.start = journal_->start_number();
  if (lane == 0) return;
  welcome.lane = lane;
  welcome.resume_ms = resume_ms();
  welcome.grace_ms = journal_ == nullptr ? 0 : limits_.session_grace_ms;
}

/// 0: the session or its client has none.
LaneId Service::open_lane(Session& session, const wire::Answer& answer) {
  const LaneId lane = engine_.kept().next_lane(session.id);
  if (lane == 0 || (answer.wishes & wire::wish_lane) == 0) return 0;
  step(LaneOpened{session.id, os::clock_ns()});
  return lane;
}

/// Takes the lane from the channel that had it, which may not have noticed yet that its connection is broken.
LaneId Service::resume_lane(Session& session, const wire::Answer& answer, Refusal& refusal) {
  if (engine_.kept().find(session.id, answer.lane) == nullptr) {
    refusal = {Code::not_found, HandshakeFailure::session,
               "lane " + std::to_string(answer.lane) + " of session " + std::to_string(session.id) +
                   " has ended: it was not resumed within " + std::to_string(resume_ms()) +
                   " ms (session_resume_ms)"};
    return 0;
  }
  for (Channel* channel : session.channels) {
    if (channel->lane() != answer.lane) continue;
    channel->give_up_lane();
    --channels_admitted_;
    session.channels.erase(channel);
    break;
  }
  session.left_lanes.erase(answer.lane);
  ++statistics_.lanes_resumed;
  log_.debug("session {} of process {}: lane {} resumed", session.id, session.pid, answer.lane);
  return answer.lane;
}

void Service::leave_lane(Session& session, LaneId lane, std::uint64_t ends_ns) {
  session.left_lanes[lane] = ends_ns;
  lane_check_ns_ = std::min(lane_check_ns_, ends_ns);
  check_timer();
}

void Service::end_lane(Session& session, LaneId lane) {
  step(LaneEnded{session.id, lane, os::clock_ns()});
  after_step();
}

/// A late check means that the manager itself was stalled, and its clients could not connect.
void Service::check_left_lanes(std::uint64_t now_ns) {
  const std::uint64_t grace_ns = resume_ms() * ns_per_ms / grace_part;
  const bool late = now_ns - lane_check_ns_ > grace_ns;
  lane_check_ns_ = never_ns;
  std::vector<std::pair<SessionId, LaneId>> over;
  for (auto& [id, session] : sessions_.all())
    for (auto& [lane, ends_ns] : session.left_lanes) {
      if (late) ends_ns = std::max(ends_ns, now_ns + grace_ns);
      if (ends_ns <= now_ns) over.emplace_back(id, lane);
      else lane_check_ns_ = std::min(lane_check_ns_, ends_ns);
    }
  for (const auto& [id, lane] : over) {
    Session& session = *sessions_.find(id);
    session.left_lanes.erase(lane);
    if (session.channels.empty() && session.left_lanes.empty())
      end_session(session,
                  "none of its connections was resumed in time (session_resume_ms, session_grace_ms)");
    else end_lane(session, lane);
  }
  hand_over();
}

/// Of a client on this machine, as far as it can be told.
std::string Service::identity_of(std::uint32_t pid, const Channel& channel) const {
  if (journal_ == nullptr || !channel.sees_same_pids()) return {};
  return os::process_identity(static_cast<pid_t>(pid));
}

// ---- channels ---------------------------------------------------------------------------------------------

Service::Admission Service::admit(Channel& channel, const wire::Answer& answer, Refusal& refusal) {
  Admission admission;
  if (shutting_down_) {
    refusal = {Code::shutting_down, HandshakeFailure::shutting_down, "the manager is stopping"};
    return {};
  }
  if (!credentials_.has_authkey && channel.peer().uid != credentials_.own_uid && channel.peer().uid != 0u) {
    refusal = {Code::authentication_error, HandshakeFailure::uid,
               "this manager has no authkey and takes only clients of its own user, uid " +
                   std::to_string(credentials_.own_uid)};
    return {};
  }
  if (channels_admitted_ >= limits_.channels_max) {
    refusal = {Code::resource_exhausted, HandshakeFailure::limit,
               over_limit("one more channel", "channels_max", limits_.channels_max)};
    return {};
  }
  Session* session = nullptr;
  if (answer.purpose == wire::Purpose::join || answer.purpose == wire::Purpose::resume) {
    session = sessions_.find(answer.session, answer.secret, refusal);
    if (session == nullptr) return {};
    admission.secret = answer.secret;
    admission.lane = answer.purpose == wire::Purpose::join ? open_lane(*session, answer)
                                                           : resume_lane(*session, answer, refusal);
    if (answer.purpose == wire::Purpose::resume && admission.lane == 0) return {};
  } else {
    session = open_session(answer, channel, admission, refusal);
    if (session == nullptr) return {};
  }
  admission.session = session;
  session->channels.insert(&channel);
  session->heard_ns = channel.now_ns();
  if (session->remote() && limits_.session_lease_ms != 0) {
    lease_check_ns_ = std::min(lease_check_ns_, session->heard_ns + lease_ns());
    check_timer();
  }
  ++channels_admitted_;
  return admission;
}

Session* Service::open_session(const wire::Answer& answer, const Channel& channel, Admission& admission,
                               Refusal& refusal) {
  const Peer& peer = channel.peer();
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
  Session& session = sessions_.open(answer.pid, peer, admission.secret);
  ++statistics_.sessions_opened;
  const bool has_lanes = can_have_lanes(answer, peer);
  admission.lane = has_lanes ? 1 : 0;
  step(SessionOpened{
      session.id,
      inherits_from,
      os::clock_ns(),
      {session.pid, session.secret_hash, peer.address, peer.uid, identity_of(session.pid, channel)},
      has_lanes});
  log_.info("session {} opened by process {} on {}", session.id, session.pid, peer.address);
  return &session;
}

bool Service::close_unproven(std::string_view why) {
  if (unproven_.empty()) return false;
  Channel& oldest = *unproven_.begin()->second;
  unproven_.erase(unproven_.begin());
  handshake_failed(oldest.peer(), HandshakeFailure::limit, why);
  oldest.transport().close();
  return true;
}

void Service::leave(Channel& channel, Session& session, bool for_good) {
  --channels_admitted_;
  session.channels.erase(&channel);
  if (const LaneId lane = channel.lane(); lane != 0 && !suspends()) {
    // The last connection of a process on this machine ends with the process.
    const bool is_over =
        session.channels.empty() && session.left_lanes.empty() && (for_good || !session.remote());
    if (!for_good && !is_over) {
      return leave_lane(session, lane, os::clock_ns() + resume_ms() * ns_per_ms);
    }
    if (!is_over) {
      end_lane(session, lane);
      return hand_over();
    }
  }
  if (!session.channels.empty() || (!session.left_lanes.empty() && !suspends())) return;
  std::string lost = what_is_lost(session, "its last connection ended");
  if (!suspends()) {
    step(SessionClosed{session.id, os::clock_ns()});
    after_step();
    hand_over();
  }
  log_.info("session {} of process {} closed", session.id, session.pid);
  sessions_.end(session, std::move(lost));
}

// ---- leases -----------------------------------------------------------------------------------------------

/// A late check means that the manager itself was stalled: what its clients sent meanwhile may still be
/// unread, so all of them get time for that.
void Service::check_leases(std::uint64_t now_ns) {
  const std::uint64_t grace_ns = lease_ns() / grace_part;
  const bool late = now_ns - lease_check_ns_ > grace_ns;
  lease_check_ns_ = never_ns;
  std::vector<std::uint64_t> silent;
  for (auto& [id, session] : sessions_.all()) {
    if (!session.remote()) continue;
    if (late) session.heard_ns = std::max(session.heard_ns, now_ns + grace_ns - lease_ns());
    std::uint64_t end_ns = session.heard_ns + lease_ns();
    if (end_ns <= now_ns) silent.push_back(id);
    else lease_check_ns_ = std::min(lease_check_ns_, end_ns);
  }
  for (std::uint64_t id : silent) end_silent(*sessions_.find(id));
}

/// Releases what the session owns at once. Its channels stay, to inform the client if it returns.
void Service::end_silent(Session& session) {
  std::string lost =
      what_is_lost(session, "nothing was heard of this process for " +
                                std::to_string(limits_.session_lease_ms) + " ms (session_lease_ms)");
  log_event(LogLevel::warning, "a session ended in silence", session.peer,
            fmt::format("session {} of process {} on {} ended: {}", session.id, session.pid,
                        session.peer.address, lost));
  step(SessionClosed{session.id, os::clock_ns()});
  ++statistics_.sessions_lost;
  for (Channel* channel : session.channels) {
    --channels_admitted_;
    channel->lose_session(lost);
  }
  sessions_.end(session, std::move(lost));
  after_step();
  hand_over();
}

std::string Service::what_is_lost(const Session& session, std::string why) const {
  constexpr std::size_t told_max = 20;
  bool more = false;
  const std::vector<HoldingInfo> held =
      holdings_of(engine_.state(), engine_ns(os::clock_ns()), session.id, told_max, more);
  std::string text =
      "session " + std::to_string(session.id) + " has ended: " + std::move(why) + "; it owned ";
  if (held.empty()) return text + "nothing but references";
  for (std::size_t i = 0; i < held.size(); ++i) text += (i == 0 ? "" : ", ") + to_text(held[i]);
  return more ? text + ", and more" : text;
}

// ---- requests that wait -----------------------------------------------------------------------------------

void Service::park(Ticket ticket, Channel& channel, std::uint32_t request) {
  parked_.emplace(ticket, Parked{&channel, request});
}

void Service::cancel(Ticket ticket) {
  step(Cancel{ticket, os::clock_ns()});
  after_step();
}

void Service::forget(Ticket ticket, const Session& session, LaneId lane) {
  parked_.erase(ticket);
  if (lane == 0 && session.channels.size() > 1 && !suspends()) cancel(ticket);
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

void Service::log_deadlocks() {
  for (const std::string& cycle : engine_.take_deadlocks_found()) {
    ++statistics_.deadlocks_found;
    // A refused one is also reported to its client.
    if (cycle.starts_with("refused")) log_.info("a cycle of waits, {}", cycle);
    else log_event(LogLevel::warning, "a cycle of waits", Peer{}, "a cycle of waits, " + cycle);
  }
}

// ---- what clients can cause to be logged ------------------------------------------------------------------

namespace {

/// Returns what a client cannot change from one connection to the next.
std::string host_of(const Peer& peer) {
  if (peer.address.starts_with("tcp://")) return peer.address.substr(0, peer.address.rfind(':'));
  return peer.uid ? peer.address + " of uid " + std::to_string(*peer.uid) : peer.address;
}

}  // namespace

void Service::log_event(LogLevel level, std::string_view reason, const Peer& peer, std::string_view line) {
  const auto to = level == LogLevel::error ? spdlog::level::err : spdlog::level::warn;
  if (!log_.should_log(to)) return;
  const bool admitted = repeats_.admit(reason, host_of(peer), os::clock_ns());
  check_timer();
  if (admitted) log_.log(to, "{}", line);
}

void Service::log_repeated(std::uint64_t now_ns, bool all) {
  for (const RepeatLimit::Repeated& event : repeats_.report(now_ns, all))
    log_.warn("{}{}{}: {} more times within a minute", event.reason, event.source.empty() ? "" : ", ",
              event.source, event.count);
}

void Service::journal_progressed() {
  journal_->hand_over();
  if (channels_wait_for_journal_ && !journal_->is_behind()) {
    channels_wait_for_journal_ = false;
    for (Channel* channel : channels_) channel->transport().wake();
  }
  const std::uint64_t safe_index = journal_->safe_index();
  if (std::exchange(released_index_, safe_index) == safe_index) return;
  for (Channel* channel : std::exchange(held_, {})) channel->transport().wake();
}

void Service::set_timer() {
  if (!on_deadline_changed) return;
  timer_ns_ = next_timer_ns();
  on_deadline_changed(timer_ns_);
}

void Service::tick(std::uint64_t now_ns) {
  timer_ns_ = never_ns;
  if (now_ns >= lease_check_ns_) check_leases(now_ns);
  if (now_ns >= lane_check_ns_) check_left_lanes(now_ns);
  if (now_ns >= repeats_.next_ns()) log_repeated(now_ns);
  step(Tick{now_ns});
  after_step();
  check_timer();
  hand_over();
}

void Service::handshake_failed(const Peer& peer, HandshakeFailure reason, std::string_view text) {
  ++statistics_.handshakes_failed[static_cast<std::size_t>(reason)];
  log_event(LogLevel::warning, "failed handshake (" + std::string(name_of(reason)) + ")", peer,
            fmt::format("handshake with {} failed ({}): {}", peer.address, name_of(reason), text));
}

void Service::shut_down() {
  shutting_down_ = true;
  log_repeated(os::clock_ns(), true);
  for (Channel* channel : channels_) channel->transport().wake();
}

void Service::close_all() {
  for (Channel* channel : channels_) channel->transport().close();
}

}  // namespace tandem::server
