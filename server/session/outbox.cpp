#include "server/session/outbox.hpp"

#include <algorithm>

namespace tandem::server {

void Outbox::append_fault(Code code, std::string_view text) {
  std::size_t at = begin_reply();
  buffer_.append(wire::as_bytes(text));
  wire::store_short_header(buffer_.data() + at, reply_bytes(at), wire::FrameKind::fault,
                           static_cast<std::uint8_t>(code), 0, 0);
}

// Counts off the completely sent replies, and drops their bytes once they take up most of a large buffer.
void Outbox::advance() {
  while (boundary_ + wire::short_header_bytes <= sent_) {
    const std::uint8_t* frame = buffer_.data() + boundary_;
    std::size_t frame_bytes = wire::size_field_bytes + wire::load_little<std::uint32_t>(frame);
    if (shared_ != nullptr &&
        shared_->front().at == boundary_ + frame_bytes - shared_->front().bytes.size()) {
      const SharedEnd& end = shared_->front();
      if (end.at > sent_ || end.sent != end.bytes.size()) break;
      frame_bytes -= end.bytes.size();
      if (shared_->size() == 1) shared_.reset();
      else shared_->erase(shared_->begin());
    }
    if (boundary_ + frame_bytes > sent_) break;
    boundary_ += frame_bytes;
    if ((wire::load_reply_header(frame).flags & wire::flag_more) == 0) --unread_replies_;
  }
  std::size_t droppable = boundary_ < sent_ ? boundary_ : sent_;
  if (droppable > bytes_kept && droppable > buffer_.size() / 2) {
    buffer_.drop_front(droppable);
    sent_ -= droppable;
    boundary_ -= droppable;
    held_up_to_ -= std::min(held_up_to_, droppable);
    if (gates_ != nullptr)
      for (Gate& gate : *gates_) gate.begin -= droppable;
    if (shared_ != nullptr)
      for (SharedEnd& end : *shared_) end.at -= droppable;
  }
}

void Outbox::hold(std::uint64_t index, std::uint64_t safe_index) {
  release(safe_index);
  if (held_up_to_ != buffer_.size() && index > safe_index) {
    if (gates_ == nullptr) gates_ = std::make_unique<std::vector<Gate>>();
    if (gates_->empty() || gates_->back().index != index) gates_->push_back({held_up_to_, index});
  }
  held_up_to_ = buffer_.size();
}

void Outbox::release(std::uint64_t safe_index) {
  if (gates_ == nullptr) return;
  const auto first_held =
      std::find_if(gates_->begin(), gates_->end(), [&](const Gate& gate) { return gate.index > safe_index; });
  if (first_held == gates_->end()) gates_.reset();
  else gates_->erase(gates_->begin(), first_held);
}

void Outbox::finish_long_reply(std::size_t at, Code code, std::uint32_t request, std::size_t frame_bytes_max,
                               const SharedBytes& tail) {
  ++unread_replies_;
  auto kind = wire::FrameKind::reply;
  auto code_or_flags = static_cast<std::uint8_t>(code);
  for (wire::Bytes rest = tail.bytes(); !rest.empty();) {
    const wire::Bytes part = rest.first(std::min(rest.size(), frame_bytes_max - reply_bytes(at)));
    rest = rest.subspan(part.size());
    wire::store_short_header(buffer_.data() + at, reply_bytes(at) + part.size(), kind, code_or_flags,
                             rest.empty() ? std::uint16_t{0} : std::uint16_t{wire::flag_more}, request);
    if (shared_ == nullptr) shared_ = std::make_unique<std::vector<SharedEnd>>();
    shared_->push_back({buffer_.size(), tail, part});
    unsent_shared_bytes_ += part.size();
    if (rest.empty()) break;
    at = begin_reply();
    kind = wire::FrameKind::reply_part;
    code_or_flags = 0;
  }
}

wire::Bytes Outbox::unsent_in_pieces() const {
  const std::size_t held_from = gates_ == nullptr ? buffer_.size() : gates_->front().begin;
  std::size_t end = held_from;
  if (shared_ != nullptr) {
    const auto next = std::find_if(shared_->begin(), shared_->end(),
                                   [](const SharedEnd& one) { return one.sent != one.bytes.size(); });
    // A gate begins with a reply, so what is shared at that place ends the one before it.
    if (next != shared_->end() && next->at == sent_ && next->at <= held_from)
      return next->bytes.subspan(next->sent);
    if (next != shared_->end()) end = std::min(end, next->at);
  }
  return buffer_.view().subspan(sent_, end - sent_);
}

void Outbox::sent_with_shared(std::size_t count) {
  const auto next = std::find_if(shared_->begin(), shared_->end(),
                                 [](const SharedEnd& end) { return end.sent != end.bytes.size(); });
  if (next != shared_->end() && next->at == sent_) {
    next->sent += count;
    unsent_shared_bytes_ -= count;
  } else {
    sent_ += count;
  }
  if (unsent_bytes() != 0) return advance();
  shared_.reset();
  reset();
}

// Splits in place, from the last part to the first, since each part moves up by the headers before it.
void Outbox::cut(std::size_t at, Code code, std::uint32_t request, std::size_t frame_bytes_max) {
  std::size_t payload_bytes = reply_bytes(at) - wire::short_header_bytes;
  std::size_t part_bytes = frame_bytes_max - wire::short_header_bytes;
  std::size_t parts = (payload_bytes + part_bytes - 1) / part_bytes;
  buffer_.extend((parts - 1) * wire::short_header_bytes);
  std::uint8_t* begin = buffer_.data() + at;
  for (std::size_t part = parts; part-- > 0;) {
    std::size_t offset = part * part_bytes;
    bool last = part + 1 == parts;
    std::size_t bytes = last ? payload_bytes - offset : part_bytes;
    std::uint8_t* frame = begin + part * frame_bytes_max;
    std::memmove(frame + wire::short_header_bytes, begin + wire::short_header_bytes + offset, bytes);
    wire::store_short_header(frame, wire::short_header_bytes + bytes,
                             part == 0 ? wire::FrameKind::reply : wire::FrameKind::reply_part,
                             part == 0 ? static_cast<std::uint8_t>(code) : std::uint8_t{0},
                             last ? std::uint16_t{0} : std::uint16_t{wire::flag_more}, request);
  }
}

}  // namespace tandem::server
