#include "client/calls/async.hpp"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "client/calls/call_sink.hpp"
#include "client/os/signals.hpp"
#include "client/session/thread_channels.hpp"
#include "tandem/codec.hpp"
#include "tandem/ops/manager.hpp"
#include "tandem/text.hpp"

namespace tandem::client {
namespace {

// How long close() waits for a manager that does not answer.
constexpr std::chrono::milliseconds close_wait{2000};

std::string name_of(const AsyncRequest& request) {
  return name_of_call(*request.object, *request.op);
}

AsyncOutcome failed(std::exception_ptr error) {
  AsyncOutcome outcome;
  outcome.error = std::move(error);
  return outcome;
}

void complete_with(std::unique_ptr<AsyncHandler>& handler, std::exception_ptr error) {
  if (handler) handler->complete(failed(std::move(error)));
}

}  // namespace

// ---- beginning and end ------------------------------------------------------------------------------------

AsyncChannel::AsyncChannel(SessionPtr session)
    : session_(std::move(session)),
      budget_(session_->budget()),
      channel_(session_->take_channel()),
      has_lane_(channel_.lane() != 0),
      last_ticket_(channel_.number_request()) {
  os::listen_to_forks(*this);
}

AsyncChannel::~AsyncChannel() {
  os::ignore_forks(*this);
}

/// Each thread holds a shared_ptr to this object. In a forked child, which has no such threads, it is
/// therefore never destroyed: its mutex and condition variables could not be.
void AsyncChannel::open() {
  try {
    sender_ = os::thread_without_signals([self = shared_from_this()] { self->send_queued(); });
    receiver_ = os::thread_without_signals([self = shared_from_this()] { self->receive_all(); });
  } catch (...) {
    receiver_has_ended_ = is_closed_ = true;
    end_threads();
    throw;
  }
}

void AsyncChannel::after_fork_in_child() noexcept {
  is_forked_ = true;
  state_ = State::ended;
  ended_code_ = Code::connection_error;
  ended_why_ = "this Async is that of the process which forked this one; make a new one";
  mutex_.unlock();
}

void AsyncChannel::close() noexcept {
  std::vector<Operation> unsent;
  {
    std::lock_guard lock(mutex_);
    if (is_forked_ || std::exchange(is_closed_, true)) return;
    if (state_ == State::open) {
      state_ = State::closing;
      ended_code_ = Code::connection_error;
      ended_why_ = "this Async has been closed";
      unsent = take_unsent();
      wire::Buffer cancels;
      for (auto& [request, operation] : operations_) {
        if (!operation.waits()) continue;
        operation.is_cancelled = true;
        Channel::append_cancel(cancels, request);
      }
      send_frames(cancels.view());
      // The reply to this ping wakes the receiver even if no other reply is outstanding.
      auto last = std::make_shared<AsyncRequest>();
      const wire::Reference manager{ops::Manager::number, ops::Manager::id};
      last->object = std::make_shared<RemoteObject>(session_, manager, false);
      last->op = &ops::Manager::Ping::description;
      wire::Writer(last->arguments).array(0);
      const std::uint64_t ticket = unused_ticket();
      Operation& ping = operations_[static_cast<std::uint32_t>(ticket)];
      ping.ticket = ticket;
      ping.request = std::move(last);
      send(ping);
    }
  }
  abort(std::move(unsent));
  end_threads();
}

void AsyncChannel::end_threads() noexcept {
  bool in_time = true;
  {
    std::unique_lock lock(mutex_);
    in_time = receiver_ended_.wait_for(lock, close_wait, [this] { return receiver_has_ended_; });
    sender_is_to_end_ = true;
    sender_wanted_.notify_all();
  }
  if (!in_time) {
    std::lock_guard lock(mutex_);
    if (outage_) outage_->give_up();
    else channel_.stream().shut_down();
  }
  for (std::thread* thread : {&receiver_, &sender_})
    if (thread->joinable()) thread->join();
  session_->release(channel_);
}

// ---- starting and cancelling -----------------------------------------------------------------------------

std::uint64_t AsyncChannel::next_ticket() {
  std::lock_guard lock(mutex_);
  return unused_ticket();
}

std::uint64_t AsyncChannel::unused_ticket() {
  do ++last_ticket_;
  while (operations_.contains(static_cast<std::uint32_t>(last_ticket_)));
  return last_ticket_;
}

void AsyncChannel::start(std::uint64_t ticket, std::shared_ptr<const AsyncRequest> request,
                         std::shared_ptr<const Actor> owner, std::unique_ptr<AsyncHandler> handler) {
  if (request->error) return complete_with(handler, request->error);
  if (request->arguments.size() > channel_.message_bytes_max())
    return complete_with(handler, make_error(Code::resource_exhausted,
                                             "message_bytes_max: the arguments of " + name_of(*request) +
                                                 " have " + std::to_string(request->arguments.size()) +
                                                 " bytes, and the manager takes at most " +
                                                 std::to_string(channel_.message_bytes_max())));
  std::string why;
  Code code;
  {
    std::lock_guard lock(mutex_);
    if (state_ == State::open) {
      const auto number = static_cast<std::uint32_t>(ticket);
      Operation& operation = operations_[number];
      operation = {ticket, std::move(request), std::move(owner), std::move(handler)};
      const bool waits = operation.waits();
      std::deque<std::uint32_t>& held_back = waits ? held_back_waits_ : held_back_others_;
      if (held_back.empty() && may_send(waits)) return send(operation);
      held_back.push_back(number);
      return send_held_back();
    }
    why = ended_why_;
    code = ended_code_;
  }
  complete_with(handler, make_error(code, name_of(*request) + " at " + session_->address() + ": " + why));
}

/// One request of each kind may always be sent, so that this Async never waits for other senders of the
/// session.
bool AsyncChannel::may_send(bool waits) const {
  return (waits ? waits_sent_ : others_sent_) == 0 || budget_->has_room(waits);
}

void AsyncChannel::send(Operation& operation) {
  const bool waits = operation.waits();
  operation.is_sent = true;
  ++(waits ? waits_sent_ : others_sent_);
  budget_->acquire(waits);
  if (outage_) return;  // resume() sends it, and changes the channel meanwhile
  frames_.clear();
  read_.append_if_many(frames_);
  build_frames(operation);
  send_frames(frames_.view());
  frames_.clear();
  frames_.shrink(wire::Buffer::kept_bytes_max);
}

/// Appends the operation's request to frames_.
void AsyncChannel::build_frames(const Operation& operation) {
  const AsyncRequest& request = *operation.request;
  const std::size_t at = frames_.size();
  frames_.extend(wire::request_header_bytes);
  if (const std::uint64_t token = request.object->token(); token != 0)
    wire::store_little(frames_.extend(wire::token_bytes), token);
  frames_.append(request.arguments.view());
  const std::uint32_t actor = operation.owner ? operation.owner->number() : 0;
  const RequestTarget target{request.op->number, actor, request.object->reference().id,
                             request.object->token()};
  channel_.finish_request(frames_, at, target, static_cast<std::uint32_t>(operation.ticket));
}

/// Ignores a closed stream: the receiver finds it closed too, and why.
void AsyncChannel::send_frames(wire::Bytes frames) {
  if (outage_) return;  // resume() sends all that has no reply
  if (queue_.empty() && !sender_is_sending_) {
    try {
      while (!frames.empty()) {
        const std::size_t sent = channel_.stream().send_now(frames);
        if (sent == 0) break;
        frames = frames.subspan(sent);
      }
    } catch (const StreamClosed&) {
      return;
    }
  }
  if (frames.empty()) return;
  queue_.append(frames);
  sender_wanted_.notify_one();
}

void AsyncChannel::send_held_back() {
  for (const bool waits : {false, true}) {
    std::deque<std::uint32_t>& held_back = waits ? held_back_waits_ : held_back_others_;
    while (!held_back.empty() && may_send(waits)) {
      const auto found = operations_.find(held_back.front());
      held_back.pop_front();
      if (found != operations_.end() && !found->second.is_sent && found->second.waits() == waits)
        send(found->second);
    }
  }
}

void AsyncChannel::note_end(const Operation& operation) {
  if (!operation.is_sent) return;
  --(operation.waits() ? waits_sent_ : others_sent_);
  budget_->release(operation.waits());
}

std::vector<AsyncChannel::Operation> AsyncChannel::take_unsent() {
  std::vector<Operation> unsent;
  for (const auto* held_back : {&held_back_waits_, &held_back_others_})
    for (const std::uint32_t number : *held_back)
      if (auto node = operations_.extract(number)) unsent.push_back(std::move(node.mapped()));
  held_back_waits_.clear();
  held_back_others_.clear();
  return unsent;
}

void AsyncChannel::cancel(std::uint64_t ticket) {
  std::vector<Operation> unsent;
  {
    std::lock_guard lock(mutex_);
    const auto found = operations_.find(static_cast<std::uint32_t>(ticket));
    if (state_ == State::ended || found == operations_.end() || found->second.ticket != ticket) return;
    Operation& operation = found->second;
    if (!operation.is_sent) {
      unsent.push_back(std::move(operation));
      operations_.erase(found);
    } else if (operation.waits() && !std::exchange(operation.is_cancelled, true)) {
      wire::Buffer frame;
      Channel::append_cancel(frame, found->first);
      send_frames(frame.view());
    }
  }
  abort(std::move(unsent));
}

void AsyncChannel::actor_ended(std::uint64_t, std::uint32_t actor) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (is_forked_) return;
    if (state_ != State::ended) {
      wire::Buffer frame;
      const auto request = static_cast<std::uint32_t>(unused_ticket());
      if (has_lane_) ended_actors_.push_back({request, actor});
      Channel::append_notice(frame, request, actor, {Notice::Of::ended_thread, actor});
      return send_frames(frame.view());
    }
  } catch (const std::bad_alloc&) {
    return;  // what it holds remains until the session ends
  }
  session_->end_actor(actor);
}

void AsyncChannel::abort(std::vector<Operation> operations) {
  for (Operation& operation : operations) {
    AsyncOutcome outcome;
    outcome.unsent = true;
    operation.complete(std::move(outcome));
  }
}

// ---- the sender ------------------------------------------------------------------------------------------

void AsyncChannel::send_queued() noexcept {
  std::unique_lock lock(mutex_);
  while (true) {
    sender_wanted_.wait(lock, [this] { return sender_is_to_end_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const wire::Buffer taken = std::exchange(queue_, {});
    sender_is_sending_ = true;
    lock.unlock();
    try {
      for (wire::Bytes rest = taken.view(); !rest.empty();)
        rest = rest.subspan(channel_.stream().send(rest, std::chrono::milliseconds{0}));
    } catch (const std::exception&) {
      // The receiver finds the stream closed too.
    }
    lock.lock();
    sender_is_sending_ = false;
    sender_paused_.notify_all();
  }
}

// ---- the receiver ----------------------------------------------------------------------------------------

void AsyncChannel::receive_until_drained() {
  while (!is_drained()) {
    channel_.receive_some(std::chrono::milliseconds{0});
    for (NumberedReply reply; channel_.next_reply(reply);) settle(reply);
  }
}

/// Returns false if the channel is not to be resumed. Throws StreamClosed if that fails.
bool AsyncChannel::resume(const StreamClosed& closed, std::shared_ptr<Outage>& outage) {
  if (!session_->may_resume(channel_, closed)) return false;
  session_->note_break(outage, closed);
  std::optional<std::uint64_t> in_doubt_since_ns;
  {
    std::unique_lock lock(mutex_);
    if (state_ != State::open) return false;
    outage_ = outage;
    queue_.clear();
    channel_.stream().shut_down();
    sender_paused_.wait(lock, [this] { return !sender_is_sending_; });
    if (waits_sent_ + others_sent_ != 0) in_doubt_since_ns = 0;  // not known: long ago
  }
  try {
    session_->resume(channel_, *outage, os::Deadline(std::chrono::milliseconds{0}), in_doubt_since_ns);
  } catch (...) {
    std::lock_guard lock(mutex_);
    outage_.reset();
    throw;
  }
  std::lock_guard lock(mutex_);
  outage_.reset();
  send_again();
  return true;
}

/// Sends what has no reply yet, in the order of the first time.
void AsyncChannel::send_again() {
  std::vector<const Operation*> sent;
  for (const auto& [request, operation] : operations_)
    if (operation.is_sent) sent.push_back(&operation);
  std::sort(sent.begin(), sent.end(),
            [](const Operation* a, const Operation* b) { return a->ticket < b->ticket; });
  wire::Buffer frames;
  for (const EndedActor& ended : ended_actors_)
    Channel::append_notice(frames, ended.request, ended.actor, {Notice::Of::ended_thread, ended.actor}, true);
  send_frames(frames.view());
  for (const Operation* operation : sent) {
    frames_.clear();
    build_frames(*operation);
    Channel::mark_again(frames_.data());
    if (operation->is_cancelled)
      Channel::append_cancel(frames_, static_cast<std::uint32_t>(operation->ticket));
    send_frames(frames_.view());
  }
  frames_.clear();
  frames_.shrink(wire::Buffer::kept_bytes_max);
}

void AsyncChannel::receive_all() noexcept {
  std::shared_ptr<Outage> outage;
  std::optional<StreamClosed> broken;
  try {
    do {
      try {
        if (broken && !resume(*broken, outage)) throw StreamClosed(*broken);
        broken.reset();
        receive_until_drained();
      } catch (const StreamClosed& closed) {
        if (broken) throw;
        broken = session_->reason_of(closed);
      }
    } while (broken);
  } catch (const StreamClosed& last) {
    const StreamClosed closed = session_->reason_of(last);
    if (closed.code == Code::session_lost) session_->session_lost(SessionLost(closed.what()));
    fail_all(closed.error_code(), closed.what());
  } catch (const std::exception& error) {
    channel_.give_up();
    fail_all(Code::connection_error, error.what());
  }
  std::lock_guard lock(mutex_);
  receiver_has_ended_ = true;
  receiver_ended_.notify_all();
}

bool AsyncChannel::is_drained() {
  std::lock_guard lock(mutex_);
  if (state_ != State::closing || !operations_.empty()) return false;
  state_ = State::ended;
  return true;
}

void AsyncChannel::settle(const NumberedReply& reply) {
  Operation operation;
  {
    std::lock_guard lock(mutex_);
    read_.note(reply);
    std::erase_if(ended_actors_, [&](const EndedActor& ended) {
      return static_cast<std::int32_t>(reply.request - ended.request) > 0;  // it was sent before that request
    });
    auto node = operations_.extract(reply.request);
    if (node) {
      operation = std::move(node.mapped());
      note_end(operation);
      send_held_back();
    }
  }
  AsyncOutcome outcome;
  if (reply.code == Code::ok) {
    outcome.cancelled = operation.is_cancelled;
    outcome.session = session_;
    outcome.request = std::move(operation.request);
    outcome.result.append(reply.payload);
  } else {
    outcome.error = make_error(reply.code, reason_of(reply));
  }
  operation.complete(std::move(outcome));
}

/// A waiting request may have been granted something (e.g. a lock) unnoticed: the session is given up then.
void AsyncChannel::fail_all(Code code, const std::string& why) {
  std::unordered_map<std::uint32_t, Operation> operations;
  bool is_in_doubt = false;
  {
    std::lock_guard lock(mutex_);
    if (state_ == State::open) {
      ended_code_ = code;
      ended_why_ = "the Async has ended: " + why;
    }
    state_ = State::ended;
    operations = std::exchange(operations_, {});
    for (const auto& [request, operation] : operations) {
      is_in_doubt = is_in_doubt || (operation.is_sent && operation.waits());
      note_end(operation);
    }
    held_back_waits_.clear();
    held_back_others_.clear();
    queue_.clear();
  }
  if (is_in_doubt && code != Code::session_lost) session_->give_up_session();
  const std::string at_and_why = " at " + session_->address() + ": " + why;
  for (auto& [request, operation] : operations)
    operation.complete(failed(make_error(code, name_of(*operation.request) + at_and_why)));
}

// ---- interface of async_call.hpp -------------------------------------------------------------------------

AsyncSession::AsyncSession(const SessionPtr& session) : channel_(std::make_shared<AsyncChannel>(session)) {
  channel_->open();
}

AsyncSession::~AsyncSession() {
  channel_->close();
}

Encoder begin_async_request(AsyncChannel& channel, const std::shared_ptr<RemoteObject>& object,
                            AsyncRequest& request) {
  if (object == nullptr) throw ValueError("an empty proxy has no object to call");
  if (!belongs_to(*object, channel.session().get()))
    throw ValueError("an Async leads to one manager, and this proxy's " +
                     std::string(hosted_type_name(object->reference().type)) + " lives in another");
  request.object = object;
  return {wire::Writer(request.arguments), channel.session().get(), nullptr, &request.kept};
}

std::shared_ptr<Actor> new_async_owner(const std::shared_ptr<AsyncChannel>& channel) {
  std::shared_ptr<Actor> owner = new_actor();
  owner->used_in(0, channel);
  return owner;
}

std::uint64_t next_async_ticket(AsyncChannel& channel) {
  return channel.next_ticket();
}

void start_async(AsyncChannel& channel, std::uint64_t ticket, std::shared_ptr<const AsyncRequest> request,
                 std::shared_ptr<const Actor> owner, std::unique_ptr<AsyncHandler> handler) {
  channel.start(ticket, std::move(request), std::move(owner), std::move(handler));
}

void cancel_async(AsyncChannel& channel, std::uint64_t ticket) {
  channel.cancel(ticket);
}

void close_async(AsyncChannel& channel) noexcept {
  channel.close();
}

}  // namespace tandem::client
