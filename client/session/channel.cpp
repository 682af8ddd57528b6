#include "client/session/channel.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "client/os/clock.hpp"
#include "tandem/ops/manager.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::client {
namespace {

constexpr std::size_t receive_bytes_min = std::size_t{16} << 10;  // minimum room for each receive
// A result of so many bytes is received straight into its destination.
constexpr std::size_t long_result_bytes_min = std::size_t{32} << 10;
constexpr std::size_t value_header_bytes_max = 5;  // of a text or of bytes in MessagePack

wire::RequestHeader header_of(const RequestTarget& target, std::uint32_t request, std::uint8_t flags) {
  const std::uint8_t fenced = target.token == 0 ? 0 : wire::flag_fenced;
  return {static_cast<std::uint8_t>(flags | fenced), target.op, request, target.actor, target.object};
}

}  // namespace

std::string reason_of(const Reply& reply) {
  std::string_view text = "the manager gave no reason";
  wire::Reader(reply.payload).text(text);
  return std::string(text);
}

Channel::Channel(std::unique_ptr<Stream> stream, const wire::Welcome& welcome)
    : stream_(std::move(stream)),
      frame_bytes_max_(welcome.frame_bytes_max),
      message_bytes_max_(welcome.message_bytes_max),
      lane_(welcome.lane),
      start_(welcome.start) {
  in_.reserve(receive_bytes_min);
}

Channel::~Channel() {
  if (lane_ == 0 || broken_) return;
  try {
    std::uint8_t goodbye[wire::short_header_bytes];
    wire::store_short_header(goodbye, sizeof goodbye, wire::FrameKind::goodbye, 0, 0, 0);
    unsent_.append(goodbye, sizeof goodbye);
    (void)stream_->send_now(unsent_.view());
  } catch (const std::exception&) {
    // Then the lane ends when nobody has resumed it for session_resume_ms.
  }
}

wire::Buffer& Channel::begin_request() {
  out_.clear();
  long_arguments_.clear();
  out_.extend(wire::request_header_bytes);
  return out_;
}

std::size_t Channel::long_arguments_bytes() const {
  std::size_t bytes = 0;
  for (const LongArgument& argument : long_arguments_) bytes += argument.bytes.size();
  return bytes;
}

void Channel::end_request() noexcept {
  if (taken_ == in_.size()) {
    in_.clear();
    taken_ = 0;
    in_.shrink(wire::Buffer::kept_bytes_max);
  }
  out_.clear();
  out_.shrink(wire::Buffer::kept_bytes_max);
  long_arguments_.clear();
  assembled_.clear();
  assembled_.shrink(wire::Buffer::kept_bytes_max);
}

/// Sends the request of an exchange and receives its reply.
[[gnu::always_inline]] inline Reply Channel::attempt(const RequestTarget& target, std::uint8_t flags,
                                                     const os::Deadline& deadline,
                                                     const std::stop_token& stop, LongResult* long_result) {
  if (broken_) throw StreamClosed("the connection is closed");
  const std::uint32_t request = exchanged_request_;
  try {
    if (!unsent_.empty()) [[unlikely]]
      send_unsent(deadline);
    send_request(target, flags, request, deadline);
  } catch (const StreamClosed& closed) {
    throw_fault_or(closed);
  }
  if (!stop.stop_possible()) [[likely]]
    return receive_reply(request, deadline, long_result);
  const std::stop_callback cancel(stop, [&] { send_cancel(request); });
  return receive_reply(request, deadline, long_result);
}

Reply Channel::exchange(const RequestTarget& target, const os::Deadline& deadline,
                        const std::stop_token& stop, LongResult* long_result) {
  exchanged_request_ = ++last_request_;
  if (lane_ == 0) [[likely]]
    return attempt(target, wire::flag_has_read_all, deadline, stop, long_result);
  first_sent_ns_ = os::boot_clock_ns();
  const Reply reply = attempt(target, wire::flag_has_read_all, deadline, stop, long_result);
  unread_notices_.clear();
  return reply;
}

Reply Channel::exchange_again(const RequestTarget& target, const os::Deadline& deadline,
                              const std::stop_token& stop, LongResult* long_result) {
  const std::uint8_t again = is_new_lane_ ? std::uint8_t{0} : wire::flag_again;
  const auto flags = static_cast<std::uint8_t>(wire::flag_has_read_all | again);
  const Reply reply = attempt(target, flags, deadline, stop, long_result);
  unread_notices_.clear();
  return reply;
}

std::vector<Notice> Channel::unread_ends_of_threads() const {
  std::vector<Notice> ends;
  for (const UnreadNotice& one : unread_notices_)
    if (one.notice.of == Notice::Of::ended_thread) ends.push_back(one.notice);
  return ends;
}

void Channel::resume(std::unique_ptr<Stream> stream, const wire::Welcome& welcome) {
  stream_ = std::move(stream);
  frame_bytes_max_ = welcome.frame_bytes_max;
  message_bytes_max_ = welcome.message_bytes_max;
  is_new_lane_ = std::exchange(lane_, welcome.lane) != welcome.lane;
  start_ = welcome.start;
  broken_ = false;
  in_.clear();
  taken_ = needed_ = frame_left_ = 0;
  assembled_.clear();
  assembling_.clear();
  unsent_.clear();
  // What a lane that has ended has carried out is not known; that a thread has ended can be said twice.
  if (is_new_lane_)
    std::erase_if(unread_notices_,
                  [](const UnreadNotice& one) { return one.notice.of != Notice::Of::ended_thread; });
  for (const UnreadNotice& one : unread_notices_)
    append_notice(unsent_, one.request, one.actor, one.notice, !is_new_lane_);
}

/// Runs on the thread that requests the stop. The thread that has this channel sends nothing while it awaits
/// its reply.
void Channel::send_cancel(std::uint32_t request) noexcept {
  std::uint8_t frame[wire::short_header_bytes];
  wire::store_short_header(frame, sizeof frame, wire::FrameKind::cancel, 0, 0, request);
  try {
    for (wire::Bytes rest(frame); !rest.empty();)
      rest = rest.subspan(stream_->send(rest, std::chrono::milliseconds{0}));
  } catch (const StreamClosed&) {
    // The thread that awaits the reply finds the stream closed too.
  }
}

void Channel::send_unsent(const os::Deadline& deadline) {
  while (!unsent_.empty()) unsent_.drop_front(stream_->send(unsent_.view(), deadline.remaining()));
  unsent_.shrink(wire::Buffer::kept_bytes_max);
}

/// Sends `frame` within the deadline and keeps the rest of it in unsent_; if `is_late`, keeps all of it.
/// Throws TimedOut if nothing was sent of the request's first frame; then nothing is kept. Returns whether it
/// is late.
bool Channel::send_or_keep(wire::Bytes frame, const os::Deadline& deadline, bool is_late, bool is_first) {
  std::size_t whole = frame.size();
  try {
    while (!is_late && !frame.empty()) frame = frame.subspan(stream_->send(frame, deadline.remaining()));
  } catch (const os::TimedOut&) {
    if (is_first && frame.size() == whole) throw;
    is_late = true;
  }
  unsent_.append(frame);
  return is_late;
}

void Channel::send_request(const RequestTarget& target, std::uint8_t flags, std::uint32_t request,
                           const os::Deadline& deadline) {
  const std::size_t size = out_.size();
  if (size > frame_bytes_max_ || !long_arguments_.empty()) [[unlikely]]
    return send_in_pieces(target, flags, request, deadline);
  wire::store_request_header(out_.data(), size, header_of(target, request, flags));
  if (send_or_keep(out_.view(), deadline, false, true)) throw os::TimedOut();
}

/// The same in several frames, or with arguments that are elsewhere.
void Channel::send_in_pieces(const RequestTarget& target, std::uint8_t flags, std::uint32_t request,
                             const os::Deadline& deadline) {
  std::vector<wire::Bytes> pieces;
  std::size_t at = wire::request_header_bytes;
  for (const LongArgument& argument : long_arguments_) {
    pieces.push_back(out_.view().subspan(at, argument.at - at));
    pieces.push_back(argument.bytes);
    at = argument.at;
  }
  pieces.push_back(out_.view_from(at));
  std::size_t left = arguments_bytes();

  bool is_first = true;
  bool is_late = false;
  for (std::size_t next = 0; left != 0; is_first = false) {
    const std::size_t header_bytes = is_first ? wire::request_header_bytes : wire::short_header_bytes;
    std::size_t count = std::min<std::size_t>(left, frame_bytes_max_ - header_bytes);
    left -= count;
    const std::uint8_t more = left == 0 ? 0 : wire::flag_more;
    std::uint8_t header[wire::request_header_bytes];
    if (is_first)
      wire::store_request_header(header, header_bytes + count,
                                 header_of(target, request, static_cast<std::uint8_t>(flags | more)));
    else
      wire::store_short_header(header, header_bytes + count, wire::FrameKind::request_part, more, 0, request);
    is_late = send_or_keep({header, header_bytes}, deadline, is_late, is_first);
    while (count != 0) {
      wire::Bytes& piece = pieces[next];
      const wire::Bytes part = piece.first(std::min(count, piece.size()));
      is_late = send_or_keep(part, deadline, is_late);
      count -= part.size();
      piece = piece.subspan(part.size());
      if (piece.empty()) ++next;
    }
  }
  if (is_late) throw os::TimedOut();
}

Reply Channel::receive_reply(std::uint32_t request, const os::Deadline& deadline, LongResult* long_result) {
  Reply reply;
  while (true) {
    wire::Frame frame;
    std::size_t needed = 0;
    switch (wire::next_frame(in_.view_from(taken_), frame_bytes_max_, frame, needed)) {
      case wire::FrameStatus::complete:
        taken_ += frame.bytes.size();
        if (take(frame, request, reply)) return reply;
        break;
      case wire::FrameStatus::incomplete:
        if (needed >= long_result_bytes_min && long_result != nullptr) [[unlikely]] {
          if (receive_long(request, needed, deadline, *long_result)) return {};
          break;
        }
        receive_more(needed, deadline);
        break;
      case wire::FrameStatus::too_long:
      case wire::FrameStatus::malformed: throw_no_frame();
    }
  }
}

/// Receives the reply whose first frame begins in `in_`, if it is a long text or long bytes, as wanted. Else returns
/// false, and has received more of the frame, which has `needed` bytes.
bool Channel::receive_long(std::uint32_t request, std::size_t needed, const os::Deadline& deadline,
                           LongResult& into) {
  const std::size_t had = in_.size() - taken_;
  while (in_.size() - taken_ < wire::short_header_bytes + 1 + value_header_bytes_max)
    receive_more(receive_bytes_min, deadline);
  std::size_t left = begin_long(request, into);
  if (left == 0) {
    // The frame may have become complete above.
    if (in_.size() - taken_ == had) receive_more(needed, deadline);
    return false;
  }
  while (true) {
    left -= frame_left_;
    const std::size_t there = std::min(frame_left_, in_.size() - taken_);
    into.append(in_.view().subspan(taken_, there));
    taken_ += there;
    frame_left_ -= there;
    if (frame_left_ != 0) {
      in_.clear();
      taken_ = 0;
      while (frame_left_ != 0) receive_to(into, frame_left_, deadline);
    }
    if (left == 0) break;
    begin_part(request, deadline, left);
  }
  into.set_arrived();
  return true;
}

/// Takes the beginning of such a reply, and returns how long its text or its bytes are; 0: it is none. From then on
/// bytes are gone once they have been received, and frame_left_ says how many are to be skipped if that ends early.
std::size_t Channel::begin_long(std::uint32_t request, LongResult& into) {
  const std::uint8_t* frame = in_.data() + taken_;
  const wire::ReplyHeader header = wire::load_reply_header(frame);
  const std::size_t frame_bytes = wire::size_field_bytes + wire::load_little<std::uint32_t>(frame);
  if (static_cast<wire::FrameKind>(frame[4]) != wire::FrameKind::reply || header.request != request ||
      header.code != Code::ok)
    return 0;
  const std::uint8_t* value = frame + wire::short_header_bytes;
  if (into.in_array() && *value++ != 0x91) return 0;
  std::size_t length = 0;
  if (*value == (into.is_text() ? 0xdb : 0xc6)) {
    length = wire::load_big<std::uint32_t>(value + 1);
    value += value_header_bytes_max;
  } else if (*value == (into.is_text() ? 0xda : 0xc5)) {
    length = wire::load_big<std::uint16_t>(value + 1);
    value += value_header_bytes_max - 2;
  } else {
    return 0;
  }
  const std::size_t in_frame = frame_bytes - static_cast<std::size_t>(value - frame);
  const bool more = (header.flags & wire::flag_more) != 0;
  if (more ? length <= in_frame : length != in_frame) return 0;
  into.reserve(length);
  taken_ += static_cast<std::size_t>(value - frame);
  frame_left_ = in_frame;
  return length;
}

/// Finds the next part of a long reply, of which `left` bytes are to come, and takes its header.
void Channel::begin_part(std::uint32_t request, const os::Deadline& deadline, std::size_t left) {
  while (true) {
    const wire::Bytes there = in_.view_from(taken_);
    wire::Frame frame;
    std::size_t needed = 0;
    const wire::FrameStatus status = wire::next_frame(there, frame_bytes_max_, frame, needed);
    if (status == wire::FrameStatus::too_long || status == wire::FrameStatus::malformed) throw_no_frame();
    if (there.size() >= wire::short_header_bytes &&
        static_cast<wire::FrameKind>(there[4]) == wire::FrameKind::reply_part &&
        wire::load_reply_header(there.data()).request == request) {
      const std::size_t bytes = needed - wire::short_header_bytes;
      const bool more = (wire::load_reply_header(there.data()).flags & wire::flag_more) != 0;
      if (bytes == 0 || (more ? bytes >= left : bytes != left))
        throw_broken("the parts of a reply are together not as long as its beginning says",
                     Code::connection_error, true);
      taken_ += wire::short_header_bytes;
      frame_left_ = bytes;
      return;
    }
    if (status == wire::FrameStatus::incomplete) {
      receive_more(needed, deadline);
      continue;
    }
    Reply other;
    taken_ += frame.bytes.size();
    take(frame, request, other);  // a late reply to another request, or a fault
  }
}

void Channel::receive_more(std::size_t needed, const os::Deadline& deadline) {
  if (frame_left_ != 0) [[unlikely]] {
    struct : wire::ByteSink {
      void append(wire::Bytes) noexcept override {}
    } nowhere;
    while (frame_left_ != 0) receive_to(nowhere, frame_left_, deadline);
  }
  in_.drop_front(taken_);
  taken_ = 0;
  in_.reserve(std::max(needed, receive_bytes_min));
  std::uint8_t* at = in_.data() + in_.size();
  try {
    in_.extend(stream_->receive(at, in_.capacity() - in_.size(), deadline.remaining()));
  } catch (const StreamClosed&) {
    broken_ = true;
    throw;
  }
}

/// Receives the next bytes of a long result's frame.
void Channel::receive_to(wire::ByteSink& to, std::size_t most, const os::Deadline& deadline) {
  try {
    frame_left_ -= stream_->receive_to(to, most, deadline.remaining());
  } catch (const StreamClosed&) {
    broken_ = true;
    throw;
  }
}

/// Returns whether this frame completes the reply to `request`.
bool Channel::take(const wire::Frame& frame, std::uint32_t request, Reply& reply) {
  wire::ReplyHeader header = frame.reply_header();
  switch (frame.kind) {
    case wire::FrameKind::reply:
      if (header.request != request) return false;
      reply = {header.code, frame.short_payload()};
      if ((header.flags & wire::flag_more) == 0) [[likely]]
        return true;
      assembled_.clear();
      assembled_.append(frame.short_payload());
      return false;
    case wire::FrameKind::reply_part:
      if (header.request != request) return false;
      assembled_.append(frame.short_payload());
      reply.payload = assembled_.view();
      return (header.flags & wire::flag_more) == 0;
    default: throw_unexpected(frame);
  }
}

void Channel::throw_unexpected(const wire::Frame& frame) {
  if (frame.kind != wire::FrameKind::fault)
    throw_broken("the manager sent a frame that only clients send", Code::connection_error, true);
  const Code code = frame.reply_header().code;
  const std::string text(wire::as_text(frame.short_payload()));
  if (code == Code::session_lost) throw_broken(text, code);
  throw_broken("the manager closed the connection: " + text + " (" + std::string(name_of(code)) + ")",
               code == Code::shutting_down ? code : Code::connection_error, code != Code::shutting_down);
}

void Channel::throw_broken(const std::string& text, Code code, bool is_final) {
  broken_ = true;
  throw StreamClosed(text, code, is_final);
}

void Channel::throw_no_frame() {
  throw_broken("the manager sent what is no frame of the protocol", Code::connection_error, true);
}

// The manager closes the connection right after a fault frame. A send at that time finds the stream closed
// while the fault is still unread.
void Channel::throw_fault_or(const StreamClosed& closed) {
  broken_ = true;
  std::uint32_t none = last_request_ + 1;
  try {
    receive_reply(none, os::Deadline(fault_wait));
  } catch (const os::TimedOut&) {
  } catch (const StreamClosed& later) {
    throw_broken(later.what(), later.code, later.is_final);
  }
  throw_broken(closed.what());
}

// ---- pipelining ------------------------------------------------------------------------------------------

void Channel::finish_request(wire::Buffer& out, std::size_t at, const RequestTarget& target,
                             std::uint32_t request) const {
  const std::size_t size = out.size() - at;
  const std::size_t first = std::min<std::size_t>(size, frame_bytes_max_);
  wire::store_request_header(out.data() + at, first,
                             header_of(target, request, size == first ? 0 : wire::flag_more));
  if (size == first) [[likely]]
    return;
  // Moves the parts, the last one first, to make room for their headers.
  const std::size_t most = frame_bytes_max_ - wire::short_header_bytes;
  const std::size_t rest = size - first;
  const std::size_t parts = (rest + most - 1) / most;
  out.extend(parts * wire::short_header_bytes);
  std::uint8_t* behind_first = out.data() + at + first;
  for (std::size_t i = parts; i-- > 0;) {
    const bool is_last = i == parts - 1;
    const std::size_t count = is_last ? rest - i * most : most;
    std::uint8_t* frame = behind_first + i * (most + wire::short_header_bytes);
    std::memmove(frame + wire::short_header_bytes, behind_first + i * most, count);
    wire::store_short_header(frame, count + wire::short_header_bytes, wire::FrameKind::request_part,
                             is_last ? 0 : wire::flag_more, 0, request);
  }
}

void Channel::append_cancel(wire::Buffer& out, std::uint32_t request) {
  wire::store_short_header(out.extend(wire::short_header_bytes), wire::short_header_bytes,
                           wire::FrameKind::cancel, 0, 0, request);
}

void Channel::append_acknowledgement(wire::Buffer& out, std::uint32_t request) {
  wire::store_short_header(out.extend(wire::short_header_bytes), wire::short_header_bytes,
                           wire::FrameKind::read, 0, 0, request);
}

/// Returns whether this frame completes a reply.
inline bool Channel::take_any(const wire::Frame& frame, NumberedReply& reply) {
  const wire::ReplyHeader header = frame.reply_header();
  const bool more = (header.flags & wire::flag_more) != 0;
  const bool is_kept = (header.flags & wire::flag_kept) != 0;
  if (frame.kind == wire::FrameKind::reply) [[likely]] {
    if (!more) [[likely]] {
      reply = {{header.code, frame.short_payload()}, header.request, is_kept};
      return true;
    }
    Assembling& begun = assembling_[header.request];
    begun.code = header.code;
    begun.is_kept = is_kept;
    begun.payload.clear();
    begun.payload.append(frame.short_payload());
    return false;
  }
  if (frame.kind != wire::FrameKind::reply_part) throw_unexpected(frame);
  const auto found = assembling_.find(header.request);
  if (found == assembling_.end()) return false;  // of a reply that is no longer awaited
  found->second.payload.append(frame.short_payload());
  if (more) return false;
  assembled_ = std::move(found->second.payload);
  reply = {{found->second.code, assembled_.view()}, header.request, found->second.is_kept};
  assembling_.erase(found);
  return true;
}

bool Channel::next_reply(NumberedReply& reply) {
  if (broken_) throw StreamClosed("the connection is closed");
  while (true) {
    wire::Frame frame;
    std::size_t needed = 0;
    switch (wire::next_frame(in_.view_from(taken_), frame_bytes_max_, frame, needed)) {
      case wire::FrameStatus::complete:
        taken_ += frame.bytes.size();
        if (take_any(frame, reply)) return true;
        break;
      case wire::FrameStatus::incomplete: needed_ = needed; return false;
      case wire::FrameStatus::too_long:
      case wire::FrameStatus::malformed: throw_no_frame();
    }
  }
}

void Channel::receive_some(std::chrono::milliseconds timeout) {
  if (broken_) throw StreamClosed("the connection is closed");
  receive_more(needed_, os::Deadline(timeout));
}

void Channel::append_notice(wire::Buffer& out, std::uint32_t request, std::uint32_t actor,
                            const Notice& notice, bool is_again) {
  const std::size_t at = out.size();
  out.extend(wire::request_header_bytes);
  wire::Writer writer(out);
  const bool is_release = notice.of == Notice::Of::released_reference;
  writer.array(is_release ? 2 : 1);
  writer.integer(static_cast<std::int64_t>(notice.id));
  if (is_release) writer.integer(std::int64_t{1});
  const std::uint16_t op =
      is_release ? ops::Manager::Release::description.number : ops::Manager::EndThread::description.number;
  wire::store_request_header(out.data() + at, out.size() - at,
                             {wire::flag_one_way, op, request, actor, ops::Manager::id});
  if (is_again) mark_again(out.data() + at);
}

bool Channel::notify(std::uint32_t actor, const Notice& notice) noexcept {
  if (broken_) return false;
  try {
    if (lane_ != 0) unread_notices_.push_back({last_request_ + 1, actor, notice});
    append_notice(unsent_, ++last_request_, actor, notice);
    if (std::size_t sent = stream_->send_now(unsent_.view()); sent != 0) unsent_.drop_front(sent);
    return true;
  } catch (const StreamClosed&) {
    // The next exchange() finds the stream closed too, and reports why; or the channel is resumed then.
    return lane_ != 0;
  } catch (const std::bad_alloc&) {
    broken_ = true;  // the buffer may contain part of a frame
  }
  return false;
}

void Channel::identify(std::uint32_t pid) {
  std::uint8_t* at = unsent_.extend(wire::short_header_bytes);
  wire::store_short_header(at, wire::short_header_bytes, wire::FrameKind::identify, 0, 0, pid);
}

void Channel::abandon() noexcept {
  broken_ = true;
  lane_ = 0;
  stream_->abandon();
}

int Channel::detach() noexcept {
  broken_ = true;
  lane_ = 0;
  return stream_->detach();
}

}  // namespace tandem::client
