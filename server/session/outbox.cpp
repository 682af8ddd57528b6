#include "server/session/outbox.hpp"

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
    if (boundary_ + frame_bytes > sent_) break;
    boundary_ += frame_bytes;
    if ((wire::load_reply_header(frame).flags & wire::flag_more) == 0) --unread_replies_;
  }
  std::size_t droppable = boundary_ < sent_ ? boundary_ : sent_;
  if (droppable > bytes_kept && droppable > buffer_.size() / 2) {
    buffer_.drop_front(droppable);
    sent_ -= droppable;
    boundary_ -= droppable;
  }
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
