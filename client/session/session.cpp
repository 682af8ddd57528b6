#include "client/session/session.hpp"

#include <unistd.h>

#include <algorithm>
#include <string>

#include "client/transport/socket.hpp"
#include "tandem/ops/manager.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::client {
namespace {

constexpr std::size_t idle_channels_max = 8;
// The time limit for opening a channel only to send a notice.
constexpr std::chrono::milliseconds notice_wait{250};
// How long a fork waits for a manager that is known to be slow to answer, or after waiting for another one.
constexpr std::chrono::milliseconds fork_wait_least{250};
constexpr std::chrono::milliseconds fork_wait_most{5000};
// After so many notices without a reply, one is asked for.
constexpr std::size_t unread_notices_max = 1024;

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> numbers{0};
  return ++numbers;
}

RequestTarget to_manager(std::uint16_t op) {
  return {op, this_thread_number(), ops::Manager::id};
}

void check(const Reply& reply) {
  if (reply.code != Code::ok) throw_error(reply.code, reason_of(reply));
}

/// Releases an acquired channel on destruction.
struct Release {
  Session& session;
  Channel& channel;
  ~Release() { session.release(channel); }
};

}  // namespace

// ---- beginning and end ----------------------------------------------------------------------------------

Session::Session(std::unique_ptr<Connector> connector, const Options& options)
    : connector_(std::move(connector)), options_(options), number_(next_number()) {
  os::listen_to_forks(*this);
}

SessionPtr Session::open(std::unique_ptr<Connector> connector, const Options& options) {
  SessionPtr session(new Session(std::move(connector), options));
  session->put_aside(session->open_channel(options.connect_timeout));
  return session;
}

// The channels are destroyed while this is still registered for forks: a child forked later could not close
// its copies, and would keep the session alive.
Session::~Session() {
  keep_alive_.reset();
  {
    std::lock_guard lock(mutex_);
    channels_.clear();
  }
  os::ignore_forks(*this);
}

std::uint64_t Session::id() const {
  std::lock_guard lock(mutex_);
  return welcome_.session;
}

wire::Incarnation Session::incarnation() const {
  std::lock_guard lock(mutex_);
  return incarnation_;
}

std::shared_ptr<RequestBudget> Session::budget() {
  if (id() == 0) put_aside(open_channel(options_.connect_timeout));
  std::lock_guard lock(mutex_);
  return budget_;
}

bool same_manager(const Session* a, const Session* b) {
  if (a == b) return true;
  return a != nullptr && b != nullptr && a->incarnation() == b->incarnation();
}

std::size_t Session::channels_count() const {
  std::lock_guard lock(mutex_);
  return channels_.size();
}

// ---- channels -------------------------------------------------------------------------------------------

Channel& Session::acquire() {
  const ThreadChannel& last = last_thread_channel();
  if (last.session == number_ && !last.channel->busy && !has_postponed_.load(std::memory_order_relaxed))
      [[likely]] {
    last.channel->busy = true;
    return *last.channel;
  }
  return acquire_slowly();
}

Channel& Session::acquire_slowly() {
  Channel* channel = find_thread_channel(number_);
  if (channel == nullptr) {
    channel = &check_out(options_.connect_timeout);
    channel->of_thread = add_thread_channel(number_, *channel, weak_from_this());
  } else if (channel->busy) {
    channel = &check_out(options_.connect_timeout);
  }
  channel->busy = true;
  if (has_postponed_.load(std::memory_order_relaxed)) send_postponed(*channel);
  return *channel;
}

Channel& Session::take_channel() {
  Channel* channel = &check_out(options_.connect_timeout);
  if (!channel->is_settled()) {
    confirm_notices(*channel);
    channel = &check_out(options_.connect_timeout);
  }
  while (!channel->is_settled()) {
    put_aside(*channel);
    channel = &open_channel(options_.connect_timeout);
  }
  channel->busy = true;
  return *channel;
}

void Session::release(Channel& channel) noexcept {
  channel.end_request();
  channel.busy = false;
  if (channel.broken()) [[unlikely]]
    retire(channel);
  else if (!channel.of_thread) [[unlikely]] put_aside(channel);
}

void Session::take_back(const ThreadChannel& channel, std::uint32_t ended) noexcept {
  if (channel.session != number_) return;  // it was added before a fork
  const Notice notice{Notice::Of::ended_thread, ended};
  bool is_notified = ended == 0;
  if (channel.channel != nullptr) {
    channel.channel->of_thread = false;
    // By this channel, since it may have requests of the thread that are not sent yet.
    is_notified = is_notified || channel.channel->notify(ended, notice);
    put_aside(*channel.channel);
  }
  if (!is_notified) notify(notice);
}

void Session::actor_ended(std::uint64_t session, std::uint32_t actor) noexcept {
  if (session == number_) end_actor(actor);
}

Channel& Session::check_out(std::chrono::milliseconds timeout) {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Channel* channel = idle_.back();
      idle_.pop_back();
      return *channel;
    }
  }
  return open_channel(timeout);
}

/// If the manager cannot be reached and the session can be resumed, tries again.
Channel& Session::open_channel(std::chrono::milliseconds timeout) {
  const os::Deadline deadline(timeout);
  try {
    bool restarted = false;
    Channel& channel = open_channel_at_once(timeout, restarted);
    if (restarted) reconnected({true, std::chrono::milliseconds{0}});
    return channel;
  } catch (const ConnectionError& error) {
    if (!can_be_resumed()) throw;
    return open_channel_later(error, deadline);
  } catch (const ShuttingDown& error) {
    if (!can_be_resumed()) throw;
    return open_channel_later(error, deadline);
  }
}

/// `restarted`: whether it is the session's first channel since the manager was started again.
Channel& Session::open_channel_at_once(std::chrono::milliseconds timeout, bool& restarted) {
  InsideGate inside(opening_channels_);
  std::unique_lock first(opening_session_);
  bool is_first = id() == 0;
  if (!is_first) first.unlock();
  Opened opened = is_first ? open_session(timeout) : join_session(timeout);
  auto channel = std::make_unique<Channel>(std::move(opened.stream), opened.welcome);
  std::lock_guard lock(mutex_);
  if (lost_) throw SessionLost(*lost_);
  incarnation_ = opened.incarnation;
  idle_.reserve(channels_.size() + 1);
  restarted = !is_first && opened.welcome.start != welcome_.start;
  if (is_first) enter(opened.welcome);
  else welcome_ = opened.welcome;
  return *channels_.emplace_back(std::move(channel));
}

Opened Session::open_session(std::chrono::milliseconds timeout) {
  Opened opened = connector_->open(request_for(wire::Purpose::open), timeout);
  check_same_manager(opened);  // this may be a child that inherited no session
  return opened;
}

/// The ids of our proxies would name other objects in another manager.
void Session::check_same_manager(const Opened& opened) const {
  std::lock_guard lock(mutex_);
  if (incarnation_ != wire::Incarnation{} && incarnation_ != opened.incarnation)
    throw ConnectionError(address() +
                          ": the manager was started anew, and what it hosted is gone; make a new Manager");
}

/// Only an open session is named.
OpenRequest Session::request_for(wire::Purpose purpose) const {
  OpenRequest request{.purpose = purpose};
  request.wants_lane = options_.reconnect.count() > 0;
  std::lock_guard lock(mutex_);
  if (purpose == wire::Purpose::open) return request;
  request.session = welcome_.session;
  request.secret = welcome_.secret;
  request.incarnation = incarnation_;
  return request;
}

Opened Session::join_session(std::chrono::milliseconds timeout) {
  bool given_up = false;
  {
    std::lock_guard lock(mutex_);
    if (lost_) throw SessionLost(*lost_);
    given_up = given_up_ && welcome_.lane != 0;
  }
  if (given_up) {
    const SessionLost lost(address() +
                           ": the session was ended when the outcome of a waiting operation had become "
                           "unknown; make a new Manager");
    session_lost(lost);
    throw SessionLost(lost);
  }
  try {
    return connector_->open(request_for(wire::Purpose::join), timeout);
  } catch (const SessionLost& refused) {
    const SessionLost lost(std::string(refused.what()) + "; make a new Manager");
    session_lost(lost);
    throw SessionLost(lost);
  }
}

// ---- loss of the session ---------------------------------------------------------------------------------

/// With mutex_ locked: makes this the current session.
void Session::enter(const wire::Welcome& welcome) {
  welcome_ = welcome;
  budget_ = std::make_shared<RequestBudget>(welcome.requests_under_way_max);
  if (welcome.lease_ms != 0 || welcome.grace_ms != 0) keep_alive();
}

/// With mutex_ locked. The thread holds a shared_ptr to the session only while it pings.
void Session::keep_alive() {
  is_ping_unanswered_ = false;
  const std::uint64_t period_ms = std::min(welcome_.lease_ms == 0 ? welcome_.grace_ms : welcome_.lease_ms,
                                           welcome_.grace_ms == 0 ? welcome_.lease_ms : welcome_.grace_ms);
  keep_alive_ = std::make_unique<KeepAlive>(
      [weak = weak_from_this()](std::chrono::milliseconds timeout) {
        const SessionPtr alive = weak.lock();
        return alive == nullptr ? Heard::end : alive->ping(timeout);
      },
      [weak = weak_from_this()] {
        if (const SessionPtr alive = weak.lock()) alive->cut_off();
      },
      std::chrono::milliseconds(period_ms), std::chrono::milliseconds(welcome_.lease_ms));
}

Heard Session::ping(std::chrono::milliseconds timeout) {
  const os::Deadline deadline(timeout);
  // Connections that broke are dropped, each by one attempt.
  for (std::size_t attempts = 0; attempts <= idle_channels_max + 1; ++attempts) {
    try {
      answered_ping(deadline.remaining());
      confirm_idle_notices();
      return Heard::answer;
    } catch (const StreamClosed& closed) {
      if (closed.code != Code::session_lost) continue;
      session_lost(SessionLost(address() + ": " + closed.what()));
      return Heard::end;
    } catch (const SessionLost&) {
      return Heard::end;  // the callback was called already
    } catch (const std::exception&) {
      return Heard::nothing;
    }
  }
  return Heard::nothing;
}

/// Returns when the manager has answered. After a ping without an answer it joins the session by another connection,
/// since perhaps only that one is cut off.
void Session::answered_ping(std::chrono::milliseconds timeout) {
  const os::Deadline deadline(timeout);
  Channel* const before = find_thread_channel(number_);
  const bool is_replaced = before != nullptr && is_ping_unanswered_;
  Channel* channel = before;
  if (is_replaced) channel = &open_channel(timeout);
  else if (before == nullptr) channel = &check_out(timeout);
  if (is_replaced) retire(*before);  // only now: the session ends with its last channel
  if (channel != before) channel->of_thread = add_thread_channel(number_, *channel, weak_from_this());
  channel->busy = true;
  const Release release{*this, *channel};
  is_ping_unanswered_ = true;
  wire::Writer(channel->begin_request()).array(0);
  check(exchange(*channel, to_manager(ops::Manager::Ping::description.number), deadline.remaining()));
  is_ping_unanswered_ = false;
}

/// The manager has ended the session, or does so as soon as it can: this process cannot know when.
void Session::cut_off() {
  give_up_session(SessionLost(address() + ": the session is lost: nothing was heard from the manager for " +
                              std::to_string(welcome_.lease_ms) +
                              " ms (session_lease_ms), so what it owned passes on; make a new Manager"));
}

void Session::give_up_session(const SessionLost& lost) {
  const std::function<void(const SessionLost&)> callback = note_loss(lost);
  give_up_session();
  if (callback) callback(lost);
}

void Session::session_lost(const SessionLost& lost) {
  if (const auto callback = note_loss(lost)) callback(lost);
}

/// Returns the callback to be called; empty if the loss is known already.
std::function<void(const SessionLost&)> Session::note_loss(const SessionLost& lost) {
  std::lock_guard lock(mutex_);
  if (lost_) return {};
  lost_ = lost;
  return callback_;
}

StreamClosed Session::reason_of(const StreamClosed& closed) const {
  std::lock_guard lock(mutex_);
  return lost_ && closed.code != Code::session_lost ? StreamClosed(lost_->what(), Code::session_lost)
                                                    : closed;
}

void Session::on_session_lost(std::function<void(const SessionLost&)> callback) {
  std::optional<SessionLost> lost;
  {
    std::lock_guard lock(mutex_);
    callback_ = callback;
    lost = lost_;
  }
  if (lost && callback) callback(*lost);
}

// Channels in use are shut down, and retired by the threads that use them; idle ones are destroyed at once.
void Session::give_up_session() noexcept {
  std::lock_guard lock(mutex_);
  given_up_ = true;
  for (const auto& channel : channels_) channel->shut_down();
  for (Channel* channel : idle_)
    std::erase_if(channels_, [channel](const auto& each) { return each.get() == channel; });
  idle_.clear();
}

void Session::retire(Channel& channel) noexcept {
  if (channel.of_thread) forget_thread_channel(number_);
  auto is_it = [&channel](const std::unique_ptr<Channel>& each) { return each.get() == &channel; };
  // Also locked while closing, so that no fork copies an open descriptor that is in no list.
  std::lock_guard lock(mutex_);
  for (const Notice& end : channel.unread_ends_of_threads()) {  // which can be said twice
    postponed_.push_back(end);
    has_postponed_ = true;
  }
  std::erase_if(channels_, is_it);
  std::erase_if(abandoned_, is_it);
}

void Session::put_aside(Channel& channel) noexcept {
  channel.busy = false;
  {
    std::lock_guard lock(mutex_);
    if (!channel.broken() && idle_.size() < idle_channels_max) return idle_.push_back(&channel);
  }
  retire(channel);
}

// ---- notices ----------------------------------------------------------------------------------------------

void Session::give_back_reference(std::uint64_t object) noexcept {
  references_.fetch_sub(1, std::memory_order_relaxed);
  notify({Notice::Of::released_reference, object});
}

void Session::notify(const Notice& notice) noexcept {
  Channel* channel = find_thread_channel(number_);
  if (channel != nullptr && channel->notify(this_thread_number(), notice)) {
    if (channel->unread_notices() >= unread_notices_max && !channel->busy) [[unlikely]]
      confirm_notices(*channel);
    return;
  }
  if (!notify_by_idle_channel(notice)) notify_by_new_channel(notice);
}

/// Returns false if all channels are in use by other threads.
bool Session::notify_by_idle_channel(const Notice& notice) noexcept {
  std::lock_guard lock(mutex_);
  while (!idle_.empty()) {
    Channel* channel = idle_.back();
    if (channel->notify(this_thread_number(), notice)) return true;
    idle_.pop_back();
    std::erase_if(channels_, [channel](const auto& each) { return each.get() == channel; });
  }
  return channels_.empty();  // the session has ended, and with it all that it had
}

void Session::notify_by_new_channel(const Notice& notice) noexcept {
  try {
    if (!has_postponed_.load()) {
      Channel& channel = check_out(std::min(options_.connect_timeout, notice_wait));
      bool is_notified = channel.notify(this_thread_number(), notice);
      put_aside(channel);
      if (is_notified) return;
    }
  } catch (const std::exception&) {
    // The manager does not answer now; the notice is sent with a later call.
  }
  std::lock_guard lock(mutex_);
  postponed_.push_back(notice);
  has_postponed_ = true;
}

void Session::send_postponed(Channel& channel) noexcept {
  std::lock_guard lock(mutex_);
  for (const Notice& notice : postponed_) channel.notify(this_thread_number(), notice);
  postponed_.clear();
  has_postponed_ = false;
}

/// Waits until the manager has what it was notified of by this channel.
void Session::confirm_notices(Channel& channel) noexcept {
  channel.busy = true;
  const Release release{*this, channel};
  try {
    wire::Writer(channel.begin_request()).array(0);
    (void)exchange(channel, to_manager(ops::Manager::Ping::description.number), options_.call_timeout);
  } catch (const std::exception&) {
    // The next call on the channel finds the same, and reports it.
  }
}

/// Channels that nobody uses would notify a manager that was started again only when they are used again.
void Session::confirm_idle_notices() noexcept {
  std::vector<Channel*> unread;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(idle_, [&](Channel* channel) {
      if (channel->unread_notices() == 0) return false;
      unread.push_back(channel);
      return true;
    });
  }
  for (Channel* channel : unread) confirm_notices(*channel);
}

// ---- sessions of other processes --------------------------------------------------------------------------

namespace {

void hold(Channel& channel, std::span<const wire::Reference> references, std::chrono::milliseconds timeout) {
  wire::Writer writer(channel.begin_request());
  writer.array(1);
  writer.array(references.size());
  for (wire::Reference reference : references) writer.reference(reference);
  check(channel.exchange(to_manager(ops::Manager::Hold::description.number), timeout));
}

}  // namespace

OfferedSession Session::offer_session(std::span<const wire::Reference> references,
                                      std::atomic<int>& descriptor) {
  std::optional<Reach> reach = connector_->reach();
  if (!reach) throw ConnectionError(address() + ": no other process can reach this manager");
  InsideGate inside(opening_channels_);
  OpenRequest request = request_for(wire::Purpose::open);
  request.stays_on_socket = true;
  Opened opened = connector_->open(request, options_.connect_timeout);
  check_same_manager(opened);
  Channel channel(std::move(opened.stream), opened.welcome);
  try {
    if (!references.empty()) hold(channel, references, options_.connect_timeout);
  } catch (const os::TimedOut&) {
    throw Timeout(address() + ": no answer within " + std::to_string(options_.connect_timeout.count()) +
                  " ms (connect_timeout)");
  } catch (const StreamClosed& closed) {
    throw ConnectionError(address() + ": " + closed.what());
  }
  descriptor = channel.detach();
  return {*std::move(reach), options_, opened.incarnation, opened.welcome};
}

SessionPtr Session::adopt(const OfferedSession& offered, int descriptor) {
  auto stream = std::make_unique<SocketStream>(descriptor);
  stream->apply(offered.options);
  SessionPtr session(new Session(std::make_unique<SocketConnector>(Address::parse(offered.reach.address),
                                                                   offered.reach.authkey, offered.options),
                                 offered.options));
  session->incarnation_ = offered.incarnation;
  {
    std::lock_guard lock(session->mutex_);
    session->enter(offered.welcome);
  }
  session->put_aside(
      *session->channels_.emplace_back(std::make_unique<Channel>(std::move(stream), offered.welcome)));
  Channel& first = session->best_channel();
  first.identify(static_cast<std::uint32_t>(getpid()));
  session->put_aside(first);
  return session;
}

/// For an adopted session, whose channel is a socket: opens one over shared memory if the manager offers
/// that, else returns the socket.
Channel& Session::best_channel() {
  try {
    if (connector_->offers_ring()) return open_channel(options_.connect_timeout);
  } catch (const std::exception&) {
    // The manager accepts no more channels, or has ended, which the first call reports.
  }
  return check_out(options_.connect_timeout);
}

// ---- fork -----------------------------------------------------------------------------------------------

/// Managers that do not answer delay a fork by one connect_timeout in all, at most fork_wait_most, and later forks
/// only briefly.
std::chrono::milliseconds Session::inherit_timeout() const {
  std::chrono::milliseconds limit = fork_wait_most;
  if (options_.connect_timeout.count() > 0) limit = std::min(limit, options_.connect_timeout);
  const std::chrono::milliseconds least = std::min(limit, fork_wait_least);
  if (silent_) return least;
  const auto waited = std::chrono::steady_clock::now() - os::fork_began();
  return std::max(limit - std::chrono::floor<std::chrono::milliseconds>(waited), least);
}

void Session::inherit() noexcept {
  {
    std::lock_guard lock(mutex_);
    if (channels_.empty()) return;
  }
  const OpenRequest request = request_for(wire::Purpose::inherit);
  try {
    Opened opened = connector_->open(request, inherit_timeout());
    inherited_welcome_ = opened.welcome;
    inheritance_ = std::make_unique<Channel>(std::move(opened.stream), opened.welcome);
    silent_ = false;
  } catch (const Timeout&) {
    silent_ = true;
  } catch (const std::exception&) {
    // The manager has ended, or a child cannot reach it: its first call reports that. fork() cannot fail for
    // it.
  }
}

void Session::before_fork() noexcept {
  opening_channels_.close();
  if (references_.load(std::memory_order_relaxed) > 0) inherit();
  mutex_.lock();
}

void Session::after_fork_in_parent() noexcept {
  if (inheritance_) inheritance_->abandon();  // it is the child's
  inheritance_.reset();
  mutex_.unlock();
  opening_channels_.open();
}

void Session::after_fork_in_child() noexcept {
  number_ = next_number();
  for (auto& channel : channels_) {
    channel->abandon();
    channel->of_thread = false;
    if (channel->busy) abandoned_.push_back(std::move(channel));
  }
  channels_.clear();
  idle_.clear();
  welcome_ = {};
  lost_.reset();
  given_up_ = false;
  (void)keep_alive_.release();  // the parent's thread; its mutex may be locked for ever here
  if (inheritance_) {
    inheritance_->identify(static_cast<std::uint32_t>(getpid()));
    idle_.push_back(inheritance_.get());
    channels_.push_back(std::move(inheritance_));
    try {
      enter(inherited_welcome_);
    } catch (const std::exception&) {
      // No thread could be started: the session lasts as long as calls arrive within the lease.
    }
  }
  mutex_.unlock();
  opening_channels_.open();
}

}  // namespace tandem::client
