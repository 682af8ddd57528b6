#pragma once
// Bytes to be sent to a client: contiguous, so that one send takes them all. A reply is built in place: room
// for its header, then the payload that the engine appends, then the header is filled in.

#include <cstdint>
#include <string_view>

#include "tandem/wire/frame.hpp"

namespace tandem::server {

class Outbox {
 public:
  /// The engine appends the payload of the reply started by begin_reply() here.
  wire::Buffer& buffer() { return buffer_; }

  /// Starts a reply. Returns its position, for finish_reply() or abandon_reply().
  std::size_t begin_reply() {
    std::size_t at = buffer_.size();
    buffer_.extend(wire::short_header_bytes);
    return at;
  }
  /// Bytes of the reply begun at `at`, header included.
  std::size_t reply_bytes(std::size_t at) const { return buffer_.size() - at; }
  /// The payload is complete. A frame longer than `frame_bytes_max` is split.
  void finish_reply(std::size_t at, Code code, std::uint32_t request, std::size_t frame_bytes_max) {
    ++unread_replies_;
    std::size_t frame_bytes = reply_bytes(at);
    if (frame_bytes > frame_bytes_max) [[unlikely]]
      return cut(at, code, request, frame_bytes_max);
    wire::store_short_header(buffer_.data() + at, frame_bytes, wire::FrameKind::reply,
                             static_cast<std::uint8_t>(code), 0, request);
  }
  void abandon_reply(std::size_t at) { buffer_.truncate(at); }

  /// Appends a message of the handshake; only before the first frame.
  void append_raw(wire::Bytes bytes) {
    buffer_.append(bytes);
    boundary_ = buffer_.size();
  }
  void append_fault(Code code, std::string_view text);

  wire::Bytes unsent() const { return buffer_.view_from(sent_); }
  std::size_t unsent_bytes() const { return buffer_.size() - sent_; }
  /// Number of replies not completely sent.
  std::uint64_t unread_replies() const { return unread_replies_; }
  /// The transport took this many of the unsent bytes.
  void sent(std::size_t count) {
    sent_ += count;
    if (sent_ == buffer_.size()) [[likely]]
      reset();
    else advance();
  }

 private:
  static constexpr std::size_t bytes_kept = 64 * 1024;  // capacity that an empty outbox keeps

  void reset() {
    buffer_.clear();
    buffer_.shrink(bytes_kept);
    sent_ = boundary_ = 0;
    unread_replies_ = 0;
  }
  void advance();
  void cut(std::size_t at, Code code, std::uint32_t request, std::size_t frame_bytes_max);

  wire::Buffer buffer_;
  std::size_t sent_ = 0;
  std::size_t boundary_ = 0;  // start of the first frame not completely sent, as of the last partial send
  std::uint64_t unread_replies_ = 0;
};

}  // namespace tandem::server
