#include "server/session/channel.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>

#include <algorithm>
#include <new>
#include <vector>

#include "client/os/clock.hpp"
#include "tandem/ops/manager.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::server {
namespace {

constexpr std::size_t reference_bytes = 12;  // of an encoded reference
constexpr std::size_t input_bytes_min = 4096;
constexpr std::size_t inbox_bytes_kept = 64 * 1024;
// A frame with so much more to come does not go through the inbox.
constexpr std::size_t long_frame_bytes_min = 32 * 1024;

/// How long the arguments that begin so will be at least, as far as the lengths in them say.
std::size_t expected_bytes(const wire::RequestHeader& header, wire::Bytes payload) {
  const std::size_t token_bytes = (header.flags & wire::flag_fenced) != 0 ? wire::token_bytes : 0;
  if (payload.size() < token_bytes) return 0;
  wire::Reader reader(payload.subspan(token_bytes));
  std::uint32_t count = 0;
  if (!reader.array(count)) return 0;
  while (count-- != 0 && reader.skip()) {
  }
  const wire::Bytes last = reader.rest();
  constexpr std::size_t length_bytes = 5;
  if (last.size() < length_bytes || (last[0] != 0xdb && last[0] != 0xc6)) return 0;
  return payload.size() - last.size() + length_bytes + wire::load_big<std::uint32_t>(last.data() + 1);
}

}  // namespace

Channel::Channel(Service& service, TransportHandle& link, Peer peer)
    : service_(service),
      has_journal_(service.journal() != nullptr),
      transport_(link),
      peer_(std::move(peer)),
      number_(++service.statistics_.connections_accepted),
      unsent_bytes_high_(std::min<std::uint64_t>(unsent_bytes_high, service.limits().outbox_bytes_max / 4)),
      handshake_(service.credentials()) {
  service_.channels_.insert(this);
  service_.unproven_.emplace(number_, this);
}

Channel::~Channel() {
  service_.channels_.erase(this);
  service_.unproven_.erase(number_);
  service_.held_.erase(this);
  leave_session();
  service_.messages_bytes_changed(counted_messages_bytes_, 0);
  if (service_.on_channel_gone) service_.on_channel_gone();
}

void Channel::leave_session() {
  Session* session = std::exchange(session_, nullptr);
  if (session == nullptr) return;
  session->outbox_bytes -= counted_outbox_bytes_;
  session->requests_under_way -= counted_requests_;
  for (auto [request, ticket] : parked_) service_.forget(ticket, *session, lane_);
  parked_.clear();
  service_.leave(*this, *session, said_goodbye_);
}

void Channel::give_up_lane() {
  session_->outbox_bytes -= counted_outbox_bytes_;
  session_->requests_under_way -= counted_requests_;
  counted_outbox_bytes_ = counted_requests_ = 0;
  for (auto [request, ticket] : parked_) service_.forget(ticket, *session_, lane_);
  parked_.clear();
  session_ = nullptr;
  state_ = State::ending;
  transport_.close();
}

void Channel::lose_session(std::string_view text) {
  for (auto [request, ticket] : parked_) service_.forget(ticket, *session_, lane_);
  parked_.clear();
  counted_outbox_bytes_ = counted_requests_ = 0;
  session_ = nullptr;
  if (state_ == State::open) outbox_.append_fault(Code::session_lost, text);
  state_ = State::ending;
  transport_.wake();
}

void Channel::start() {
  outbox_.append_raw(handshake_.hello());
}

// ---- bytes in ---------------------------------------------------------------------------------------------

std::span<std::uint8_t> Channel::input_space() {
  if (long_frame_.left != 0) [[unlikely]] {
    PartialRequest& partial_request = *partial_requests_.find(long_frame_.request);
    if (!partial_request.discarded) return partial_requests_.room(partial_request, long_frame_.left);
    return service_.scratch().first(std::min(service_.scratch().size(), long_frame_.left));
  }
  if (inbox_used_ == 0) return service_.scratch();
  // Room for the rest of the frame, but not much more than has already arrived: a size field alone costs no
  // memory.
  std::size_t missing = needed_ > inbox_used_ ? needed_ - inbox_used_ : 0;
  std::size_t room = std::clamp(missing, input_bytes_min, std::max(inbox_bytes_kept, inbox_used_));
  inbox_.truncate(inbox_used_);
  return {inbox_.extend(room), room};
}

void Channel::received(std::size_t count) {
  service_.statistics_.bytes_received += count;
  begin_turn();
  if (long_frame_.left != 0) [[unlikely]]
    return received_of_long_frame(count);
  if (inbox_used_ != 0) {
    inbox_used_ += count;
    return take_from_inbox();
  }
  wire::Bytes fresh = service_.scratch().first(count);
  std::size_t used = consume(fresh);
  if (used == count) [[likely]]
    return;
  inbox_.clear();
  inbox_.append(fresh.subspan(used));
  inbox_used_ = count - used;
}

bool Channel::resume() {
  if (!wants_turn()) return false;
  waiting_ = false;
  begin_turn();
  take_from_inbox();
  return true;
}

void Channel::take_from_inbox() {
  std::size_t used = consume({inbox_.data(), inbox_used_});
  inbox_.truncate(inbox_used_);
  inbox_.drop_front(used);
  inbox_.shrink(inbox_bytes_kept);
  inbox_used_ -= used;
}

inline void Channel::handle_request(const wire::Frame& frame) {
  const wire::RequestHeader header = frame.request_header();
  if (!may_begin(header)) [[unlikely]]
    return refuse_to_begin(header);
  if ((header.flags & wire::flag_more) == 0) [[likely]]
    return run(header, frame.request_payload());
  if (PartialRequest* partial_request = begin_partial(header))
    assemble(*partial_request, frame.request_payload(), true);
}

/// Carries out the frames at the front of `bytes` and returns how many bytes they took.
std::size_t Channel::consume(wire::Bytes bytes) {
  std::size_t used = state_ == State::greeting ? greet(bytes) : 0;
  while (state_ == State::open && used != bytes.size()) {
    if (held_back() || now_ns_ - turn_began_ns_ > turn_ns_max) [[unlikely]] {
      waiting_ = true;
      return used;
    }
    wire::Frame frame;
    switch (wire::next_frame(bytes.subspan(used), service_.limits().frame_bytes_max, frame, needed_)) {
      case wire::FrameStatus::complete: break;
      case wire::FrameStatus::incomplete:
        if (needed_ - (bytes.size() - used) < long_frame_bytes_min || !begin_long_frame(bytes.subspan(used)))
          return used;
        return bytes.size();
      case wire::FrameStatus::too_long:
        fault(Code::resource_exhausted,
              over_limit("a frame from the client", "frame_bytes_max", service_.limits().frame_bytes_max));
        continue;
      case wire::FrameStatus::malformed:
        fault(Code::protocol_error, "the client sent something that is no frame: unknown kind or too short");
        continue;
    }
    used += frame.bytes.size();
    if (frame.kind == wire::FrameKind::request) [[likely]]
      handle_request(frame);
    else handle(frame);
  }
  return state_ == State::ending ? bytes.size() : used;
}

void Channel::begin_turn() {
  count_others();
  turn_began_ns_ = now_ns_ = os::clock_ns();
  if (session_ != nullptr) session_->heard_ns = now_ns_;
}

void Channel::count_others() {
  if (session_ == nullptr) return;
  others_outbox_bytes_ = session_->outbox_bytes - counted_outbox_bytes_;
  others_requests_ = session_->requests_under_way - counted_requests_;
}

// ---- bytes out --------------------------------------------------------------------------------------------

void Channel::sent(std::size_t count) {
  if (count != 0) {
    service_.statistics_.bytes_sent += count;
    outbox_.sent(count);
  }
  settle_accounts();
}

/// What this turn has appended was computed from the state that the journal's last input led to.
void Channel::hold_unsafe() {
  const Journal& journal = *service_.journal();
  if (journal.has_open_batch()) service_.commit_turn();
  outbox_.hold(journal.index(), journal.safe_index());
  if (outbox_.holds()) service_.held_.insert(this);
}

void Channel::settle_accounts() {
  std::uint64_t bytes = messages_bytes();
  if (bytes == 0 && counted_messages_bytes_ == 0 && counted_requests_ == 0 && parked_.empty()) [[likely]]
    return;
  service_.messages_bytes_changed(counted_messages_bytes_, bytes);
  counted_messages_bytes_ = bytes;
  if (session_ == nullptr) return;
  session_->outbox_bytes += outbox_.unsent_bytes() - counted_outbox_bytes_;
  session_->requests_under_way += requests_under_way() - counted_requests_;
  counted_outbox_bytes_ = outbox_.unsent_bytes();
  counted_requests_ = requests_under_way();
}

// ---- beginning and end ------------------------------------------------------------------------------------

std::size_t Channel::greet(wire::Bytes bytes) {
  needed_ = wire::answer_bytes;
  Refusal refusal;
  Service::Admission admission;
  switch (handshake_.check(bytes, refusal)) {
    case Handshake::Status::incomplete: return 0;
    case Handshake::Status::proven:
      service_.unproven_.erase(number_);
      admission = service_.admit(*this, handshake_.answer(), refusal);
      break;
    case Handshake::Status::refused: break;
  }
  session_ = admission.session;
  lane_ = admission.lane;
  if (session_ == nullptr) {
    refuse(refusal);
    return bytes.size();
  }
  const bool ring_wanted = (handshake_.answer().wishes & wire::wish_ring) != 0;
  const Limits& limits = service_.limits();
  const std::uint64_t ring_bytes = ring_wanted ? transport_.offer_ring() : 0;
  wire::Welcome welcome;
  welcome.session = session_->id;
  welcome.secret = admission.secret;
  welcome.frame_bytes_max = limits.frame_bytes_max;
  welcome.message_bytes_max = limits.message_bytes_max;
  welcome.value_depth_max = limits.value_depth_max;
  welcome.requests_under_way_max = limits.requests_under_way_max;
  welcome.lease_ms = session_->remote() ? limits.session_lease_ms : 0;
  welcome.ring_bytes = ring_bytes;
  service_.describe_resumption(lane_, welcome);
  outbox_.append_raw(handshake_.prove(welcome));
  state_ = State::open;
  begin_turn();
  if (ring_bytes != 0 && bytes.size() > wire::answer_bytes) {
    fault(Code::protocol_error, "the client wished for shared memory and did not wait for it");
    return bytes.size();
  }
  return wire::answer_bytes;
}

void Channel::refuse(const Refusal& refusal) {
  outbox_.append_raw(wire::as_bytes(wire::encode_refusal(refusal.code, refusal.text)));
  service_.handshake_failed(peer_, refusal.reason, refusal.text);
  state_ = State::ending;
}

void Channel::fault(Code code, std::string_view text) {
  outbox_.append_fault(code, text);
  ++service_.statistics_.protocol_errors;
  service_.log_event(LogLevel::warning, "channel closed, " + std::string(name_of(code)), peer_,
                     fmt::format("session {} (process {}) on {}: channel closed, {}: {}", session_->id,
                                 session_->pid, peer_.address, name_of(code), text));
  state_ = State::ending;
}

void Channel::end_of_input() {
  if (state_ == State::greeting) {
    service_.handshake_failed(peer_, HandshakeFailure::cut_short, "the client went away in the middle of it");
  } else if (state_ == State::open && (inbox_used_ != 0 || partial_requests_.size() != 0)) {
    service_.log_.debug("session {}: a channel ended in the middle of a request", session_->id);
  }
  state_ = State::ending;
}

void Channel::handshake_timed_out() {
  if (state_ != State::greeting) return;
  refuse({Code::timeout, HandshakeFailure::timeout,
          over_limit("the handshake took too long", "handshake_ms_max", service_.limits().handshake_ms_max)});
}

void Channel::shut_down() {
  if (state_ == State::greeting) {
    refuse({Code::shutting_down, HandshakeFailure::shutting_down, "the manager is stopping"});
  } else if (state_ == State::open) {
    outbox_.append_fault(Code::shutting_down, "the manager is stopping");
    state_ = State::ending;
  }
}

// ---- frames -----------------------------------------------------------------------------------------------

/// Handles a frame that is no request.
void Channel::handle(const wire::Frame& frame) {
  switch (frame.kind) {
    case wire::FrameKind::request_part: return handle_part(frame);
    case wire::FrameKind::identify: return identify(frame);
    case wire::FrameKind::cancel: return cancel(frame);
    case wire::FrameKind::read: return acknowledge(frame);
    case wire::FrameKind::goodbye: return say_goodbye(frame);
    default:
      fault(Code::protocol_error,
            "a client does not send frames of kind " + std::to_string(static_cast<unsigned>(frame.kind)));
  }
}

void Channel::handle_part(const wire::Frame& frame) {
  if (PartialRequest* partial_request = partial_of(frame.bytes.data()))
    assemble(*partial_request, frame.short_payload(), (frame.bytes[5] & wire::flag_more) != 0);
}

/// Says why not; the channel ends.
void Channel::refuse_to_begin(const wire::RequestHeader& header) {
  if ((header.flags & ~request_flags) != 0)
    return fault(Code::protocol_error, "a request with unknown flags, " + std::to_string(header.flags));
  const std::string request = "request " + std::to_string(header.request) + " begins again ";
  fault(Code::protocol_error,
        request + (parked_.count(header.request) != 0 ? "while it waits" : "before its last part has come"));
}

/// Returns null if there are too many: then the channel ends.
PartialRequest* Channel::begin_partial(const wire::RequestHeader& header) {
  if (partial_requests_.size() >= service_.limits().requests_under_way_max) {
    fault(Code::resource_exhausted, over_limit("unfinished requests on one channel", "requests_under_way_max",
                                               service_.limits().requests_under_way_max));
    return nullptr;
  }
  const bool too_many = too_many_under_way();
  PartialRequest& partial_request = *partial_requests_.begin(header);
  if (too_many) {
    refuse_request(header, over_limit("one more request under way", "requests_under_way_max",
                                      service_.limits().requests_under_way_max));
    partial_requests_.discard(partial_request);
  }
  return &partial_request;
}

/// Returns the request of which this is a part; null if there is none: then the channel ends.
PartialRequest* Channel::partial_of(const std::uint8_t* part_header) {
  const std::uint8_t flags = part_header[5];
  if ((flags & ~wire::flag_more) != 0) {
    fault(Code::protocol_error, "a part with unknown flags, " + std::to_string(flags));
    return nullptr;
  }
  const std::uint32_t request = wire::load_reply_header(part_header).request;
  PartialRequest* partial_request = partial_requests_.find(request);
  if (partial_request == nullptr)
    fault(Code::protocol_error,
          "a part of request " + std::to_string(request) + ", which is not under way in parts");
  return partial_request;
}

/// Refuses the request if so many more bytes of it are too many. Its further parts are then dropped.
void Channel::make_room(PartialRequest& partial_request, std::size_t bytes) {
  if (partial_request.discarded) return;
  const Limits& limits = service_.limits();
  if (partial_request.payload.size() + bytes > limits.message_bytes_max)
    refuse_request(partial_request.header,
                   over_limit("the request's arguments", "message_bytes_max", limits.message_bytes_max));
  else if (service_.memory_exceeded_by(bytes + messages_bytes() - counted_messages_bytes_))
    refuse_request(partial_request.header,
                   over_limit("the request's arguments", "memory_bytes_max", limits.memory_bytes_max));
  else return;
  partial_requests_.discard(partial_request);
}

void Channel::assemble(PartialRequest& partial_request, wire::Bytes payload, bool more) {
  make_room(partial_request, payload.size());
  if (!partial_request.discarded) partial_requests_.append(partial_request, payload);
  if (!more) assembled(partial_request);
}

void Channel::assembled(PartialRequest& partial_request) {
  const wire::RequestHeader header = partial_request.header;
  const bool discarded = partial_request.discarded;
  wire::Buffer whole = partial_requests_.take(partial_request);
  if (discarded) return;
  if (whole.capacity() - whole.size() > whole.size() / 16) whole.fit();  // it may become a value's
  run(header, whole.view(), &whole);
}

/// `bytes` begin a frame of which much is still to come. Returns false until its header has come.
bool Channel::begin_long_frame(wire::Bytes bytes) {
  const auto kind = bytes.size() < wire::short_header_bytes ? wire::FrameKind::fault
                                                            : static_cast<wire::FrameKind>(bytes[4]);
  const bool is_first = kind == wire::FrameKind::request;
  const std::size_t header_bytes = is_first ? wire::request_header_bytes : wire::short_header_bytes;
  if ((!is_first && kind != wire::FrameKind::request_part) || bytes.size() < header_bytes) return false;
  PartialRequest* partial_request = nullptr;
  if (!is_first) {
    partial_request = partial_of(bytes.data());
  } else if (const wire::RequestHeader header = wire::load_request_header(bytes.data()); may_begin(header)) {
    partial_request = begin_partial(header);
  } else {
    refuse_to_begin(header);
  }
  if (partial_request == nullptr) return true;  // the channel ends
  const std::size_t left = needed_ - bytes.size();
  const wire::Bytes payload = bytes.subspan(header_bytes);
  make_room(*partial_request, payload.size() + left);
  if (!partial_request->discarded) {
    std::size_t room = payload.size() + left;
    // Not much more than what is said to come, so that it need not be copied when the next part comes.
    if (const std::size_t expected = expected_bytes(partial_request->header, payload);
        is_first && expected > room && expected <= service_.limits().message_bytes_max &&
        !service_.memory_exceeded_by(expected))
      room = expected + expected / 64;
    partial_requests_.room(*partial_request, room);
    partial_requests_.append(*partial_request, payload);
  }
  long_frame_ = {partial_request->header.request, left, (bytes[5] & wire::flag_more) != 0};
  return true;
}

void Channel::received_of_long_frame(std::size_t count) {
  PartialRequest& partial_request = *partial_requests_.find(long_frame_.request);
  if (!partial_request.discarded) partial_requests_.received(partial_request, count);
  long_frame_.left -= count;
  if (long_frame_.left == 0 && !long_frame_.more) assembled(partial_request);
}

void Channel::identify(const wire::Frame& frame) {
  if (frame.bytes.size() != wire::short_header_bytes)
    return fault(Code::protocol_error, "an identify frame of the wrong length");
  std::uint32_t pid = frame.reply_header().request;
  service_.log_.debug("session {} of process {} is now that of process {}", session_->id, session_->pid, pid);
  session_->pid = pid;
  service_.step(SessionIdentified{session_->id, pid, service_.identity_of(pid, *this), now_ns_});
}

void Channel::acknowledge(const wire::Frame& frame) {
  if (frame.bytes.size() != wire::short_header_bytes || lane_ == 0)
    return fault(Code::protocol_error,
                 "a frame which says that a reply was read, of the wrong length or on a channel "
                 "without a lane");
  service_.step(Acknowledged{session_->id, {lane_, frame.reply_header().request}, now_ns_});
}

void Channel::say_goodbye(const wire::Frame& frame) {
  if (frame.bytes.size() != wire::short_header_bytes)
    return fault(Code::protocol_error, "a goodbye frame of the wrong length");
  said_goodbye_ = true;
  state_ = State::ending;
}

void Channel::cancel(const wire::Frame& frame) {
  if (frame.bytes.size() != wire::short_header_bytes)
    return fault(Code::protocol_error, "a cancel frame of the wrong length");
  auto waiting = parked_.find(frame.reply_header().request);
  if (waiting != parked_.end()) service_.cancel(waiting->second);
}

// ---- requests ---------------------------------------------------------------------------------------------

/// `tail`, unless null, ends the reply, and is released.
inline void Channel::finish_call(std::size_t at, const wire::RequestHeader& header, Code code,
                                 SharedBytes::Block* tail) {
  if (tail != nullptr) [[unlikely]]
    return finish_long_call(at, header, code, SharedBytes::own(*tail));
  if ((header.flags & wire::flag_one_way) != 0) [[unlikely]] {
    give_back_references(at, header.actor);
    return outbox_.abandon_reply(at);
  }
  if (!reply_fits(at, 0)) [[unlikely]]
    return replace_reply(at, 0, header);
  outbox_.finish_reply(at, code, header.request, service_.limits().frame_bytes_max);
}

/// `memory`, unless null, holds the arguments, and may be taken over.
void Channel::run(const wire::RequestHeader& header, wire::Bytes arguments, wire::Buffer* memory) {
  if (too_many_under_way()) [[unlikely]]
    return refuse_request(header, over_limit("one more request under way", "requests_under_way_max",
                                             service_.limits().requests_under_way_max));
  last_actor_ = header.actor;
  std::uint64_t token = 0;
  if ((header.flags & wire::flag_fenced) != 0) {
    if (arguments.size() < wire::token_bytes)
      return fault(Code::protocol_error, "a fenced request without a token");
    token = wire::load_little<std::uint64_t>(arguments.data());
    arguments = arguments.subspan(wire::token_bytes);
  }
  std::size_t at = outbox_.begin_reply();
  Outcome outcome{};
  try {
    // With a journal, an operation that gets no memory in its middle ends the process.
    outcome = service_.step(Call{session_->id,
                                 header.actor,
                                 header.object,
                                 header.op,
                                 arguments,
                                 token,
                                 now_ns_,
                                 memory,
                                 true,
                                 {lane_, header.request},
                                 header.flags},
                            outbox_.buffer());
  } catch (const std::bad_alloc&) {
    outbox_.abandon_reply(at);
    service_.log_event(LogLevel::error, "out of memory", peer_,
                       fmt::format("session {}: out of memory in operation {} of object {}", session_->id,
                                   header.op, header.object));
    return refuse_request(header, "the manager is out of memory");
  }
  std::uint64_t began_ns = std::exchange(now_ns_, os::clock_ns());
  service_.statistics_.count_operation(outcome.operation, outcome.code, now_ns_ - began_ns);
  if (outcome.parked != 0) {
    outbox_.abandon_reply(at);
    if ((header.flags & wire::flag_one_way) != 0) return service_.cancel(outcome.parked);
    parked_.emplace(header.request, outcome.parked);
    service_.park(outcome.parked, *this, header.request);
    transport_.parked_count_changed(parked_.size());
    return service_.after_step();
  }
  finish_call(at, header, outcome.code, outcome.tail);
  if (outcome.changed) {
    if (lane_ != 0 && outbox_.buffer().size() != at) [[unlikely]]
      outbox_.mark_kept(at);
    service_.after_step();
  } else if (has_journal_) [[unlikely]] {
    outbox_.hold_reply(at, service_.journal()->reply_depends_on(), service_.journal()->safe_index());
  }
}

void Channel::finish_long_call(std::size_t at, const wire::RequestHeader& header, Code code,
                               SharedBytes tail) {
  if ((header.flags & wire::flag_one_way) != 0) return outbox_.abandon_reply(at);
  if (!reply_fits(at, tail.bytes().size())) return replace_reply(at, tail.bytes().size(), header);
  outbox_.finish_long_reply(at, code, header.request, service_.limits().frame_bytes_max, tail);
}

void Channel::answer_parked(std::uint32_t request, Code code, wire::Bytes payload) {
  parked_.erase(request);
  transport_.parked_count_changed(parked_.size());
  transport_.wake();  // a channel sends only in its own turns
  if (state_ != State::open) return;
  count_others();
  std::size_t at = outbox_.begin_reply();
  outbox_.buffer().append(payload);
  wire::RequestHeader header;
  header.request = request;
  header.actor = last_actor_.value_or(0);
  finish_call(at, header, code);
  if (lane_ != 0) outbox_.mark_kept(at);
}

// The operation is not undone; only its reply cannot be delivered.
void Channel::replace_reply(std::size_t at, std::size_t tail_bytes, const wire::RequestHeader& header) {
  const Limits& limits = service_.limits();
  bool outbox = others_outbox_bytes_ + outbox_.unsent_bytes() + tail_bytes > limits.outbox_bytes_max;
  std::string what = "the operation was carried out, but its reply of " +
                     std::to_string(outbox_.reply_bytes(at) + tail_bytes) +
                     " bytes cannot be kept for the client";
  give_back_references(at, header.actor);
  outbox_.abandon_reply(at);
  ++service_.statistics_.replies_refused;
  reply_error(header.request, Code::resource_exhausted,
              outbox ? over_limit(what, "outbox_bytes_max", limits.outbox_bytes_max)
                     : over_limit(what, "memory_bytes_max", limits.memory_bytes_max));
}

// The engine has counted the references in the reply for the client, which will never receive it.
void Channel::give_back_references(std::size_t at, std::uint32_t actor) {
  wire::Bytes payload = outbox_.buffer().view_from(at + wire::short_header_bytes);
  if (payload.size() < reference_bytes) return;
  std::vector<ObjectId> objects;
  for_each_reference(payload, [&](wire::Reference reference) { objects.push_back(reference.id); });
  for (ObjectId object : objects) {
    wire::Buffer arguments;
    wire::Buffer unused_reply;
    wire::Writer writer(arguments);
    writer.array(2);
    writer.unsigned_integer(object);
    writer.integer(1);
    service_.step(Call{session_->id, actor, ops::Manager::id, ops::Manager::Release::description.number,
                       arguments.view(), 0, now_ns_},
                  unused_reply);
  }
}

void Channel::refuse_request(const wire::RequestHeader& header, std::string_view text) {
  ++service_.statistics_.requests_refused;
  if ((header.flags & wire::flag_one_way) == 0) reply_error(header.request, Code::resource_exhausted, text);
}

void Channel::reply_error(std::uint32_t request, Code code, std::string_view text) {
  std::size_t at = outbox_.begin_reply();
  wire::Writer(outbox_.buffer()).text(text);
  outbox_.finish_reply(at, code, request, service_.limits().frame_bytes_max);
}

}  // namespace tandem::server
