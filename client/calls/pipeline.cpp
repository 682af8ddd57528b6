#include "client/calls/pipeline.hpp"

#include <algorithm>

#include "tandem/codec.hpp"

namespace tandem::client {
namespace {

constexpr std::size_t flush_bytes = std::size_t{16} << 10;
// Limits for a send that would block while only waits are under way, whose replies may not arrive: it waits
// for room, then checks for replies.
constexpr std::chrono::milliseconds room_wait{2};
constexpr std::chrono::milliseconds reply_look{1};

}  // namespace

PipelineSink::PipelineSink(SessionPtr session)
    : session_(std::move(session)), budget_(session_->budget()), channel_(&session_->take_channel()) {}

/// Only a fork breaks the channel without an error: in the child, it is the parent's.
inline bool PipelineSink::is_usable() noexcept {
  if (channel_ != nullptr && channel_->broken()) [[unlikely]]
    end_of_parent();
  return channel_ != nullptr;
}

// ---- putting operations in ------------------------------------------------------------------------------

void PipelineSink::call(const RemoteObject& object, const ops::OpDescription& op, wire::Bytes arguments,
                        bool wanted, wire::Buffer&) {
  // The last one is the object itself; usually there is no other.
  std::shared_ptr<const RemoteObject> holder = std::move(kept_.back());
  kept_.pop_back();
  std::vector<std::shared_ptr<const RemoteObject>> kept;
  if (!kept_.empty()) kept.swap(kept_);
  if (wanted)
    throw TypeError(name_of_call(object, op) +
                    ": it has a result, which is not available yet; add it by pipeline.call<…>(), or by "
                    "pipeline.send<…>() to discard the result");
  wire::Buffer& out = begin(&object);
  out.append(arguments);
  end(std::move(holder), op, nullptr, std::move(kept));
}

wire::Buffer& PipelineSink::begin(const RemoteObject* object) {
  if (object == nullptr) throw ValueError("an empty proxy cannot be part of a pipeline");
  check_not_busy();
  if (!is_usable()) throw_error(ended_code_, ended_why_);
  if (!belongs_to(*object, session_.get()))
    throw ValueError("a pipeline leads to one manager, and this proxy's " +
                     std::string(hosted_type_name(object->reference().type)) + " lives in another");
  begun_at_ = out_.size();
  out_.extend(wire::request_header_bytes);
  begun_token_ = object->token();
  if (begun_token_ != 0) {
    std::uint8_t token[wire::token_bytes];
    wire::store_little(token, begun_token_);
    out_.append(token, sizeof token);
  }
  composing_ = true;
  return out_;
}

void PipelineSink::take_back() noexcept {
  composing_ = false;
  out_.truncate(begun_at_);
}

void PipelineSink::end(std::shared_ptr<const RemoteObject> object, const ops::OpDescription& op,
                       std::shared_ptr<Awaited> result,
                       std::vector<std::shared_ptr<const RemoteObject>> kept) {
  composing_ = false;
  const std::size_t bytes = out_.size() - begun_at_ - wire::request_header_bytes;
  if (bytes > channel_->message_bytes_max()) {
    take_back();
    throw ResourceExhausted("message_bytes_max: the arguments of " + name_of_call(*object, op) + " have " +
                            std::to_string(bytes) + " bytes, and the manager takes at most " +
                            std::to_string(channel_->message_bytes_max()));
  }
  const std::uint32_t actor = this_thread_number();
  if (actor != last_actor_) note_actor(actor);
  const std::uint32_t request = channel_->number_request();
  channel_->finish_request(out_, begun_at_, {op.number, actor, object->reference().id, begun_token_},
                           request);
  if (entries_.empty()) first_request_ = request;
  if (result) {
    result->pipeline = this;
    result->request = request;
  }
  const bool waits = op.effect == ops::Effect::waits;
  entries_.push_back({.object = std::move(object),
                      .op = &op,
                      .result = std::move(result),
                      .kept = std::move(kept),
                      .end = sent_total_ + out_.size() - sent_});
  if (channel_->lane() != 0) [[unlikely]] {
    entries_.back().frames = std::make_unique<wire::Buffer>();
    entries_.back().frames->append(out_.view_from(begun_at_));
  }
  ++requests_count_;
  ++under_way_;
  if (waits) ++waits_under_way_;
  budget_->acquire(waits);
  if (out_.size() - sent_ < flush_bytes && !has_too_many(waits)) [[likely]]
    return;
  guarded([&] {
    send_all();
    try {
      while (has_too_many(waits)) wait_for_reply(nullptr);
    } catch (const Timeout& timeout) {
      end_with(Code::timeout, timeout.what());
    }
  });
}

/// A thread that ends before the replies to its requests are read has not ended as an actor: a notice of its end,
/// by another channel, could overtake them.
void PipelineSink::note_actor(std::uint32_t number) {
  const bool is_known = std::any_of(actors_.begin(), actors_.end(),
                                    [&](const auto& actor) { return actor->number() == number; });
  if (std::shared_ptr<Actor> actor = is_known ? nullptr : this_thread_actor()) {
    session_->use_actor(*actor);
    actors_.push_back(std::move(actor));
  }
  last_actor_ = number;
}

// ---- sending and receiving ------------------------------------------------------------------------------

/// Whether to read replies before sending another request of the kind. Not when this pipeline has none
/// outstanding: the others in the session may depend on this thread.
bool PipelineSink::has_too_many(bool waits) const {
  if (budget_->has_room(waits)) [[likely]]
    return false;
  const std::size_t others = under_way_ - waits_under_way_;
  return waits ? others > 0 || waits_under_way_ > 1 : others > 1;
}

void PipelineSink::end_of_parent() noexcept {
  end_with(Code::connection_error, "it is that of the process which forked this one",
           ChannelOwner::parent_process);
}

void PipelineSink::check_not_busy() const {
  if (composing_)
    throw ValueError("an operation is being put into this pipeline by the caller of this function");
  if (taking_) throw ValueError("a result is being read from this pipeline by the caller of this function");
}

/// An error that closes the channel becomes the error of all operations under way, each naming itself.
template <class F>
void PipelineSink::guarded(F&& io) {
  std::shared_ptr<Outage> outage;
  std::optional<StreamClosed> broken;
  while (true) {
    try {
      if (broken) {
        session_->note_break(outage, *broken);
        broken.reset();
        resume(*outage);
      }
      return io();
    } catch (const StreamClosed& closed) {
      broken = session_->reason_of(closed);
    }
    if (!session_->may_resume(*channel_, *broken)) break;
  }
  if (broken->code == Code::session_lost) session_->session_lost(SessionLost(broken->what()));
  end_with(broken->error_code(), broken->what());
}

/// Sends again, on another connection, what has no reply yet.
void PipelineSink::resume(Outage& outage) {
  std::optional<std::uint64_t> in_doubt_since_ns;
  if (under_way_ != 0) in_doubt_since_ns = 0;  // not known: long ago
  session_->resume(*channel_, outage, os::Deadline(std::chrono::milliseconds{0}), in_doubt_since_ns);
  out_.clear();
  sent_ = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (entry.done) continue;
    Channel::mark_again(entry.frames->data());
    out_.append(entry.frames->view());
    entry.end = sent_total_ + out_.size();
    if (entry.is_cancelled) Channel::append_cancel(out_, first_request_ + static_cast<std::uint32_t>(i));
  }
}

void PipelineSink::send_all() {
  read_.append_if_many(out_);
  const os::Deadline deadline(session_->call_timeout());
  try {
    while (sent_ != out_.size()) {
      const std::size_t sent = channel_->stream().send_now(out_.view_from(sent_));
      sent_ += sent;
      sent_total_ += sent;
      if (sent == 0) make_room(deadline);
    }
  } catch (const os::TimedOut&) {
    return end_with(Code::timeout, "the manager took no requests within " +
                                       std::to_string(deadline.limit().count()) + " ms (call_timeout)");
  } catch (const StreamClosed& closed) {
    if (channel_->broken()) throw;
    channel_->throw_reason(closed, [this](const NumberedReply& reply) { settle(reply); });
  }
  out_.clear();
  out_.shrink(wire::Buffer::kept_bytes_max);
  sent_ = 0;
}

void PipelineSink::make_room(const os::Deadline& deadline) {
  if (a_reply_is_certain()) return receive(deadline.remaining());
  std::chrono::milliseconds limit = deadline.remaining();
  const bool may_get_replies = !entries_.empty() && entries_.front().end <= sent_total_;
  if (may_get_replies) limit = limit.count() > 0 ? std::min(limit, room_wait) : room_wait;
  try {
    const std::size_t sent = channel_->stream().send(out_.view_from(sent_), limit);
    sent_ += sent;
    sent_total_ += sent;
    return;
  } catch (const os::TimedOut&) {
    if (!may_get_replies) throw;
  }
  try {
    while (true) receive(reply_look);
  } catch (const os::TimedOut&) {
    (void)deadline.remaining();
  }
}

/// Whether there is a completely sent request that does not wait: the manager is about to answer it, or waits
/// for us to read.
bool PipelineSink::a_reply_is_certain() const {
  for (const Entry& entry : entries_) {
    if (entry.end > sent_total_) return false;
    if (!entry.done && !entry.waits()) return true;
  }
  return false;
}

void PipelineSink::receive(std::chrono::milliseconds timeout) {
  channel_->stream().expect_replies(under_way_);
  channel_->receive_some(timeout);
  for (NumberedReply reply; channel_->next_reply(reply);) settle(reply);
}

/// Waits until something is received. `of`, if not null, determines time limit and error text. Throws
/// Timeout; the channel remains usable.
void PipelineSink::wait_for_reply(const Awaited* of) {
  std::chrono::milliseconds timeout = session_->call_timeout();
  const Entry* entry = nullptr;
  if (of != nullptr) entry = &entries_[of->request - first_request_];
  if (entry == nullptr ? !a_reply_is_certain() : entry->waits()) timeout = std::chrono::milliseconds{0};
  try {
    receive(timeout);
  } catch (const os::TimedOut&) {
    throw Timeout((entry != nullptr ? name_of_call(*entry->object, *entry->op) : std::string("a pipeline")) +
                  " at " + session_->address() + ": no answer within " + std::to_string(timeout.count()) +
                  " ms (call_timeout); it may have been done, or may be done yet");
  }
}

// ---- replies ---------------------------------------------------------------------------------------------

void PipelineSink::settle(const NumberedReply& reply) {
  read_.note(reply);
  const std::uint32_t place = reply.request - first_request_;
  if (place >= entries_.size() || entries_[place].done)
    return release_references(session_.get(), reply.payload);
  Entry& entry = entries_[place];
  std::exception_ptr error = taken(entry, reply);
  if (error && entry.result.use_count() <= 1 && errors_.count++ == 0) {
    errors_.first = error;
    errors_.where = "operation " + std::to_string(requests_count_ - entries_.size() + place + 1) + ", " +
                    name_of_call(*entry.object, *entry.op);
  }
  done(entry, std::move(error));
  while (!entries_.empty() && entries_.front().done) {
    entries_.pop_front();
    ++first_request_;
  }
}

/// Returns the reply's error, the exception of decoding its result, or null.
std::exception_ptr PipelineSink::taken(const Entry& entry, const NumberedReply& reply) {
  if (reply.code != Code::ok) [[unlikely]] {
    return make_error(reply.code, reason_of(reply));
  }
  if (entry.result.use_count() <= 1) {
    release_references(session_.get(), reply.payload);
    return nullptr;
  }
  Decoder from{wire::Reader(reply.payload), session_.get()};
  from.object = entry.object.get();
  from.op = entry.op;
  std::exception_ptr error;
  taking_ = true;
  try {
    entry.result->take(from);
  } catch (...) {
    error = std::current_exception();
  }
  taking_ = false;
  if (!from.reader.at_end()) release_references(from.session, from.reader.rest());
  return error;
}

void PipelineSink::done(Entry& entry, std::exception_ptr error) {
  --under_way_;
  if (entry.waits()) --waits_under_way_;
  budget_->release(entry.waits());
  if (entry.result) {
    entry.result->pipeline = nullptr;
    entry.result->error = std::move(error);
    entry.result->ready = true;
  }
  entry.done = true;
  if (entry.frames) [[unlikely]]
    entry.frames.reset();
  entry.object.reset();
  entry.result.reset();
  if (!entry.kept.empty()) entry.kept = {};
  if (under_way_ != 0) return;
  actors_.clear();
  last_actor_ = 0;
}

/// Ends the pipeline: all operations under way fail, and the channel is released. A waiting request may have
/// been granted something (e.g. a lock) unnoticed: the session is given up then.
void PipelineSink::end_with(Code code, const std::string& why, ChannelOwner owner) noexcept {
  ended_code_ = code;
  ended_why_ = "the pipeline has ended: " + why;
  FifoBuffer<Entry> entries = std::exchange(entries_, {});
  const std::string at_and_why = " at " + session_->address() + ": " + why;
  bool is_in_doubt = false;
  for (Entry& entry : entries) {
    if (entry.done) continue;
    is_in_doubt = is_in_doubt || entry.waits();
    std::exception_ptr error = make_error(code, name_of_call(*entry.object, *entry.op) + at_and_why);
    if (entry.result.use_count() <= 1 && errors_.count++ == 0) errors_ = {error, {}, 1};
    done(entry, std::move(error));
  }
  channel_->give_up();
  session_->release(*std::exchange(channel_, nullptr));
  if (is_in_doubt && owner == ChannelOwner::this_process && code != Code::session_lost)
    session_->give_up_session();
  out_.clear();
  sent_ = 0;
}

void PipelineSink::raise_errors() {
  if (errors_.count == 0) return;
  const Errors errors = std::exchange(errors_, {});
  try {
    std::rethrow_exception(errors.first);
  } catch (const Error& error) {
    const std::string more =
        errors.count == 1 ? "" : " (and " + std::to_string(errors.count - 1) + " more failed)";
    const std::string where = errors.where.empty() ? "" : errors.where + ": ";
    throw_error(error.code(), where + error.what() + more);
  }
}

// ---- waiting ----------------------------------------------------------------------------------------------

void PipelineSink::flush() {
  check_not_busy();
  if (is_usable()) guarded([this] { send_all(); });
  raise_errors();
}

void PipelineSink::wait() {
  check_not_busy();
  if (is_usable()) guarded([this] { read_all(); });
  raise_errors();
}

void PipelineSink::read_all() {
  send_all();
  while (under_way_ != 0) wait_for_reply(nullptr);
}

bool PipelineSink::read_until_ready(Awaited& awaited, WaitLimit limit) {
  if (awaited.ready) return true;
  check_not_busy();
  if (!is_usable()) return awaited.ready;
  std::optional<os::Deadline> deadline;
  if (limit)
    deadline.emplace(
        std::max(std::chrono::ceil<std::chrono::milliseconds>(*limit), std::chrono::milliseconds{1}));
  guarded([&] {
    send_all();
    while (!awaited.ready) {
      if (!deadline) {
        wait_for_reply(&awaited);
        continue;
      }
      try {
        receive(deadline->remaining());
      } catch (const os::TimedOut&) {
        return;
      }
    }
  });
  return awaited.ready;
}

void PipelineSink::cancel(Awaited& awaited) {
  check_not_busy();
  if (!is_usable() || awaited.ready) return;
  Entry& entry = entries_[awaited.request - first_request_];
  if (!entry.waits()) return;
  entry.is_cancelled = true;
  Channel::append_cancel(out_, awaited.request);
  guarded([this] { send_all(); });
}

void PipelineSink::finish() noexcept {
  if (!is_usable()) return;
  try {
    guarded([this] {
      for (std::size_t i = 0; i < entries_.size(); ++i)
        if (!entries_[i].done && entries_[i].waits() && !std::exchange(entries_[i].is_cancelled, true))
          Channel::append_cancel(out_, first_request_ + static_cast<std::uint32_t>(i));
      read_all();
    });
  } catch (const std::exception& error) {
    if (channel_ != nullptr) end_with(Code::timeout, error.what());
  }
  if (channel_ != nullptr) session_->release(*std::exchange(channel_, nullptr));
}

// ---- interface of pipeline.hpp ---------------------------------------------------------------------------

std::shared_ptr<RemoteObject> redirect(const std::shared_ptr<RemoteObject>& object,
                                       const std::shared_ptr<PipelineSink>& sink) {
  return redirect(object, sink, "pipeline");
}

PipelinedCall::PipelinedCall(PipelineSink& sink, std::shared_ptr<const RemoteObject> object,
                             const ops::OpDescription& op, std::size_t argument_count)
    : sink_(sink),
      object_(std::move(object)),
      op_(op),
      encoder_{wire::Writer(sink.begin(object_.get())), sink.session().get(), nullptr, &kept_} {
  encoder_.writer.array(argument_count);
}

PipelinedCall::~PipelinedCall() {
  if (object_) sink_.take_back();
}

void PipelinedCall::send(std::shared_ptr<Awaited> result) {
  sink_.end(std::move(object_), op_, std::move(result), std::move(kept_));
}

bool read_until_ready(Awaited& awaited, WaitLimit limit) {
  return awaited.ready || awaited.pipeline->read_until_ready(awaited, limit);
}

void cancel(Awaited& awaited) {
  if (!awaited.ready) awaited.pipeline->cancel(awaited);
}

}  // namespace tandem::client

namespace tandem {

Pipeline::Pipeline(const client::SessionPtr& session)
    : Binding(std::make_shared<client::PipelineSink>(session)) {}

Pipeline::~Pipeline() {
  if (sink_) sink_->finish();
}

Pipeline& Pipeline::operator=(Pipeline&& other) noexcept {
  if (this == &other) return *this;
  if (sink_) sink_->finish();
  sink_ = std::move(other.sink_);
  return *this;
}

void Pipeline::flush() {
  sink_->flush();
}

void Pipeline::wait() {
  sink_->wait();
}

std::size_t Pipeline::under_way() const {
  return sink_->under_way();
}

}  // namespace tandem
